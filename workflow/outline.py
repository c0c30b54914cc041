"""What a case has of its own, and what it shares with others: its shape."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from workflow.blanks import UNKNOWN, Asked
from workflow.order import Attempt, Case, LedgerRow, Order, Timer, altered

OWN: Mapping[type, tuple[str, ...]] = {
    Order: ("number", "placed_at", "supplier", "alternatives", "paid", "ship_by"),
    Case: ("since", "last_hash"),
    Attempt: ("supplier", "placed_at", "ship_by", "urged_at", "shipped_at", "delivered_at", "counts_from"),
    Timer: ("due_at", "planned_at", "counts_from", "paused_at"),
    LedgerRow: ("requested_at", "amount", "settled_amount", "decided_at"),
}
"""The fields that are each order's own: they become blanks, unless they are empty."""
UNREAD: Mapping[type, tuple[str, ...]] = {
    Order: ("group", "country", "buyer_name", "buyer_email", "buyer_address", "merchant_email", "language"),
    Case: ("lines", "waiting", "salt", "carrier_status", "known"),
    Attempt: ("carrier", "tracking_number", "parcel"),
}
"""The fields that no timer looks at."""
AT, ORDER_ID, FIRST = 0, 1, 2
"""The places of the instant and of the order's row; from the last on stand the case's own values."""


def blanked(case: Case, asked: Asked) -> Case:
    """Return a case with blanks for what is its own, in the order in which its values stand."""
    places = _places(asked)
    order = replace(case.order, **_of(case.order, places))
    own = _of(case, places)
    attempts = tuple(altered(one, **_of(one, places)) for one in case.attempts)
    timers = tuple(altered(one, **_of(one, places)) for one in case.timers)
    ledger = tuple(altered(one, **_of(one, places)) for one in case.ledger)
    return altered(case, **own, order=order, attempts=attempts, timers=timers, ledger=ledger)


def _places(asked: Asked) -> Callable[[], Any]:
    numbers: Iterator[int] = iter(range(FIRST, 10_000))
    return lambda: asked.blank(next(numbers))


def _of(part: Any, place: Callable[[], Any]) -> dict[str, Any]:
    blanks = {name: place() for name in OWN[type(part)]}
    filled = {name: blank for name, blank in blanks.items() if getattr(part, name) is not None}
    return filled | dict.fromkeys(UNREAD.get(type(part), ()), UNKNOWN)
