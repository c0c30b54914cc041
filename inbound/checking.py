"""What a mapping makes of a file, before anything is stored: orders, what its reports and conditions meet, and what is odd."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches

from inbound.files import read_rows
from inbound.header_names import plain
from inbound.mapping import Mapping
from inbound.order_rows import Incoming
from inbound.orders import OrderFile, shop_in
from inbound.rejections import Rejection
from inbound.sources import all_met
from language import counted, tr

FIRST_ORDERS = 3


@dataclass(slots=True)
class Met:
    """How many rows date a report, and how many of those its conditions let count."""

    trigger: str
    dated: int = 0
    counted: int = 0
    has_condition: bool = False


@dataclass(slots=True)
class Checked:
    """What was found."""

    orders: int = 0
    lines: int = 0
    reports: Counter[str] = field(default_factory=Counter)
    rejected: list[Rejection] = field(default_factory=list)
    left_out: list[Rejection] = field(default_factory=list)
    rounded: int = 0
    rows: int = 0
    rows_left_out: int = 0
    """Rows that the condition of the whole file leaves out."""
    silent: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Of a file of events, what the rows say that no report's conditions take: column and word."""
    met: list[Met] = field(default_factory=list)
    first: list[Incoming] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check(
    file: OrderFile, mapping: Mapping, addressed: Collection[str], latest: datetime, shops: Collection[str] = ()
) -> Checked:
    """Read a file and return what is found.

    `addressed` are the suppliers that have an address, `shops` those that have orders; `latest` is the last instant at which
    an order may be placed.
    """
    checked, noted = Checked(), _Noted({*addressed}, latest, shops)
    for incoming, rejections, _ in file:
        checked.rejected += (one for one in rejections if not one.is_cell)
        checked.left_out += (one for one in rejections if one.is_cell)
        if incoming is not None:
            checked.orders += 1
            checked.lines += len(incoming.lines)
            checked.reports.update(report.trigger for report in incoming.reports)
            checked.first += [incoming] if len(checked.first) < FIRST_ORDERS else []
            noted.take(incoming)
    checked.rounded = file.rounded
    _count_conditions(file, mapping, checked)
    checked.warnings = [*_untold(checked), *_silent(checked), *noted.warnings()]
    return checked


def _count_conditions(file: OrderFile, mapping: Mapping, checked: Checked) -> None:
    """Count which rows meet which conditions."""
    checked.met = [Met(source.trigger, has_condition=bool(source.when)) for source in mapping.reports]
    for row in read_rows(file.path, mapping.layout, mapping.columns()):
        checked.rows += 1
        if not all_met(mapping.when, row):
            checked.rows_left_out += 1
            continue
        is_told = False
        for source, met in zip(mapping.reports, checked.met, strict=True):
            if source.at.of(row):
                met.dated += 1
                met.counted += (is_met := all_met(source.when, row))
                is_told = is_told or is_met
        if mapping.tells_events and not is_told:
            conditions = {one.column for source in mapping.reports for one in source.when}
            checked.silent.update((name, str(row.cells.get(name, ""))) for name in conditions)


def _untold(checked: Checked) -> Iterator[str]:
    """Yield what is said of reports that no order has told."""
    if not checked.orders:
        return
    for trigger in dict.fromkeys(met.trigger for met in checked.met if not checked.reports[met.trigger]):
        of_it = [met for met in checked.met if met.trigger == trigger]
        if any(met.has_condition for met in of_it):
            yield tr("[reports.{trigger}] was told by no row: are its `when` and its `at` right?", trigger=trigger)
        else:
            yield tr("[reports.{trigger}] was told by no row: is its `at` right?", trigger=trigger)


def _silent(checked: Checked) -> Iterator[str]:
    """Yield which words of a carrier tell nothing by this mapping."""
    for (column, word), times in checked.silent.most_common(10):
        rows = counted(times, "row")
        yield tr("{rows} with {column} {word!r} tell nothing: no condition takes them", rows=rows, column=column, word=word)


