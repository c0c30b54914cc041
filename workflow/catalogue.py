"""The catalogue: which suppliers can deliver which goods, and which of them is turned to next (rule 2.20).

Where its offers are kept, and how they come there, is the business of `storage` and `inbound`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Protocol

from language import tr
from workflow.case.canonical import ascii_json
from workflow.case.case import Line
from workflow.values import value_class


class Choose(StrEnum):
    """By what suppliers are ordered."""

    rank = "rank"
    cheapest = "cheapest"
    most_reliable = "most_reliable"


class Why(StrEnum):
    """Why a supplier that offers some of an order's goods is passed over."""

    lines = "lines"
    country = "country"
    cost_unknown = "cost_unknown"
    costs_more = "costs_more"


@value_class(frozen=True)
class Offer:
    """That a supplier delivers a product of ours. `price` is in minor units of `currency`, for one piece.

    `shop` None stands for every shop, no `countries` for all of them; `rank` 1 is the best. It counts from `since` until
    before `until`.
    """

    supplier: str
    sku: str
    shop: str | None = None
    supplier_sku: str | None = None
    address: str | None = None
    """Where the product is seen and ordered."""
    price: int | None = None
    currency: str | None = None
    handling_time: str | None = None
    """How long the supplier takes until it ships, such as 2d or 3wd."""
    countries: tuple[str, ...] = ()
    rank: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def is_on(self, at: datetime) -> bool:
        """Say whether it counts at an instant."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)

    def delivers_to(self, country: str | None) -> bool:
        """Say whether it is sent to a country; where that is not known, it must be sent to every one."""
        return not self.countries or (country or "").casefold() in map(str.casefold, self.countries)


@value_class(frozen=True)
class Record:
    """How a supplier has done of late: orders that it has shipped or should have, those shipped in time, and recoveries."""

    orders: int
    on_time: int
    recoveries: int


class Wanted(NamedTuple):
    """What of an order decides who can deliver it."""

    shop: str
    country: str | None
    currency: str
    lines: tuple[Line, ...]


class Preference(NamedTuple):
    """How the policy chooses: `extra` is the most that a supplier may cost over the last attempt, in percent (None: no limit).

    A record counts from `enough_orders` orders.
    """

    choose: Choose
    extra: int | None
    enough_orders: int


@value_class(frozen=True)
class Candidate:
    """A supplier that offers goods of an order: its offer for each line, None where it has none."""

    supplier: str
    offers: tuple[Offer | None, ...]
    cost: int | None
    """What all lines cost there, in minor units of the order's currency; None where a price is missing or in another one."""
    record: Record | None = None
    why_not: Why | None = None


class Moment(NamedTuple):
    """The step that a supplier is chosen for: its instant, and its place in the order's history."""

    at: datetime
    sequence: int


class Choice(NamedTuple):
    """The supplier that is turned to (an empty text: none is left), and what is known of it.

    `goods` is JSON of what is to be ordered there, a list of `Goods`; `ready_in` has the handling times, separated by ";";
    `passed_over` is JSON of suppliers and why (`Why`).
    """

    supplier: str = ""
    cost: int | None = None
    goods: str = ""
    ready_in: str = ""
    passed_over: str = ""


class Goods(NamedTuple):
    """A line as it is to be ordered there; `price` is the most that a piece may cost, in minor units of `currency`."""

    sku: str
    supplier_sku: str | None
    address: str | None
    quantity: int
    price: int | None
    currency: str | None


class Chooser(Protocol):
    """What says who can deliver an order that names no alternatives of its own."""

    is_empty: bool
    """Whether it never names anybody."""

    def choice(
        self, wanted: Wanted, preference: Preference, paid: int | None, tried: Sequence[str | None], moment: Moment
    ) -> Choice:
        """Return who is turned to; `paid` is what the last attempt cost, `tried` are who had a turn or was passed over."""


Offers = Callable[[Collection[str]], Iterable[Offer]]
"""Returns all offers of some products, by our SKUs, whenever they count."""
Records = Callable[[datetime], Mapping[str, Record]]
"""Returns how suppliers have done up to an instant, by their folded names."""


