"""The rows of one order made into it, with its lines and reports, or into what they add to one that is known."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from functools import partial
from typing import Any

from inbound import cells
from inbound.cells import BadCell
from inbound.mapping import LINE_SUMS, REQUIRED, SUMS, ReportSource
from inbound.mapping import Mapping as FileMapping
from inbound.rejections import BadRow, Rejection, without_its_first
from inbound.row_groups import DEFAULT_SHOP
from inbound.rows import Cell, Row
from inbound.sources import Source, all_met
from inbound.times import read_instant
from language import tr
from workflow.case.case import Detail, Line, Order, Report, own_key
from workflow.case.money import LARGEST
from workflow.policy.policy import Orders
from workflow.process import ABOUT_PARCELS
from workflow.repeats import with_the_key_of_its_parcel
from workflow.reports import FIELDS
from workflow.values import value_class

_DEFAULTS = ("route", "currency", "language")
"""Facts that the policy has defaults of."""
MOST_LINES = 1_000_000
"""Lines of one order whose sum must still be a sum that can be kept."""
SOURCE = "import"
"""What reports of files are unique by, whatever the file is called: tomorrow's export repeats today's."""


@value_class(frozen=True, slots=True)
class Known:
    """An order that is known; where it was found by a parcel, with the number of that as it is kept."""

    order: Order
    parcel: str | None = None


@value_class(frozen=True, slots=True)
class Incoming:
    """One order of a file, with its lines and reports in the order in which the mapping lists them.

    `given` are the facts that the file may tell of it; those left out are defaults of the policy. Of one that is `known` the
    file tells what it adds to it.
    """

    order: Order
    lines: tuple[Line, ...]
    reports: tuple[Report, ...]
    rows: tuple[int, ...]
    """Where its rows stand in the file."""
    actor: str
    given: frozenset[str] = frozenset()
    known: Known | None = None
    unread: tuple[Rejection, ...] = ()
    """Its reports that could not be read."""
    unsure: frozenset[int] = frozenset()
    """Which of its lines have a quantity that could not be read, counted from 0: it says nothing of how many there are."""
    is_whole: bool = True
    """Whether nothing of its rows was rejected or left out."""
    digest: str | None = None
    """The digest of its rows, where all of them were taken whole, and somebody keeps digests."""

    @property
    def line(self) -> int:
        """Where its first row stands."""
        return self.rows[0]


def digest_of(cell: Cell) -> str:
    """Return a digest by which a cell is known again; it says nothing of what stands in it."""
    return hashlib.sha256(str(cell).encode(errors="surrogatepass")).hexdigest()[:12]


class OrderReader:
    """Makes the rows of a file into orders, as a mapping says. `rounded` counts sums that had a share of a minor unit."""

    def __init__(self, mapping: FileMapping, defaults: Orders, *, actor: str) -> None:
        self._mapping, self._defaults, self._actor = mapping, defaults, actor
        self.rounded = 0
        first = dict.fromkeys(name for name in (*REQUIRED, "currency", *mapping.order) if name in mapping.order)
        self._order_cells = tuple(
            (name, mapping.order[name], self._reader(name, mapping.order[name])) for name in first if name not in mapping.summed
        )
        """The order-level values in the order of reading: the currency before what is an amount in it."""
        self._line_cells = tuple((name, source, self._line_reader(name, source)) for name, source in mapping.line.items())
        self._given = frozenset(mapping.order)
        has_money = any(name in mapping.order for name in SUMS) or any(name in mapping.line for name in LINE_SUMS)
        self._needed = frozenset((*REQUIRED, "shop", *(("currency",) if has_money else ())))
        """What an order cannot be read without: its number, its shop, its date, and a currency where there is money."""

    def order(self, rows: list[Row], known: Known | None = None) -> tuple[Incoming | None, list[Rejection]]:
        """Make rows into an order, or into what they add to one that is known."""
        rejections: list[Rejection] = []
        others = rows[1:]
        try:
            order = self._begin(rows, known, rejections)
        except BadRow as bad:
            later = (without_its_first(row, bad.rejection) for row in others if row.line != bad.rejection.line)
            return None, [*rejections, bad.rejection, *later]
        above: Rejection | None = None
        for row in others:
            try:
                if above is not None and row.follows:
                    raise BadRow(row.line, None, tr("follows line {line}, which was rejected", line=above.line), _known(order))
                order = self._later_line(order, row, rejections)
                above = None
            except BadRow as bad:
                above = bad.rejection
                if above not in rejections:  # of JSON, an order's rows have one number
                    rejections.append(above)
        for name in self._mapping.summed:
            order = self._with_sum(order, name, rows, rejections)
        unread = tuple(one for one in rejections if one.trigger)
        return replace(order, unread=unread, is_whole=False) if rejections else order, rejections

    def _with_sum(self, order: Incoming, name: str, rows: list[Row], rejections: list[Rejection]) -> Incoming:
        """Return an order with an amount that is the sum of its rows; if one of them was not taken, it is not known."""
        source, total = self._mapping.order[name], None
        is_known = all(one.is_cell or one.trigger for one in rejections)
        read = self._money(source, order.order.currency)
        for row in rows:
            try:
                value = self.cell(row, source, read, {"id": order.order.number, "since": order.order.placed_at})
            except BadRow as bad:
                rejections.append(bad.of_its_cell())
                is_known = False
                continue
            total = total if value is None else (total or 0) + value
        if total is None or not is_known:
            return replace(order, given=order.given - {name})
        return replace(order, order=replace(order.order, **{name: total}), given=order.given | {name})

    def _begin(self, rows: list[Row], known: Known | None, rejections: list[Rejection]) -> Incoming:
        """Make the first of an order's rows into one."""
        row, numbers = rows[0], tuple([one.line for one in rows])
        if known is not None:
            order = known.order
            values = self._values(row, order, rejections)
            told = {name: value for name, value in values.items() if name in self._given - {"id", "shop"} and value is not None}
            line = self._line(row, values, self._currency(values, order), rejections)
            reports = self._reports(row, order, rejections, known.parcel)
            unsure = self._unsure(line, 0, row, rejections)
            return Incoming(replace(order, **told), line, reports, numbers, self._actor, frozenset(told), known, unsure=unsure)
        values = self._values(row, None, rejections)
        given = self._given - self._fill_in(values)
        line = self._line(row, values, values["currency"], rejections)
        order = _order(values)
        reports = self._reports(row, order, rejections)
        return Incoming(order, line, reports, numbers, self._actor, given, unsure=self._unsure(line, 0, row, rejections))

    def _unsure(self, line: tuple[Line, ...], at: int, row: Row, left_out: Sequence[Rejection]) -> frozenset[int]:
        """Return the place of a row's line, if its quantity could not be read."""
        source = self._mapping.line.get("quantity")
        is_unread = source and any((one.line, one.column) == (row.line, source.location) for one in left_out)
        return frozenset([at] if line and is_unread else [])

    def _later_line(self, first: Incoming, row: Row, rejections: list[Rejection]) -> Incoming:
        """Return an order with the line and the parcel that a later row adds to it."""
        values = self._values(row, first.order, rejections)
        line = self._line(row, values, self._currency(values, first.order), rejections)
        unsure = first.unsure | self._unsure(line, len(first.lines), row, rejections)
        reports = self._reports(row, first.order, rejections, first.known.parcel if first.known else None)
        first = self._agree(first, row, values)
        told = [*first.reports]
        for report in reports:
            if any(_says_no_more(report, one) for one in told):
                continue
            if self._mapping.tells_events or _is_of_another_parcel(report, told):
                told.append(_with_own_key(report, told))
            else:
                why = tr(
                    "reports {trigger} otherwise than line {line}, the first of order {name}",
                    trigger=report.trigger,
                    line=first.line,
                    name=first.order.name,
                )
                left_out = tr(
                    "the line of this row is kept, and its report left out (of another parcel it names another number)"
                )
                rejections.append(BadRow(row.line, None, f"{why}: {left_out}", values).rejection)
        return replace(first, lines=(*first.lines, *line), reports=tuple(told), unsure=unsure)

    def _values(self, row: Row, so_far: Order | None, left_out: list[Rejection]) -> dict[str, Any]:
        """Read the order-level cells; where an order is known so far, a row may leave any of them empty.

        One that cannot be read, and that no order needs, is left out (rule 7.5).
        """
        if row.problem:
            raise BadRow(row.line, None, row.problem)
        values: dict[str, Any] = {"since": so_far.placed_at} if so_far else {}
        for name, source, usual in self._order_cells:
            read = self._money(source, self._currency(values, so_far)) if name in SUMS else usual
            try:
                values[name] = value = self.cell(row, source, read, values)
            except BadRow as bad:
                if name in self._needed:
                    raise
                left_out.append(bad.of_its_cell())
                values[name] = value = None
            if value is None and name in REQUIRED and so_far is None:
                raise BadRow(row.line, source.location, tr("is empty, and an order must have its {name}", name=name), values)
        return values

    def _fill_in(self, values: dict[str, Any]) -> set[str]:
        """Fill in what the file leaves to the policy; return which facts that were."""
        values["shop"] = values.get("shop") or DEFAULT_SHOP
        filled_in = {name for name in _DEFAULTS if not values.get(name)}
        for name in filled_in:
            values[name] = getattr(self._defaults, name)
        return filled_in

    def _currency(self, values: dict[str, Any], so_far: Order | None) -> str:
        return values.get("currency") or (so_far.currency if so_far else self._defaults.currency)

    def cell(self, row: Row, source: Source, read: Callable[[Cell], Any], values: dict[str, Any]) -> Any:
        """Read a cell; an empty one means that nothing was said."""
        cell = source.of(row)
        if not cell:
            return None
        try:
            return read(cell)
        except BadCell as bad:
            raise BadRow(row.line, source.location, str(bad), values, cell) from None

    def _line(self, row: Row, values: dict[str, Any], currency: str, left_out: list[Rejection]) -> tuple[Line, ...]:
        """Read the line of a row; one of no pieces is none, and a cell that cannot be read is left out (rule 7.5)."""
        found, unread = dict[str, Any](), set[str]()
        if not all_met(self._mapping.line_when, row):
            return ()
        for name, source, usual in self._line_cells:
            try:
                value = self.cell(row, source, usual or self._money(source, currency), values)
            except BadRow as bad:
                left_out.append(bad.of_its_cell())
                unread.add(name)
                continue
            if name == "quantity" and value == 0:
                return ()
            if value is not None:
                found[name] = value
        if "total" in found:
            total = found.pop("total")
            found |= {} if "quantity" in unread else {"price": self._of_a_piece(total, found.get("quantity", 1))}
        line = Line(**found)
        if line.price is not None and line.price * line.quantity > LARGEST // MOST_LINES:
            raise BadRow(row.line, None, tr("quantity and price make more money than can be kept"), values)
        return (line,) if found or unread else ()

    def _of_a_piece(self, total: int, quantity: int) -> int:
        """Return the price of a piece, rounded half-even to the minor unit (rule 4.9)."""
        self.rounded += total % quantity != 0
        return round(Fraction(total, quantity))

    def _reports(self, row: Row, order: Order, rejections: list[Rejection], parcel: str | None = None) -> tuple[Report, ...]:
        reports = []
        for source in self._mapping.reports:
            if not all_met(source.when, row) or not source.at.of(row):
                continue
            try:
                reports.append(self._report(row, source, order, rejections))
            except BadRow as bad:
                number = source.fields.get("tracking_number", Source()).of(row) or parcel or ""
                known_by = ":".join((source.trigger, digest_of(bad.cell), *([digest_of(number)] if number else [])))
                unread = replace(bad.rejection, trigger=source.trigger, identity=known_by)
                if unread not in rejections:  # of JSON, an order's rows have one number
                    rejections.append(unread)
        return _of_its_parcel(reports, parcel)

    def _report(self, row: Row, source: ReportSource, order: Order, left_out: list[Rejection]) -> Report:
        known = {"id": order.number, "since": order.placed_at}
        at: datetime = self.cell(row, source.at, partial(cells.instant, read=self._instants(source.at)), known)
        known["since"] = max(at, order.placed_at)
        fields: dict[str, Detail] = {}
        for name, where in source.fields.items():
            decimal = where.writing.decimal or self._mapping.decimal
            read = partial(
                cells.report_field,
                FIELDS[source.trigger][name],
                code=order.currency,
                read=self._instants(where),
                decimal=decimal,
            )
            try:
                fields[name] = self.cell(row, where, read, known)
            except BadRow as bad:
                if name not in _WORDS:
                    raise
                left_out.append(bad.of_its_cell())
                continue
            if fields[name] is None and FIELDS[source.trigger][name].required:
                raise BadRow(
                    row.line,
                    where.location,
                    tr("is empty, and {trigger} needs its {name}", trigger=source.trigger, name=name),
                    known,
                )
        key = self.cell(row, source.key, cells.identity, known) if source.key else None
        said = {name: value for name, value in fields.items() if value is not None}
        return Report(source.trigger, at, SOURCE, key or own_key(source.trigger, at), self._actor, said)

    def _agree(self, first: Incoming, row: Row, values: dict[str, Any]) -> Incoming:
        """Return an order with what a later row says that the first one did not, or could not be read there.

        Raises:
            BadRow: it says something else.

        """
        more = dict[str, Any]()
        for name, _, _ in self._order_cells:
            value, stored = values.get(name), getattr(first.order, "number" if name == "id" else name)
            if value is not None and stored in (None, ()):
                more[name] = value
            elif value is not None and value != stored:
                location = self._mapping.order[name].location
                why = tr("contradicts line {line}, the first of order {name}", line=first.line, name=first.order.name)
                if row.follows:
                    why = tr("{why}; its number is empty, so that it was taken for a row of that order", why=why)
                raise BadRow(row.line, location, why, values)
        return replace(first, order=replace(first.order, **more), given=first.given | more.keys()) if more else first

    def _reader(self, name: str, source: Source) -> Callable[[Cell], Any]:
        """Return what reads the cells of an order's fact."""
        if name in ("placed_at", "ship_by"):
            return partial(cells.instant, read=self._instants(source))
        return cells.ORDER_READERS.get(name, cells.text)

    def _line_reader(self, name: str, source: Source) -> Callable[[Cell], Any] | None:
        """Return what reads the cells of a line's fact; None: it is a sum."""
        if name == "quantity":
            return partial(cells.pieces_of_line, decimal=source.writing.decimal or self._mapping.decimal)
        return None if name in LINE_SUMS else cells.text

    def _instants(self, source: Source) -> cells.Instants:
        """Return what reads the instants of a source."""
        how, usual = source.writing, self._mapping
        return partial(read_instant, zone=how.zone or usual.zone, formats=how.formats or usual.time_formats)

    def _money(self, source: Source, code: str) -> Callable[[Cell], int]:
        """Return what reads the sums of a source, in a currency; a share of its minor unit is rounded, and counted."""
        decimal = source.writing.decimal or self._mapping.decimal

        def read(cell: Cell) -> int:
            value, was_rounded = cells.nearest_amount(cell, code, decimal)
            self.rounded += was_rounded
            return value

        return read


