"""Cells read as values, each refused with what is wrong with it."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from inbound.rows import Cell
from inbound.times import BadInstant, read_instant
from language import tr
from workflow.addresses import email_address
from workflow.case.money import MoneyError, exponent, minor_units, nearest_units
from workflow.countries import EVERYWHERE, country_code
from workflow.policy.durations import Duration
from workflow.reports import Field
from workflow.suggestions import did_you_mean

LONGEST_TEXT = 1_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BREAKS = re.compile(r"\s*[\r\n\t\v\f]\s*")
_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_COUNT = re.compile(r"\d{1,9}", re.ASCII)


class BadCell(ValueError):
    """A cell cannot be read; the message says why."""


def text(cell: Cell) -> str:
    """Read plain text; line breaks and tabs in it become spaces."""
    if isinstance(cell, list):
        raise BadCell(tr("is a list where one value is expected"))
    if len(cell) > LONGEST_TEXT:
        raise BadCell(
            tr("is {count} characters long; at most {longest_text} are kept", count=len(cell), longest_text=LONGEST_TEXT)
        )
    if cell.isprintable():
        return cell
    cell = _BREAKS.sub(" ", cell).strip()
    if _CONTROL.search(cell):
        raise BadCell(tr("has a control character: {cell!a}", cell=cell[:40]))
    if _TURNS.search(cell):
        raise BadCell(tr("contains a bidirectional control character: {cell!a}", cell=cell[:40]))
    return cell


def identity(cell: Cell) -> str:
    """Read an order's number or a shop's name."""
    value = text(cell)
    if isinstance(cell, str) and _BREAKS.search(cell):
        raise BadCell(tr("has a control character: {cell!a}", cell=cell[:40]))
    if len(value) > 100:
        raise BadCell(tr("is {count} characters long; at most 100 are an identity", count=len(value)))
    if not value.isprintable() or unicodedata.normalize("NFKC", value) != value:
        raise BadCell(
            tr("has characters that only look like others, or cannot be seen: {value!a}; write it plainly", value=value[:40])
        )
    return value


def number(cell: Cell) -> str:
    """Read the number of an order; one that a spreadsheet has spoiled is refused, or mended where nothing is lost."""
    value = identity(cell)
    if _SPOILED.fullmatch(value):
        raise BadCell(tr("{value!r} was shortened by a spreadsheet: export the column as text", value=value))
    return _WITH_POINT.sub(r"\1", value)


_SPOILED = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d{2}", re.ASCII)
_WITH_POINT = re.compile(r"^(\d+)\.0+$", re.ASCII)


def order_number(cell: Cell) -> str:
    """Read the number of an order of the same shop."""
    value = identity(cell)
    if "/" in value or " " in value:
        raise BadCell(tr("{value!r} is not the number of an order alone: leave out its shop and spaces", value=value))
    return value


def shop(cell: Cell) -> str:
    """Read a shop's name, which may stand before a slash; marks may be wide, as in Chinese names, letters may not."""
    value = text(cell)
    identity("".join("-" if _is_mark(character) else character for character in value))
    if "/" in value:
        raise BadCell(tr("{value!r} has a slash, which separates shop and number", value=value))
    return value


def _is_mark(character: str) -> bool:
    return character.isprintable() and unicodedata.category(character)[0] in "PS" and character != "/"


def names(cell: Cell) -> tuple[str, ...]:
    """Read a list of names: a list, or text separated by ';' (names have commas)."""
    return _names_in(cell) if isinstance(cell, str) else _plain_names(cell)


@lru_cache(maxsize=1_000)
def _names_in(cell: str) -> tuple[str, ...]:
    """Read a list of names from text; a file has the same few again and again."""
    return _plain_names(cell.split(";"))


