"""How long records of an action are kept, as policies say it; nothing is taken away where nobody says how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

LEAST_DAYS = 183
"""Six months, which the EU AI Act asks of logs (Art. 19, 26(6)); nothing shorter is accepted."""

_DAYS_OF_YEAR = 365


@dataclass(frozen=True, slots=True)
class Period:
    """Whole years, or days."""

    years: int = 0
    days: int = 0

    def __str__(self) -> str:
        number, unit = (self.years, "year") if self.years else (self.days, "day")
        return f"{number} {unit}" if number == 1 else f"{number} {unit}s"

    @property
    def least_days(self) -> int:
        """How many days it has at least."""
        return self.years * _DAYS_OF_YEAR + self.days

    def before(self, moment: datetime) -> datetime:
        """Return the instant so long before another; the 29th of February is the 28th in other years."""
        day = 28 if (moment.month, moment.day) == (2, 29) and self.years else moment.day
        return moment.replace(year=moment.year - self.years, day=day) - timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Retention:
    """What one file says.

    Attributes:
        least: The shortest that the file accepts of itself; None for the shortest that is accepted at all.
        otherwise: For actions that are not named; None where nothing is said about them.
    """

    least: Period | None
    by_action: Mapping[str, Period]
    otherwise: Period | None

    def of(self, action: str) -> Period | None:
        """Return how long records of an action are kept, or None where the file does not say."""
        return self.by_action.get(action, self.otherwise)
