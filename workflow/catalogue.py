"""The catalogue: which suppliers can deliver which goods, and which of them is turned to next (rule 2.20).

Where its offers are kept, and how they come there, is the business of `storage` and `inbound`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from language import tr
from workflow.case.canonical import ascii_json
from workflow.case.case import Line
from workflow.case.money import LARGEST
from workflow.countries import country_code
from workflow.names import folded
from workflow.values import value_class


class Choose(StrEnum):
    """By what suppliers are ordered."""

    rank = "rank"
    cheapest = "cheapest"
    most_reliable = "most_reliable"


def _code(country: str) -> str:
    """Return the code of an order's country; a name that is not known stays as it is."""
    return country if len(country) == 2 and country.isupper() else country_code(country) or country


class Why(StrEnum):
    """Why a supplier that offers some of an order's goods is passed over."""

    lines = "lines"
    country = "country"
    cost_unknown = "cost_unknown"
    paid_unknown = "paid_unknown"
    costs_more = "costs_more"


@value_class(frozen=True)
class Offer:
    """That a supplier delivers a product of ours. `price` is in minor units of `currency`, for one piece.

    `shop` None stands for every shop, no `countries` (ISO codes) for all of them; `rank` 1 is the best. It counts from `since`
    until before `until`.
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
        return not self.countries or (country is not None and _code(country) in self.countries)


@value_class(frozen=True)
class Record:
    """How a supplier has done of late: orders that it has shipped or should have, and what became of them."""

    orders: int
    on_time: int
    """How many it has shipped before it had to be urged."""
    left: int
    """Of how many the money was asked back, because it shipped late, had no stock, did not answer or cancelled."""


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
    `passed_over` is JSON of suppliers by why (`Why`), and empty where no catalogue was asked.
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

    def choice(
        self, wanted: Wanted, preference: Preference, paid: int | None, tried: Sequence[str | None], moment: Moment
    ) -> Choice:
        """Return who is turned to; `paid` is what the last attempt cost, `tried` are who had a turn or was passed over."""


Offers = Callable[[Collection[str]], Iterable[Offer]]
"""Returns all offers of some products, by our SKUs, whenever they count."""
Records = Callable[[datetime], Mapping[str, Record]]
"""Returns how suppliers have done up to an instant, by their folded names."""


class _Product:
    """An offer with what is asked of it again and again."""

    __slots__ = ("_around", "offer", "rank")

    def __init__(self, offer: Offer) -> None:
        self.offer, self.rank = offer, offer.rank or _LAST
        self._around: tuple[str, str] | None = None

    def goods(self, quantity: int) -> str:
        """Return the JSON of its goods."""
        if self._around is None:
            one = self.offer
            before = ascii_json([one.sku, one.supplier_sku, one.address])
            behind = ascii_json([one.price, one.currency if one.price is not None else None])
            self._around = before[:-1], behind[1:]
        return f"{self._around[0]},{quantity},{self._around[1]}"


class _Entry(NamedTuple):
    """A supplier that can deliver a basket: its offer for each line."""

    place: tuple[float, ...]
    """What comes before its cost when suppliers are ordered."""
    name: str
    """As it is compared."""
    lines: tuple[_Product, ...]
    prices: tuple[int, ...] | None
    """Of a piece of each line, in the order's currency; None where one is not known."""
    record: Record | None

    @property
    def supplier(self) -> str:
        """Its name as the catalogue writes it."""
        return self.lines[0].offer.supplier

    def cost(self, quantities: Sequence[int]) -> int | None:
        """Return what so many pieces of each line cost; None too for a sum that is too large to be kept."""
        if self.prices is None:
            return None
        cost = sum([price * quantity for price, quantity in zip(self.prices, quantities, strict=True)])
        return cost if cost <= LARGEST else None


LineOffers = tuple["_Product | None", ...]
"""The offer of a supplier for each line of a basket; None where it has none."""


class _Basket:
    """The suppliers that offer some of a basket of products, for one shop, country, currency and preference of the policy."""

    def __init__(self, entries: list[_Entry], others: list[tuple[LineOffers, Why]], choose: Choose, lines: int) -> None:
        self._entries, self.others, self._has_one_line = entries, others, lines == 1
        self._is_cheapest = choose is Choose.cheapest
        self.passed_over = [(_supplier(offers), why) for offers, why in others]
        self.names_passed_over = {folded(supplier) for supplier, _ in self.passed_over}
        self.written = _written(self.passed_over)
        if self._has_one_line:  # what costs less for one piece costs less for many
            self._entries = self._sorted((1,))

    def in_order(self, quantities: Sequence[int]) -> list[_Entry]:
        """Return who can deliver so many pieces of each line, the best first."""
        return self._entries if self._has_one_line else self._sorted(quantities)

    def _sorted(self, quantities: Sequence[int]) -> list[_Entry]:
        def place(one: _Entry) -> tuple[Any, ...]:
            cost = one.cost(quantities)
            dear = _LAST if cost is None else cost
            return (dear, one.place, one.name) if self._is_cheapest else (one.place, dear, one.name)

        return sorted(self._entries, key=place)


