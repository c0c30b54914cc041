"""Statements compiled once and executed without SQLAlchemy's layers, several in one round trip to PostgreSQL."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.sql import ClauseElement

from storage.bulk import sqlite_text


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement as the driver takes it. `names` are its parameters in turn, where the driver counts them."""

    sql: str
    given: Mapping[str, Any]
    names: tuple[str, ...]

    def values(self, values: Mapping[str, Any]) -> Any:
        """Return its parameters, those that were given with it among them."""
        named = {**self.given, **values}
        return tuple(_for_sqlite(named[name]) for name in self.names) if self.names else named


def prepare(statement: Executable, dialect: Dialect) -> Prepared:
    """Write a statement for a driver."""
    assert isinstance(statement, ClauseElement), "a statement that SQLAlchemy has put together"
    made: Any = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    given = {name: value for name, value in (made.params or {}).items() if value is not None}
    return Prepared(str(made), given, tuple(getattr(made, "positiontup", None) or ()))


def execute_prepared(connection: Connection, statements: Sequence[Prepared], values: Mapping[str, Any]) -> list[Any]:
    """Carry out statements one after the other; return their cursors."""
    driver: Any = connection.connection.driver_connection
    is_server = connection.dialect.name == "postgresql"
    together = driver.pipeline() if is_server and len(statements) > 1 else nullcontext()
    options = {"prepare": True} if is_server else {}
    with together:
        cursors = [driver.cursor() for _ in statements]
        for cursor, statement in zip(cursors, statements, strict=True):
            cursor.execute(statement.sql, statement.values(values), **options)
    return cursors


def as_instant(stored: str | datetime) -> datetime:
    """Return an instant as the driver gives it: SQLite keeps texts."""
    return datetime.fromisoformat(f"{stored}+00:00") if isinstance(stored, str) else stored.astimezone(UTC)


def _for_sqlite(value: Any) -> Any:
    return sqlite_text(value) if isinstance(value, datetime) else value
