"""Statements compiled once and executed by the driver without SQLAlchemy's layers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Executable
from sqlalchemy.sql import ClauseElement


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement as the driver takes it. `names` are its parameters in turn, where the driver counts them."""

    sql: str
    given: Mapping[str, Any]
    names: tuple[str, ...]


def prepare(statement: Executable, written_for: Dialect) -> Prepared:
    """Write a statement for a driver."""
    assert isinstance(statement, ClauseElement), "a statement that SQLAlchemy has put together"
    made: Any = statement.compile(dialect=written_for, compile_kwargs={"render_postcompile": True})
    given = {name: value for name, value in (made.params or {}).items() if value is not None}
    return Prepared(str(made), given, tuple(getattr(made, "positiontup", None) or ()))


@lru_cache(maxsize=10_000)
def as_texts(stored: str) -> tuple[str, ...]:
    """Return a JSON list of texts."""
    return tuple(json.loads(stored))


def as_instant(stored: str | datetime) -> datetime:
    """Return an instant as the driver gives it: SQLite keeps texts."""
    return datetime.fromisoformat(f"{stored}+00:00") if isinstance(stored, str) else stored.astimezone(UTC)