class Catalogue:
    """The catalogue as it is kept, or was read from a file. What it has read once it does not read again."""

    def __init__(self, offers: Offers, records: Records = lambda at: {}) -> None:
        self._read, self._records = offers, records
        self._products: dict[str, dict[str, list[_Product]]] = {}
        """By SKU and supplier."""
        self._changing: set[str] = set()
        """Products with an offer that begins or ends, or is for one shop alone."""
        self._basket = lru_cache(maxsize=20_000)(self._made_basket)  # many orders want the same

    def choice(
        self, wanted: Wanted, preference: Preference, paid: int | None, tried: Sequence[str | None], moment: Moment
    ) -> Choice:
        """Return the best supplier that has not had its turn, and who was passed over."""
        basket, quantities = self._basket_of(wanted, preference, moment.at), [line.quantity for line in wanted.lines]
        gone = [folded(name) for name in tried if name]
        extra = preference.extra
        best: _Entry | None = None
        dear = list[tuple[str, Why]]()
        for one in basket.in_order(quantities):
            if one.name in gone:
                continue
            if extra is not None and (why := _too_dear(one.cost(quantities), extra, paid)):
                dear.append((one.supplier, why))
                continue
            best = best or one
            if extra is None:
                break
        written = basket.written
        if dear or not basket.names_passed_over.isdisjoint(gone):
            written = _written([(name, why) for name, why in basket.passed_over if folded(name) not in gone] + dear)
        if best is None:
            return Choice(passed_over=written)
        goods = ",".join([line.goods(count) for line, count in zip(best.lines, quantities, strict=True)])
        times = ";".join(dict.fromkeys([one.offer.handling_time for one in best.lines if one.offer.handling_time]))
        return Choice(best.supplier, best.cost(quantities), f"[{goods}]", times, written)

    def candidates(self, wanted: Wanted, preference: Preference, paid: int | None, at: datetime) -> list[Candidate]:
        """Return every supplier that offers some of an order's goods: the best first, those passed over last."""
        basket, quantities = self._basket_of(wanted, preference, at), [line.quantity for line in wanted.lines]
        extra = preference.extra
        can, cannot = list[Candidate](), list[Candidate]()
        for one in basket.in_order(quantities):
            cost = one.cost(quantities)
            why_not = None if extra is None else _too_dear(cost, extra, paid)
            found = Candidate(one.supplier, tuple(line.offer for line in one.lines), cost, one.record, why_not)
            (cannot if why_not else can).append(found)
        for lines, why in basket.others:
            cannot.append(
                Candidate(_supplier(lines), tuple(None if one is None else one.offer for one in lines), None, why_not=why)
            )
        return [*can, *cannot]

    def _basket_of(self, wanted: Wanted, preference: Preference, at: datetime) -> _Basket:
        """Return who offers a basket: for one instant where an offer begins or ends, for a day where records count."""
        skus = tuple([line.sku for line in wanted.lines])
        for sku in skus:
            if sku not in self._products:
                self._take(sku)
        until = _EVER
        if not self._changing.isdisjoint(skus):
            until = at
        elif preference.choose is Choose.most_reliable:
            until = at.replace(hour=0, minute=0, second=0, microsecond=0)
        return self._basket(wanted.shop, wanted.country, wanted.currency, skus, preference._replace(extra=None), until)

    def _take(self, sku: str) -> None:
        """Read the offers of a product, by supplier."""
        found: dict[str, list[_Product]] = {}
        for one in self._read([sku]) if sku else ():
            found.setdefault(folded(one.supplier), []).append(_Product(one))
            if one.since is not None or one.until is not None or one.shop is not None:
                self._changing.add(sku)
        self._products[sku] = found

    def _made_basket(
        self, shop: str, country: str | None, currency: str, skus: tuple[str, ...], preference: Preference, at: datetime
    ) -> _Basket:
        records = self._records(at) if preference.choose is Choose.most_reliable else {}
        per_line = [self._offers_of(sku, shop, at) for sku in skus]
        entries, others = list[_Entry](), list[tuple[LineOffers, Why]]()
        for name in dict.fromkeys([name for offers in per_line for name in offers]):
            lines = tuple(
                [_best(offers[name], country, currency, preference) if name in offers else None for offers in per_line]
            )
            if None in lines:
                others.append((lines, Why.lines))
            elif any(one is not None and not one.offer.delivers_to(country) for one in lines):
                others.append((lines, Why.country))
            else:
                chosen = tuple([one for one in lines if one is not None])
                entries.append(_entry(name, chosen, currency, records.get(name), preference))
        return _Basket(entries, others, preference.choose, len(skus))

    def _offers_of(self, sku: str, shop: str, at: datetime) -> dict[str, list[_Product]]:
        """Return what is offered for a product by supplier: what is for this shop alone goes before what is for all."""
        if sku not in self._changing:
            return self._products[sku]
        found = dict[str, list[_Product]]()
        for name, offers in self._products[sku].items():
            on = [one for one in offers if one.offer.shop in (None, shop) and one.offer.is_on(at)]
            if on:
                found[name] = [one for one in on if one.offer.shop] or on
        return found


