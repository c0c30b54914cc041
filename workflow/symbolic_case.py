"""Which fields of a case vary from order to order and become symbols when the process is traced."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from workflow.case.case import Attempt, Case, LedgerRow, Order, Timer, replace_fields
from workflow.symbols import OPAQUE, Trace

VARYING: Mapping[type, tuple[str, ...]] = {
    Order: ("number", "placed_at", "supplier", "alternatives", "paid", "ship_by"),
    Case: ("since", "last_hash"),
    Attempt: ("supplier", "placed_at", "ship_by", "urged_at", "shipped_at", "delivered_at", "counts_from"),
    Timer: ("due_at", "planned_at", "counts_from", "paused_at"),
    LedgerRow: ("requested_at", "amount", "settled_amount", "decided_at"),
}
"""Fields that vary from order to order: they become symbols, unless they are empty."""
IGNORED: Mapping[type, tuple[str, ...]] = {
    Order: ("group", "country", "buyer_name", "buyer_email", "buyer_address", "merchant_email", "language"),
    Case: ("lines", "waiting", "salt", "carrier_status", "known"),
    Attempt: ("carrier", "tracking_number", "parcel"),
}
"""Fields that no timed transition reads."""
AT, ORDER_ID, FIRST = 0, 1, 2
"""The slots of the instant, of the order's row id, and of the first varying value."""


def symbolic(case: Case, trace: Trace) -> Case:
    """Return a case with symbols for its varying fields, in the order of its columns."""
    places = _places(trace)
    order = replace(case.order, **_of(case.order, places))
    own = _of(case, places)
    attempts = tuple(replace_fields(one, **_of(one, places)) for one in case.attempts)
    timers = tuple(replace_fields(one, **_of(one, places)) for one in case.timers)
    ledger = tuple(replace_fields(one, **_of(one, places)) for one in case.ledger)
    return replace_fields(case, **own, order=order, attempts=attempts, timers=timers, ledger=ledger)


def _places(trace: Trace) -> Callable[[], Any]:
    numbers: Iterator[int] = iter(range(FIRST, 10_000))
    return lambda: trace.symbol(next(numbers))


def _of(part: Any, slot: Callable[[], Any]) -> dict[str, Any]:
    symbols = {name: slot() for name in VARYING[type(part)]}
    filled = {name: symbol for name, symbol in symbols.items() if getattr(part, name) is not None}
    return filled | dict.fromkeys(IGNORED.get(type(part), ()), OPAQUE)
