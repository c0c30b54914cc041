"""Mappings read from TOML: every name and value checked, and what is wrong told with its line."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from config.documents import read_document
from inbound import cells
from inbound.cells import BadCell
from inbound.mapping import LINE_FIELDS, OFFER_FIELDS, ORDER_FIELDS, REQUIRED, SUMS, Mapping, ReportSource
from inbound.rows import PLAIN, Cell, Layout
from inbound.sources import Condition, Source, Writing, columns_in
from inbound.times import EPOCHS
from inbound.toml_lines import line_of
from language import tr
from workflow.errors import UsageError
from workflow.reports import FIELDS, PERSONS_ALONE
from workflow.suggestions import did_you_mean
from workflow.toml import parse

TOP_LEVEL = (
    *("time_zone", "time_format", "decimal", "empty"),
    *("encoding", "delimiter", "quote", "header", "fill", "sheet", "records", "lines"),
    *("when", "order", "line", "reports", "offer"),
)
SOURCE = ("column", "template", "value", "strip", "empty", "map", "else", "decimal", "format", "zone", "sum")
"""What may stand in the table of a value."""
CONDITION = ("not", "filled", "above")


class MappingError(UsageError):
    """A mapping cannot be used; `location` is the path of keys to what is wrong in it."""

    def __init__(self, location: str, message: str) -> None:
        self.location = location
        super().__init__(message)


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        UsageError: it is missing, is not TOML, or names what does not exist; the message names the line.

    """
    text = read_document(path)
    try:
        return parse_mapping(parse(text))
    except MappingError as error:
        line = line_of(text, error.location)
        where = tr("{path}, line {line}", path=path, line=line) if line else path
        raise UsageError(f"{where}: {error}") from None
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def parse_mapping(table: dict[str, Any]) -> Mapping:
    """Build a mapping from its TOML table.

    Raises:
        MappingError: a name is unknown, a required one is missing, or a value has the wrong form.

    """
    _known("", table, TOP_LEVEL)
    empty, decimal = _empty("empty", table.get("empty")), _decimal("decimal", table.get("decimal"))
    if "offer" in table:
        return _catalogue(table, empty, decimal)
    named = dict(_table(table, "order"))
    _known("order", named, (*ORDER_FIELDS, "tracking_number"))
    tracking = _source("order.tracking_number", named.pop("tracking_number"), empty) if "tracking_number" in named else None
    order = _sources("order", named, ORDER_FIELDS, empty)
    _check_identity(order, tracking)
    line = dict(_table(table, "line"))
    line_when = _conditions("line.when", line.pop("when", {}), decimal)
    if "price" in line and "total" in line:
        raise MappingError("line.total", tr("[line] must say one of price (of a piece) and total (of all pieces of the line)"))
    return Mapping(
        order=order,
        line=_sources("line", line, LINE_FIELDS, empty),
        reports=tuple(_reports(_table(table, "reports"), empty, decimal)),
        tracking_number=tracking,
        summed=frozenset(_summed(named)),
        when=_conditions("when", table.get("when", {}), decimal),
        line_when=line_when,
        zone=_zone("time_zone", table.get("time_zone")),
        time_formats=_formats("time_format", table.get("time_format")),
        decimal=decimal,
        layout=_layout(table),
    )


def _catalogue(table: dict[str, Any], empty: frozenset[str], decimal: str | None) -> Mapping:
    """Build the mapping of a catalogue: what suppliers offer, and no orders."""
    for name in ("order", "line", "reports"):
        if name in table:
            raise MappingError(name, tr("[offer] is for a catalogue, and [{name}] for orders: write two mappings", name=name))
    return Mapping(
        *({}, {}, ()),
        when=_conditions("when", table.get("when", {}), decimal),
        zone=_zone("time_zone", table.get("time_zone")),
        time_formats=_formats("time_format", table.get("time_format")),
        decimal=decimal,
        layout=_layout(table),
        offer=_sources("offer", _table(table, "offer"), OFFER_FIELDS, empty),
    )


def _check_identity(order: dict[str, Source], tracking: Source | None) -> None:
    """Check that a file says which orders it is about: it places them, or adds to those that are known."""
    if tracking is not None and order.keys() & {*REQUIRED, "shop"}:
        raise MappingError(
            "order.tracking_number",
            tr(
                "[order] tracking_number is for files that add to known orders and have no order numbers: leave out {names}",
                names=", ".join(name for name in (*REQUIRED, "shop") if name in order),
            ),
        )
    if tracking is None and "id" not in order:
        raise MappingError(
            "order",
            tr("[order] must say which column is 'id', or 'tracking_number' in a file that adds to orders that are known"),
        )


def _summed(order: dict[str, Any]) -> Iterable[str]:
    """Yield the amounts of an order that are the sums of its rows."""
    return (name for name in SUMS if isinstance(order.get(name), dict) and "sum" in order[name])


