"""What rows of the process table do to the case file, by the names the table uses."""

from collections.abc import Callable
from datetime import datetime

from workflow.case import claims, facts
from workflow.case.case import LINKS, PERSONAL, Attempt, replace_fields
from workflow.case.personal import digest, without_buyer
from workflow.draft import Draft, EffectDraft
from workflow.process import CLOCKS_COUNT_FROM, CORRECTED, PARCEL_POSITIONS, UNSHIPPED
from workflow.rules import (
    choosing,
    claim_changes,
    decision_changes,
    money_changes,
    parcels,
    timer_changes,
    timers,
    undo_changes,
)
from workflow.vocabulary import LedgerSide, LedgerStatus, State, Way


def begin(draft: Draft) -> None:
    """Open the case: the first attempt, with the order's own supplier and promise (rule 2.2)."""
    order = draft.case.order
    first = Attempt(1, order.supplier, order.placed_at, order.ship_by, supplier_number=order.supplier_number)
    draft.change(attempts=(first,))
    draft.note(historical=True if draft.case.historical else None)


def link(draft: Draft) -> None:
    """The order turns out to be a replacement: it belongs to the chain of the one that it replaces (rule 8.7)."""
    links = {name: draft.event.fields[name] for name in LINKS if name in draft.event.fields}
    draft.change(order=replace_fields(draft.case.order, **links))


def unlink(draft: Draft) -> None:
    """The order is no replacement any more: the step that placed it, or took it for one, was taken back (rule 2.19)."""
    order = draft.case.order
    draft.note(**{f"was_{name}": getattr(order, name) for name in LINKS})
    draft.change(order=replace_fields(order, replaces=None, generation=0, chain=None))


def take_up(draft: Draft) -> None:
    """The order was called off, and its number comes again: it is the order that is told of now (rule 2.19)."""
    amend(draft)
    draft.change_attempt(replace_fields(draft.case.attempt, placed_at=draft.case.order.placed_at))
    draft.change(historical=bool(draft.event.fields.get("historical")))


def take_promise(draft: Draft) -> None:
    """The current attempt has a new promised ship date: its overdue clocks count from it, even if they were off (rule 3.2)."""
    ship_by = datetime.fromisoformat(str(draft.event.fields["ship_by"]))
    draft.change_attempt(replace_fields(draft.case.attempt, ship_by=ship_by, counts_from=None))
    timers.restart_if_running(draft, "urge", "reroute")
    if not draft.case.cancelled:
        timers.start_if_off(draft, "urge", "reroute")


def amend(draft: Draft) -> None:
    """A fact was wrong or has changed; clocks that run count from the new one, and what has fired stays (rule 2.15)."""
    case, fields = draft.case, draft.event.fields
    attempt = facts.attempt_of(case, fields)
    changed = {
        name: value if name in PERSONAL else _without_buyer(draft, value)
        for name, value in facts.told(fields)
        if value != facts.known(case, name, fields)
    }
    changed |= dict.fromkeys(facts.emptied(fields))
    for name in changed:
        was = facts.as_detail(facts.known(case, name, fields))
        draft.note(**{f"was_{name}": digest(case.salt, str(was)) if was is not None and name in PERSONAL else was})
    if "lines" in fields:
        draft.note(was_lines=facts.written_lines(case.lines))
        draft.change(lines=facts.read_lines(str(fields["lines"])))
    parts = [name for name, is_told in (("lines", "lines" in fields), ("parcel", draft.event.parcels is not None)) if is_told]
    draft.note(amended=";".join([*changed, *parts]))
    if draft.event.parcels is not None:
        correct_shipment(draft)
    of_attempt = {name: value for name, value in changed.items() if name in facts.OF_ATTEMPT}
    if of_attempt:
        draft.note(attempt=attempt.number)
        if attempt.number == 1:
            of_attempt.pop("paid", None)  # that is the order's
        since = {"counts_from": None} if "ship_by" in of_attempt else {}
        draft.change_attempt(replace_fields(attempt, **of_attempt, **since))
        if of_attempt.get("supplier") is not None:
            draft.suppliers[attempt.number] = str(of_attempt["supplier"])
    gone = [str(value) for name in changed if name in PERSONAL and (value := getattr(case.order, name)) is not None]
    draft.change(former_buyer=(*draft.case.former_buyer, *gone))
    of_order = changed if attempt.number == 1 else {name: changed[name] for name in changed if name not in facts.OF_ATTEMPT}
    draft.change(order=replace_fields(case.order, **of_order))
    _fill_in_sums(draft, attempt.number)
    _ask_for_as_much(draft, attempt.number)
    if not CLOCKS_COUNT_FROM.isdisjoint(changed):
        timers.recount(draft, "urge", "reroute")
        if draft.case.state in UNSHIPPED and not case.cancelled:
            timers.start_if_off(draft, "urge", "reroute")