MOST_NAMED = 100
"""So many suppliers that were passed over for one reason are named in a history."""
_LAST = 10**15
"""The rank, and the cost, of what has none."""
_EVER = datetime.max.replace(tzinfo=UTC)
"""Stands for every instant, where no offer begins or ends."""


def _best(offers: Sequence[_Product], country: str | None, currency: str, preference: Preference) -> _Product:
    """Return the best of the offers that one supplier has for one product: one that is delivered, and in that currency."""
    if len(offers) == 1:
        return offers[0]
    near = [one for one in offers if one.offer.delivers_to(country)]

    def place(one: _Product) -> tuple[bool, int, int]:
        price = _LAST if one.offer.price is None else one.offer.price
        first, then = (price, one.rank) if preference.choose is Choose.cheapest else (one.rank, price)
        return one.offer.currency != currency, first, then

    return min(near or offers, key=place)


def _supplier(lines: Iterable[_Product | None]) -> str:
    return next(one.offer.supplier for one in lines if one)


def _written(passed_over: Iterable[tuple[str, Why]]) -> str:
    """Return who was passed over as JSON: names by reason, of each the first, and how many more there are."""
    by_reason: dict[str, Any] = {}
    for name, why in passed_over:
        by_reason.setdefault(str(why), []).append(name)
    more = {why: len(names) - MOST_NAMED for why, names in by_reason.items() if len(names) > MOST_NAMED}
    if more:
        by_reason = {**{why: names[:MOST_NAMED] for why, names in by_reason.items()}, "more": more}
    return ascii_json(by_reason)


def _entry(name: str, lines: tuple[_Product, ...], currency: str, record: Record | None, preference: Preference) -> _Entry:
    offers = [one.offer for one in lines]
    prices = tuple([one.price for one in offers if one.price is not None and one.currency == currency])
    counts = record is not None and record.orders >= max(1, preference.enough_orders)
    reliable = (-record.on_time / record.orders, record.left / record.orders) if record and counts else (1.0, 0.0)
    place = (*reliable, max([one.rank for one in lines]))
    return _Entry(place, name, lines, prices if len(prices) == len(offers) else None, record)


def _too_dear(cost: int | None, extra: int, paid: int | None) -> Why | None:
    """Return why a supplier is passed over that may cost `extra` percent more than was paid."""
    if cost is None or paid is None:
        return Why.cost_unknown if cost is None else Why.paid_unknown
    return Why.costs_more if cost * 100 > paid * (100 + extra) else None


def goods_in(written: str) -> list[Goods]:
    """Return what is to be ordered, as a choice has it."""
    return [Goods(*one) for one in json.loads(written)]


def passed_over_in(written: str) -> list[tuple[str, Why]]:
    """Return who was passed over and why, as a choice has it."""
    told = json.loads(written or "{}")
    return [(name, Why(why)) for why, names in told.items() if why != "more" for name in names]


def why_words(why: Why) -> str:
    """Return in words why a supplier is passed over."""
    words = {
        Why.lines: tr("it does not offer all of its lines"),
        Why.country: tr("it does not deliver to its country"),
        Why.cost_unknown: tr("what it costs there is not known in the order's currency, and supply.max_extra_cost limits it"),
        Why.paid_unknown: tr("what was paid so far is not known, and supply.max_extra_cost limits what it may cost more"),
        Why.costs_more: tr("it costs too much over the last attempt (supply.max_extra_cost)"),
    }
    return words[why]
