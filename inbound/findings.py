"""What a foreign file has: which column is which fact, and how dates and sums in it are written."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

from inbound import sniffing
from inbound.files import read_rows
from inbound.header_names import known, likeness
from inbound.rows import Cell, Layout
from inbound.sniffing import DAY_FIRST, MONTH_FIRST, Times, money_of, times_of
from inbound.sources import without_marks
from inbound.times import BadInstant, read_instant
from workflow.case.money import MoneyError, exponent

READ_AT_MOST = 20_000
"""Rows that are looked at; shapes of dates and sums are judged by all of them."""
EMPTY = ("-", "--", "n/a", "na", "nan", "none", "null", "nil", "无", "0000-00-00", "0000-00-00 00:00:00")
"""Words that mean nothing, as files write them."""
_DATES = ("order.placed_at", "ship.at", "deliver.at", "cancel.at", "order.ship_by", "event.at")
_SUMS = ("order.paid", "order.sale", "line.price", "line.total", "line.sale")
_HELPERS = ("time", "status", "event.at", "event.status")
"""What names are known for besides facts: they are used where they are needed."""
_INDEXED = re.compile(r"(?P<before>.*?)\.(?P<number>\d+)\.(?P<after>.*)")
"""A path of JSON into one object of a list."""


_FEW, _SHARE = 3, 0.2
"""A reading of dates is wrong if so many rows, and so large a part of them, make no sense by it; less may be mistakes."""


@dataclass(slots=True)
class Column:
    """A column of the file: how often each cell that says something is there, and each word for nothing."""

    name: str
    cells: Counter[str] = field(default_factory=Counter)
    empties: Counter[str] = field(default_factory=Counter)


class Findings:
    """What a file has: its columns, which of them is which fact (`column_of`), and how dates and sums are written.

    `times` and `money` say that of each fact that is one. Dates later than `now` prove a reading wrong. A file `by_parcel` has
    no numbers of orders, but of parcels.

    Raises:
        UsageError: the file cannot be read.

    """

    def __init__(self, path: Path, layout: Layout, now: datetime) -> None:
        self._path, self.layout, self._now = path, layout, now
        self.columns = dict[str, Column]()
        self._rows = list[dict[str, str]]()
        self._read()
        self.column_of = self._matched()
        self.by_parcel = "order.id" not in self.column_of and "ship.tracking_number" in self.column_of
        if self.by_parcel:
            self._look_for_events()
        times = {fact: times_of([*self.cells(fact)]) for fact in _DATES if fact in self.column_of}
        money = {fact: money_of([*self.cells(fact)]) for fact in _SUMS if fact in self.column_of}
        self.times = {fact: one for fact, one in times.items() if one is not None}
        self.money = {fact: one for fact, one in money.items() if one is not None}

    def _read(self) -> None:
        for number, row in enumerate(read_rows(self._path, self.layout)):
            if number >= READ_AT_MOST:
                break
            if row.problem is None:
                cells = {name: _as_text(cell) for name, cell in row.cells.items()}
                self._rows.append(cells)
                for name, cell in cells.items():
                    column = self.columns.setdefault(name, Column(name))
                    if cell.lower() in EMPTY:
                        column.empties[cell] += 1
                    elif cell:
                        column.cells[cell] += 1
        for column in self.columns.values():
            if likeness("ship.tracking_number", column.name):
                for cell in [cell for cell, times in column.cells.items() if times > 1 and not cell.strip("0")]:
                    column.empties[cell] += column.cells.pop(cell)

    def _matched(self) -> dict[str, str]:
        """Return the best column for each fact, by its name and the shape of its cells; a column serves one fact."""
        facts = [fact for fact in known() if fact not in _HELPERS and not fact.startswith("offer.")]
        wanted = [
            (likeness(fact, name), fact, name)
            for fact in facts
            for name in self.columns
            if likeness(fact, name) and self._may_be(fact, self.columns[name])
        ]
        wanted.sort(key=lambda one: (-one[0], facts.index(one[1])))
        found = dict[str, str]()
        for _, fact, name in wanted:
            if fact not in found and name not in found.values():
                found[fact] = name
        self._beside(found, wanted)
        if "line.price" in found and "line.total" in found:
            del found["line.total"]
        return found

    def _beside(self, found: dict[str, str], wanted: list[tuple[int, str, str]]) -> None:
        """Take what is told of a parcel from the same object of a list, where its date stands in one."""
        for trigger in ("ship", "deliver", "cancel"):
            place = _INDEXED.fullmatch(found.get(f"{trigger}.at", ""))
            if place is None:
                continue
            start = f"{place['before']}.{place['number']}."
            for fact in [one for one in found if one.startswith(f"{trigger}.") and not found[one].startswith(start)]:
                there = [name for _, other, name in wanted if other == fact and name.startswith(start)]
                del found[fact]
                if there:
                    found[fact] = there[0]

    def _may_be(self, fact: str, column: Column) -> bool:
        """Say whether the cells of a column have the shape of a fact."""
        cells = [*column.cells]
        is_of_lines = self.layout.lines is not None and column.name.startswith(f"{self.layout.lines}.")
        if self.layout.lines is not None and is_of_lines != fact.startswith("line."):
            return False
        if fact in _DATES:
            return not cells or times_of(cells) is not None
        if not cells:
            return fact not in ("order.id", "order.placed_at", "line.quantity")
        if fact in _SUMS:
            return money_of(cells) is not None
        if fact == "line.quantity":
            return _most(cells, lambda cell: re.fullmatch(r"\d{1,6}([.,]0+)?", cell))
        if fact == "order.currency":
            return _most(cells, is_currency)
        if fact == "order.buyer_email":
            return _most(cells, lambda cell: "@" in cell)
        if fact == "order.id":
            return all(len(cell) <= 100 for cell in cells) and times_of(cells) is None
        return True

    def _look_for_events(self) -> None:
        """Find what a carrier's file has besides numbers of parcels: when something happened, and what."""
        number = self.column_of["ship.tracking_number"]
        self.column_of = {"ship.tracking_number": number}
        for fact in ("event.at", "event.status"):
            fitting = [
                name
                for name in self.columns
                if name not in self.column_of.values() and likeness(fact, name) and self._may_be(fact, self.columns[name])
            ]
            if fitting:
                self.column_of[fact] = max(fitting, key=lambda name, of=fact: likeness(of, name))  # type: ignore[misc]

    def cells(self, fact: str) -> Iterable[str]:
        """Return the distinct cells of the column that a fact is."""
        return self.columns[self.column_of[fact]].cells

    def filled_down(self) -> str | None:
        """Return the column of the number, if rows without one follow rows with one and have lines."""
        name = self.column_of.get("order.id")
        if name is None or self.layout.lines is not None:
            return None
        rows = [row for row in self._rows if any(row.values())]
        bare = [row for row in rows if not row.get(name)]
        placed = self.column_of.get("order.placed_at")
        if placed is None:  # nothing else would say that a row is of another order
            return None
        continues = [sum(1 for cell in row.values() if cell) > 1 and not row.get(placed) for row in bare]
        return name if bare and rows[0].get(name) and sum(continues) > len(bare) / 2 else None

    def footed(self) -> str | None:
        """Return a column that is filled in every row but the last few, which name something where others have a number."""
        name, placed = self.column_of.get("order.id"), self.column_of.get("order.placed_at")
        of_lines = [self.column_of[fact] for fact in ("line.sku", "line.title", "line.quantity") if fact in self.column_of]
        if name is None or placed is None or not of_lines:
            return None
        numbers = Counter(row.get(name, "") for row in self._rows)
        last = 0
        for row in reversed(self._rows[-3:]):
            if row.get(placed) or numbers[row.get(name, "")] > 1 or row.get(of_lines[0]):
                break
            last += 1
        if not last or not any(any(row.values()) for row in self._rows[-last:]):
            return None
        return next((column for column in of_lines if all(row.get(column) for row in self._rows[:-last])), None)

    def formats(self, fact: str, times: Times) -> Iterator[str]:
        """Yield the format of a column, with that of the time of day if it has a column of its own; none of ISO 8601."""
        if times.formats:
            yield times.formats[0] + (self._format_of_time() if fact == "order.placed_at" and self.time_column() else "")

    def time_column(self) -> str | None:
        """Return the column that has the time of day of the placing, where its own has the date alone."""
        times = self.times.get("order.placed_at")
        if times is None or any(mark in one for one in times.formats for mark in ("%H", "%I", "epoch")):
            return None
        if not times.formats and any(re.search(r"\d:\d", cell) for cell in self.cells("order.placed_at")):
            return None
        fits = re.compile(r"\d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?")
        named = [name for name in self.columns if likeness("time", name) and name not in self.column_of.values()]
        return next((name for name in named if (cells := self.columns[name].cells) and _most(cells, fits.fullmatch)), None)

    def _format_of_time(self) -> str:
        cell = next(iter(self.columns[str(self.time_column())].cells))
        seconds = ":%S" if cell.count(":") == 2 else ""
        return f" %I:%M{seconds} %p" if cell[-1:].lower() == "m" else f" %H:%M{seconds}"

    def way(self) -> str | None:
        """Return the one reading of dates such as 03/04/2026 that the whole file bears; None if it bears both."""
        ways = [
            way for way in (DAY_FIRST, MONTH_FIRST) if all(way in times.ways for times in self.times.values() if times.ways)
        ]
        if len(ways) == 2:
            wrong = {way: self._out_of_turn(way) for way in ways}
            rows = sum(1 for row in self._rows if row.get(self.column_of.get("order.placed_at", "")))
            if 0 in wrong.values() and max(wrong.values()) >= max(_FEW, _SHARE * rows):
                ways = [way for way in ways if not wrong[way]]
        return ways[0] if len(ways) == 1 else None

    def _out_of_turn(self, way: str) -> int:
        """Count the rows with a date ahead of now, or that are shipped before they were placed, or arrive before that."""
        latest, count = self._now + timedelta(days=1), 0
        turn = [fact for fact in ("order.placed_at", "ship.at", "deliver.at") if fact in self.times]
        for row in self._rows:
            before: datetime | None = None
            for fact in turn:
                at = _instant(row.get(self.column_of[fact], ""), read_in(self.times[fact], way))
                if at is not None and (at > latest or (before is not None and at < before - timedelta(days=1))):
                    count += 1
                    break
                before = at or before
        return count

    def is_in_parts(self, fact: str) -> bool:
        """Say whether the rows of an order have several sums: payments in parts, in a file that adds to orders."""
        number, sums = self.column_of.get("order.id"), dict[str, set[str]]()
        for row in self._rows if number else ():
            if cell := row.get(self.column_of[fact]):
                sums.setdefault(row.get(str(number), ""), set()).add(cell)
        return "order.placed_at" not in self.column_of and any(len(told) > 1 for told in sums.values())

    def is_total(self, fact: str) -> bool:
        """Say whether what is called a price proves to be that of all pieces: only so the lines come to what the order does."""
        whole = next((one for one in ("order.paid", "order.sale") if one in self.column_of), None)
        if whole is None or "line.quantity" not in self.column_of or "order.id" not in self.column_of:
            return False
        orders, number, fits = dict[str, tuple[float, float, float]](), "", [0, 0]
        for row in self._rows:
            number = row.get(self.column_of["order.id"]) or number
            price, quantity = _number(row.get(self.column_of[fact], "")), _number(row.get(self.column_of["line.quantity"], ""))
            total, each, sums = orders.get(number, (0.0, 0.0, 0.0))
            total = total or _number(row.get(self.column_of[whole], "")) or 0.0
            orders[number] = (total, each + (price or 0) * (quantity or 1), sums + (price or 0))
        for total, each, sums in orders.values():
            if total and abs(each - sums) > 0.005:
                fits[0] += abs(each - total) < 0.005
                fits[1] += abs(sums - total) < 0.005
        return fits[1] > 0 and fits[0] == 0

    def parcels(self, told: dict[str, str]) -> Iterator[dict[str, str]]:
        """Yield what is told of each parcel, where a list has several of them: of the first, the second and so on."""
        yield told
        place = _INDEXED.fullmatch(next(iter(told.values())))
        for number in count(int(place["number"]) + 1) if place else ():
            start, other = f"{place['before']}.{place['number']}.", f"{place['before']}.{number}."  # type: ignore[index]
            further = {fact: name.replace(start, other, 1) for fact, name in told.items()}
            if next(iter(further.values())) not in self.columns:
                return
            yield {fact: name for fact, name in further.items() if name in self.columns}


