"""Owners: the processes that fire and send, each with a row that it renews while it lives."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update
from sqlmodel import col

from storage.tables import EffectRow, HeartbeatRow, HistoryTableRow, OrderRow, table_of

DAEMON = "run"
"""The work of an owner that stays until it is stopped; that of a single pass is `once`."""


def add(connection: Connection, owner: str, work: str, process: Mapping[str, Any], at: datetime) -> None:
    """Store an owner: its work, its process, and its first sign of life."""
    signs = {"started_at": at, "last_tick": at, "renewed_at": at, "lateness_seconds": 0.0, "backlog": 0}
    connection.execute(insert(HeartbeatRow).values(daemon=owner, work=work, **process, **signs))


def alive(connection: Connection) -> list[RowMapping]:
    """Return the owners that have not ended."""
    table = table_of(HeartbeatRow)
    return [*connection.execute(select(table).where(table.c.stopped_at.is_(None)).order_by(table.c.daemon)).mappings()]


def renew(connection: Connection, owner: str, at: datetime) -> bool:
    """Renew an owner's lease; return whether it still had one."""
    return _change(connection, owner, {"renewed_at": at})


def write(connection: Connection, owner: str, at: datetime, lateness_seconds: float, backlog: int) -> bool:
    """Write a daemon's heartbeat: its last tick, the worst lateness since the one before, and the timers still due.

    Returns whether its lease still ran, which is renewed.
    """
    values = {"last_tick": at, "renewed_at": at, "lateness_seconds": lateness_seconds, "backlog": backlog}
    return _change(connection, owner, values)


def note_settings(connection: Connection, owner: str, digest: str | None, refused: str | None) -> None:
    """Note the digest of the settings that a daemon works with, and why it has refused them as they are now."""
    told: dict[str, Any] = {"refused": refused} if digest is None else {"settings": digest, "refused": refused}
    _change(connection, owner, told)


def _change(connection: Connection, owner: str, values: Mapping[str, Any]) -> bool:
    mine = (col(HeartbeatRow.daemon) == owner) & col(HeartbeatRow.stopped_at).is_(None)
    return connection.execute(update(HeartbeatRow).where(mine).values(values)).rowcount == 1


def end(connection: Connection, owners: Iterable[str], at: datetime) -> None:
    """Record that owners have ended."""
    ended = col(HeartbeatRow.daemon).in_([*owners])
    connection.execute(update(HeartbeatRow).where(ended).values(stopped_at=at))


def delete_ended(connection: Connection, before: datetime) -> None:
    """Delete the rows of daemons that ended before an instant, and of every single pass that has ended."""
    table = table_of(HeartbeatRow)
    of_no_interest = (table.c.last_tick < before) | (table.c.work != DAEMON)
    connection.execute(delete(table).where(table.c.stopped_at.is_not(None), of_no_interest))


def last(connection: Connection) -> RowMapping | None:
    """Return the latest heartbeat of a daemon, or None if none ever ran."""
    table = table_of(HeartbeatRow)
    daemons = select(table).where(table.c.work == DAEMON).order_by(table.c.last_tick.desc())
    return connection.execute(daemons.limit(1)).mappings().first()


def last_recorded(connection: Connection) -> datetime | None:
    """Return the latest instant at which something is known to have been recorded: an owner's sign, an order, an effect.

    Of orders and effects the newest rows are looked at, so that no table is read whole.
    """
    h, newest_order = table_of(HistoryTableRow), select(func.max(col(OrderRow.id))).scalar_subquery()
    newest_effect = select(func.max(col(EffectRow.id))).scalar_subquery()
    asked = (
        select(func.max(col(HeartbeatRow.renewed_at))),
        select(func.max(h.c.recorded)).where(h.c.order_id == newest_order),
        select(col(EffectRow.caused_at)).where(col(EffectRow.id) == newest_effect),
    )
    found = [at for query in asked if (at := connection.execute(query).scalar()) is not None]
    return max(found, default=None)
