"""From a report to its verdict: applied, refused or kept as an exception (docs/process.md, part 2)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from workflow.case.case import Case, Report, replace_fields
from workflow.draft import Event
from workflow.errors import InvalidTransition, OrderError, Refused
from workflow.policy.policy import Rules
from workflow.process import PARCEL_REPORTS, UNSHIPPED
from workflow.step import Step, step, write
from workflow.vocabulary import Row, State, Target

PEOPLE = ("person:", "api:")
"""Actors that are told at once; what others report and cannot be applied is kept as an exception."""


class Verdict(StrEnum):
    """What became of a report (rule 2.9)."""

    applied = "applied"
    refused = "refused"
    exception = "exception"
    duplicate = "duplicate"


@dataclass(frozen=True, slots=True)
class Received:
    """A report with its verdict; `error` says why it was not applied, `step` what it did when it was."""

    report: Report
    verdict: Verdict
    error: OrderError | None = None
    step: Step | None = None


def receive(case: Case, report: Report, now: datetime, rules: Rules) -> tuple[Case, list[Received]]:
    """Apply a report to the case, and with it those kept reports that it makes applicable.

    Returns the case afterwards and a verdict for each report that has a new one, this one first.
    """
    received = _judge(case, report, now, rules)
    case = _after(case, received)
    verdicts = [received]
    if received.step is None or report.trigger not in PARCEL_REPORTS:
        return case, verdicts
    for later in sorted(case.waiting, key=lambda one: one.at):
        if report.at < later.at <= now + rules.policy.reports.ahead_of_now.span():
            again = _judge(replace_fields(case, waiting=_without(case.waiting, later)), later, now, rules)
            if again.step is not None:
                case = again.step.case
                verdicts.append(again)
    return case, verdicts


def _after(case: Case, received: Received) -> Case:
    """Return the case after a verdict; a parcel's report that could not be applied is kept on it."""
    report = received.report
    if received.step is not None:
        return received.step.case
    if report.trigger in PARCEL_REPORTS:
        return replace_fields(case, waiting=(*case.waiting, report))
    return case


def _without(waiting: Iterable[Report], report: Report) -> tuple[Report, ...]:
    return tuple(one for one in waiting if one is not report)


def _judge(case: Case, report: Report, now: datetime, rules: Rules) -> Received:
    if report.at > now + rules.policy.reports.ahead_of_now.span():
        return _without_place(case, report, f"it is dated {report.at.isoformat()}, ahead of now")
    event = _event(case, report, now)
    older = _is_older_news(case, report)
    had_place, place = _told_in_order(case, report) if older else (False, None)
    if older and not had_place:
        return _without_place(case, report, "it is older news, and was not allowed when it occurred")
    try:
        unmoved = older and place == _place_of(case)
        made = _fill(case, event, rules) if unmoved else step(case, event, rules)
    except (InvalidTransition, Refused) as error:
        if not older:
            return Received(report, _verdict_of(error, report), error)
        made = _fill(case, event, rules)  # kept reports are judged again after it
    return Received(report, Verdict.applied, step=_remember_parcel(made, report))


def _verdict_of(error: OrderError, report: Report) -> Verdict:
    return Verdict.refused if isinstance(error, Refused) else _verdict_without_place(report)


def _without_place(case: Case, report: Report, why: str) -> Received:
    return Received(report, _verdict_without_place(report), InvalidTransition(case.name, case.state, report.trigger, why))


def _verdict_without_place(report: Report) -> Verdict:
    return Verdict.refused if report.actor.startswith(PEOPLE) else Verdict.exception


def _event(case: Case, report: Report, now: datetime) -> Event:
    """A report dated before its order was placed is applied at the instant of placing, and marked (rule 2.10)."""
    at, fields = report.at, report.fields
    if at < case.order.placed_at:
        at, fields = case.order.placed_at, {**fields, "reported_at": at.isoformat()}
    return Event(report.trigger, at, now, report.actor, fields)


# --- one parcel's reports, in whatever order they arrive (rule 2.6) ---

_NEXT = {
    ("unshipped", "ship"): "shipped",
    ("unshipped", "deliver"): "delivered",
    ("shipped", "hold"): "held",
    ("shipped", "deliver"): "delivered",
    ("held", "release"): "shipped",
    ("held", "deliver"): "delivered",
}


def _is_older_news(case: Case, report: Report) -> bool:
    """Say whether the report is older than the last one of a parcel that still decides where the order is."""
    if report.trigger not in PARCEL_REPORTS or case.state is None or _place_of(case) is None:
        return False
    attempt = case.named_attempt(report.fields)
    if attempt is None or attempt.number != case.current:
        return False
    return bool(attempt.parcel) and report.at < attempt.parcel[-1][0]


def _place_of(case: Case) -> str | None:
    return _position(case.returns_to if case.state in (State.intercepting, State.disputed) else case.state)


def _position(state: State | None) -> str | None:
    """Return where a parcel is when its order is in `state`; None where parcels no longer decide."""
    if state in UNSHIPPED:
        return "unshipped"
    places = {
        State.shipped: "shipped",
        State.customs_hold: "held",
        State.delivered: "delivered",
        State.closed: "delivered",
    }
    return places.get(state) if state else None


def _told_in_order(case: Case, report: Report) -> tuple[bool, str]:
    """Return whether the report would have been allowed in order of occurrence, and where the parcel would be now."""
    waiting = [(one.at, one.trigger, False) for one in case.waiting]
    told = [(at, trigger, False) for at, trigger in case.attempt.parcel]
    had_place, position = False, "unshipped"
    for _, trigger, is_it in sorted([*told, *waiting, (report.at, report.trigger, True)], key=lambda one: one[0]):
        after = _NEXT.get((position, trigger))
        if is_it:
            had_place = after is not None or (position, trigger) in _FILLS or trigger == "note_transit"
        position = after or position
    return had_place, position


_FILLS = {("delivered", "ship")}


def _fill(case: Case, event: Event, rules: Rules) -> Step:
    """Write older news into the history; the state stays as it is."""
    does = ("take_shipment",) if event.trigger == "ship" else ()
    row = Row(event.trigger, None, Target.stays, does=does)
    return write(case, replace(event, fields={**event.fields, "older_news": True}), rules, row, None)


def _remember_parcel(made: Step, report: Report) -> Step:
    if report.trigger not in PARCEL_REPORTS:
        return made
    attempt = made.case.named_attempt(report.fields) or made.case.attempt
    told = [one for one in attempt.parcel if report.trigger != "note_transit" or one[1] != "note_transit"]
    if report.trigger == "note_transit":
        notes = [one for one in attempt.parcel if one[1] == "note_transit"]
        latest = max([report.at, *(at for at, _ in notes)])
        told.append((latest, "note_transit"))
    else:
        told.append((report.at, report.trigger))
    parcel = tuple(sorted(told, key=lambda one: one[0]))
    attempts = tuple(replace_fields(one, parcel=parcel) if one.number == attempt.number else one for one in made.case.attempts)
    return replace_fields(made, case=replace_fields(made.case, attempts=attempts))
