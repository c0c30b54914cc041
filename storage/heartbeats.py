"""Signs of life of daemons."""

from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, insert, select, update
from sqlmodel import col

from storage.tables import HeartbeatRow, table_of


def beat(connection: Connection, daemon: str, at: datetime, lateness_seconds: float, backlog: int) -> None:
    """Write a daemon's sign of life: its last tick, how late that was, and what is still due."""
    values = {"last_tick": at, "lateness_seconds": lateness_seconds, "backlog": backlog, "stopped_at": None}
    changed = connection.execute(update(HeartbeatRow).where(col(HeartbeatRow.daemon) == daemon).values(values))
    if changed.rowcount == 0:
        connection.execute(insert(HeartbeatRow).values(daemon=daemon, started_at=at, **values))


def stop(connection: Connection, daemon: str, at: datetime) -> None:
    """Note that a daemon ended as it should."""
    connection.execute(update(HeartbeatRow).where(col(HeartbeatRow.daemon) == daemon).values(stopped_at=at))


def forget(connection: Connection, before: datetime) -> None:
    """Remove the signs of daemons that have not been heard of since `before`."""
    connection.execute(delete(HeartbeatRow).where(col(HeartbeatRow.last_tick) < before))


def last(connection: Connection) -> RowMapping | None:
    """Return the latest sign of life, or None where no daemon ever ran."""
    table = table_of(HeartbeatRow)
    return connection.execute(select(table).order_by(table.c.last_tick.desc()).limit(1)).mappings().first()