class _Noted:
    """What is odd about the orders of a file."""

    def __init__(self, addressed: set[str], latest: datetime, shops: Collection[str]) -> None:
        self._addressed, self._latest, self._shops = addressed, latest, {shop.lower() for shop in shops}
        self._named_as_shown = list[str]()
        self._suppliers = Counter[str]()
        self._dear, self._ahead, self._before = list[str](), list[str](), list[str]()
        self._spoiled = list[str]()

    def take(self, incoming: Incoming) -> None:
        """Note an order."""
        order, lines = incoming.order, incoming.lines
        told = {"supplier": [order.supplier], "alternatives": order.alternatives}
        self._suppliers.update(name for fact, names in told.items() if fact in incoming.given for name in names if name)
        if "shop" not in incoming.given and incoming.known is None and shop_in(order.number) in self._shops:
            self._named_as_shown.append(order.number)
        prices = [line.price * line.quantity for line in lines if line.price is not None]
        if order.paid is not None and sum(prices) > order.paid:
            self._dear.append(order.name)
        if incoming.known is None and order.placed_at > self._latest:
            self._ahead.append(order.name)
        if incoming.known is None and any(report.at < order.placed_at for report in incoming.reports):
            self._before.append(order.name)
        numbers = [line.sku for line in lines] + [str(one.fields.get("tracking_number") or "") for one in incoming.reports]
        self._spoiled += [f"{order.name} ({one})" for one in numbers if _is_spoiled(one)]

    def warnings(self) -> Iterator[str]:
        """Yield what a person should know."""
        if self._dear:
            yield self._of(
                self._dear, tr("their lines come to more than was paid: is `price` that of the whole line? It is `total` then")
            )
        if self._named_as_shown:
            yield self._of(self._named_as_shown, tr("screens name orders of another shop so: an import rejects them"))
        if self._ahead:
            yield self._of(self._ahead, tr("dated ahead of now: an import leaves them for later"))
        if self._before:
            yield self._of(self._before, tr("a report is dated before its order was placed: are zone and format right?"))
        if self._spoiled:
            yield self._of(self._spoiled, tr("a spreadsheet has shortened the number: export the column as text"))
        unaddressed = [name for name in self._suppliers if name not in self._addressed]
        yield from self._alike(unaddressed)
        if unaddressed:
            names = ", ".join(unaddressed[:5])
            more = tr(" and {count} others", count=len(unaddressed) - 5) if len(unaddressed) > 5 else ""
            yield tr(
                "{suppliers} without an address in [contacts.suppliers] of the policy: {names}{more}",
                suppliers=counted(len(unaddressed), "supplier"),
                names=names,
                more=more,
            )

    def _alike(self, names: Iterable[str]) -> Iterator[str]:
        """Yield which suppliers are called nearly as another one: letters alone count."""
        known = {_letters(name): name for name in (*self._suppliers, *self._addressed)}
        for name in names:
            near = known[_letters(name)]
            if near == name:
                close = get_close_matches(_letters(name), known.keys() - {_letters(name)}, n=1, cutoff=0.92)
                near = known[close[0]] if close and known[close[0]] in self._addressed else name
            if near != name:
                yield tr("supplier {name!r} is nearly {near!r}: is it another one?", name=name, near=near)

    def _of(self, orders: list[str], what: str) -> str:
        names = ", ".join(orders[:3])
        more = tr(" and {count} others", count=len(orders) - 3) if len(orders) > 3 else ""
        return f"{names}{more}: {what}"


def _letters(name: str) -> str:
    return plain(name).replace(" ", "")


def _is_spoiled(number: str) -> bool:
    """Say whether a number was written with an exponent, as a spreadsheet shows long ones."""
    mantissa, mark, exponent = number.upper().partition("E+")
    return bool(mark) and exponent.isdecimal() and mantissa.replace(".", "", 1).replace(",", "", 1).isdecimal()
