"""Mappings: which columns of a foreign file mean what (docs/process.md, part 7)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from config.documents import read_document
from inbound.files import Cell, Row
from language import tr
from workflow.errors import UsageError
from workflow.reports import FIELDS, PERSONS_ALONE
from workflow.suggestions import did_you_mean
from workflow.toml import parse

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
LINE_FIELDS = ("sku", "title", "quantity", "price", "sale")
TOP_LEVEL = ("time_zone", "time_format", "encoding", "delimiter", "order", "line", "reports")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: a column, or a constant."""

    column: str | None
    value: Cell = ""

    def of(self, row: Row) -> Cell:
        """Return the row's cell, or the constant; an empty text where there is none."""
        return self.value if self.column is None else row.cells.get(self.column, "")

    @property
    def location(self) -> str:
        """The column's name, for messages."""
        return self.column or tr("a constant of the mapping")


@dataclass(frozen=True, slots=True)
class ReportSource:
    """Where one trigger's reports come from: `at`, the columns that must be equal, and the fields."""

    trigger: str
    at: Source
    key: Source | None = None
    when: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole mapping."""

    order: dict[str, Source]
    line: dict[str, Source]
    reports: tuple[ReportSource, ...]
    zone: ZoneInfo | None = None
    time_format: str | None = None
    encoding: str = "utf-8-sig"
    delimiter: str = ","

    def columns(self) -> set[str]:
        """Return every column that the mapping names."""
        sources = [*self.order.values(), *self.line.values()]
        for report in self.reports:
            sources += [report.at, *report.fields.values(), *([report.key] if report.key else [])]
        named = {source.column for source in sources if source.column is not None}
        return named.union(*(report.when for report in self.reports))

    def check_columns(self, columns: Iterable[str], file: Path) -> None:
        """Check that the file has every column that the mapping names.

        Raises:
            UsageError: names the missing column and the nearest one that is there.

        """
        have = set(columns)
        if len(have) == 1 and any(other in next(iter(have)) for other in ";\t|"):
            raise UsageError(
                tr("{file} has one column only: say in the mapping by what it is separated, such as delimiter = ';'", file=file)
            )
        for missing in sorted(self.columns() - have):
            raise UsageError(
                tr(
                    "{file} has no column {missing!r}, which the mapping names{hint}",
                    file=file,
                    missing=missing,
                    hint=did_you_mean(missing, have),
                )
            )


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        UsageError: it is missing, is not TOML, or names what does not exist.

    """
    text = read_document(path)
    try:
        return parse_mapping(parse(text))
    except (ValueError, UsageError) as error:
        raise UsageError(f"{path}: {error}") from None


def parse_mapping(table: dict[str, Any]) -> Mapping:
    """Build a mapping from its TOML table.

    Raises:
        UsageError: a name is unknown, a required one is missing, or a value has the wrong form.

    """
    _known("", table, TOP_LEVEL)
    order = _sources("order", _table(table, "order"), ORDER_FIELDS)
    for name in REQUIRED:
        if name not in order:
            raise UsageError(tr("[order] must say which column is {name!r}", name=name))
    return Mapping(
        order=order,
        line=_sources("line", _table(table, "line"), LINE_FIELDS),
        reports=tuple(_reports(_table(table, "reports"))),
        zone=_zone(table.get("time_zone")),
        time_format=_word(table, "time_format"),
        encoding=_word(table, "encoding") or "utf-8-sig",
        delimiter=_delimiter(table),
    )


_OWN_LINE = {"sale": "line_sale"}
"""How the columns of a line are called where an order has one of that name too."""


def own_mapping(columns: Iterable[str]) -> Mapping:
    """Return the mapping of a file that uses the built-in names: `id`, `ship_at`, `ship_carrier` and so on."""
    have = set(columns)
    reports = []
    for trigger, fields in FIELDS.items():
        if f"{trigger}_at" in have and trigger != "place" and trigger not in PERSONS_ALONE:
            named = {name: Source(f"{trigger}_{name}") for name in fields if f"{trigger}_{name}" in have}
            reports.append(ReportSource(trigger, Source(f"{trigger}_at"), fields=named))
    order = {name: Source(name) for name in ORDER_FIELDS if name in have or name in REQUIRED}
    return Mapping(
        order, {name: Source(column) for name in LINE_FIELDS if (column := _OWN_LINE.get(name, name)) in have}, tuple(reports)
    )


