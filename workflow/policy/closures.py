"""Days on which suppliers are closed: time within them does not count for what a supplier is to do (rule 3.11)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tracing.per_input import per_input
from workflow.names import folded

if TYPE_CHECKING:
    from workflow.policy.calendars import WorkingCalendar
    from workflow.policy.durations import Duration

_DAY = timedelta(days=1)
Closed = tuple[str | None, date, date]
"""A supplier (None: all), and the first and the last day on which it is closed."""
Span = tuple[datetime, datetime]


class Closures:
    """The closures of suppliers, in days of the calendar's place."""

    def __init__(self, closed: Sequence[Closed], calendar: WorkingCalendar) -> None:
        self.closed, self._calendar = tuple(closed), calendar
        self._names = {folded(whose) for whose, _, _ in closed if whose is not None}
        self._spans: dict[str | None, tuple[Span, ...]] = {}
        self._calendars: dict[str | None, WorkingCalendar] = {}

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self.closed)

    @property
    def digest(self) -> str:
        """What tells these closures from others."""
        return hashlib.sha256(repr(sorted(map(repr, self.closed))).encode()).hexdigest()[:12]

    @per_input
    def after(self, start: datetime, supplier: str | None, duration: Duration) -> datetime:
        """Return the instant that lies a duration of a supplier's open time after `start`."""
        if duration.unit == "wd":
            return self._calendar_of(supplier).deadline(start, duration.count)
        return self._open_after(start, supplier, duration.span())

    @per_input
    def resumed(self, due_at: datetime, paused_at: datetime, at: datetime, supplier: str | None) -> datetime:
        """Return when a timer is due that was paused and goes on at `at`: as much open time is left as was left then."""
        left, since, at = timedelta(0), paused_at, max(at, paused_at)
        for begin, end in self._spans_of(supplier):
            if end > since and begin < due_at:
                left += max(begin, since) - since
                since = min(max(end, since), due_at)
        left += max(due_at, since) - since
        return self._open_after(at, supplier, left)

    def between(self, start: datetime, end: datetime, supplier: str | None) -> list[tuple[date, date]]:
        """Return from which to which day a supplier is closed between two instants."""
        zone = self._calendar.zone
        closed = (span for span in self._spans_of(supplier) if span[0] < end and span[1] > start)
        return [(begin.astimezone(zone).date(), last.astimezone(zone).date() - _DAY) for begin, last in closed]

    def _open_after(self, start: datetime, supplier: str | None, span: timedelta) -> datetime:
        at = start
        if not span:
            return at
        for begin, end in self._spans_of(supplier):
            if end <= at:
                continue
            if begin - at >= span:  # at the very instant at which it closes it was still open
                break
            span -= max(begin - at, timedelta(0))
            at = end
        return at + span

    def _spans_of(self, supplier: str | None) -> tuple[Span, ...]:
        """Return the spans in which a supplier is closed, in order, none touching the next."""
        supplier = self._named(supplier)
        if supplier not in self._spans:
            self._spans[supplier] = tuple(_merged(sorted(self._of(supplier)), self._calendar.zone))
        return self._spans[supplier]

    def _of(self, supplier: str | None) -> Iterator[tuple[date, date]]:
        for whose, first, last in self.closed:
            if whose is None or folded(whose) == supplier:
                yield first, last

    def _named(self, supplier: str | None) -> str | None:
        """Return a supplier as the closures name it; None: none does."""
        name = folded(supplier) if supplier is not None else None
        return name if name in self._names else None

    def _calendar_of(self, supplier: str | None) -> WorkingCalendar:
        supplier = self._named(supplier)
        if supplier not in self._calendars:
            days = (first + _DAY * n for first, last in self._of(supplier) for n in range((last - first).days + 1))
            self._calendars[supplier] = self._calendar.closed_on(days)
        return self._calendars[supplier]


def _merged(days: Sequence[tuple[date, date]], zone: ZoneInfo) -> Iterator[Span]:
    """Yield sorted closed days as spans that neither overlap nor touch."""
    spans: list[tuple[date, date]] = []
    for first, last in days:
        begin, end = spans.pop() if spans and first <= spans[-1][1] else (first, first)
        spans.append((begin, max(end, last + _DAY)))
    for begin, end in spans:
        yield _instant(begin, zone), _instant(end, zone)


def _instant(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, datetime.min.time(), zone).astimezone(UTC)
