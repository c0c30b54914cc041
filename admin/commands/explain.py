"""explain: why an order is in its state, what fires next, and what a person may do."""

from collections.abc import Iterator
from typing import Any

import click

from admin.app import App, now
from admin.options import JSON
from admin.output import fields_of, print_json, print_wrapped
from admin.text import safe
from engine.explain import Explanation, Supply, explain
from language import counted, tr
from workflow.arguments import argument
from workflow.case import claims
from workflow.case.case import Case, Timer
from workflow.case.history import HistoryRow
from workflow.case.money import show_amount
from workflow.catalogue import Candidate, Why, why_words
from workflow.rules import parcels
from workflow.table import CLOCK_OF
from workflow.vocabulary import State

SHOWN_REFUSED = 3
_SAID_BY = {
    State.overdue_urged: "urge_supplier",
    State.rerouted: "place_supply",
    State.customs_hold: "customs_reminder",
    State.intercepting: "request_interception",
    State.refunding: "request_refund",
    State.reissued: "place_reissue",
}
"""The effect by which somebody is told what a state means."""


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
        "supply": _supply_json(told.supply) if told.supply else None,
    }


def _supply_json(supply: Supply) -> dict[str, Any]:
    found = supply.candidates
    return {
        "next": supply.next,
        "choose": supply.choose,
        "candidates": None
        if found is None
        else [{"supplier": one.supplier, "cost": one.cost, "why_not": one.why_not} for one in found],
        "passed_over": dict(supply.passed_over),
    }


def _why(app: App, told: Explanation) -> Iterator[str]:
    case = told.case
    yield tr("Order {name} is {state}: {meaning}.", name=safe(case.name), state=case.state, meaning=told.meaning)
    if (kind := _SAID_BY.get(case.state) if case.state else None) in [waiting for _, waiting in told.waiting]:
        yield tr("Nobody has been told so far: {kind} is held, or waits for your approval.", kind=kind)
    cause, supplier = safe(_cause(app, told.why)), safe(told.supplier)
    yield tr(
        "Since {since}, by {cause}; current supplier: {supplier}.", since=app.when(case.since), cause=cause, supplier=supplier
    )
    if case.historical:
        yield tr(
            "It was old when it was imported: until you move it, nobody but you is written to, and nothing is ordered anew."
        )
    for trigger, at in told.noted:
        yield tr(
            "{trigger} of {at} was noted, and the order stays: report it yourself to move it.",
            trigger=trigger,
            at=app.when(at, how_far=False),
        )
    sent = parcels.of_attempt(case.parcels, case.current)
    if len(sent) > 1:
        where = (
            tr(
                "{tracking_number} is {news}",
                tracking_number=one.tracking_number or tr("parcel {number}", number=one.number),
                news=parcels.position(one.news),
            )
            for one in sent
        )
        yield tr("It was sent in {parcels}: {where}.", parcels=counted(len(sent), "parcel"), where=safe(", ".join(where)))
    yield from _how_it_ended(app, told)
    for claim in case.claims:
        if claim.replacement:
            yield tr(
                "It was replaced by order {shop}/{replacement} (claim {number}).",
                shop=safe(case.order.shop),
                replacement=safe(claim.replacement),
                number=claim.number,
            )
    if case.order.replaces:
        yield tr("It replaces order {shop}/{replaces}.", shop=safe(case.order.shop), replaces=safe(case.order.replaces))
    if case.returns_to:
        yield tr("It goes back to {returns_to} if that comes to nothing.", returns_to=case.returns_to)


def _how_it_ended(app: App, told: Explanation) -> Iterator[str]:
    """Say which steps led to the end of an order, who has decided them, and what has come of the money."""
    if told.why.trigger == "unlink":
        yield tr("It was called off: the step that had placed it as a replacement was taken back, and nothing came of it.")
    if told.led:
        yield tr("How it came to this:") if told.has_ended else tr("You have decided since:")
    for row in told.led:
        decided = tr(" (decided: {way})", way=row.details["way"]) if "way" in row.details else ""
        yield tr(
            "      {occurred}  {target}: {app}{decided}",
            occurred=app.when(row.occurred, how_far=False),
            target=row.target,
            app=safe(_cause(app, row)),
            decided=decided,
        )
    currency = told.case.order.currency
    for one in told.money:
        if not (one.came or one.declined) and one.missing == 0:
            continue  # it was asked for, and is not any more
        missing = tr("a sum that is not known") if one.missing is None else show_amount(one.missing, currency)
        parts = (
            tr("{came} has come", came=show_amount(one.came, currency))
            if one.came or (one.missing == 0 and not one.declined)
            else None,
            tr("{missing} is asked for", missing=missing) if one.missing != 0 else None,
            tr("{declined} was declined", declined=show_amount(one.declined, currency)) if one.declined else None,
        )
        yield tr("Money of {party}: {value}.", party=safe(tr(one.party)), value=", ".join(filter(None, parts)))


