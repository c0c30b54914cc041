"""The history of an order: append-only rows, each chained to the one before by its hash (rule 6.1)."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from language import counted, tr
from tracing.per_input import per_input
from workflow.case.canonical import ascii_json
from workflow.case.case import Details, made
from workflow.values import value_class
from workflow.vocabulary import State


@value_class(frozen=True)
class HistoryRow:
    """One step of an order. `due` is set when a timer fired it; `hash` covers the row and the hash before.

    `wrote` is what the step wrote of the order (`sealing.written`); None where an older program took it.
    """

    sequence: int
    trigger: str
    source: State | None
    target: State
    occurred: datetime
    due: datetime | None
    recorded: datetime
    actor: str
    reason: str | None
    details: Details
    policy: int
    wrote: str | None = None
    hash: str = ""


def sealed(order: str, previous: str, fields: dict[str, Any]) -> HistoryRow:
    """Make `fields` the row of `order` that comes after the one with the hash `previous`; return it."""
    fields["hash"] = ""
    row = made(HistoryRow, fields)
    fields["hash"] = chain(order, previous, row)  # nothing has seen the row yet, and a copy of it would cost more
    return row


def chain(order: str, previous: str, row: HistoryRow) -> str:
    """Return the hash that binds `row` of `order` to the row before it."""
    parts = [
        order,
        row.sequence,
        row.trigger,
        row.source,
        row.target,
        row.occurred,
        row.due,
        row.recorded,
        row.actor,
        row.reason,
        dict(sorted(row.details.items())),
        row.policy,
    ]
    return _digest(previous, ascii_json(parts), row.wrote)


@per_input
def _digest(previous: str, parts: str, wrote: str | None) -> str:
    """Return the SHA-256 of a JSON list: the digest before it, then `parts`, which is a list itself, and what was written."""
    told = parts if wrote is None else f"{parts[:-1]},{wrote}]"
    return hashlib.sha256(f'["{previous}",{told[1:]}'.encode()).hexdigest()


def broken_at(order: str, rows: Iterable[HistoryRow], count: int, last_hash: str) -> str | None:
    """Say what is wrong with an order's history, or None when the chain holds.

    `count` and `last_hash` are what the order itself keeps, so that a cut-off end shows too (rule 6.2).
    """
    previous, expected = "", 1
    for row in rows:
        if row.sequence != expected:
            return tr("row {expected} is missing or out of order", expected=expected)
        if chain(order, previous, row) != row.hash:
            return tr("row {sequence} was changed after it was written", sequence=row.sequence)
        previous, expected = row.hash, expected + 1
    if expected - 1 != count or previous != last_hash:
        return tr("the order counts {rows} and the history has {expected}", rows=counted(count, "row"), expected=expected - 1)
    return None


def taken_back(history: Sequence[HistoryRow]) -> set[int]:
    """Return the numbers of the steps of a history that a later one has taken back."""
    undos = (row for row in history if row.trigger == "undo")
    return {sequence for row in undos for sequence in range(int(row.details["first"] or 0), row.sequence)}
