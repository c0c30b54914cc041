"""Guards: what must be true for a row of the process table to be taken, and the words for when it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from workflow.case import claims, facts
from workflow.case.case import Case, Claim, Details, LedgerRow, Parcel, replace_fields
from workflow.process import ON_ITS_WAY, TAKEN_BACK, UNSHIPPED
from workflow.rules import parcels
from workflow.rules.choosing import next_supplier
from workflow.vocabulary import ClaimKind, ClaimStatus, ClaimVerdict, LedgerSide, Position, Remedy, State

if TYPE_CHECKING:
    from workflow.policy.policy import Rules


class GuardContext(NamedTuple):
    """What a guard may look at."""

    case: Case
    fields: Details
    rules: Rules
    at: datetime
    parcels: tuple[Parcel, ...] = ()
    """The order's parcels as they are after what is reported."""
    recorded: datetime | None = None
    """When it is recorded, where that is not `at`."""

    @property
    def taken_at(self) -> datetime:
        """When it is recorded: the catalogue is asked as it stands then."""
        return self.recorded or self.at


@dataclass(frozen=True, slots=True)
class Guard:
    """A predicate, and the reason that is given when it says no.

    `of_case` is set where the case alone decides, whatever is reported and whatever the policy says.
    """

    allows: Callable[[GuardContext], bool]
    refusal: str
    of_case: Callable[[Case], bool] | None = None


def _by_case(allows: Callable[[Case], bool], refusal: str) -> Guard:
    return Guard(lambda context: allows(context.case), refusal, allows)


def _current_attempt(context: GuardContext) -> bool:
    named = context.case.named_attempt(context.fields)
    return named is not None and named.number == context.case.current


def _earlier_attempt(context: GuardContext) -> bool:
    named = context.case.named_attempt(context.fields)
    return named is not None and named.number < context.case.current


def _changes_a_fact(context: GuardContext) -> bool:
    case, fields = context.case, context.fields
    if case.named_attempt({"attempt": fields.get("attempt")}) is None:
        return False
    return context.parcels != case.parcels or any(
        value != facts.known(case, name, fields) for name, value in facts.told(fields)
    )


def _parcels_may_be_made_one(context: GuardContext) -> bool:
    decides = (*ON_ITS_WAY, State.delivered, State.closed)
    return context.fields.get("same_as") is None or context.case.state in decides


def _paid_is_enough(context: GuardContext) -> bool:
    case, paid = context.case, context.fields.get("paid")
    number = context.fields.get("attempt") or case.current
    return paid is None or claims.has_come_back(replace_fields(case, current=int(number))) <= int(paid)


def _currency_is_free(context: GuardContext) -> bool:
    return context.fields.get("currency") in (None, context.case.order.currency) or not context.case.ledger


def _request_has_not_left(case: Case) -> bool:
    return case.unsent_request in TAKEN_BACK


def _occurred_before_the_request(context: GuardContext) -> bool:
    requested = context.case.open_refund
    return requested is not None and context.at <= requested.requested_at


def _parcels(context: GuardContext) -> tuple[Sequence[Parcel], Sequence[Parcel]]:
    """Return the parcels of the attempt that is spoken of, as they are and as they will be."""
    named = context.case.named_attempt(context.fields)
    number = named.number if named else 0
    return parcels.of_attempt(context.case.parcels, number), parcels.of_attempt(context.parcels, number)


def _are_then(position: Position, refusal: str) -> Guard:
    """Make a guard about where the parcels are after what is reported."""
    return Guard(lambda context: parcels.where(_parcels(context)[1]) is position, refusal)


def _another_parcel(context: GuardContext) -> bool:
    was, then = _parcels(context)
    return 0 < len(was) < len(then)


def _gives_a_number(context: GuardContext) -> bool:
    was, then = ({one.number: one.tracking_number for one in some} for some in _parcels(context))
    return any(number is None and then.get(key) is not None for key, number in was.items())


def _changes(position: Position, by: int, refusal: str) -> Guard:
    """Make a guard about parcels that come to a position (`by` 1), or leave it (-1)."""

    def allows(context: GuardContext) -> bool:
        was, then = (sum(parcels.position(one.news) is position for one in some) for some in _parcels(context))
        return (then - was) * by > 0

    return Guard(allows, refusal)


def _a_parcel_has_arrived(case: Case) -> bool:
    mine = parcels.of_attempt(case.parcels, case.current)
    return any(parcels.position(one.news) is Position.delivered for one in mine)


