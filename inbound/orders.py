"""Rows of a mapped file turned into orders with their lines and reports, or into rejections."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from inbound import cells
from inbound.cells import BadCell
from inbound.files import Cell, Row, columns_of, read_rows
from inbound.mapping import REQUIRED, Mapping, ReportSource
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

DEFAULT_SHOP = "main"
_DEFAULTS = ("route", "currency", "language")
"""Facts that the policy has defaults of."""
SUMS = ("paid", "sale")
"""Facts that are amounts in the order's currency."""
LINE_SUMS = ("price", "sale")
"""What a line has of these."""
MOST_LINES = 1_000_000
"""Lines of one order whose sum must still be a sum that can be kept."""
SOURCE = "import"
"""What reports of files are unique by, whatever the file is called: tomorrow's export repeats today's."""


@value_class(frozen=True, slots=True)
class Rejection:
    """A row or a report that was not taken: where it stands, why, and since when it exists (None: not known).

    Where `is_cell`, only that cell was left out, and its row was taken.
    """

    line: int
    column: str | None
    reason: str
    order: str | None = None
    since: datetime | None = None
    is_cell: bool = False


@value_class(frozen=True, slots=True)
class Incoming:
    """One order of a file, with its lines and reports in the order in which the mapping lists them.

    `given` are the facts that the file may tell of it; those left out are defaults of the policy.
    """

    order: Order
    lines: tuple[Line, ...]
    reports: tuple[Report, ...]
    line: int
    actor: str
    given: frozenset[str] = frozenset()


