"""Figures for people."""

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

_BEGUN = time.monotonic()


def say(words: str) -> None:
    """Say on standard error what is being done, and since when."""
    print(f"[{time.monotonic() - _BEGUN:6.1f} s] {words}", file=sys.stderr, flush=True)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows that all have the same columns as a table."""
    names = [*rows[0]]
    cells = [names, *([_written(row[name]) for name in names] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(names))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], ""])


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median of some rounds, and between which figures they lay."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def _written(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return str(value)
