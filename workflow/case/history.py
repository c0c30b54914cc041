"""The history of an order: append-only rows, each chained to the one before by its hash (rule 6.1)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workflow.case.case import Details, made
from workflow.plurals import counted
from workflow.symbols import digest, plain
from workflow.vocabulary import State


@dataclass(frozen=True)
class HistoryRow:
    """One step of an order. `due` is set when a timer fired it; `hash` covers the row and the hash before."""

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
    hash: str = ""


def sealed(order: str, previous: str, fields: dict[str, Any]) -> HistoryRow:
    """Return the row of `order` that comes after the one with the hash `previous`."""
    whole = fields | {"hash": ""}
    row = made(HistoryRow, whole)
    whole["hash"] = chain(order, previous, row)  # nothing has seen the row yet, and a copy of it would cost more
    return row


def chain(order: str, previous: str, row: HistoryRow) -> str:
    """Return the hash that binds `row` of `order` to the row before it."""
    occurred = _written_at(row.occurred)
    recorded = occurred if row.recorded is row.occurred else _written_at(row.recorded)
    parts = [
        previous,
        order,
        row.sequence,
        row.trigger,
        row.source,
        row.target,
        occurred,
        _written_at(row.due),
        recorded,
        row.actor,
        row.reason,
        dict(sorted(row.details.items())),
        row.policy,
    ]
    return digest(previous, _written(parts))


def _written_at(at: datetime | None) -> str | datetime | None:
    """Return an instant as it is hashed; a symbol is written when its value is filled in."""
    return at.isoformat() if isinstance(at, datetime) else at


_written = json.JSONEncoder(check_circular=False, separators=(",", ":"), default=plain).encode


def broken_at(order: str, rows: Iterable[HistoryRow], count: int, last_hash: str) -> str | None:
    """Say what is wrong with an order's history, or None when the chain holds.

    `count` and `last_hash` are what the order itself keeps, so that a cut-off end shows too (rule 6.2).
    """
    previous, expected = "", 1
    for row in rows:
        if row.sequence != expected:
            return f"row {expected} is missing or out of order"
        if chain(order, previous, row) != row.hash:
            return f"row {row.sequence} was changed after it was written"
        previous, expected = row.hash, expected + 1
    if expected - 1 != count or previous != last_hash:
        return f"the order counts {counted(count, 'row')} and the history has {expected - 1}"
    return None
