"""Untrusted text made safe for a terminal, and counts and spans of time in words."""

import re
from datetime import timedelta

from language import counted, tr


def safe(text: str) -> str:
    """Replace what does not print: control characters, escapes, and bidirectional control characters."""
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)


_LONG = timedelta(days=2)


def relative_time(far: timedelta) -> str:
    """Write how far off an instant is, rounded down: "in 8 days", "in 1 day 14 hours", "20 minutes ago"."""
    return tr("in {far}", far=span(far)) if far > timedelta(0) else tr("{far} ago", far=span(far))


def span(length: timedelta) -> str:
    """Write how long a span is, whichever its sign, rounded down: "8 days", "1 day 14 hours", "20 min"."""
    seconds = abs(int(length.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if seconds >= _LONG.total_seconds():
        return counted(days, "day")
    if days:
        return tr("1 day {hours}", hours=counted(hours, "hour"))
    if hours:
        return tr("{hours} {minutes} min", hours=counted(hours, "hour"), minutes=minutes)
    return tr("{minutes} min", minutes=minutes) if minutes else f"{seconds} s"


def without_secrets(text: str) -> str:
    """Return a text in which user and password of addresses, and passwords among options, are not shown."""
    return _OPTION.sub(r"\1=***", _USER.sub("//***@", text))


_USER = re.compile(r"//[^/\s@]*@")
_OPTION = re.compile(r"\b(\w*password|\w*secret\w*)=[^\s&;'\"]+", re.IGNORECASE)
