"""What is particular to SQLite: one file, one writer, instants as texts, statements at once."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock
from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, bindparam, create_engine, event, func, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError

NAME = "sqlite"
_DURABLE = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY")
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
    copies_from_rows = 0
    joins_in_updates = False
    combines_statements = False
    instant_text: Callable[[datetime], str] | None = staticmethod(text_of)
    read_options: Mapping[str, Any] = {}
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
        with FileLock(f"{file}.{name}.lock", mode=0o600):
            yield

    def take_lock(self, connection: Connection, number: int) -> None:
        """Nothing to do: a write transaction is alone."""

    def notify(self, connection: Connection, channel: str) -> None:
        """Nothing to do: the only daemon polls."""

    def purge(self, connection: Connection) -> str | None:
        """Rewrite the file without erased data; return why its log still holds some, or None."""
        connection.exec_driver_sql("VACUUM")
        busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        return "is being read; its -wal file still holds erased data: erase again, with --order" if busy else None

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

    def execute(self, connection: Connection, statements: Sequence[Any], values: Mapping[str, Any]) -> list[Any]:
        """Execute prepared statements one after the other; return their cursors."""
        driver: Any = connection.connection.driver_connection
        return [driver.execute(one.sql, self._in_turn(one, values)) for one in statements]

    def _in_turn(self, statement: Any, values: Mapping[str, Any]) -> tuple[Any, ...]:
        named = {**statement.given, **values}
        in_turn = (named[name] for name in statement.names)
        return tuple(text_of(value) if isinstance(value, datetime) else value for value in in_turn)

    def copy_rows(self, connection: Connection, table: Table, names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert rows of stored values."""
        columns = ", ".join(map(connection.dialect.identifier_preparer.quote, names))
        marks = ", ".join("?" * len(names))
        driver: Any = connection.connection.driver_connection
        driver.executemany(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", rows)  # noqa: S608

    def end_of_staging(self, connection: Connection, table: Table) -> None:
        """Empty the temporary table."""
        connection.exec_driver_sql(f"DELETE FROM {table.name}")  # noqa: S608

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


def file_of(url: URL) -> Path:
    """Return the file that a URL names."""
    return Path(str(url.database)).absolute()


def backup(source: Path, target: Path) -> None:
    """Copy a database file while it is in use.

    Raises:
        OSError, sqlite3.Error: it could not be read or written.

    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    one, other = sqlite3.connect(source), sqlite3.connect(target)
    try:
        one.backup(other)
    finally:
        one.close()
        other.close()


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
