"""What is particular to SQLite: one file, one writer, instants as texts, statements at once."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Insert,
    Integer,
    Select,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    select,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.schema import CreateTable

from language import tr
from storage.prepared import Prepared, prepare
from storage.row_sets import Operation, RowSet, Shape, column_of, statement
from storage.staging import MOST_COLUMNS, Write, expressions, layout_of, staged_table

NAME = "sqlite"
_DURABLE = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY", "wal_autocheckpoint = 4000")
"""A batch of 5,000 timers writes some 2,000 pages: at SQLite's 1,000, what one batch writes is copied back twice."""
_SCRATCH = ("journal_mode = OFF", "synchronous = OFF", "temp_store = MEMORY", "locking_mode = EXCLUSIVE")


@lru_cache(maxsize=20_000)
def text_of(instant: datetime) -> str:
    """Return an instant as SQLite stores it: in UTC, to the microsecond, without the zone."""
    in_utc = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    return in_utc.isoformat(" ", "microseconds")[:26]


class Sqlite:
    """SQLite, behind `storage.dialect.StorageDialect`."""

    name = NAME
    is_shared = False
    instant_text: Callable[[datetime], str] | None = staticmethod(text_of)
    read_options: Mapping[str, Any] = {}
    erased_rows_stay: str | None = None
    steady_plans: tuple[str, ...] = ()

    # --- connections ---

    def engine(self, url: URL, *, scratch: bool, limits: Callable[[], Mapping[str, int]]) -> Engine:
        """Return an engine for the file; a scratch one forgoes durability."""
        file = file_of(url)
        # mode=rw: a file that is missing for a moment must not be replaced by an empty one
        opened = URL.create(NAME, database=f"file:{quote(str(file))}", query={"mode": "rw", "uri": "true"})
        engine = create_engine(opened, hide_parameters=True, connect_args={"isolation_level": None})

        def connect(connection: Any, record: Any) -> None:
            record.info["file"] = _identity(file)
            for pragma in _SCRATCH if scratch else _DURABLE:
                connection.execute(f"PRAGMA {pragma}")

        def checkout(connection: Any, record: Any, _proxy: Any) -> None:
            """Reconnect if the file was replaced: nothing may be written to a deleted file."""
            if record.info["file"] != _identity(file):
                raise DisconnectionError
            connection.execute(f"PRAGMA busy_timeout = {limits()['busy_timeout_ms']}")

        event.listen(engine, "connect", connect)
        event.listen(engine, "checkout", checkout)
        event.listen(engine, "begin", _begin)
        return engine

    def is_read_only_failure(self, error: Any) -> bool:
        """No: one file has no standby."""
        return False

    @contextmanager
    def exclusive(self, engine: Engine, file: Path | None, name: str, number: int) -> Iterator[None]:
        """Hold a lock among all processes on the file, outside of any transaction."""
        from filelock import FileLock  # few commands take this lock

        with FileLock(f"{file}.{name}.lock", mode=0o600):
            yield

    def take_lock(self, connection: Connection, number: int) -> None:
        """Nothing to do: a write transaction is alone."""

    def take_locks(self, connection: Connection, kind: int, numbers: Sequence[int]) -> None:
        """Nothing to do: a write transaction is alone."""

    def notify(self, connection: Connection, channel: str) -> None:
        """Nothing to do: the only daemon polls."""

    def damage_of(self, connection: Connection) -> str | None:
        """Return the first thing that SQLite finds wrong with the file, or None."""
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        return None if found == "ok" else str(found)

    def is_pooled(self, engine: Engine) -> bool:
        """No: a file has no pooler."""
        return False

    def purge(self, connection: Connection) -> str | None:
        """Rewrite the file without erased data; return why its log still holds some, or None."""
        connection.exec_driver_sql("VACUUM")
        busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        return tr("is being read, and its -wal file still holds erased data") if busy else None

    def optimize(self, connection: Connection) -> None:
        """Let SQLite refresh its statistics."""
        connection.exec_driver_sql("PRAGMA optimize")

    # --- expressions ---

    def among(self, column_of_ids: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
        """Return the condition that an integer column is in the list of a parameter."""
        return column_of_ids.in_(select(_each(bindparam(parameter, None))))

    def among_texts(self, column_of_texts: ColumnElement[Any], parameter: Any) -> ColumnElement[bool]:
        """Return the condition that a text column is in the JSON list of a parameter."""
        return column_of_texts.in_(select(_each(parameter)))

    def list_value(self, ids: Iterable[int]) -> str:
        """Return integers as the value of a list parameter."""
        return json.dumps([*ids])

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> Any:
        """Return pairs as a subquery: for a list of row values SQLite uses no index."""
        rows = func.json_each(json.dumps(pairs)).table_valued("value")
        return select(func.json_extract(rows.c.value, "$[0]"), func.json_extract(rows.c.value, "$[1]"))

    def insert_missing(self, table: Table) -> Insert:
        """Return an insert that passes over rows that are there already, by any unique index."""
        from sqlalchemy.dialects.sqlite import insert as insert_here

        return insert_here(table).on_conflict_do_nothing()

    def upsert(self, table: Table, key: str) -> Insert:
        """Return an insert that replaces the row which has the same key."""
        from sqlalchemy.dialects.sqlite import insert as insert_here

        made = insert_here(table)
        return made.on_conflict_do_update(
            index_elements=[key], set_={c.name: made.excluded[c.name] for c in table.c if c.name != key}
        )

    def seconds_between(self, begin: Any, end: Any) -> Any:
        """Return the seconds from one instant to another."""
        return (func.julianday(end) - func.julianday(begin)) * 86_400.0

    def locked(self, query: Select[Any]) -> Select[Any]:
        """Return the query: a write transaction is alone."""
        return query

    def claimed(self, query: Select[Any], of: Any, on: Any) -> Select[Any]:
        """Return the query: there is one daemon."""
        return query

    # --- statements past SQLAlchemy ---

    def execute(self, connection: Connection, statements: Sequence[Prepared], values: Mapping[str, Any]) -> list[Any]:
        """Execute prepared statements one after the other; return their cursors."""
        driver: Any = connection.connection.driver_connection
        return [driver.execute(one.sql, self._in_turn(one, values)) for one in statements]

    def _in_turn(self, prepared: Prepared, values: Mapping[str, Any]) -> tuple[Any, ...]:
        named = {**prepared.given, **values}
        in_turn = (named[name] for name in prepared.names)
        return tuple(text_of(value) if isinstance(value, datetime) else value for value in in_turn)

    def write(self, connection: Connection, sets: Sequence[RowSet]) -> list[int]:
        """Write rows: a lone set row by row, several from a temporary table; return how many rows each has written."""
        driver: Any = connection.connection.driver_connection
        if len(sets) == 1:
            (rows,) = sets
            sql, order = _row_statement(rows.shape, connection.dialect)
            return [driver.executemany(sql, rows.in_order(order)).rowcount]
        layout, written_for = layout_of(sets), connection.dialect
        driver.execute(_create_staged(written_for).sql)
        driver.executemany(_into_staged(layout.names, written_for).sql, zip(*layout.columns, strict=True))
        cursors = self.execute(connection, _from_staged(layout.writes, written_for), layout.constants)
        written = [cursor.rowcount for cursor in cursors]
        driver.execute(f"DELETE FROM {_STAGED.name}")  # noqa: S608
        return written

    # --- sizes ---

    def estimated_rows(self, connection: Connection, table: Table) -> int | None:
        """None: SQLite keeps no estimate."""
        return None

    def bytes_used(self, connection: Connection) -> int:
        """Return the size of the file."""
        pages, size = (connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0 for name in ("page_count", "page_size"))
        return int(pages) * int(size)

    def advance_sequences(self, connection: Connection, tables: Iterable[Table]) -> None:
        """Nothing to do: SQLite continues after the highest id."""


@lru_cache(maxsize=1_000)
def _row_statement(shape: Shape, written_for: Dialect) -> tuple[str, tuple[int, ...]]:
    """Return the statement for one row of a shape, and which column each of its parameters takes."""
    columns = (column_of(shape.table, name) for name in shape.names)
    values = [bindparam(f"p{at}", None, type_=column.type) for at, column in enumerate(columns)]
    prepared = prepare(statement(shape, values), written_for)
    return prepared.sql, tuple(int(name.removeprefix("p")) for name in prepared.names)


# --- rows written from others ---

_STAGED = staged_table(Column("c0", Integer, primary_key=True))


@lru_cache
def _create_staged(written_for: Dialect) -> Prepared:
    return prepare(CreateTable(_STAGED, if_not_exists=True), written_for)


@lru_cache(maxsize=MOST_COLUMNS)
def _into_staged(names: Sequence[str], written_for: Dialect) -> Prepared:
    return prepare(insert(_STAGED).values({name: bindparam(f"given_{name}", None) for name in names}), written_for)


@lru_cache(maxsize=1_000)
def _from_staged(writes: Sequence[Write], written_for: Dialect) -> list[Prepared]:
    """Return the statements that write rows from the staged ones."""
    made = (
        statement(write[0], expressions(number, write, partial(_take, write[0])), _rows, _find)
        for number, write in enumerate(writes)
    )
    return [prepare(one, written_for) for one in made]


def _take(shape: Shape, number: int, _: Column[Any]) -> ColumnElement[Any]:
    """Return a staged value; a change looks each of them up: UPDATE ... FROM takes twice as long."""
    staged = _STAGED.c[f"c{number}"]
    if shape.operation is Operation.add:
        return staged
    mine = _STAGED.c.c0 == shape.table.c[shape.names[0]]
    return select(staged).where(mine).correlate(shape.table).scalar_subquery()


def _rows(*values: ColumnElement[Any]) -> Select[Any]:
    return select(*values).select_from(_STAGED)


def _find(column: Column[Any], _: ColumnElement[Any]) -> ColumnElement[bool]:
    return column.in_(select(_STAGED.c.c0))


def file_of(url: URL) -> Path:
    """Return the file that a URL names."""
    return Path(str(url.database)).absolute()


def backup(source: Path, target: Path) -> None:
    """Copy a database file while it is in use, check the copy, and wait until it is on the disk.

    Raises:
        OSError, sqlite3.Error: it could not be read or written, or the copy is damaged.

    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
        other.execute("PRAGMA journal_mode = DELETE")  # no file beside it belongs to the copy
        if problem := damage(other):
            raise sqlite3.DatabaseError(tr("the copy is damaged: {problem}", problem=problem))
    sync(target)


def damage(connection: sqlite3.Connection) -> str | None:
    """Return the first thing that SQLite finds wrong with a file, or None."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    return None if found == "ok" else str(found)


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _each(parameter: Any) -> Any:
    return func.json_each(parameter).table_valued("value").c.value


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(str(file))
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("write") else "BEGIN")
