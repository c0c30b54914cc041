"""Suggestions for mistyped names."""

import difflib
from collections.abc import Iterable


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" for the nearest known name, or the known names when none is near.

    >>> did_you_mean("shup", ["ship", "deliver"])
    '; did you mean ship?'
    """
    names = sorted(known)
    near = difflib.get_close_matches(typed, names, n=1, cutoff=0.68)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(names)}"