def _cancelled_and_unshipped(case: Case) -> bool:
    return case.cancelled and case.returns_to in UNSHIPPED


def _names_the_refund(context: GuardContext) -> bool:
    named, requested = context.fields.get("refund"), context.case.open_refund
    return named is None or (requested is not None and requested.number == named)


def _named_sum(context: GuardContext) -> int | None:
    amount = context.fields.get("amount")
    return None if amount is None else int(amount)


def _sum(context: GuardContext) -> int | None:
    """Return what has come: the sum that is named, else all that is missing of the open refund."""
    amount, requested = _named_sum(context), context.case.open_refund
    return claims.rest(requested) if amount is None and requested else amount


def _within_what_was_paid(context: GuardContext) -> bool:
    amount, still = _sum(context), claims.unsettled(context.case)
    return amount is None or still is None or amount <= still


def _no_more_than(context: GuardContext, row: LedgerRow | None) -> bool:
    came, missing = _named_sum(context), claims.rest(row) if row else None
    return came is None or missing is None or came <= missing or bool(context.fields.get("more"))


def _all_has_come(context: GuardContext) -> bool:
    came, requested, still = _named_sum(context), context.case.open_refund, claims.unsettled(context.case)
    missing = claims.rest(requested) if requested else None
    if missing is not None and still is not None:
        missing = min(missing, still)  # what was paid may have been amended since
    return came is None or missing is None or came >= missing or bool(context.fields.get("final"))


def _a_part_has_come(case: Case) -> bool:
    return case.open_refund is not None and bool(case.open_refund.settled_amount)


def _all_is_back(case: Case) -> bool:
    """Say whether all that was paid for the current attempt has come back of it."""
    return claims.has_come_back_for(case, case.current) > 0 and claims.to_ask_for(case, None) == 0


def _all_that_is_said_has_come(context: GuardContext) -> bool:
    """Say whether no more was paid for the current attempt, as it is told now, than has come back of it."""
    case, paid = context.case, context.fields.get("paid")
    number = context.fields.get("attempt") or case.current
    return paid is not None and int(number) == case.current and claims.has_come_back(case) >= int(paid)


def _something_is_left(case: Case) -> bool:
    return claims.to_ask_for(case, case.claim) != 0


def _nothing_was_sent(case: Case) -> bool:
    goes_on_in = case.returns_to if case.state is State.intercepting else case.state
    return goes_on_in in UNSHIPPED and len(case.attempts) == 1


def _all_that_was_paid(context: GuardContext) -> bool:
    paid, came = context.case.paid, _named_sum(context)
    return paid is not None and came is not None and claims.has_come_back(context.case) + came >= paid


def _the_claim_is_paid(context: GuardContext) -> bool:
    claim, came = context.case.claim, _named_sum(context)
    worth = claims.to_ask_for(context.case, claim) if claim else None
    return worth is not None and came is not None and came >= worth


def _all_of_it_is_named(context: GuardContext) -> bool:
    """Say whether a sum is named, and is all that was paid; where that is not known, what comes back is taken for it."""
    asked, came = claims.to_ask_for(context.case, None), _named_sum(context)
    return bool(came) if asked is None else came is not None and came >= asked


def _settled_row(context: GuardContext) -> LedgerRow | None:
    """Return the ledger row whose settled sum a report corrects."""
    row = next((one for one in context.case.ledger if one.number == context.fields.get("row")), None)
    return row if row is not None and row.settled_amount is not None else None


def _of_settled_row(holds: Callable[[GuardContext, LedgerRow, int], bool], refusal: str) -> Guard:
    """Make a guard about the ledger row that a report corrects, and the sum that it names."""

    def allows(context: GuardContext) -> bool:
        row = _settled_row(context)
        return row is not None and holds(context, row, _named_sum(context) or 0)

    return Guard(allows, refusal)


def _corrected_within_what_was_paid(context: GuardContext, row: LedgerRow, came: int) -> bool:
    case, had = context.case, row.settled_amount or 0
    if row.side is LedgerSide.refund and row.attempt in (None, case.current):
        still = claims.unsettled(case)
    else:
        still = None if row.attempt is None else claims.owed_for(case, row.attempt)
    return still is None or came <= max(still + had, had)


def _sum_is_known(context: GuardContext) -> bool:
    return _sum(context) is not None or context.case.open_refund is None


