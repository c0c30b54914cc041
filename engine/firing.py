"""Due timers fired in batches, in due order, each once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from engine.firing_grouped import Traces, fire_grouped
from engine.halves import in_halves
from engine.unit_of_work import UnitOfWork
from language import counted, tr
from storage import timers
from storage.database import Database, DatabaseFailed, repeated
from storage.timers import Due
from workflow.errors import describe_error
from workflow.policy.policy import Rules
from workflow.step import fire

BATCH = 5_000


@dataclass(slots=True)
class Fired:
    """What a round of firing did. `lateness_seconds` is how late the first of them was."""

    count: int = 0
    asked: int = 0
    """How many of them let a step wait for a person's decision (rule 5.9)."""
    lateness_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    leaves: bool = False
    """Whether something may be sent because of it."""
    next_wake: datetime | None = None
    """When the next timer is to be looked at."""

    def take(self, due: Sequence[datetime], at: datetime) -> None:
        """Count timers with these due instants that fired at `at`."""
        self.count += len(due)
        if due:
            self.lateness_seconds = max(self.lateness_seconds, (at - min(due)).total_seconds())

    def add(self, later: "Fired") -> None:
        """Add a round that came after."""
        self.count += later.count
        self.asked += later.asked
        self.lateness_seconds = max(self.lateness_seconds, later.lateness_seconds)
        self.failures += later.failures
        self.leaves |= later.leaves
        self.next_wake = later.next_wake


@repeated
def fire_due(
    database: Database, at: datetime, rules: Rules, limit: int = BATCH, *, traces: Traces | None = None, grouped: bool = True
) -> Fired:
    """Fire up to `limit` timers that are due at `at`, in one transaction (rules 3.8 and 5.1).

    A timer that cannot be fired is set back for a later try, and set aside after the last; the others go on.
    `traces` are kept by a caller that fires again. `grouped` is False to process each order on its own, with the same
    result.
    """
    try:
        with database.write() as connection:
            due = timers.due(connection, at, limit)
            fired = fire_timers(connection, due, at, rules, (traces or Traces()) if grouped else None)
            fired.next_wake = timers.next_wake(connection)
            return fired
    except DatabaseFailed:
        raise  # the whole database is locked or unreachable: no row is at fault
    except Exception as error:
        return _fire_around_failures(database, at, rules, limit, error)


def fire_timers(connection: Connection, due: Sequence[Due], at: datetime, rules: Rules, traces: Traces | None = None) -> Fired:
    """Fire timers within the caller's transaction: with `traces` in groups where possible, and the others in turn."""
    fired, others = Fired(), due
    if due and traces:
        in_groups, others, fired.leaves = fire_grouped(connection, due, at, rules, traces)
        fired.take(in_groups, at)
    return _fire_in_turn(connection, others, at, rules, fired) if others else fired


def _fire_in_turn(connection: Connection, due: Sequence[Due], at: datetime, rules: Rules, fired: Fired) -> Fired:
    """Fire timers one after the other, each on the case that the one before it left."""
    unit = UnitOfWork(connection, {order_id for order_id, _ in due}, at, for_timers=True)
    instants: list[datetime] = []
    for order_id, number in due:
        case = unit.case(order_id)
        timer = case.due_timer(number, at)
        if timer is None:
            continue  # an earlier timer of this batch ended, paused or moved it
        step = fire(case, timer, at, rules)
        unit.record(order_id, step, rules)
        fired.asked += step.waits
        instants.append(timer.due_at)
    fired.take(instants, at)
    fired.leaves |= unit.commit()
    return fired


def _fire_around_failures(database: Database, at: datetime, rules: Rules, limit: int, error: Exception) -> Fired:
    """Fire a batch that failed as a whole, without the timers that make it fail."""
    with database.read() as connection:
        due = timers.due(connection, at, limit, lock=False)
    fired = _fire_halves(database, due, at, rules)
    if not fired.failures:
        one_by_one = tr("{timers} could be fired only one by one", timers=counted(fired.count, "timer"))
        fired.failures.append(f"{one_by_one} ({describe_error(error)})")
    with database.read() as connection:
        fired.next_wake = timers.next_wake(connection)
    return fired


def _fire_halves(database: Database, due: Sequence[Due], at: datetime, rules: Rules) -> Fired:
    """Fire timers, each batch in a transaction of its own; the single timer that fails is set back."""
    fired = Fired()

    def fire_some(some: Sequence[Due]) -> None:
        with database.write() as connection:
            made = _fire_in_turn(connection, some, at, rules, Fired())
        fired.add(made)

    def set_back(timer: Due, error: Exception) -> None:
        fired.failures.append(_set_back(database, timer, at, error))

    in_halves(due, fire_some, set_back, concerns_all=lambda error: isinstance(error, DatabaseFailed))
    return fired


def _set_back(database: Database, timer: Due, at: datetime, error: Exception) -> str:
    order_id, number = timer
    why = describe_error(error)
    with database.write() as connection:
        set_aside = timers.set_back(connection, timer, at, why)
    outcome = tr("is set aside; its order needs a person") if set_aside else tr("will be tried again")
    return tr(
        "timer {number} of order row {order_id} could not be fired and {outcome} ({why})",
        number=number,
        order_id=order_id,
        outcome=outcome,
        why=why,
    )
