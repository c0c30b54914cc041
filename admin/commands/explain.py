"""explain: why an order is in its state, what fires next, and what a person may do."""

from collections.abc import Iterator
from typing import Any

import click

from admin.app import App, now
from admin.options import JSON
from admin.output import fields_of, print_json, print_wrapped
from admin.text import safe
from engine.explain import Explanation, explain
from workflow.arguments import argument
from workflow.case import claims
from workflow.case.case import Timer
from workflow.case.history import HistoryRow
from workflow.case.money import show_amount
from workflow.plurals import counted
from workflow.rules import parcels
from workflow.table import CLOCK_OF

SHOWN_REFUSED = 3


@click.command("explain")
@click.argument("identity", metavar="ID")
@JSON
@click.pass_context
def explain_command(ctx: click.Context, identity: str, as_json: bool) -> None:
    """Say why an order is where it is, what fires next and when, and what you may do now."""
    app = App(ctx)
    told = explain(app.ready(), identity, app.rules_for_reading(), now())
    if as_json:
        print_json(_explanation_json(told))
        return
    for line in (*_why(app, told), *_claim(app, told), *_next(app, told), *_your_turn(app, told)):
        print_wrapped(line)


def _explanation_json(told: Explanation) -> dict[str, Any]:
    timers = ("trigger", "due_at", "status", "counts_from", "policy", "provisional")
    why = ("trigger", "occurred", "due", "actor", "reason")
    return {
        "order": told.case.name,
        "state": str(told.case.state),
        "why": {name: getattr(told.why, name) for name in why},
        "timers": [{name: getattr(timer, name) for name in timers} for timer in told.timers],
        "allowed": told.allowed,
        "attention": [flag for flag, _, _ in told.attention],
        "refused": [{"trigger": trigger, "occurred": at, "reason": reason} for trigger, at, reason in told.refused],
        "decision": fields_of(told.standing.decision) | {"ways": told.standing.ways, "ends": told.standing.ends}
        if told.standing
        else None,
        "observed": told.observed,
        "historical": told.case.historical,
        "led": [{name: getattr(row, name) for name in (*why, "target")} for row in told.led],
        "money": [fields_of(one) for one in told.money],
        "noted": [{"trigger": trigger, "occurred": at} for trigger, at in told.noted],
        "claim": fields_of(told.case.claim) if told.case.claim else None,
        "decided_by": told.decided_by,
    }


def _why(app: App, told: Explanation) -> Iterator[str]:
    case = told.case
    yield f"Order {safe(case.name)} is {case.state}: {told.meaning}."
    cause, supplier = safe(_cause(app, told.why)), safe(told.supplier)
    yield f"Since {app.when(case.since)}, by {cause}; current supplier: {supplier}."
    if case.historical:
        yield "It was old when it was imported: until you move it, nobody but you is written to, and nothing is ordered anew."
    for trigger, at in told.noted:
        yield f"{trigger} of {app.when(at, how_far=False)} was noted, and the order stays: report it yourself to move it."
    sent = parcels.of_attempt(case.parcels, case.current)
    if len(sent) > 1:
        where = (f"{one.tracking_number or f'parcel {one.number}'} is {parcels.position(one.news)}" for one in sent)
        yield f"It was sent in {counted(len(sent), 'parcel')}: {safe(', '.join(where))}."
    yield from _how_it_ended(app, told)
    for claim in case.claims:
        if claim.replacement:
            yield f"It was replaced by order {safe(case.order.shop)}/{safe(claim.replacement)} (claim {claim.number})."
    if case.order.replaces:
        yield f"It replaces order {safe(case.order.shop)}/{safe(case.order.replaces)}."
    if case.returns_to:
        yield f"It goes back to {case.returns_to} if that comes to nothing."


def _how_it_ended(app: App, told: Explanation) -> Iterator[str]:
    """Say which steps led to the end of an order, who has decided them, and what has come of the money."""
    if told.why.trigger == "unlink":
        yield "It was called off: the step that had placed it as a replacement was taken back, and nothing came of it."
    if told.led:
        yield "How it came to this:" if told.has_ended else "You have decided since:"
    for row in told.led:
        decided = f" (decided: {row.details['way']})" if "way" in row.details else ""
        yield f"      {app.when(row.occurred, how_far=False)}  {row.target}: {safe(_cause(app, row))}{decided}"
    currency = told.case.order.currency
    for one in told.money:
        missing = "a sum that is not known" if one.missing is None else show_amount(one.missing, currency)
        parts = (
            f"{show_amount(one.came, currency)} has come" if one.came or (one.missing == 0 and not one.declined) else None,
            f"{missing} is asked for" if one.missing != 0 else None,
            f"{show_amount(one.declined, currency)} was declined" if one.declined else None,
        )
        yield f"Money of {safe(one.party)}: {', '.join(filter(None, parts))}."


