"""What kind of deed a tool does, and so what may be done when nobody knows whether it happened."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Read:
    """Changes nothing; running it again is always safe."""


@dataclass(frozen=True, slots=True)
class Idempotent:
    """The receiver knows the key: sending the same key again does nothing new, for `ttl` after the first sending."""

    ttl: timedelta


@dataclass(frozen=True, slots=True)
class Queryable:
    """The receiver can be asked what became of a key.

    Attributes:
        lookup: Called with the tool's arguments by name (`key` too, if it takes it); returns what the tool would have
            returned, or None where nothing was found.
        settle_lag: "Nothing found" counts only this long after the deadline, since a late request may still land.
    """

    lookup: Callable[..., Any]
    settle_lag: timedelta = field(default=timedelta(minutes=5))


@dataclass(frozen=True, slots=True)
class Unprotected:
    """Nothing is known: at most once, and a person looks when the outcome is not known."""


Effect = Read | Idempotent | Queryable | Unprotected


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a tool that may be sent again is sent again, inside its own deadline.

    Attributes:
        attempts: Calls in all, the first one counted.
        wait: Pause before the second call; doubled before each further one.
    """

    attempts: int = 3
    wait: timedelta = field(default=timedelta(milliseconds=200))


class OutcomeKind(enum.StrEnum):
    """What a tool's call came to, as far as anybody knows."""

    DONE = "done"
    NOT_DONE = "not_done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of calling a tool.

    Attributes:
        result: What the tool returned, where it is done.
        error: Class name of what was raised, for the record; its words may hold personal data and are not kept.
    """

    kind: OutcomeKind
    result: Any = None
    error: str = ""


def name_of(effect: Effect) -> str:
    """Return the effect's name as rows and entries carry it."""
    return type(effect).__name__.lower()
