"""Mappings: which columns of a foreign file mean what (docs/process.md, part 7)."""

from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from config.documents import read_document
from inbound.files import PLAIN, Cell, Layout
from inbound.sources import Condition, Source, Writing, columns_in
from inbound.times import EPOCHS
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
TOP_LEVEL = (
    *("time_zone", "time_format", "decimal", "empty"),
    *("encoding", "delimiter", "quote", "header", "fill", "sheet", "records", "lines"),
    *("when", "order", "line", "reports"),
)
SOURCE = ("column", "template", "value", "strip", "empty", "map", "else", "decimal", "format", "zone")
"""What may stand in the table of a value."""
CONDITION = ("not", "filled", "above")


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
    when: tuple[Condition, ...] = ()
    """What a row must meet to be read at all."""
    line_when: tuple[Condition, ...] = ()
    """What a row must meet to be a line of its order."""
    zone: ZoneInfo | None = None
    time_formats: tuple[str, ...] = ()
    decimal: str | None = None
    layout: Layout = PLAIN

    def columns(self) -> set[str]:
        """Return every column that the mapping names."""
        sources, conditions = [*self.order.values(), *self.line.values()], [*self.when, *self.line_when]
        for report in self.reports:
            sources += [report.at, *report.fields.values(), *([report.key] if report.key else [])]
            conditions += report.when
        named = {column for source in sources for column in source.columns} | {one.column for one in conditions}
        return named.union(self.layout.fill)

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
        for missing in sorted(name for name in self.columns() - have if not _may_be_inside(name, have)):
            raise UsageError(
                tr(
                    "{file} has no column {missing!r}, which the mapping names{hint}",
                    file=file,
                    missing=missing,
                    hint=did_you_mean(missing, have),
                )
            )


def _may_be_inside(name: str, have: Set[str]) -> bool:
    """Say whether a path of JSON leads through what is there, but empty in this file."""
    parts = name.split(".")
    return any(".".join(parts[:count]) in have for count in range(1, len(parts)))


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
    empty = _empty("empty", table.get("empty"))
    order = _sources("order", _table(table, "order"), ORDER_FIELDS, empty)
    for name in REQUIRED:
        if name not in order:
            raise UsageError(tr("[order] must say which column is {name!r}", name=name))
    line = dict(_table(table, "line"))
    line_when = _conditions("line.when", line.pop("when", {}))
    return Mapping(
        order=order,
        line=_sources("line", line, LINE_FIELDS, empty),
        reports=tuple(_reports(_table(table, "reports"), empty)),
        when=_conditions("when", table.get("when", {})),
        line_when=line_when,
        zone=_zone("time_zone", table.get("time_zone")),
        time_formats=_formats("time_format", table.get("time_format")),
        decimal=_decimal("decimal", table.get("decimal")),
        layout=_layout(table),
    )


_OWN_LINE = {"sale": "line_sale"}
"""How the columns of a line are called where an order has one of that name too."""


def own_mapping(columns: Iterable[str]) -> Mapping:
    """Return the mapping of a file that uses the built-in names: `id`, `ship_at`, `ship_carrier` and so on."""
    have = set(columns)
    reports = []
    for trigger, fields in FIELDS.items():
        if f"{trigger}_at" in have and trigger != "place" and trigger not in PERSONS_ALONE:
            named = {name: Source((f"{trigger}_{name}",)) for name in fields if f"{trigger}_{name}" in have}
            reports.append(ReportSource(trigger, Source((f"{trigger}_at",)), fields=named))
    order = {name: Source((name,)) for name in ORDER_FIELDS if name in have or name in REQUIRED}
    line = {name: Source((column,)) for name in LINE_FIELDS if (column := _OWN_LINE.get(name, name)) in have}
    return Mapping(order, line, tuple(reports))


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


def _sources(location: str, table: dict[str, Any], names: Iterable[str], empty: frozenset[str]) -> dict[str, Source]:
    _known(location, table, names)
    return {name: _source(f"{location}.{name}", value, empty) for name, value in table.items()}


