"""What may be claimed of an order, and what it is worth (docs/process.md, part 8). Pure arithmetic over the case file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from workflow.case.case import Case, Claim, LedgerRow, Line, Order
from workflow.vocabulary import ClaimStatus, LedgerSide, LedgerStatus, State

if TYPE_CHECKING:
    from workflow.policy.policy import Rules

Pieces = Mapping[int, int]
"""How many pieces of which line; lines count from 1."""

REMEDIED = (ClaimStatus.refunded, ClaimStatus.reissued)
"""How a claim ends when its pieces were made good."""
MOST_GENERATIONS = 2
"""Of replacements (rule 8.7)."""


def lines_of(case: Case) -> tuple[Line, ...]:
    """Return the order's lines; an order of which none is known counts as one line with one piece."""
    return case.lines or (Line(),)


def ordered(case: Case) -> Pieces:
    """Return what was ordered."""
    return {number: line.quantity for number, line in enumerate(lines_of(case), 1)}


def left(case: Case) -> Pieces:
    """Return what may still be claimed: what was ordered, less what is claimed or made good (rule 8.2)."""
    if _whole_is_made_good(case):
        return {}
    pieces = dict(ordered(case))
    for claim in case.claims:
        if claim.status in (ClaimStatus.open, *REMEDIED):
            for number, quantity in claim.pieces:
                pieces[number] -= quantity
    return {number: quantity for number, quantity in pieces.items() if quantity > 0}


def _whole_is_made_good(case: Case) -> bool:
    """Say whether more is asked for, or has come, than claims account for, and with them all that was paid."""
    counts = (LedgerStatus.requested, LedgerStatus.settled)
    rows = [row for row in _money_of(case, case.current) if row.status in counts]
    unclaimed = [row.amount for row in rows if row.claim is None]
    known = sum(_asked_or_come(row) for row in rows)
    return None in unclaimed or (case.paid is not None and bool(unclaimed) and known >= case.paid)


def _asked_or_come(row: LedgerRow) -> int:
    """Return what a refund asks for, or, once it is settled, what has come of it."""
    came = row.settled_amount if row.status is LedgerStatus.settled else None
    return (row.amount or 0) if came is None else came


def named(case: Case, text: str | None) -> Pieces | None:
    """Return the pieces that a report names as "1:2;MUG-22:1", everything left when it names none, None when it errs.

    A line is named by its SKU if only one line has it, else by its number; what is not left cannot be claimed.
    """
    remaining = left(case)
    if text is None:
        return remaining or None
    pieces: dict[int, int] = {}
    for part in text.split(";"):
        name, _, quantity = part.rpartition(":")
        number = _line_number(case, name.strip())
        if number is None:
            return None
        pieces[number] = pieces.get(number, 0) + int(quantity)
    return pieces if all(quantity <= remaining.get(number, 0) for number, quantity in pieces.items()) else None


def names_lines(case: Case, text: str | None) -> bool:
    """Say whether every line that a report names is one of the order's."""
    parts = [part.rpartition(":")[0].strip() for part in text.split(";")] if text else []
    return all(_line_number(case, name) in ordered(case) for name in parts)


def _line_number(case: Case, name: str) -> int | None:
    with_sku = [number for number, line in enumerate(lines_of(case), 1) if line.sku == name]
    if len(with_sku) == 1:
        return with_sku[0]
    return int(name) if name.isascii() and name.isdigit() else None


def worth(case: Case, pieces: Pieces) -> int | None:
    """Return what `pieces` are worth in minor units, or None where that is not known (rule 8.6).

    All of the order is worth what was paid for it; a part is worth its prices, and where less was paid than all
    prices together, its share of that, rounded down.
    """
    paid = case.paid
    if pieces == ordered(case) and paid is not None:
        return paid
    prices = {number: lines_of(case)[number - 1].price for number in pieces}
    known = [price * pieces[number] for number, price in prices.items() if price is not None]
    if len(known) < len(prices):
        return None
    value, total = sum(known), _total(case)
    if paid is None:
        return value
    return value * paid // total if total and paid < total else min(value, paid)


def _total(case: Case) -> int | None:
    prices = [line.price * line.quantity for line in lines_of(case) if line.price is not None]
    return sum(prices) if len(prices) == len(lines_of(case)) else None


def unsettled(case: Case) -> int | None:
    """Return how much may still come back along the order's chain of replacements, or None where what was paid is not known."""
    paid = case.chain_paid if case.order.generation else case.paid
    if paid is None:
        return None
    return max(0, paid - has_come_back(case))


def has_come_back(case: Case) -> int:
    """Return what has come back of the current attempt's money, and along the chain of replacements, in minor units."""
    return case.settled_elsewhere + has_come_back_for(case, case.current)


def has_come_back_for(case: Case, attempt: int) -> int:
    """Return what has come back of what was paid for an attempt, from whichever side, in minor units."""
    return sum(row.settled_amount or 0 for row in _money_of(case, attempt))


