"""The process table executed by `transitions`: from a case and a trigger to the row that is taken."""

from __future__ import annotations

from datetime import datetime
from functools import cache, partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from transitions import Machine

import workflow.checks  # noqa: F401  (the process is checked before it is used)
from language import tr
from workflow.case.case import Case, Details, Parcel
from workflow.errors import InvalidTransition, Refused
from workflow.rules.guards import GUARDS, GuardContext
from workflow.table import EDGES, NEW, ROWS_BY_STATE_AND_TRIGGER, Edge, allowed_now
from workflow.vocabulary import Row, State, Target

if TYPE_CHECKING:
    from workflow.policy.policy import Rules


class _Mover:
    """The plain object that `transitions` moves; it remembers which line of the table it took."""

    __slots__ = ("move", "question", "state")

    def __init__(self, state: str, question: GuardContext) -> None:
        self.state, self.question = state, question
        self.move: Edge | None = None


def _passes(name: str, event: Any) -> bool:
    return GUARDS[name].allows(event.model.question)


def _came_from(state: State, event: Any) -> bool:
    return bool(event.model.question.case.returns_to is state)


def _names(state: State, event: Any) -> bool:
    return bool(event.model.question.fields.get("to") == state)


def _take(move: Edge, event: Any) -> None:
    event.model.move = move


def _transition(move: Edge) -> dict[str, Any]:
    conditions: list[Any] = [partial(_passes, name) for name in move.row.guards]
    conditions += [partial(_came_from, move.came_from)] if move.came_from else []
    conditions += [partial(_names, move.named)] if move.named else []
    target = None if move.target is None else str(move.target)
    ways = {"trigger": move.row.trigger, "source": move.source, "dest": target}
    return {**ways, "conditions": conditions, "before": partial(_take, move)}


@cache
def _machine() -> Machine:
    """Return the process as a machine; to make it takes longer than to list orders."""
    return Machine(
        model=None,
        states=[NEW, *map(str, State)],
        initial=None,
        transitions=[_transition(move) for move in EDGES],
        auto_transitions=False,
        send_event=True,
    )


def decide(
    case: Case,
    trigger: str,
    fields: Details,
    rules: Rules,
    at: datetime,
    parcels: tuple[Parcel, ...] | None = None,
    recorded: datetime | None = None,
) -> tuple[Row, State | None]:
    """Return the row of the table that `trigger` takes now, and the state it leads to (None: it stays).

    `parcels` are the order's parcels as they are afterwards (None: as they are), `recorded` is when it is recorded (None: at
    `at`).

    Raises:
        InvalidTransition: the trigger is not allowed in the case's state.
        Refused: every guard in its way turned it down.

    """
    here = str(case.state or NEW)
    rows = ROWS_BY_STATE_AND_TRIGGER.get((here, trigger))
    if rows is None:
        raise InvalidTransition(case.name, case.state, trigger, tr("it is not allowed in {here}", here=here), allowed_now(case))
    if not rows[0].guards and (known := _DECIDED.get((here, trigger, 0))):
        return known  # nothing is to be asked
    question = GuardContext(case, fields, rules, at, case.parcels if parcels is None else parcels, recorded)
    first = _first_that_passes(rows, question)
    if first is not None and (known := _DECIDED.get((here, trigger, first))):
        return known
    mover = _Mover(here, question)
    if not _machine().events[trigger].trigger(mover) or mover.move is None:
        raise Refused(case.name, case.state, trigger, _why_not(rows, question), allowed_now(case))
    if first is not None:
        _DECIDED[here, trigger, first] = mover.move.row, mover.move.target
    return mover.move.row, mover.move.target


_DECIDED: dict[tuple[str, str, int], tuple[Row, State | None]] = {}
"""What `transitions` has decided, by state, trigger and the first row whose guards all pass: it decides the same again."""


def _first_that_passes(rows: tuple[Row, ...], question: GuardContext) -> int | None:
    """Return the place of the first row whose guards all pass; None if there is none, or its target is not of the table."""
    for place, row in enumerate(rows):
        if all(GUARDS[name].allows(question) for name in row.guards):
            return None if row.target in (Target.back, Target.named) else place
    return None


def _why_not(rows: tuple[Row, ...], question: GuardContext) -> str:
    """Return the refusals of the first failing guards of those rows that passed the most guards."""
    passed = [list(takewhile(lambda name: GUARDS[name].allows(question), row.guards)) for row in rows]
    furthest = max(map(len, passed))
    closest = [row.guards[len(names) :] for row, names in zip(rows, passed, strict=True) if len(names) == furthest]
    reasons = (tr(GUARDS[left[0]].refusal) if left else tr("it has nowhere to go back to") for left in closest)
    return "; ".join(dict.fromkeys(reasons))
