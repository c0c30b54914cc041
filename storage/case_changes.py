"""The rows that a batch of case changes adds and changes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Table
from sqlmodel import SQLModel

from storage import case_mapper
from storage.case_mapper import Values
from storage.notifications import is_due_soon
from storage.row_sets import EXPECTED_VERSION, Operation
from storage.tables import (
    AttemptRow,
    ClaimRow,
    DecisionRow,
    EffectRow,
    HistoryTableRow,
    LedgerTableRow,
    LineRow,
    OrderRow,
    ParcelRow,
    ReportRow,
    TimerRow,
    table_of,
)
from workflow.case.canonical import kept_json
from workflow.case.case import Case, Line, Timer
from workflow.intake import Received
from workflow.step import Step
from workflow.values import value_class
from workflow.vocabulary import EffectStatus, Verdict

Model = type[SQLModel]
INSERT_ORDER: tuple[Model, ...] = (
    OrderRow,
    LineRow,
    AttemptRow,
    ParcelRow,
    LedgerTableRow,
    ClaimRow,
    DecisionRow,
    TimerRow,
    HistoryTableRow,
    ReportRow,
    EffectRow,
)
"""Orders come before what belongs to them."""


@value_class(frozen=True, slots=True)
class CaseChange:
    """What happened to one order in one transaction, to be stored as one.

    `before` is the case as it was loaded (None: the order is new), `after` as it is now; `observed` says
    whether its effects are held from now on, and `was_observed` whether they were.
    """

    after: Case
    steps: Sequence[Step]
    received: Sequence[Received]
    at: datetime
    order_id: int | None = None
    before: Case | None = None
    observed: bool = False
    was_observed: bool = False


ChangesById = Sequence[tuple[int, CaseChange]]
"""Changes with the ids of their orders."""


@dataclass(slots=True)
class RowChanges:
    """Rows to be added, columns to be changed, effects that have lost their point, flags to be raised and cleared."""

    added: defaultdict[Model, list[Values]] = field(default_factory=lambda: defaultdict(list))
    changed: defaultdict[Model, list[Values]] = field(default_factory=lambda: defaultdict(list))
    obsolete: list[Values] = field(default_factory=list)
    flags: list[tuple[int, str, datetime, str | None]] = field(default_factory=list)
    cleared: list[tuple[int, str, datetime]] = field(default_factory=list)
    placed: list[int] = field(default_factory=list)
    """Orders of which a report that was kept has another verdict now."""
    suppliers: list[tuple[int, int, str]] = field(default_factory=list)
    """Attempts, by order and number, whose supplier has another name: what has not left is for that one."""
    lines_gone: list[tuple[int, int]] = field(default_factory=list)
    """Orders that have fewer lines from now on, with how many."""
    has_work: bool = False
    """Whether there is something that a daemon can do at once."""

    def in_order(self) -> Iterator[tuple[Operation, Table, Sequence[Values]]]:
        """Yield the rows in the order of writing: changed orders first, whose version says whether all of it still fits."""
        changed = {**self.changed}
        yield Operation.change, table_of(OrderRow), changed.pop(OrderRow, ())
        yield from ((Operation.add, table_of(model), self.added.get(model, ())) for model in INSERT_ORDER)
        yield from ((Operation.change, table_of(model), rows) for model, rows in changed.items())
        yield Operation.drop, table_of(EffectRow), self.obsolete


def row_changes(changes: ChangesById) -> RowChanges:
    """Return the rows that changes add and change."""
    writes = RowChanges()
    for key, change in changes:
        _order(writes, key, change)
        _parts(writes, key, change)
        _timers(writes, key, change)
        _reports(writes, key, change)
        for made in change.steps:
            writes.added[HistoryTableRow].append(case_mapper.history_values(key, made.history))
            _effects(writes, key, change, made)
            for flag in made.flags:
                writes.flags.append((key, flag, change.at, None))
            for flag in made.cleared:
                writes.cleared.append((key, flag, change.at))
            for attempt, supplier in made.suppliers.items():
                writes.suppliers.append((key, attempt, supplier))
            writes.has_work = writes.has_work or is_due_soon(made.timers.values(), change.at)
    return writes


def _order(writes: RowChanges, key: int, change: CaseChange) -> None:
    if change.before is None:
        writes.added[OrderRow].append({"id": key, **case_mapper.new_order_values(change.after, change.observed)})
        lines = enumerate(change.after.lines, 1)
        writes.added[LineRow] += [case_mapper.line_values(key, number, line) for number, line in lines]
    elif change.steps:
        changes = case_mapper.order_changes(change.before, change.after)
        if change.observed is not change.was_observed:
            changes |= {"observed": change.observed}
        writes.changed[OrderRow].append({"id": key, EXPECTED_VERSION: change.before.steps, **changes})
        if change.before.lines is not change.after.lines:
            _lines(writes, key, change.before.lines, change.after.lines)


def _lines(writes: RowChanges, key: int, before: Sequence[Line], after: Sequence[Line]) -> None:
    """Lines are added, and more becomes known of one; some go only when the order is taken for another one."""
    new = enumerate(after[len(before) :], len(before) + 1)
    writes.added[LineRow] += [case_mapper.line_values(key, number, line) for number, line in new]
    if len(after) < len(before):
        writes.lines_gone.append((key, len(after)))
    pairs = enumerate(zip(before, after, strict=False), 1)
    writes.changed[LineRow] += [case_mapper.line_changes(key, number, was, now) for number, (was, now) in pairs if was != now]


_KEY = ("order_id", "number")
"""What the changes of a part name besides its columns."""
_PARTS: tuple[tuple[Model, str], ...] = (
    (AttemptRow, "attempts"),
    (ParcelRow, "parcels"),
    (LedgerTableRow, "ledger"),
    (ClaimRow, "claims"),
    (DecisionRow, "decisions"),
)


def _parts(writes: RowChanges, key: int, change: CaseChange) -> None:
    """New attempts, parcels, ledger rows and claims are added, of the others those columns that are changed."""
    was, now = change.before and vars(change.before), vars(change.after)
    for model, name in _PARTS:
        before, after = was[name] if was else (), now[name]
        if before is after:
            continue
        writes.added[model] += [case_mapper.part_values(key, one) for one in after[len(before) :]]
        for old, new in zip(before, after, strict=False):
            if old is not new and len(changes := case_mapper.part_changes(key, old, new)) > len(_KEY):
                writes.changed[model].append(changes)


def _timers(writes: RowChanges, key: int, change: CaseChange) -> None:
    known = {timer.number: timer for timer in change.before.timers} if change.before else {}
    made = change.before.timers_made if change.before else 0
    last: dict[int, Timer] = {}
    for step in change.steps:
        last |= step.timers
    for number, timer in last.items():
        if number > made:
            writes.added[TimerRow].append(case_mapper.timer_values(key, timer))
        elif len(changes := case_mapper.timer_changes(key, known.get(number), timer)) > len(_KEY):
            writes.changed[TimerRow].append(changes)


def _reports(writes: RowChanges, key: int, change: CaseChange) -> None:
    """Keep each report as it came; one that was kept before has only its verdict changed."""
    for received in change.received:
        report = received.report
        why = received.error.why if received.error else None
        verdict = {"verdict": str(received.verdict), "reason": why}
        if received.flag is not None:
            writes.flags.append((key, received.flag, change.at, why))
        if report.id is not None:
            amends = report.trigger == "amend" and received.verdict is Verdict.applied  # who the buyer was is in it by now
            fields = {"fields": kept_json(dict(report.fields))} if amends else {}
            writes.changed[ReportRow].append({"id": report.id, **fields, **verdict})
            writes.placed.append(key)
        elif received.verdict is not Verdict.duplicate:
            told = {
                "source": report.source,
                "key": report.key,
                "nth": report.nth,
                "trigger": report.trigger,
                "occurred": report.at,
            }
            kept = {"received": change.at, "actor": report.actor, "fields": kept_json(dict(report.fields))}
            writes.added[ReportRow].append({"order_id": key, **told, **kept, **verdict})


def _effects(writes: RowChanges, key: int, change: CaseChange, made: Step) -> None:
    for effect in made.effects:
        status = EffectStatus.held if change.observed else case_mapper.STATUS_BY_MODE[effect.mode]
        writes.added[EffectRow].append(case_mapper.effect_values(key, made.history, effect, status))
        writes.has_work = writes.has_work or status == EffectStatus.ready
    for kind, attempt in made.obsolete:
        dropped = {"order_id": key, "kind": kind, "attempt": attempt}
        writes.obsolete.append({**dropped, "sequence": made.history.sequence, "decided_at": change.at})
