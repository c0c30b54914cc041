"""What of a file was not taken, and why."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from inbound.rows import Cell, Row
from language import tr
from workflow.values import value_class


@value_class(frozen=True, slots=True)
class Rejection:
    """A row or a report that was not taken: where it stands, why, and since when it exists (None: not known).

    Where `is_cell`, only that cell was left out, and its row was taken; so it was where only a report could not be read.
    """

    line: int
    column: str | None
    reason: str
    order: str | None = None
    since: datetime | None = None
    is_cell: bool = False
    trigger: str | None = None
    """The report that could not be read, where the row was one's."""
    identity: str | None = None
    """What such a report is known by, from file to file: its trigger, a digest of the cell, and one of its parcel's number."""


class BadRow(Exception):
    """Carries a rejection to where rejections are collected; `known` is what was read before it."""

    def __init__(
        self, line: int, column: str | None, reason: str, known: dict[str, Any] | None = None, cell: Cell = ""
    ) -> None:
        self.cell = cell
        told = known or {}
        since = told.get("since") or told.get("placed_at")
        self.rejection = Rejection(line, column, reason, told.get("id"), since)
        super().__init__(reason)

    def of_its_cell(self) -> Rejection:
        """Return that the cell alone was left out."""
        return replace(self.rejection, is_cell=True)


def without_its_first(row: Row, first: Rejection) -> Rejection:
    """Reject a later row of an order whose first row cannot be read: nobody knows what that one would have said."""
    why = tr("the first row of its order, line {line}, was rejected", line=first.line)
    return Rejection(row.line, None, why, first.order, first.since)
