"""Files of offers: what suppliers deliver, read into a catalogue (rule 7.12)."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from inbound import cells
from inbound.cells import BadCell
from inbound.files import columns_of, read_rows
from inbound.mapping import OFFER_FIELDS, Mapping
from inbound.rejections import Rejection
from inbound.rows import Cell, Row
from inbound.sources import Source, all_met
from inbound.times import read_instant
from language import tr
from workflow.catalogue import Offer
from workflow.errors import UsageError
from workflow.names import folded


@dataclass(slots=True)
class OfferFile:
    """What a file says of a catalogue.

    `left_out` are cells that could not be read, and that no offer needs; `unread` names their facts, by the place of their
    offer among `offers`.
    `unfilled` counts rows that name no product of ours, or nobody who delivers it, `assumed` prices that name no currency,
    `repeated` rows of a product that their supplier has in an earlier row, and `rounded` prices with a share of a minor unit.
    """

    offers: list[Offer] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    left_out: list[Rejection] = field(default_factory=list)
    unread: dict[int, list[str]] = field(default_factory=dict)
    unfilled: int = 0
    assumed: int = 0
    repeated: int = 0
    rounded: int = 0

    def refuse_empty(self, file: str) -> None:
        """Check that there is an offer, or a row that was to be one.

        Raises:
            UsageError: there is none; `file` is named.

        """
        if not self.offers and not self.rejected:
            raise UsageError(tr("{file} has no offer: nothing was changed", file=file))


@dataclass(frozen=True, slots=True)
class Usual:
    """What an offer is taken for where its row does not say.

    Supplier and shop are as a person has said; the currency is that of the policy, the zone of dates that of the settings.
    """

    currency: str
    supplier: str | None = None
    shop: str | None = None
    zone: ZoneInfo | None = None


def read_offers(path: Path, mapping: Mapping, usual: Usual) -> OfferFile:
    """Read the offers of a file.

    Raises:
        UsageError: the file cannot be read, lacks a column that the mapping names, or nothing says who offers what.

    """
    if not mapping.offer:
        raise UsageError(tr("the mapping is of orders, not of a catalogue: give it an [offer] with supplier and sku"))
    for name, said in (("sku", None), ("supplier", usual.supplier)):
        if name not in mapping.offer and said is None:
            who = tr(", or say --supplier NAME for all of them (of files of the inbox: supplier = … under [[inbox.files]])")
            also = who if name == "supplier" else ""
            raise UsageError(tr("nothing says which column of {path} is the {name}{also}", path=path, name=name, also=also))
    _check_said(usual)
    mapping.check_columns(columns_of(path, mapping.layout), path)
    found, reader = OfferFile(), _Reader(mapping, usual)
    named = set[tuple[str | None, ...]]()
    for row in read_rows(path, mapping.layout, mapping.columns()):
        if row.problem is None and not all_met(mapping.when, row):
            continue
        if reader.is_unfilled(row):
            found.unfilled += 1
            continue
        try:
            offer = reader.offer(row)
        except _BadOffer as bad:
            found.rejected.append(Rejection(row.line, bad.column, str(bad)))
            continue
        if reader.unread:
            found.unread[len(found.offers)] = reader.unread
        found.offers.append(offer)
        whose = folded(offer.supplier), offer.shop, offer.sku
        found.repeated += whose in named
        named.add(whose)
    found.rounded, found.assumed, found.left_out = reader.rounded, reader.assumed, reader.left_out
    return found


def _check_said(usual: Usual) -> None:
    """Check what a person has said of all rows.

    Raises:
        UsageError: it is no name of a supplier, or of a shop.

    """
    for option, said, read in (("--supplier", usual.supplier, cells.text), ("--shop", usual.shop, cells.shop)):
        if said is not None:
            try:
                read(said)
            except BadCell as bad:
                raise UsageError(f"{option}: {bad}") from None


def own_offer_mapping(columns: Iterable[str]) -> Mapping:
    """Return the mapping of a catalogue that uses the built-in names.

    Raises:
        UsageError: they are those of a file of orders, or none of them is known.

    """
    have = set(columns)
    if {"id", "placed_at"} <= have:
        raise UsageError(tr("it has orders, not offers: `aftersales import` takes it"))
    if not have.intersection(OFFER_FIELDS):
        known = ", ".join(OFFER_FIELDS[:6])
        raise UsageError(tr("none of its columns has a name that is known: {known} …", known=known))
    return Mapping({}, {}, (), offer={name: Source((name,)) for name in OFFER_FIELDS if name in have})


OF_THE_PRODUCT = ("sku", "shop", "currency")
"""What an unfilled row of `catalogue template` has: it says nothing of who delivers the product."""


class _BadOffer(Exception):
    """A row is no offer; the message says why."""

    def __init__(self, column: str | None, reason: str) -> None:
        self.column = column
        super().__init__(reason)


class _Reader:
    """Reads rows as a mapping says."""

    def __init__(self, mapping: Mapping, usual: Usual) -> None:
        self._mapping, self._usual = mapping, usual
        self.rounded = self.assumed = 0
        self.left_out: list[Rejection] = []
        self.unread: list[str] = []
        """The facts of the last offer that could not be read."""
        told = [source for name, source in mapping.offer.items() if name not in OF_THE_PRODUCT]
        self._says_who = [source for source in told if source.columns or source.template is not None]
        self._needs_no_more = not self._says_who

    def is_unfilled(self, row: Row) -> bool:
        """Say whether a row names no product of ours, or a product and nothing of who delivers it."""
        if row.problem is not None:
            return False
        says_who = self._needs_no_more or any(source.of(row) for source in self._says_who)
        return not self._mapping.offer["sku"].of(row) or not says_who

    def offer(self, row: Row) -> Offer:
        """Return the offer of a row.

        Raises:
            _BadOffer: a cell cannot be read that says who offers what, at which price, where to and when.

        """
        if row.problem:
            raise _BadOffer(None, row.problem)
        self.unread = []
        found: dict[str, Any] = {name: self._read(row, name, read) for name, read in _NEEDED.items()}
        found |= {name: self._read_if_it_can(row, name, read) for name, read in _SPARED.items()}
        found["supplier"] = found["supplier"] or self._usual.supplier
        found["shop"] = found["shop"] or self._usual.shop
        if not found["supplier"]:
            source = self._mapping.offer.get("supplier")
            said = tr("is empty, and an offer must have its {name}", name="supplier")
            raise _BadOffer(source.location if source else None, said)
        told = found.pop("currency")
        currency = told or self._usual.currency
        price = self._read(row, "price", partial(self._price, currency))
        self.assumed += price is not None and told is None
        since, until = self._instant(row, "from"), self._instant(row, "until")
        if since and until and since >= until:
            raise _BadOffer(self._mapping.offer["until"].location, tr("it ends before it begins"))
        return Offer(**found, price=price, currency=currency if price is not None else None, since=since, until=until)

    def _read(self, row: Row, name: str, read: Callable[[Cell], Any]) -> Any:
        source = self._mapping.offer.get(name, Source())
        cell = source.of(row)
        if not cell:
            return () if name == "countries" else None
        try:
            return read(cell)
        except BadCell as bad:
            raise _BadOffer(source.location, str(bad)) from None

    def _read_if_it_can(self, row: Row, name: str, read: Callable[[Cell], Any]) -> Any:
        """Read a cell that no offer needs; one that cannot be read is left out, and listed."""
        try:
            return self._read(row, name, read)
        except _BadOffer as bad:
            self.left_out.append(Rejection(row.line, bad.column, str(bad), is_cell=True))
            self.unread.append(name)
            return None

    def _price(self, currency: str, cell: Cell) -> int:
        source = self._mapping.offer["price"]
        value, was_rounded = cells.nearest_amount(cell, currency, source.writing.decimal or self._mapping.decimal)
        self.rounded += was_rounded
        if not value:
            raise BadCell(tr("0 is no price: leave it empty where the price is not known"))
        return value

    def _instant(self, row: Row, name: str) -> datetime | None:
        """Read when an offer begins or ends; a last day alone counts whole, and one in the year 9999 is none."""
        source = self._mapping.offer.get(name, Source())
        said, how = str(source.of(row)), source.writing
        if name == "until" and "9999" in said:
            return None
        zone, formats = how.zone or self._mapping.zone or self._usual.zone, how.formats or self._mapping.time_formats
        at: datetime | None = self._read(
            row, name, partial(cells.instant, read=partial(read_instant, zone=zone, formats=formats))
        )
        if at is None or name != "until" or not _is_day(said):
            return at
        day = at.astimezone(zone or UTC).date() + timedelta(days=1)
        return datetime.combine(day, time.min, zone or UTC).astimezone(UTC)


def _is_day(said: str) -> bool:
    """Say whether a text is a day without a time."""
    return not re.search(r"\d:\d|\d ?[T時时h] ?\d|\d{9}", said)


LONGEST_SKU = 200
"""Characters that an SKU of a catalogue has at most: it is looked up by an index."""


def _sku(cell: Cell) -> str:
    value = cells.text(cell)
    if len(value) > LONGEST_SKU:
        raise BadCell(tr("is {count} characters long; an SKU has at most {most}", count=len(value), most=LONGEST_SKU))
    return value


def _link(cell: Cell) -> str:
    """Read an address of the web."""
    value = cells.text(cell)
    if not re.match(r"(https?://|www\.)\S+$|[\w.-]+\.[a-z]{2,}(/\S*)?$", value, re.IGNORECASE):
        raise BadCell(tr("{value!r} is not an address of the web", value=value[:60]))
    return value


_NEEDED: dict[str, Callable[[Cell], Any]] = {
    "supplier": cells.text,
    "sku": _sku,
    "shop": cells.shop,
    "supplier_sku": cells.text,
    "currency": cells.currency,
    "countries": cells.countries,
}
_SPARED: dict[str, Callable[[Cell], Any]] = {
    "address": _link,
    "handling_time": cells.handling_time,
    "rank": cells.count,
}
"""What an offer is an offer without."""