def _source(location: str, value: Any, empty: frozenset[str]) -> Source:
    """Read where a value comes from: a column, the first of several that is filled, or a table that says more."""
    if isinstance(value, str | list):
        return Source(_columns(location, value), empty=empty)
    if not isinstance(value, dict):
        raise UsageError(tr('[{location}] must be a column, several, or a table such as {{ value = "…" }}', location=location))
    _known(location, value, SOURCE)
    if sum(name in value for name in ("column", "template", "value")) != 1:
        raise UsageError(tr("[{location}] must say one of column, template and value", location=location))
    if "value" in value:
        return Source(value=_constant(location, value))
    template = _text_of(location, value, "template")
    columns = columns_in(template) if template is not None else _columns(location, value["column"])
    if not columns:
        raise UsageError(
            tr('[{location}] template names no column: write one such as "{{Name}}/{{Vendor}}"', location=location)
        )
    words = value.get("map", {})
    if not isinstance(words, dict):
        raise UsageError(tr('[{location}] map must be a table of words, such as {{ CN = "domestic" }}', location=location))
    otherwise = _text_of(location, value, "else")
    if otherwise is not None and not words:
        raise UsageError(tr("[{location}] else goes with map: it is what all other words mean", location=location))
    return Source(
        columns,
        template=template,
        prefixes=_words(location, "strip", value.get("strip")),
        empty=_empty(f"{location}.empty", value["empty"]) if "empty" in value else empty,
        words={str(word).strip().lower(): str(meant) for word, meant in words.items()},
        otherwise=otherwise,
        writing=Writing(
            _decimal(f"{location}.decimal", value.get("decimal")),
            _formats(f"{location}.format", value.get("format")),
            _zone(f"{location}.zone", value.get("zone")),
        ),
    )


def _columns(location: str, value: Any) -> tuple[str, ...]:
    columns = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    if not columns or not all(isinstance(one, str) and one.strip() for one in columns):
        raise UsageError(tr("[{location}] must name a column, or a list of columns", location=location))
    return tuple(one.strip() for one in columns)


def _constant(location: str, table: dict[str, Any]) -> Cell:
    others = sorted(table.keys() - {"value"})
    if others:
        raise UsageError(
            tr("[{location}] value is a constant: {other} has no meaning for it", location=location, other=others[0])
        )
    constant = table["value"]
    if isinstance(constant, list):
        return [str(one) for one in constant]
    return str(constant).lower() if isinstance(constant, bool) else str(constant)


def _text_of(location: str, table: dict[str, Any], name: str) -> str | None:
    value = table.get(name)
    if value is not None and not isinstance(value, str):
        raise UsageError(tr("{where}{name} must be a text", where=f"[{location}] " if location else "", name=name))
    return value


def _words(location: str, name: str, value: Any) -> tuple[str, ...]:
    """Return a text or a list of texts as texts."""
    words = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
        raise UsageError(tr("[{location}] {name} must be a text or a list of texts", location=location, name=name))
    return tuple(words)


def _empty(location: str, value: Any) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in _words(location, "empty", value))


def _decimal(location: str, value: Any) -> str | None:
    if value is None:
        return None
    if value not in (".", ","):
        raise UsageError(tr('[{location}] must be "." or ",": the mark before the decimals of a sum', location=location))
    return str(value)


def _formats(location: str, value: Any) -> tuple[str, ...]:
    formats = _words(location, "format", value)
    for one in formats:
        if one in EPOCHS:
            continue
        if "%" not in one:
            example = tr("write one such as %d/%m/%Y %H:%M, or one of {epochs}", epochs=", ".join(EPOCHS))
            raise UsageError(
                tr("[{location}] {one!r} is no format of times: {example}", location=location, one=one, example=example)
            )
        if "%Z" in one:
            raise UsageError(
                tr(
                    "[{location}] leave %Z out of {one!r}: a zone at the end of a time is understood",
                    location=location,
                    one=one,
                )
            )
    return formats