def _table(parent: dict[str, Any], name: str) -> dict[str, Any]:
    table = parent.get(name, {})
    if not isinstance(table, dict):
        raise MappingError(name, tr("[{name}] must be a table", name=name))
    return table


def _known(location: str, table: dict[str, Any], names: Iterable[str]) -> None:
    for name in table:
        if name not in names:
            where, hint = _where(location), did_you_mean(name, names)
            if location and name in TOP_LEVEL:
                hint = tr("; it belongs to the top, above [order]")
            raise MappingError(
                _inner(location, name),
                tr("{where}{name!r} is not a name of a mapping{hint}", where=where, name=name, hint=hint),
            )


def _inner(location: str, name: str) -> str:
    return f"{location}.{name}" if location else name


def _where(location: str) -> str:
    return f"[{location}] " if location else ""


def _sources(location: str, table: dict[str, Any], names: Iterable[str], empty: frozenset[str]) -> dict[str, Source]:
    _known(location, table, names)
    sources = {name: _source(f"{location}.{name}", value, empty) for name, value in table.items()}
    for name, source in sources.items():
        _check_constants(f"{location}.{name}", source, cells.ORDER_READERS.get(name) if location == "order" else None)
    return sources


def _check_constants(location: str, source: Source, read: Callable[[Cell], Any] | None) -> None:
    """Check that what a mapping itself says of a fact can be read."""
    said: list[tuple[str, Cell | None]] = [("value", source.value), ("else", source.otherwise)]
    for key, value in (*said, *(("map", word) for word in source.words.values())):
        if value and read:
            try:
                read(value)
            except BadCell as bad:
                raise MappingError(location, f"[{location}] {key}: {bad}") from None


def _source(location: str, value: Any, empty: frozenset[str]) -> Source:
    """Read where a value comes from: a column, the first of several that is filled, or a table that says more."""
    if isinstance(value, str | list):
        return Source(_columns(location, value), empty=empty)
    if not isinstance(value, dict):
        raise MappingError(
            location, tr('[{location}] must be a column, several, or a table such as {{ value = "…" }}', location=location)
        )
    _known(location, value, SOURCE)
    if sum(name in value for name in ("column", "template", "value")) != 1:
        raise MappingError(location, tr("[{location}] must say one of column, template and value", location=location))
    if "sum" in value and (value["sum"] is not True or location not in [f"order.{name}" for name in SUMS]):
        raise MappingError(location, tr("[{location}] sum = true is for paid and sale of an order", location=location))
    if "value" in value:
        return Source(value=_constant(location, value))
    template = _text_of(location, value, "template")
    columns = columns_in(template) if template is not None else _columns(location, value["column"])
    if not columns:
        raise MappingError(
            location, tr('[{location}] template names no column: write one such as "{{Name}}/{{Vendor}}"', location=location)
        )
    words = value.get("map", {})
    if not isinstance(words, dict):
        raise MappingError(
            location, tr('[{location}] map must be a table of words, such as {{ CN = "domestic" }}', location=location)
        )
    otherwise = _text_of(location, value, "else")
    if otherwise is not None and not words:
        raise MappingError(location, tr("[{location}] else goes with map: it is what all other words mean", location=location))
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
        raise MappingError(location, tr("[{location}] must name a column, or a list of columns", location=location))
    return tuple(one.strip() for one in columns)


def _constant(location: str, table: dict[str, Any]) -> Cell:
    others = sorted(table.keys() - {"value"})
    if others:
        raise MappingError(
            location, tr("[{location}] value is a constant: {other} has no meaning for it", location=location, other=others[0])
        )
    constant = table["value"]
    if isinstance(constant, list):
        return [str(one) for one in constant]
    return str(constant).lower() if isinstance(constant, bool) else str(constant)


def _text_of(location: str, table: dict[str, Any], name: str) -> str | None:
    value = table.get(name)
    if value is not None and not isinstance(value, str):
        raise MappingError(_inner(location, name), tr("{where}{name} must be a text", where=_where(location), name=name))
    return value


def _words(location: str, name: str, value: Any) -> tuple[str, ...]:
    """Return a text or a list of texts as texts."""
    words = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
        raise MappingError(location, tr("[{location}] {name} must be a text or a list of texts", location=location, name=name))
    return tuple(words)


def _empty(location: str, value: Any) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in _words(location, "empty", value))


def _decimal(location: str, value: Any) -> str | None:
    if value is None:
        return None
    if value not in (".", ","):
        raise MappingError(
            location, tr('[{location}] must be "." or ",": the mark before the decimals of a sum', location=location)
        )
    return str(value)


def _formats(location: str, value: Any) -> tuple[str, ...]:
    formats = _words(location, "format", value)
    for one in formats:
        if one in EPOCHS:
            continue
        if "%" not in one:
            example = tr("write one such as %d/%m/%Y %H:%M, or one of {epochs}", epochs=", ".join(EPOCHS))
            raise MappingError(
                location,
                tr("[{location}] {one!r} is no format of times: {example}", location=location, one=one, example=example),
            )
        if "%Z" in one:
            raise MappingError(
                location,
                tr(
                    "[{location}] leave %Z out of {one!r}: a zone at the end of a time is understood",
                    location=location,
                    one=one,
                ),
            )
    return formats