def list_of(name: str) -> str | None:
    """Return the object of a list in which a path of JSON stands."""
    place = _INDEXED.fullmatch(name)
    return f"{place['before']}.{place['number']}" if place else None


def _as_text(cell: Cell) -> str:
    return without_marks(cell) if isinstance(cell, str) else ";".join(cell)


def _most(cells: Iterable[str], fits: object) -> bool:
    """Say whether most cells are so that the others may be mistakes."""
    found = [bool(fits(cell)) for cell in cells]  # type: ignore[operator]
    return sniffing.most(sum(found), len(found))


def read_in(times: Times, way: str) -> Times:
    """Return how times are written in one of the two ways."""
    first = "%d" if way == DAY_FIRST else "%m"
    return Times(tuple(one for one in times.formats if one.startswith(first)), times.has_zone) if times.ways else times


def _instant(cell: str, times: Times) -> datetime | None:
    try:
        return read_instant(cell, ZoneInfo("UTC"), times.formats) if cell else None
    except BadInstant:
        return None


def _number(cell: str) -> float | None:
    digits = re.sub(r"[^\d.,]", "", cell)
    if not digits:
        return None
    whole, mark, decimals = (digits[:-3], ".", digits[-2:]) if digits[-3:-2] in (".", ",") else (digits, "", "")
    return float(re.sub(r"[.,]", "", whole) + mark + decimals) if whole else None


def is_currency(code: str) -> bool:
    """Say whether a text is the code of a currency."""
    try:
        exponent(code.upper())
    except MoneyError:
        return False
    return True
