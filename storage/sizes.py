"""How large a database has become."""

from sqlalchemy import Connection, func, select, text
from sqlmodel import SQLModel

from storage.tables import (
    AttemptRow,
    ClaimRow,
    EffectRow,
    EvidenceRow,
    HistoryTableRow,
    LedgerTableRow,
    MessageRow,
    OrderRow,
    ReportRow,
    TimerRow,
    table_of,
)

_COUNTED: tuple[type[SQLModel], ...] = (
    OrderRow,
    AttemptRow,
    TimerRow,
    HistoryTableRow,
    ReportRow,
    LedgerTableRow,
    ClaimRow,
    EvidenceRow,
    EffectRow,
    MessageRow,
)


def rows(connection: Connection) -> dict[str, int]:
    """Return how many rows the tables have; PostgreSQL's own estimate, which costs nothing."""
    return {str(model.__tablename__): _rows(connection, model) for model in _COUNTED}


def _rows(connection: Connection, model: type[SQLModel]) -> int:
    table = table_of(model)
    if connection.dialect.name == "postgresql":
        estimate = text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)")
        found = int(connection.execute(estimate, {"name": table.name}).scalar() or -1)
        if found >= 0:
            return found
    return int(connection.execute(select(func.count()).select_from(table)).scalar() or 0)


def bytes_used(connection: Connection) -> int:
    """Return how much room the database takes up, indexes included."""
    if connection.dialect.name == "postgresql":
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar() or 0)
    pages, size = (connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0 for name in ("page_count", "page_size"))
    return int(pages) * int(size)
