"""What a step leaves behind for every order that is alike, written by a few statements for all of them at once.

What differs from order to order is put into a temporary table first; each row that a step leaves behind then becomes
one statement that takes its blanks from there.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    cast,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy.schema import CreateTable
from sqlmodel.sql.sqltypes import UTCDateTime

from storage.bulk import as_sqlite_writes, stream, usual_values
from storage.cases import DROPPED, NOT_LEFT
from storage.codec import Values, order_values
from storage.persons import raise_flags
from storage.quick import Prepared, carry_out, prepare
from storage.tables import EffectRow, OrderRow, table_of
from storage.waking import announce
from storage.writes import ADDED_IN_TURN, KEYS, SEEN, Change, Model, Writes, writes_of
from workflow.blanks import Asked, Blank, CannotTell, is_marked, plain
from workflow.columns import Columns
from workflow.outline import AT, ORDER_ID

MOST_COLUMNS = 24
"""What may differ from order to order; a step that needs more of it is written order by order."""
_STAGED = Table(
    "staged",
    MetaData(),
    Column("form", Integer, primary_key=True),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    *(Column(f"c{number}", Text) for number in range(MOST_COLUMNS)),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
    sqlite_with_rowid=False,
)
_FORM = bindparam("form", None, type_=Integer)


@dataclass(frozen=True, slots=True)
class Form:
    """The statements of one step, and what is to be filled in: columns of the temporary table, and instants of the batch."""

    statements: tuple[Prepared, ...]
    together: Prepared | None
    """All of them as one, which brings the rows along, for a server; it returns how many rows each changed."""
    of_each: tuple[bool, ...]
    """Which of the statements must change a row of every order."""
    columns: tuple[Callable[[Columns], Sequence[Any]], ...]
    common: tuple[tuple[str, Blank], ...]
    flags: tuple[str, ...]
    wakes: bool


def form_of(change: Change, modes: Mapping[str, str], asked: Asked, dialect: Dialect) -> Form:
    """Return the form of a change that has blanks in it.

    Raises:
        CannotTell: too much of it differs from order to order.

    """
    blank: Any = asked.blank(ORDER_ID)
    writer = _Writer(asked, dialect)
    writes = writes_of([(blank, change)], modes)
    assert change.before is not None, "only orders that are stored have timers"
    statements = [*_changes(writer, writes, order_values(change.before)), *_additions(writer, writes)]
    statements += [(writer.dropped(moot), False) for moot in writes.moot]
    flags = tuple(flag for _, flag, _, _ in writes.flags)
    prepared, of_each = tuple(prepare(one, dialect) for one, _ in statements), tuple(each for _, each in statements)
    together = None if dialect.name == "sqlite" else _together([one for one, _ in statements], len(writer.columns), dialect)
    return Form(prepared, together, of_each, tuple(writer.columns), tuple(writer.common.items()), flags, writes.wakes)


def _changes(writer: "_Writer", writes: Writes, before: Values) -> list[tuple[Executable, bool]]:
    statements = []
    for model, rows in writes.changed.items():
        for row in rows:
            kept = before if model is OrderRow else {}
            changed = {name: value for name, value in row.items() if name not in kept or not _same(value, kept[name])}
            statements.append((writer.changed(model, {**changed, **{name: row[name] for name in KEYS[model]}}), True))
    return statements


def _additions(writer: "_Writer", writes: Writes) -> list[tuple[Executable, bool]]:
    return [(writer.added(model, row), True) for model in ADDED_IN_TURN for row in writes.added[model]]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Blank) or isinstance(other, Blank):
        return isinstance(one, Blank) and one.same_as(other)
    return one is other or bool(one == other)


class _Writer:
    """Writes rows with blanks as statements, and notes what is to be filled in."""

    def __init__(self, asked: Asked, dialect: Dialect) -> None:
        self._asked, self._sqlite = asked, dialect.name == "sqlite"
        self.columns: list[Callable[[Columns], Sequence[Any]]] = []
        self.common: dict[str, Blank] = {}
        self._numbers: dict[Any, int] = {}

    def added(self, model: Model, row: Values) -> Executable:
        """Return the statement that adds a row for every order."""
        table = table_of(model)
        whole = {**usual_values(table), **row}
        filled = {name: self._value(table.c[name], value) for name, value in whole.items() if value is not None}
        chosen = select(*filled.values()).where(_STAGED.c.form == _FORM)
        return insert(table).from_select([*filled], chosen, include_defaults=False)

    def changed(self, model: Model, row: Values) -> Executable:
        """Return the statement that changes a row of every order."""
        table, key = table_of(model), KEYS[model]
        named = {name: value for name, value in row.items() if name not in (*key, SEEN)}
        statement = update(table).where(self._is_staged(table, key, row))
        if SEEN in row:
            statement = statement.where(table.c.version == row[SEEN])
        return statement.values({name: self._taken(table, key, name, value) for name, value in named.items()})

    def dropped(self, moot: Values) -> Executable:
        """Return the statement that drops effects which have lost their point (rule 5.7)."""
        e = table_of(EffectRow)
        theirs = e.c.order_id.in_(select(_STAGED.c.order_id).where(_STAGED.c.form == _FORM))
        same = (e.c.kind == moot["of_kind"]) & (e.c.attempt == moot["of_attempt"]) & (e.c.sequence < moot["before"])
        values = {**DROPPED, "decided_at": self._value(e.c.decided_at, moot["at"])}
        return update(e).where(theirs, same, e.c.status.in_(NOT_LEFT)).values(values)

    def _is_staged(self, table: Table, key: Sequence[str], row: Values) -> ColumnElement[bool]:
        """Return the condition for being the row of one of the orders; a server joins, SQLite would scan the whole table."""
        rest = key[1:]
        if not self._sqlite:
            same = (table.c[key[0]] == _STAGED.c.order_id) & (_STAGED.c.form == _FORM)
            for name in rest:
                same &= table.c[name] == row[name]
            return same
        chosen = select(_STAGED.c.order_id, *(literal(row[name]) for name in rest)).where(_STAGED.c.form == _FORM)
        named = [table.c[name] for name in key]
        return tuple_(*named).in_(chosen) if rest else named[0].in_(chosen)

    def _taken(self, table: Table, key: Sequence[str], name: str, value: Any) -> ColumnElement[Any]:
        """Return what a column is changed to."""
        made = self._value(table.c[name], value)
        if self._sqlite and self._differs(value):
            mine = (_STAGED.c.form == _FORM) & (_STAGED.c.order_id == table.c[key[0]])
            return select(made).where(mine).correlate(table).scalar_subquery()
        return made

    def _differs(self, value: Any) -> bool:
        return (isinstance(value, Blank) and value.place != AT) or (isinstance(value, str) and is_marked(value))

    def _value(self, column: Column[Any], value: Any) -> ColumnElement[Any]:
        """Return what stands for a value: itself, an instant of the batch, or a column of the temporary table."""
        if value is None:
            return null()
        if not isinstance(value, Blank) and not self._differs(value):
            return literal(value, column.type)
        if isinstance(value, Blank) and value.place == AT:
            name = f"at{len(self.common)}"
            self.common[name] = value
            return bindparam(name, None, type_=column.type)
        if isinstance(value, Blank) and value.place == ORDER_ID:
            return _STAGED.c.order_id
        staged = _STAGED.c[f"c{self._number(column, value)}"]
        return staged if self._sqlite or isinstance(column.type, Text) else cast(staged, column.type)

    def _number(self, column: Column[Any], value: Any) -> int:
        """Return which column of the temporary table holds a value."""
        as_text = self._sqlite and isinstance(column.type, UTCDateTime)
        key = (value.place, value.shift, as_text) if isinstance(value, Blank) else value
        if key not in self._numbers:
            if len(self.columns) == MOST_COLUMNS:
                raise CannotTell
            self._numbers[key] = len(self.columns)
            self.columns.append(self._filling(value, as_text))
        return self._numbers[key]

    def _filling(self, value: Any, as_text: bool) -> Callable[[Columns], Sequence[Any]]:
        """Return what fills a column: texts, instants as SQLite keeps them (as unmoved ones are already), or plain values."""
        if not isinstance(value, Blank):
            text = self._asked.text(value)
            return lambda columns: columns.texts(text)
        place, shift = value.place, value.shift
        if not as_text:
            return lambda columns: columns.of(place, shift)
        if shift is None and isinstance(place, int):
            return lambda columns: columns.stored(place)
        return lambda columns: columns.written(place, shift, as_sqlite_writes)


def _moved(at: datetime, shift: Any) -> datetime:
    moved: datetime = at if shift is None else at + shift
    return moved


COPIED_FROM = 200
"""So many rows are copied into a server's temporary table; fewer go along with one statement that does everything."""


