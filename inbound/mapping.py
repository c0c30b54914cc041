"""Mappings: which columns of a foreign file mean what (docs/process.md, part 7)."""

from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from inbound.rows import PLAIN, Layout
from inbound.sources import Condition, Source
from language import tr
from workflow.errors import UsageError
from workflow.reports import FIELDS, PERSONS_ALONE
from workflow.suggestions import did_you_mean, nearest

ORDER_FIELDS = (
    "id",
    "placed_at",
    "shop",
    "group",
    "supplier",
    "alternatives",
    "route",
    "country",
    "currency",
    "paid",
    "sale",
    "supplier_number",
    "ship_by",
    "buyer_name",
    "buyer_email",
    "buyer_address",
    "merchant_email",
    "language",
)
REQUIRED = ("id", "placed_at")
"""What an order cannot be placed without."""
SUMS = ("paid", "sale")
"""Facts of an order that are amounts in its currency."""
OFFER_FIELDS = (
    "supplier",
    "sku",
    "shop",
    "supplier_sku",
    "address",
    "price",
    "currency",
    "handling_time",
    "countries",
    "rank",
    "from",
    "until",
)
"""What a row of a catalogue says of what a supplier offers."""
LINE_FIELDS = ("sku", "title", "quantity", "price", "total", "sale")
LINE_SUMS = ("price", "total", "sale")
"""What a line has of these; `total` is the price of all its pieces."""


@dataclass(frozen=True, slots=True)
class ReportSource:
    """Where one trigger's reports come from: `at`, the conditions that a row must meet, and the fields."""

    trigger: str
    at: Source
    key: Source | None = None
    when: tuple[Condition, ...] = ()
    fields: dict[str, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole mapping: what order, lines and reports are read from, which rows count, and how the file is written."""

    order: dict[str, Source]
    line: dict[str, Source]
    reports: tuple[ReportSource, ...]
    tracking_number: Source | None = None
    """Where the file says by tracking number which orders it adds to."""
    summed: frozenset[str] = frozenset()
    """Amounts of an order that are those of all its rows together."""
    when: tuple[Condition, ...] = ()
    """What a row must meet to be read at all."""
    line_when: tuple[Condition, ...] = ()
    """What a row must meet to be a line of its order."""
    zone: ZoneInfo | None = None
    time_formats: tuple[str, ...] = ()
    decimal: str | None = None
    layout: Layout = PLAIN
    offer: dict[str, Source] = field(default_factory=dict)
    """Of a catalogue: what its offers are read from; there are no orders in it."""

    @property
    def places_orders(self) -> bool:
        """Whether its files place orders; those of others add to orders that are known."""
        return "placed_at" in self.order

    @property
    def tells_events(self) -> bool:
        """Whether its rows are what happened to orders one after the other, and not lines of them."""
        return not self.places_orders and not self.line

    def columns(self) -> set[str]:
        """Return every column that the mapping names."""
        conditions = [*self.when, *self.line_when, *(one for report in self.reports for one in report.when)]
        named = {column for source in self._sources() for column in source.columns} | {one.column for one in conditions}
        return named.union(self.layout.fill)

    def _sources(self) -> list[Source]:
        """Return where all its values come from."""
        sources = [
            *self.order.values(),
            *self.line.values(),
            *self.offer.values(),
            *([self.tracking_number] if self.tracking_number else []),
        ]
        for report in self.reports:
            sources += [report.at, *report.fields.values(), *([report.key] if report.key else [])]
        return sources

    def columns_of_rows(self) -> set[str]:
        """Return the columns that say which rows are read, and which of them belong together."""
        sources = [self.tracking_number or self.order["id"], self.order.get("shop", Source())]
        return {column for one in sources for column in one.columns} | {one.column for one in self.when} | {*self.layout.fill}

    def _is_not_missed(self, name: str, have: Set[str]) -> bool:
        """Say whether a column may be absent: it is inside what is empty in this file, as where no object has lines."""
        lines = f"{self.layout.lines}."
        if self.layout.lines is not None and name.startswith(lines):
            inside = {one.removeprefix(lines) for one in have if one.startswith(lines)}
            return not inside or _may_be_inside(name.removeprefix(lines), inside)
        return _may_be_inside(name, have)

    def check_columns(self, columns: Counter[str], file: Path) -> None:
        """Check that the file has every column that the mapping names, once.

        Raises:
            UsageError: names the missing column and the nearest one that is there, or the one that is there twice.

        """
        have = set(columns)
        if len(have) == 1 and any(other in next(iter(have)) for other in ";\t|"):
            raise UsageError(
                tr("{file} has one column only: say in the mapping by what it is separated, such as delimiter = ';'", file=file)
            )
        if doubled := sorted(name for name in self.columns() if columns[name] > 1):
            raise UsageError(
                tr("{file} has the column {name!r} twice, and the mapping names it: rename one", file=file, name=doubled[0])
            )
        several = [one.columns for one in self._sources() if one.template is None and not have.isdisjoint(one.columns)]
        spare = {name for columns in several for name in columns}  # of several columns one is enough
        for missing in sorted(name for name in self.columns() - have - spare if not self._is_not_missed(name, have)):
            raise UsageError(
                tr(
                    "{file} has no column {missing!r}, which the mapping names{hint}",
                    file=file,
                    missing=missing,
                    hint=did_you_mean(missing, have),
                )
            )


def _may_be_inside(name: str, have: Set[str]) -> bool:
    """Say whether a path of JSON leads into what is empty in the whole file, or into a list: that may have other objects."""
    parts = name.split(".")
    for count in range(1, len(parts)):
        outer = ".".join(parts[:count])
        has_more = any(one.startswith(f"{outer}.") for one in have)
        if (outer in have and not has_more) or (has_more and parts[count].isdecimal()):
            return True
    return False


_OWN_LINE = {"sale": "line_sale", "total": "line_total"}
"""How the columns of a line are called where an order has one of that name too."""


def own_mapping(columns: Iterable[str]) -> Mapping:
    """Return the mapping of a file that uses the built-in names: `id`, `ship_at`, `ship_carrier` and so on.

    One that has no `placed_at`, nor anything like it, adds to orders that are known: by `id`, or by `tracking_number`.
    """
    have = set(columns)
    reports = []
    for trigger, fields in FIELDS.items():
        if f"{trigger}_at" in have and trigger != "place" and trigger not in PERSONS_ALONE:
            named = {name: Source((f"{trigger}_{name}",)) for name in fields if f"{trigger}_{name}" in have}
            reports.append(ReportSource(trigger, Source((f"{trigger}_at",)), fields=named))
    line = {name: Source((column,)) for name in LINE_FIELDS if (column := _OWN_LINE.get(name, name)) in have}
    if (reports or line) and "placed_at" not in have and nearest("placed_at", have) is None:
        by_parcel = "id" not in have and "tracking_number" in have
        needed: tuple[str, ...] = () if by_parcel else ("id",)
    else:
        needed, by_parcel = REQUIRED, False
    order = {name: Source((name,)) for name in ORDER_FIELDS if name in have or name in needed}
    return Mapping(order, line, tuple(reports), Source(("tracking_number",)) if by_parcel else None)
