"""Sets of rows of the same orders, staged together: what varies stands in one table, from where each statement takes it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, MetaData, Table, Text, bindparam

from storage.row_sets import EXPECTED_VERSION, Constant, Operation, RowSet, Shape, Values, column_of

MOST_COLUMNS = 60
"""Columns of the temporary table."""
SMALLEST_GROUP = 50
"""Below this number of orders, sets are written one by one."""
Write = tuple[Shape, tuple[int | None, ...]]
"""A shape, and for each of its names the number of the staged column, or None for a constant."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What is staged of sets of rows, and what each statement takes from there."""

    names: tuple[str, ...]
    columns: Sequence[Sequence[Any]]
    writes: tuple[Write, ...]
    constants: dict[str, Any]


def layout_of(sets: Sequence[RowSet]) -> Layout:
    """Return how sets of rows are staged: a column that several of them share, once."""
    columns = {id(one): one for rows in sets for one in rows.columns if not isinstance(one, Constant)}
    numbers = {key: number for number, key in enumerate(columns)}
    writes = tuple((rows.shape, tuple(numbers.get(id(one)) for one in rows.columns)) for rows in sets)
    constants = {
        _parameter(number, at): one.value
        for number, rows in enumerate(sets)
        for at, one in enumerate(rows.columns)
        if isinstance(one, Constant)
    }
    return Layout(tuple(f"c{number}" for number in range(len(columns))), [*columns.values()], writes, constants)


def together(sets: Iterable[RowSet]) -> Iterator[list[RowSet]]:
    """Yield sets that follow each other and have one row for each of the same orders as one group, which is staged.

    Orders that change are written alone, before anything that would fail if another writer had changed them.
    """
    group: list[RowSet] = []
    for rows in sets:
        stands_alone = rows.shape.operation is Operation.drop or EXPECTED_VERSION in rows.shape.names
        if group and (stands_alone or rows.columns[0] != group[0].columns[0]):
            yield from _grouped(group)
            group = []
        if stands_alone:
            yield [rows]
        else:
            group.append(rows)
    yield from _grouped(group)


def _grouped(sets: list[RowSet]) -> Iterator[list[RowSet]]:
    """Yield sets of the same orders as one group if that pays: if most of their values are the same for all orders."""
    ids = sets[0].columns[0] if sets else ()
    assert not isinstance(ids, Constant)
    if len(sets) > 1 and len(ids) >= SMALLEST_GROUP and len({*ids}) == len(ids):
        compact = [RowSet(rows.shape, (ids, *map(_constant_if_same, rows.columns[1:]))) for rows in sets]
        columns = [column for rows in compact for column in rows.columns[1:]]
        varying = sum(not isinstance(column, Constant) for column in columns)
        if varying < MOST_COLUMNS and 2 * varying <= len(columns):
            yield compact
            return
    yield from ([rows] for rows in sets)


def _constant_if_same(column: Values) -> Values:
    if isinstance(column, Constant) or column.count(column[0]) < len(column):
        return column
    return Constant(column[0])


def staged_table(*key: Column[Any]) -> Table:
    """Return the temporary table, with `c0` for the ids of orders or reports among the columns of `key`."""
    others = (Column(f"c{number}", Text) for number in range(1, MOST_COLUMNS))
    return Table("staged", MetaData(), *key, *others, prefixes=["TEMPORARY"])


def expressions(number: int, write: Write, take: Callable[[int, Column[Any]], ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    """Return the expressions of a shape's names: parameters for constants, or what `take` makes of a staged column."""
    shape, staged = write
    columns = [column_of(shape.table, name) for name in shape.names]
    return [
        bindparam(_parameter(number, at), None, type_=column.type) if one is None else take(one, column)
        for at, (column, one) in enumerate(zip(columns, staged, strict=True))
    ]


def _parameter(number: int, at: int) -> str:
    return f"p{number}_{at}"
