"""When timers start, pause, resume, repeat and end (docs/process.md, part 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from workflow.case.case import Case, Parcel, Timer, made, replace_fields
from workflow.draft import Draft
from workflow.policy.durations import Duration
from workflow.process import END_CLAIM_WITHOUT_REMEDY, NOT_OF_HISTORICAL, REST_WHILE_UNREAD, STOPPED_BY_CLOSURES, UNREAD
from workflow.rules import parcels
from workflow.table import CLOCK_OF, STARTED_BY
from workflow.values import value_class
from workflow.vocabulary import State, TimerStatus

if TYPE_CHECKING:
    from workflow.policy.policy import Policy, Rules


def enter(draft: Draft, state: State) -> None:
    """Let the timers of the state that is left end, pause or wait, and start those of `state` (rule 3.5)."""
    for timer in draft.case.timers:
        clock = CLOCK_OF[timer.trigger]
        if state in clock.waits_in:
            _wait(draft, timer)
        elif state in clock.pauses_in and state not in clock.starts_on:
            _pause(draft, timer)
        elif state in clock.starts_on or state not in clock.runs_in:
            end(draft, timer)
    for trigger in STARTED_BY[state]:
        start(draft, trigger)


def go_back(draft: Draft, state: State) -> None:
    """Resume what was paused or waits, the paused span added; whatever does not run in `state` ends (rule 3.5)."""
    for timer in draft.case.timers:
        if state not in CLOCK_OF[timer.trigger].runs_in:
            end(draft, timer)
        elif timer.status == TimerStatus.paused and timer.paused_by is None:
            _resume(draft, timer)


def return_later_to(draft: Draft, state: State) -> None:
    """Change the state that the order goes back to; the clocks of `state` start paused or wait (rule 3.6)."""
    for timer in draft.case.timers:
        clock = CLOCK_OF[timer.trigger]
        if timer.status == TimerStatus.paused and draft.case.state not in clock.runs_in and state not in clock.runs_in:
            end(draft, timer)
    for trigger in STARTED_BY[state]:
        start(draft, trigger, paused=True)


def start(
    draft: Draft,
    trigger: str,
    *,
    paused: bool = False,
    paused_by: str | None = None,
    ledger: int | None = None,
    claim: int | None = None,
    counts_from: datetime | None = None,
) -> None:
    """Start the timer of `trigger`, counting from what its rule says (or from an instant); one that runs already ends.

    If a person has paused that one, the new one is paused by them too (rule 3.10).
    """
    for timer in draft.case.timers:
        if timer.trigger == trigger and timer.ledger == ledger and timer.claim == claim:
            by_person = None if timer.paused_by == UNREAD else timer.paused_by
            paused, paused_by = paused or by_person is not None, paused_by or by_person
            end(draft, timer)
    since = counts_from or _since_news(draft, trigger) or draft.event.at
    planned = plan(draft.case, draft.rules, trigger, since, ledger=ledger)
    if planned is None:
        return
    about: dict[str, Any] = {"ledger": ledger, "claim": claim, "paused_by": paused_by}
    if paused:
        waits = draft.case.state in CLOCK_OF[trigger].waits_in
        about |= {"status": TimerStatus.paused, "paused_at": None if waits else _stopped_at(draft, since)}
    elif rests(draft.case, trigger):
        about |= RESTING
    _add(draft, trigger, planned[0], planned, about)


def _add(draft: Draft, trigger: str, due_at: datetime, planned: Plan, about: Mapping[str, Any]) -> None:
    """Add a timer that is due at `due_at`; `about` are its fields that differ from the defaults."""
    planned_at, counts_from, provisional = planned
    fields = {
        "number": draft.case.timers_made + 1,
        "trigger": trigger,
        "due_at": due_at,
        "planned_at": planned_at,
        "counts_from": counts_from,
        "policy": draft.rules.version,
        "provisional": provisional,
    }
    draft.add_timer(made(Timer, {**_DEFAULTS, **fields, **about}))


_DEFAULTS = {one.name: one.default for one in fields(Timer) if one.default is not MISSING}


def restart_if_running(draft: Draft, *triggers: str) -> None:
    """Count the running timers of `triggers` anew."""
    for timer in draft.case.timers:
        if timer.trigger in triggers:
            start(draft, timer.trigger)


def recount(draft: Draft, *triggers: str) -> None:
    """Count the timers of `triggers` anew, those that stand still too: what is paused stays so, since when it was."""
    for timer in draft.case.timers:
        if timer.trigger in triggers:
            _count_anew(draft, timer, draft.event.at, timer.paused_at)


def _count_anew(draft: Draft, timer: Timer, since: datetime, paused_at: datetime | None) -> None:
    end(draft, timer)
    planned = plan(draft.case, draft.rules, timer.trigger, since)
    if planned is not None:
        paused = {"status": timer.status, "paused_at": paused_at, "paused_by": timer.paused_by}
        _add(draft, timer.trigger, planned[0], planned, paused if timer.status is TimerStatus.paused else {})


def follow_parcels(draft: Draft) -> None:
    """Count those clocks anew that count from the news of parcels, if that has changed and they have not fired yet."""
    for timer in draft.case.timers:
        since = _since_news(draft, timer.trigger)
        if since is not None and since != timer.counts_from and timer.nth == 1:
            is_by_state = timer.paused_by is None and timer.paused_at is not None
            _count_anew(draft, timer, since, _stopped_at(draft, since) if is_by_state else timer.paused_at)


def _stopped_at(draft: Draft, since: datetime) -> datetime:
    """Return when a clock stopped that counts from `since`: late news may be older than what stops it."""
    return max(since, draft.case.since or since)


def _since_news(draft: Draft, trigger: str) -> datetime | None:
    """Return what a clock counts from, where that is the news of parcels which a report tells."""
    told = draft.event.parcels
    if told is None or trigger not in _COUNT_FROM_NEWS:
        return None
    return _COUNT_FROM_NEWS[trigger](parcels.of_attempt(told, draft.case.current))


_COUNT_FROM_NEWS: dict[str, Callable[[Iterable[Parcel]], datetime | None]] = {
    "stall": parcels.last_news,
    "remind_customs": parcels.held_since,
}


def start_if_off(draft: Draft, *triggers: str) -> None:
    """Start those of `triggers` that start in the state of the order and have no timer: a person or a decline ended it."""
    assert draft.case.state is not None, "an order that was placed has a state"
    running = {timer.trigger for timer in draft.case.timers}
    for trigger in STARTED_BY[draft.case.state]:
        if trigger in triggers and trigger not in running:
            start(draft, trigger)


def end(draft: Draft, timer: Timer) -> None:
    """End a timer that will not fire any more."""
    draft.drop_timer(replace_fields(timer, status=TimerStatus.cancelled, paused_at=None))


def end_all(draft: Draft, *triggers: str) -> None:
    """End the timers of `triggers`."""
    for timer in draft.case.timers:
        if timer.trigger in triggers:
            end(draft, timer)


def repeat(draft: Draft, fired: Timer) -> bool:
    """Set the next timer of a clock that fires again; return False after its last time (rule 3.7)."""
    next_time = _next(draft, fired)
    if next_time is None:
        return False
    due_at, planned = next_time
    _add(draft, fired.trigger, due_at, planned, {"nth": fired.nth + 1, "ledger": fired.ledger, "claim": fired.claim})
    return True


def _pause(draft: Draft, timer: Timer) -> None:
    if timer.status == TimerStatus.pending:
        draft.change_timer(replace_fields(timer, status=TimerStatus.paused, paused_at=draft.event.at))


def _wait(draft: Draft, timer: Timer) -> None:
    """Stop a timer that keeps its instant; what is past when the order comes back fires then."""
    if timer.status == TimerStatus.pending:
        draft.change_timer(replace_fields(timer, status=TimerStatus.paused))


RESTING: Mapping[str, Any] = {"status": TimerStatus.paused, "paused_by": UNREAD, "paused_at": None}
"""How a clock stands that keeps its instant until a file can be read (rule 7.10)."""


def rests(case: Case, trigger: str) -> bool:
    """Say whether a clock does not run because a report of a file cannot be read."""
    return case.unread is not None and trigger in REST_WHILE_UNREAD


def rest_while_unread(draft: Draft) -> None:
    """Stop the clocks that run, and are not to, while a report cannot be read; let them run on when all can be."""
    for timer in draft.case.timers:
        if rests(draft.case, timer.trigger) and timer.status is TimerStatus.pending:
            draft.change_timer(replace_fields(timer, **RESTING))
        elif draft.case.unread is None and timer.paused_by == UNREAD:
            runs = draft.case.state in CLOCK_OF[timer.trigger].runs_in
            draft.change_timer(replace_fields(timer, paused_by=None, **({"status": TimerStatus.pending} if runs else {})))


def rest(draft: Draft, *triggers: str) -> None:
    """Let clocks keep their instants and not fire while a report waits for a decision (rule 5.9)."""
    for timer in draft.case.timers:
        if timer.trigger in triggers:
            _wait(draft, timer)


def wake(draft: Draft, *triggers: str) -> None:
    """Let what waited for a decision, or behind one, run on; clocks of `triggers` that rested for it too."""
    for timer in draft.case.timers:
        rested = timer.trigger in triggers and timer.status is TimerStatus.paused and timer.paused_at is None
        if timer.status is TimerStatus.waiting or (rested and timer.paused_by is None):
            draft.change_timer(replace_fields(timer, status=TimerStatus.pending))
    rest_while_unread(draft)


def _resume(draft: Draft, timer: Timer) -> None:
    """Let a timer run on; one that waited keeps its instant, unless the buyer is to have time to answer (rule 8.4)."""
    at, due_at = draft.event.at, timer.due_at
    if timer.paused_at is not None:
        draft.note(paused_seconds=int(timer.paused_span(at).total_seconds()))
        due_at = resumed(draft, timer)
    elif draft.event.trigger in END_CLAIM_WITHOUT_REMEDY:
        due_at = max(due_at, at + draft.rules.of(draft.case).claims.reopen_within.span())
    running = {"status": TimerStatus.pending, "paused_at": None}
    draft.change_timer(replace_fields(timer, due_at=due_at, **(RESTING if rests(draft.case, timer.trigger) else running)))


def resumed(draft: Draft, timer: Timer) -> datetime:
    """Return when a paused timer is due that runs on: a span that was paused and closed is left out once (rule 3.11)."""
    at, closures = draft.event.at, draft.rules.closures
    if closures and timer.trigger in STOPPED_BY_CLOSURES and timer.paused_at is not None:
        supplier = _with_its_supplier(draft.case, timer.ledger).attempt.supplier
        return closures.resumed(timer.due_at, timer.paused_at, at, supplier)
    return timer.due_at + timer.paused_span(at)


# --- when a timer is due ---

Plan = tuple[datetime, datetime, bool]
"""When a timer is due by its rule, what it counts from, and whether that is provisional (rule 3.4)."""


@value_class(frozen=True, slots=True)
class DeadlineContext:
    """What a deadline depends on: the case, the policy as it counts for it, and the instant that it counts from."""

    case: Case
    policy: Policy
    at: datetime
    rules: Rules


Deadline = tuple[datetime, Duration]
"""What a timer counts from, and how long."""


def plan(case: Case, rules: Rules, trigger: str, at: datetime, *, nth: int = 1, ledger: int | None = None) -> Plan | None:
    """Return when the `nth` timer of a clock is due that counts from `at`; None where the order has no such clock.

    The overdue clocks count from the promised ship date instead (rule 3.2).
    """
    if case.historical and trigger in NOT_OF_HISTORICAL:
        return None
    ask = DeadlineContext(case, rules.of(_with_its_supplier(case, ledger)), at, rules)
    if trigger in _CHASES:
        chases = _CHASES[trigger](ask.policy)
        deadlines = [(at, chases[nth - 1])] if nth <= len(chases) else []
    elif trigger in _EVERY:
        every, times = _EVERY[trigger](ask.policy)
        deadlines = [(at, every)] if nth <= times else []
    else:
        deadlines = _DEADLINES[trigger](ask)
    if not deadlines:
        return None
    if trigger in STOPPED_BY_CLOSURES and rules.closures:
        supplier = _with_its_supplier(case, ledger).attempt.supplier
        due = [(rules.closures.after(base, supplier, duration), base, duration) for base, duration in deadlines]
    else:
        due = [(duration.after(base, rules.calendar), base, duration) for base, duration in deadlines]
    due_at, base, duration = due[0] if len(due) == 1 else max(due, key=lambda one: one[0])
    return due_at, base, duration.unit == "wd" and rules.calendar.is_deadline_provisional(base, duration.count)


def closed_meanwhile(case: Case, timer: Timer, rules: Rules) -> list[tuple[date, date]]:
    """Return from which to which day the supplier of a timer is closed while it runs: these do not count (rule 3.11)."""
    if timer.trigger not in STOPPED_BY_CLOSURES or not rules.closures:
        return []
    supplier = _with_its_supplier(case, timer.ledger).attempt.supplier
    return rules.closures.between(timer.counts_from, timer.due_at, supplier)


def _with_its_supplier(case: Case, ledger: int | None) -> Case:
    """Return the case with the supplier that a timer is about as the current one: of a recovery, the one that was left."""
    if ledger is None:
        return case
    return replace_fields(case, current=next(row.attempt for row in case.ledger if row.number == ledger))


def _overdue_base(ask: DeadlineContext) -> datetime | None:
    """Return what the overdue clocks count from, or None where the policy has none (rule 3.2)."""
    overdue, attempt = ask.policy.overdue, ask.case.attempt
    if ask.case.order.route not in overdue.routes:
        return None
    return attempt.counts_from or attempt.ship_by or overdue.handling_time.after(attempt.placed_at, ask.rules.calendar)


def _urge(ask: DeadlineContext) -> list[Deadline]:
    base = _overdue_base(ask)
    return [(base, ask.policy.overdue.urge_after)] if base else []


def _reroute(ask: DeadlineContext) -> list[Deadline]:
    base, overdue = _overdue_base(ask), ask.policy.overdue
    if base is None:
        return []
    urged_at = ask.case.attempt.urged_at
    after_urge = [(urged_at, overdue.reroute_after_urge)] if urged_at else []
    return [(base, overdue.reroute_after), *after_urge]


_DEADLINES: dict[str, Callable[[DeadlineContext], list[Deadline]]] = {
    "urge": _urge,
    "reroute": _reroute,
    "fail_interception": lambda ask: [(ask.at, ask.policy.interception.fail_after)],
    "close": lambda ask: [(ask.case.attempt.delivered_at or ask.at, ask.policy.delivery.close_after)],
    "lapse_evidence": lambda ask: [(ask.at, ask.policy.claims.evidence_within)],
    "lapse_window": lambda ask: [(ask.at, ask.policy.claims.window)],
}
_EVERY: dict[str, Callable[[Policy], tuple[Duration, int]]] = {
    "stall": lambda policy: (policy.transit.stall_every, policy.transit.stall_times),
    "remind_customs": lambda policy: (policy.customs.remind_every, policy.customs.remind_times),
    "chase_verification": lambda policy: (policy.claims.chase_verification_every, policy.claims.chase_verification_times),
    "remind_decision": lambda policy: (policy.decisions.remind_every, policy.decisions.remind_times),
}
_CHASES: dict[str, Callable[[Policy], tuple[Duration, ...]]] = {
    "remind_window": lambda policy: policy.claims.remind_window_at,
    "chase_refund": lambda policy: policy.money.chase_refund_at,
    "chase_recovery": lambda policy: policy.money.chase_recovery_at,
}
DEADLINES = frozenset({*_DEADLINES, *_EVERY, *_CHASES})
"""The clocks that have a deadline rule."""


def deciding_lines(case: Case, rules: Rules, timer: Timer) -> tuple[str, ...]:
    """Name the lines of the policy that decide when a timer is due (rule 3.9)."""
    whose = rules.scope_of(_with_its_supplier(case, timer.ledger))
    settings = (name.split(".") for name in CLOCK_OF[timer.trigger].settings)
    return tuple(rules.policy.line_of(whose, section, name) for section, name in settings)


def _next(draft: Draft, fired: Timer) -> tuple[datetime, Plan] | None:
    """Return when a clock fires again, and what its rule alone would give; None after the last time (rule 3.7).

    What repeats at an interval counts from the firing when that was late. A chase that downtime has overtaken
    comes the planned distance after the firing, so that nothing comes in a burst.
    """
    case, rules, at = draft.case, draft.rules, draft.event.at
    policy, nth = rules.of(_with_its_supplier(case, fired.ledger)), fired.nth + 1
    if fired.trigger in _EVERY:
        every, _ = _EVERY[fired.trigger](policy)
        planned = plan(case, rules, fired.trigger, _base_of_next(fired, at, every, rules), nth=nth)
        return (planned[0], planned) if planned else None
    planned = plan(case, rules, fired.trigger, fired.counts_from, nth=nth, ledger=fired.ledger)
    if planned is None or planned[0] > at:
        return (planned[0], planned) if planned else None
    chases = _CHASES[fired.trigger](policy)
    return chases[nth - 1].minus(chases[nth - 2]).after(at, rules.calendar), planned


def _base_of_next(fired: Timer, at: datetime, every: Duration, rules: Rules) -> datetime:
    """Return what the next interval counts from: the firing, which was at the due instant, late, or early by a person.

    A deadline in working days lies at the end of a day, which is 00:00 of the next: that next day still counts.
    """
    if every.unit != "wd":
        return at
    zone = rules.calendar.zone
    on_time = at.astimezone(zone).date() == fired.due_at.astimezone(zone).date()
    return fired.due_at - timedelta(seconds=1) if on_time else at
