"""What a person does to the timers of an order; each is a step with a row in the history (rule 3.10)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from language import tr
from workflow.case.case import Case, Details, Timer
from workflow.decisions import Answer, answer
from workflow.draft import Event
from workflow.errors import Refused
from workflow.policy.durations import FIRST_YEAR, LAST_YEAR
from workflow.process import RECORDS, UNREAD
from workflow.rules.timer_changes import retimed
from workflow.step import Step, carry_out, step
from workflow.vocabulary import TimerStatus, Way

if TYPE_CHECKING:
    from workflow.policy.policy import Rules

ACTIONS = ("postpone", "shift", "pause", "resume", "cancel", "retime")
"""What a person may do to a timer besides firing it; the rows are `RECORDS` of the process, named ACTION_timer."""


def act(case: Case, action: str, number: int, at: datetime, actor: str, rules: Rules, fields: Details) -> Step | None:
    """Do `action` to a timer at `at`; return None where it would change nothing.

    `fields` may carry a reason, and `due_at` (ISO 8601) for a timer that is moved.

    Raises:
        Refused: the order has no such timer, or it is not in a state for that.

    """
    timer = case.timer(number)
    if timer is None:
        raise Refused(
            case.name,
            case.state,
            tr("{action} of timer {number}", action=action, number=number),
            tr("it does not run any more"),
        )
    if timer.status is TimerStatus.waiting:
        return _decide(case, timer, action, at, actor, rules, fields)
    if why := _why_not(timer, action) or _beyond(fields):
        raise Refused(case.name, case.state, tr("{action} of {trigger}", action=action, trigger=timer.trigger), why)
    if action == "fire":
        return step(case, Event(timer.trigger, at, at, actor, fields, timer=timer), rules)
    if action == "retime" and retimed(case, timer, rules) == timer:
        return None
    told = {**fields, "timer": number, "clock": timer.trigger, "was_due": timer.due_at.isoformat()}
    row = RECORDS[f"{action}_timer"]
    return carry_out(case, Event(row.trigger, at, at, actor, told), rules, row, None)


def _decide(case: Case, timer: Timer, action: str, at: datetime, actor: str, rules: Rules, fields: Details) -> Step:
    """Answer the decision that a timer waits for: what is done to it is an answer (rule 5.9).

    Raises:
        Refused: it waits behind another decision, or the action is no answer.

    """
    if case.decision is None or case.decision.timer != timer.number:
        why = tr("it waits behind another decision: answer that one first (`decide`)")
        raise Refused(case.name, case.state, tr("{action} of {trigger}", action=action, trigger=timer.trigger), why)
    if action not in _ANSWERS:
        why = tr("it waits for a decision: decide yes, or stay with --until")
        raise Refused(case.name, case.state, tr("{action} of {trigger}", action=action, trigger=timer.trigger), why)
    due_at, reason = fields.get("due_at"), fields.get("reason")
    until = datetime.fromisoformat(str(due_at)) if due_at else None
    given = Answer(_ANSWERS[action], actor, case.decision.number, until, None if reason is None else str(reason))
    return answer(case, given, at, rules)


_ANSWERS = {"fire": Way.yes, "postpone": Way.stay, "cancel": Way.stay}


def _beyond(fields: Details) -> str | None:
    """Return why a due instant is out of range, or None."""
    due_at = fields.get("due_at")
    if due_at is None or FIRST_YEAR <= datetime.fromisoformat(str(due_at)).year <= LAST_YEAR:
        return None
    return tr("it would be due outside the years {first_year}-{last_year}", first_year=FIRST_YEAR, last_year=LAST_YEAR)


def _why_not(timer: Timer, action: str) -> str | None:
    if action == "fire" and timer.status != TimerStatus.pending:
        return (
            tr("it is paused: resume it first") if timer.paused_by or timer.paused_at else tr("it waits: {rests}", rests=_RESTS)
        )
    if action == "resume" and timer.paused_by == UNREAD:
        return tr("it rests until a report of a file can be read: mend the file, or resolve the order's flag")
    if action == "pause" and timer.paused_by is not None:
        return tr("{paused_by} has paused it already", paused_by=timer.paused_by)
    if action == "resume" and timer.paused_by is None:
        return (
            tr("no person has paused it")
            if timer.status is TimerStatus.pending
            else tr("no person has paused it: {rests}", rests=_RESTS)
        )
    return None


_RESTS = "it runs on when the order has moved on, or what waits for a decision is decided"