def _plain_names(parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(text(part.strip()) for part in parts if part.strip())


def route(cell: Cell) -> str:
    """Read a route."""
    value = text(cell).lower()
    if value not in ("domestic", "international"):
        raise BadCell(tr("{value!r} is not a route: write domestic or international", value=value))
    return value


def currency(cell: Cell) -> str:
    """Read an ISO 4217 code."""
    code = text(cell).upper()
    try:
        exponent(code)
    except MoneyError as error:
        raise BadCell(str(error)) from None
    return code


def email(cell: Cell) -> str:
    """Read one email address."""
    try:
        return email_address(text(cell))
    except ValueError as error:
        raise BadCell(str(error)) from None


def count(cell: Cell) -> int:
    """Read a whole number from 1."""
    value = text(cell)
    if not _COUNT.fullmatch(value) or int(value) == 0:
        raise BadCell(tr("{value!r} is not a whole number from 1", value=value[:40]))
    return int(value)


def handling_time(cell: Cell) -> str:
    """Read how long a supplier takes until it ships: 2d, 3wd, 3 days, 2-3 天 (the longer); a number alone is of days."""
    value = text(cell)
    found = _TAKES.fullmatch(value.casefold())
    unit = next((unit for unit, words in _UNITS.items() if (found or {"unit": "?"})["unit"] in words), None)
    if found is None or unit is None:
        raise BadCell(tr("{value!r} is not how long it takes: write 2d, 36h, 3wd (working days) or 3 days", value=value[:40]))
    count = int(found["most"] or found["count"])
    return str(Duration(count * 7, "d") if unit == "w" else Duration(count, unit))


_TAKES = re.compile(r"(?P<count>\d{1,3})(?: ?(?:-|–|~|至|to|a|bis|à) ?(?P<most>\d{1,3}))? ?(?P<unit>\D{0,20})", re.ASCII)
_UNITS = {
    "d": ("", "d", "day", "days", "天", "日", "tag", "tage", "tagen", "día", "días", "dia", "dias", "jour", "jours", "j"),
    "wd": (
        *("wd", "working day", "working days", "business day", "business days", "个工作日", "工作日", "werktag", "werktage"),
        *("arbeitstage", "día hábil", "días hábiles", "dia útil", "dias úteis", "jour ouvré", "jours ouvrés"),
    ),
    "h": ("h", "hour", "hours", "小时", "个小时", "stunden", "horas", "heures", "hrs"),
    "w": ("w", "week", "weeks", "周", "星期", "woche", "wochen", "semana", "semanas", "semaine", "semaines"),
}
"""How times are written, by their units; w are weeks."""


def countries(cell: Cell) -> tuple[str, ...]:
    """Read a list of countries, by codes or names; none stands for all of them."""
    given = [one.strip() for one in (_BETWEEN.split(text(cell)) if isinstance(cell, str) else cell) if one.strip()]
    if len(given) == 1 and country_code(given[0]) is None and all(map(country_code, given[0].split())):
        given = given[0].split()
    if any(one.casefold() in EVERYWHERE for one in given):
        return ()
    found = dict[str, None]()
    for one in given:
        code = country_code(one)
        if code is None:
            raise BadCell(
                tr("{value!r} is not a country: write ISO codes, such as US; FR; BR, or nothing for all", value=one[:40])
            )
        found[code] = None
    return tuple(found)


_BETWEEN = re.compile(r"[;,、，；/|]")


def pieces_of_line(cell: Cell, decimal: str | None = None) -> int:
    """Read how many pieces a line has: 0 for one that was cancelled; 2.0 is 2 (with `decimal` a comma, 2,0 is)."""
    value = text(cell)
    whole, _, decimals = value.partition(decimal or ".")
    if not _COUNT.fullmatch(whole) or decimals.strip("0"):
        raise BadCell(tr("{value!r} is not a number of pieces: it is taken as 1", value=value[:40]))
    return int(whole)


def pieces(cell: Cell) -> str:
    """Read lines with their quantities, such as "1:2;MUG-22:1", in the form that the process knows (rule 8.2)."""
    given = cell if isinstance(cell, list) else text(cell).split(";")
    parts = [text(part).strip() for part in given if part.strip()]
    for part in parts:
        line, colon, quantity = part.rpartition(":")
        if colon and line.strip() and _COUNT.fullmatch(quantity.strip()) and int(quantity) > 0:
            continue
        raise BadCell(
            tr("{part!r} is not a line and a quantity: write line number or SKU, and how many, as 1:2;MUG-22:1", part=part[:40])
        )
    if not parts:
        raise BadCell(tr("names no line: write line number or SKU, and how many, as 1:2;MUG-22:1"))
    return ";".join(parts)


def amount(cell: Cell, code: str, decimal: str | None = None) -> int:
    """Read an amount of the currency `code` as minor units.

    With `decimal`, the mark before its decimals, it is read as people write sums: with the sign or code of its currency, and
    thousands set apart; without it digits and a point stand alone.
    """
    try:
        return minor_units(_digits(cell, code, decimal), code)
    except MoneyError as error:
        raise BadCell(str(error)) from None


def nearest_amount(cell: Cell, code: str, decimal: str | None = None) -> tuple[int, bool]:
    """Read an amount as `amount` does, rounded to the minor unit; also return whether it was rounded."""
    try:
        return nearest_units(_digits(cell, code, decimal), code)
    except MoneyError as error:
        raise BadCell(str(error)) from None


def _digits(cell: Cell, code: str, decimal: str | None) -> str:
    return _plain_sum(text(cell), code, decimal) if decimal else text(cell)


_SUM = re.compile(r"(?P<before>[^\d+().,-]*)(?P<number>\d[\d.,'’ \u00a0\u202f]*)(?P<after>[^\d+().,-]*)", re.ASCII)
_CODE = re.compile(r"\b[A-Z]{3}\b")
_DOLLARS = re.compile(r"\b[A-Z]{0,3} ?\$")
"""$, and those of a country: US $, R$, NT$."""
_WORD = re.compile(r"[^\W\d_]+")
_NAMES = frozenset(("euro", "euros", "fr", "ft", "kr", "kč", "lei", "r", "rm", "rmb", "rp", "rs", "tl", "zł", "руб", "р"))
"""How sums name their currencies besides signs and codes, in small letters."""
_COUNTERS = frozenset("元圆円원")


def _plain_sum(written: str, code: str, decimal: str) -> str:
    """Return a sum as digits with a point.

    Raises:
        BadCell: it is negative, is of another currency, or its thousands are not set apart as thousands are.

    """
    found = _SUM.fullmatch(written)
    if found is None:
        if re.match(r"\D*-|\(.*\)$", written):
            raise BadCell(tr("{written!r} is below nothing: write a sum from 0 on", written=written[:40]))
        raise BadCell(tr("{written!r} is not a sum", written=written[:40]))
    around = f"{found['before']} {found['after']}"
    others = {one for one in _CODE.findall(around.upper()) if one != code and _is_currency(one)}
    if others:
        raise BadCell(tr("{written!r} is not in {code}", written=written[:40], code=code))
    whole, _, decimals = found["number"].strip().partition(decimal)
    if not _names_a_currency(around) or not (decimals or "0").isdecimal():
        raise BadCell(tr("{written!r} is not a sum", written=written[:40]))
    groups = re.split(r"[.,'’ \u00a0\u202f]", whole)
    if (len(groups) > 1 and any(len(one) != 3 for one in groups[1:])) or len(groups[0]) > 3 < len(whole) != len(groups[0]):
        raise BadCell(tr("{written!r} does not have {decimal!r} before its decimals", written=written[:40], decimal=decimal))
    return f"{''.join(groups)}.{decimals}" if decimals else "".join(groups)


def _names_a_currency(around: str) -> bool:
    """Say whether what stands around a number is the sign or name of a currency, or nothing; an O or l is a mistyped digit."""
    rest = _DOLLARS.sub("", around.upper())
    words = _WORD.findall(rest)
    signs = _WORD.sub("", rest)
    return all(word.lower() in _NAMES or word in _COUNTERS or _is_currency(word) for word in words) and all(
        one.isspace() or unicodedata.category(one) == "Sc" for one in signs
    )


def _is_currency(code: str) -> bool:
    try:
        exponent(code)
    except MoneyError:
        return False
    return True


Instants = Callable[[str], datetime]
"""Reads an instant as the file at hand writes it."""


def instant(cell: Cell, read: Instants = read_instant) -> datetime:
    """Read an instant."""
    try:
        return read(text(cell))
    except BadInstant as error:
        raise BadCell(str(error)) from None


def report_field(known: Field, cell: Cell, code: str, read: Instants = read_instant, decimal: str | None = None) -> str | int:
    """Read a field of a report as its kind says; instants become ISO 8601 text in UTC."""
    match known.kind:
        case "amount":
            return amount(cell, code, decimal)
        case "instant":
            return instant(cell, read).isoformat()
        case "choice":
            return _one_of(text(cell).lower(), known.words)
        case "names":
            return ";".join(names(cell))
        case "count":
            return count(cell)
        case "flag":
            return _one_of(text(cell).lower(), (*_YES, *_NO)) in _YES
        case kind:
            return _OF_KIND[kind](cell)


_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
_OF_KIND: dict[str, Callable[[Cell], str]] = {
    "pieces": pieces,
    "number": order_number,
    "email": email,
    "currency": currency,
    "text": text,
}


def _one_of(value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise BadCell(tr("{value!r} is not one of the known words{hint}", value=value[:40], hint=did_you_mean(value, known)))
    return value


ORDER_READERS: dict[str, Callable[[Cell], Any]] = {
    "id": number,
    "shop": shop,
    "alternatives": names,
    "route": route,
    "currency": currency,
    "buyer_email": email,
    "merchant_email": email,
}
"""What reads a fact of an order that is more than a text, and depends on nothing but its cell."""
