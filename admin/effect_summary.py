"""What an effect is about, in a few words."""

from collections.abc import Mapping
from typing import Any

from language import tr
from workflow.case.money import show_amount
from workflow.table import EFFECT_OF
from workflow.vocabulary import Party


def effect_summary(kind: str, details: Mapping[str, Any], currency: str) -> str:
    """Say what an effect speaks of: the sum, the pieces, the supplier or the reason."""
    said = []
    if kind in ("request_refund", "chase_refund"):
        amount = details.get("amount")
        said.append(
            tr("the full amount paid; a person names the sum") if amount is None else show_amount(int(amount), currency)
        )
    if kind == "place_supply" and details.get("cost") is not None:
        said.append(show_amount(int(details["cost"]), currency))
    names = ("pieces", "supplier", "reason") if EFFECT_OF[kind].party is Party.supplier else ("pieces", "reason")
    said += [str(details[name]) for name in names if details.get(name)]
    return ", ".join(said)
