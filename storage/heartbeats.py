"""Heartbeats of daemons."""

from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, insert, select, update
from sqlmodel import col

from storage.tables import HeartbeatRow, table_of


def write(connection: Connection, daemon: str, at: datetime, lateness_seconds: float, backlog: int) -> None:
    """Write a daemon's heartbeat: its last tick, the worst lateness since the one before, and the timers still due."""
    values = {"last_tick": at, "lateness_seconds": lateness_seconds, "backlog": backlog, "stopped_at": None}
    changed = connection.execute(update(HeartbeatRow).where(col(HeartbeatRow.daemon) == daemon).values(values))
    if changed.rowcount == 0:
        connection.execute(insert(HeartbeatRow).values(daemon=daemon, started_at=at, **values))


def stop(connection: Connection, daemon: str, at: datetime) -> None:
    """Record that a daemon stopped as asked."""
    connection.execute(update(HeartbeatRow).where(col(HeartbeatRow.daemon) == daemon).values(stopped_at=at))


def delete_before(connection: Connection, before: datetime) -> None:
    """Delete heartbeats older than `before`."""
    connection.execute(delete(HeartbeatRow).where(col(HeartbeatRow.last_tick) < before))


def last(connection: Connection) -> RowMapping | None:
    """Return the latest heartbeat, or None if no daemon ever ran."""
    table = table_of(HeartbeatRow)
    return connection.execute(select(table).order_by(table.c.last_tick.desc()).limit(1)).mappings().first()
