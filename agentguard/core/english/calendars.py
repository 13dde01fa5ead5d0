"""Calendars as sentences: on which days, from when to when, and when not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

from agentguard.core.calendar import DAY_END, Calendar, Hours
from agentguard.core.english.values import date_words, list_words

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def calendar_words(calendar: Calendar, zone_name: str) -> str:
    """Return a calendar: `Monday to Friday 08:00 to 18:00; closed on 25 December 2026 (time of Europe/Berlin)`."""
    parts = [f"{days} {_hours(hours)}" for days, hours in _weekdays(calendar)]
    parts += [f"every day {_hours(calendar.daily)}"] if calendar.daily else []
    parts += [f"from {_civil(span.start)} to {_civil(span.end)}" for span in calendar.spans]
    closed = f"; closed on {list_words(date_words(day) for day in sorted(calendar.closed))}" if calendar.closed else ""
    return f"{', '.join(parts) or 'never'}{closed} (time of {calendar.zone or zone_name})"


def _weekdays(calendar: Calendar) -> Iterator[tuple[str, tuple[Hours, ...]]]:
    """Yield days with the same hours together, `Monday to Friday`."""
    for hours, days in groupby(range(7), key=lambda day: calendar.week[day]):
        first, *more = days
        if hours:
            yield f"{DAYS[first]} to {DAYS[more[-1]]}" if more else DAYS[first], hours


def _hours(hours: tuple[Hours, ...]) -> str:
    return list_words(
        f"{item.start:%H:%M} to {'24:00' if item.end == DAY_END else f'{item.end:%H:%M}'}" for item in hours
    )


def _civil(at: datetime) -> str:
    return f"{at:%H:%M} on {date_words(at)}"
