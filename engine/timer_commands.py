"""Timers moved by people, one or a whole selection, and deadlines recomputed when their year is announced (rule 3.10)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import MAXYEAR, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from engine import operations
from engine.operations import Operation
from engine.rules import pinned_rules
from engine.unit_of_work import UnitOfWork
from language import counted, tr
from storage import operations as stored
from storage import timers
from storage.database import Database, DatabaseFailed, reading, repeated
from storage.timers import Due as Due
from storage.timers import Selection as Selection
from workflow.case.case import Case, Detail, Timer
from workflow.errors import AftersalesError, OrderError
from workflow.policy.policy import Rules
from workflow.process import STOPPED_BY_CLOSURES
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
    closures: int | None = None
    """The policy whose closures timers are retimed for, by its version."""

    def fields(self, timer: Timer) -> Mapping[str, Detail]:
        """Return what the step of a timer is told."""
        try:
            due_at = self.to or (timer.due_at + self.by if self.by is not None else None)
        except OverflowError:
            due_at = timer.due_at.replace(year=MAXYEAR)
        told: dict[str, Detail] = {"reason": self.reason} if self.reason else {}
        told |= {"closures": self.closures} if self.closures is not None else {}
        return told | {"due_at": due_at.isoformat()} if due_at else told

    def described(self, wanted: Selection) -> str:
        """Say what is done to which timers, without the instants, which a repeat of the same words may have moved."""
        chosen = {name: value for name, value in asdict(wanted).items() if value}
        narrowed = ", ".join(name if isinstance(value, datetime) else f"{name} {value}" for name, value in chosen.items())
        by = tr(" by {by}", by=self.by) if self.by is not None else ""
        return f"timers {self.action}{by}: {narrowed or 'all'}"

    def as_kept(self) -> dict[str, Any]:
        """Return the command as an operation keeps it."""
        to, by = self.to.isoformat() if self.to else None, self.by.total_seconds() if self.by is not None else None
        return {"action": self.action, "actor": self.actor, "reason": self.reason, "to": to, "by": by}

    @classmethod
    def kept(cls, values: Mapping[str, Any]) -> "TimerCommand":
        """Return the command that an operation keeps."""
        to, by = values["to"], values["by"]
        return cls(
            values["action"],
            values["actor"],
            values["reason"],
            datetime.fromisoformat(to) if to else None,
            timedelta(seconds=by) if by is not None else None,
        )


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
    version: int = 0
    """How many steps its order had taken before."""


class CommandInterrupted(AftersalesError):
    """A command on many timers stopped between two batches; the message says how far it came, and what goes on with it."""


def apply_command(
    database: Database,
    wanted: Selection,
    command: TimerCommand,
    at: datetime,
    rules: Rules,
    *,
    dry_run: bool = False,
    operation_id: str | None = None,
) -> list[TimerResult]:
    """Do what a person wishes to every timer of a selection; with `dry_run` only say what would become of them.

    Each batch of orders is stored as one; a timer that the wish does not fit is left alone, and said so. More than one
    batch is an operation: interrupted, house-keeping goes on with it. A repeat under the same `operation_id` goes on
    where the one before stopped, and does nothing twice.

    Raises:
        CommandInterrupted: the database could not be used any more after some of the batches.

    """
    found = selected_timers(database, wanted)
    plan = {"what": command.described(wanted), "timers": found, "command": command.as_kept()}
    if dry_run:
        with database.read() as connection:
            known = operations.named(connection, operation_id, operations.TIMERS, plan) if operation_id else None
            batches = _batches(_left_of(known) if known else found)
            return [one for some in batches for one in _batch(connection, some, command, at, lambda _: rules, dry_run=True)]
    batches = _batches(found)
    if len(batches) <= 1 and operation_id is None:
        return [one for some in batches for one in _stored_batch(database, some, command, at, _always(rules))]
    with database.write() as connection:
        operation = operations.begin(connection, operations.TIMERS, command.actor, at, plan, operation_id)
    return resume(database, operation, at, rules)


@repeated
def apply_as_shown(
    database: Database,
    wanted: Selection,
    command: TimerCommand,
    at: datetime,
    rules: Rules,
    agree: Callable[[Sequence[TimerResult]], None],
) -> list[TimerResult]:
    """Do what a person wishes to every timer of a selection, all of it in one transaction.

    `agree` is given what comes of it, before it is stored.

    Raises:
        UsageError: `agree` has raised it; nothing was stored.

    """
    with database.write() as connection:
        done = list[TimerResult]()
        for some in _batches(selected_timers(connection, wanted)):
            done += _batch(connection, some, command, at, lambda _: rules, dry_run=False)
        agree(done)
    return done


def _left_of(operation: Operation) -> list[Due]:
    """Return the timers that an operation has not come to yet."""
    planned = operation.plan.get("timers", ())
    return [(order_id, number) for order_id, number in planned[operation.done :]]


def resume(database: Database, operation: Operation, at: datetime, rules: Rules) -> list[TimerResult]:
    """Carry out what is left of a command on many timers.

    Raises:
        CommandInterrupted: the database could not be used any more.

    """
    if operation.ended_at:
        return []
    command = TimerCommand.kept(operation.plan["command"])
    left, total = _left_of(operation), len(operation.plan["timers"])
    results = list[TimerResult]()
    try:
        for batch in _batches(left):
            results += _stored_batch(database, batch, command, at, _always(rules), operation)
            operation = replace(operation, done=operation.done + len(batch))
        with database.write() as connection:
            stored.end(connection, operation, at)
    except DatabaseFailed as error:
        how_far = tr("{done:,} of {timers} were done before that", done=operation.done, timers=counted(total, "timer"))
        raise CommandInterrupted(
            tr(
                "{error}. {how_far}; the daemon goes on with the others, or the same command with --operation {id}",
                error=error,
                how_far=how_far,
                id=operation.id,
            )
        ) from error
    return results


RulesOf = Callable[[Timer], Rules]


def _always(rules: Rules) -> Callable[[Connection], RulesOf]:
    """Return what gives every timer the same rules."""
    return lambda _: lambda _: rules


@repeated
def _stored_batch(
    database: Database,
    batch: Sequence[Due],
    command: TimerCommand,
    at: datetime,
    rules_of: Callable[[Connection], RulesOf],
    operation: Operation | None = None,
) -> list[TimerResult]:
    """Carry out a command on the timers of some orders, and record how far its operation has come.

    Raises:
        OperationTaken: another process carries the operation out; nothing was stored.

    """
    with database.write() as connection:
        if operation:
            operations.advance(connection, operation, operation.done + len(batch))
        return _batch(connection, batch, command, at, rules_of(connection), dry_run=False)


def selected_timers(source: Database | Connection, wanted: Selection) -> list[Due]:
    """Return the timers of a selection: order and number of each."""
    with reading(source) as connection:
        return timers.running(connection, wanted)


def settle_provisional(database: Database, at: datetime, rules: Rules) -> int:
    """Recompute the provisional deadlines whose years are announced by now, each under its own policy (rule 3.9)."""
    wanted = Selection(provisional=True, due_before=rules.calendar.announced_until(at))
    found = selected_timers(database, wanted)
    command = TimerCommand("retime", "timer", "that year's working days have been announced")
    batches = _batches(found)
    return sum(len(_stored_batch(database, some, command, at, lambda one: _pinned(one, rules))) for some in batches)


def settle_closures(database: Database, at: datetime, rules: Rules) -> int:
    """Recompute the running timers on which closures count, each under its own policy, once after closures have changed.

    Which closures were last settled is kept as an operation under their digest (rule 3.11).
    """
    kept = f"closures-{rules.closures.digest}"
    with database.read() as connection:
        newest = stored.newest(connection, operations.CLOSURES)
    if newest == kept or (newest is None and not rules.closures):
        return 0
    found = selected_timers(database, Selection(triggers=STOPPED_BY_CLOSURES))
    command = TimerCommand("retime", "timer", "the days on which suppliers are closed have changed", closures=rules.version)
    moved = sum(len(_stored_batch(database, some, command, at, lambda one: _closed(one, rules))) for some in _batches(found))
    with database.write() as connection:
        stored.end(connection, operations.begin(connection, operations.CLOSURES, "timer", at, {}, kept), at)
    return moved


def _closed(connection: Connection, rules: Rules) -> RulesOf:
    """Return what gives each timer the numbers of its own policy, with the closures as they are known today."""
    of = _pinned(connection, rules)
    return lambda timer: of(timer).with_closures(rules.policy)


def _pinned(connection: Connection, rules: Rules) -> RulesOf:
    """Return what gives each timer the numbers of its own policy, with the calendar as it is known today."""
    known: dict[int, Rules] = {}

    def of(timer: Timer) -> Rules:
        if timer.policy not in known:
            own = pinned_rules(connection, [timer.policy], rules).get(timer.policy, rules)
            known[timer.policy] = Rules(own.version, own.policy, rules.calendar, chooser=rules.chooser)
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
    rules_of: RulesOf,
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
        rules = rules_of(timer)
        try:
            step = act(case, command.action, number, at, command.actor, rules, command.fields(timer))
        except OrderError as error:
            results.append(_result(timer, timer, case, error.why))
            continue
        if step is not None:
            unit.record(order_id, step, rules)
            results.append(_result(timer, step.case.timer(number), case))
    if not dry_run:
        unit.commit()
    return results


def _result(was: Timer, now: Timer | None, case: Case, refused: str | None = None) -> TimerResult:
    if now is None:
        return TimerResult(case.name, was.number, was.trigger, was.due_at, None, "ended", refused, case.steps)
    stands = "waits" if now.status == TimerStatus.paused and now.paused_at is None else now.status
    return TimerResult(case.name, was.number, was.trigger, was.due_at, now.due_at, stands, refused, case.steps)
