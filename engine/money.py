"""What is owed to the merchant, by whom and since when, and what was lost: each currency by itself (part 4)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.views import EVERYTHING, Filter, Source
from language import tr
from storage import lists, money
from storage.database import reading
from workflow.vocabulary import ClaimKind, LedgerSide

PLATFORM = "the platform"
NO_NAME = "(no supplier named)"
YOUNG, OLD = timedelta(days=15), timedelta(days=30)
"""Ages that are told apart."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What one party owes in one currency for the orders of one shop, in minor units, and of it what is young and old.

    `unknown` counts the rows whose sum is not known, and which no sum has in it.
    """

    shop: str
    party: str
    currency: str
    count: int
    amount: int
    younger: int
    older: int
    unknown: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Lost:
    """What one party has declined in one currency for the orders of one shop, in minor units.

    `cause` is the kind of the claim, or else the trigger, that the money was asked for; `why` says it in words.
    """

    shop: str
    party: str
    currency: str
    count: int
    amount: int
    unknown: int
    cause: str | None
    why: str


CAUSES = {
    "reroute": "it was not shipped in time",
    "report_no_stock": "the supplier had no stock",
    "report_unresponsive": "the supplier did not answer",
    "report_oversized": "it was too large or too heavy to ship",
    "report_closed": "the supplier or the platform cancelled it",
    "confirm_interception": "it was stopped on the way",
    "override": "a person moved the order to refunding",
    **dict.fromkeys(("settle_refund", "decline_refund", "settle_recovery", "decline_recovery"), "only a part came"),
    **{str(kind): f"claim: {str(kind).replace('_', ' ')}" for kind in ClaimKind},
}
"""Why money was asked for that did not come, by the kind of its claim or the trigger that asked for it."""


def outstanding(source: Source, at: datetime, wanted: Filter = EVERYTHING) -> list[Owed]:
    """Return what is asked for and has not come.

    Raises:
        UsageError: no order has a shop that is named, and none ever had a supplier that is.

    """
    with reading(source) as connection:
        lists.refuse_unknown_names(connection, wanted.shops, wanted.suppliers)
        rows = money.outstanding(connection, at - YOUNG, at - OLD, wanted)
    return [
        Owed(
            row["shop"],
            _party(row["side"], row["supplier"]),
            row["currency"],
            row["count"],
            int(row["amount"] or 0),
            int(row["younger"] or 0),
            int(row["older"] or 0),
            int(row["unknown"]),
            row["since"],
        )
        for row in rows
    ]


def lost(source: Source, since: datetime, wanted: Filter = EVERYTHING) -> list[Lost]:
    """Return what was declined since an instant, and what it had been asked for."""
    with reading(source) as connection:
        rows = money.lost(connection, since, wanted)
    return [
        Lost(
            row["shop"],
            _party(row["side"], row["supplier"]),
            row["currency"],
            row["count"],
            int(row["amount"] or 0),
            int(row["unknown"]),
            cause := row["claim"] or row["trigger"],
            tr(CAUSES.get(cause, cause or "not known")),
        )
        for row in rows
    ]


def _party(side: str, supplier: str | None) -> str:
    return PLATFORM if side == LedgerSide.refund else supplier or NO_NAME
