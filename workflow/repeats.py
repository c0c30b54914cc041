"""What becomes of a report that comes under a key which is known (rule 2.14)."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from workflow.case.case import Correction, Report, Told, replace_fields
from workflow.reports import FIELDS
from workflow.vocabulary import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection

_STANDS = (Verdict.applied, Verdict.waiting)
"""Verdicts that nothing is judged again after."""


def to_judge(report: Report, told: Sequence[Told], forgotten: Collection[str] = ()) -> Report | None:
    """Return a report as it is to be judged, after what was told under its key; None: it changes nothing.

    What was applied, waits for a decision or was closed by a person stays so when it comes again; what was refused or kept
    as an exception is judged again. What differs from something that was applied corrects it. `forgotten` are the fields that
    are not compared: those of a buyer who was erased.
    """
    said = _said(report, forgotten)
    applied = [one.report for one in told if one.verdict in _STANDS]
    same = next((one for one in told if _said(one.report, forgotten) == said), None)
    if any(said <= _said(one, forgotten) for one in applied) or (same is not None and same.is_closed):
        return None
    kept = same.report if same else replace_fields(report, nth=len(told) + 1)
    return Correction(**{**vars(kept), "corrects": applied[-1]}) if applied else kept


def is_of_another_parcel(report: Report, told: Sequence[Told], others: Sequence[Report]) -> bool:
    """Say whether a report under a known key is about another parcel, for the known one is told of beside it (rule 2.18).

    Two parcels that left at one instant share the key that is made of it: which of them has it depends on their order.
    """
    number = report.fields.get("tracking_number")
    known = {one.report.fields.get("tracking_number") for one in told if one.verdict in _STANDS} - {None}
    if number is None or not known or number in known:
        return False
    return any(one.trigger == report.trigger and one.fields.get("tracking_number") in known for one in others)


def with_the_key_of_its_parcel(report: Report) -> Report:
    """Return a report with a key of its own parcel."""
    return replace_fields(report, key=f"{report.key}/{report.fields['tracking_number']}")


def _said(report: Report, forgotten: Collection[str]) -> AbstractSet[tuple[str, object]]:
    """Return what a report says; an empty cell says nothing."""
    fields = {name: value for name, value in report.fields.items() if value is not None and name not in forgotten}
    return {"trigger": report.trigger, "at": report.at, **fields}.items()


FORGOTTEN = frozenset(name for fields in FIELDS.values() for name, one in fields.items() if one.personal or one.kind == "text")
"""Fields of reports in which a buyer who was erased may have stood."""
