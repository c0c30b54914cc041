"""Guards: what must be true for a row of the process table to be taken, and the words for when it is not."""

from collections.abc import Callable
from dataclasses import dataclass

from workflow.order import Case, Details
from workflow.policy import Rules
from workflow.process import UNSHIPPED
from workflow.words import State


@dataclass(frozen=True, slots=True)
class Question:
    """What a guard may look at."""

    case: Case
    fields: Details
    rules: Rules


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


def _within_what_was_paid(q: Question) -> bool:
    amount, paid = q.fields.get("amount"), q.case.order.paid
    return amount is None or paid is None or int(amount) <= paid


def _sum_is_known(q: Question) -> bool:
    requested = [row for row in q.case.ledger if row.side == "refund" and row.status == "requested"]
    return q.fields.get("amount") is not None or all(row.amount is not None for row in requested)


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
    "no_stock_reroutes": Guard(lambda q: q.rules.policy.supply.no_stock == "reroute", "the policy refunds"),
    "unresponsive_reroutes": Guard(lambda q: q.rules.policy.supply.unresponsive == "reroute", "the policy refunds"),
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
    "claims_are_built": _by_case(lambda case: False, "claims are not yet available in this version"),
}
