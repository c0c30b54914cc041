"""Which fields of a case vary from order to order and become symbols when the process is traced."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import TypeVar

from tracing.symbols import OPAQUE, Symbol, Trace
from workflow.case.case import Attempt, Case, Claim, LedgerRow, Order, Timer, replace_fields

Part = TypeVar("Part")
VARYING: Mapping[type, tuple[str, ...]] = {
    Order: ("number", "placed_at", "supplier", "alternatives", "paid", "ship_by", "country"),
    Case: ("since", "last_hash", "lines"),
    Attempt: ("supplier", "placed_at", "ship_by", "urged_at", "shipped_at", "delivered_at", "counts_from", "paid"),
    Timer: ("due_at", "planned_at", "counts_from", "paused_at"),
    LedgerRow: ("requested_at", "amount", "settled_amount", "decided_at"),
    Claim: ("opened_at", "decided_at", "replacement"),
}
"""Fields that vary from order to order: they become symbols, unless they are empty, or even then (`EVEN_EMPTY`)."""
EVEN_EMPTY = ("country", "lines")
"""Of these, those that are symbols even where they are empty: only what is called for each input reads them."""
IGNORED: Mapping[type, tuple[str, ...]] = {
    Order: (
        "group",
        "buyer_name",
        "buyer_email",
        "buyer_address",
        "merchant_email",
        "language",
        "supplier_number",
        "sale",
    ),
    Case: ("parcels", "waiting", "salt", "carrier_status", "known", "former_buyer", "unsent_request"),
    Attempt: ("supplier_number", "returned_at"),
    Timer: ("promised",),
    LedgerRow: ("corrects",),
    Claim: ("pieces", "evidence"),
}
"""Fields that no timed transition reads."""
PARTS = ("attempts", "timers", "ledger", "claims")
"""The parts of a case whose fields follow its own, in this order."""
AT = 0
"""The number of the instant, which all orders of a batch share."""
ORDER_ID, FIRST = 0, 1
"""The slots of the order's row id, and of the first varying value."""


def symbolic(case: Case, trace: Trace) -> Case:
    """Return a case with symbols for its varying fields, in the order of its columns."""
    symbols = map(trace.symbol, count(FIRST))
    order, own = symbolic_part(case.order, symbols), symbolic_part(case, symbols)
    parts = {name: tuple(symbolic_part(one, symbols) for one in getattr(case, name)) for name in PARTS}
    return replace_fields(own, order=order, **parts)


def symbolic_part(part: Part, symbols: Iterator[Symbol]) -> Part:
    """Return an order or a part of a case with the next symbols for its varying fields; empty ones stay empty."""
    varying = dict(zip(VARYING[type(part)], symbols, strict=False))
    known = {name: symbol for name, symbol in varying.items() if name in EVEN_EMPTY or getattr(part, name) is not None}
    return replace_fields(part, **known, **dict.fromkeys(IGNORED.get(type(part), ()), OPAQUE))