def _table(parent: dict[str, Any], name: str) -> dict[str, Any]:
    table = parent.get(name, {})
    if not isinstance(table, dict):
        raise UsageError(tr("[{name}] must be a table", name=name))
    return table


def _known(location: str, table: dict[str, Any], names: Iterable[str]) -> None:
    for name in table:
        if name not in names:
            where = f"[{location}] " if location else ""
            raise UsageError(
                tr(
                    "{where}{name!r} is not a name of a mapping{hint}",
                    where=where,
                    name=name,
                    hint=did_you_mean(name, names),
                )
            )


def _sources(location: str, table: dict[str, Any], names: Iterable[str]) -> dict[str, Source]:
    _known(location, table, names)
    return {name: _source(f"{location}.{name}", value) for name, value in table.items()}


def _source(location: str, value: Any) -> Source:
    if isinstance(value, str):
        return Source(value.strip())
    if isinstance(value, dict) and value.keys() == {"value"}:
        constant = value["value"]
        if isinstance(constant, list):
            return Source(None, [str(one) for one in constant])
        return Source(None, str(constant).lower() if isinstance(constant, bool) else str(constant))
    raise UsageError(tr('[{location}] must be a column\'s name or {{ value = "…" }}', location=location))


def _reports(table: dict[str, Any]) -> Iterable[ReportSource]:
    triggers = [trigger for trigger in FIELDS if trigger != "place" and trigger not in PERSONS_ALONE]
    for trigger, entries in table.items():
        if trigger in PERSONS_ALONE:
            raise UsageError(
                tr("[reports.{trigger}]: only a person may report that (`aftersales report ID {trigger}`)", trigger=trigger)
            )
        if trigger not in triggers:
            raise UsageError(
                tr("[reports.{trigger}] is not a report{hint}", trigger=trigger, hint=did_you_mean(trigger, triggers))
            )
        for entry in entries if isinstance(entries, list) else [entries]:
            yield _report(trigger, entry)


def _report(trigger: str, entry: Any) -> ReportSource:
    location = f"reports.{trigger}"
    if not isinstance(entry, dict) or "at" not in entry:
        raise UsageError(tr("[{location}] must be a table that says which column is 'at'", location=location))
    _known(location, entry, ["at", "when", "key", *FIELDS[trigger]])
    for name, known in FIELDS[trigger].items():
        if known.required and name not in entry:
            raise UsageError(
                tr("[{location}] must say which column is {name!r}: {help}", location=location, name=name, help=tr(known.help))
            )
    when = entry.get("when", {})
    if not isinstance(when, dict):
        raise UsageError(tr("[{location}] when must be a table of columns and the values they must have", location=location))
    fields = {name: _source(f"{location}.{name}", entry[name]) for name in FIELDS[trigger] if name in entry}
    key = _source(f"{location}.key", entry["key"]) if "key" in entry else None
    expected = {c.strip(): str(v).lower() if isinstance(v, bool) else str(v).strip() for c, v in when.items()}
    return ReportSource(trigger, _source(f"{location}.at", entry["at"]), key, expected, fields)


def _word(table: dict[str, Any], name: str) -> str | None:
    value = table.get(name)
    if value is not None and not isinstance(value, str):
        raise UsageError(tr("{name} must be a text", name=name))
    return value


def _delimiter(table: dict[str, Any]) -> str:
    delimiter = _word(table, "delimiter") or ","
    if len(delimiter) != 1:
        raise UsageError(tr("delimiter must be one character, such as ';' or a tab"))
    return delimiter


def _zone(name: Any) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError, TypeError):
        raise UsageError(tr("time_zone {name!r} is not a time zone: write one such as Asia/Shanghai", name=name)) from None
