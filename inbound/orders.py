"""Files of orders: which orders are read, passed over, or added to."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Protocol

from inbound import cells
from inbound.mapping import Mapping as FileMapping
from inbound.mapping import ReportSource
from inbound.order_rows import Incoming, Known, OrderReader
from inbound.rejections import BadRow, Rejection, without_its_first
from inbound.row_groups import DEFAULT_SHOP, RowGroups
from inbound.rows import Layout, Row
from inbound.sources import Source
from language import tr
from workflow.case.case import Order
from workflow.errors import UsageError
from workflow.policy.durations import FIRST_YEAR
from workflow.policy.policy import Orders

AT_ONCE = 500
"""So many known orders are looked up together."""

Identity = tuple[str, str]
"""Shop and number of an order."""


class KnownOrders(Protocol):
    """Where orders are found that a file adds to."""

    def numbered(self, names: Collection[Identity]) -> Mapping[Identity, Sequence[Known]]:
        """Return the orders that are known by shop and number, one each."""

    def of_parcels(self, names: Collection[Identity]) -> Mapping[Identity, Sequence[Known]]:
        """Return the orders that have a parcel with one of these tracking numbers; the shops of the names are empty."""


class Marks(Protocol):
    """Where the digests of rows are kept that were taken before."""

    def marked(self, names: Collection[Identity]) -> Mapping[Identity, str]:
        """Return the digests of those orders to which nothing has happened since their rows were taken."""


class AsIfKnown:
    """Takes every order that a file names as known: to try a mapping where there is no database."""

    def __init__(self, currency: str) -> None:
        self._currency = currency

    def numbered(self, names: Collection[Identity]) -> Mapping[Identity, Sequence[Known]]:
        """Return an order for each name."""
        return {(shop, number): [Known(Order(shop, number, _LONG_AGO, self._currency))] for shop, number in names}

    def of_parcels(self, names: Collection[Identity]) -> Mapping[Identity, Sequence[Known]]:
        """Return an order for each parcel."""
        return {name: [Known(Order(DEFAULT_SHOP, name[1], _LONG_AGO, self._currency), name[1])] for name in names}


_LONG_AGO = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)


class OrderFile:
    """A file of orders, read through a mapping. Reading it twice gives the same orders in the same order.

    Raises:
        UsageError: the file cannot be read, or lacks a column that the mapping names.

    """

    def __init__(
        self,
        path: Path,
        mapping: FileMapping,
        defaults: Orders,
        known: KnownOrders | None = None,
        marks: Marks | None = None,
        mapping_text: str = "",
    ) -> None:
        """Read a file.

        `known` is where orders are found that it adds to. With `marks`, an order is passed over whose rows, mapping and
        defaults are those of its last import, if nothing has happened to it since (rule 7.11).
        """
        self.path, self._mapping, self._defaults, self._known, self._marks = path, mapping, defaults, known, marks
        self.mapping_text = mapping_text
        self.unchanged = 0
        """How many orders were passed over while the file was read last."""
        if mapping.offer:
            raise UsageError(
                tr("the mapping is of a catalogue, not of orders: `aftersales catalogue import {path}` takes it", path=path)
            )
        if not mapping.places_orders and known is None:
            raise UsageError(
                tr("{path} adds to orders that are known (its mapping names no placed_at): only import takes it", path=path)
            )
        self._groups = RowGroups(path, mapping)
        self._reader = OrderReader(mapping, defaults, actor=f"import:{path.name}")

    def __iter__(self) -> Iterator[tuple[Incoming | None, list[Rejection], int]]:
        """Yield each order of the file, or None, with what was rejected on the way to it and how many rows it had."""
        self._reader.rounded = self.unchanged = 0
        if self._known is not None and not self._mapping.places_orders:
            yield from self._additions(self._known)
            return
        if self._marks is not None:
            yield from self._changed(self._marks)
            return
        for rows in self._groups:
            yield *self._reader.order(rows), len(rows)

    def _changed(self, marks: Marks) -> Iterator[tuple[Incoming | None, list[Rejection], int]]:
        """Yield the orders whose rows are not those of their last import."""
        groups, reading = iter(self._groups), self._reading()
        while some := [*islice(groups, AT_ONCE)]:
            names = [self._named(rows[0]) for rows in some]
            kept = marks.marked([name for name in names if not isinstance(name, Rejection)])
            for rows, name in zip(some, names, strict=True):
                digest = _digest(reading, rows)
                if not isinstance(name, Rejection) and kept.get(name) == digest:
                    self.unchanged += 1
                    yield None, [], len(rows)
                    continue
                incoming, rejections = self._reader.order(rows)
                yield incoming if incoming is None or rejections else replace(incoming, digest=digest), rejections, len(rows)

    def _reading(self) -> bytes:
        """Return a digest of all that the reading of a row depends on besides its cells: mapping, defaults, and the program."""
        own = ",".join(sorted(self._mapping.columns()))
        return _sha(f"{self.mapping_text}\0{own}\0{self._defaults!r}".encode() + _program()).digest()

    def _additions(self, known: KnownOrders) -> Iterator[tuple[Incoming | None, list[Rejection], int]]:
        """Yield what the file adds to orders that are known; the rows of others are rejected."""
        groups = iter(self._groups)
        find = known.of_parcels if self._mapping.tracking_number else known.numbered
        while some := [*islice(groups, AT_ONCE)]:
            names = [self._named(rows[0]) for rows in some]
            found = find([name for name in names if not isinstance(name, Rejection)])
            for rows, name in zip(some, names, strict=True):
                if isinstance(name, Rejection):
                    yield None, [name, *(without_its_first(row, name) for row in rows[1:])], len(rows)
                elif not (orders := found.get(name, ())):
                    yield None, [self._of_an_unknown(row, name) for row in rows], len(rows)
                else:
                    first, *others = orders
                    yield *self._reader.order(rows, first), len(rows)
                    for other in others:
                        yield self._reader.order(rows, other)[0], [], 0

    def _named(self, row: Row) -> Identity | Rejection:
        """Return which order a row adds to; of a parcel, which is known by its number, the shop is left empty."""
        order, by_parcel = self._mapping.order, self._mapping.tracking_number
        source = by_parcel or order["id"]
        try:
            if row.problem:
                raise BadRow(row.line, None, row.problem)
            number = self._reader.cell(row, source, cells.number, {})
            if number is None:
                raise BadRow(row.line, source.location, tr("is empty: it says which order the row adds to"))
            if by_parcel is not None:
                return "", number
            return self._reader.cell(row, order.get("shop", Source()), cells.shop, {"id": number}) or DEFAULT_SHOP, number
        except BadRow as bad:
            return bad.rejection

    def _of_an_unknown(self, row: Row, name: Identity) -> Rejection:
        shop, number = name
        if self._mapping.tracking_number is not None:
            return Rejection(
                row.line, self._mapping.tracking_number.location, tr("no order has a parcel {number}", number=number)
            )
        why = tr(
            "order {name} is not known: import the file that places it first (whose mapping names placed_at)",
            name=f"{shop}/{number}",
        )
        return Rejection(row.line, self._mapping.order["id"].location, why, number)

    @property
    def rounded(self) -> int:
        """How many sums were rounded to the minor unit while the file was read last."""
        return self._reader.rounded

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self._groups.rows

    @property
    def layout(self) -> Layout:
        """How it is written."""
        return self._mapping.layout

    @property
    def places_orders(self) -> bool:
        """Whether it places orders, and does not add to orders that are known."""
        return self._mapping.places_orders

    @property
    def reports(self) -> Sequence[ReportSource]:
        """Where its reports come from."""
        return self._mapping.reports

    @property
    def links_orders(self) -> bool:
        """Whether its reports may name other orders."""
        return any("new_order" in source.fields for source in self._mapping.reports)


@cache
def _program() -> bytes:
    """Return a digest of the code that reads rows: another program may read them otherwise."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return _sha(b"".join(file.read_bytes() for file in files)).digest()


_sha = hashlib.sha256


def _digest(reading: bytes, rows: Sequence[Row]) -> str:
    """Return a digest of an order's rows."""
    said = "\x1e".join(["\x1f".join([f"{name}\x1d{cell}" for name, cell in row.cells.items()]) for row in rows])
    return hashlib.blake2b(said.encode(errors="surrogatepass"), digest_size=16, key=reading).hexdigest()


def shop_in(number: str) -> str | None:
    """Return what stands before a slash in a number, in small letters: screens name orders so, by their shop."""
    return number.partition("/")[0].lower() if "/" in number else None
