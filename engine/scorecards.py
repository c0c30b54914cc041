"""How each supplier does, by period: what the choice of the next one stands on, and what it has paid back (rule 2.20)."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import RowMapping

from engine.money import NO_NAME as NO_NAME
from engine.views import EVERYTHING, Filter, Source
from storage import lists, scorecards
from storage.database import reading
from workflow.names import folded

DAY = 86_400
"""In seconds."""


@dataclass(frozen=True, slots=True)
class MoneyBack:
    """What a supplier was asked to pay back in one currency, in minor units.

    `orders` counts those it was asked for, `unknown` the sums that nobody knows, and `settled` those that have come: after
    `days` on average.
    """

    currency: str
    orders: int
    amount: int
    back: int
    declined: int
    open: int
    unknown: int
    settled: int
    days: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """What became of the orders that a supplier was given from `since` until before `until`.

    `due` are those that it shipped, or should have; of these `on_time` were shipped before it had to be urged. `left` are those
    that were taken from it, because it shipped late, had no stock (`no_stock`), did not answer or cancelled. `claims` are
    orders that a buyer has claimed of it.
    """

    supplier: str
    since: datetime
    until: datetime
    attempts: int
    due: int
    on_time: int
    on_time_share: float | None
    shipped: int
    days_to_ship: float | None
    urged: int
    left: int
    no_stock: int
    claims: int
    money: Sequence[MoneyBack]


def scores_of(source: Source, bounds: Sequence[datetime], at: datetime, wanted: Filter = EVERYTHING) -> list[Score]:
    """Return the scorecards as of `at`: the supplier with the most orders late or left first, and its periods in turn.

    `bounds` are the instants at which periods begin, and the last one ends. Of `wanted`, shops and suppliers count.

    Raises:
        UsageError: no order has a shop that is named, and none ever had a supplier that is.

    """
    with reading(source) as connection:
        spelt = lists.spellings(connection, wanted.suppliers)
        known = {*map(folded, spelt)}
        lists.refuse_unknown_names(connection, wanted.shops, [name for name in wanted.suppliers if folded(name) not in known])
        wanted = replace(wanted, suppliers=spelt)
        rows = scorecards.scores(connection, bounds, at, wanted)
        money = scorecards.money_back(connection, bounds, wanted)
    sums, owed, names = defaultdict[_Key, _Sums](Counter), defaultdict[_Key, dict[str, _Sums]](dict), dict[str, str]()
    for row in sorted(rows, key=lambda one: -int(one["attempts"])):  # of several ways to write a name the commonest is shown
        names.setdefault(_key(row)[0], row["supplier"] or NO_NAME)
        sums[_key(row)].update(_numbers(row))
    for row in money:
        owed[_key(row)].setdefault(row["currency"], Counter()).update(_numbers(row))
    failures = Counter[str]()
    for (supplier, _), one in sums.items():
        failures[supplier] += int(one["due"] - one["on_time"])

    def place(key: _Key) -> tuple[int, str, int]:
        return -failures[key[0]], *key

    return [_score(names[key[0]], bounds[key[1] :], sums[key], owed[key]) for key in sorted(sums, key=place)]


_Key = tuple[str, int]
"""The folded name of a supplier, and the number of a period."""
_Sums = Counter[str]


def _key(row: RowMapping) -> _Key:
    return folded(row["supplier"] or ""), int(row["period"])


def _numbers(row: RowMapping) -> dict[str, int]:
    """Return what of a row is added up; seconds are whole."""
    return {name: int(value or 0) for name, value in row.items() if name not in ("supplier", "period", "currency")}


def _score(supplier: str, bounds: Sequence[datetime], sums: _Sums, owed: Mapping[str, _Sums]) -> Score:
    return Score(
        supplier,
        since=bounds[0],
        until=bounds[1],
        attempts=sums["attempts"],
        due=sums["due"],
        on_time=sums["on_time"],
        on_time_share=round(sums["on_time"] / sums["due"], 3) if sums["due"] else None,
        shipped=sums["shipped"],
        days_to_ship=_days(sums["seconds_to_ship"], sums["shipped"]),
        urged=sums["urged"],
        left=sums["left"],
        no_stock=sums["no_stock"],
        claims=sums["claims"],
        money=[_money(currency, owed[currency]) for currency in sorted(owed)],
    )


def _money(currency: str, sums: _Sums) -> MoneyBack:
    return MoneyBack(
        currency,
        orders=sums["orders"],
        amount=sums["amount"],
        back=sums["back"],
        declined=sums["declined"],
        open=sums["open"],
        unknown=sums["unknown"],
        settled=sums["settled"],
        days=_days(sums["seconds"], sums["settled"]),
    )


def _days(seconds: int, count: int) -> float | None:
    """Return how many days something took on average."""
    return round(seconds / count / DAY, 1) if count else None
