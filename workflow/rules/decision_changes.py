"""What waits for a person's decision, and what the answer does to it (rule 5.9)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from workflow.case import claims
from workflow.case.case import Case, Decision, replace_fields
from workflow.catalogue import Choice
from workflow.draft import Draft
from workflow.process import REST_FOR_A_DECISION, SET_BY_THE_PLATFORM
from workflow.rules import choosing, money_changes, timers
from workflow.vocabulary import DecisionStatus, State, TimerStatus, Way

if TYPE_CHECKING:
    from workflow.policy.policy import Rules

REMINDER = "remind_decision"


def ask(draft: Draft) -> None:
    """Let a decision stand on the step that the timer or report of the event would have taken."""
    event, case = draft.event, draft.case
    timer, report = event.fields.get("timer"), event.report
    decision = Decision(
        number=len(case.decisions) + 1,
        trigger=str(event.fields["asks"]),
        since=event.at,
        timer=None if timer is None else int(timer),
        source=report.source if report else None,
        key=report.key if report else None,
    )
    draft.change(decisions=(*case.decisions, decision))
    if report:
        timers.rest(draft, *REST_FOR_A_DECISION)
        money_changes.book_what_came_with(draft, report)
    queue(draft)
    timers.start(draft, REMINDER)
    would = str(event.fields["would"]).split(", ")
    choice, amount = would_ask(case, would, event.recorded, draft.rules)
    draft.note(decision=decision.number, amount=amount, window_ends=_written(ends(case)))
    if choice:
        told = choosing.details_of(choice)
        draft.note(next=choosing.supplier_of(choice), cost=told.get("cost"), passed_over=told.get("passed_over"))


def would_ask(case: Case, effects: Collection[str], at: datetime, rules: Rules) -> tuple[Choice | None, int | None]:
    """Return the supplier that a step with these effects orders from, and the sum that it requests."""
    choice = choosing.next_choice(case, rules, at) if "place_supply" in effects else None
    return choice, claims.to_ask_for(case, case.claim) if "request_refund" in effects else None


def ends(case: Case) -> datetime | None:
    """Return when the time ends that the platform gives for a step, or None where it gives none."""
    return next((one.due_at for one in case.timers if one.trigger == SET_BY_THE_PLATFORM), None)


def _written(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def tell_of_decision(draft: Draft) -> None:
    """Note what a reminder speaks of."""
    decision = draft.case.decision
    assert decision is not None, "reminders end with the decision"
    draft.note(decision=decision.number, asks=decision.trigger, window_ends=_written(ends(draft.case)))


def queue(draft: Draft) -> None:
    """Let the timer of the event wait: for its own decision, or behind the one that stands."""
    if timer := draft.case.timer(int(draft.event.fields.get("timer") or 0)):
        draft.change_timer(replace_fields(timer, status=TimerStatus.waiting))
    if "place_supply" in str(draft.event.fields["would"]):
        draft.note(next=choosing.of_the_catalogue(draft.was, draft.rules, draft.event.recorded))


def stay(draft: Draft) -> None:
    """The step is not taken: not before an instant, or not at all."""
    decision, until = draft.case.decision, draft.event.fields.get("until")
    assert decision is not None, "who answers has seen it"
    if until is not None:
        draft.change_decision(sleeps_until=datetime.fromisoformat(str(until)))
        timers.start(draft, REMINDER, counts_from=datetime.fromisoformat(str(until)))
        return
    if timer := draft.case.timer(decision.timer or 0):
        timers.end(draft, timer)
    _end(draft, DecisionStatus.answered)


def settle(draft: Draft, target: State | None) -> None:
    """End the decision that a step has answered, or that it has left behind: then what waited behind it goes on."""
    decision = draft.case.decision
    if decision is None or len(draft.was.decisions) < decision.number:
        return
    timer = draft.case.timer(decision.timer or 0)
    waits = decision.timer is None or (timer is not None and timer.status is TimerStatus.waiting)
    answered = draft.event.way in (Way.yes, Way.next, Way.refund)
    if draft.event.way is Way.refund:
        draft.note(instead_of=choosing.of_the_catalogue(draft.was, draft.rules, draft.event.recorded))
    if answered or not waits or (target is not None and target is not draft.was.state):
        _end(draft, DecisionStatus.answered if answered else DecisionStatus.ended)


def _end(draft: Draft, status: DecisionStatus) -> None:
    event = draft.event
    told = {"way": event.way, "decided_by": event.actor} if status is DecisionStatus.answered else {}
    draft.change_decision(status=status, decided_at=event.at, sleeps_until=None, **told)
    timers.end_all(draft, REMINDER)
    timers.wake(draft, *REST_FOR_A_DECISION)
    draft.cleared.append("undecided")
