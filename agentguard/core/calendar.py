"""Civil time: calendars of opening hours, and where civil days, weeks, months and years begin.

Time zones come in as arguments. An instant is inside a calendar when a clock on the wall shows a time inside it, so
both passings of a doubled hour are read alike. A day whose midnight comes twice begins at the first one: the longer day
counts more, which is the stricter reading for a limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

_DAY = timedelta(days=1)
_MAX_SEARCH_DAYS = 3_700

DAY_END = time.max
"""Stands for midnight at the end of a day, `24:00`."""


@dataclass(frozen=True, slots=True)
class Span:
    """From one civil moment to another, the end not included."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Hours:
    """From one time of day to another, the end not included; an end at or before the start is on the next day."""

    start: time
    end: time

    @property
    def overnight(self) -> bool:
        """True if the hours run past midnight."""
        return self.end != DAY_END and self.end <= self.start


@dataclass(frozen=True, slots=True)
class Calendar:
    """When something is open, quiet or blocked, in civil time.

    Attributes:
        week: Hours by weekday, Monday first; overnight hours belong to the day they begin on.
        closed: Days without any of the weekly hours; overnight hours of the day before end at midnight.
        spans: Civil spans (naive datetimes) that count as inside, closed days or not.
        daily: Hours that count as inside on every day, closed days or not.
        zone: The calendar's own zone, where it is not the file's.
    """

    week: tuple[tuple[Hours, ...], ...] = ((), (), (), (), (), (), ())
    closed: frozenset[date] = frozenset()
    spans: tuple[Span, ...] = ()
    daily: tuple[Hours, ...] = ()
    zone: tzinfo | None = None

    def contains(self, instant: datetime, zone: tzinfo) -> bool:
        """Return whether an instant is inside, in the calendar's own zone or else in this one."""
        local = instant.astimezone(self.zone or zone)
        civil = local.replace(tzinfo=None, fold=0)
        if any(span.start <= civil < span.end for span in self.spans):
            return True
        return any(start <= civil < end for start, end in self._hours_around(civil))

    def _hours_around(self, civil: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the civil intervals that begin on the day of a moment or the day before."""
        for day in (civil.date() - _DAY, civil.date()):
            yield from self._hours_of(day)

    def _hours_of(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """Yield the civil intervals that begin on a day."""
        for hours in self.daily:
            yield _interval(day, hours)
        if day in self.closed:
            return
        for hours in self.week[day.weekday()]:
            start, end = _interval(day, hours)
            if hours.overnight and day + _DAY in self.closed:
                end = datetime.combine(day + _DAY, time.min)
            yield start, end

    def add_working_time(self, start: datetime, duration: timedelta, zone: tzinfo) -> datetime | None:
        """Return the instant at which so much of the calendar's hours has passed since a start.

        Returns:
            UTC, or None if the hours do not suffice within ten years.
        """
        zone = self.zone or zone
        left = duration
        first = start.astimezone(zone).date() - _DAY
        done = start.astimezone(UTC)
        for offset in range(_MAX_SEARCH_DAYS):
            for opens, closes in self._open_on(first + offset * _DAY, zone, begun=offset == 0):
                begin = max(opens, done)
                if closes <= begin:
                    continue
                if closes - begin >= left:
                    return begin + left
                left -= closes - begin
                done = closes
        return None

    def last_start(self, first: datetime, end: datetime, duration: timedelta, zone: tzinfo) -> datetime | None:
        """Return the last instant from which so much of the calendar's hours passes before an end, by halving.

        Returns:
            UTC; None where even from the first instant on so much does not pass.
        """
        low, high = first.astimezone(UTC), end.astimezone(UTC)
        if not self._passes(low, high, duration, zone):
            return None
        while high - low > timedelta(microseconds=1):
            middle = low + (high - low) // 2
            if self._passes(middle, end, duration, zone):
                low = middle
            else:
                high = middle
        return low

    def _passes(self, start: datetime, end: datetime, duration: timedelta, zone: tzinfo) -> bool:
        passed = self.add_working_time(start, duration, zone)
        return passed is not None and passed <= end

    def _open_on(self, day: date, zone: tzinfo, *, begun: bool) -> list[tuple[datetime, datetime]]:
        """Return the intervals that begin on a day as instants in UTC, in order; spans of earlier days if `begun`."""
        found = list(self._hours_of(day))
        starting = [span for span in self.spans if span.start.date() == day or (begun and span.start.date() < day)]
        found.extend((span.start, span.end) for span in starting)
        return sorted((to_instant(opens, zone), to_instant(closes, zone)) for opens, closes in found)


def _interval(day: date, hours: Hours) -> tuple[datetime, datetime]:
    start = datetime.combine(day, hours.start)
    if hours.end == DAY_END:
        return start, datetime.combine(day + _DAY, time.min)
    return start, datetime.combine(day + _DAY if hours.overnight else day, hours.end)


def to_instant(civil: datetime, zone: tzinfo) -> datetime:
    """Return a civil moment as an instant in UTC.

    A moment that the clock shows twice is the earlier one. One that the clock skips is the instant of the jump.
    """
    local = civil.replace(tzinfo=zone, fold=0)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == civil.replace(fold=0):
        return instant
    return _jump(civil, zone)


def _jump(civil: datetime, zone: tzinfo) -> datetime:
    """Return the instant at which the clock jumps over a civil moment, by halving."""
    low = civil.replace(tzinfo=UTC) - timedelta(hours=30)
    high = civil.replace(tzinfo=UTC) + timedelta(hours=30)
    while high - low > timedelta(microseconds=1):
        middle = low + (high - low) // 2
        if middle.astimezone(zone).replace(tzinfo=None) < civil:
            low = middle
        else:
            high = middle
    return high


def start_of(unit: str, instant: datetime, zone: tzinfo) -> datetime:
    """Return when the civil day, week (from Monday), month or year of an instant began, in UTC.

    Where midnight does not exist that day, the day begins at the jump; where it exists twice, at the first.
    """
    return _start_of(unit, instant.astimezone(zone).date(), zone)


@lru_cache(maxsize=64)
def _start_of(unit: str, day: date, zone: tzinfo) -> datetime:
    if unit == "week":
        day -= day.weekday() * _DAY
    elif unit == "month":
        day = day.replace(day=1)
    elif unit == "year":
        day = day.replace(month=1, day=1)
    elif unit != "day":
        raise ValueError(f"a civil window is a day, week, month or year, got `{unit}`")
    return to_instant(datetime.combine(day, time.min), zone)
