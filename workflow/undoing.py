"""A person's last step taken back (rule 2.19)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_type_hints

from workflow.case.case import Case, Details
from workflow.draft import Event
from workflow.process import RECORDS, STAYS_DONE
from workflow.reports import FIELDS
from workflow.step import Step, carry_out
from workflow.vocabulary import PERSON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflow.policy.policy import Rules

RESTORED = tuple(
    one.name
    for one in fields(Case)
    if one.name
    not in (
        *("timers_made", "steps", "last_hash", "salt"),
        *("chain_paid", "settled_elsewhere", "requested_elsewhere", "known", "unsent_request"),
    )
)
"""What of a case is as it was before a step that is taken back: all but its history, and what is known of other orders."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A step, or several that one report brought about: their rows in the history, and what was before them.

    `was` are the fields of the case that the steps have changed, as they were.
    """

    trigger: str
    first: int
    last: int
    was: Mapping[str, Any]


def can_be_undone(steps: Sequence[Step]) -> bool:
    """Say whether steps were brought about by what a person has reported or decided, and can be taken back."""
    row = steps[0].history
    is_theirs = row.actor.startswith(PERSON) and (row.trigger in FIELDS or "way" in row.details)
    return is_theirs and row.trigger not in STAYS_DONE and "taken_up" not in row.details


def taken(before: Case, after: Case, steps: Sequence[Step]) -> Taken:
    """Return steps with what they have changed, so that they can be taken back."""
    was = {name: getattr(before, name) for name in RESTORED if getattr(before, name) is not getattr(after, name)}
    return Taken(steps[0].history.trigger, steps[0].history.sequence, steps[-1].history.sequence, was)


def undo(case: Case, what: Taken, at: datetime, by: str, reason: str | None, rules: Rules) -> Step:
    """Take back the last steps of a case."""
    told: Details = {"undoes": what.trigger, "first": what.first, "reason": reason}
    event = Event("undo", at, at, by, {name: value for name, value in told.items() if value is not None}, was=what.was)
    return carry_out(case, event, rules, RECORDS["undo"], None)


def as_kept(was: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a case as JSON keeps them."""
    return {name: _adapter(name).dump_python(value, mode="json") for name, value in was.items()}


def as_read(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a case that JSON has kept."""
    return {name: _adapter(name).validate_python(value) for name, value in kept.items()}


@lru_cache
def _adapter(name: str) -> Any:
    from pydantic import TypeAdapter  # only what is taken back needs it: it takes long to import

    return TypeAdapter(get_type_hints(Case)[name])