def _fill_in_sums(draft: Draft, attempt: int) -> None:
    """Money of an attempt that was asked for without a sum has one as soon as it is known what was paid (rule 4.2)."""
    paid = draft.case.paid_for(attempt)
    if paid is None or draft.was.paid_for(attempt) is not None:
        return
    for row in draft.case.ledger:
        if row.status is LedgerStatus.requested and row.amount is None and row.attempt == attempt:
            claim = next((one for one in draft.case.claims if one.number == row.claim), None)
            amount = claims.to_ask_for(draft.case, claim) if row.side is LedgerSide.refund else paid
            draft.change_ledger(replace_fields(row, amount=amount))


def _ask_for_as_much(draft: Draft, attempt: int) -> None:
    """Money is asked for as what was paid is known now (rule 4.2).

    A request for a refund that has left asks for no more than it did, and for no more than was paid. A supplier owes what it
    was paid; where that has come, its recovery is settled.
    """
    case, requested = draft.case, draft.case.open_refund
    if case.paid_for(attempt) == draft.was.paid_for(attempt):
        return
    if requested is not None and attempt == case.current:
        claim = next((one for one in case.claims if one.number == requested.claim), None)
        asked = claims.to_ask_for(case, claim)
        amount = None if asked is None else asked + (requested.settled_amount or 0)
        is_less = amount is not None and requested.amount is not None and amount < requested.amount
        if amount != requested.amount and (case.unsent_request is not None or is_less):
            draft.note(was_amount=requested.amount, amount=amount, request=case.unsent_request)
            draft.change_ledger(replace_fields(requested, amount=amount))
    for row in case.open_recoveries():
        if row.attempt == attempt and row.amount is not None and (owed := claims.owed_for(case, attempt)) is not None:
            whole = owed + (row.settled_amount or 0)
            draft.change_ledger(replace_fields(row, amount=whole))
            if not owed:
                money_changes.end(draft, replace_fields(row, amount=whole))


def _without_buyer(draft: Draft, value: object) -> object:
    """Return a fact that is not the buyer's without the buyer: it stays in the history when they are erased (rule 6.3)."""
    also = [str(draft.event.fields[name]) for name in PERSONAL if draft.event.fields.get(name) is not None]
    if isinstance(value, tuple):
        return tuple(str(_without_buyer(draft, one)) for one in value)
    return without_buyer(draft.case.order, value, also) if isinstance(value, str) else value


def move_by_hand(draft: Draft) -> None:
    """A person has moved the order: what was promised, urged or asked for before counts no more (rules 3.2 and 2.11)."""
    at, to = draft.event.at, State(str(draft.event.fields["to"]))
    delivered_at = at if to is State.delivered else draft.case.attempt.delivered_at
    draft.change_attempt(replace_fields(draft.case.attempt, counts_from=at, urged_at=None, delivered_at=delivered_at))
    position = PARCEL_POSITIONS.get(to)
    if position is not None and (draft.case.parcels or to is not State.closed):
        draft.change(parcels=parcels.move(draft.case, position, at))
    requested = draft.case.open_refund
    if requested and to is not State.refunding:
        money_changes.close(draft, requested, LedgerStatus.withdrawn)
    if to is State.disputed:
        claim_changes.take_up_again(draft)
    elif to is State.refunding and requested is None:
        if draft.case.claim:
            claim_changes.choose_refund(draft)
        money_changes.ask_for_a_refund(draft)


def note_urge(draft: Draft) -> None:
    """Remember when the supplier was urged: it has its chance from then on (rule 3.2)."""
    draft.change_attempt(replace_fields(draft.case.attempt, urged_at=draft.event.at))


