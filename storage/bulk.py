"""Whole rows written in batches.

Many at once go to the driver as tuples, past the layers that would look at each value again, which cost more than
the writing itself; the values are written as SQLAlchemy's types would.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table, bindparam, insert, update
from sqlalchemy.schema import ColumnDefault
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

from storage import dialect
from storage.case_changes import EXPECTED_VERSION
from storage.tables import table_of

Rows = Sequence[Mapping[str, Any]]
Write = Callable[[datetime], str]


def insert_rows(connection: Connection, model: type[SQLModel], rows: Rows) -> None:
    """Insert rows that all name the same columns."""
    if not rows:
        return
    table, kind = table_of(model), dialect.at(connection)
    if len(rows) < kind.copies_from_rows:
        connection.execute(insert(table), [*map(dict, rows)])
        return
    names = tuple(rows[0])
    usual = {name: value for name, value in default_values(table).items() if name not in names}
    kind.copy_rows(connection, table, (*names, *usual), _tuples(rows, table, names, kind.instant_text, tuple(usual.values())))


@lru_cache
def default_values(table: Table) -> Mapping[str, Any]:
    """Return the values that columns have when a row does not name them."""
    defaults = {column.name: column.default for column in table.columns}
    return {name: made.arg for name, made in defaults.items() if isinstance(made, ColumnDefault) and made.is_scalar}


def update_rows(
    connection: Connection, model: type[SQLModel], key: Sequence[str], rows: Rows, *, seen: str | None = None
) -> int:
    """Replace the columns that the rows name of those that have the columns of `key`; return how many rows that were.

    `seen` names a column that must still have the value under "seen": a later writer changes nothing.
    """
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        alike[tuple(row)].append(row)
    return sum(_update_alike(connection, table_of(model), tuple(key), some, seen) for some in alike.values())


def _update_alike(connection: Connection, table: Table, key: tuple[str, ...], rows: Rows, seen: str | None) -> int:
    """Replace the columns of rows that all name the same."""
    write = dialect.at(connection).instant_text
    if write is None:
        named = [{f"{name}_is" if name in key else name: value for name, value in row.items()} for row in rows]
        return connection.execute(_update_of(table, tuple(rows[0]), key, seen), named).rowcount
    statement, order = _update(table, tuple(rows[0]), key, seen, connection.dialect)
    return connection.exec_driver_sql(statement, _tuples(rows, table, order, write)).rowcount


@lru_cache(maxsize=256)
def _update(
    table: Table, names: tuple[str, ...], key: tuple[str, ...], seen: str | None, written_for: Dialect
) -> tuple[str, tuple[str, ...]]:
    made = _update_of(table, names, key, seen).compile(dialect=written_for)
    return str(made), tuple(name.removesuffix("_is") for name in made.positiontup or ())


@lru_cache(maxsize=256)
def _update_of(table: Table, names: tuple[str, ...], key: tuple[str, ...], seen: str | None) -> Any:
    statement = update(table).values({name: bindparam(name) for name in names if name not in (*key, EXPECTED_VERSION)})
    statement = statement.where(*(table.c[name] == bindparam(f"{name}_is") for name in key))
    return statement.where(table.c[seen] == bindparam(EXPECTED_VERSION)) if seen else statement


@lru_cache(maxsize=256)
def _instants(table: Table, order: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(
        at for at, name in enumerate(order) if name != EXPECTED_VERSION and isinstance(table.c[name].type, UTCDateTime)
    )


def _tuples(
    rows: Rows, table: Table, names: tuple[str, ...], write: Write | None, usual: tuple[Any, ...] = ()
) -> list[tuple[Any, ...]]:
    take = itemgetter(*names)
    instants = _instants(table, names)
    if write is None or not instants:
        return [take(row) + usual for row in rows]
    return [_stored(take(row), instants, write) + usual for row in rows]


def _stored(values: tuple[Any, ...], instants: tuple[int, ...], write: Write) -> tuple[Any, ...]:
    """Write the instants of a row as the database stores them."""
    changed = list(values)
    for at in instants:
        if changed[at] is not None:
            changed[at] = write(changed[at])
    return tuple(changed)
