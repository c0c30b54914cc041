"""What needs a person today, and which deadlines come: each read by an index of what is open, and no further than shown."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, literal_column, select

from storage.tables import (
    AttentionRow,
    ClaimRow,
    EffectRow,
    MemberRow,
    MessageRow,
    OrderRow,
    ReportRow,
    TimerRow,
    table_of,
)
from workflow.vocabulary import EffectStatus, Verdict

Shops = Sequence[str]
"""Names without regard to case; empty: all."""


def claims_that_end(connection: Connection, before: datetime, shops: Shops, limit: int) -> list[RowMapping]:
    """Return the open claims whose time for a remedy ends before an instant, the first to end first."""
    c, t, o = table_of(ClaimRow), table_of(TimerRow), table_of(OrderRow)
    ends = (t.c.order_id == c.c.order_id) & (t.c.claim == c.c.number) & (t.c.trigger == "lapse_window")
    query = select(c.c.order_id, c.c.number, c.c.chosen, t.c.due_at.label("until"))
    query = query.select_from(c).join(t, ends & (t.c.status == literal_column("'pending'")))
    query = query.where(c.c.status == literal_column("'open'"), t.c.due_at < before)
    return _first(connection, _of(query, o, c.c.order_id, shops).order_by(t.c.due_at, c.c.order_id), limit)


def stuck_effects(connection: Connection, shops: Shops, limit: int) -> list[RowMapping]:
    """Return the effects that could not be delivered, or may not have been, oldest first."""
    e, o = table_of(EffectRow), table_of(OrderRow)
    query = select(e.c.id, e.c.order_id, e.c.kind, e.c.supplier, e.c.status, e.c.error, e.c.caused_at)
    query = query.where(e.c.status.in_((EffectStatus.dead, EffectStatus.parked)))
    return _first(connection, _of(query, o, e.c.order_id, shops).order_by(e.c.id), limit)


def failing_messages(connection: Connection, shops: Shops, limit: int) -> list[RowMapping]:
    """Return the messages that could not be sent so far and are tried again, with an order that each tells of."""
    m, member, e, o = table_of(MessageRow), table_of(MemberRow), table_of(EffectRow), table_of(OrderRow)
    one = select(func.min(member.c.effect_id)).where(member.c.message_id == m.c.id).scalar_subquery()
    query = select(m.c.id, m.c.kind, m.c.recipient, m.c.error, m.c.next_try_at, e.c.id.label("effect_id"), e.c.order_id)
    query = query.select_from(m).join(e, e.c.id == one)
    query = query.where(m.c.status == literal_column("'waiting'"), m.c.error.is_not(None))
    return _first(connection, _of(query, o, e.c.order_id, shops).order_by(m.c.next_try_at, m.c.id), limit)


def flags(connection: Connection, without: Sequence[str], shops: Shops, limit: int) -> list[RowMapping]:
    """Return the flags that stand, but for some, oldest first."""
    n, o = table_of(AttentionRow), table_of(OrderRow)
    query = select(n.c.order_id, n.c.flag, n.c.detail, n.c.raised_at)
    query = query.where(n.c.resolved_at.is_(None), n.c.flag.not_in(without))
    return _first(connection, _of(query, o, n.c.order_id, shops).order_by(n.c.raised_at, n.c.id), limit)


def exceptions(connection: Connection, shops: Shops, limit: int) -> list[RowMapping]:
    """Return the reports that did not fit their orders and are open, oldest first."""
    r, o = table_of(ReportRow), table_of(OrderRow)
    query = select(r.c.id, r.c.order_id, r.c.trigger, r.c.reason, r.c.received)
    query = query.where(r.c.verdict == Verdict.exception, r.c.resolved_at.is_(None))
    return _first(connection, _of(query, o, r.c.order_id, shops).order_by(r.c.id), limit)


def count_deadlines(connection: Connection, begin: datetime | None, end: datetime, shops: Shops) -> dict[str, int]:
    """Count the running timers that are due before an instant, and not before another one, by their triggers."""
    t, o = table_of(TimerRow), table_of(OrderRow)
    query = select(t.c.trigger, func.count()).where(t.c.status == literal_column("'pending'"), t.c.wake_at < end)
    query = query if begin is None else query.where(t.c.wake_at >= begin)
    if shops:
        query = query.join(o, o.c.id == t.c.order_id).where(func.lower(o.c.shop).in_([one.lower() for one in shops]))
    return {row[0]: row[1] for row in connection.execute(query.group_by(t.c.trigger))}


def count_held(connection: Connection) -> int:
    """Count the effects that are held until a person goes live; a thousand of them are many."""
    e = table_of(EffectRow)
    held = select(e.c.id).where(e.c.status == EffectStatus.held).limit(1_000).subquery()
    return int(connection.execute(select(func.count()).select_from(held)).scalar_one())


def count_provisional(connection: Connection) -> int:
    """Count the running timers whose year's working days are not announced yet."""
    t = table_of(TimerRow)
    query = select(func.count()).where(t.c.provisional, t.c.status == literal_column("'pending'"))
    return int(connection.execute(query).scalar() or 0)


def merchants(connection: Connection) -> list[tuple[str, str | None, str]]:
    """Return each shop with the merchant's address and language, as its newest order has them."""
    o = table_of(OrderRow)
    newest = select(func.max(o.c.id)).group_by(o.c.shop)
    rows = connection.execute(select(o.c.shop, o.c.merchant_email, o.c.language).where(o.c.id.in_(newest)).order_by(o.c.shop))
    return [(shop, address, spoken) for shop, address, spoken in rows]


def _of(query: Select[Any], o: Any, order_id: Any, shops: Shops) -> Select[Any]:
    """Add the name and currency of each row's order, and keep those of some shops."""
    query = query.add_columns((o.c.shop + "/" + o.c.number).label("order"), o.c.currency).join(o, o.c.id == order_id)
    return query.where(func.lower(o.c.shop).in_([one.lower() for one in shops])) if shops else query


def _first(connection: Connection, query: Select[Any], limit: int) -> list[RowMapping]:
    return [*connection.execute(query.limit(limit)).mappings()]
