"""Which decisions people look at afterwards: the share that a policy asks for, and a draw that no agent can steer.

A draw is a keyed digest of the policy's name and the action's id. Whoever has the key can make every draw again; who
has not can neither foresee one nor choose an id that is drawn less often than others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from agentguard.core.calendar import start_of
from agentguard.core.digest import canonical_bytes

WHOLE = 100_000
"""Every decision, in thousandths of a percent, as shares are kept."""

SHARE = "share"
LEAST = "least"
"""By what a decision was drawn: by the share, or afterwards because too few of its kind were."""

DRAWN = "review_drawn"
REVIEWED = "reviewed"
"""Kinds of entries."""

RIGHT = "right"
WRONG = "wrong"
OPINIONS = (RIGHT, WRONG)
SEVERITIES = ("minor", "major", "critical")
VERDICTS = ("allow", "deny")
"""What is drawn from: what was decided without a person."""

STRATA: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "agent": lambda body: body["actor"]["id"],
    "agent version": lambda body: body["actor"]["version"] or "",
    "model": lambda body: body["actor"]["model"] or "",
    "action": lambda body: body["action"],
}
"""What decisions can be told apart by, as their entries say it; not the verdict, which whoever judges must not see."""

_VALUES = 2**64
_VALUE_DIGITS = 16
_ID_DIGITS = 20
_LONGEST_PERIOD = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How much of what a policy decides people look at afterwards.

    Attributes:
        source: As it was written.
        share: Of each decision's chance to be drawn, in thousandths of a percent: 2 % is 2,000.
        least: How many of each kind are drawn at least, once the period is over; 0 for no such number.
        period: `week` or `day`, civil time in the policy's zone.
        by: Names of `STRATA`: what makes a kind; empty where all decisions are one.
    """

    source: str
    share: int
    least: int = 0
    period: str = "week"
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draw:
    """The draw of one policy over one action.

    Attributes:
        value: 16 hexadecimal digits, any of them as likely as any other; the smallest are drawn.
        case: The id that the case has or would have.
    """

    policy: str
    value: str
    case: str

    def takes(self, share: int) -> bool:
        """Return whether a share takes this draw; exactly, without rounding."""
        return int(self.value, 16) * WHOLE < share * _VALUES


@dataclass(frozen=True, slots=True)
class ReviewCase:
    """A decision that was drawn.

    Attributes:
        entry: Position of the decision.
        stratum: What its kind is, value by value; empty where all decisions of the policy are one kind.
        period: The first civil day of the week or day that it belongs to.
        how: `share` or `least`.
        verdict: `right` or `wrong` once somebody judged it.
    """

    id: str
    policy: str
    action_id: str
    entry: int
    stratum: tuple[str, ...]
    period: str
    how: str
    drawn_at: datetime
    verdict: str | None = None


def draw(keyed: Callable[[str], str], policy: str, action_id: str) -> Draw:
    """Return the draw of a policy over an action, under the key that `keyed` makes digests with."""
    digits = keyed(canonical_bytes([policy, action_id]).decode())
    return Draw(policy, digits[:_VALUE_DIGITS], f"rev_{digits[_VALUE_DIGITS : _VALUE_DIGITS + _ID_DIGITS]}")


def stratum_of(by: tuple[str, ...], body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return of which kind a recorded decision is."""
    return tuple(STRATA[name](body) for name in by)


def period_of(unit: str, at: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return when the civil week or day of an instant begins and ends, in UTC."""
    start = start_of(unit, at, zone)
    # Half a unit into the next one is past every change of clocks, and not yet in the one after it.
    return start, start_of(unit, start + (_LONGEST_PERIOD if unit == "week" else timedelta(hours=36)), zone)


def opinion(said: list[str]) -> str | None:
    """Return what counts of several opinions: that of most; where as many say the one as the other, `wrong`."""
    if not said:
        return None
    return WRONG if 2 * said.count(WRONG) >= len(said) else RIGHT
