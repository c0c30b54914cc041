"""Timers moved by people, one or a whole selection, and deadlines recomputed when their year is announced (rule 3.10)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timedelta
from itertools import groupby

from sqlalchemy import Connection

from engine.rules import pinned_rules
from engine.unit_of_work import UnitOfWork
from storage import timers
from storage.database import Database, reading
from storage.timers import Due as Due
from storage.timers import Selection as Selection
from workflow.case.case import Detail, Timer
from workflow.errors import OrderError
from workflow.policy.policy import Rules
from workflow.timer_commands import act
from workflow.vocabulary import TimerStatus

BATCH = 500
"""Orders in one transaction."""


@dataclass(frozen=True, slots=True)
class TimerCommand:
    """What a person wants of timers: an action, and for those that are moved how far or to when."""

    action: str
    actor: str
    reason: str | None = None
    to: datetime | None = None
    by: timedelta | None = None

    def fields(self, timer: Timer) -> Mapping[str, Detail]:
        """Return what the step of a timer is told."""
        try:
            due_at = self.to or (timer.due_at + self.by if self.by is not None else None)
        except OverflowError:
            due_at = timer.due_at.replace(year=MAXYEAR)
        told: dict[str, Detail] = {"reason": self.reason} if self.reason else {}
        return told | {"due_at": due_at.isoformat()} if due_at else told


@dataclass(frozen=True, slots=True)
class TimerResult:
    """What became of one timer: when it is due now (None: it does not run any more), or why it was left alone."""

    order: str
    number: int
    trigger: str
    was_due: datetime
    due_at: datetime | None
    stands: str
    """How it stands: pending, paused, waits (for the end of a dispute), or ended."""
    refused: str | None = None


def apply_command(
    database: Database, wanted: Selection, command: TimerCommand, at: datetime, rules: Rules, *, dry_run: bool = False
) -> list[TimerResult]:
    """Do what a person wishes to every timer of a selection; with `dry_run` only say what would become of them.

    Each batch of orders is stored as one; a timer that the wish does not fit is left alone, and said so.
    """
    found = selected_timers(database, wanted)
    results: list[TimerResult] = []
    for batch in _batches(found):
        with database.read() if dry_run else database.write() as connection:
            results += _batch(connection, batch, command, at, lambda _: rules, dry_run=dry_run)
    return results


def selected_timers(source: Database | Connection, wanted: Selection) -> list[Due]:
    """Return the timers of a selection: order and number of each."""
    with reading(source) as connection:
        return timers.running(connection, wanted)


def settle_provisional(database: Database, at: datetime, rules: Rules) -> int:
    """Recompute the provisional deadlines whose years are announced by now, each under its own policy (rule 3.9)."""
    wanted = Selection(provisional=True, due_before=rules.calendar.announced_until(at))
    found = selected_timers(database, wanted)
    command, settled = TimerCommand("retime", "timer", "that year's working days have been announced"), 0
    for some in _batches(found):
        with database.write() as connection:
            settled += len(_batch(connection, some, command, at, _pinned(connection, rules), dry_run=False))
    return settled


def _pinned(connection: Connection, rules: Rules) -> Callable[[Timer], Rules]:
    """Return what gives each timer the numbers of its own policy, with the calendar as it is known today."""
    known: dict[int, Rules] = {}

    def of(timer: Timer) -> Rules:
        if timer.policy not in known:
            own = pinned_rules(connection, [timer.policy], rules).get(timer.policy, rules)
            known[timer.policy] = Rules(own.version, own.policy, rules.calendar)
        return known[timer.policy]

    return of


def _batches(found: Sequence[Due]) -> list[list[Due]]:
    by_order = [[*group] for _, group in groupby(found, key=lambda due: due[0])]
    return [[due for one in by_order[start : start + BATCH] for due in one] for start in range(0, len(by_order), BATCH)]


def _batch(
    connection: Connection,
    due: Sequence[Due],
    command: TimerCommand,
    at: datetime,
    rules_of: Callable[[Timer], Rules],
    *,
    dry_run: bool,
) -> list[TimerResult]:
    """Carry out a command on the timers of some orders, or preview it."""
    unit = UnitOfWork(connection, {order_id for order_id, _ in due}, at, lock=not dry_run)
    results = list[TimerResult]()
    for order_id, number in due:
        case = unit.case(order_id)
        timer = case.timer(number)
        if timer is None:
            continue  # it has fired or ended since it was looked up
        try:
            step = act(case, command.action, number, at, command.actor, rules_of(timer), command.fields(timer))
        except OrderError as error:
            results.append(_result(timer, timer, case.name, error.why))
            continue
        if step is not None:
            unit.record(order_id, step)
            results.append(_result(timer, step.case.timer(number), case.name))
    if not dry_run:
        unit.commit()
    return results


def _result(was: Timer, now: Timer | None, order: str, refused: str | None = None) -> TimerResult:
    if now is None:
        return TimerResult(order, was.number, was.trigger, was.due_at, None, "ended", refused)
    stands = "waits" if now.status == TimerStatus.paused and now.paused_at is None else now.status
    return TimerResult(order, was.number, was.trigger, was.due_at, now.due_at, stands, refused)