def turn_to_the_next_supplier(draft: Draft) -> None:
    """Open a new attempt with the best alternative left; ask the old one for the money back (rule 2.3)."""
    if draft.event.way is Way.next:
        draft.note(instead_of=choosing.of_the_catalogue(draft.case, draft.rules, draft.event.recorded))
        draft.change_decision(passed_over=choosing.next_supplier(draft.case, draft.rules, draft.event.recorded))
    old, number, at = draft.case.attempt, len(draft.case.attempts) + 1, draft.event.at
    choice = choosing.next_choice(draft.case, draft.rules, draft.event.recorded)
    supplier, cost = choosing.supplier_of(choice), choosing.cost_of(choice)
    ship_by = choosing.ships_by(choice, at, draft.rules.calendar)
    new = Attempt(number, supplier, at, ship_by, paid=cost)
    if claims.all_is_back_for(draft.case, old.number):
        recovery = None
        draft.leave_out("recover_supply")
    else:
        recovery = draft.add_ledger(LedgerSide.recovery, claims.owed_for(draft.case, old.number), attempt=old.number)
    draft.change(attempts=(*draft.case.attempts, new), current=number)
    draft.note(attempt=number, supplier=supplier, left=old.supplier, left_attempt=old.number)
    draft.note(**choosing.details_of(choice))
    if recovery:
        timers.start(draft, "chase_recovery", ledger=recovery.number)


def take_shipment(draft: Draft) -> None:
    """A parcel has left; a gap that its early arrival had made is filled (rules 2.5 and 2.18)."""
    attempt = draft.case.attempt
    mine = parcels.of_attempt(draft.case.parcels, attempt.number)
    first = parcels.first_shipping(mine)
    shipped_at = attempt.shipped_at if attempt.shipped_at == first else first  # what is equal is not sealed as a change
    draft.change_attempt(replace_fields(attempt, shipped_at=shipped_at, delivered_at=_arrived(draft, attempt)))
    gap = draft.case.gap and any(map(parcels.lacks_shipping, mine))
    draft.note(attempt=attempt.number, fills_gap=True if draft.case.gap and not gap else None)
    draft.change(gap=gap)


def correct_shipment(draft: Draft) -> None:
    """Who carries a parcel, or its tracking number, becomes known later or was wrong (rule 2.14)."""
    known, named = {one.number: one for one in draft.was.parcels}, draft.event.fields.get("parcel")
    changed = (one.number for one in draft.case.parcels if one is not known[one.number])
    was = known[int(named) if named is not None else next(changed)]
    draft.note(parcel=was.number, **{f"was_{name}": getattr(was, name) for name in CORRECTED if name in draft.event.fields})


def _arrived(draft: Draft, attempt: Attempt) -> datetime | None:
    """Return when the last parcel of an attempt arrived; of one whose parcels say nothing of it, as it is known."""
    mine = parcels.of_attempt(draft.case.parcels, attempt.number)
    is_known = any(trigger == "deliver" for one in mine for _, trigger in one.news)
    last = parcels.last_arrival(mine) if is_known else attempt.delivered_at
    return attempt.delivered_at if attempt.delivered_at == last else last


def return_to_that_attempt(draft: Draft) -> None:
    """A supplier that was left has sent the goods: its money is not asked back, the later order is called off (rule 2.4)."""
    later, named = draft.case.attempt, _named_attempt(draft)
    for row in draft.case.open_recoveries():
        if row.attempt == named.number:
            money_changes.close(draft, row, LedgerStatus.withdrawn)
    draft.change(current=named.number)
    draft.change_attempt(replace_fields(named, returned_at=max(draft.event.at, later.placed_at)))
    draft.note(supplier=named.supplier, called_off=later.number)


def take_the_request_back(draft: Draft) -> None:
    """The goods had left before the refund was asked for, and that has not been said yet: it is not asked for (rule 2.13)."""
    requested = draft.case.open_refund
    assert requested is not None, "the guard has seen the request"
    draft.note(takes_back=draft.case.unsent_request)
    draft.change(unsent_request=None)
    money_changes.close(draft, requested, LedgerStatus.withdrawn)


def note_attempt(draft: Draft) -> None:
    """Note which attempt a report is about that is not current any more (rule 2.12)."""
    named = _named_attempt(draft)
    draft.note(attempt=named.number, supplier=named.supplier, noted=True)


def keep_promise(draft: Draft) -> None:
    """An attempt that is not current any more has a new promised ship date, which no clock counts from (rule 2.12)."""
    ship_by = datetime.fromisoformat(str(draft.event.fields["ship_by"]))
    draft.change_attempt(replace_fields(_named_attempt(draft), ship_by=ship_by))


def _named_attempt(draft: Draft) -> Attempt:
    named = draft.case.named_attempt(draft.event.fields)
    assert named is not None, "who took the report has seen the attempt"
    return named