class Catalogue:
    """The catalogue as it is kept, or was read from a file. What it has read once it does not read again."""

    is_empty = False

    def __init__(self, offers: Offers, records: Records = lambda at: {}) -> None:
        self._read, self._records = offers, records
        self._offers: dict[str, tuple[Offer, ...]] = {}
        self._known = lru_cache(maxsize=10_000)(self._in_order)  # many orders want the same

    def choice(
        self, wanted: Wanted, preference: Preference, paid: int | None, tried: Sequence[str | None], moment: Moment
    ) -> Choice:
        """Return the best supplier that has not had its turn, and who was passed over."""
        gone = {folded(name) for name in tried if name}
        left = [one for one in self.candidates(wanted, preference, paid, moment.at) if folded(one.supplier) not in gone]
        passed_over = [(one.supplier, one.why_not) for one in left if one.why_not]
        written = ascii_json(passed_over) if passed_over else ""
        if not left or left[0].why_not:
            return Choice(passed_over=written)
        best, offers = left[0], [one for one in left[0].offers if one]
        times = ";".join(dict.fromkeys(one.handling_time for one in offers if one.handling_time))
        return Choice(best.supplier, best.cost, ascii_json(_goods(wanted.lines, offers)), times, written)

    def candidates(self, wanted: Wanted, preference: Preference, paid: int | None, at: datetime) -> list[Candidate]:
        """Return every supplier that offers some of an order's goods: the best first, those passed over last."""
        known = self._known(wanted, preference._replace(extra=None), at)
        judged = [_within(one, preference, paid) for one in known]
        return sorted(judged, key=lambda one: one.why_not is not None)

    def _in_order(self, wanted: Wanted, preference: Preference, at: datetime) -> tuple[Candidate, ...]:
        """Return every supplier in the order of the policy, whatever it costs over the last attempt."""
        offered: dict[str, list[Offer | None]] = {}
        excluded: set[str] = set()
        per_line = [self._offers_of(line.sku, wanted.shop, at) for line in wanted.lines]
        for number, offers in enumerate(per_line):
            for name, mine in offers.items():
                delivered = [one for one in mine if one.delivers_to(wanted.country)]
                offered.setdefault(name, [None] * len(per_line))[number] = min(delivered or mine, key=_best)
                excluded |= set() if delivered else {name}
        records = self._records(at) if preference.choose is Choose.most_reliable else {}
        found = [_candidate(offers, wanted, records.get(name), abroad=name in excluded) for name, offers in offered.items()]
        return tuple(sorted(found, key=lambda one: _place(one, preference)))

    def _offers_of(self, sku: str, shop: str, at: datetime) -> dict[str, list[Offer]]:
        """Return what is offered for a product by supplier: what is for this shop alone goes before what is for all."""
        if sku not in self._offers:
            self._offers[sku] = tuple(self._read([sku])) if sku else ()
        found: dict[str, list[Offer]] = {}
        for one in self._offers[sku]:
            if one.is_on(at) and one.shop in (None, shop):
                found.setdefault(folded(one.supplier), []).append(one)
        return {name: [one for one in mine if one.shop] or mine for name, mine in found.items()}


class NoCatalogue:
    """No catalogue: it names nobody."""

    is_empty = True

    def choice(
        self, wanted: Wanted, preference: Preference, paid: int | None, tried: Sequence[str | None], moment: Moment
    ) -> Choice:
        """Return that nobody is left."""
        return Choice()


NO_CATALOGUE = NoCatalogue()


def folded(name: str) -> str:
    """Return a supplier's name as it is compared: without regard to case and spaces around its words."""
    return " ".join(name.casefold().split())


_LAST = 10**12


def _best(offer: Offer) -> tuple[int, int]:
    """Order the offers of one supplier for one product."""
    return offer.rank or _LAST, _LAST if offer.price is None else offer.price


def _candidate(offers: Sequence[Offer | None], wanted: Wanted, record: Record | None, *, abroad: bool) -> Candidate:
    supplier = next(one.supplier for one in offers if one)
    prices = [
        None if one is None or one.price is None or one.currency != wanted.currency else one.price * line.quantity
        for one, line in zip(offers, wanted.lines, strict=True)
    ]
    cost = sum(one for one in prices if one is not None) if None not in prices else None
    why_not = Why.lines if None in offers else Why.country if abroad else None
    return Candidate(supplier, tuple(offers), cost, record, why_not)


def _within(candidate: Candidate, preference: Preference, paid: int | None) -> Candidate:
    """Return a candidate as it is judged by what it costs."""
    if candidate.why_not or (preference.extra is None and preference.choose is not Choose.cheapest):
        return candidate
    cost, extra = candidate.cost, preference.extra
    if cost is None or (extra is not None and paid is None):
        why_not = Why.cost_unknown
    elif extra is not None and paid is not None and cost * 100 > paid * (100 + extra):
        why_not = Why.costs_more
    else:
        return candidate
    return Candidate(candidate.supplier, candidate.offers, cost, candidate.record, why_not)


def _place(candidate: Candidate, preference: Preference) -> tuple[float, float, int, int, str]:
    """Return what a candidate is ordered by: the policy's preference, then rank, cost and name."""
    rank = max((one.rank or _LAST for one in candidate.offers if one), default=_LAST)
    cost, name = _LAST if candidate.cost is None else candidate.cost, folded(candidate.supplier)
    if preference.choose is Choose.cheapest:
        return cost, 0, rank, cost, name
    record = candidate.record
    if preference.choose is Choose.most_reliable and record and record.orders >= max(1, preference.enough_orders):
        return -record.on_time / record.orders, record.recoveries / record.orders, rank, cost, name
    return 1, 0, rank, cost, name


def _goods(lines: Sequence[Line], offers: Sequence[Offer]) -> list[tuple[str | int | None, ...]]:
    ordered = (
        Goods(line.sku, one.supplier_sku, one.address, line.quantity, one.price, one.currency)
        for line, one in zip(lines, offers, strict=True)
    )
    return [tuple(one) for one in ordered]


def goods_in(written: str) -> list[Goods]:
    """Return what is to be ordered, as a choice has it."""
    return [Goods(*one) for one in json.loads(written)]


def why_words(why: Why) -> str:
    """Return in words why a supplier is passed over."""
    match why:
        case Why.lines:
            return tr("it does not offer all of its lines")
        case Why.country:
            return tr("it does not deliver to its country")
        case Why.cost_unknown:
            return tr("what it costs there, or has cost so far, is not known")
        case Why.costs_more:
            return tr("it costs too much over the last attempt (supply.max_extra_cost)")