def _conditions(location: str, table: Any) -> tuple[Condition, ...]:
    if not isinstance(table, dict):
        raise UsageError(tr("[{location}] must be a table of columns and what they must say", location=location))
    return tuple(_condition(location, column.strip(), wanted) for column, wanted in table.items())


def _condition(location: str, column: str, wanted: Any) -> Condition:
    if not isinstance(wanted, dict):
        return Condition(column, among=_among(wanted))
    _known(f"{location}.{column}", wanted, CONDITION)
    filled, above = wanted.get("filled"), wanted.get("above")
    if (
        not wanted
        or not isinstance(filled, bool | None)
        or isinstance(above, bool)
        or not isinstance(above, int | float | None)
    ):
        raise UsageError(
            tr(
                "[{location}] {column}: write a word, a list of words, {{ not = … }}, {{ filled = true }} or {{ above = 0 }}",
                location=location,
                column=column,
            )
        )
    return Condition(column, None, _among(wanted["not"]) if "not" in wanted else frozenset(), filled, above)


def _among(wanted: Any) -> frozenset[str]:
    words = wanted if isinstance(wanted, list) else [wanted]
    return frozenset((str(one).lower() if isinstance(one, bool) else str(one).strip().lower()) for one in words)


def _reports(table: dict[str, Any], empty: frozenset[str]) -> Iterable[ReportSource]:
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
            yield _report(trigger, entry, empty)


def _report(trigger: str, entry: Any, empty: frozenset[str]) -> ReportSource:
    location = f"reports.{trigger}"
    if not isinstance(entry, dict) or "at" not in entry:
        raise UsageError(tr("[{location}] must be a table that says which column is 'at'", location=location))
    _known(location, entry, ["at", "when", "key", *FIELDS[trigger]])
    for name, known in FIELDS[trigger].items():
        if known.required and name not in entry:
            raise UsageError(
                tr("[{location}] must say which column is {name!r}: {help}", location=location, name=name, help=tr(known.help))
            )
    fields = {name: _source(f"{location}.{name}", entry[name], empty) for name in FIELDS[trigger] if name in entry}
    key = _source(f"{location}.key", entry["key"], empty) if "key" in entry else None
    when = _conditions(f"{location}.when", entry.get("when", {}))
    return ReportSource(trigger, _source(f"{location}.at", entry["at"], empty), key, when, fields)


def _layout(table: dict[str, Any]) -> Layout:
    """Read how the file is written."""
    delimiter, quote, header = _text_of("", table, "delimiter"), _text_of("", table, "quote"), table.get("header")
    if delimiter is not None and len(delimiter) != 1:
        raise UsageError(tr("delimiter must be one character, such as ';' or a tab"))
    if quote is not None and len(quote) > 1:
        raise UsageError(tr("quote must be one character, or empty where cells are not quoted"))
    if header is not None and (isinstance(header, bool) or not isinstance(header, int) or header < 1):
        raise UsageError(tr("header must be the number of the row that names the columns, from 1"))
    encoding = (_text_of("", table, "encoding") or PLAIN.encoding).lower().replace("_", "-")
    return Layout(
        _WIDER.get(encoding, encoding),
        PLAIN.delimiter if delimiter is None else delimiter,
        PLAIN.quote if quote is None else quote,
        header,
        _columns("fill", table["fill"]) if "fill" in table else (),
        *(_text_of("", table, name) for name in ("sheet", "records", "lines")),
    )


_WIDER = {"utf-8": "utf-8-sig", "utf8": "utf-8-sig", "gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030"}
"""Encodings that hold another one: a byte order mark, or a rare character, refuses no file."""


def _zone(location: str, name: Any) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError, TypeError):
        raise UsageError(
            tr("{location} {name!r} is not a time zone: write one such as Asia/Shanghai", location=location, name=name)
        ) from None
