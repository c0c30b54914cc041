"""Whole rows written in batches.

Many at once go to the driver as tuples, past the layers that would look at each value again, which cost more than
the writing itself; the values are written as SQLAlchemy's types would.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table, bindparam, insert, update
from sqlalchemy.schema import ColumnDefault
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

from storage.case_changes import EXPECTED_VERSION
from storage.tables import table_of

COPY_FROM_ROWS = 50
"""From this many rows on, PostgreSQL gets them by COPY."""
Rows = Sequence[Mapping[str, Any]]


def insert_rows(connection: Connection, model: type[SQLModel], rows: Rows) -> None:
    """Insert rows that all name the same columns."""
    if not rows:
        return
    table, sqlite = table_of(model), connection.dialect.name == "sqlite"
    if not sqlite and len(rows) < COPY_FROM_ROWS:
        connection.execute(insert(table), [*map(dict, rows)])
        return
    names = tuple(rows[0])
    usual = {name: value for name, value in default_values(table).items() if name not in names}
    moments = _moments(table, names) if sqlite else ()
    stream(connection, table, (*names, *usual), _tuples(rows, names, moments, tuple(usual.values())))


def stream(connection: Connection, table: Table, names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Send rows to the driver as they are; their instants are written as the database keeps them."""
    columns = ", ".join(map(connection.dialect.identifier_preparer.quote, names))
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        driver.executemany(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", rows)  # noqa: S608
        return
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


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
    if connection.dialect.name != "sqlite":
        named = [{f"{name}_is" if name in key else name: value for name, value in row.items()} for row in rows]
        return connection.execute(_update_of(table, tuple(rows[0]), key, seen), named).rowcount
    statement, order, moments = _update(table, tuple(rows[0]), key, seen, connection.dialect)
    return connection.exec_driver_sql(statement, _tuples(rows, order, moments)).rowcount


@lru_cache(maxsize=256)
def _update(
    table: Table, names: tuple[str, ...], key: tuple[str, ...], seen: str | None, dialect: Dialect
) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
    made = _update_of(table, names, key, seen).compile(dialect=dialect)
    order = tuple(name.removesuffix("_is") for name in made.positiontup or ())
    return str(made), order, _moments(table, order)


@lru_cache(maxsize=256)
def _update_of(table: Table, names: tuple[str, ...], key: tuple[str, ...], seen: str | None) -> Any:
    statement = update(table).values({name: bindparam(name) for name in names if name not in (*key, EXPECTED_VERSION)})
    statement = statement.where(*(table.c[name] == bindparam(f"{name}_is") for name in key))
    return statement.where(table.c[seen] == bindparam(EXPECTED_VERSION)) if seen else statement


def _moments(table: Table, order: Sequence[str]) -> tuple[int, ...]:
    return tuple(
        at for at, name in enumerate(order) if name != EXPECTED_VERSION and isinstance(table.c[name].type, UTCDateTime)
    )


def _tuples(rows: Rows, names: tuple[str, ...], moments: tuple[int, ...], usual: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    take = itemgetter(*names)
    if not moments:
        return [take(row) + usual for row in rows]
    return [_written(take(row), moments) + usual for row in rows]


def _written(values: tuple[Any, ...], moments: tuple[int, ...]) -> tuple[Any, ...]:
    """Write the instants of a row as SQLite keeps them."""
    changed = list(values)
    for at in moments:
        moment: datetime | None = changed[at]
        if moment is not None:
            changed[at] = sqlite_text(moment)
    return tuple(changed)


@lru_cache(maxsize=20_000)
def sqlite_text(moment: datetime) -> str:
    """Return an instant as SQLite keeps it: in UTC, to the microsecond, without the zone. One instant stands in many rows."""
    in_utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return in_utc.isoformat(" ", "microseconds")[:26]
