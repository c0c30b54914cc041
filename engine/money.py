"""What is owed to the merchant, by whom and since when, and what was lost: each currency by itself (part 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.views import Source
from storage import lists, money
from storage.database import reading
from workflow.vocabulary import LedgerSide

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
    """What one party has declined in one currency for the orders of one shop, in minor units."""

    shop: str
    party: str
    currency: str
    count: int
    amount: int
    unknown: int


def outstanding(source: Source, at: datetime, shops: Sequence[str] = ()) -> list[Owed]:
    """Return what is asked for and has not come.

    Raises:
        UsageError: no order has a shop that is named.

    """
    with reading(source) as connection:
        lists.refuse_unknown_names(connection, shops, ())
        rows = money.outstanding(connection, at - YOUNG, at - OLD, [one.lower() for one in shops])
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


def lost(source: Source, since: datetime, shops: Sequence[str] = ()) -> list[Lost]:
    """Return what was declined since an instant."""
    with reading(source) as connection:
        rows = money.lost(connection, since, [one.lower() for one in shops])
    return [
        Lost(
            row["shop"],
            _party(row["side"], row["supplier"]),
            row["currency"],
            row["count"],
            int(row["amount"] or 0),
            int(row["unknown"]),
        )
        for row in rows
    ]


def _party(side: str, supplier: str | None) -> str:
    return PLATFORM if side == LedgerSide.refund else supplier or NO_NAME
