"""How late timers have fired."""

from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select

from storage import dialect
from storage.tables import DecisionRow, TimerRow, table_of


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late the timers of a clock fired, in seconds; those that a person fired early count as on time."""

    trigger: str
    fired: int
    mean_seconds: float
    most_seconds: float


def lateness(connection: Connection) -> list[Lateness]:
    """Return how late the timers of each clock have fired; those that waited for a person's decision do not count."""
    t, d = table_of(TimerRow), table_of(DecisionRow)
    decided = select(d.c.number).where(d.c.order_id == t.c.order_id, d.c.timer == t.c.number).correlate(t).exists()
    late = dialect.at(connection).seconds_between(t.c.due_at, t.c.fired_at)
    late = case((late < 0, 0), else_=late)
    query = select(t.c.trigger, func.count(), func.avg(late), func.max(late)).where(t.c.fired_at.is_not(None), ~decided)
    rows = connection.execute(query.group_by(t.c.trigger).order_by(t.c.trigger))
    return [Lateness(trigger, count, round(float(mean), 3), round(float(most), 3)) for trigger, count, mean, most in rows]
