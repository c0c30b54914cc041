"""Due timers: finding them in due order, and setting aside those that cannot be fired."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import Connection, Dialect, bindparam, func, select, text, update

from storage import dialect
from storage.attention import raise_flags
from storage.prepared import Prepared, as_instant, prepare
from storage.tables import AttemptRow, LedgerTableRow, OrderRow, TimerRow, table_of
from workflow.vocabulary import TimerStatus

TRIES = 5
"""Failed tries after which a timer is set aside and its order needs a person (rule 5.6)."""

_PENDING = text("timers.status = 'pending'")
"""Literal, as in the partial index: with a parameter a prepared statement may not use that index."""
Due = tuple[int, int]
"""Order and number of a timer."""


def due(connection: Connection, at: datetime, limit: int, *, lock: bool = True) -> list[Due]:
    """Return the timers due at `at` in due order; with `lock`, concurrent daemons get different ones on PostgreSQL."""
    first = [Prepared(one, {}, ()) for one in dialect.at(connection).steady_plans]
    *_, cursor = dialect.at(connection).execute(connection, [*first, _due(connection.dialect, lock)], {"at": at, "most": limit})
    return [(order_id, number) for order_id, number in cursor.fetchall()]


@lru_cache
def _due(written_for: Dialect, lock: bool) -> Prepared:
    t, o = table_of(TimerRow), table_of(OrderRow)
    query = select(t.c.order_id, t.c.number).where(_PENDING, t.c.wake_at <= bindparam("at", None))
    query = query.order_by(t.c.wake_at, t.c.order_id, t.c.number).limit(bindparam("most", None))
    if lock:
        query = dialect.dialect_of(written_for).claimed(query, o, o.c.id == t.c.order_id)
    return prepare(query, written_for)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which running timers are meant; what is None or empty does not matter."""

    order_ids: tuple[int, ...] = ()
    timers: tuple[Due, ...] = ()
    triggers: tuple[str, ...] = ()
    status: str | None = None
    shops: tuple[str, ...] = ()
    suppliers: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    due_before: datetime | None = None
    due_after: datetime | None = None
    provisional: bool = False

    @property
    def everything(self) -> bool:
        """Whether nothing narrows it down."""
        return self == Selection()


def running(connection: Connection, wanted: Selection) -> list[Due]:
    """Return the timers of a selection that run, are paused or wait for a decision, by order.

    The supplier of a recovery's chase is the one that was left, of every other timer the current one.
    """
    o, t, a, ledger = table_of(OrderRow), table_of(TimerRow), table_of(AttemptRow), table_of(LedgerTableRow)
    query = select(t.c.order_id, t.c.number).join(o, o.c.id == t.c.order_id)
    query = query.outerjoin(ledger, (ledger.c.order_id == o.c.id) & (ledger.c.number == t.c.ledger))
    query = query.join(a, (a.c.order_id == o.c.id) & (a.c.number == func.coalesce(ledger.c.attempt, o.c.current)))
    query = query.where(
        t.c.status == wanted.status
        if wanted.status
        else t.c.status.in_((TimerStatus.pending, TimerStatus.paused, TimerStatus.waiting))
    )
    query = query.where(t.c.order_id.in_(wanted.order_ids)) if wanted.order_ids else query
    among = {t.c.trigger: wanted.triggers, o.c.shop: wanted.shops, a.c.supplier: wanted.suppliers, o.c.route: wanted.routes}
    for column, values in among.items():
        query = query.where(func.lower(column).in_([value.lower() for value in values])) if values else query
    if wanted.due_before is not None:
        query = query.where(t.c.due_at < wanted.due_before)
    if wanted.due_after is not None:
        query = query.where(t.c.due_at >= wanted.due_after)
    if wanted.provisional:
        query = query.where(text("timers.provisional"))  # as its index has it
    if wanted.timers:
        query = query.where(t.c.order_id.in_({order_id for order_id, _ in wanted.timers}))
    found = connection.execute(query.order_by(t.c.order_id, t.c.number))
    named = set(wanted.timers)
    return [(order_id, number) for order_id, number in found if not named or (order_id, number) in named]


def retry(connection: Connection, wanted: Sequence[Due]) -> list[Due]:
    """Let timers that were set aside, and still are, be tried again; return which."""
    t = table_of(TimerRow)
    values = {"status": TimerStatus.pending, "tries": 0, "error": None, "wake_at": t.c.due_at}
    changed: list[Due] = []
    for order_id, number in wanted:
        this = (t.c.order_id == order_id) & (t.c.number == number) & (t.c.status == TimerStatus.failed)
        retried = connection.execute(update(t).where(this).values(values).returning(t.c.order_id, t.c.number))
        changed += [(key, timer) for key, timer in retried]
    return changed


def next_wake(connection: Connection) -> datetime | None:
    """Return when the next pending timer is to be looked at."""
    (cursor,) = dialect.at(connection).execute(connection, [_next_wake(connection.dialect)], {})
    ((wake,),) = cursor.fetchall()
    return None if wake is None else as_instant(wake)


@lru_cache
def _next_wake(written_for: Dialect) -> Prepared:
    return prepare(select(func.min(table_of(TimerRow).c.wake_at)).where(_PENDING), written_for)


def backlog(connection: Connection, at: datetime) -> int:
    """Count the timers that are due and have not fired."""
    t = table_of(TimerRow)
    query = select(func.count()).where(t.c.status == TimerStatus.pending, t.c.wake_at <= at)
    return connection.execute(query).scalar() or 0


def set_back(connection: Connection, timer: Due, at: datetime, error: str) -> bool:
    """Note a failed try; the next one is later and later, and after the last the timer is set aside.

    Returns whether it was set aside.
    """
    order_id, number = timer
    t = table_of(TimerRow)
    this = (t.c.order_id == order_id) & (t.c.number == number)
    tries = (connection.execute(select(t.c.tries).where(this)).scalar() or 0) + 1
    failed = tries >= TRIES
    values = {
        "tries": tries,
        "error": error[:500],
        "wake_at": at + timedelta(seconds=2**tries),
        "status": TimerStatus.failed if failed else TimerStatus.pending,
    }
    changed = connection.execute(update(t).where(this, t.c.status == TimerStatus.pending).values(values))
    if changed.rowcount == 0:
        return False  # it has been ended or paused meanwhile
    if failed:
        raise_flags(connection, [(order_id, "timer_failed", at, error[:500])])
    return failed
