"""From a report to its verdict: applied, refused or kept as an exception (docs/process.md, part 2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from language import tr
from workflow.case import claims
from workflow.case.case import Attempt, Case, Correction, Detail, Details, Report, replace_fields
from workflow.case.facts import with_former_buyer
from workflow.case.money import show_amount
from workflow.comparing import contradicted, is_as_told
from workflow.draft import Event
from workflow.errors import InvalidTransition, OrderError, Refused
from workflow.process import (
    ABOUT_A_LEFT_ATTEMPT,
    ABOUT_PARCELS,
    CORRECTED,
    CORRECTIONS,
    MONEY_CAME,
    NEED_A_PERSON,
    OLDER_NEWS,
    PARCEL_REPORTS,
    SUPPLIER_REPORTS,
    UNPLACED,
)
from workflow.reports import FIELDS, PERSONS_ALONE
from workflow.rules import parcels
from workflow.rules.guards import NO_SUCH_ATTEMPT
from workflow.step import Step, carry_out, step, without_booked_money
from workflow.table import ROWS_BY_STATE_AND_TRIGGER
from workflow.values import value_class
from workflow.vocabulary import PERSON, State, Verdict

if TYPE_CHECKING:
    from workflow.policy.policy import Rules

PEOPLE = ("person:", "api:")
"""Actors that are told at once; what others report and cannot be applied is kept as an exception."""
NO_SUCH_PARCEL = "no parcel of the order has that tracking number (`show` lists them)"
OF_PARCEL = (*CORRECTED, "parcel", "same_as")
"""What is amended of a parcel."""
ANOTHER_HAS_THAT_NUMBER = "another parcel of the order has that tracking number (`show` lists them)"


@value_class(frozen=True, slots=True)
class Received:
    """A report with its verdict; `error` says why it was not applied, `step` what it did when it was."""

    report: Report
    verdict: Verdict
    error: OrderError | None = None
    step: Step | None = None
    flag: str | None = None
    """Why the order needs a person because of an exception."""


def receive(case: Case, report: Report, now: datetime, rules: Rules) -> tuple[Case, list[Received]]:
    """Apply a report to the case, and with it those kept reports that it makes applicable.

    Returns the case afterwards and a verdict for each report that has a new one, this one first.
    """
    if report.id is not None:  # it was kept, and is judged again
        case = replace_fields(case, waiting=tuple(one for one in case.waiting if one.id != report.id))
    received = _correct(case, report, now, rules) if isinstance(report, Correction) else _judge(case, report, now, rules)
    if received.verdict is Verdict.exception and _needs_a_person(case, report):
        received = replace(received, flag=UNPLACED)
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


def _needs_a_person(case: Case, report: Report) -> bool:
    """Say whether an exception is about money, the parcel's end, or goods whose money is asked back (rule 2.16)."""
    return report.trigger in NEED_A_PERSON or _is_sent_and_refunded(case, report)


def _is_sent_and_refunded(case: Case, report: Report) -> bool:
    """Say whether a report tells of a parcel although the order's money is asked back."""
    return case.state is State.refunding and report.trigger in PARCEL_REPORTS


def _after(case: Case, received: Received) -> Case:
    """Return the case after a verdict; a parcel's report that could not be applied is kept on it."""
    report = received.report
    if received.verdict is Verdict.waiting:
        case = received.step.case if received.step else case
        return replace_fields(case, asking=(*case.asking, report))
    if received.step is not None:
        return received.step.case
    if report.trigger in PARCEL_REPORTS and not isinstance(report, Correction):
        return replace_fields(case, waiting=(*case.waiting, report))
    return case


def judge_asking(case: Case, now: datetime, rules: Rules) -> tuple[Case, list[Received]]:
    """Judge the reports anew that waited for a decision which has ended; what has no place any more is noted (rule 5.9)."""
    verdicts: list[Received] = []
    while case.asking and case.decision is None:
        report, *others = case.asking
        case = replace_fields(case, asking=tuple(others))
        received = _judge(case, report, now, rules)
        if received.verdict in (Verdict.refused, Verdict.exception):
            received = _noted(case, report, now, rules)
        case = _after(case, received)
        verdicts.append(received)
    return case, verdicts


