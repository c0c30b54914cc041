"""When timers start, pause, resume, repeat and end (docs/process.md, part 3)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from workflow.draft import Draft
from workflow.durations import Duration
from workflow.order import Timer
from workflow.process import CLOCKS
from workflow.table import CLOCK_OF
from workflow.words import State

Deadline = tuple[datetime, Duration]
"""What a timer counts from, and how long."""


def enter(draft: Draft, state: State) -> None:
    """Let the timers of the state that is left end or pause, and start those of `state` (rule 3.5)."""
    for timer in draft.case.timers:
        clock = CLOCK_OF[timer.trigger]
        if state in clock.pauses_in and state not in clock.starts_on:
            _pause(draft, timer)
        elif state in clock.starts_on or state not in clock.runs_in:
            end(draft, timer)
    for clock in CLOCKS:
        if state in clock.starts_on:
            start(draft, clock.trigger)


def go_back(draft: Draft, state: State) -> None:
    """Resume what was paused, the paused span added; whatever does not run in `state` ends (rule 3.5)."""
    for timer in draft.case.timers:
        if state not in CLOCK_OF[timer.trigger].runs_in:
            end(draft, timer)
        elif timer.status == "paused":
            span = timer.paused_span(draft.event.at)
            draft.note(paused_seconds=int(span.total_seconds()))
            draft.change_timer(replace(timer, status="pending", due_at=timer.due_at + span, paused_at=None))


def return_later_to(draft: Draft, state: State) -> None:
    """Change the state that an interception goes back to; the clocks of `state` start paused (rule 3.6)."""
    for timer in draft.case.timers:
        if timer.status == "paused" and state not in CLOCK_OF[timer.trigger].runs_in:
            end(draft, timer)
    for clock in CLOCKS:
        if state in clock.starts_on:
            start(draft, clock.trigger, paused=True)


def start(draft: Draft, trigger: str, *, paused: bool = False, ledger: int | None = None) -> None:
    """Start the timer of `trigger`, counting from what its rule says; one that runs already ends."""
    for timer in draft.case.timers:
        if timer.trigger == trigger and timer.ledger == ledger:
            end(draft, timer)
    due_at, counts_from, provisional = _first_due(draft, trigger)
    if due_at is None:
        return
    status, paused_at = ("paused", draft.event.at) if paused else ("pending", None)
    draft.add_timer(
        Timer(
            number=draft.case.timers_made + 1,
            trigger=trigger,
            due_at=due_at,
            counts_from=counts_from,
            policy=draft.rules.version,
            status=status,
            ledger=ledger,
            provisional=provisional,
            paused_at=paused_at,
        )
    )


def restart_if_running(draft: Draft, *triggers: str) -> None:
    """Count the running timers of `triggers` anew."""
    for timer in draft.case.timers:
        if timer.trigger in triggers:
            start(draft, timer.trigger, paused=timer.status == "paused")


def end(draft: Draft, timer: Timer) -> None:
    """End a timer that will not fire any more."""
    draft.drop_timer(replace(timer, status="cancelled", paused_at=None))


def end_all(draft: Draft, *triggers: str) -> None:
    """End the timers of `triggers`."""
    for timer in draft.case.timers:
        if timer.trigger in triggers:
            end(draft, timer)


def repeat(draft: Draft, fired: Timer) -> bool:
    """Set the next timer of a clock that fires again; return False after its last time (rule 3.7)."""
    due_at, counts_from = _next_due(draft, fired)
    if due_at is None:
        return False
    number, provisional = draft.case.timers_made + 1, draft.rules.calendar.is_provisional(counts_from, due_at)
    draft.add_timer(
        Timer(
            number=number,
            trigger=fired.trigger,
            due_at=due_at,
            counts_from=counts_from,
            policy=draft.rules.version,
            nth=fired.nth + 1,
            ledger=fired.ledger,
            provisional=provisional and _counts_working_days(draft, fired.trigger),
        )
    )
    return True


def _pause(draft: Draft, timer: Timer) -> None:
    if timer.status == "pending":
        draft.change_timer(replace(timer, status="paused", paused_at=draft.event.at))


def _first_due(draft: Draft, trigger: str) -> tuple[datetime | None, datetime, bool]:
    """Return the first due instant (None: this order has no such clock), its base, and whether it is provisional."""
    calendar = draft.rules.calendar
    deadlines = _DEADLINES[trigger](draft)
    if not deadlines:
        return None, draft.event.at, False
    due_at, (base, duration) = max(((d.after(b, calendar), (b, d)) for b, d in deadlines), key=lambda pair: pair[0])
    return due_at, base, duration.unit == "wd" and calendar.is_provisional(base, due_at)


def _overdue_base(draft: Draft) -> datetime | None:
    """Return what the overdue clocks count from, or None where the policy has none (rule 3.2)."""
    overdue, attempt = draft.rules.policy.overdue, draft.case.attempt
    if draft.case.order.route not in overdue.routes:
        return None
    return attempt.counts_from or attempt.ship_by or overdue.handling_time.after(attempt.placed_at, draft.rules.calendar)


def _urge(draft: Draft) -> list[Deadline]:
    base = _overdue_base(draft)
    return [(base, draft.rules.policy.overdue.urge_after)] if base else []


def _reroute(draft: Draft) -> list[Deadline]:
    base, overdue = _overdue_base(draft), draft.rules.policy.overdue
    if base is None:
        return []
    urged_at = draft.case.attempt.urged_at
    after_urge = [(urged_at, overdue.reroute_after_urge)] if urged_at else []
    return [(base, overdue.reroute_after), *after_urge]


_DEADLINES: dict[str, Callable[[Draft], list[Deadline]]] = {
    "urge": _urge,
    "reroute": _reroute,
    "stall": lambda d: [(d.event.at, d.rules.policy.transit.stall_every)],
    "remind_customs": lambda d: [(d.event.at, d.rules.policy.customs.remind_every)],
    "fail_interception": lambda d: [(d.event.at, d.rules.policy.interception.fail_after)],
    "close": lambda d: [(d.event.at, d.rules.policy.delivery.close_after)],
    "chase_refund": lambda d: [(d.event.at, d.rules.policy.money.chase_refund_at[0])],
    "chase_recovery": lambda d: [(d.event.at, d.rules.policy.money.chase_recovery_at[0])],
}
_EVERY: dict[str, Callable[[Draft], tuple[Duration, int]]] = {
    "stall": lambda d: (d.rules.policy.transit.stall_every, d.rules.policy.transit.stall_times),
    "remind_customs": lambda d: (d.rules.policy.customs.remind_every, d.rules.policy.customs.remind_times),
}
_CHASES: dict[str, Callable[[Draft], tuple[Duration, ...]]] = {
    "chase_refund": lambda d: d.rules.policy.money.chase_refund_at,
    "chase_recovery": lambda d: d.rules.policy.money.chase_recovery_at,
}


def _counts_working_days(draft: Draft, trigger: str) -> bool:
    return trigger in _CHASES and _CHASES[trigger](draft)[0].unit == "wd"


def _next_due(draft: Draft, fired: Timer) -> tuple[datetime | None, datetime]:
    """Return when a clock fires again (None: never), and what that counts from.

    A chase that downtime has overtaken counts from the firing instead, so that nothing comes in a burst.
    """
    at, calendar = draft.event.at, draft.rules.calendar
    if fired.trigger in _EVERY:
        every, times = _EVERY[fired.trigger](draft)
        base = max(fired.due_at, at)
        return (every.after(base, calendar) if fired.nth < times else None), base
    chases = _CHASES[fired.trigger](draft)
    if fired.nth >= len(chases):
        return None, at
    planned = chases[fired.nth].after(fired.counts_from, calendar)
    if planned > at:
        return planned, fired.counts_from
    return chases[fired.nth].minus(chases[fired.nth - 1]).after(at, calendar), at
