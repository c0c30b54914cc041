"""What the steps of a person's timekeeping do to a timer (rule 3.10)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from workflow.case.case import Case, Timer, replace_fields
from workflow.draft import Draft
from workflow.rules import timers
from workflow.table import CLOCK_OF
from workflow.vocabulary import TimerStatus

if TYPE_CHECKING:
    from workflow.policy.policy import Rules


def retimed(case: Case, timer: Timer, rules: Rules) -> Timer | None:
    """Return a timer as `rules` would have it, or None where they have no such timer; what moved it is kept (rule 3.9).

    A date that a person has promised stays.
    """
    if timer.promised:
        return timer
    made = timers.plan(case, rules, timer.trigger, timer.counts_from, nth=timer.nth, ledger=timer.ledger)
    if made is None:
        return None
    planned_at, counts_from, provisional = made
    if (planned_at, provisional) == (timer.planned_at, timer.provisional):
        return timer
    moved = timer.due_at - timer.planned_at
    return replace_fields(
        timer,
        planned_at=planned_at,
        due_at=planned_at + moved,
        counts_from=counts_from,
        provisional=provisional,
        policy=rules.version,
    )


def _named(draft: Draft) -> Timer:
    return next(one for one in draft.case.timers if one.number == draft.event.fields["timer"])


def move_timer(draft: Draft) -> None:
    """Give a timer another due instant."""
    due_at = datetime.fromisoformat(str(draft.event.fields["due_at"]))
    draft.change_timer(replace_fields(_named(draft), due_at=due_at))


def promise_its_date(draft: Draft) -> None:
    """A person has given a timer a date, which a changed policy does not move (rule 3.10)."""
    draft.change_timer(replace_fields(_named(draft), promised=True))


def pause_timer(draft: Draft) -> None:
    """Stop a timer until a person lets it run on."""
    timer = _named(draft)
    since = timer.paused_at if timer.status == TimerStatus.paused and timer.paused_at else draft.event.at
    draft.change_timer(replace_fields(timer, status=TimerStatus.paused, paused_at=since, paused_by=draft.event.actor))


def note_unread(draft: Draft) -> None:
    """Remember which reports of files cannot be read; clocks that they might end rest until all can be (rule 7.10)."""
    named = draft.event.fields.get("unread")
    draft.change(unread=None if named is None else str(named))
    draft.note(unread=named, settled=draft.event.fields.get("settled"))
    timers.rest_while_unread(draft)


def resume_timer(draft: Draft) -> None:
    """Let a timer run on, the paused span added; in a state that pauses it, it stays paused until that ends."""
    timer, state = replace_fields(_named(draft), paused_by=None), draft.case.state
    clock = CLOCK_OF[timer.trigger]
    if state in clock.runs_in:
        timer = replace_fields(timer, status=TimerStatus.pending, due_at=timers.resumed(draft, timer), paused_at=None)
        timer = replace_fields(timer, **timers.RESTING) if timers.rests(draft.case, timer.trigger) else timer
    elif state in clock.waits_in:
        timer = replace_fields(timer, due_at=timer.due_at + timer.paused_span(draft.event.at), paused_at=None)
    draft.change_timer(timer)
    draft.note(due_at=timer.due_at.isoformat())


def cancel_timer(draft: Draft) -> None:
    """End a timer for good."""
    timers.end(draft, _named(draft))


def retime_timer(draft: Draft) -> None:
    """Recompute a timer under the policy in force; where that has no such timer any more, it ends."""
    timer = _named(draft)
    again = retimed(draft.case, timer, draft.rules)
    if again is None:
        timers.end(draft, timer)
        return
    draft.note(due_at=again.due_at.isoformat(), by_policy=timer.policy)
    draft.change_timer(again)