def _noted(case: Case, report: Report, now: datetime, rules: Rules) -> Received:
    """Note a report that has no place any more; the sum that a closing names has come all the same (rule 4.8)."""
    event = without_booked_money(case, _event(case, report, now))
    about = _attempt_meant(case, event)
    if report.trigger != "report_closed" or event.fields.get("amount") is None or about is None:
        return Received(report, Verdict.applied)
    return _of_a_left_attempt(case, event, about, report, rules)


def _of_a_left_attempt(case: Case, event: Event, about: Attempt, report: Report, rules: Rules) -> Received:
    """Note a report on an attempt that is not current any more, and book the sum that it names."""
    came, owed = event.fields.get("amount"), claims.owed_for(case, about.number)
    if came is not None and owed is not None and int(came) > owed:
        return _not_applicable(
            case, report, tr("no more than was paid for attempt {number} can come back of it", number=about.number)
        )
    event = replace(event, fields={**event.fields, "attempt": about.number})
    made = carry_out(case, event, rules, ABOUT_A_LEFT_ATTEMPT[event.trigger], None)
    return Received(report, Verdict.applied, step=made)


def _without(waiting: Iterable[Report], report: Report) -> tuple[Report, ...]:
    return tuple(one for one in waiting if one is not report)


def _judge(case: Case, report: Report, now: datetime, rules: Rules) -> Received:
    if report.trigger == "amend" and is_as_told(case, report):
        return Received(report, Verdict.applied)
    if why := _may_not_be_told(case, report, now, rules):
        return _not_applicable(case, report, why)
    event = _event(case, report, now)
    if report.trigger in SUPPLIER_REPORTS and case.attempts:
        about = _attempt_meant(case, event)
        if about is None:
            return Received(report, Verdict.refused, Refused(case.name, case.state, report.trigger, NO_SUCH_ATTEMPT))
        if about is not case.attempt:
            return _of_another_attempt(case, event, about, rules)
    if report.trigger in ABOUT_PARCELS and case.attempts:
        return _of_parcels(case, event, report, rules)
    if report.trigger == "amend" and not report.fields.keys().isdisjoint(OF_PARCEL):
        amended = parcels.amend(case, event)
        if isinstance(amended, str):
            return Received(report, Verdict.refused, Refused(case.name, case.state, report.trigger, amended))
        event = event.with_parcels(amended)
    received = _take(case, event, report, rules)
    if report.trigger == "amend" and received.step:
        received = replace(received, report=with_former_buyer(case, report))
    return received


def _take(case: Case, event: Event, report: Report, rules: Rules) -> Received:
    try:
        made = step(case, event, rules)
    except (InvalidTransition, Refused) as error:
        return Received(report, _verdict_of(error, case, report), error)
    if made.waits:  # behind another decision nothing happens to the order yet
        return Received(report, Verdict.waiting, step=None if case.decision else made)
    return Received(report, Verdict.applied, step=made)


def _may_not_be_told(case: Case, report: Report, now: datetime, rules: Rules) -> str | None:
    """Say why a report is not judged at all: it is dated ahead of now, mistyped, or a person's alone; None: it is."""
    if report.at > now + rules.policy.reports.ahead_of_now.span():
        return tr("it is dated {at}, ahead of now", at=report.at.isoformat())
    if report.actor.startswith(PERSON):
        return None if report.fields.get("anyway") else _looks_mistyped(case, report)
    if report.trigger not in PERSONS_ALONE:
        return None
    command = tr("`aftersales report ID {trigger}`", trigger=report.trigger)
    if "was" not in report.fields:
        return tr("only a person may do that: {command}", command=command)
    name, told = contradicted(report)
    what = (
        tr("a person may change that ({command}, then `exceptions retry`), or close this", command=command)
        if name in FIELDS["amend"]
        else tr("that stays: close this")
    )
    return tr("{name} is {was}, and told as {told}: {what}", name=name, was=report.fields["was"], told=told, what=what)