def all_is_back_for(case: Case, attempt: int) -> bool:
    """Say whether all that was paid for an attempt has come back."""
    came = has_come_back_for(case, attempt)  # where none has, the sum paid is not looked at: it may stand for many orders'
    return came > 0 and owed_for(case, attempt) == 0


def owed_for(case: Case, attempt: int) -> int | None:
    """Return what of the money for an attempt has not come back, or None where what was paid is not known."""
    paid, came = case.paid_for(attempt), has_come_back_for(case, attempt)
    return paid if paid is None or not came else max(0, paid - came)


def _money_of(case: Case, attempt: int) -> Iterator[LedgerRow]:
    """Yield the rows of an attempt's money; of the refunds that an older program asked for it is not known whose."""
    return (row for row in case.ledger if row.attempt == attempt or (row.attempt is None and row.side == LedgerSide.refund))


def missing_after(case: Case, row: LedgerRow, came: int) -> int:
    """Return what is missing of a ledger row once the sum that came is corrected to `came`, in minor units.

    Of one whose last part was said to be the last, that is what had come by then; of a withdrawn recovery, or of a supplier's
    that is current again, nothing; and no refund is missing beyond what was paid.
    """
    if row.amount is None:
        return 0
    missing = max(0, asked_after(case, row, came) - came)
    if row.side == LedgerSide.recovery:
        return 0 if row.attempt == case.current or row.status == LedgerStatus.withdrawn else missing
    of_current = row.attempt in (None, case.current)
    still = unsettled(case) if of_current else owed_for(case, row.attempt or case.current)
    return missing if still is None else min(missing, max(0, still + (row.settled_amount or 0) - came))


def asked_after(case: Case, row: LedgerRow, came: int) -> int:
    """Return what a ledger row asks for once the sum that came is corrected, in minor units.

    Where the rest was declined with its last part, that is what had come by then, or more where more has come.
    """
    declined = declined_with(case, row)
    if not declined:
        return row.amount or 0
    corrections = sum(one.amount or 0 for one in case.ledger if one.corrects == row.number)
    whole = (row.amount or 0) + sum(one.amount or 0 for one in declined)
    return min(whole, max(came, (row.settled_amount or 0) - corrections))


def declined_with(case: Case, row: LedgerRow) -> list[LedgerRow]:
    """Return the rows of the same money that were declined when its last part was said to be the last."""
    same = (row.side, row.attempt, row.claim)
    return [one for one in case.ledger if (one.side, one.attempt, one.claim) == same and one.status == LedgerStatus.declined]


def rest(row: LedgerRow) -> int | None:
    """Return what is missing of the money of a ledger row, or None where its sum is not known."""
    if row.amount is None or not row.settled_amount:
        return row.amount
    return row.amount - row.settled_amount


def to_ask_for(case: Case, claim: Claim | None) -> int | None:
    """Return the sum that a refund of `claim` (None: of the whole order) asks for, or None where it is not known (rule 8.6)."""
    remaining = unsettled(case)
    value = worth(case, dict(claim.pieces)) if claim else case.paid
    if value is None or remaining is None:
        return value
    return min(value, max(0, remaining - case.requested_elsewhere))


def window_is_open(case: Case, at: datetime, rules: Rules) -> bool:
    """Say whether a claim may be opened at `at`: from the shipping until some days after the delivery (rule 8.1)."""
    attempt = case.attempt
    if attempt.shipped_at is not None and at < attempt.shipped_at:
        return False
    if attempt.delivered_at is None:
        return attempt.shipped_at is not None or case.state is State.delivered
    close_after = rules.of(case).delivery.close_after
    return at <= close_after.after(attempt.delivered_at, rules.calendar)


def written(case: Case, pieces: Pieces) -> str:
    """Write pieces for people: "2 × MUG-22; 1 × line 3"."""
    lines = lines_of(case)
    return "; ".join(f"{quantity} × {_name(lines[number - 1], number)}" for number, quantity in sorted(pieces.items()))


def _name(line: Line, number: int) -> str:
    return line.title or line.sku or f"line {number}"


def replacement(case: Case, claim: Claim, number: str, at: datetime) -> tuple[Order, tuple[Line, ...]]:
    """Return the order that replaces the claimed pieces of `case`, placed at `at` under the platform's `number` (rule 8.7)."""
    order, pieces = case.order, dict(claim.pieces)
    lines = tuple(replace(lines_of(case)[line - 1], quantity=quantity) for line, quantity in claim.pieces)
    facts = {name: getattr(order, name) for name in _INHERITED}
    return Order(
        number=number,
        placed_at=at,
        supplier=case.attempt.supplier,
        paid=worth(case, pieces),
        replaces=order.number,
        generation=order.generation + 1,
        chain=order.chain or order.number,
        **facts,
    ), lines if case.lines else ()


_INHERITED = (
    "shop",
    "currency",
    "route",
    "group",
    "alternatives",
    "country",
    "buyer_name",
    "buyer_email",
    "buyer_address",
    "merchant_email",
    "language",
)
