"""A mapping proposed for a catalogue, such as a supplier's price list, with its reasons and questions."""

import re
from collections.abc import Iterator, Set
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from inbound.files import read_rows
from inbound.findings import EMPTY, READ_AT_MOST, is_currency
from inbound.header_names import likeness
from inbound.mapping import OFFER_FIELDS
from inbound.proposed_lines import asks_for_the_currency, currencies_in, of_decimal, of_layout, of_zone
from inbound.proposing import Proposal
from inbound.rows import Layout
from inbound.sniffing import Money, layout_of, money_of, times_of
from inbound.sources import without_marks
from inbound.toml_lines import as_comment, toml_line, toml_list, toml_text
from language import tr


def propose(path: Path, zone: ZoneInfo | None, skus: Set[str] = frozenset()) -> Proposal:
    """Propose a mapping for a file of offers.

    `zone` is that of times which name none, if a person has said; `skus` are those of the orders that are known.

    Raises:
        UsageError: the file cannot be read.

    """
    layout = layout_of(path)
    cells: dict[str, dict[str, None]] = {}
    for row in islice(read_rows(path, layout), READ_AT_MOST):
        for name, cell in row.cells.items() if row.problem is None else ():
            said = without_marks(cell) if isinstance(cell, str) else ";".join(cell)
            column = cells.setdefault(name, {})
            if said and said.lower() not in EMPTY:
                column[said] = None
    return _Writer(path.name, layout, cells, zone, skus).proposal()


class _Writer:
    """Writes what was found in a file as a mapping of offers."""

    def __init__(
        self, file: str, layout: Layout, cells: dict[str, dict[str, None]], zone: ZoneInfo | None, skus: Set[str]
    ) -> None:
        self._file, self._layout, self._cells, self._zone, self._skus = file, layout, cells, zone, skus
        self._questions: list[str] = []
        self._column_of = self._matched()
        self._money = money_of([*self._of("price")]) if "price" in self._column_of else None

    def proposal(self) -> Proposal:
        """Return the whole proposal."""
        if any(likeness("order.id", name) > 10_000 for name in self._cells) and any(
            likeness("order.placed_at", name) > 10_000 for name in self._cells
        ):
            self._questions.append(
                tr("This looks like a file of orders: is it? Then `aftersales mapping new` proposes its mapping")
            )
        body = [*self._offer()]  # it may say of times and sums how they are written
        title = tr("# Proposed for {file}: read it, answer what is asked, and try it with", file=as_comment(self._file))
        check = f"#   aftersales catalogue import {as_comment(self._file)} --mapping THIS.toml --dry-run"
        unread = [name for name in self._cells if name not in self._column_of.values()]
        last = [f"\n# {tr('Not read: {columns}', columns=as_comment(', '.join(unread)))}"] if unread else []
        return Proposal("\n".join((title, check, *self._head(), "", "[offer]", *body, *last)), self._questions)

    def _of(self, fact: str) -> list[str]:
        return [*self._cells[self._column_of[fact]]]

    def _matched(self) -> dict[str, str]:
        """Return the best column for each fact: one of our SKUs is known by the SKUs of the orders."""
        wanted = [
            (likeness(f"offer.{fact}", name), fact, name) for fact in OFFER_FIELDS if fact != "shop" for name in self._cells
        ]
        wanted = [one for one in wanted if one[0] and self._may_be(one[1], one[2])]
        ours = {name: len(self._skus & self._cells[name].keys()) for name in self._cells}
        if (best := max(ours, key=lambda name: ours[name], default="")) and ours[best]:
            wanted.append((100_000, "sku", best))
        wanted.sort(key=lambda one: (-one[0], OFFER_FIELDS.index(one[1])))
        found: dict[str, str] = {}
        for _, fact, name in wanted:
            if fact not in found and name not in found.values():
                found[fact] = name
        return found

    def _may_be(self, fact: str, name: str) -> bool:
        cells = [*self._cells[name]]
        if not cells:
            return False
        match fact:
            case "price":
                return money_of(cells) is not None
            case "currency":
                return all(map(is_currency, cells))
            case "from" | "until":
                return times_of(cells) is not None
            case "rank":
                return all(cell.isdecimal() for cell in cells)
            case "address":
                return sum("/" in cell or "www" in cell for cell in cells) > len(cells) / 2
        return True

    def _head(self) -> Iterator[str]:
        yield from of_layout(self._layout, tr("there the offers stand"))
        yield from self._times()
        if self._money and (self._money.decimal or self._money.is_open):
            yield of_decimal(self._money.decimal, self._of("price")[0], self._questions)

    def _times(self) -> Iterator[str]:
        found = [times for fact in ("from", "until") if fact in self._column_of and (times := times_of(self._of(fact)))]
        formats = [one for times in found for one in times.formats[:1]]
        if any(len(times.ways) > 1 for times in found):
            self._questions.append(
                tr(
                    "Is {example} written with the day first, or the month first?",
                    example=self._of("until" if "until" in self._column_of else "from")[0],
                )
            )
            yield f"# time_format = {toml_list(dict.fromkeys(found[0].formats))}  # {tr('QUESTION: the one that is right')}"
        elif formats:
            yield f"time_format = {toml_list(dict.fromkeys(formats))}  # {tr('so are all dates written')}"
        if found and not all(times.has_zone for times in found):
            yield of_zone(self._zone, self._questions)

    def _offer(self) -> Iterator[str]:
        for fact in OFFER_FIELDS:
            if fact in self._column_of:
                yield toml_line(fact, self._column_of[fact], self._reason(fact))
            elif fact == "supplier":
                yield f'# supplier = {{ value = "…" }}  # {tr("or say who it is with --supplier NAME")}'
            elif fact == "sku":
                self._questions.append(tr("Which column has your own SKUs, as your orders have them? Write it at sku"))
                yield f'# sku = "…"  # {tr("QUESTION: no column is called so; they are listed at the end")}'
            elif fact == "price":
                self._questions.append(tr("Which column has the price of a piece? Write it at price, or leave it out"))
                yield f'# price = "…"  # {tr("QUESTION: no column is called so; they are listed at the end")}'
            elif fact == "currency" and self._money is not None:
                yield self._currency(self._money)
        if "sku" in self._column_of and self._skus and not self._skus & {*self._of("sku")}:
            self._questions.append(
                tr(
                    "No order has an SKU of {column}: are these your own SKUs, or the supplier's (supplier_sku)?",
                    column=self._column_of["sku"],
                )
            )

    def _reason(self, fact: str) -> str:
        name = self._column_of[fact]
        example = tr("such as {example}", example=self._of(fact)[0])
        if fact == "sku" and (known := len(self._skus & {*self._of("sku")})):
            return tr("{count} of your orders' SKUs are in it", count=known) + f"; {example}"
        return example if name else ""

    def _currency(self, money: Money) -> str:
        name = self._column_of["price"]
        in_name = currencies_in(name)
        in_name |= {"CNY"} if re.search("元|人民币|RMB", name) else set()
        in_name |= {"EUR"} if "€" in name else set()
        code = money.currency or (in_name.pop() if len(in_name) == 1 else None)
        if code is not None:
            return f"currency = {{ value = {toml_text(code)} }}  # {tr('by the sums, or the name of their column')}"
        return asks_for_the_currency(self._questions)