def _looks_mistyped(case: Case, report: Report) -> str | None:
    """Say why the date that a person has typed can hardly be right (rule 2.17)."""
    if report.at < case.order.placed_at:
        return tr(
            "it is dated before the order was placed ({placed_at}): add `--anyway` if that is right",
            placed_at=case.order.placed_at.isoformat(),
        )
    if report.trigger in ABOUT_PARCELS and case.attempts:
        number = report.fields.get("tracking_number")
        mine = [one for one in parcels.of_attempt(case.parcels, case.current) if number in (None, one.tracking_number)]
        last = max((one.news[-1][0] for one in mine if one.news), default=report.at)
        if report.at < last:
            return tr(
                "it is dated before the last news of the parcel ({last}): add `--anyway` if that is right",
                last=last.isoformat(),
            )
    ship_by = report.fields.get("ship_by")
    if ship_by is not None and datetime.fromisoformat(str(ship_by)) < case.order.placed_at:
        return tr("that ship date is before the order was placed: add `--anyway` if that is right")
    return None


def _verdict_of(error: OrderError, case: Case, report: Report) -> Verdict:
    """Return the verdict on a report that was not applied.

    Money that came, and what was sent although the money is asked back, is kept for a person whatever turned it down.
    """
    is_kept = report.trigger in MONEY_CAME or _is_sent_and_refunded(case, report)
    return Verdict.refused if isinstance(error, Refused) and not is_kept else _verdict_not_applicable(report)


def _not_applicable(case: Case, report: Report, why: str) -> Received:
    return Received(report, _verdict_not_applicable(report), InvalidTransition(case.name, case.state, report.trigger, why))


def _verdict_not_applicable(report: Report) -> Verdict:
    return Verdict.refused if report.actor.startswith(PEOPLE) else Verdict.exception


def _event(case: Case, report: Report, now: datetime) -> Event:
    """A report dated before its order was placed is applied at the instant of placing, and marked (rule 2.10)."""
    at, fields = report.at, report.fields
    if at < case.order.placed_at:
        at, fields = case.order.placed_at, {**fields, "reported_at": at.isoformat()}
    return Event(report.trigger, at, now, report.actor, fields, report=report)


# --- what is said again under the key of something that was applied (rule 2.14) ---


def _correct(case: Case, report: Correction, now: datetime, rules: Rules) -> Received:
    """Take what a correction adds or may change; what contradicts something that was applied is kept for a person."""
    told = report.corrects
    assert told is not None, "a correction is of another report"
    if report.trigger == told.trigger and _is_further_news(report, told):
        return _judge(case, report, now, rules)
    was, says = {**told.fields, "at": told.at.isoformat()}, {**report.fields, "at": report.at.isoformat()}
    says = {name: value for name, value in says.items() if name != "reason" and value not in (None, was.get(name))}
    changed = [name for name in says if was.get(name) is not None]
    if report.trigger != told.trigger:
        return _not_applicable(case, report, tr("its sender has told {trigger} under the same key", trigger=told.trigger))
    if not says:
        return Received(report, Verdict.applied)
    if _names_its_parcel(case, told, says):
        return Received(report, Verdict.applied)
    if report.trigger not in CORRECTIONS or not {*changed} <= {*CORRECTED} or _waits(case, told):
        shown = "; ".join(_difference(case, report.trigger, name, was.get(name), says[name]) for name in changed or says)
        return _not_applicable(
            case,
            report,
            tr("it contradicts what was reported before: {shown} (another one needs another time: `--at`)", shown=shown),
        )
    event = replace(_event(case, report, now), fields={**says, "correction": True})
    if report.trigger in SUPPLIER_REPORTS:
        about = _attempt_meant(case, _event(case, told, now))
        assert about is not None, "it was applied to that attempt"
        event = replace(event, fields={**event.fields, "attempt": about.number})
    if {*says} & {*CORRECTED}:
        corrected = parcels.correct(case, event, told)
        if corrected is None:
            return _not_applicable(case, report, ANOTHER_HAS_THAT_NUMBER)
        event = event.with_parcels(corrected)
    return Received(report, Verdict.applied, step=carry_out(case, event, rules, CORRECTIONS[report.trigger], None))


