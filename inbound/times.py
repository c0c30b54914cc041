"""Instants as foreign files write them."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from language import tr
from workflow.policy.durations import FIRST_YEAR, LAST_YEAR


class BadInstant(ValueError):
    """A text is not an instant that can be placed on the time line."""


def read_instant(text: str, zone: ZoneInfo | None = None, time_format: str | None = None) -> datetime:
    """Read an instant in UTC; a date alone is its first instant, local time (rule 7.2).

    A local time that a clock change repeats is the first of the two; one that it skips is moved forward.

    Raises:
        BadInstant: not a time, without a time zone where none is declared, or outside 1990-2199.

    """
    local = _parse(text, time_format)
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


def _parse(text: str, time_format: str | None) -> datetime:
    shown = text[:40]
    if not text.isascii() and any(character.isdigit() and not character.isascii() for character in text):
        raise BadInstant(tr("{shown!r} is not a time: it has digits other than 0-9", shown=shown))
    if time_format:
        try:
            return datetime.strptime(text, time_format)
        except (ValueError, re.error):
            pass  # a column of the same file may still be ISO 8601
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        wanted = (
            tr("the format {time_format!r} or ISO 8601", time_format=time_format)
            if time_format
            else tr("ISO 8601, such as 2026-11-23T09:30:00")
        )
        raise BadInstant(tr("{shown!r} is not a time: write {wanted}", shown=shown, wanted=wanted)) from None
