"""The process table executed by `transitions`: from a case and a trigger to the row that is taken."""

import logging
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import Any

from transitions import Machine

from workflow.errors import NoPlace, Refused
from workflow.guards import GUARDS, Question
from workflow.order import Case, Details
from workflow.policy import Rules
from workflow.table import MOVES, NOTHING, PLACES, Move, allowed_now
from workflow.words import Goes, Row, State


class _Mover:
    """The plain object that `transitions` moves; it remembers which line of the table it took."""

    __slots__ = ("move", "question", "state")

    def __init__(self, state: str, question: Question) -> None:
        self.state, self.question = state, question
        self.move: Move | None = None


def _passes(name: str, event: Any) -> bool:
    return GUARDS[name].allows(event.model.question)


def _came_from(state: State, event: Any) -> bool:
    return bool(event.model.question.case.returns_to is state)


def _names(state: State, event: Any) -> bool:
    return bool(event.model.question.fields.get("to") == state)


def _take(move: Move, event: Any) -> None:
    event.model.move = move


def _transition(move: Move) -> dict[str, Any]:
    conditions: list[Any] = [partial(_passes, name) for name in move.row.guards]
    conditions += [partial(_came_from, move.came_from)] if move.came_from else []
    conditions += [partial(_names, move.named)] if move.named else []
    target = None if move.target is None else str(move.target)
    ways = {"trigger": move.row.trigger, "source": move.source, "dest": target}
    return {**ways, "conditions": conditions, "before": partial(_take, move)}


logging.getLogger("transitions").setLevel(logging.WARNING)  # it tells every callback
_MACHINE = Machine(
    model=None,
    states=[NOTHING, *map(str, State)],
    initial=None,
    transitions=[_transition(move) for move in MOVES],
    auto_transitions=False,
    send_event=True,
)


def decide(case: Case, trigger: str, fields: Details, rules: Rules, at: datetime) -> tuple[Row, State | None]:
    """Return the row of the table that `trigger` takes now, and the state it leads to (None: it stays).

    Raises:
        NoPlace: the trigger has no place in the case's state.
        Refused: every guard in its way turned it down.

    """
    here = str(case.state or NOTHING)
    rows = PLACES.get((here, trigger))
    if rows is None:
        raise NoPlace(case.name, case.state, trigger, f"it has no place in {here}", allowed_now(case))
    if (here, trigger) in _DECIDED:
        return _DECIDED[here, trigger]
    question = Question(case, fields, rules, at)
    mover = _Mover(here, question)
    if not _MACHINE.events[trigger].trigger(mover) or mover.move is None:
        raise Refused(case.name, case.state, trigger, _why_not(rows, question), allowed_now(case))
    if len(rows) == 1 and not rows[0].guards and rows[0].target not in (Goes.back, Goes.named):
        _DECIDED[here, trigger] = mover.move.row, mover.move.target
    return mover.move.row, mover.move.target


_DECIDED: dict[tuple[str, str], tuple[Row, State | None]] = {}
"""What `transitions` decided where the table alone decides: one row, no guard, and a state by name or none."""


def _why_not(rows: tuple[Row, ...], question: Question) -> str:
    """Return the sentences of the guards that stood in the way: of the rows that came closest to being taken."""
    passed = [list(takewhile(lambda name: GUARDS[name].allows(question), row.guards)) for row in rows]
    furthest = max(map(len, passed))
    closest = [row.guards[len(names) :] for row, names in zip(rows, passed, strict=True) if len(names) == furthest]
    reasons = (GUARDS[left[0]].refusal if left else "it has nowhere to go back to" for left in closest)
    return "; ".join(dict.fromkeys(reasons))
