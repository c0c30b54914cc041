"""Guards: what must be true for a row of the process table to be taken, and the words for when it is not."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from workflow import claims
from workflow.order import Case, Claim, Details
from workflow.policy import Rules
from workflow.process import ON_ITS_WAY, UNSHIPPED
from workflow.words import State


@dataclass(frozen=True, slots=True)
class Question:
    """What a guard may look at."""

    case: Case
    fields: Details
    rules: Rules
    at: datetime


@dataclass(frozen=True, slots=True)
class Guard:
    """A predicate, and the reason that is given when it says no.

    `of_case` is set where the case alone decides, whatever is reported and whatever the policy says.
    """

    allows: Callable[[Question], bool]
    refusal: str
    of_case: Callable[[Case], bool] | None = None


def _by_case(allows: Callable[[Case], bool], refusal: str) -> Guard:
    return Guard(lambda q: allows(q.case), refusal, allows)


def _current_attempt(q: Question) -> bool:
    named = q.case.named_attempt(q.fields)
    return named is not None and named.number == q.case.current


def _earlier_attempt(q: Question) -> bool:
    named = q.case.named_attempt(q.fields)
    return named is not None and named.number < q.case.current


def _cancelled_and_unshipped(case: Case) -> bool:
    return case.cancelled and case.returns_to in UNSHIPPED


def _names_the_refund(q: Question) -> bool:
    named, requested = q.fields.get("refund"), q.case.open_refund
    return named is None or (requested is not None and requested.number == named)


def _sum(q: Question) -> int | None:
    amount, requested = q.fields.get("amount"), q.case.open_refund
    if amount is not None:
        return int(amount)
    return requested.amount if requested else None


def _within_what_was_paid(q: Question) -> bool:
    amount, still = _sum(q), claims.unsettled(q.case)
    return amount is None or still is None or amount <= still


def _sum_is_known(q: Question) -> bool:
    return _sum(q) is not None or q.case.open_refund is None


def _whole_not_received(q: Question) -> bool:
    return q.fields.get("kind") == "not_received" and claims.named(q.case, _lines(q)) == claims.ordered(q.case)


def _lines(q: Question) -> str | None:
    lines = q.fields.get("lines")
    return None if lines is None else str(lines)


def last_rejected(case: Case) -> Claim | None:
    """Return the latest claim, if it was rejected and never opened again."""
    last = case.claims[-1] if case.claims else None
    return last if last and last.status == "rejected" and not last.reopened else None


def _went_back_here(case: Case) -> bool:
    claim = last_rejected(case)
    return claim is not None and claim.went_back_to is case.state


def _in_time_to_reopen(q: Question) -> bool:
    claim, within = last_rejected(q.case), q.rules.of(q.case).claims.reopen_within
    return claim is not None and q.at <= within.after(claim.decided_at or q.at, q.rules.calendar)


def evidence_of(fields: Details) -> tuple[str, ...]:
    """Return what a report says was sent, piece by piece."""
    return tuple(str(fields.get("evidence") or "").split())


def _new_evidence(q: Question) -> bool:
    claim = last_rejected(q.case)
    return claim is not None and any(one not in claim.evidence for one in evidence_of(q.fields))


def _its_pieces_are_left(case: Case) -> bool:
    claim, left = last_rejected(case), claims.left(case)
    return claim is None or all(quantity <= left.get(number, 0) for number, quantity in claim.pieces)


def _new_order_is_free(q: Question) -> bool:
    named, claim = str(q.fields.get("new_order") or ""), q.case.claim
    if not named or named == q.case.order.number:
        return False
    pieces = q.case.known.get(named, 0)
    return pieces is not None and (claim is None or pieces <= sum(quantity for _, quantity in claim.pieces))


def _reissue_asked_for(q: Question) -> bool:
    claim, at_the_end = q.case.claim, q.rules.of(q.case).claims.at_the_end
    return at_the_end == "requested" and claim is not None and claim.remedy == "reissue" and claim.chosen is None


def _of_claim(allows: Callable[[Claim], bool], refusal: str) -> Guard:
    """Make a guard about the open claim; it says nothing where there is none."""
    return _by_case(lambda case: case.claim is None or allows(case.claim), refusal)


def _names_an_open_recovery(q: Question) -> bool:
    named, still_open = q.fields.get("recovery"), q.case.open_recoveries()
    if named is None:
        return len(still_open) == 1
    return any(row.number == named for row in still_open)


_NO_SUCH_ATTEMPT = "no attempt of the order has that number or supplier, or it was called off"

GUARDS: dict[str, Guard] = {
    "domestic": _by_case(
        lambda case: case.order.route == "domestic",
        "only a domestic order can be intercepted; the platform neither intercepts nor refunds an international one",
    ),
    "candidate_left": _by_case(lambda case: case.next_supplier() is not None, "no alternative supplier is left"),
    "no_stock_reroutes": Guard(lambda q: q.rules.of(q.case).supply.no_stock == "reroute", "the policy refunds"),
    "unresponsive_reroutes": Guard(lambda q: q.rules.of(q.case).supply.unresponsive == "reroute", "the policy refunds"),
    "not_cancelled": _by_case(lambda case: not case.cancelled, "the customer has cancelled"),
    "current_attempt": Guard(_current_attempt, _NO_SUCH_ATTEMPT),
    "earlier_attempt": Guard(_earlier_attempt, _NO_SUCH_ATTEMPT),
    "cancelled_and_unshipped": _by_case(_cancelled_and_unshipped, "the order was not cancelled, or has shipped"),
    "was_unshipped": _by_case(lambda case: case.returns_to in UNSHIPPED, "the order had shipped before the interception"),
    "was_shipped": _by_case(lambda case: case.returns_to is State.shipped, "the order was not on its way"),
    "was_held": _by_case(lambda case: case.returns_to is State.customs_hold, "customs did not hold the order"),
    "within_what_was_paid": Guard(_within_what_was_paid, "a refund cannot exceed what was paid"),
    "sum_is_known": Guard(_sum_is_known, "what was paid is not known: name the sum that came back as `amount`"),
    "a_recovery_is_open": _by_case(lambda case: bool(case.open_recoveries()), "the order has no open recovery"),
    "names_an_open_recovery": Guard(
        _names_an_open_recovery, "name one of the order's open recoveries by its ledger row (`show` lists them)"
    ),
    "names_the_refund": Guard(_names_the_refund, "the order has no open refund in that ledger row (`show` lists them)"),
    "was_on_its_way": _by_case(lambda case: case.returns_to in ON_ITS_WAY, "the claim was opened after the delivery"),
    "claimed_after_delivery": _by_case(
        lambda case: case.returns_to not in ON_ITS_WAY, "the parcel is not where that could happen"
    ),
    "claim_window": Guard(
        lambda q: claims.window_is_open(q.case, q.at, q.rules),
        "the claim window is not open: it runs from the shipping until some days after the delivery",
    ),
    "names_its_lines": Guard(
        lambda q: claims.names_lines(q.case, _lines(q)), "the order has no such line (`show` lists them with their numbers)"
    ),
    "pieces_left": Guard(
        lambda q: claims.named(q.case, _lines(q)) is not None,
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
    "approved": _of_claim(lambda claim: claim.verdict == "approved", "the platform has not approved the claim"),
    "no_remedy_chosen": _of_claim(lambda claim: claim.chosen is None, "a remedy has been chosen"),
    "reissue_chosen": _of_claim(lambda claim: claim.chosen == "reissue", "no replacement has been asked for"),
    "no_reissue_chosen": _of_claim(lambda claim: claim.chosen != "reissue", "a replacement has been asked for already"),
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
        lambda q: q.rules.of(q.case).claims.at_the_end == "escalate", "the policy does not leave it to a person"
    ),
    "reissue_asked_for": Guard(_reissue_asked_for, "the customer did not ask for a replacement, or the policy refunds"),
}
