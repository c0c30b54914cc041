"""Instants as foreign files write them."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from language import tr
from workflow.policy.durations import FIRST_YEAR, LAST_YEAR


class BadInstant(ValueError):
    """A text is not an instant that can be placed on the time line."""


EPOCHS = ("epoch", "epoch_ms")
"""Formats that are no pattern: seconds, and thousandths of one, since 1970 in UTC."""


def read_instant(text: str, zone: ZoneInfo | None = None, formats: Sequence[str] = ()) -> datetime:
    """Read an instant in UTC; a date alone is its first instant, local time (rule 7.2).

    It is in one of `formats`, or ISO 8601. A zone that the text names counts, else `zone`. A local time that a clock change
    repeats is the first of the two; one that it skips is moved forward.

    Raises:
        BadInstant: not a time, without a time zone where none is declared, or outside 1990-2199.

    """
    local = _parse(text, formats, zone)
    if local.tzinfo is None:
        if zone is None:
            raise BadInstant(tr("{given!r} names no time zone: declare time_zone in the mapping", given=text))
        local = local.replace(tzinfo=zone)
    if not FIRST_YEAR <= local.year <= LAST_YEAR:
        raise BadInstant(
            tr(
                "{given!r} lies outside the years {first_year}-{last_year}",
                given=text,
                first_year=FIRST_YEAR,
                last_year=LAST_YEAR,
            )
        )
    return local.astimezone(UTC)


def _parse(text: str, formats: Sequence[str], zone: ZoneInfo | None) -> datetime:
    shown = text[:40]
    if not text.isascii() and any(character.isdigit() and not character.isascii() for character in text):
        raise BadInstant(tr("{shown!r} is not a time: it has digits other than 0-9", shown=shown))
    found = _local(text, formats)
    for pattern in _ZONED if found is None else ():
        named = pattern.fullmatch(text)
        local = _local(named["time"].strip(), formats) if named else None
        if named and local is not None and local.tzinfo is None:
            found = _in_its_season(local, zone, named) or local.replace(tzinfo=_zone_of(named.groupdict(), shown))
            break
    if found is not None:
        return found
    wanted = " / ".join(repr(one) for one in formats)
    written = (
        tr("the format {time_format} or ISO 8601", time_format=wanted)
        if formats
        else tr("ISO 8601, such as 2026-11-23T09:30:00")
    )
    raise BadInstant(tr("{shown!r} is not a time: write {wanted}", shown=shown, wanted=written))


def _local(text: str, formats: Sequence[str]) -> datetime | None:
    """Read a time in the first of the formats that fits; a column of the same file may still be ISO 8601."""
    for one in formats:
        try:
            return _since_1970(text, one) if one in EPOCHS else datetime.strptime(text, one)
        except (ValueError, OverflowError, OSError, re.error):
            continue
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _since_1970(text: str, unit: str) -> datetime:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return datetime.fromtimestamp(float(text) / (1_000 if unit == "epoch_ms" else 1), UTC)


_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)
_ZONED = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        r"(?P<time>.+?)(?:\s+|\s*(?:UTC|GMT))(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?",
        r"(?P<time>.+?)\s*(?:UTC|GMT|Z)",
        r"(?P<time>.+\S)\s+(?P<name>[A-Za-z]+(?:/[A-Za-z_+-]+)+)",
        r"(?P<time>.+\S)\s+(?P<letters>(?!AM$|PM$)[A-Z]{2,5})",
    )
)
"""A time with its zone: GMT+8, -0300, UTC, Asia/Shanghai; letters such as CST are of several zones."""


def _in_its_season(local: datetime, zone: ZoneInfo | None, named: re.Match[str]) -> datetime | None:
    """Return a local time whose letters are those of `zone` then; PST and PDT tell apart the two hours of a clock change.

    Letters of a zone that has no summer time say nothing that the zone does not, and may be another one's.
    """
    letters = named.groupdict().get("letters")
    if letters is None or zone is None:
        return None
    winter, summer = (local.replace(month=month, day=1, tzinfo=zone).tzname() for month in (1, 7))
    for fold in (0, 1):
        found = local.replace(tzinfo=zone, fold=fold)
        if found.tzname() == letters and winter != summer:
            return found
    return None


def _zone_of(named: Mapping[str, str | None], shown: str) -> tzinfo:
    """Return the zone that a text names.

    Raises:
        BadInstant: it is not known, or is one of several.

    """
    if letters := named.get("letters"):
        then = tr("set time_zone to it, and if it has no summer time, write {letters} into time_format", letters=letters)
        raise BadInstant(
            tr("{shown!r} names the zone {letters}, which is one of several: {then}", shown=shown, letters=letters, then=then)
        )
    if name := named.get("name"):
        try:
            return ZoneInfo(name)
        except (ValueError, KeyError, OSError):
            raise BadInstant(tr("{shown!r} names no zone that is known", shown=shown)) from None
    ahead = timedelta(hours=int(named.get("hours") or 0), minutes=int(named.get("minutes") or 0))
    if ahead > timedelta(hours=15):
        raise BadInstant(tr("{shown!r} names no zone that is known", shown=shown))
    return timezone(-ahead if named.get("sign") == "-" else ahead)
