"""A mapping proposed for a file, with its reasons, and with questions where the file proves nothing."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from inbound import ready, sniffing
from inbound.files import columns_of, read_rows
from inbound.header_names import known, likeness
from inbound.mapping_document import load_mapping
from inbound.rows import PLAIN, Layout
from inbound.sniffing import DAY_FIRST, MONTH_FIRST, Times, money_of, times_of
from inbound.sources import without_marks
from inbound.times import BadInstant, read_instant
from language import counted, tr
from workflow.case.money import MoneyError, exponent
from workflow.errors import UsageError

READ_AT_MOST = 20_000
"""Rows that are looked at; shapes of dates and sums are judged by all of them."""
_EMPTY = ("-", "--", "n/a", "na", "nan", "none", "null", "nil", "无", "0000-00-00", "0000-00-00 00:00:00")
"""Words that mean nothing, as files write them."""
_DATES = ("order.placed_at", "ship.at", "deliver.at", "cancel.at", "order.ship_by")
_SUMS = ("order.paid", "order.sale", "line.price", "line.total")


def _facts() -> list[str]:
    return [fact for fact in known() if fact != "time"]


@dataclass(slots=True)
class Proposal:
    """A mapping as TOML with its reasons beside it; `questions` are what the file does not prove, and a person must say."""

    text: str = ""
    questions: list[str] = field(default_factory=list)
    ready: str | None = None
    """The ready mapping that fits the file, if one does: the text is its text."""


@dataclass(slots=True)
class _Column:
    """A column of the file: its distinct cells that say something, and how often it says anything."""

    name: str
    cells: dict[str, None] = field(default_factory=dict)
    filled: int = 0
    empties: Counter[str] = field(default_factory=Counter)


def propose(path: Path, zone: ZoneInfo | None, now: datetime) -> Proposal:
    """Propose a mapping for a file.

    `zone` is that of times which name none, if a person has said; dates later than `now` prove a reading wrong.

    Raises:
        UsageError: the file cannot be read, or nothing in it looks like the number of an order.

    """
    for name in ready.described():
        if _fits(name, path):
            return Proposal((ready.path_of(name) or path).read_text("utf-8"), ready=name)
    layout = sniffing.layout_of(path)
    return _Proposing(path, layout, zone, now).proposal()


def _fits(name: str, path: Path) -> bool:
    """Say whether a file has every column that a ready mapping names."""
    mapping = load_mapping(ready.FOLDER / f"{name}.toml")
    try:
        columns = columns_of(path, mapping.layout)
        if not columns:
            return False
        mapping.check_columns(columns, path)
    except UsageError:
        return False
    return True


class _Proposing:
    """One file on its way to a mapping."""

    def __init__(self, path: Path, layout: Layout, zone: ZoneInfo | None, now: datetime) -> None:
        self._path, self._layout, self._zone, self._now = path, layout, zone, now
        self._columns = dict[str, _Column]()
        self._rows = list[dict[str, str]]()
        self._read()
        self._of = self._matched()
        self._times = {fact: times_of([*self._cells(fact)]) for fact in _DATES if fact in self._of}
        self._money = {fact: money_of([*self._cells(fact)]) for fact in _SUMS if fact in self._of}
        self._questions = list[str]()

    def proposal(self) -> Proposal:
        """Return the whole proposal."""
        parts = [self._head(), self._order(), self._lines(), *self._reports(), self._not_read()]
        title = tr("# Proposed for {file}: read it, answer what is asked, and try it with", file=self._path.name)
        check = f"#   aftersales mapping check {self._path.name} --mapping THIS.toml"
        return Proposal("\n".join((title, check, *(part for part in parts if part))), self._questions)

    # --- what the file has ---

    def _read(self) -> None:
        for count, row in enumerate(read_rows(self._path, self._layout)):
            if count >= READ_AT_MOST:
                break
            cells = {name: without_marks(cell) if isinstance(cell, str) else ";".join(cell) for name, cell in row.cells.items()}
            if row.problem is None:
                self._rows.append(cells)
                for name, cell in cells.items():
                    self._note(name, cell)

    def _note(self, name: str, cell: str) -> None:
        column = self._columns.setdefault(name, _Column(name))
        if cell.lower() in _EMPTY:
            column.empties[cell] += 1
        elif cell:
            column.filled += 1
            column.cells[cell] = None

    def _matched(self) -> dict[str, str]:
        """Return the best column for each fact, by its name and the shape of its cells; a column serves one fact."""
        facts = _facts()
        wanted = [
            (likeness(fact, name), fact, name)
            for fact in facts
            for name in self._columns
            if likeness(fact, name) and self._may_be(fact, self._columns[name])
        ]
        found = dict[str, str]()
        for _, fact, name in sorted(wanted, key=lambda one: (-one[0], facts.index(one[1]))):
            if fact not in found and name not in found.values():
                found[fact] = name
        if "order.id" not in found:
            names = ", ".join([*self._columns][:20])
            raise UsageError(
                tr("{file}: no column looks like the number of an order: there are {names}", file=self._path, names=names)
            )
        if "line.price" in found and "line.total" in found:
            del found["line.total"]
        return found

    def _may_be(self, fact: str, column: _Column) -> bool:
        """Say whether the cells of a column have the shape of a fact."""
        cells = [*column.cells]
        is_of_lines = self._layout.lines is not None and column.name.startswith(f"{self._layout.lines}.")
        if self._layout.lines is not None and is_of_lines != fact.startswith("line."):
            return False
        if fact in _DATES:
            return not cells or times_of(cells) is not None
        if not cells:
            return fact not in ("order.id", "order.placed_at", "line.quantity")
        if fact in _SUMS:
            return money_of(cells) is not None
        if fact == "line.quantity":
            return all(re.fullmatch(r"\d{1,6}(\.0+)?", cell) for cell in cells)
        if fact == "order.currency":
            return all(_is_currency(cell) for cell in cells)
        if fact == "order.buyer_email":
            return all("@" in cell for cell in cells)
        if fact == "order.id":
            return column.filled > 0 and all(len(cell) <= 100 for cell in cells) and times_of(cells) is None
        return True

    def _cells(self, fact: str) -> Iterable[str]:
        return self._columns[self._of[fact]].cells

    # --- the parts of the mapping ---

    def _head(self) -> str:
        layout, lines = self._layout, list[str]()
        if layout.encoding not in ("utf-8-sig",):
            lines.append(_line("encoding", layout.encoding, tr("it is not UTF-8")))
        if layout.delimiter != PLAIN.delimiter:
            lines.append(_line("delimiter", layout.delimiter, tr("it separates the cells of most rows")))
        if layout.quote != PLAIN.quote:
            lines.append(_line("quote", layout.quote, tr("quotation marks stand inside cells")))
        if layout.header is not None:
            lines.append(f"header = {layout.header}  # {tr('the first row of names')}")
        if layout.records:
            lines.append(_line("records", layout.records[0], tr("there the orders stand")))
        if layout.lines:
            lines.append(_line("lines", layout.lines, tr("there each order has its lines")))
        if fill := self._filled_down():
            lines.append(f"fill = [{_text(fill)}]  # {tr('rows without a number belong to the one above')}")
        lines += self._how_empty()
        lines += self._how_times()
        lines += self._how_money()
        return "\n".join(lines)

    def _filled_down(self) -> str | None:
        """Return the column of the number, if rows without one follow rows with one and have lines."""
        name = self._of["order.id"]
        rows = [row for row in self._rows if any(row.values())]
        bare = [row for row in rows if not row.get(name)]
        has_more = [sum(1 for cell in row.values() if cell) > 1 for row in bare]
        return name if bare and rows[0].get(name) and sum(has_more) > len(bare) / 2 else None

    def _how_empty(self) -> Iterator[str]:
        words = dict.fromkeys(word for name in self._of.values() for word in self._columns[name].empties)
        if words:
            yield f"empty = [{', '.join(map(_text, words))}]  # {tr('they stand where others say something')}"

    def _how_times(self) -> Iterator[str]:
        found = {fact: times for fact, times in self._times.items() if times is not None}
        formats = dict.fromkeys(one for fact, times in found.items() for one in self._formats(fact, times))
        if any(times.ways for times in found.values()) and (way := self._way(found)) is None:
            day, month = self._in_one_way(found, DAY_FIRST), self._in_one_way(found, MONTH_FIRST)
            example = next(cell for fact, times in found.items() if times.ways for cell in self._cells(fact))
            self._questions.append(
                tr(
                    "Is {example} written with the day first, or the month first? Take the # from one time_format",
                    example=example,
                )
            )
            yield f"# time_format = {day}  # {tr('QUESTION: the day first')}"
            yield f"# time_format = {month}  # {tr('or the month first: the file bears both')}"
        elif any(times.ways for times in found.values()):
            reason = tr("only so are all dates real, past, and in turn")
            yield f"time_format = {self._in_one_way(found, str(way))}  # {reason}"
        elif formats:
            listed = [*formats]
            said = _text(listed[0]) if len(listed) == 1 else f"[{', '.join(map(_text, listed))}]"
            yield f"time_format = {said}  # {tr('so are all dates written')}"
        if found and not all(times.has_zone for times in found.values()):
            if self._zone is not None:
                yield _line("time_zone", self._zone.key, tr("as you have said; the file names none"))
            else:
                self._questions.append(tr("In which time zone are the times of the file? Write it at time_zone"))
                yield f'# time_zone = "Asia/Shanghai"  # {tr("QUESTION: the file names none")}'

    def _formats(self, fact: str, times: Times) -> Iterator[str]:
        """Yield the format of a column, with that of the time of day if it has a column of its own; none of ISO 8601."""
        if times.formats:
            yield times.formats[0] + (self._format_of_time() if fact == "order.placed_at" and self._time_column() else "")

    def _time_column(self) -> str | None:
        """Return the column that has the time of day of the placing, where its own has the date alone."""
        times = self._times.get("order.placed_at")
        if times is None or any(mark in one for one in times.formats for mark in ("%H", "%I", "epoch")):
            return None
        if not times.formats and any(re.search(r"\d:\d", cell) for cell in self._cells("order.placed_at")):
            return None
        fits = re.compile(r"\d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?")
        named = [name for name in self._columns if likeness("time", name) and name not in self._of.values()]
        return next((name for name in named if (cells := self._columns[name].cells) and all(map(fits.fullmatch, cells))), None)

    def _format_of_time(self) -> str:
        cell = next(iter(self._columns[str(self._time_column())].cells))
        seconds = ":%S" if cell.count(":") == 2 else ""
        return f" %I:%M{seconds} %p" if cell[-1:].lower() == "m" else f" %H:%M{seconds}"

    def _in_one_way(self, found: dict[str, Times], way: str) -> str:
        formats = dict.fromkeys(one for fact, times in found.items() for one in self._formats(fact, self._read_in(times, way)))
        return _text(next(iter(formats))) if len(formats) == 1 else f"[{', '.join(map(_text, formats))}]"

    def _read_in(self, times: Times, way: str) -> Times:
        """Return how times are written in one of the two ways."""
        first = "%d" if way == DAY_FIRST else "%m"
        return Times(tuple(one for one in times.formats if one.startswith(first)), times.has_zone) if times.ways else times

    def _way(self, found: dict[str, Times]) -> str | None:
        """Return the one reading of dates such as 03/04/2026 that the whole file bears; None if it bears both."""
        ways = [way for way in (DAY_FIRST, MONTH_FIRST) if all(way in times.ways for times in found.values() if times.ways)]
        if len(ways) == 2:
            ways = [way for way in ways if self._is_in_turn(found, way)] or ways
        return ways[0] if len(ways) == 1 else None

    def _is_in_turn(self, found: dict[str, Times], way: str) -> bool:
        """Say whether no date is ahead of now, and nothing is shipped before it is placed, or arrives before it is."""
        latest = self._now + timedelta(days=1)
        turn = [fact for fact in ("order.placed_at", "ship.at", "deliver.at") if fact in found]
        for row in self._rows:
            before: datetime | None = None
            for fact in turn:
                times = self._read_in(found[fact], way)
                at = _instant(row.get(self._of[fact], ""), times)
                if at is not None and (at > latest or (before is not None and at < before - timedelta(days=1))):
                    return False
                before = at or before
        return True

    def _how_money(self) -> Iterator[str]:
        found = {fact: money for fact, money in self._money.items() if money is not None}
        marks = {money.decimal for money in found.values() if money.decimal}
        if len(marks) == 1:
            mark = marks.pop()
            example = next(cell for fact, money in found.items() if money.decimal == mark for cell in self._cells(fact))
            yield _line("decimal", mark, tr("as in {example}", example=example))
        elif any(money.is_open for money in found.values()):
            example = next(cell for fact, money in found.items() if money.is_open for cell in self._cells(fact))
            question = tr("Is {example} a thousand and more, or has it three decimals? Set decimal", example=example)
            self._questions.append(question)
            yield f'# decimal = ","  # {tr("QUESTION: or a point; every sum has three digits behind its only mark")}'

    def _order(self) -> str:
        lines = ["", "[order]"]
        for fact, name in self._in_order("order."):
            key, reason = fact.removeprefix("order."), self._reason(fact, name)
            if fact == "order.placed_at" and (time := self._time_column()):
                template = _text(f"{{{name}}} {{{time}}}")
                lines.append(f"placed_at = {{ template = {template} }}  # {tr('date and time stand in two columns')}")
                continue
            if fact in ("order.paid", "order.sale"):
                reason = f"{reason}; {self._whose_money(fact)}"
            lines.append(_line(key, name, reason))
        if "order.placed_at" not in self._of:
            lines.append(
                f"# {tr('without placed_at it adds to orders that are known: say when an order was placed, if this file does')}"
            )
        if "order.currency" not in self._of and self._money:
            lines += self._currency()
        return "\n".join(lines)

    def _whose_money(self, fact: str) -> str:
        if fact == "order.paid":
            return tr("paid is what you paid your supplier: if it is your buyer's money, write sale")
        return tr("sale is what your buyer paid: if it is what you paid your supplier, write paid")

    def _currency(self) -> Iterator[str]:
        found = {money.currency for money in self._money.values() if money is not None and money.currency}
        in_names = {code for fact in self._money for code in re.findall(r"\b[A-Z]{3}\b", self._of[fact]) if _is_currency(code)}
        if len(codes := found or in_names) == 1:
            where = tr("by the sign of the sums") if found else tr("by the name of the column")
            yield f"currency = {{ value = {_text(codes.pop())} }}  # {where}"
        else:
            self._questions.append(tr("In which currency are the sums? Write it at currency; else that of the policy counts"))
            yield f'# currency = {{ value = "USD" }}  # {tr("QUESTION: no column names one")}'

    def _lines(self) -> str:
        facts = [*self._in_order("line.")]
        if not facts:
            return ""
        is_sale = "order.sale" in self._of and "order.paid" not in self._of
        lines = ["", "[line]"]
        for fact, name in facts:
            key, reason = fact.removeprefix("line."), self._reason(fact, name)
            if key == "price" and self._is_total():
                key, reason = "total", tr("the lines come to the sum of the order only if it is that of all pieces")
            if key in ("price", "total"):
                if is_sale and key == "price":
                    key = "sale"
                reason = (
                    f"{reason}; {tr('price and total are what you paid your supplier, sale what your buyer paid for a piece')}"
                )
            lines.append(_line(key, name, reason))
        return "\n".join(lines)

    def _is_total(self) -> bool:
        """Say whether what is called a price proves to be that of all pieces: only so the lines come to what the order does."""
        whole = next((fact for fact in ("order.paid", "order.sale") if fact in self._of), None)
        if whole is None or "line.quantity" not in self._of:
            return False
        orders, number, fits = dict[str, tuple[float, float, float]](), "", [0, 0]
        for row in self._rows:
            number = row.get(self._of["order.id"]) or number
            price, quantity = _number(row.get(self._of["line.price"], "")), _number(row.get(self._of["line.quantity"], ""))
            total, each, sums = orders.get(number, (0.0, 0.0, 0.0))
            total = total or _number(row.get(self._of[whole], "")) or 0.0
            orders[number] = (total, each + (price or 0) * (quantity or 1), sums + (price or 0))
        for total, each, sums in orders.values():
            if total and abs(each - sums) > 0.005:
                fits[0] += abs(each - total) < 0.005
                fits[1] += abs(sums - total) < 0.005
        return fits[1] > 0 and fits[0] == 0

    def _reports(self) -> Iterator[str]:
        for trigger in ("ship", "deliver", "cancel"):
            if f"{trigger}.at" not in self._of:
                if trigger == "ship" and "ship.tracking_number" in self._of:
                    name = self._of["ship.tracking_number"]
                    yield f"\n# {tr('{name} has tracking numbers, but no column says when it was shipped', name=name)}"
                continue
            lines = ["", f"[reports.{trigger}]"]
            for fact, name in self._in_order(f"{trigger}."):
                lines.append(_line(fact.removeprefix(f"{trigger}."), name, self._reason(fact, name)))
            yield "\n".join(lines)

    def _not_read(self) -> str:
        """Say which columns are not read, and what they say: a person may know one of them."""
        used = {*self._of.values(), self._time_column()}
        others = [column for column in self._columns.values() if column.name not in used and column.cells]
        said = ((one.name, [*one.cells][:3]) for one in others[:40])
        lines = [f"#   {name}: {', '.join(map(_short, examples))}" for name, examples in said]
        return "\n".join(("", tr("# Not read:"), *lines)) if lines else ""

    def _in_order(self, prefix: str) -> Iterator[tuple[str, str]]:
        return ((fact, self._of[fact]) for fact in _facts() if fact.startswith(prefix) and fact in self._of)

    def _reason(self, fact: str, name: str) -> str:
        column = self._columns[name]
        example = next(iter(column.cells), None)
        if example is None:
            return tr("by its name; it is empty in this file")
        return tr("{cells}, such as {example}", cells=counted(column.filled, "cell"), example=_short(example))


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


def _is_currency(code: str) -> bool:
    try:
        exponent(code.upper())
    except MoneyError:
        return False
    return True


def _line(key: str, value: str, reason: str) -> str:
    return f"{key} = {_text(value)}  # {' '.join(reason.split())}"


def _text(value: str) -> str:
    """Return a text as TOML writes it."""
    return json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 40 else f"{flat[:39]}…"
