"""How long the windows of limits are at least and at most, and which of them always lie in others."""

from __future__ import annotations

from datetime import timedelta

from agentguard.core.policy import Window, WindowKind

_CLOCKS = timedelta(hours=2)
"""By how much clocks are put forward or back at most."""
_LONGEST = {
    unit: timedelta(days=days) + _CLOCKS for unit, days in (("day", 1), ("week", 7), ("month", 31), ("year", 366))
}
_SHORTEST = {
    unit: timedelta(days=days) - _CLOCKS for unit, days in (("day", 1), ("week", 7), ("month", 28), ("year", 365))
}
_LARGER = {"day": {"day", "week", "month", "year"}, "week": {"week"}, "month": {"month", "year"}, "year": {"year"}}
"""By calendar unit: in which ones of the same zone it always lies."""


def longest(window: Window) -> timedelta | None:
    """Return how long a window is at most; None where it has no end."""
    return _LONGEST[window.unit] if window.unit is not None else window.size


def shortest(window: Window) -> timedelta | None:
    """Return how long a window is at least; None where it has no end."""
    return _SHORTEST[window.unit] if window.unit is not None else window.size


def covers(outer: Window, inner: Window, *, one_zone: bool = True) -> bool:
    """Return whether whatever one window holds is in another one too, at every instant.

    Args:
        outer: The window that holds more.
        inner: The other one.
        one_zone: Whether the days of both begin at the same time.
    """
    if outer.kind is WindowKind.FOREVER:
        return True
    if outer.kind is WindowKind.SLIDING and inner.kind in (WindowKind.SLIDING, WindowKind.CALENDAR):
        most = longest(inner)
        return outer.size is not None and most is not None and outer.size >= most
    if outer.kind is WindowKind.CALENDAR and inner.kind is WindowKind.CALENDAR:
        return one_zone and outer.unit in _LARGER[inner.unit or ""]
    return outer.kind is inner.kind
