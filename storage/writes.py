"""What a batch of changes leaves behind, as rows: worked out here, carried out elsewhere."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import SQLModel

from storage import codec
from storage.codec import Values
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
from storage.waking import is_soon
from workflow.intake import Received, Verdict
from workflow.order import Case
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
ADDED_IN_TURN: tuple[type[SQLModel], ...] = (
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
SEEN = "seen"
"""The version that an order must still have to be moved on."""
Model = type[SQLModel]


@dataclass(frozen=True, slots=True)
class Change:
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


Placed = Sequence[tuple[int, Change]]
"""Changes with the ids of their orders."""


@dataclass(slots=True)
class Writes:
    """Rows to be added, columns to be changed, effects that have lost their point, and flags to be raised."""

    added: dict[Model, list[Values]] = field(default_factory=lambda: defaultdict(list))
    changed: dict[Model, list[Values]] = field(default_factory=lambda: defaultdict(list))
    moot: list[Values] = field(default_factory=list)
    flags: list[tuple[int, str, datetime, str | None]] = field(default_factory=list)
    wakes: bool = False
    """Whether there is something that a daemon can do at once."""


def writes_of(placed: Placed, modes: Mapping[str, str]) -> Writes:
    """Return what changes leave behind. `modes` gives each effect kind its mode: auto, ask or off."""
    writes = Writes()
    for key, change in placed:
        _order(writes, key, change)
        _parts(writes, key, change)
        _timers(writes, key, change)
        _reports(writes, key, change)
        for made in change.steps:
            writes.added[HistoryTableRow].append(codec.history_values(key, made.history))
            _effects(writes, key, change, made, modes)
            writes.flags += [(key, flag, change.at, None) for flag in made.flags]
            writes.wakes = writes.wakes or is_soon(made.timers.values(), change.at)
    return writes


def _order(writes: Writes, key: int, change: Change) -> None:
    if change.before is None:
        writes.added[OrderRow].append({"id": key, **codec.new_order_values(change.after, change.observed)})
        lines = enumerate(change.after.lines, 1)
        writes.added[LineRow] += [codec.line_values(key, number, line) for number, line in lines]
    elif change.steps:
        writes.changed[OrderRow].append({"id": key, SEEN: change.before.steps, **codec.order_values(change.after)})


_PARTS: tuple[tuple[Model, Callable[[Case], Sequence[Any]]], ...] = (
    (AttemptRow, lambda case: case.attempts),
    (LedgerTableRow, lambda case: case.ledger),
    (ClaimRow, lambda case: case.claims),
)


def _parts(writes: Writes, key: int, change: Change) -> None:
    """New attempts, ledger rows and claims are added, of the others those columns that are changed."""
    for model, of in _PARTS:
        before, after = of(change.before) if change.before else (), of(change.after)
        if before is after:
            continue
        writes.added[model] += [codec.part_values(key, one) for one in after[len(before) :]]
        changes = (codec.part_changes(key, was, now) for was, now in zip(before, after, strict=False) if was is not now)
        writes.changed[model] += [row for row in changes if row.keys() > {*NUMBERED}]


def _timers(writes: Writes, key: int, change: Change) -> None:
    known = {timer.number: timer for timer in change.before.timers} if change.before else {}
    made = change.before.timers_made if change.before else 0
    for number, timer in {number: timer for step in change.steps for number, timer in step.timers.items()}.items():
        if number > made:
            writes.added[TimerRow].append(codec.timer_values(key, timer))
        else:
            writes.changed[TimerRow].append(codec.timer_changes(key, known[number], timer))


def _reports(writes: Writes, key: int, change: Change) -> None:
    """Keep each report as it came; one that was kept before has only its verdict changed."""
    for received in change.received:
        report = received.report
        verdict = {"verdict": str(received.verdict), "reason": received.error and received.error.why}
        if report.id is not None:
            writes.changed[ReportRow].append({"id": report.id, **verdict})
        elif received.verdict is not Verdict.duplicate:
            told = {"source": report.source, "key": report.key, "trigger": report.trigger, "occurred": report.at}
            kept = {"received": change.at, "actor": report.actor, "fields": codec.dump(dict(report.fields))}
            writes.added[ReportRow].append({"order_id": key, **told, **kept, **verdict})


def _effects(writes: Writes, key: int, change: Change, made: Step, modes: Mapping[str, str]) -> None:
    for effect in made.effects:
        status = "held" if change.observed else _STATUS_BY_MODE[modes[effect.kind]]
        writes.added[EffectRow].append({**codec.effect_values(key, made.history, effect), "status": status})
        writes.wakes = writes.wakes or status == "ready"
    for kind, attempt in made.withdrawn:
        moot = {"of_order": key, "of_kind": kind, "of_attempt": attempt}
        writes.moot.append({**moot, "at": change.at, "before": made.history.sequence})


_STATUS_BY_MODE = {"auto": "ready", "ask": "asked", "off": "off"}