class OrderFile:
    """A file of orders, read through a mapping. Reading it twice gives the same orders in the same order.

    Raises:
        UsageError: the file cannot be read, or lacks a column that the mapping names.

    """

    def __init__(self, path: Path, mapping: Mapping, defaults: Orders) -> None:
        self.path, self._mapping, self._defaults = path, mapping, defaults
        self._actor = f"import:{path.name}"
        first = dict.fromkeys(name for name in (*REQUIRED, "currency", *mapping.order) if name in mapping.order)
        self._order_cells = tuple((name, mapping.order[name], self._reader(name, mapping.order[name])) for name in first)
        """The order-level values in the order of reading: the currency before what is an amount in it."""
        self._given = frozenset(mapping.order)
        has_money = any(name in mapping.order for name in SUMS) or any(name in mapping.line for name in LINE_SUMS)
        self._needed = frozenset((*REQUIRED, "shop", *(("currency",) if has_money else ())))
        """What an order cannot be read without: its number, its shop, its date, and a currency where there is money."""
        self._shop, self._number = (mapping.order.get(name, Source()) for name in ("shop", "id"))
        self.rows, self._scattered = self._survey()

    def _reader(self, name: str, source: Source) -> Callable[[Cell], Any]:
        """Return what reads the cells of an order's fact."""
        if name in ("placed_at", "ship_by"):
            return partial(cells.instant, read=self._instants(source))
        return cells.ORDER_READERS.get(name, cells.text)

    def _instants(self, source: Source) -> cells.Instants:
        """Return what reads the instants of a source."""
        how, usual = source.writing, self._mapping
        return partial(read_instant, zone=how.zone or usual.zone, formats=how.formats or usual.time_formats)

    def _money(self, source: Source, code: str) -> Callable[[Cell], int]:
        """Return what reads the sums of a source, in a currency."""
        return partial(cells.amount, code=code, decimal=source.writing.decimal or self._mapping.decimal)

    def __iter__(self) -> Iterator[tuple[Incoming | None, list[Rejection], int]]:
        """Yield each order of the file, or None, with what was rejected on the way to it and how many rows it had."""
        for rows in self._groups():
            yield *self._build(rows), len(rows)

    @property
    def reports(self) -> Sequence[ReportSource]:
        """Where its reports come from."""
        return self._mapping.reports

    @property
    def links_orders(self) -> bool:
        """Whether its reports may name other orders."""
        return any("new_order" in source.fields for source in self._mapping.reports)

    def _read(self) -> Iterator[Row]:
        rows = read_rows(self.path, self._mapping.layout)
        wanted = self._mapping.when
        return (row for row in rows if row.problem or all_met(wanted, row)) if wanted else rows

    def _key(self, row: Row) -> str:
        return f"{self._shop.of(row) or DEFAULT_SHOP}/{self._number.of(row)}"

    def _survey(self) -> tuple[int, set[str]]:
        """Check the columns, count the rows, and find the orders whose rows do not follow each other."""
        columns = columns_of(self.path, self._mapping.layout)
        if columns:
            self._mapping.check_columns(columns, self.path)
        rows, seen, scattered = 0, set[str](), set[str]()
        last: str | None = None
        for row in self._read():
            rows += 1
            key = self._key(row)
            if key != last and key in seen:
                scattered.add(key)
            seen.add(key)
            last = key
        return rows, scattered

    def _groups(self) -> Iterator[list[Row]]:
        """Yield the rows of each order together; the scattered ones last."""
        group: list[Row] = []
        last: str | None = None
        later: dict[str, list[Row]] = {}
        for row in self._read():
            key = self._key(row)
            if key in self._scattered:
                later.setdefault(key, []).append(row)
                continue
            if group and key != last:
                yield group
                group = []
            group.append(row)
            last = key
        yield from ([group] if group else [])
        yield from later.values()

    def _build(self, rows: list[Row]) -> tuple[Incoming | None, list[Rejection]]:
        rejections: list[Rejection] = []
        first, *others = rows
        try:
            order = self._begin(first, rejections)
        except _BadRow as bad:
            return None, [*rejections, bad.rejection, *(_without_its_first(row, bad.rejection) for row in others)]
        for row in others:
            try:
                order = self._later_line(order, row, rejections)
            except _BadRow as bad:
                rejections.append(bad.rejection)
        return order, rejections

    def _begin(self, row: Row, rejections: list[Rejection]) -> Incoming:
        """Make the first row of an order into one."""
        values = self._values(row, None, rejections)
        given = self._given - self._fill_in(values)
        line = self._line(row, values, values["currency"], rejections)
        order = _order(values)
        reports = self._reports(row, order, rejections)
        return Incoming(order, line, reports, row.line, self._actor, given)

    def _later_line(self, first: Incoming, row: Row, rejections: list[Rejection]) -> Incoming:
        """Return an order with the line and the parcel that a later row adds to it."""
        values = self._values(row, first, rejections)
        line = self._line(row, values, self._currency(values, first), rejections)
        reports = self._reports(row, first.order, rejections)
        self._agree(first, row, values)
        told = [*first.reports]
        for report in reports:
            if any(_says_no_more(report, one) for one in told):
                continue
            if _is_of_another_parcel(report, told):
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
                rejections.append(_BadRow(row.line, None, f"{why}: {left_out}", values).rejection)
        return replace(first, lines=(*first.lines, *line), reports=tuple(told))

    def _values(self, row: Row, first: Incoming | None, left_out: list[Rejection]) -> dict[str, Any]:
        """Read the order-level cells; a later row may leave any of them empty.

        One that cannot be read, and that no order needs, is left out (rule 7.5).
        """
        if row.problem:
            raise _BadRow(row.line, None, row.problem)
        values: dict[str, Any] = {"since": first.order.placed_at} if first else {}
        for name, source, usual in self._order_cells:
            read = self._money(source, self._currency(values, first)) if name in SUMS else usual
            try:
                values[name] = value = self._cell(row, source, read, values)
            except _BadRow as bad:
                if name in self._needed:
                    raise
                left_out.append(bad.of_its_cell())
                values[name] = value = None
            if value is None and name in REQUIRED and first is None:
                raise _BadRow(row.line, source.location, tr("is empty, and an order must have its {name}", name=name), values)
        return values

    def _fill_in(self, values: dict[str, Any]) -> set[str]:
        """Fill in what the file leaves to the policy; return which facts that were."""
        values["shop"] = values.get("shop") or DEFAULT_SHOP
        filled_in = {name for name in _DEFAULTS if not values.get(name)}
        for name in filled_in:
            values[name] = getattr(self._defaults, name)
        return filled_in

    def _currency(self, values: dict[str, Any], first: Incoming | None) -> str:
        return values.get("currency") or (first.order.currency if first else self._defaults.currency)

    def _cell(self, row: Row, source: Source, read: Callable[[Cell], Any], values: dict[str, Any]) -> Any:
        """Read a cell; an empty one means that nothing was said."""
        cell = source.of(row)
        if not cell:
            return None
        try:
            return read(cell)
        except BadCell as bad:
            raise _BadRow(row.line, source.location, str(bad), values) from None

    def _line(self, row: Row, values: dict[str, Any], currency: str, left_out: list[Rejection]) -> tuple[Line, ...]:
        """Read the line of a row; one of no pieces is none, and a cell that cannot be read is left out (rule 7.5)."""
        found = dict[str, Any]()
        if not all_met(self._mapping.line_when, row):
            return ()
        for name, source in self._mapping.line.items():
            usual = cells.pieces_of_line if name == "quantity" else cells.text
            read = self._money(source, currency) if name in LINE_SUMS else usual
            try:
                value = self._cell(row, source, read, values)
            except _BadRow as bad:
                left_out.append(bad.of_its_cell())
                continue
            if name == "quantity" and value == 0:
                return ()
            if value is not None:
                found[name] = value
        line = Line(**found)
        if line.price is not None and line.price * line.quantity > LARGEST // MOST_LINES:
            raise _BadRow(row.line, None, tr("quantity and price make more money than can be kept"), values)
        return (line,) if found else ()

    def _reports(self, row: Row, order: Order, rejections: list[Rejection]) -> tuple[Report, ...]:
        reports = []
        for source in self._mapping.reports:
            if not all_met(source.when, row) or not source.at.of(row):
                continue
            try:
                reports.append(self._report(row, source, order, rejections))
            except _BadRow as bad:
                rejections.append(bad.rejection)
        return _of_its_parcel(reports)

    def _report(self, row: Row, source: ReportSource, order: Order, left_out: list[Rejection]) -> Report:
        known = {"id": order.number, "since": order.placed_at}
        at: datetime = self._cell(row, source.at, partial(cells.instant, read=self._instants(source.at)), known)
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
                fields[name] = self._cell(row, where, read, known)
            except _BadRow as bad:
                if name not in _WORDS:
                    raise
                left_out.append(bad.of_its_cell())
                continue
            if fields[name] is None and FIELDS[source.trigger][name].required:
                raise _BadRow(
                    row.line,
                    where.location,
                    tr("is empty, and {trigger} needs its {name}", trigger=source.trigger, name=name),
                    known,
                )
        key = self._cell(row, source.key, cells.identity, known) if source.key else None
        said = {name: value for name, value in fields.items() if value is not None}
        return Report(source.trigger, at, SOURCE, key or own_key(source.trigger, at), self._actor, said)

    def _agree(self, first: Incoming, row: Row, values: dict[str, Any]) -> None:
        """A later row may repeat the order or be silent about it, and no more.

        Raises:
            _BadRow: it says something else.

        """
        for name in self._mapping.order:
            value, stored = values.get(name), getattr(first.order, "number" if name == "id" else name)
            if value is not None and value != stored:
                location = self._mapping.order[name].location
                why = tr("contradicts line {line}, the first of order {name}", line=first.line, name=first.order.name)
                raise _BadRow(row.line, location, why, values)


