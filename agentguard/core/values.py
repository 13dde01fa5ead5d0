"""Values as people read them in a sentence: an instant by the clocks of a zone, a length of time in its units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from agentguard.core.language import Value

_MOST_OF_A_UNIT = 100
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def value_text(value: Value, zone: tzinfo = UTC) -> str:
    """Return a value as a person would write it; an instant as a policy file writes one, `2026-11-23 08:00`."""
    match value:
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(value_text(item, zone) for item in value)
        case Mapping():
            return "{" + ", ".join(f"{name}: {value_text(item, zone)}" for name, item in value.items()) + "}"
        case datetime():
            return f"{value.astimezone(zone):%Y-%m-%d} {clock_text(value, zone)}"
        case timedelta():
            return duration_words(value)
        case _:
            return str(value)


def clock_text(at: datetime, zone: tzinfo) -> str:
    """Return the time of day of an instant in a zone, `18:30`, with seconds where there are any."""
    local = at.astimezone(zone)
    return f"{local:%H:%M:%S}" if local.second or local.microsecond else f"{local:%H:%M}"


def duration_words(value: timedelta) -> str:
    """Return a length of time exactly, in one unit where that reads well: `90 minutes`, `10 days 2 hours`."""
    seconds = value // timedelta(seconds=1)
    sign, seconds = ("minus ", -seconds) if seconds < 0 else ("", seconds)
    size, unit = next((item for item in _UNITS if seconds % item[0] == 0 and seconds), _UNITS[-1])
    if unit == "day" or seconds < _MOST_OF_A_UNIT * size:
        return f"{sign}{counted(seconds // size, unit)}"
    parts = []
    for part, name in _UNITS:
        count, seconds = divmod(seconds, part)
        parts += [counted(count, name)] if count else []
    return f"{sign}{' '.join(parts)}"


def counted(count: int, unit: str) -> str:
    """Return a number with its unit: `1 day`, `2 days`."""
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
