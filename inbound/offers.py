"""Files of offers: what suppliers deliver, read into a catalogue (rule 7.12)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

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

_A_DAY = timedelta(days=1)


@dataclass(slots=True)
class OfferFile:
    """What a file says of a catalogue.

    `unfilled` counts rows of products that no supplier is named for, `rounded` prices that had a share of their currency's
    minor unit.
    """

    offers: list[Offer] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    unfilled: int = 0
    rounded: int = 0


@dataclass(frozen=True, slots=True)
class Usual:
    """What an offer is taken for where its row does not say: supplier and shop as a person has, the currency of the policy."""

    currency: str
    supplier: str | None = None
    shop: str | None = None


def read_offers(path: Path, mapping: Mapping, usual: Usual) -> OfferFile:
    """Read the offers of a file.

    Raises:
        UsageError: the file cannot be read, lacks a column that the mapping names, or nothing says who offers what.

    """
    if not mapping.offer:
        raise UsageError(tr("the mapping is of orders, not of a catalogue: give it an [offer] with supplier and sku"))
    for name, said in (("sku", None), ("supplier", usual.supplier)):
        if name not in mapping.offer and said is None:
            also = tr(", or say --supplier NAME for all of them") if name == "supplier" else ""
            raise UsageError(tr("nothing says which column of {path} is the {name}{also}", path=path, name=name, also=also))
    mapping.check_columns(columns_of(path, mapping.layout), path)
    found, reader = OfferFile(), _Reader(mapping, usual)
    for row in read_rows(path, mapping.layout, mapping.columns()):
        if row.problem is None and not all_met(mapping.when, row):
            continue
        if reader.is_unfilled(row):
            found.unfilled += 1
            continue
        try:
            found.offers.append(reader.offer(row))
        except _BadOffer as bad:
            found.rejected.append(Rejection(row.line, bad.column, str(bad)))
    found.rounded = reader.rounded
    return found


def own_offer_mapping(columns: Iterable[str]) -> Mapping:
    """Return the mapping of a catalogue that uses the built-in names.

    Raises:
        UsageError: they are those of a file of orders.

    """
    have = set(columns)
    if {"id", "placed_at"} <= have:
        raise UsageError(tr("it has orders, not offers: `aftersales import` takes it"))
    return Mapping({}, {}, (), offer={name: Source((name,)) for name in OFFER_FIELDS if name in have})


class _BadOffer(Exception):
    """A row is no offer; the message says why."""

    def __init__(self, column: str | None, reason: str) -> None:
        self.column = column
        super().__init__(reason)


class _Reader:
    """Reads rows as a mapping says."""

    def __init__(self, mapping: Mapping, usual: Usual) -> None:
        self._mapping, self._usual = mapping, usual
        self.rounded = 0

    def is_unfilled(self, row: Row) -> bool:
        """Say whether a row names a product, and nothing of who delivers it."""
        told = (self._mapping.offer.get(name, Source()).of(row) for name in ("supplier", "supplier_sku", "address", "price"))
        return row.problem is None and self._usual.supplier is None and not any(told)

    def offer(self, row: Row) -> Offer:
        """Return the offer of a row.

        Raises:
            _BadOffer: a cell cannot be read, or supplier or SKU are missing.

        """
        if row.problem:
            raise _BadOffer(None, row.problem)
        found: dict[str, Any] = {name: self._read(row, name, read) for name, read in _READERS.items()}
        found["supplier"] = found["supplier"] or self._usual.supplier
        found["shop"] = found["shop"] or self._usual.shop
        for name in ("supplier", "sku"):
            if not found[name]:
                source = self._mapping.offer.get(name)
                raise _BadOffer(
                    source.location if source else None, tr("is empty, and an offer must have its {name}", name=name)
                )
        currency = found.pop("currency") or self._usual.currency
        price = self._read(row, "price", partial(self._price, currency))
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

    def _price(self, currency: str, cell: Cell) -> int:
        source = self._mapping.offer["price"]
        value, was_rounded = cells.nearest_amount(cell, currency, source.writing.decimal or self._mapping.decimal)
        self.rounded += was_rounded
        return value

    def _instant(self, row: Row, name: str) -> datetime | None:
        """Read when an offer begins or ends; a day alone counts whole."""
        how = self._mapping.offer.get(name, Source()).writing
        zone, formats = how.zone or self._mapping.zone, how.formats or self._mapping.time_formats
        read = partial(cells.instant, read=partial(read_instant, zone=zone, formats=formats))
        at: datetime | None = self._read(row, name, read)
        is_day = at is not None and name == "until" and ":" not in str(self._mapping.offer[name].of(row))
        return at + _A_DAY if at and is_day else at


_READERS: dict[str, Callable[[Cell], Any]] = {
    "supplier": cells.text,
    "sku": cells.text,
    "shop": cells.shop,
    "supplier_sku": cells.text,
    "address": cells.text,
    "currency": cells.currency,
    "handling_time": cells.handling_time,
    "countries": cells.countries,
    "rank": cells.count,
}