def _whole_not_received(context: GuardContext) -> bool:
    if context.fields.get("kind") != ClaimKind.not_received:
        return False
    return claims.named(context.case, _lines(context)) == claims.ordered(context.case)


def _lines(context: GuardContext) -> str | None:
    lines = context.fields.get("lines")
    return None if lines is None else str(lines)


def last_rejected(case: Case) -> Claim | None:
    """Return the latest claim, if it was rejected and never opened again."""
    last = case.claims[-1] if case.claims else None
    return last if last and last.status == ClaimStatus.rejected and not last.reopened else None


def _went_back_here(case: Case) -> bool:
    claim = last_rejected(case)
    return claim is not None and claim.went_back_to is case.state


def _in_time_to_reopen(context: GuardContext) -> bool:
    claim, within = last_rejected(context.case), context.rules.of(context.case).claims.reopen_within
    return claim is not None and claim.decided_at is not None and context.at <= claim.decided_at + within.span()


def evidence_of(fields: Details) -> tuple[str, ...]:
    """Return what a report says was sent, piece by piece."""
    return tuple(str(fields.get("evidence") or "").split())


def _new_evidence(context: GuardContext) -> bool:
    claim = last_rejected(context.case)
    return claim is not None and any(one not in claim.evidence for one in evidence_of(context.fields))


def _its_pieces_are_left(case: Case) -> bool:
    claim, left = last_rejected(case), claims.left(case)
    return claim is None or all(quantity <= left.get(number, 0) for number, quantity in claim.pieces)


def _new_order_is_free(context: GuardContext) -> bool:
    named, claim = str(context.fields["new_order"]), context.case.claim
    if not named or named.lstrip("#") == context.case.order.number.lstrip("#"):
        return False
    pieces = context.case.known.get(named, 0)
    return pieces is not None and (claim is None or pieces <= sum(quantity for _, quantity in claim.pieces))


def _reissue_asked_for(context: GuardContext) -> bool:
    claim, at_the_end = context.case.claim, context.rules.of(context.case).claims.at_the_end
    return at_the_end == "requested" and claim is not None and claim.remedy is Remedy.reissue and claim.chosen is None


def _of_claim(allows: Callable[[Claim], bool], refusal: str) -> Guard:
    """Make a guard about the open claim; it says nothing where there is none."""
    return _by_case(lambda case: case.claim is None or allows(case.claim), refusal)


def _named_recovery(context: GuardContext) -> LedgerRow | None:
    named, still_open = context.fields.get("recovery"), context.case.open_recoveries()
    fitting = [row for row in still_open if named in (None, row.number)]
    return fitting[0] if len(fitting) == 1 else None


NO_SUCH_ATTEMPT = "no attempt of the order has that number or supplier (`show` lists them)"

