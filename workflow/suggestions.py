"""Suggestions for mistyped names."""

import difflib
from collections.abc import Iterable

from language import tr

MOST_NAMED = 40
"""Names that are listed where none is near."""


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" for the nearest known name, or the known names when none is near.

    >>> did_you_mean("shup", ["ship", "deliver"])
    '; did you mean ship?'
    """
    names = sorted(known)
    if near := nearest(typed, names):
        return tr("; did you mean {near}?", near=near)
    others = tr(" and {count} others", count=len(names) - MOST_NAMED) if len(names) > MOST_NAMED else ""
    return tr("; known are {names}{others}", names=", ".join(names[:MOST_NAMED]), others=others)


def nearest(typed: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like a mistyped one; None if none is near."""
    near = difflib.get_close_matches(typed, sorted(known), n=1, cutoff=0.68)
    return near[0] if near else None