def _without_its_first(row: Row, first: Rejection) -> Rejection:
    """Reject a later row of an order whose first row cannot be read: nobody knows what that one would have said."""
    why = tr("the first row of its order, line {line}, was rejected", line=first.line)
    return Rejection(row.line, None, why, first.order, first.since)


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


def _of_its_parcel(reports: Sequence[Report]) -> tuple[Report, ...]:
    """Return the reports of one row: those that name no parcel are about the one that has left by that row."""
    number = next((one.fields.get("tracking_number") for one in reports if one.trigger == "ship"), None)
    if number is None:
        return tuple(reports)
    about = (one.trigger in ABOUT_PARCELS and "tracking_number" not in one.fields for one in reports)
    return tuple(
        replace(one, fields={"tracking_number": number, **one.fields}) if unnamed else one
        for one, unnamed in zip(reports, about, strict=True)
    )


_WORDS = ("carrier", "status", "reason", "tell")
"""Fields of reports that say nothing but words: without them a report says the same."""


class _BadRow(Exception):
    """Carries a rejection to where rejections are collected; `known` is what was read before it."""

    def __init__(self, line: int, column: str | None, reason: str, known: dict[str, Any] | None = None) -> None:
        told = known or {}
        since = told.get("since") or told.get("placed_at")
        self.rejection = Rejection(line, column, reason, told.get("id"), since)
        super().__init__(reason)

    def of_its_cell(self) -> Rejection:
        """Return that the cell alone was left out."""
        return replace(self.rejection, is_cell=True)


def _order(values: dict[str, Any]) -> Order:
    number = values["id"]
    rest = {name: value for name, value in values.items() if name != "id" and value is not None}
    return Order(number=number, **rest)