def _cause(app: App, step: HistoryRow) -> str:
    late = tr(", due {due}", due=app.when(step.due, how_far=False)) if step.due and step.due != step.occurred else ""
    reason = f" ({step.reason})" if step.reason else ""
    return tr(
        "{trigger} by {word}{late}{reason}",
        trigger=step.trigger,
        word=tr("its timer") if step.actor == "timer" else step.actor,
        late=late,
        reason=reason,
    )


def _claim(app: App, told: Explanation) -> Iterator[str]:
    """Say who must act in a dispute until when, and what happens otherwise."""
    case, claim = told.case, told.case.claim
    if claim is None:
        return
    pieces = safe(claims.written(case, dict(claim.pieces)))
    asked = tr(
        "the customer asks for {remedy}; {pieces} of evidence",
        remedy=claim.remedy,
        pieces=counted(len(claim.evidence), "piece"),
    )
    yield tr("Claim {number} ({kind}): {pieces}; {asked}.", number=claim.number, kind=claim.kind, pieces=pieces, asked=asked)
    for line in told.dispute:
        moment = tr(" until {until}", until=app.when(line.until)) if line.until else ""
        yield tr(
            "{party}{moment} {what}{word}",
            party=line.party,
            moment=moment,
            what=line.what,
            word=tr(" If nothing happens: {otherwise}.", otherwise=line.otherwise) if line.otherwise else "",
        )
    for moment_of, trigger in told.meanwhile:
        yield tr(
            "Meanwhile the parcel: {trigger} of {moment_of}.", trigger=trigger, moment_of=app.when(moment_of, how_far=False)
        )
    for location in told.seen_elsewhere:
        yield tr("Look twice: {location}.", location=safe(location))


def _next(app: App, told: Explanation) -> Iterator[str]:
    for timer in told.timers:
        provisional = tr("; provisional: that year's working days are not announced yet") if timer.provisional else ""
        moment = app.when(timer.due_at) if timer.status == "pending" else _stopped(app, timer)
        by = tr(" by {moved_by}", moved_by=safe(told.moved_by[timer.number])) if timer.number in told.moved_by else ""
        planned, due = (app.when(at, how_far=False) for at in (timer.planned_at, timer.due_at))
        moved = tr("; moved from {planned}{by}", planned=planned, by=by) if planned != due else ""
        counts = tr("counts from {counts_from}", counts_from=app.when(timer.counts_from, how_far=False))
        lines = "; ".join(told.decided_by[timer.number])
        yield tr("Next: {moment}: {meaning}", moment=moment, meaning=tr(CLOCK_OF[timer.trigger].meaning))
        for first, last in told.closed[timer.number]:
            yield tr("      its supplier is closed from {first} to {last}: these days do not count", first=first, last=last)
        yield tr(
            "      [{trigger}#{number}; {counts}; policy {policy}: {lines}{moved}{provisional}]",
            trigger=timer.trigger,
            number=timer.number,
            counts=counts,
            policy=timer.policy,
            lines=safe(lines),
            moved=moved,
            provisional=provisional,
        )
    if not told.timers:
        yield tr("Next: nothing fires by itself any more.")
    if told.supply:
        yield from _supply(told.case, told.supply)


def _supply(case: Case, supply: Supply) -> Iterator[str]:
    """Say who is turned to next and why, and who is passed over."""
    if supply.passed_over:
        over = "; ".join(f"{safe(name)}: {why_words(why)}" for name, why in supply.passed_over)
        supplier = safe(case.attempt.supplier or "")
        yield tr("When {supplier} was chosen, others were passed over: {over}.", supplier=supplier, over=over)
    yield _who_is_next(case, supply)
    for one in supply.candidates or ():
        if one.why_not:
            why = _why_passed_over(case, one)
            yield tr("      passed over: {supplier}: {why}", supplier=safe(one.supplier), why=why)
        elif one.supplier != supply.next:
            yield tr("      then: {supplier}", supplier=safe(one.supplier))


def _why_passed_over(case: Case, one: Candidate) -> str:
    """Say why a supplier is passed over: for which products, or for which sum."""
    of_each = [*zip(case.lines, one.offers, strict=True)]
    if one.why_not is Why.lines:
        return tr("it does not offer {skus}", skus=safe(", ".join(line.sku for line, offer in of_each if offer is None)))
    if one.why_not is Why.country:
        there = case.order.country
        skus = safe(", ".join(line.sku for line, offer in of_each if offer and not offer.delivers_to(there)))
        return tr(
            "it does not deliver {skus} to {country}", skus=skus, country=safe(there or tr("a country that is not known"))
        )
    if one.why_not is Why.costs_more and one.cost is not None and case.paid is not None:
        cost, paid = (show_amount(each, case.order.currency) for each in (one.cost, case.paid))
        return tr("it costs {cost}, and {paid} was paid (supply.max_extra_cost)", cost=cost, paid=paid)
    assert one.why_not is not None, "it is passed over"
    return why_words(one.why_not)


