"""How a file is written, found out from the file itself: its encoding, separator and header, and the shapes of its cells."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from inbound.containers import WORKBOOKS, opened, sheets_of
from inbound.files import JSON_ENDINGS, opened_file, records_of
from inbound.header_names import likeness
from inbound.json_files import ITSELF, elements_of, places_of_lists
from inbound.rows import PLAIN, Layout
from inbound.times import BadInstant, read_instant
from workflow.case.money import MoneyError, exponent
from workflow.errors import UsageError

LOOKED_AT = 200
"""Rows that are looked at to find the separator and the header."""
_BYTES = 1 << 18
_DELIMITERS = (",", ";", "\t", "|")
_UTC = ZoneInfo("UTC")
DAY_FIRST = "day"
MONTH_FIRST = "month"


def layout_of(path: Path) -> Layout:
    """Return how a file is written, as far as it tells.

    Raises:
        UsageError: it cannot be read.

    """
    with opened_file(path, replace(PLAIN, encoding="latin-1")) as file:
        ending = file.ending
    if ending in WORKBOOKS:
        return max((_with_header(path, replace(PLAIN, sheet=name)) for name in _sheets(path)), key=partial(_size, path))
    found = replace(PLAIN, encoding=_encoding(path))
    if ending in JSON_ENDINGS:
        return _json_layout(path, found, is_lines=ending != ".json")
    return _with_header(path, _separated(path, found))


def _sheets(path: Path) -> Sequence[str | None]:
    """Return the sheets of a workbook; its first one has no name, for that is taken where none is named."""
    with opened(path) as (_, raw):
        return [None, *sheets_of(raw)[1:]]


def _size(path: Path, layout: Layout) -> int:
    """Say how large the table is that a layout finds, in cells."""
    rows = _rows(path, layout)[(layout.header or 1) - 1 :]
    return sum(len([cell for cell in row if cell.strip()]) for row in rows if len([cell for cell in row if cell.strip()]) > 1)


def _encoding(path: Path) -> str:
    with opened(path) as (_, raw):
        start = raw.read(_BYTES)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = start.decode(encoding)
        except UnicodeDecodeError as error:
            if error.start < len(start) - 4:
                continue
            text = start[: error.start].decode(encoding)  # the block ends inside a character
        if encoding == "utf-8-sig" or _is_chinese(text):
            return encoding
    return "cp1252"


def _is_chinese(text: str) -> bool:
    """Say whether what is no ASCII in a text is Chinese that is really written: most of it common characters."""
    others = [one for one in text if not one.isascii()]
    common = sum("\u4e00" <= one <= "\u9fa5" or one in "，。：；（）、“”！？￥　" for one in others)
    return common >= 0.9 * len(others) and any(_COMMON.intersection(text))


_COMMON = frozenset("订单编号日期时间名称数量价格金额状态收货地址物流公司商品买家付款发货单标题店铺总")


def _separated(path: Path, found: Layout) -> Layout:
    """Return with which separator, and with quotes or without, most rows have the same number of cells above one."""
    best, most_cells = found, (0.0, 0)
    for quote in ('"', ""):
        for delimiter in _DELIMITERS:
            tried = replace(found, delimiter=delimiter, quote=quote)
            widths = Counter(len(row) for row in _rows(path, tried) if any(row))
            if not widths:
                continue
            (width, count), *_ = widths.most_common(1)
            good = (round(count / widths.total(), 1), width) if width > 1 else (0.0, width)
            if good > most_cells:
                best, most_cells = tried, good
    return best


def _rows(path: Path, layout: Layout) -> list[list[str]]:
    """Return the first rows; none where they cannot be read so."""
    try:
        with opened_file(path, layout) as file:
            return [values for _, values in islice(records_of(file, layout), LOOKED_AT)]
    except (UsageError, csv.Error):
        return []


def _with_header(path: Path, found: Layout) -> Layout:
    """Say which row names the columns, where others stand before it: the first that is as wide as most, and all words."""
    rows = _rows(path, found)
    widths = Counter(len([cell for cell in row if cell.strip()]) for row in rows if any(row))
    if not widths:
        return found
    usual = max(width for width, count in widths.items() if count >= max(1, max(widths.values()) // 3))
    for number, row in enumerate(rows, 1):
        names = [cell.strip() for cell in row if cell.strip()]
        if len(names) >= 0.7 * usual and len(names) > 1 and not any(map(_is_value, names)):
            before = [one for one in rows[: number - 1] if any(cell.strip() for cell in one)]
            is_mark = before == [] or (len(before) == 1 and before[0][0].lower().startswith("sep="))
            return found if is_mark else replace(found, header=number)
    return found


def _is_value(cell: str) -> bool:
    return bool(re.fullmatch(r"[\d.,:/ €$¥£+-]+", cell)) or "@" in cell


def _json_layout(path: Path, found: Layout, *, is_lines: bool) -> Layout:
    """Say where the orders of a JSON file stand, and where each has its lines."""
    if not is_lines:
        with opened_file(path, found) as file:
            places = places_of_lists(file.text)
        if places is not None:
            orders = [place for place in places if not _holds_lines(place)]
            found = replace(found, records=(orders[0] if orders else ITSELF,))
    lines = Counter[str]()
    with opened_file(path, found) as file:
        values = elements_of(file.text, found) if not is_lines else map(json.loads, filter(str.strip, file.text))
        for value in islice(values, LOOKED_AT):
            lines.update(_lists_of_lines(value) if isinstance(value, dict) else ())
    return replace(found, lines=lines.most_common(1)[0][0]) if lines else found


def _holds_lines(place: str) -> bool:
    """Say whether the list at a place is by its name one of lines: the document itself is the order then."""
    return bool(re.search(r"(line|item|product|fulfil|refund|meta|tax|ship)", place.rpartition(".")[2], re.IGNORECASE))


def _lists_of_lines(value: dict[str, object]) -> Iterable[str]:
    """Yield the lists of an order whose objects look like lines: by the names of what they say."""
    for name, inner in value.items():
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            is_line = [fact for fact in _OF_LINES for key in inner[0] if likeness(fact, key)]
            if len(set(is_line)) > 1 or "line.sku" in is_line:
                yield name


_OF_LINES = ("line.sku", "line.title", "line.quantity", "line.price", "line.sale", "line.total")


# --- shapes of cells ---

_DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%d.%m.%Y", "%d.%m.%y"),
    *("%d-%b-%Y", "%d-%b-%y", "%b-%d-%y", "%b %d, %Y", "%d %b %Y"),
)
_TWO_WAYS = {DAY_FIRST: ("%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y"), MONTH_FIRST: ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y")}
_TRIED = 40
"""Cells that every format is tried on; the likely ones are tried on all."""
_LETTERS = re.compile(r"(?<=\d|M) (?!AM$|PM$|UTC$|GMT$)[A-Z]{3,4}$")
_TIMES = ("", " %H:%M:%S", " %H:%M", " %Hh%M", ", %H:%M:%S", ", %H:%M", " %I:%M:%S %p", " %I:%M %p", "T%H:%M:%S")


@dataclass(frozen=True, slots=True)
class Times:
    """How a column of times is written: the formats that fit all of its cells, and whether they name their zone.

    `ways` are the readings of dates such as 03/04/2026 that all cells bear: day first, month first, or both.
    """

    formats: tuple[str, ...] = ()
    has_zone: bool = False
    ways: tuple[str, ...] = ()


def times_of(cells: Sequence[str]) -> Times | None:
    """Return how the cells of a column are written as times; None if they are none. A few that fit nothing are passed over."""
    lettered = [cell for cell in cells if _LETTERS.search(cell)]
    if _are_most(lettered, cells):  # CST is several zones: which one, a person says
        bare = times_of([_LETTERS.sub("", cell) for cell in lettered])
        return replace(bare, has_zone=False) if bare else None
    found = [cell for cell in cells if _is_iso(cell)]
    if _are_most(found, cells):
        return Times(has_zone=all(map(_names_a_zone, found)))
    for name, digits in (("epoch", 9), ("epoch_ms", 12)):
        if _are_most([cell for cell in cells if re.fullmatch(rf"1[0-9]{{{digits}}}", cell)], cells):
            return Times((name,), has_zone=True)
    tried = {key: sum(_fits(cell, key[1]) for cell in cells[:_TRIED]) for key in _candidates()}
    likely = [key for key, count in tried.items() if count == max(tried.values()) > 0]
    fitting = {key: [cell for cell in cells if _fits(cell, key[1])] for key in likely} or {("", ""): []}
    most = max(map(len, fitting.values()))
    best = [key for key, fit in fitting.items() if len(fit) == most]
    if not _are_most(fitting[best[0]], cells):
        return None
    has_zone = all(map(_names_a_zone, fitting[best[0]]))
    return Times(tuple(dict.fromkeys(one for _, one in best)), has_zone, tuple(dict.fromkeys(way for way, _ in best if way)))


def _are_most(some: Sequence[str], cells: Sequence[str]) -> bool:
    """Say whether some cells are so many of all that the others may be mistakes."""
    return most(len(some), len(cells))


def most(fitting: int, of: int) -> bool:
    """Say whether so many of all fit that the others may be mistakes: three of four, or all but one of three."""
    return fitting >= 0.75 * of > 0 or fitting == of - 1 >= 2


def _candidates() -> Iterable[tuple[str, str]]:
    for time in _TIMES:
        yield from (("", date + time) for date in _DATES)
        for way, dates in _TWO_WAYS.items():
            yield from ((way, date + time) for date in dates)


def _fits(cell: str, time_format: str) -> bool:
    try:
        read_instant(cell, _UTC, (time_format,))
    except BadInstant:
        return False
    return not _is_iso(cell)


def _is_iso(cell: str) -> bool:
    try:
        datetime.fromisoformat(cell)
    except ValueError:
        try:
            read_instant(cell, _UTC)
        except BadInstant:
            return False
    return len(cell) > 7


_ZONE = re.compile(r"(Z|[+-]\d{2}:?\d{2}|UTC|GMT|[A-Z][a-z]+/[A-Z][A-Za-z_]+)\s*(\d{0,2})$")


def _names_a_zone(cell: str) -> bool:
    return bool(_ZONE.search(cell)) and bool(re.search(r"\d:\d", cell))


_SIGNS = {
    "€": "EUR",
    "£": "GBP",
    "R$": "BRL",
    "US$": "USD",
    "₹": "INR",
    "元": "CNY",
    "￥": "CNY",
    "₩": "KRW",
    "zł": "PLN",
    "₽": "RUB",
}
"""Signs that one currency alone has."""
_AMOUNT = re.compile(r"\d[\d.,'’ \u00a0\u202f]*")


@dataclass(frozen=True, slots=True)
class Money:
    """How a column of sums is written: the mark of decimals (None: digits and a point, nothing else), and its currency.

    `is_open` says that the mark cannot be told: every sum has three digits behind the only mark.
    """

    decimal: str | None = None
    currency: str | None = None
    is_open: bool = False


def money_of(cells: Sequence[str]) -> Money | None:
    """Return how the cells of a column are written as sums; None if they are none."""
    sums = [cell for cell in cells if _AMOUNT.search(cell) and sum(map(str.isalpha, cell)) <= _LETTERS_OF_A_CURRENCY]
    if not _are_most(sums, cells):
        return None
    currencies = {code for cell in sums if (code := _currency_in(cell))}
    currency = currencies.pop() if len(currencies) == 1 else None
    if all(re.fullmatch(r"\d+(\.\d+)?", cell) for cell in sums):
        is_open = any("." in cell for cell in sums) and all(re.fullmatch(r"\d{1,3}\.\d{3}", cell) for cell in sums)
        return Money(None, currency, is_open)
    numbers = [found[0].strip() for cell in sums if (found := _AMOUNT.search(cell))]
    marks = {mark for number in numbers if (mark := _decimal_mark(number))}
    if len(marks) == 1:
        return Money(marks.pop(), currency)
    has_mark = any("." in number or "," in number for number in numbers)
    return None if len(marks) > 1 else Money("." if not has_mark else None, currency, is_open=has_mark)


_LETTERS_OF_A_CURRENCY = 4


def _decimal_mark(number: str) -> str | None:
    """Return the mark before the decimals of a number, if it can only be that one."""
    marks = re.findall(r"[.,]", number)
    if not marks:
        return None
    if len(set(marks)) == 2:
        return str(marks[-1])
    behind = len(re.split(r"[.,]", number)[-1])
    if len(marks) > 1:  # 1.234.567: both are between thousands
        return "," if marks[0] == "." else "."
    return str(marks[0]) if behind != 3 else None


def _currency_in(cell: str) -> str | None:
    for code in map(str, re.findall(r"\b[A-Z]{3}\b", cell)):
        try:
            exponent(code)
        except MoneyError:
            continue
        return code
    return next((code for sign, code in _SIGNS.items() if sign in cell.replace(" ", "")), None)
