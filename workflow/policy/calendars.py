"""Working days of a place: public holidays, make-up weekends, and the user's own changes."""

from collections.abc import Collection, Iterable
from datetime import MAXYEAR, UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from holidays import HolidayBase, country_holidays
from holidays.registry import COUNTRIES

from language import tr
from tracing.per_input import per_input

_DAY = timedelta(days=1)


class WorkingCalendar:
    """The working days of a country, with own closures and own extra working days (rule 3.3).

    Raises:
        ValueError: the country or the time zone is unknown, or a day is both closed and extra.

    """

    def __init__(
        self,
        country: str = "CN",
        time_zone: str = "Asia/Shanghai",
        closures: Collection[date] = (),
        extra_working_days: Collection[date] = (),
    ) -> None:
        both = sorted(set(closures) & set(extra_working_days))
        if both:
            raise ValueError(tr("{both} is both a closure and an extra working day: keep one", both=both[0]))
        if not any(country in codes for _, *codes in COUNTRIES.values()):
            raise ValueError(
                tr("no holiday calendar for country {country!r}: use an ISO 3166 code such as CN", country=country)
            )
        self.country = country
        self.zone = ZoneInfo(time_zone)
        self._closures = frozenset(closures)
        self._extra = frozenset(extra_working_days)
        self._ends: dict[tuple[date, int], datetime] = {}
        self._known: dict[int, bool] = {}

    def closed_on(self, days: Iterable[date]) -> "WorkingCalendar":
        """Return this calendar with more days on which nobody works."""
        closed = frozenset(days)
        return WorkingCalendar(self.country, self.zone.key, self._closures | closed, self._extra - closed)

    @cached_property
    def _holidays(self) -> HolidayBase:
        """The calendar of the country; the library imports those of all countries for it."""
        return country_holidays(self.country)

    def is_working_day(self, day: date) -> bool:
        """Say whether `day` (local date) is worked."""
        if day in self._extra:
            return True
        return day not in self._closures and bool(self._holidays.is_working_day(day))

    @per_input
    def deadline(self, start: datetime, days: int) -> datetime:
        """Return the end of the `days`-th working day after the local date of `start`, in UTC.

        The end of a day is 00:00 local time of the day after it (rule 3.3).
        """
        first = start.astimezone(self.zone).date()
        end = self._ends.get((first, days))
        if end is None:
            after = self._last_day(first, days) + _DAY
            end = self._ends[first, days] = datetime.combine(after, datetime.min.time(), self.zone).astimezone(UTC)
        return end

    @per_input
    def is_deadline_provisional(self, start: datetime, days: int) -> bool:
        """Say whether the deadline of `days` working days may still change (rule 3.4)."""
        return self.is_provisional(start, self.deadline(start, days))

    def is_provisional(self, start: datetime, deadline: datetime) -> bool:
        """Say whether the span touches a year whose make-up days are not announced yet (rule 3.4)."""
        years = range(start.astimezone(self.zone).year, deadline.astimezone(self.zone).year + 1)
        return self._has_make_up_days and any(not self._announced(year) for year in years)

    def announced_until(self, at: datetime) -> datetime:
        """Return when the first year begins, seen from `at`, that is not announced yet: deadlines before it are final."""
        year = at.astimezone(self.zone).year
        while self._has_make_up_days and self._announced(year) and year < MAXYEAR - 1:
            year += 1
        last = year if self._has_make_up_days else MAXYEAR - 1
        return datetime(last, 1, 1, tzinfo=self.zone).astimezone(UTC)

    def _last_day(self, start: date, days: int) -> date:
        day, left = start, days
        while left:
            day += _DAY
            left -= self.is_working_day(day)
        return day

    def _announced(self, year: int) -> bool:
        """A year is announced when the library knows a make-up day of it."""
        if year not in self._known:
            self._holidays.is_working_day(date(year, 1, 1))  # makes the library load that year
            self._known[year] = any(day.year == year for day in self._holidays.weekend_workdays)
        return self._known[year]

    @cached_property
    def _has_make_up_days(self) -> bool:
        """Only some countries move weekends; elsewhere nothing is left to announce."""
        return self._announced(2024)
