"""The wall clock held against the monotonic one, and against what is recorded."""

import time
from datetime import UTC, datetime, timedelta

from language import tr
from workflow.errors import AftersalesError

JUMP_SECONDS = 0.5
"""When the clocks part by more than this, the wall clock was set, or the machine slept."""
FROZEN_SECONDS = 2.0
"""A watch that was to wake sooner was frozen with its process."""


class ClockNotTrusted(AftersalesError):
    """The clock is too far ahead of all that was recorded; the message says what to do."""


def file_time() -> float:
    """Return the present instant as file systems write it, in seconds since 1970: also of a database with a test clock."""
    return time.time()


def now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


class ClockWatch:
    """Notices, when it is asked again and again, that the clock was set or that the process was frozen."""

    def __init__(self) -> None:
        self._wall, self._monotonic = time.time(), time.monotonic()

    def what_happened(self) -> str | None:
        """Return what happened to the clock since the last call, or None if it ran as it should."""
        wall, monotonic = time.time(), time.monotonic()
        passed, parted = monotonic - self._monotonic, (wall - self._wall) - (monotonic - self._monotonic)
        self._wall, self._monotonic = wall, monotonic
        if abs(parted) > JUMP_SECONDS:
            return f"the clock was set {'ahead' if parted > 0 else 'back'} by {abs(parted):,.1f} s, or the machine slept"
        return f"the process was frozen for {passed:,.1f} s" if passed > FROZEN_SECONDS else None


class PlausibleClock:
    """The wall clock, trusted while it does not run far ahead of all that was recorded before (rule 9.12)."""

    def __init__(self, last_recorded: datetime | None, longest_gap: timedelta) -> None:
        self._last, self._longest_gap = last_recorded, longest_gap

    def why_not(self, at: datetime) -> str | None:
        """Return why an instant cannot be right, or None; one that can be is what later ones are held against."""
        if self._last is not None and at - self._last > self._longest_gap:
            return tr(
                "this machine's clock says {at:%Y-%m-%d %H:%M} UTC, {days:,} days after the last thing that was "
                "recorded ({last:%Y-%m-%d %H:%M} UTC): nothing fires and nothing leaves. If the clock is right, "
                "start with --clock-is-right; if not, set it",
                at=at,
                days=(at - self._last).days,
                last=self._last,
            )
        self._last = at if self._last is None else max(at, self._last)
        return None