def _known(incoming: Incoming) -> dict[str, Any]:
    """Return what a rejection says of the order that it is about."""
    return {"id": incoming.order.number, "since": incoming.order.placed_at}


def _says_no_more(report: Report, told: Report) -> bool:
    """Say whether a report repeats one that was told, be it with fields or the key left out."""
    same = (report.trigger, report.at) == (told.trigger, told.at)
    key = report.key in (told.key, own_key(report.trigger, report.at))
    return same and key and report.fields.items() <= told.fields.items()


def _is_of_another_parcel(report: Report, told: Sequence[Report]) -> bool:
    """Say whether a report is the first of its kind, or names a parcel of which none of its kind was told."""
    number = report.fields.get("tracking_number")
    others = {one.fields.get("tracking_number") for one in told if one.trigger == report.trigger}
    return report.trigger in ABOUT_PARCELS and (not others or (number is not None and number not in others))


def _with_own_key(report: Report, told: Sequence[Report]) -> Report:
    """Return a report with a key of its own: two parcels may have left at the same instant."""
    return report if all(one.key != report.key for one in told) else with_the_key_of_its_parcel(report)


def _of_its_parcel(reports: Sequence[Report], number: Detail = None) -> tuple[Report, ...]:
    """Return the reports of one row: those that name no parcel are about its own, or about the one that has left by it."""
    number = number or next((one.fields.get("tracking_number") for one in reports if one.trigger == "ship"), None)
    if number is None:
        return tuple(reports)
    about = (one.trigger in ABOUT_PARCELS and "tracking_number" not in one.fields for one in reports)
    return tuple(
        replace(one, fields={"tracking_number": number, **one.fields}) if unnamed else one
        for one, unnamed in zip(reports, about, strict=True)
    )


_WORDS = ("carrier", "status", "reason", "tell")
"""Fields of reports that say nothing but words: without them a report says the same."""


def _order(values: dict[str, Any]) -> Order:
    number = values["id"]
    rest = {name: value for name, value in values.items() if name != "id" and value is not None}
    return Order(number=number, **rest)
