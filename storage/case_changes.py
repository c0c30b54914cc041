"""The rows that a batch of case changes adds and changes."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import SQLModel

from storage import case_mapper
from storage.case_mapper import Values
from storage.notifications import is_due_soon
from storage.tables import (
    AttemptRow,
    ClaimRow,
    EffectRow,
    HistoryTableRow,
    LedgerTableRow,
    LineRow,
    OrderRow,
    ReportRow,
    TimerRow,
)
from workflow.case.case import Case
from workflow.intake import Received, Verdict
from workflow.step import Step

NUMBERED = ("order_id", "number")
"""What the process itself numbers is known by."""
KEYS: Mapping[type[SQLModel], tuple[str, ...]] = {
    OrderRow: ("id",),
    ReportRow: ("id",),
    AttemptRow: NUMBERED,
    LedgerTableRow: NUMBERED,
    ClaimRow: NUMBERED,
    TimerRow: NUMBERED,
}
"""What a row that changes is known by."""
INSERT_ORDER: tuple[type[SQLModel], ...] = (
    OrderRow,
    LineRow,
    AttemptRow,
    LedgerTableRow,
    ClaimRow,
    TimerRow,
    HistoryTableRow,
    ReportRow,
    EffectRow,
)
"""Orders come before what belongs to them."""
EXPECTED_VERSION = "seen"
"""The version that an order must still have to be moved on."""
Model = type[SQLModel]


@dataclass(frozen=True, slots=True)
class CaseChange:
    """What happened to one order in one transaction, to be stored as one.

    `before` is the case as it was loaded (None: the order is new), `after` as it is now; `observed` says
    whether its effects are held.
    """

    after: Case
    steps: Sequence[Step]
    received: Sequence[Received]
    at: datetime
    order_id: int | None = None
    before: Case | None = None
    observed: bool = False


Placed = Sequence[tuple[int, CaseChange]]
"""Changes with the ids of their orders."""


@dataclass(slots=True)
class RowChanges:
    """Rows to be added, columns to be changed, effects that have lost their point, and flags to be raised."""

    added: dict[Model, list[Values]] = field(default_factory=lambda: defaultdict(list))
    changed: dict[Model, list[Values]] = field(default_factory=lambda: defaultdict(list))
    obsolete: list[Values] = field(default_factory=list)
    flags: list[tuple[int, str, datetime, str | None]] = field(default_factory=list)
    has_work: bool = False
    """Whether there is something that a daemon can do at once."""


def row_changes(placed: Placed) -> RowChanges:
    """Return the rows that changes add and change."""
    writes = RowChanges()
    for key, change in placed:
        _order(writes, key, change)
        _parts(writes, key, change)
        _timers(writes, key, change)
        _reports(writes, key, change)
        for made in change.steps:
            writes.added[HistoryTableRow].append(case_mapper.history_values(key, made.history))
            _effects(writes, key, change, made)
            writes.flags += [(key, flag, change.at, None) for flag in made.flags]
            writes.has_work = writes.has_work or is_due_soon(made.timers.values(), change.at)
    return writes


def _order(writes: RowChanges, key: int, change: CaseChange) -> None:
    if change.before is None:
        writes.added[OrderRow].append({"id": key, **case_mapper.new_order_values(change.after, change.observed)})
        lines = enumerate(change.after.lines, 1)
        writes.added[LineRow] += [case_mapper.line_values(key, number, line) for number, line in lines]
    elif change.steps:
        writes.changed[OrderRow].append(
            {"id": key, EXPECTED_VERSION: change.before.steps, **case_mapper.order_values(change.after)}
        )


_PARTS: tuple[tuple[Model, Callable[[Case], Sequence[Any]]], ...] = (
    (AttemptRow, lambda case: case.attempts),
    (LedgerTableRow, lambda case: case.ledger),
    (ClaimRow, lambda case: case.claims),
)


def _parts(writes: RowChanges, key: int, change: CaseChange) -> None:
    """New attempts, ledger rows and claims are added, of the others those columns that are changed."""
    for model, of in _PARTS:
        before, after = of(change.before) if change.before else (), of(change.after)
        if before is after:
            continue
        writes.added[model] += [case_mapper.part_values(key, one) for one in after[len(before) :]]
        changes = (case_mapper.part_changes(key, was, now) for was, now in zip(before, after, strict=False) if was is not now)
        writes.changed[model] += [row for row in changes if row.keys() > {*NUMBERED}]


def _timers(writes: RowChanges, key: int, change: CaseChange) -> None:
    known = {timer.number: timer for timer in change.before.timers} if change.before else {}
    made = change.before.timers_made if change.before else 0
    for number, timer in {number: timer for step in change.steps for number, timer in step.timers.items()}.items():
        if number > made:
            writes.added[TimerRow].append(case_mapper.timer_values(key, timer))
        else:
            writes.changed[TimerRow].append(case_mapper.timer_changes(key, known[number], timer))


def _reports(writes: RowChanges, key: int, change: CaseChange) -> None:
    """Keep each report as it came; one that was kept before has only its verdict changed."""
    for received in change.received:
        report = received.report
        verdict = {"verdict": str(received.verdict), "reason": received.error and received.error.why}
        if report.id is not None:
            writes.changed[ReportRow].append({"id": report.id, **verdict})
        elif received.verdict is not Verdict.duplicate:
            told = {"source": report.source, "key": report.key, "trigger": report.trigger, "occurred": report.at}
            kept = {"received": change.at, "actor": report.actor, "fields": case_mapper.dump(dict(report.fields))}
            writes.added[ReportRow].append({"order_id": key, **told, **kept, **verdict})


def _effects(writes: RowChanges, key: int, change: CaseChange, made: Step) -> None:
    for effect in made.effects:
        status = "held" if change.observed else _STATUS_BY_MODE[effect.mode]
        writes.added[EffectRow].append({**case_mapper.effect_values(key, made.history, effect), "status": status})
        writes.has_work = writes.has_work or status == "ready"
    for kind, attempt in made.obsolete:
        obsolete = {"of_order": key, "of_kind": kind, "of_attempt": attempt}
        writes.obsolete.append({**obsolete, "at": change.at, "before": made.history.sequence})


_STATUS_BY_MODE = {"auto": "ready", "ask": "asked", "off": "off"}
