"""How large a database has become."""

from sqlalchemy import Connection, func, select
from sqlmodel import SQLModel

from storage import dialect
from storage.tables import (
    AttemptRow,
    ClaimRow,
    DecisionRow,
    EffectRow,
    EvidenceRow,
    HistoryTableRow,
    LedgerTableRow,
    MessageRow,
    OrderRow,
    ParcelRow,
    ReportRow,
    TimerRow,
    table_of,
)

_COUNTED: tuple[type[SQLModel], ...] = (
    OrderRow,
    AttemptRow,
    ParcelRow,
    TimerRow,
    HistoryTableRow,
    ReportRow,
    LedgerTableRow,
    ClaimRow,
    DecisionRow,
    EvidenceRow,
    EffectRow,
    MessageRow,
)


def rows(connection: Connection) -> dict[str, int]:
    """Return how many rows the tables have; PostgreSQL's own estimate, which costs nothing."""
    return {str(model.__tablename__): _rows(connection, model) for model in _COUNTED}


def _rows(connection: Connection, model: type[SQLModel]) -> int:
    table = table_of(model)
    estimate = dialect.at(connection).estimated_rows(connection, table)
    if estimate is not None:
        return estimate
    return int(connection.execute(select(func.count()).select_from(table)).scalar() or 0)


def bytes_used(connection: Connection) -> int:
    """Return how much room the database takes up, indexes included."""
    return dialect.at(connection).bytes_used(connection)
