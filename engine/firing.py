"""Due timers fired in batches, in due order, each once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from engine.firing_grouped import fire_grouped
from engine.reporting import modes_of
from storage import cases, chains, timers
from storage.case_changes import CaseChange
from storage.cases import Stored
from storage.database import Database, DatabaseFailed
from storage.timers import Due
from workflow.case.case import Case
from workflow.plurals import counted
from workflow.policy.policy import Rules
from workflow.step import Step, fire

BATCH = 5_000


@dataclass(slots=True)
class Fired:
    """What a round of firing did. `lateness_seconds` is how late the first of them was."""

    count: int = 0
    lateness_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    leaves: bool = False
    """Whether something may be sent because of it."""
    next_wake: datetime | None = None
    """When the next timer is to be looked at."""

    def take(self, due_at: datetime, at: datetime) -> None:
        """Count a timer that fired at `at`."""
        self.count += 1
        self.lateness_seconds = max(self.lateness_seconds, (at - due_at).total_seconds())

    def add(self, later: "Fired") -> None:
        """Add a round that came after."""
        self.count += later.count
        self.lateness_seconds = max(self.lateness_seconds, later.lateness_seconds)
        self.failures += later.failures
        self.leaves |= later.leaves
        self.next_wake = later.next_wake


def fire_due(database: Database, at: datetime, rules: Rules, limit: int = BATCH) -> Fired:
    """Fire up to `limit` timers that are due at `at`, in one transaction (rules 3.8 and 5.1).

    A row that cannot be fired is set back for a later try, and set aside after the last; the others go on.
    """
    try:
        with database.write() as connection:
            fired = _fire(connection, timers.due(connection, at, limit), at, rules)
            fired.next_wake = timers.next_wake(connection)
            return fired
    except DatabaseFailed:
        raise  # the whole database is locked or unreachable: no row is at fault
    except Exception as error:
        alone = _fire_one_by_one(database, at, rules, limit)
        if not alone.failures:
            alone.failures.append(
                f"{counted(alone.count, 'timer')} could be fired only one by one ({type(error).__name__}: {error})"
            )
        return alone


def _fire(connection: Connection, due: Sequence[Due], at: datetime, rules: Rules, *, by_themselves: bool = False) -> Fired:
    """Fire in groups where possible and the others in turn; or all of them in turn."""
    fired = Fired()
    others = due
    if due and not by_themselves:
        together, others, fired.leaves = fire_grouped(connection, due, at, rules)
        for due_at in together:
            fired.take(due_at, at)
    return _fire_in_turn(connection, others, at, rules, fired) if others else fired


def _fire_in_turn(connection: Connection, others: Sequence[Due], at: datetime, rules: Rules, fired: Fired) -> Fired:
    """Fire timers one after the other, on what the one before has left."""
    stored = cases.load(connection, {order_id for order_id, _ in others}, for_timers=True)
    now: dict[int, Case] = {order_id: one.case for order_id, one in stored.items()}
    families = chains.load(connection, now.values())
    steps: dict[int, list[Step]] = defaultdict(list)
    for order_id, number in others:
        case = now[order_id]
        timer = case.due_timer(number, at)
        if timer is None:
            continue  # an earlier timer of this batch ended, paused or moved it
        family = chains.of(case, families)
        made = fire(family.within(case) if family else case, timer, at, rules)
        now[order_id] = made.case
        if family:
            family.take(made.case)
        steps[order_id].append(made)
        fired.take(timer.due_at, at)
    changes = [_change(stored[key], now[key], made, at) for key, made in steps.items()]
    fired.leaves |= cases.store(connection, changes, modes_of(rules))
    return fired


def _change(stored: Stored, after: Case, steps: Sequence[Step], at: datetime) -> CaseChange:
    return CaseChange(after, steps, (), at, stored.order_id, stored.case, observed=stored.observed)


def _fire_one_by_one(database: Database, at: datetime, rules: Rules, limit: int) -> Fired:
    """Fire the timers one by one, and set back those that fail."""
    with database.read() as connection:
        due = timers.due(connection, at, limit)
    fired = Fired()
    for one in due:
        try:
            with database.write() as connection:
                alone = _fire(connection, [one], at, rules, by_themselves=True)
        except DatabaseFailed:
            raise
        except Exception as error:
            fired.failures.append(_set_back(database, one, at, error))
        else:
            fired.add(alone)
    with database.read() as connection:
        fired.next_wake = timers.next_wake(connection)
    return fired


def _set_back(database: Database, timer: Due, at: datetime, error: Exception) -> str:
    order_id, number = timer
    why = f"{type(error).__name__}: {error}"
    with database.write() as connection:
        aside = timers.set_back(connection, timer, at, why)
    outcome = "is set aside; its order needs a person" if aside else "will be tried again"
    return f"timer {number} of order row {order_id} could not be fired and {outcome} ({why})"
