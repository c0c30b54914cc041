"""What an import has done, in counts: as it is printed, and written beside a file of the inbox."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from language import tr

if TYPE_CHECKING:
    from engine.importing import Imported
    from inbound.rejections import Rejection

MAY_BE_NOTHING = (
    *("added", "changed", "ended", "same", "unfilled"),
    "unchanged",
    "historical",
    "rounded",
    "reported",
    "refused",
    "waiting",
    "exceptions",
    "duplicates",
    "resumed_after",
)
"""Counts of a summary that are left out where there are none."""
COUNTED = (
    "orders",
    "offers",
    "new",
    "rejected",
    "fired",
    "states",
    "from",
    "until",
    "seconds",
    "steps per second",
    *MAY_BE_NOTHING,
)
"""What a summary counts."""
LABELS = {
    "unfilled": "rows passed over",
    "duplicates": "repeated reports",
    "rounded": "sums rounded",
    "unchanged": "orders unchanged",
}
"""How counts are called where their name in JSON does not say what they count."""


def of_orders(done: Imported) -> dict[str, object]:
    """Return what an import of orders has done."""
    tally = done.tally
    return {
        "orders": tally.orders,
        "new": tally.new,
        "unchanged": done.unchanged,
        "historical": tally.historical,
        "rounded": done.rounded,
        "rejected": len(done.rejected),
        "reported": dict(tally.reported),
        "refused": dict(tally.refused),
        "waiting": tally.waiting,
        "exceptions": tally.exceptions,
        "duplicates": tally.duplicates,
        "resumed_after": done.resumed_after,
    }


def rejections_json(rejected: Sequence[Rejection], left_out: Sequence[Rejection]) -> dict[str, list[dict[str, object]]]:
    """Return rejected rows, and cells that were left out, as --json prints them."""
    return {
        name: [{"line": one.line, "column": one.column, "order": one.order, "reason": one.reason} for one in some]
        for name, some in (("rejections", rejected), ("left_out", left_out))
    }


def in_words(summary: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the name of each count and the count, in the language of the screens."""
    for name, value in summary.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {count}" for key, count in value.items())
        if value or name not in MAY_BE_NOTHING:
            yield tr(LABELS.get(name, name.replace("_", " "))), str(value)


def in_a_line(error: str | None, summary: Mapping[str, object]) -> str:
    """Return in one line what became of a file: why it could not be read at all, or what it has brought."""
    return error or ", ".join(f"{name} {count}" for name, count in in_words(summary))
