"""Durations as the policy writes them: "2d", "36h", "5m", "15wd"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from language import tr

if TYPE_CHECKING:
    from workflow.policy.calendars import WorkingCalendar

FIRST_YEAR, LAST_YEAR = 1990, 2199
"""The years that instants may lie in."""
_FORM = re.compile(r"(\d{1,4})(wd|d|h|m)", re.ASCII)
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60}


@dataclass(frozen=True)
class Duration:
    """A length of time: whole days of 24 hours, hours, minutes, or working days (rule 3.1)."""

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read "2d", "36h", "5m" or "15wd".

        Raises:
            ValueError: the text has another form.

        """
        found = _FORM.fullmatch(text)
        if not found:
            raise ValueError(tr("{given!r} is not a duration: write 2d, 36h, 5m or 15wd (working days)", given=text))
        return cls(int(found[1]), found[2])

    def after(self, start: datetime, calendar: WorkingCalendar) -> datetime:
        """Return the instant that lies this long after `start`."""
        if self.unit == "wd":
            return calendar.deadline(start, self.count)
        return start + self._fixed

    def span(self) -> timedelta:
        """Return the fixed length; only for units that have one.

        Raises:
            ValueError: working days have no fixed length.

        """
        if self.unit == "wd":
            raise ValueError(tr("{duration} has no fixed length: write days, hours or minutes", duration=self))
        return self._fixed

    @cached_property
    def _fixed(self) -> timedelta:
        return timedelta(seconds=self.count * _SECONDS[self.unit])

    def minus(self, other: Duration) -> Duration:
        """Return what is left of this duration after `other`, of the same unit."""
        return Duration(self.count - other.count, self.unit)

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"