def take_carrier_news(draft: Draft) -> None:
    """Keep the carrier's latest status; its silence counts anew (rule 2.7)."""
    case, status = draft.case, draft.event.fields.get("status")
    draft.change(carrier_status=str(status) if status else case.carrier_status)
    if case.state is State.shipped:
        timers.start(draft, "stall")
    elif case.state in (State.intercepting, State.disputed) and case.returns_to is State.shipped:
        timers.start(draft, "stall", paused=True)


def take_delivery(draft: Draft) -> None:
    """A parcel has arrived, or the last one that was under way is lost (rules 2.5 and 2.18)."""
    attempt = draft.case.attempt
    draft.change_attempt(replace_fields(attempt, delivered_at=_arrived(draft, attempt)))
    draft.note(attempt=attempt.number)
    if parcels.some_are_lost(draft.was.parcels) and not parcels.some_are_lost(draft.case.parcels):
        draft.cleared.append("parcel_lost")


def count_the_window_anew(draft: Draft) -> None:
    """A parcel that was given up has arrived: the claim window counts from that (rule 2.18)."""
    timers.restart_if_running(draft, "close")


def mark_gap(draft: Draft) -> None:
    """It arrived without having been reported as shipped (rule 2.5)."""
    draft.change(gap=True)
    draft.note(gap=True)


def note_cancellation(draft: Draft) -> None:
    """Remember that the customer does not want it any more (rule 2.8)."""
    draft.change(cancelled=True)


def stop_overdue_clocks(draft: Draft) -> None:
    """An order that its customer cancelled is neither urged nor rerouted (rule 2.8)."""
    timers.end_all(draft, "urge", "reroute")


def repeat(draft: Draft) -> None:
    """Fire again later; after the last time, escalate where the table gives a flag for it (rule 3.7)."""
    fired = draft.event.timer
    assert fired is not None, "only a timer repeats"
    draft.note(nth=fired.nth, ledger=fired.ledger)
    if fired.claim:
        claim_changes.tell_of_claim(draft)
    if fired.trigger == decision_changes.REMINDER:
        decision_changes.tell_of_decision(draft)
    if fired.trigger == "chase_recovery":
        draft.note(amount=next(claims.rest(row) for row in draft.case.ledger if row.number == fired.ledger))
    if fired.trigger == "chase_refund" and draft.case.open_refund:
        draft.note(amount=claims.rest(draft.case.open_refund))
    if not timers.repeat(draft, fired) and draft.row.flag:
        draft.flags.append(draft.row.flag)
        mode = draft.rules.policy.mode("escalate")
        told = {"about": fired.trigger, **({"decision": draft.details["decision"]} if "decision" in draft.details else {})}
        draft.effects.append(EffectDraft("escalate", draft.case.current, told, mode))


CHANGES: dict[str, Callable[[Draft], None]] = {
    change.__name__: change
    for change in (
        link,
        unlink,
        take_up,
        take_promise,
        amend,
        move_by_hand,
        note_urge,
        turn_to_the_next_supplier,
        take_shipment,
        correct_shipment,
        return_to_that_attempt,
        take_the_request_back,
        note_attempt,
        keep_promise,
        take_carrier_news,
        take_delivery,
        count_the_window_anew,
        mark_gap,
        note_cancellation,
        stop_overdue_clocks,
        repeat,
        claim_changes.open_claim,
        claim_changes.open_claim_of_lost_parcel,
        claim_changes.add_to_claim,
        claim_changes.take_evidence,
        claim_changes.ask_for_verification,
        claim_changes.begin_next_round,
        claim_changes.lapse_claim,
        claim_changes.approve_claim,
        claim_changes.reject_claim,
        claim_changes.reopen_claim,
        claim_changes.withdraw_claim,
        claim_changes.choose_refund,
        claim_changes.choose_reissue,
        claim_changes.place_replacement,
        claim_changes.end_window,
        money_changes.ask_for_a_refund,
        money_changes.settle_refund,
        money_changes.settle_a_part,
        money_changes.decline_refund,
        money_changes.decline_the_rest,
        money_changes.settle_recovery,
        money_changes.decline_recovery,
        money_changes.enter_unasked_money,
        money_changes.settle_the_claim,
        money_changes.correct_settlement,
        money_changes.settle_what_came,
        money_changes.end_refund,
        decision_changes.ask,
        decision_changes.queue,
        decision_changes.stay,
        timer_changes.move_timer,
        timer_changes.promise_its_date,
        timer_changes.pause_timer,
        timer_changes.note_unread,
        timer_changes.resume_timer,
        timer_changes.cancel_timer,
        timer_changes.retime_timer,
        undo_changes.take_back,
    )
}