def _cause(app: App, step: HistoryRow) -> str:
    late = f", due {app.when(step.due, how_far=False)}" if step.due and step.due != step.occurred else ""
    reason = f" ({step.reason})" if step.reason else ""
    return f"{step.trigger} by {'its timer' if step.actor == 'timer' else step.actor}{late}{reason}"


def _claim(app: App, told: Explanation) -> Iterator[str]:
    """Say who must act in a dispute until when, and what happens otherwise."""
    case, claim = told.case, told.case.claim
    if claim is None:
        return
    pieces = safe(claims.written(case, dict(claim.pieces)))
    asked = f"the customer asks for {claim.remedy}; {counted(len(claim.evidence), 'piece')} of evidence"
    yield f"Claim {claim.number} ({claim.kind}): {pieces}; {asked}."
    for line in told.dispute:
        moment = f" until {app.when(line.until)}" if line.until else ""
        yield f"{line.party}{moment} {line.what}{f' If nothing happens: {line.otherwise}.' if line.otherwise else ''}"
    for moment_of, trigger in told.meanwhile:
        yield f"Meanwhile the parcel: {trigger} of {app.when(moment_of, how_far=False)}."
    for location in told.seen_elsewhere:
        yield f"Look twice: {safe(location)}."


def _next(app: App, told: Explanation) -> Iterator[str]:
    for timer in told.timers:
        provisional = "; provisional: that year's working days are not announced yet" if timer.provisional else ""
        moment = app.when(timer.due_at) if timer.status == "pending" else _stopped(app, timer)
        by = f" by {safe(told.moved_by[timer.number])}" if timer.number in told.moved_by else ""
        planned, due = (app.when(at, how_far=False) for at in (timer.planned_at, timer.due_at))
        moved = f"; moved from {planned}{by}" if planned != due else ""
        counts = f"counts from {app.when(timer.counts_from, how_far=False)}"
        lines = "; ".join(told.decided_by[timer.number])
        yield f"Next: {moment}: {CLOCK_OF[timer.trigger].meaning}"
        for first, last in told.closed[timer.number]:
            yield f"      its supplier is closed from {first} to {last}: these days do not count"
        yield f"      [{timer.trigger}#{timer.number}; {counts}; policy {timer.policy}: {safe(lines)}{moved}{provisional}]"
    if not told.timers:
        yield "Next: nothing fires by itself any more."


def _stopped(app: App, timer: Timer) -> str:
    if timer.status == "waiting":
        return f"due {app.when(timer.due_at, how_far=False)}, when you decide so"
    if timer.paused_by:
        return f"paused by {safe(timer.paused_by)}"
    return "paused" if timer.paused_at else f"waits (due {app.when(timer.due_at, how_far=False)})"


def _your_turn(app: App, told: Explanation) -> Iterator[str]:
    name = argument(safe(told.case.name))
    if told.standing:
        one = told.standing.decision
        asleep = f", and sleeps until {app.when(one.sleeps_until)}" if one.sleeps(now()) else ""
        ends = f"; the time for it ends {app.when(told.standing.ends)}" if told.standing.ends else ""
        yield f"Waits for your decision {one.number}: {one.trigger}, {app.when(one.since)}{asleep}{ends}."
        first, *others = told.standing.ways
        otherwise = f" (or {', '.join(others)})" if others else ""
        yield f"      aftersales decide {name} {first}{otherwise}"
    for effect_id, kind in told.waiting:
        yield f"Awaiting approval: {kind} (aftersales effects approve {effect_id}, or drop {effect_id})"
    for _, meaning, detail in told.attention:
        why = f" ({safe(detail)})" if detail else ""
        yield f'Needs a person: {meaning}{why}. When it is dealt with: aftersales resolve {name} "…"'
    if told.exceptions:
        yield f"{counted(told.exceptions, 'report')} could not be applied: aftersales exceptions"
    if len(told.refused) > SHOWN_REFUSED:
        yield f"{counted(len(told.refused), 'report')} refused; the last ones:"
    for trigger, at, reason in told.refused[-SHOWN_REFUSED:]:
        yield f"Refused: {trigger} of {app.when(at, how_far=False)}: {safe(reason)}."
    if told.observed:
        yield "It is observed: its effects are held until you go live (aftersales observe end), or approve or drop them."
    yield f"You may report (aftersales report {name} …): {', '.join(told.allowed)}."
