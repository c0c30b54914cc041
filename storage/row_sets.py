"""Rows to be written, column by column, and the statement that writes them: what both ways of firing give the writer."""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from itertools import repeat
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, Update, bindparam, insert, literal, or_, update
from sqlalchemy.schema import ColumnDefault
from sqlmodel.sql.sqltypes import UTCDateTime

from workflow.vocabulary import WHATEVER_ATTEMPT, EffectStatus

EXPECTED_VERSION = "expected_version"
"""Named in a change of an order: the version that it must still have."""
UNSENT = (EffectStatus.held, EffectStatus.asked, EffectStatus.waits, EffectStatus.ready, EffectStatus.written)
"""Statuses of effects that nothing has tried to send yet."""
WriteInstant = Callable[[datetime], str]


class Operation(Enum):
    """What is done with rows."""

    add = "add"
    change = "change"
    drop = "drop"
    """Drop the unsent effects of earlier steps that have become obsolete (rule 5.7)."""


@dataclass(frozen=True, slots=True)
class Constant:
    """One value for all rows."""

    value: Any


Values = Sequence[Any] | Constant


@dataclass(frozen=True, slots=True)
class Shape:
    """What the statement depends on. The first of `names` is the column of the order's or report's id."""

    operation: Operation
    table: Table
    names: tuple[str, ...]

    @property
    def must_match(self) -> bool:
        """Whether each row must be found."""
        return self.operation is not Operation.drop


@dataclass(frozen=True, slots=True)
class RowSet:
    """Rows of one table that are written alike, column by column, with values as the database stores them."""

    shape: Shape
    columns: tuple[Values, ...]

    @property
    def count(self) -> int:
        """The number of rows."""
        ids = self.columns[0]
        assert not isinstance(ids, Constant), "the first column has a value for each row"
        return len(ids)

    def in_order(self, order: Iterable[int]) -> Iterator[tuple[Any, ...]]:
        """Return the rows as tuples of the columns with these numbers."""
        columns = (self.columns[at] for at in order)
        return zip(*(repeat(one.value) if isinstance(one, Constant) else one for one in columns), strict=False)


def row_sets(
    operation: Operation, table: Table, rows: Sequence[Mapping[str, Any]], write: WriteInstant | None
) -> Iterator[RowSet]:
    """Yield rows as sets of those that name the same columns. `write` writes instants where the driver takes texts."""
    for names, some in _by_names(operation, rows).items():
        columns: list[Values] = [*zip(*map(itemgetter(*names), some), strict=True)]
        if write is not None:
            for at in _instants(table, names):
                columns[at] = [None if value is None else write(value) for value in columns[at]]  # type: ignore[union-attr]
        usual = default_values(table, names) if operation is Operation.add else {}
        yield RowSet(Shape(operation, table, (*names, *usual)), (*columns, *map(Constant, usual.values())))


def _by_names(operation: Operation, rows: Sequence[Mapping[str, Any]]) -> Mapping[tuple[str, ...], Sequence[Mapping[str, Any]]]:
    """Return rows by the columns that they name; new rows and drops of one table all name the same."""
    if operation is not Operation.change:
        return {tuple(rows[0]): rows} if rows else {}
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        alike.setdefault(tuple(row), []).append(row)
    return alike


@lru_cache(maxsize=256)
def _instants(table: Table, names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(at for at, name in enumerate(names) if isinstance(column_of(table, name).type, UTCDateTime))


@lru_cache(maxsize=256)
def default_values(table: Table, names: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the values of the columns that new rows do not name."""
    defaults = {column.name: column.default for column in table.columns if column.name not in names}
    return {name: made.arg for name, made in defaults.items() if isinstance(made, ColumnDefault) and made.is_scalar}


def column_of(table: Table, name: str) -> Column[Any]:
    """Return the column that a name of a row is about."""
    return table.c["version" if name == EXPECTED_VERSION else name]


Find = Callable[[Column[Any], ColumnElement[Any]], ColumnElement[bool]]
"""Makes the condition that a column has one of the ids."""


def statement(
    shape: Shape,
    values: Sequence[ColumnElement[Any]],
    rows: Callable[..., Select[Any]] | None = None,
    find: Find = operator.eq,
) -> Any:
    """Return the statement that writes rows of a shape, with an expression for each of its names.

    It adds one row, or those that `rows` selects; it changes or drops the rows that `find` finds by the first expression.
    """
    table, by_name = shape.table, dict(zip(shape.names, values, strict=True))
    match shape.operation:
        case Operation.add:
            added = insert(table)
            return added.from_select(shape.names, rows(*values), include_defaults=False) if rows else added.values(by_name)
        case Operation.change:
            written = update(table)
            if EXPECTED_VERSION in by_name:
                written = written.where(table.c.version == by_name.pop(EXPECTED_VERSION))
            for column in table.primary_key:
                found = find if column.name == shape.names[0] else operator.eq
                written = written.where(found(column, by_name.pop(column.name)))
            return written.values(by_name)
        case Operation.drop:
            return _dropped(table, by_name, find)


def _dropped(e: Table, values: dict[str, ColumnElement[Any]], find: Find) -> Update:
    theirs = find(e.c.order_id, values["order_id"])
    same = (
        e.c.kind == values["kind"],
        or_(e.c.attempt == values["attempt"], values["attempt"] == literal(WHATEVER_ATTEMPT, literal_execute=True)),
    )
    unsent = e.c.status.in_(bindparam(None, UNSENT, expanding=True, literal_execute=True))
    written = update(e).where(theirs, *same, e.c.sequence < values["sequence"], unsent)
    status, by = (literal(value, literal_execute=True) for value in (str(EffectStatus.dropped), "the process"))
    return written.values(status=status, decided_by=by, decided_at=values["decided_at"])
