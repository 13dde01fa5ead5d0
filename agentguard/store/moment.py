"""Instants as the tables keep them: microseconds since 1970 UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from agentguard.errors import TamperedError, UsageError

Clock = Callable[[], datetime]
"""Returns the present as an aware time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(moment: datetime) -> int:
    """Return an aware instant as exact microseconds since 1970 UTC.

    Raises:
        UsageError: The instant has no zone, so nobody knows when it was.
    """
    if moment.tzinfo is None:
        raise UsageError(f"expected an instant with a time zone, got `{moment.isoformat()}`; say `tzinfo=UTC`")
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Return the instant in UTC.

    Raises:
        TamperedError: No calendar has such an instant, so nobody stored it as one.
    """
    try:
        return _EPOCH + microseconds * _MICROSECOND
    except OverflowError as error:
        raise TamperedError(f"expected an instant in microseconds since 1970, got `{microseconds}`") from error


def optional_to_microseconds(moment: datetime | None) -> int | None:
    """Return the microseconds of an instant that may be missing."""
    return None if moment is None else to_microseconds(moment)


def optional_from_microseconds(microseconds: int | None) -> datetime | None:
    """Return the instant of microseconds that may be missing."""
    return None if microseconds is None else from_microseconds(microseconds)
