"""A mapping proposed for a file, with its reasons, and with questions where the file proves nothing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from inbound import ready, sniffing
from inbound.files import columns_of
from inbound.findings import EMPTY, Findings, list_of, read_in
from inbound.header_names import known, likeness
from inbound.mapping_document import load_mapping
from inbound.proposed_lines import asks_for_the_currency, currencies_in, of_decimal, of_layout, of_zone
from inbound.sniffing import DAY_FIRST, MONTH_FIRST
from inbound.toml_lines import as_comment, toml_line, toml_list, toml_text
from language import counted, tr
from workflow.errors import UsageError

_CANCELLED = re.compile(r"cancel|anulad|annul|storn|取消|关闭|voided", re.IGNORECASE)
_DELIVERED = re.compile(r"deliver(?!y (fail|attempt))|entregad|entregue|zugestellt|livr[eé]|签收|妥投", re.IGNORECASE)


@dataclass(slots=True)
class Proposal:
    """A mapping as TOML with its reasons beside it; `questions` are what the file does not prove, and a person must say."""

    text: str = ""
    questions: list[str] = field(default_factory=list)
    ready: str | None = None
    """The ready mapping that fits the file, if one does: the text is its text."""


def propose(path: Path, zone: ZoneInfo | None, now: datetime) -> Proposal:
    """Propose a mapping for a file.

    `zone` is that of times which name none, if a person has said; dates later than `now` prove a reading wrong.

    Raises:
        UsageError: the file cannot be read.

    """
    for name in ready.described():
        if _fits(name, path):
            return Proposal((ready.path_of(name) or path).read_text("utf-8"), ready=name)
    return _Writer(path.name, Findings(path, sniffing.layout_of(path), now), zone).proposal()


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


class _Writer:
    """Writes what was found in a file as a mapping."""

    def __init__(self, file: str, found: Findings, zone: ZoneInfo | None) -> None:
        self._file, self._found, self._zone = file, found, zone
        self._questions, self._used = list[str](), set[str]()

    def proposal(self) -> Proposal:
        """Return the whole proposal."""
        told = (self._events,) if self._found.by_parcel else (self._order, self._lines, self._reports, self._cancelled)
        body = [write() for write in told]
        head = self._head()
        title = tr("# Proposed for {file}: read it, answer what is asked, and try it with", file=as_comment(self._file))
        check = f"#   aftersales mapping check {as_comment(self._file)} --mapping THIS.toml"
        return Proposal("\n".join((title, check, *(part for part in (head, *body, self._not_read()) if part))), self._questions)

    def _head(self) -> str:
        layout = self._found.layout
        lines = [*of_layout(layout, tr("there the orders stand"))]
        if layout.lines:
            lines.append(toml_line("lines", layout.lines, tr("there each order has its lines")))
        if fill := self._found.filled_down():
            lines.append(f"fill = [{toml_text(fill)}]  # {tr('rows without a number belong to the one above')}")
        if column := self._found.footed():
            lines.append(
                f"when = {{ {toml_text(column)} = {{ filled = true }} }}  # {tr('the last rows are sums, and no orders')}"
            )
        return "\n".join((*lines, *self._how_empty(), *self._how_times(), *self._how_money()))

    def _how_empty(self) -> Iterator[str]:
        columns = (name for fact, name in self._found.column_of.items() if fact != "ship.tracking_number")
        words = dict.fromkeys(word for name in columns for word in self._found.columns[name].empties)
        if words:
            yield f"empty = [{', '.join(map(toml_text, words))}]  # {tr('they stand where others say something')}"

    def _how_times(self) -> Iterator[str]:
        found = self._found.times
        formats = dict.fromkeys(one for fact, times in found.items() for one in self._found.formats(fact, times))
        if any(times.ways for times in found.values()) and (way := self._found.way()) is None:
            example = next(cell for fact, times in found.items() if times.ways for cell in self._found.cells(fact))
            question = tr("Is {example} written with the day first, or the month first?", example=example)
            self._questions.append(tr("{question} Take the # from one time_format", question=question))
            yield f"# time_format = {self._in_one_way(DAY_FIRST)}  # {tr('QUESTION: the day first')}"
            yield f"# time_format = {self._in_one_way(MONTH_FIRST)}  # {tr('or the month first: the file bears both')}"
        elif any(times.ways for times in found.values()):
            yield f"time_format = {self._in_one_way(str(way))}  # {tr('only so are all dates real, past, and in turn')}"
        elif formats:
            yield f"time_format = {toml_list(formats)}  # {tr('so are all dates written')}"
        if found and not all(times.has_zone for times in found.values()):
            yield of_zone(self._zone, self._questions)

    def _in_one_way(self, way: str) -> str:
        found = self._found.times.items()
        return toml_list(dict.fromkeys(one for fact, times in found for one in self._found.formats(fact, read_in(times, way))))

    def _how_money(self) -> Iterator[str]:
        found = self._found.money
        marks = {money.decimal for money in found.values() if money.decimal}
        mark = marks.pop() if len(marks) == 1 else None
        if mark or any(money.is_open for money in found.values()):
            telling = (fact for fact, money in found.items() if (money.decimal == mark if mark else money.is_open))
            yield of_decimal(mark, next(cell for fact in telling for cell in self._found.cells(fact)), self._questions)

    def _order(self) -> str:
        lines = ["", "[order]"]
        if "order.id" not in self._found.column_of:
            self._questions.append(tr("Which column is the number of the order? Write it at id"))
            lines.append(f'# id = "…"  # {tr("QUESTION: no column is called so; they are listed at the end")}')
        for fact, name in self._in_order("order."):
            key, reason = fact.removeprefix("order."), self._reason(name)
            if fact == "order.placed_at" and (time := self._found.time_column()):
                self._used.add(time)
                template = toml_text(f"{{{name}}} {{{time}}}")
                lines.append(f"placed_at = {{ template = {template} }}  # {tr('date and time stand in two columns')}")
                continue
            if fact == "order.paid":
                reason += "; " + tr("paid is what you paid your supplier: if it is your buyer's money, write sale")
            if fact == "order.sale":
                reason += "; " + tr("sale is what your buyer paid: if it is what you paid your supplier, write paid")
            if fact in ("order.paid", "order.sale") and self._found.is_in_parts(fact):
                reason = as_comment(f"{tr('an order has several of them')}; {reason}")
                lines.append(f"{key} = {{ column = {toml_text(name)}, sum = true }}  # {reason}")
                continue
            lines.append(toml_line(key, name, reason))
        if "order.placed_at" not in self._found.column_of:
            lines.append(f"# {tr('without placed_at it adds to orders that are known: name the date of the order')}")
        if "order.currency" not in self._found.column_of and self._found.money:
            lines += self._currency()
        lines.append(self._route())
        return "\n".join(lines)

    def _currency(self) -> Iterator[str]:
        found = {money.currency for money in self._found.money.values() if money.currency}
        columns = " ".join(self._found.column_of[fact] for fact in self._found.money)
        if len(codes := found or currencies_in(columns)) == 1:
            where = tr("by the sign of the sums") if found else tr("by the name of the column")
            yield f"currency = {{ value = {toml_text(codes.pop())} }}  # {where}"
        else:
            yield asks_for_the_currency(self._questions)

    def _route(self) -> str:
        """Return what might say which orders are domestic: no file does."""
        said = tr("only domestic orders can be stopped when they are cancelled; without it the route of the policy counts")
        if "cancel.at" in self._found.column_of:
            self._questions.append(tr("Some orders are cancelled: which are domestic, and can be stopped? Write it at route"))
        if country := self._found.column_of.get("order.country"):
            codes = [cell for cell, _ in self._found.columns[country].cells.most_common(1)] or ["CN"]
            words = f"{toml_text(codes[0])} = {toml_text('domestic')}"
            return f'# route = {{ column = {toml_text(country)}, map = {{ {words} }}, else = "international" }}  # {said}'
        return f'# route = {{ value = "domestic" }}  # {said}'

    def _lines(self) -> str:
        facts = [*self._in_order("line.")]
        if not facts:
            return ""
        lines = ["", "[line]"]
        for fact, name in facts:
            key, reason = fact.removeprefix("line."), self._reason(name)
            if key in ("price", "sale") and self._found.is_total(fact):
                lines_come_to = tr("the lines come to the sum of the order only if it is that of all pieces")
                if key == "sale":
                    lines.append(f"# {as_comment(name)}: {lines_come_to}; {tr('sale is that of one piece')}")
                    continue
                key, reason = "total", lines_come_to
            if key in ("price", "total"):
                reason += "; " + tr("price and total are what you paid your supplier: if it is your buyer's money, write sale")
            if key == "sale":
                reason += "; " + tr("sale is what your buyer paid for a piece: if you paid it to your supplier, write price")
            lines.append(toml_line(key, name, reason))
        return "\n".join(lines)

    def _reports(self) -> str:
        return "\n".join(self._each_report())

    def _each_report(self) -> Iterator[str]:
        for trigger in ("ship", "deliver", "cancel"):
            if f"{trigger}.at" not in self._found.column_of:
                if trigger == "ship" and (name := self._found.column_of.get("ship.tracking_number")):
                    said = tr("{name} has tracking numbers, but no column says when it was shipped", name=as_comment(name))
                    yield f"\n# {said}"
                continue
            told = dict(self._in_order(f"{trigger}."))
            number = self._found.column_of.get("ship.tracking_number")
            if trigger == "deliver" and number and list_of(number) == list_of(told["deliver.at"]):
                told["deliver.tracking_number"] = number
            parcels = [*self._found.parcels(told)]
            title = f"[[reports.{trigger}]]" if len(parcels) > 1 else f"[reports.{trigger}]"
            for one in parcels:
                lines = (self._of_report(fact.removeprefix(f"{trigger}."), name) for fact, name in one.items())
                yield "\n".join(("", title, *lines))

    def _of_report(self, key: str, name: str) -> str:
        self._used.add(name)
        column = self._found.columns[name]
        words = [word for word in column.empties if word.lower() not in EMPTY]
        if words and key == "tracking_number":
            empty = ", ".join(map(toml_text, column.empties))
            return f"{key} = {{ column = {toml_text(name)}, empty = [{empty}] }}  # {self._reason(name)}"
        return toml_line(key, name, self._reason(name))

    def _cancelled(self) -> str:
        """Ask what becomes of orders that a status calls cancelled, where no column says when they were."""
        if "cancel.at" in self._found.column_of or "order.placed_at" not in self._found.column_of:
            return ""
        for name, column in self._found.columns.items():
            words = [word for word in column.cells if _CANCELLED.search(word) and len(word) < 40]
            if words and likeness("status", name) and len(column.cells) <= 30:
                said = ", ".join(words)
                question = tr("{column} says {words}: when were these orders cancelled?", column=name, words=said)
                self._questions.append(tr("{question} See [reports.cancel] there", question=question))
                listed = f"[{', '.join(map(toml_text, words))}]"
                return "\n".join(
                    (
                        "",
                        f"# {tr('QUESTION: cancelled orders. The date of the order may stand for that of its end:')}",
                        "# [reports.cancel]",
                        f"# at = {toml_text(self._found.column_of['order.placed_at'])}",
                        f"# when = {{ {toml_text(name)} = {listed} }}",
                        f"# {tr('or leave them out; this line belongs to the top, above [order]:')}",
                        f"# when = {{ {toml_text(name)} = {{ not = {listed} }} }}",
                    )
                )
        return ""

    def _events(self) -> str:
        """Return what a carrier's file says: what happened to parcels."""
        number = self._found.column_of["ship.tracking_number"]
        self._used.update(self._found.column_of.values())
        adds = tr("it adds to the orders that have the parcel")
        lines = ["", "[order]", toml_line("tracking_number", number, f"{self._reason(number)}; {adds}")]
        if "event.at" not in self._found.column_of:
            self._questions.append(tr("When did it happen? No column has a time; write it at `at`"))
            return "\n".join((*lines, "", "[reports.note_transit]", f'# at = "…"  # {tr("QUESTION: no column has a time")}'))
        at, status = self._found.column_of["event.at"], self._found.column_of.get("event.status")
        arrived = [word for word in self._found.columns[status].cells if _DELIVERED.search(word)] if status else []
        lines += ["", "[reports.note_transit]", toml_line("at", at, self._reason(at))]
        if status:
            lines.append(toml_line("status", status, self._reason(status)))
        if status and arrived:
            listed = f"[{', '.join(map(toml_text, arrived))}]"
            lines.append(f"when = {{ {toml_text(status)} = {{ not = {listed} }} }}")
            lines += ["", "[reports.deliver]", toml_line("at", at, tr("of what says that it has arrived"))]
            lines.append(f"when = {{ {toml_text(status)} = {listed} }}")
        said = tr("what customs hold is [reports.hold] with wants, what is lost [reports.lose]: the carrier has its own words")
        lines += ["", f"# {said}"]
        return "\n".join(lines)

    def _not_read(self) -> str:
        """Say which columns are not read, and what they say: a person may know one of them."""
        others = [column for column in self._found.columns.values() if column.name not in self._used and column.cells]
        said = ((one.name, [*one.cells]) for one in others[:40])
        lines = [
            f"#   {as_comment(name)}: {', '.join(map(_short, cells[: 12 if len(cells) <= 12 else 3]))}" for name, cells in said
        ]
        return "\n".join(("", tr("# Not read:"), *lines)) if lines else ""

    def _in_order(self, prefix: str) -> Iterator[tuple[str, str]]:
        for fact in known():
            if fact.startswith(prefix) and fact in self._found.column_of:
                self._used.add(self._found.column_of[fact])
                yield fact, self._found.column_of[fact]

    def _reason(self, name: str) -> str:
        column = self._found.columns[name]
        example = next(iter(column.cells), None)
        if example is None:
            return tr("by its name; it is empty in this file")
        return tr("{cells}, such as {example}", cells=counted(column.cells.total(), "cell"), example=_short(example))


def _short(text: str) -> str:
    flat = as_comment(text)
    return flat if len(flat) <= 40 else f"{flat[:39]}…"
