"""Letters about an invented order, for who writes templates of their own: each kind, by what brings it about."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from effects.letters import ClaimTerms, LetterContext, OrderedGoods
from workflow.case.case import Order
from workflow.process import RECORDS, ROWS


@cache
def causes(kind: str) -> tuple[str, ...]:
    """Return the triggers that bring an effect kind about."""
    return tuple(dict.fromkeys(row.trigger for row in (*ROWS, *RECORDS.values()) if kind in row.effects))


def samples(kind: str, cause: str, at: datetime, terms: ClaimTerms, count: int = 1) -> Sequence[LetterContext]:
    """Return what a letter would know of invented orders, had a trigger brought it about at an instant."""
    goods = (
        OrderedGoods(1, "DL-20", "Desk lamp", "https://example.com/items/dl-20", "19.90 CNY"),
        OrderedGoods(2, "MUG-22", "Enamel mug", None, "9.90 CNY"),
    )
    number, limit, parcels = "2607411", "39.70 CNY", ("Cainiao LP00123456789CN",)
    one = LetterContext(_order(at), 1, at, _details(kind, cause, at), terms, number, goods, limit, parcels)
    return [replace(one, order=replace(one.order, number=f"{1003 + place}")) for place in range(count)]


def _order(at: datetime) -> Order:
    return Order(
        shop="main",
        number="1003",
        placed_at=at - timedelta(days=5),
        currency="CNY",
        supplier="Yiwu Home",
        country="BR",
        paid=3_970,
        buyer_name="Ana Souza",
        buyer_address="Rua das Flores 12, 01310-100 São Paulo",
    )


def _details(kind: str, cause: str, at: datetime) -> Mapping[str, Any]:
    told: dict[str, Any] = {"about": cause, "supplier": "Yiwu Home"}
    if any(cause == row.trigger and "repeat" in row.changes for row in (*ROWS, *RECORDS.values())):
        told["nth"] = 1
    if cause in ("ask", "remind_decision"):
        told |= {"decision": 1, "asks": "reroute", "next": "Ningbo Trading", "cost": 4_120}
    elif cause in ("hold", "remind_customs"):
        told |= {"wants": "documents", "until": (at + timedelta(days=10)).isoformat()}
    elif cause == "override":
        told["to"] = "disputed"
    elif cause == "correct_address":
        told["address"] = "Rua das Flores 21, 01310-100 São Paulo"
    elif kind in ("request_refund", "chase_refund", "recover_supply", "chase_recovery"):
        told["amount"] = 3_970
    else:
        told |= {"claim": 1, "kind": "damaged", "pieces": "1 × Enamel mug", "evidence": "photo.jpg"}
        told |= {"evidence_until": (at + timedelta(days=7)).isoformat(), "window_ends": (at + timedelta(days=21)).isoformat()}
    return told