_NO_MORE_THAN_PAID = "a refund cannot exceed what was paid (`show` says what that is; `report ID amend --paid` corrects it)"
GUARDS: dict[str, Guard] = {
    "changes_a_fact": Guard(_changes_a_fact, "it says nothing that is not known already, or names no attempt of the order"),
    "paid_is_enough": Guard(_paid_is_enough, "more than that has come back already"),
    "parcels_may_be_made_one": Guard(
        _parcels_may_be_made_one, "what is one parcel can be told while it is on its way or delivered, in no other state"
    ),
    "makes_parcels_one": Guard(lambda context: context.fields.get("same_as") is not None, "no parcels are made one"),
    "currency_is_free": Guard(_currency_is_free, "the ledger has sums in the order's currency"),
    "domestic": _by_case(
        lambda case: case.order.route == "domestic",
        "only a domestic order can be intercepted; the platform neither intercepts nor refunds an international one",
    ),
    "candidate_left": Guard(
        lambda context: next_supplier(context.case, context.rules, context.taken_at) is not None,
        "no alternative supplier is left",
    ),
    "no_stock_reroutes": Guard(
        lambda context: context.rules.of(context.case).supply.no_stock == "reroute", "the policy refunds"
    ),
    "unresponsive_reroutes": Guard(
        lambda context: context.rules.of(context.case).supply.unresponsive == "reroute", "the policy refunds"
    ),
    "not_cancelled": _by_case(lambda case: not case.cancelled, "the customer has cancelled"),
    "current_attempt": Guard(_current_attempt, NO_SUCH_ATTEMPT),
    "earlier_attempt": Guard(_earlier_attempt, NO_SUCH_ATTEMPT),
    "request_has_not_left": _by_case(_request_has_not_left, "the money is awaited already"),
    "occurred_before_the_request": Guard(_occurred_before_the_request, "the refund was requested before that"),
    "another_parcel": Guard(
        _another_parcel, "it has been reported as shipped: name another tracking number if it is another parcel"
    ),
    "gives_a_number": Guard(_gives_a_number, "no parcel of it lacks a number"),
    "all_have_arrived": _are_then(Position.delivered, "another parcel is under way"),
    "others_are_on_their_way": _are_then(Position.shipped, "customs holds another parcel"),
    "one_is_held": _are_then(Position.held, "that parcel is not on its way"),
    "all_are_lost": _are_then(Position.lost, "another parcel is under way, or has arrived"),
    "one_more_has_arrived": _changes(Position.delivered, 1, "that parcel has arrived already, or is not on its way"),
    "one_more_is_lost": _changes(Position.lost, 1, "that parcel is not on its way"),
    "one_more_is_held": _changes(Position.held, 1, "that parcel is not on its way, or is held already"),
    "one_less_is_held": _changes(Position.held, -1, "customs does not hold that parcel"),
    "others_are_left": Guard(
        lambda context: parcels.where(_parcels(context)[1]) is not Position.lost, "no other parcel is under way or has arrived"
    ),
    "a_parcel_has_arrived": _by_case(_a_parcel_has_arrived, "no parcel of it has arrived"),
    "was_delivered": _by_case(lambda case: case.returns_to is State.delivered, "it had not been delivered before"),
    "cancelled_and_unshipped": _by_case(_cancelled_and_unshipped, "the order was not cancelled, or has shipped"),
    "was_unshipped": _by_case(lambda case: case.returns_to in UNSHIPPED, "the order had shipped before the interception"),
    "was_shipped": _by_case(lambda case: case.returns_to is State.shipped, "the order was not on its way"),
    "was_held": _by_case(lambda case: case.returns_to is State.customs_hold, "customs did not hold the order"),
    "something_came": Guard(
        lambda context: _named_sum(context) != 0, "nothing has come: report `decline_refund` or `decline_recovery` instead"
    ),
    "no_more_than_was_asked_for": Guard(
        lambda context: _no_more_than(context, context.case.open_refund),
        "that is more than was asked for: say `more` if it is right",
    ),
    "all_has_come": Guard(_all_has_come, "a part is missing"),
    "a_part_has_come": _by_case(_a_part_has_come, "nothing of it has come"),
    "names_a_sum": Guard(lambda context: _named_sum(context) is not None, "no refund is open: name the sum as `amount`"),
    "all_is_back": _by_case(_all_is_back, "something of what was paid has not come back"),
    "all_that_is_said_to_be_paid_has_come": Guard(_all_that_is_said_has_come, "more was paid than has come back"),
    "something_is_left_to_ask_for": _by_case(
        _something_is_left, "all that was paid for it has come back, or is asked for, along its chain of replacements"
    ),
    "nothing_is_left_to_ask_for": _by_case(lambda case: not _something_is_left(case), "something is left to be asked for"),
    "nothing_was_sent": _by_case(_nothing_was_sent, "it has shipped, or was ordered elsewhere"),
    "all_that_was_paid": Guard(_all_that_was_paid, "more was paid than that"),
    "the_claim_is_paid": Guard(_the_claim_is_paid, "the claim is worth more than that"),
    "all_of_it_is_named": Guard(_all_of_it_is_named, "more was paid than that"),
    "no_more_than_was_owed": Guard(
        lambda context: _no_more_than(context, _named_recovery(context)),
        "that is more than is owed: say `more` if it is right",
    ),
    "names_a_settled_row": Guard(
        lambda context: _settled_row(context) is not None, "no sum has come in that ledger row (`show` lists them)"
    ),
    "corrects_something": _of_settled_row(lambda _, row, came: came != row.settled_amount, "that sum is known already"),
    "corrected_within_what_was_paid": _of_settled_row(
        _corrected_within_what_was_paid,
        _NO_MORE_THAN_PAID,
    ),
    "of_a_refund": _of_settled_row(lambda _, row, came: row.side is LedgerSide.refund, "it is money of a supplier"),
    "of_the_open_refund": _of_settled_row(
        lambda context, row, came: context.case.open_refund is row, "it is not the refund that is open"
    ),
    "something_is_missing": _of_settled_row(
        lambda context, row, came: claims.missing_after(context.case, row, came) > 0, "nothing is missing"
    ),
    "nothing_is_missing": _of_settled_row(
        lambda context, row, came: claims.missing_after(context.case, row, came) == 0, "something is missing"
    ),
    "within_what_was_paid": Guard(
        _within_what_was_paid,
        _NO_MORE_THAN_PAID,
    ),
    "sum_is_known": Guard(_sum_is_known, "what was paid is not known: name the sum that came back as `amount`"),
    "a_recovery_is_open": _by_case(lambda case: bool(case.open_recoveries()), "the order has no open recovery"),
    "names_an_open_recovery": Guard(
        lambda context: _named_recovery(context) is not None,
        "name one of the order's open recoveries by its ledger row (`show` lists them)",
    ),
    "names_the_refund": Guard(_names_the_refund, "the order has no open refund in that ledger row (`show` lists them)"),
    "was_on_its_way": _by_case(lambda case: case.returns_to in ON_ITS_WAY, "the claim was opened after the delivery"),
    "claimed_after_delivery": _by_case(
        lambda case: case.returns_to not in ON_ITS_WAY, "the parcel is not where that could happen"
    ),
    "claim_window": Guard(
        lambda context: claims.window_is_open(context.case, context.at, context.rules),
        "the claim window is not open: it runs from the shipping until some days after the delivery",
    ),
    "names_its_lines": Guard(
        lambda context: claims.names_lines(context.case, _lines(context)),
        "the order has no such line (`show` lists them with their numbers)",
    ),
    "pieces_left": Guard(
        lambda context: claims.named(context.case, _lines(context)) is not None,
        "fewer pieces are left than that: the others were not ordered, are claimed already, or were made good",
    ),
    "whole_not_received": Guard(
        _whole_not_received, "before the delivery only the whole order can be claimed, and only as not_received"
    ),
    "no_claim_open": _by_case(lambda case: case.claim is None, "a claim is open"),
    "claim_open": _by_case(lambda case: case.claim is not None, "no claim is open: report open_claim first"),
    "no_verdict": _of_claim(lambda claim: claim.verdict is None, "the platform has given its verdict"),
    "verification_due": _of_claim(
        lambda claim: claim.verification_due and claim.verdict is None, "the platform has been asked in this round"
    ),
    "evidence": _of_claim(lambda claim: bool(claim.evidence), "no evidence has been submitted"),
    "approved": _of_claim(lambda claim: claim.verdict is ClaimVerdict.approved, "the platform has not approved the claim"),
    "no_remedy_chosen": _of_claim(lambda claim: claim.chosen is None, "a remedy has been chosen"),
    "reissue_chosen": _of_claim(lambda claim: claim.chosen is Remedy.reissue, "no replacement has been asked for"),
    "no_reissue_chosen": _of_claim(
        lambda claim: claim.chosen is not Remedy.reissue, "a replacement has been asked for already"
    ),
    "generation_left": _by_case(
        lambda case: case.order.generation < claims.MOST_GENERATIONS,
        "the order is itself the second replacement in its chain: only a refund is left",
    ),
    "new_order_is_free": Guard(
        _new_order_is_free,
        "the new order's number is this order's own, or that of an order which something else came of, or with more pieces",
    ),
    "a_claim_was_rejected": _by_case(
        lambda case: last_rejected(case) is not None, "its last claim was not rejected, or was opened again before"
    ),
    "where_it_went_back_to": _by_case(_went_back_here, "the order has moved on since its claim was rejected"),
    "in_time_to_reopen": Guard(_in_time_to_reopen, "the time for opening a rejected claim again is over"),
    "new_evidence": Guard(_new_evidence, "opening it again needs evidence that the claim did not have before"),
    "its_pieces_are_left": _by_case(_its_pieces_are_left, "what it is about has been claimed or made good since"),
    "anything_left": _by_case(lambda case: bool(claims.left(case)), "everything of the order was made good already"),
    "window_escalates": Guard(
        lambda context: context.rules.of(context.case).claims.at_the_end == "escalate",
        "the policy does not leave it to a person",
    ),
    "reissue_asked_for": Guard(_reissue_asked_for, "the customer did not ask for a replacement, or the policy refunds"),
}
