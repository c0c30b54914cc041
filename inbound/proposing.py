"""A mapping proposed for a file, with its reasons, and with questions where the file proves nothing."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

from inbound import ready, sniffing
from inbound.files import columns_of, read_rows
from inbound.header_names import known, likeness
from inbound.mapping_document import load_mapping
from inbound.rows import PLAIN, Cell, Layout
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
_DATES = ("order.placed_at", "ship.at", "deliver.at", "cancel.at", "order.ship_by", "event.at")
_SUMS = ("order.paid", "order.sale", "line.price", "line.total", "line.sale")
_HELPERS = ("time", "status", "event.at", "event.status")
"""What names are known for besides facts: they are used where they are needed."""
_CANCELLED = re.compile(r"cancel|anulad|annul|storn|取消|关闭|voided", re.IGNORECASE)
_DELIVERED = re.compile(r"deliver(?!y (fail|attempt))|entregad|entregue|zugestellt|livr[eé]|签收|妥投", re.IGNORECASE)
_INDEXED = re.compile(r"(?P<before>.*?)\.(?P<number>\d+)\.(?P<after>.*)")
"""A path of JSON into one object of a list."""


@dataclass(slots=True)
class Proposal:
    """A mapping as TOML with its reasons beside it; `questions` are what the file does not prove, and a person must say."""

    text: str = ""
    questions: list[str] = field(default_factory=list)
    ready: str | None = None
    """The ready mapping that fits the file, if one does: the text is its text."""


@dataclass(slots=True)
class _Column:
    """A column of the file: its distinct cells that say something, how often each is there, and words for nothing."""

    name: str
    cells: Counter[str] = field(default_factory=Counter)
    empties: Counter[str] = field(default_factory=Counter)

    @property
    def filled(self) -> int:
        return self.cells.total()


def propose(path: Path, zone: ZoneInfo | None, now: datetime) -> Proposal:
    """Propose a mapping for a file.

    `zone` is that of times which name none, if a person has said; dates later than `now` prove a reading wrong.

    Raises:
        UsageError: the file cannot be read.

    """
    for name in ready.described():
        if _fits(name, path):
            return Proposal((ready.path_of(name) or path).read_text("utf-8"), ready=name)
    return _Proposing(path, sniffing.layout_of(path), zone, now).proposal()


def _fits(name: str, path: Path) -> bool:
    """Say whether a file has every column that a ready mapping names."""
    mapping = load_mapping(ready.FOLDER / f"{name}.toml")
    try:
        columns = columns_of(path, mapping.layout)
        lines = mapping.layout.lines
        if not columns or (lines is not None and not any(name.startswith(f"{lines}.") for name in columns)):
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
        self._by_parcel = "order.id" not in self._of and "ship.tracking_number" in self._of
        if self._by_parcel:
            self._look_for_events()
        self._times = {fact: times_of([*self._cells(fact)]) for fact in _DATES if fact in self._of}
        self._money = {fact: money_of([*self._cells(fact)]) for fact in _SUMS if fact in self._of}
        self._questions, self._used = list[str](), set[str]()

    def proposal(self) -> Proposal:
        """Return the whole proposal."""
        body = [self._events()] if self._by_parcel else [self._order(), self._lines(), *self._reports(), self._cancelled()]
        head = self._head()
        title = tr("# Proposed for {file}: read it, answer what is asked, and try it with", file=self._path.name)
        check = f"#   aftersales mapping check {self._path.name} --mapping THIS.toml"
        return Proposal("\n".join((title, check, *(part for part in (head, *body, self._not_read()) if part))), self._questions)

    # --- what the file has ---

    def _read(self) -> None:
        for number, row in enumerate(read_rows(self._path, self._layout)):
            if number >= READ_AT_MOST:
                break
            if row.problem is None:
                cells = {name: _as_text(cell) for name, cell in row.cells.items()}
                self._rows.append(cells)
                for name, cell in cells.items():
                    column = self._columns.setdefault(name, _Column(name))
                    if cell.lower() in _EMPTY:
                        column.empties[cell] += 1
                    elif cell:
                        column.cells[cell] += 1
        for column in self._columns.values():
            if likeness("ship.tracking_number", column.name):
                for cell in [cell for cell, times in column.cells.items() if times > 1 and not cell.strip("0")]:
                    column.empties[cell] += column.cells.pop(cell)

    def _matched(self) -> dict[str, str]:
        """Return the best column for each fact, by its name and the shape of its cells; a column serves one fact."""
        facts = [fact for fact in known() if fact not in _HELPERS]
        wanted = [
            (likeness(fact, name), fact, name)
            for fact in facts
            for name in self._columns
            if likeness(fact, name) and self._may_be(fact, self._columns[name])
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
            return _most(cells, lambda cell: re.fullmatch(r"\d{1,6}([.,]0+)?", cell))
        if fact == "order.currency":
            return _most(cells, _is_currency)
        if fact == "order.buyer_email":
            return _most(cells, lambda cell: "@" in cell)
        if fact == "order.id":
            return all(len(cell) <= 100 for cell in cells) and times_of(cells) is None
        return True

    def _look_for_events(self) -> None:
        """Find what a carrier's file has besides numbers of parcels: when something happened, and what."""
        number = self._of["ship.tracking_number"]
        self._of = {"ship.tracking_number": number}
        for fact in ("event.at", "event.status"):
            fitting = [
                name
                for name in self._columns
                if name not in self._of.values() and likeness(fact, name) and self._may_be(fact, self._columns[name])
            ]
            if fitting:
                self._of[fact] = max(fitting, key=lambda name, of=fact: likeness(of, name))  # type: ignore[misc]

    def _cells(self, fact: str) -> Iterable[str]:
        return self._columns[self._of[fact]].cells

    # --- how the file is written ---

    def _head(self) -> str:
        layout, lines = self._layout, list[str]()
        if layout.encoding != PLAIN.encoding:
            lines.append(_line("encoding", layout.encoding, tr("it is not UTF-8")))
        if layout.delimiter != PLAIN.delimiter:
            lines.append(_line("delimiter", layout.delimiter, tr("it separates the cells of most rows")))
        if layout.quote != PLAIN.quote:
            lines.append(_line("quote", layout.quote, tr("quotation marks stand inside cells")))
        if layout.sheet is not None:
            lines.append(_line("sheet", layout.sheet, tr("the sheet with the largest table")))
        if layout.header is not None:
            lines.append(f"header = {layout.header}  # {tr('the first row of names')}")
        if layout.records:
            lines.append(_line("records", layout.records[0], tr("there the orders stand")))
        if layout.lines:
            lines.append(_line("lines", layout.lines, tr("there each order has its lines")))
        if fill := self._filled_down():
            lines.append(f"fill = [{_text(fill)}]  # {tr('rows without a number belong to the one above')}")
        if column := self._footed():
            lines.append(f"when = {{ {_text(column)} = {{ filled = true }} }}  # {tr('the last rows are sums, and no orders')}")
        return "\n".join((*lines, *self._how_empty(), *self._how_times(), *self._how_money()))

    def _filled_down(self) -> str | None:
        """Return the column of the number, if rows without one follow rows with one and have lines."""
        name = self._of.get("order.id")
        if name is None or self._layout.lines is not None:
            return None
        rows = [row for row in self._rows if any(row.values())]
        bare = [row for row in rows if not row.get(name)]
        placed = self._of.get("order.placed_at")
        continues = [sum(1 for cell in row.values() if cell) > 1 and not (placed and row.get(placed)) for row in bare]
        return name if bare and rows[0].get(name) and sum(continues) > len(bare) / 2 else None

    def _footed(self) -> str | None:
        """Return a column that is filled in every row but the last few, which name something where others have a number."""
        name, placed = self._of.get("order.id"), self._of.get("order.placed_at")
        of_lines = [self._of[fact] for fact in ("line.sku", "line.title", "line.quantity") if fact in self._of]
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

    def _how_empty(self) -> Iterator[str]:
        words = dict.fromkeys(
            word for fact, name in self._of.items() if fact != "ship.tracking_number" for word in self._columns[name].empties
        )
        if words:
            yield f"empty = [{', '.join(map(_text, words))}]  # {tr('they stand where others say something')}"

    def _how_times(self) -> Iterator[str]:
        found = {fact: times for fact, times in self._times.items() if times is not None}
        formats = dict.fromkeys(one for fact, times in found.items() for one in self._formats(fact, times))
        if any(times.ways for times in found.values()) and (way := self._way(found)) is None:
            day, month = self._in_one_way(found, DAY_FIRST), self._in_one_way(found, MONTH_FIRST)
            example = next(cell for fact, times in found.items() if times.ways for cell in self._cells(fact))
            question = tr("Is {example} written with the day first, or the month first?", example=example)
            self._questions.append(tr("{question} Take the # from one time_format", question=question))
            yield f"# time_format = {day}  # {tr('QUESTION: the day first')}"
            yield f"# time_format = {month}  # {tr('or the month first: the file bears both')}"
        elif any(times.ways for times in found.values()):
            reason = tr("only so are all dates real, past, and in turn")
            yield f"time_format = {self._in_one_way(found, str(way))}  # {reason}"
        elif formats:
            yield f"time_format = {_list(formats)}  # {tr('so are all dates written')}"
        if found and not all(times.has_zone for times in found.values()):
            if self._zone is not None:
                yield _line("time_zone", self._zone.key, tr("as you have said; the file names none"))
            else:
                self._questions.append(tr("In which time zone are the times of the file? Write it at time_zone"))
                yield f'# time_zone = "Continent/City"  # {tr("QUESTION: the file names none; such as Europe/Madrid")}'

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
        return next((name for name in named if (cells := self._columns[name].cells) and _most(cells, fits.fullmatch)), None)

    def _format_of_time(self) -> str:
        cell = next(iter(self._columns[str(self._time_column())].cells))
        seconds = ":%S" if cell.count(":") == 2 else ""
        return f" %I:%M{seconds} %p" if cell[-1:].lower() == "m" else f" %H:%M{seconds}"

    def _in_one_way(self, found: Mapping[str, Times], way: str) -> str:
        return _list(dict.fromkeys(one for fact, times in found.items() for one in self._formats(fact, _read_in(times, way))))

    def _way(self, found: Mapping[str, Times]) -> str | None:
        """Return the one reading of dates such as 03/04/2026 that the whole file bears; None if it bears both."""
        ways = [way for way in (DAY_FIRST, MONTH_FIRST) if all(way in times.ways for times in found.values() if times.ways)]
        if len(ways) == 2:
            ways = [way for way in ways if self._is_in_turn(found, way)] or ways
        return ways[0] if len(ways) == 1 else None

    def _is_in_turn(self, found: Mapping[str, Times], way: str) -> bool:
        """Say whether no date is ahead of now, and nothing is shipped before it is placed, or arrives before it is."""
        latest = self._now + timedelta(days=1)
        turn = [fact for fact in ("order.placed_at", "ship.at", "deliver.at") if fact in found]
        for row in self._rows:
            before: datetime | None = None
            for fact in turn:
                at = _instant(row.get(self._of[fact], ""), _read_in(found[fact], way))
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

    # --- what it says ---

    def _order(self) -> str:
        lines = ["", "[order]"]
        if "order.id" not in self._of:
            self._questions.append(tr("Which column is the number of the order? Write it at id"))
            lines.append(f'# id = "…"  # {tr("QUESTION: no column is called so; they are listed at the end")}')
        for fact, name in self._in_order("order."):
            key, reason = fact.removeprefix("order."), self._reason(name)
            if fact == "order.placed_at" and (time := self._time_column()):
                self._used.add(time)
                template = _text(f"{{{name}}} {{{time}}}")
                lines.append(f"placed_at = {{ template = {template} }}  # {tr('date and time stand in two columns')}")
                continue
            if fact == "order.paid":
                reason += "; " + tr("paid is what you paid your supplier: if it is your buyer's money, write sale")
            if fact == "order.sale":
                reason += "; " + tr("sale is what your buyer paid: if it is what you paid your supplier, write paid")
            lines.append(_line(key, name, reason))
        if "order.placed_at" not in self._of:
            lines.append(f"# {tr('without placed_at it adds to orders that are known: name the date of the order')}")
        if "order.currency" not in self._of and self._money:
            lines += self._currency()
        lines.append(self._route())
        return "\n".join(lines)

    def _currency(self) -> Iterator[str]:
        found = {money.currency for money in self._money.values() if money is not None and money.currency}
        in_names = {code for fact in self._money for code in re.findall(r"\b[A-Z]{3}\b", self._of[fact]) if _is_currency(code)}
        if len(codes := found or in_names) == 1:
            where = tr("by the sign of the sums") if found else tr("by the name of the column")
            yield f"currency = {{ value = {_text(codes.pop())} }}  # {where}"
        else:
            self._questions.append(tr("In which currency are the sums? Write it at currency; else that of the policy counts"))
            yield f'# currency = {{ value = "USD" }}  # {tr("QUESTION: no column names one")}'

    def _route(self) -> str:
        """Return what might say which orders are domestic: no file does."""
        said = tr("only domestic orders can be stopped when they are cancelled; without it the route of the policy counts")
        if country := self._of.get("order.country"):
            codes = [cell for cell, _ in self._columns[country].cells.most_common(1)] or ["CN"]
            words = f"{_text(codes[0])} = {_text('domestic')}"
            return f'# route = {{ column = {_text(country)}, map = {{ {words} }}, else = "international" }}  # {said}'
        return f'# route = {{ value = "domestic" }}  # {said}'

    def _lines(self) -> str:
        facts = [*self._in_order("line.")]
        if not facts:
            return ""
        lines = ["", "[line]"]
        for fact, name in facts:
            key, reason = fact.removeprefix("line."), self._reason(name)
            if key in ("price", "sale") and self._is_total(fact):
                lines_come_to = tr("the lines come to the sum of the order only if it is that of all pieces")
                if key == "sale":
                    lines.append(f"# {name}: {lines_come_to}; {tr('sale is that of one piece')}")
                    continue
                key, reason = "total", lines_come_to
            if key in ("price", "total"):
                reason += "; " + tr("price and total are what you paid your supplier: if it is your buyer's money, write sale")
            if key == "sale":
                reason += "; " + tr("sale is what your buyer paid for a piece: if you paid it to your supplier, write price")
            lines.append(_line(key, name, reason))
        return "\n".join(lines)

    def _is_total(self, fact: str) -> bool:
        """Say whether what is called a price proves to be that of all pieces: only so the lines come to what the order does."""
        whole = next((one for one in ("order.paid", "order.sale") if one in self._of), None)
        if whole is None or "line.quantity" not in self._of or "order.id" not in self._of:
            return False
        orders, number, fits = dict[str, tuple[float, float, float]](), "", [0, 0]
        for row in self._rows:
            number = row.get(self._of["order.id"]) or number
            price, quantity = _number(row.get(self._of[fact], "")), _number(row.get(self._of["line.quantity"], ""))
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
                if trigger == "ship" and (name := self._of.get("ship.tracking_number")):
                    yield f"\n# {tr('{name} has tracking numbers, but no column says when it was shipped', name=name)}"
                continue
            told = dict(self._in_order(f"{trigger}."))
            number = self._of.get("ship.tracking_number")
            if trigger == "deliver" and number and _list_of(number) == _list_of(told["deliver.at"]):
                told["deliver.tracking_number"] = number
            parcels = [*self._parcels(told)]
            title = f"[[reports.{trigger}]]" if len(parcels) > 1 else f"[reports.{trigger}]"
            for one in parcels:
                lines = (self._of_report(fact.removeprefix(f"{trigger}."), name) for fact, name in one.items())
                yield "\n".join(("", title, *lines))

    def _parcels(self, told: dict[str, str]) -> Iterator[dict[str, str]]:
        """Yield what is told of each parcel, where a list has several of them: of the first, the second and so on."""
        yield told
        place = _INDEXED.fullmatch(next(iter(told.values())))
        for number in count(int(place["number"]) + 1) if place else ():
            start, other = f"{place['before']}.{place['number']}.", f"{place['before']}.{number}."  # type: ignore[index]
            further = {fact: name.replace(start, other, 1) for fact, name in told.items()}
            if next(iter(further.values())) not in self._columns:
                return
            yield {fact: name for fact, name in further.items() if name in self._columns}

    def _of_report(self, key: str, name: str) -> str:
        self._used.add(name)
        column = self._columns[name]
        words = [word for word in column.empties if word.lower() not in _EMPTY]
        if words and key == "tracking_number":
            empty = ", ".join(map(_text, column.empties))
            return f"{key} = {{ column = {_text(name)}, empty = [{empty}] }}  # {self._reason(name)}"
        return _line(key, name, self._reason(name))

    def _cancelled(self) -> str:
        """Ask what becomes of orders that a status calls cancelled, where no column says when they were."""
        if "cancel.at" in self._of or "order.placed_at" not in self._of:
            return ""
        for name, column in self._columns.items():
            words = [word for word in column.cells if _CANCELLED.search(word) and len(word) < 40]
            if words and likeness("status", name) and len(column.cells) <= 30:
                said = ", ".join(words)
                question = tr("{column} says {words}: when were these orders cancelled?", column=name, words=said)
                self._questions.append(tr("{question} See [reports.cancel] there", question=question))
                listed = f"[{', '.join(map(_text, words))}]"
                return "\n".join(
                    (
                        "",
                        f"# {tr('QUESTION: cancelled orders. The date of the order may stand for that of its end:')}",
                        "# [reports.cancel]",
                        f"# at = {_text(self._of['order.placed_at'])}",
                        f"# when = {{ {_text(name)} = {listed} }}",
                        f"# {tr('or leave them out; this line belongs to the top, above [order]:')}",
                        f"# when = {{ {_text(name)} = {{ not = {listed} }} }}",
                    )
                )
        return ""

    def _events(self) -> str:
        """Return what a carrier's file says: what happened to parcels."""
        number = self._of["ship.tracking_number"]
        self._used.update(self._of.values())
        adds = tr("it adds to the orders that have the parcel")
        lines = ["", "[order]", _line("tracking_number", number, f"{self._reason(number)}; {adds}")]
        if "event.at" not in self._of:
            self._questions.append(tr("When did it happen? No column has a time; write it at `at`"))
            return "\n".join((*lines, "", "[reports.note_transit]", f'# at = "…"  # {tr("QUESTION: no column has a time")}'))
        at, status = self._of["event.at"], self._of.get("event.status")
        arrived = [word for word in self._columns[status].cells if _DELIVERED.search(word)] if status else []
        lines += ["", "[reports.note_transit]", _line("at", at, self._reason(at))]
        if status:
            lines.append(_line("status", status, self._reason(status)))
        if status and arrived:
            listed = f"[{', '.join(map(_text, arrived))}]"
            lines.append(f"when = {{ {_text(status)} = {{ not = {listed} }} }}")
            lines += ["", "[reports.deliver]", _line("at", at, tr("of what says that it has arrived"))]
            lines.append(f"when = {{ {_text(status)} = {listed} }}")
        said = tr("what customs hold is [reports.hold] with wants, what is lost [reports.lose]: the carrier has its own words")
        lines += ["", f"# {said}"]
        return "\n".join(lines)

    def _not_read(self) -> str:
        """Say which columns are not read, and what they say: a person may know one of them."""
        others = [column for column in self._columns.values() if column.name not in self._used and column.cells]
        said = ((one.name, [*one.cells]) for one in others[:40])
        lines = [f"#   {name}: {', '.join(map(_short, cells[: 12 if len(cells) <= 12 else 3]))}" for name, cells in said]
        return "\n".join(("", tr("# Not read:"), *lines)) if lines else ""

    def _in_order(self, prefix: str) -> Iterator[tuple[str, str]]:
        for fact in known():
            if fact.startswith(prefix) and fact in self._of:
                self._used.add(self._of[fact])
                yield fact, self._of[fact]

    def _reason(self, name: str) -> str:
        column = self._columns[name]
        example = next(iter(column.cells), None)
        if example is None:
            return tr("by its name; it is empty in this file")
        return tr("{cells}, such as {example}", cells=counted(column.filled, "cell"), example=_short(example))


def _list_of(name: str) -> str | None:
    """Return the object of a list in which a path of JSON stands."""
    place = _INDEXED.fullmatch(name)
    return f"{place['before']}.{place['number']}" if place else None


def _as_text(cell: Cell) -> str:
    return without_marks(cell) if isinstance(cell, str) else ";".join(cell)


def _most(cells: Iterable[str], fits: object) -> bool:
    """Say whether most cells are so that the others may be mistakes."""
    found = [bool(fits(cell)) for cell in cells]  # type: ignore[operator]
    return sniffing.most(sum(found), len(found))


def _read_in(times: Times, way: str) -> Times:
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


def _is_currency(code: str) -> bool:
    try:
        exponent(code.upper())
    except MoneyError:
        return False
    return True


def _line(key: str, value: str, reason: str) -> str:
    return f"{key} = {_text(value)}  # {' '.join(reason.split())}"


def _list(formats: Iterable[str]) -> str:
    """Return one text, or a list of several, as TOML writes them."""
    listed = [*formats]
    return _text(listed[0]) if len(listed) == 1 else f"[{', '.join(map(_text, listed))}]"


def _text(value: str) -> str:
    """Return a text as TOML writes it."""
    return json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 40 else f"{flat[:39]}…"