class Staging:
    """Forms filled in within one transaction, one after the other."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._forms, self._made = connection, 0, False
        self._sqlite = connection.dialect.name == "sqlite"

    def fill(self, form: Form, columns: Columns, at: datetime) -> None:
        """Write what a step leaves behind for all orders of the columns."""
        self._forms += 1
        ids = columns.stored(ORDER_ID)
        staged = [ids, *(column(columns) for column in form.columns)]
        shared = {"form": self._forms, **{name: _moved(at, blank.shift) for name, blank in form.common}}
        if form.together is None or columns.count >= COPIED_FROM:
            self._stage(staged)
            changed = [cursor.rowcount for cursor in carry_out(self._connection, form.statements, shared)]
        else:
            names = _names(len(staged))
            rows = [dict(zip(names, row, strict=True)) for row in zip(*staged, strict=True)]
            along = json.dumps(rows, default=plain)
            (cursor,) = carry_out(self._connection, [form.together], {**shared, "rows": along})
            (changed,) = cursor.fetchall()
        held = all(count == columns.count for count, each in zip(changed, form.of_each, strict=True) if each)
        assert held, "an order was moved while it was locked"
        if form.flags:
            raise_flags(self._connection, [(key, flag, at, None) for key in ids for flag in form.flags])
        if form.wakes:
            announce(self._connection)

    def _stage(self, columns: Sequence[Sequence[Any]]) -> None:
        if not self._made:
            carry_out(self._connection, [_made(self._connection.dialect)], {})
            self._made = True
        rows = zip([self._forms] * len(columns[0]), *columns, strict=True)
        stream(self._connection, _STAGED, ("form", *_names(len(columns))), rows)

    def end(self) -> None:
        """Leave the temporary table empty; a server empties it when the transaction ends."""
        if self._sqlite:
            self._connection.exec_driver_sql("DELETE FROM staged")


@lru_cache
def _made(dialect: Dialect) -> Prepared:
    return prepare(CreateTable(_STAGED, if_not_exists=True), dialect)


def _names(count: int) -> list[str]:
    return ["order_id", *(f"c{number}" for number in range(count - 1))]


def _together(statements: Sequence[Any], columns: int, dialect: Dialect) -> Prepared:
    """Return statements of a server as one, which brings the rows of the temporary table along, as JSON."""
    parts = [one.returning(literal_column("1")).cte(f"part{number}") for number, one in enumerate(statements)]
    counted = prepare(select(*(select(func.count()).select_from(part).scalar_subquery() for part in parts)), dialect)
    typed = ", ".join(f"{name} {'bigint' if name == 'order_id' else 'text'}" for name in _names(1 + columns))
    come = f"SELECT CAST(%(form)s AS int) AS form, come.* FROM json_to_recordset(CAST(%(rows)s AS json)) AS come ({typed})"  # noqa: S608
    return replace(counted, sql=f"WITH staged AS ({come}), {counted.sql.removeprefix('WITH ')}")