def _conditions(location: str, table: Any, decimal: str | None) -> tuple[Condition, ...]:
    if not isinstance(table, dict):
        raise MappingError(location, tr("[{location}] must be a table of columns and what they must say", location=location))
    return tuple(_condition(location, column.strip(), wanted, decimal) for column, wanted in table.items())


def _condition(location: str, column: str, wanted: Any, decimal: str | None) -> Condition:
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
        raise MappingError(
            f"{location}.{column}",
            tr(
                "[{location}] {column}: write a word, a list of words, {{ not = … }}, {{ filled = true }} or {{ above = 0 }}",
                location=location,
                column=column,
            ),
        )
    return Condition(column, None, _among(wanted["not"]) if "not" in wanted else frozenset(), filled, above, decimal)


def _among(wanted: Any) -> frozenset[str]:
    words = wanted if isinstance(wanted, list) else [wanted]
    return frozenset((str(one).lower() if isinstance(one, bool) else str(one).strip().lower()) for one in words)


def _reports(table: dict[str, Any], empty: frozenset[str], decimal: str | None) -> Iterable[ReportSource]:
    triggers = [trigger for trigger in FIELDS if trigger != "place" and trigger not in PERSONS_ALONE]
    for trigger, entries in table.items():
        location = f"reports.{trigger}"
        if trigger in PERSONS_ALONE:
            raise MappingError(
                location,
                tr("[reports.{trigger}]: only a person may report that (`aftersales report ID {trigger}`)", trigger=trigger),
            )
        if trigger not in triggers:
            raise MappingError(
                location, tr("[reports.{trigger}] is not a report{hint}", trigger=trigger, hint=did_you_mean(trigger, triggers))
            )
        for entry in entries if isinstance(entries, list) else [entries]:
            yield _report(trigger, entry, empty, decimal)


def _report(trigger: str, entry: Any, empty: frozenset[str], decimal: str | None) -> ReportSource:
    location = f"reports.{trigger}"
    if not isinstance(entry, dict) or "at" not in entry:
        raise MappingError(location, tr("[{location}] must be a table that says which column is 'at'", location=location))
    _known(location, entry, ["at", "when", "key", *FIELDS[trigger]])
    for name, known in FIELDS[trigger].items():
        if known.required and name not in entry:
            raise MappingError(
                location,
                tr("[{location}] must say which column is {name!r}: {help}", location=location, name=name, help=tr(known.help)),
            )
    fields = {name: _source(f"{location}.{name}", entry[name], empty) for name in FIELDS[trigger] if name in entry}
    for name, source in fields.items():
        if FIELDS[trigger][name].kind == "choice":
            _check_constants(f"{location}.{name}", source, partial(cells.report_field, FIELDS[trigger][name], code=""))
    key = _source(f"{location}.key", entry["key"], empty) if "key" in entry else None
    when = _conditions(f"{location}.when", entry.get("when", {}), decimal)
    return ReportSource(trigger, _source(f"{location}.at", entry["at"], empty), key, when, fields)


def _layout(table: dict[str, Any]) -> Layout:
    """Read how the file is written."""
    delimiter, quote, header = _text_of("", table, "delimiter"), _text_of("", table, "quote"), table.get("header")
    if delimiter is not None and len(delimiter) != 1:
        raise MappingError("delimiter", tr("delimiter must be one character, such as ';' or a tab"))
    if quote is not None and len(quote) > 1:
        raise MappingError("quote", tr("quote must be one character, or empty where cells are not quoted"))
    if header is not None and (isinstance(header, bool) or not isinstance(header, int) or header < 1):
        raise MappingError("header", tr("header must be the number of the row that names the columns, from 1"))
    encoding = (_text_of("", table, "encoding") or PLAIN.encoding).lower().replace("_", "-")
    return Layout(
        _WIDER.get(encoding, encoding),
        PLAIN.delimiter if delimiter is None else delimiter,
        PLAIN.quote if quote is None else quote,
        header,
        _columns("fill", table["fill"]) if "fill" in table else (),
        _text_of("", table, "sheet"),
        _columns("records", table["records"]) if "records" in table else (),
        _text_of("", table, "lines"),
    )


_WIDER = {"utf-8": "utf-8-sig", "utf8": "utf-8-sig", "gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030"}
"""Encodings that hold another one: a byte order mark, or a rare character, refuses no file."""


def _zone(location: str, name: Any) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError, TypeError):
        near = [
            one for one in available_timezones() if one.rpartition("/")[2].casefold() == str(name).rpartition("/")[2].casefold()
        ]
        example = min(near, default="Asia/Shanghai")
        raise MappingError(
            location,
            tr(
                "{location} {name!r} is not a time zone: write one such as {example}",
                location=location,
                name=name,
                example=example,
            ),
        ) from None
