"""What differs between the databases, behind one protocol; `sqlite.py` and `postgresql.py` carry it out.

No other module names a database; a few ask whether it is one that several daemons share.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Dialect, Engine, Insert, Select, Table
from sqlalchemy.engine import URL

from storage.postgresql import Postgresql
from storage.prepared import Prepared
from storage.row_sets import RowSet
from storage.sqlite import Sqlite


class StorageDialect(Protocol):
    """One kind of database. Each method's own docstring says what it does on that kind."""

    name: str
    is_shared: bool
    """Whether many processes write at once, and several daemons share the work."""
    instant_text: Callable[[datetime], str] | None
    """Writes an instant as the database stores it; None where the driver takes and gives instants as such, in UTC."""
    read_options: Mapping[str, Any]
    """Execution options of a connection that only reads."""
    erased_rows_stay: str | None
    """What is left of erased rows after `purge`, and what removes it; None where nothing is left."""
    steady_plans: tuple[str, ...]
    """Statements before a transaction that fires timers."""

    def engine(self, url: URL, *, scratch: bool, limits: Callable[[], Mapping[str, int]]) -> Engine:
        """Return an engine; `limits` gives `busy_timeout_ms` and `statement_seconds` as they are now."""

    def is_read_only_failure(self, error: Any) -> bool:
        """Say whether a write failed because the database only takes reads."""

    def exclusive(self, engine: Engine, file: Path | None, name: str, number: int) -> AbstractContextManager[None]:
        """Hold a lock among all processes, outside of any transaction."""

    def take_lock(self, connection: Connection, number: int) -> None:
        """Hold a lock until the transaction ends."""

    def take_locks(self, connection: Connection, kind: int, numbers: Sequence[int]) -> None:
        """Hold several locks of a kind until the transaction ends."""

    def notify(self, connection: Connection, channel: str) -> None:
        """Wake daemons when the transaction commits."""

    def damage_of(self, connection: Connection) -> str | None:
        """Return the first thing that is wrong with the database's files, or None."""

    def is_pooled(self, engine: Engine) -> bool:
        """Say whether connections share what belongs to one of them."""

    def purge(self, connection: Connection) -> str | None:
        """Rewrite the database without erased data; return what still holds some, or None."""

    def optimize(self, connection: Connection) -> None:
        """Refresh what the planner knows."""

    def among(self, column_of_ids: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
        """Return the condition that an integer column is in the list of a parameter."""

    def among_texts(self, column_of_texts: ColumnElement[Any], parameter: Any) -> ColumnElement[bool]:
        """Return the condition that a text column is in the JSON list of a parameter."""

    def list_value(self, ids: Iterable[int]) -> str:
        """Return integers as the value of a list parameter."""

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> Any:
        """Return pairs of texts that a row value can be `IN`, served by an index."""

    def insert_missing(self, table: Table) -> Insert:
        """Return an insert that passes over rows that are there already."""

    def upsert(self, table: Table, key: str) -> Insert:
        """Return an insert that replaces the row which has the same key."""

    def seconds_between(self, begin: Any, end: Any) -> Any:
        """Return the seconds from one instant to another."""

    def locked(self, query: Select[Any]) -> Select[Any]:
        """Return a query that locks its rows until the transaction ends."""

    def claimed(self, query: Select[Any], of: Any, on: Any) -> Select[Any]:
        """Return a query whose rows no other daemon gets meanwhile; `of` is the table whose rows are claimed."""

    def execute(self, connection: Connection, statements: Sequence[Prepared], values: Mapping[str, Any]) -> list[Any]:
        """Execute prepared statements one after the other; return their cursors."""

    def write(self, connection: Connection, sets: Sequence[RowSet]) -> list[int]:
        """Write sets of rows that belong to the same orders, in turn; return how many rows each has written."""

    def estimated_rows(self, connection: Connection, table: Table) -> int | None:
        """Return an estimate of a table's rows that costs nothing, or None."""

    def bytes_used(self, connection: Connection) -> int:
        """Return the size of the database."""

    def advance_sequences(self, connection: Connection, tables: Iterable[Table]) -> None:
        """Let ids go on after those that were inserted."""


DIALECTS: Mapping[str, StorageDialect] = {one.name: one for one in (Sqlite(), Postgresql())}


@lru_cache
def dialect_of(dialect: Dialect) -> StorageDialect:
    """Return what is particular to the database of a SQLAlchemy dialect."""
    return DIALECTS[dialect.name]


def at(connection: Connection) -> StorageDialect:
    """Return what is particular to the database of a connection."""
    return dialect_of(connection.dialect)
