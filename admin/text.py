"""Untrusted text made safe for a terminal, and counts and spans of time in words."""

import re
from datetime import timedelta

from workflow.plurals import counted


def safe(text: str) -> str:
    """Replace what does not print: control characters, escapes, and bidirectional control characters."""
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)


_LONG = timedelta(days=2)


def relative_time(span: timedelta) -> str:
    """Write how far off an instant is, rounded down: "in 8 days", "in 1 day 14 hours", "20 minutes ago"."""
    seconds = abs(int(span.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if seconds >= _LONG.total_seconds():
        written = counted(days, "day")
    elif days:
        written = f"1 day {counted(hours, 'hour')}"
    elif hours:
        written = f"{counted(hours, 'hour')} {minutes} min"
    else:
        written = f"{minutes} min" if minutes else f"{seconds} s"
    return f"in {written}" if span > timedelta(0) else f"{written} ago"


def without_secrets(text: str) -> str:
    """Return a text in which user and password of addresses, and passwords among options, are not shown."""
    return _OPTION.sub(r"\1=***", _USER.sub("//***@", text))


_USER = re.compile(r"//[^/\s@]*@")
_OPTION = re.compile(r"\b(\w*password|\w*secret\w*)=[^\s&;'\"]+", re.IGNORECASE)
