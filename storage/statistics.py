"""How the shop and its suppliers do, in numbers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, or_, select

from storage import dialect
from storage.tables import AttemptRow, ClaimRow, DecisionRow, LedgerTableRow, OrderRow, TimerRow, table_of
from workflow.catalogue import Record
from workflow.names import folded
from workflow.vocabulary import LedgerSide

NO_NAME = "(no supplier named)"


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late the timers of a clock fired, in seconds; those that a person fired early count as on time."""

    trigger: str
    fired: int
    mean_seconds: float
    most_seconds: float


@dataclass(frozen=True, slots=True)
class Score:
    """What became of the attempts with a supplier. `days_to_ship` is the mean of those that shipped."""

    supplier: str
    attempts: int
    shipped: int
    urged: int
    left: int
    claims: int
    days_to_ship: float | None


def lateness(connection: Connection) -> list[Lateness]:
    """Return how late the timers of each clock have fired; those that waited for a person's decision do not count."""
    t, d = table_of(TimerRow), table_of(DecisionRow)
    decided = select(d.c.number).where(d.c.order_id == t.c.order_id, d.c.timer == t.c.number).correlate(t).exists()
    late = _seconds(connection, t.c.due_at, t.c.fired_at)
    late = case((late < 0, 0), else_=late)
    query = select(t.c.trigger, func.count(), func.avg(late), func.max(late)).where(t.c.fired_at.is_not(None), ~decided)
    rows = connection.execute(query.group_by(t.c.trigger).order_by(t.c.trigger))
    return [Lateness(trigger, count, round(float(mean), 3), round(float(most), 3)) for trigger, count, mean, most in rows]


def scores(connection: Connection) -> list[Score]:
    """Return the suppliers' scorecard, those with the most attempts first."""
    o, a, c = table_of(OrderRow), table_of(AttemptRow), table_of(ClaimRow)
    name = func.coalesce(a.c.supplier, NO_NAME)
    claimed = select(c.c.order_id, func.count().label("claims")).group_by(c.c.order_id).subquery()
    current = a.c.number == o.c.current
    shipped = _seconds(connection, a.c.placed_at, a.c.shipped_at) / 86_400
    columns: Any = (
        name,
        func.count(),
        func.count(a.c.shipped_at),
        func.count(a.c.urged_at),
        func.sum(case((a.c.number < o.c.current, 1), else_=0)),
        func.sum(case((current, func.coalesce(claimed.c.claims, 0)), else_=0)),
        func.avg(shipped),
    )
    query = select(*columns).join(o, o.c.id == a.c.order_id).outerjoin(claimed, claimed.c.order_id == o.c.id)
    rows = connection.execute(query.group_by(name).order_by(func.count().desc(), name))
    return [
        Score(supplier, n, s, u, int(left), int(claims), None if days is None else round(float(days), 1))
        for supplier, n, s, u, left, claims, days in rows
    ]


def records(connection: Connection, since: datetime, until: datetime) -> dict[str, Record]:
    """Return how suppliers had done by `until` with what they were given since `since`, by their folded names (rule 2.20).

    What was not due yet does not count, nor do historical orders, whose suppliers nobody urges. On time is what was shipped
    and never urged.
    """
    a, r, o = table_of(AttemptRow), table_of(LedgerTableRow), table_of(OrderRow)
    is_owed = (r.c.side == LedgerSide.recovery) & (r.c.requested_at < until)
    owed = select(r.c.order_id, r.c.attempt).where(is_owed, r.c.corrects.is_(None)).distinct().subquery()
    shipped, urged = a.c.shipped_at < until, a.c.urged_at < until
    on_time = case((shipped & or_(a.c.urged_at.is_(None), ~urged), 1), else_=0)
    query = select(a.c.supplier, func.count(), func.sum(on_time), func.count(owed.c.attempt))
    query = query.join(o, o.c.id == a.c.order_id)
    query = query.outerjoin(owed, (owed.c.order_id == a.c.order_id) & (owed.c.attempt == a.c.number))
    is_over = or_(shipped, urged, owed.c.attempt.is_not(None))
    query = query.where(~o.c.historical, a.c.supplier.is_not(None), a.c.placed_at >= since, a.c.placed_at < until, is_over)
    found: dict[str, Record] = {}
    for supplier, orders, punctual, recoveries in connection.execute(query.group_by(a.c.supplier)):
        was = found.get(folded(supplier), Record(0, 0, 0))
        found[folded(supplier)] = Record(was.orders + orders, was.on_time + int(punctual), was.recoveries + recoveries)
    return found


def _seconds(connection: Connection, begin: Any, end: Any) -> Any:
    """Return the seconds between two instants."""
    return dialect.at(connection).seconds_between(begin, end)