def _names_its_parcel(case: Case, told: Report, says: Details) -> bool:
    """Say whether no more is told than which parcel a report was about, and that parcel has its news."""
    names = told.trigger != "ship" and says.keys() == {"tracking_number"}
    return names and parcels.has_news(case, told, str(says["tracking_number"]))


def _difference(case: Case, trigger: str, name: str, was: Detail, is_now: Detail) -> str:
    is_sum = name in FIELDS[trigger] and FIELDS[trigger][name].kind == "amount"
    values = (show_amount(int(one), case.order.currency) if is_sum and one is not None else one for one in (was, is_now))
    before, now = (tr("not told") if one is None else one for one in values)
    return tr("{name} was {before} and is {now}", name=name, before=before, now=now)


def _is_further_news(report: Report, told: Report) -> bool:
    """Say whether a report adds to what was said under its key: a carrier's next status, or a later promise."""
    if report.trigger == "promise":
        return datetime.fromisoformat(str(report.fields["ship_by"])) > datetime.fromisoformat(str(told.fields["ship_by"]))
    return report.trigger == "note_transit"


def _waits(case: Case, report: Report) -> bool:
    return any((one.source, one.key) == (report.source, report.key) for one in case.asking)


# --- which attempt a report of a supplier is about (rule 2.12) ---


def _attempt_meant(case: Case, event: Event) -> Attempt | None:
    """Return the attempt that a report names, else the one that was current when it occurred; None: there is no such one."""
    if event.fields.get("attempt") is not None or event.fields.get("supplier") is not None:
        return case.named_attempt(event.fields)
    number = event.fields.get("tracking_number")
    sent = {one.attempt for one in case.parcels if one.tracking_number == number} if number is not None else set()
    return case.attempts[sent.pop() - 1] if len(sent) == 1 else case.attempt_at(event.at)


def _of_another_attempt(case: Case, event: Event, about: Attempt, rules: Rules) -> Received:
    """Take a report about an attempt that is not current any more: it is noted, or its goods make it current again."""
    report = event.report
    assert report is not None, "only reports are about attempts"
    event = replace(event, fields={**event.fields, "attempt": about.number})
    if event.trigger in ABOUT_A_LEFT_ATTEMPT:
        return _of_a_left_attempt(case, event, about, report, rules)
    rows = ROWS_BY_STATE_AND_TRIGGER.get((str(case.state), event.trigger), ())
    if about.number > case.current or not any("earlier_attempt" in row.guards for row in rows):
        return _not_applicable(
            case,
            report,
            tr(
                "it is about attempt {number} ({supplier}), which is not current any more",
                number=about.number,
                supplier=about.supplier,
            ),
        )
    news = parcels.take_in(case, event, about)
    if news is None:
        return _not_applicable(case, report, NO_SUCH_PARCEL)
    try:
        made = step(case, event.with_parcels(news.parcels), rules)
    except Refused as error:
        return Received(report, _verdict_not_applicable(report), error)
    return Received(report, Verdict.applied, step=made)


# --- one parcel's reports, in whatever order they arrive (rule 2.6) ---


def _of_parcels(case: Case, event: Event, report: Report, rules: Rules) -> Received:
    """Take a report of the current attempt's parcels; older news moves the order only where it changes what is newest."""
    news = parcels.take_in(case, event, case.attempt)
    if news is None:
        return _not_applicable(case, report, NO_SUCH_PARCEL)
    event = event.with_parcels(news.parcels)
    stands = parcels.position_of(case) if news.is_older else None
    if stands is None or report.trigger not in PARCEL_REPORTS:
        return _take(case, event, report, rules)
    was_allowed, where = parcels.in_order(case, event, case.attempt, news.about)
    if not was_allowed:
        return _not_applicable(case, report, tr("it is older news, and was not allowed when it occurred"))
    received = Received(report, Verdict.refused) if where is stands else _take(case, event, report, rules)
    if received.step is not None:
        return received
    return Received(report, Verdict.applied, step=_fill(case, event, rules))  # kept reports are judged again after it


def _fill(case: Case, event: Event, rules: Rules) -> Step:
    """Write older news into the history; the state stays as it is."""
    return carry_out(case, replace(event, fields={**event.fields, "older_news": True}), rules, OLDER_NEWS[event.trigger], None)