def _who_is_next(case: Case, supply: Supply) -> str:
    found, name = supply.candidates, safe(supply.next or "")
    if found is None:
        if supply.next is None:
            return tr("If its supplier does not ship in time, the money is asked for: the order names no other.")
        return tr("If its supplier does not ship in time: {next} is next, as the order says.", next=name)
    if supply.next is not None:
        why = _why_first(found[0], supply.choose, case.order.currency)
        return tr("If its supplier does not ship in time: {next} is next, of the catalogue ({why}).", next=name, why=why)
    if not case.lines:
        return tr("If its supplier does not ship in time, the money is asked for: it has no lines to ask the catalogue for.")
    if supply.without_sku:
        lines = counted(supply.without_sku, "line")
        return tr(
            "If its supplier does not ship in time, the money is asked for: {lines} without an SKU, which nobody offers.",
            lines=lines,
        )
    if found and all(one.why_not is Why.lines for one in found):
        return tr(
            "If its supplier does not ship in time, the money is asked for: nobody of the catalogue has all of its lines."
        )
    if found:
        return tr("If its supplier does not ship in time, the money is asked for: all others of the catalogue are passed over.")
    return tr(
        "If its supplier does not ship in time, the money is asked for: nobody else of the catalogue offers its products."
    )


def _why_first(one: Candidate, choose: str, currency: str) -> str:
    """Say why a supplier goes before the others: its cost, its rank, its record."""
    ranks = [offer.rank for offer in one.offers if offer and offer.rank]
    record = one.record if choose == "most_reliable" else None
    orders = counted(record.orders, "order") if record else ""
    parts = (
        tr("{on_time} of {orders} shipped in time", on_time=record.on_time, orders=orders) if record else None,
        tr("rank {rank}", rank=max(ranks)) if ranks else None,
        tr("it costs {cost}", cost=show_amount(one.cost, currency)) if one.cost is not None else tr("its cost is not known"),
        f"supply.choose = {choose}",
    )
    return "; ".join(filter(None, parts))


def _stopped(app: App, timer: Timer) -> str:
    if timer.status == "waiting":
        return tr("due {due_at}, when you decide so", due_at=app.when(timer.due_at, how_far=False))
    if timer.paused_by:
        return tr("paused by {paused_by}", paused_by=safe(timer.paused_by))
    return tr("paused") if timer.paused_at else tr("waits (due {due_at})", due_at=app.when(timer.due_at, how_far=False))


def _your_turn(app: App, told: Explanation) -> Iterator[str]:
    name = argument(safe(told.case.name))
    if told.standing:
        one = told.standing.decision
        asleep = tr(", and sleeps until {sleeps_until}", sleeps_until=app.when(one.sleeps_until)) if one.sleeps(now()) else ""
        ends = tr("; the time for it ends {ends}", ends=app.when(told.standing.ends)) if told.standing.ends else ""
        yield tr(
            "Waits for your decision {number}: {trigger}, {since}{asleep}{ends}.",
            number=one.number,
            trigger=one.trigger,
            since=app.when(one.since),
            asleep=asleep,
            ends=ends,
        )
        first, *others = told.standing.ways
        otherwise = tr(" (or {others})", others=", ".join(others)) if others else ""
        yield f"      aftersales decide {name} {first}{otherwise}"
    for effect_id, kind in told.waiting:
        yield tr(
            "Awaiting approval: {kind} (aftersales effects approve {effect_id}, or drop {effect_id})",
            kind=kind,
            effect_id=effect_id,
        )
    for _, meaning, detail in told.attention:
        why = f" ({safe(detail)})" if detail else ""
        yield tr(
            'Needs a person: {meaning}{why}. When it is dealt with: aftersales resolve {name} "…"',
            meaning=meaning,
            why=why,
            name=name,
        )
    if told.exceptions:
        yield tr("{reports} could not be applied: aftersales exceptions", reports=counted(told.exceptions, "report"))
    if len(told.refused) > SHOWN_REFUSED:
        yield tr("{reports} refused; the last ones:", reports=counted(len(told.refused), "report"))
    for trigger, at, reason in told.refused[-SHOWN_REFUSED:]:
        yield tr(
            "Refused: {trigger} of {at}: {reason}.", trigger=trigger, at=app.when(at, how_far=False), reason=safe(tr(reason))
        )
    if told.observed:
        yield tr("It is observed: its effects are held until you go live (aftersales observe end), or approve or drop them.")
    yield tr("You may report (aftersales report {name} …): {allowed}.", name=name, allowed=", ".join(told.allowed))
