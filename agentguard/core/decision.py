"""A decision: a verdict, the reasons for it, and everything it looked at.

Reason codes are past facts and stable:

    rule_matched         a rule's condition held
    no_rule_matched      no rule matched; the file's `otherwise` speaks
    limit_exceeded       the limit would be passed by this action
    requirement_missing  what had to happen first did not
    not_confirmed        the customer has not said yes to exactly this request, or too long ago, or for another action
    cannot_evaluate      something could not be evaluated (law 9)
    arguments_invalid    the arguments are not what the action declares
    action_unknown       no policy file governs this action
    all_abstained        every file that governs this action abstained
    rejected, expired, withdrawn   how an escalation ended without approval
    amended              an approver changed what was asked for: another action took its place
    halted               a person stopped this action, this agent or everything
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from agentguard.core.policy import Disclose, Route, Verdict


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a decision says what it says.

    Attributes:
        code: One of the stable codes above.
        source: The qualified id it came from: `refunds/small-refund`, `refunds/otherwise`, `refunds/on_error`.
        verdict: What this reason alone asks for.
        route: Qualified id of the route, where it escalates.
        because: The words for the record, filled in.
        disclose: What the model may hear of it.
        detail: What could not be evaluated, or which argument was wrong; for the record, never for the model.
    """

    code: str
    source: str
    verdict: Verdict
    route: str | None = None
    because: str = ""
    disclose: Disclose = Disclose.CODE
    detail: str = ""

    @property
    def identity(self) -> str:
        """What a vote binds to: the code, the source and the route, without values."""
        return f"{self.code}:{self.source}:{self.route or ''}"


class LimitCheck(NamedTuple):
    """One limit as it was checked, in minor units or a count.

    Attributes:
        account: Preimage of the account (who shares it); the store keys it by a keyed digest of this text.
        unit: A currency code, or `#` for counts and plain numbers.
        window_start: Exclusive for sliding windows, inclusive for calendar ones; None for `forever` and `conversation`.
        max: None if it could not be evaluated.
    """

    limit: str
    account: str
    unit: str
    window_start: datetime | None
    used: int
    held: int
    amount: int
    max: int | None
    fits: bool


@dataclass(frozen=True, slots=True)
class RequirementCheck:
    """One requirement as it was checked: the entry that satisfies it, or None."""

    requirement: str
    entry: int | None


@dataclass(frozen=True, slots=True)
class AskedRoute:
    """A route that a decision escalates to; routes of different files must all be satisfied.

    Attributes:
        following: The route that takes over when this one is late; None where late means no.
    """

    id: str
    route: Route
    following: AskedRoute | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of `decide`.

    Attributes:
        approved: True where the verdict is `escalate` and the votes lift every reason for it.
        reasons: The deciding ones first, then the rest that spoke, in the order of the files.
        matched: Qualified ids of every rule whose condition held, allow rules included.
        routes: What must be satisfied, one a file; empty unless the verdict is `escalate`.
        holds: The limit checks this action would hold on, whether they fit or not.
        say: Words for the customer with the language they are in, or empty.
        shadow: What the files in shadow mode would have said together, or None without such files.
        witness: True if it is carried out only after a witness has seen the entry that says so.
    """

    verdict: Verdict
    approved: bool
    reasons: tuple[Reason, ...]
    matched: tuple[str, ...]
    routes: tuple[AskedRoute, ...]
    limits: tuple[LimitCheck, ...]
    requirements: tuple[RequirementCheck, ...]
    say: str
    language: str
    shadow: Decision | None = None
    witness: bool = False

    @property
    def permits(self) -> bool:
        """True if the action may run now: allowed, or escalated and approved."""
        return self.verdict is Verdict.ALLOW or (self.verdict is Verdict.ESCALATE and self.approved)

    @property
    def heard(self) -> str:
        """The words for the customer that are still true: of what was approved none, since they were for the wait."""
        return "" if self.approved else self.say
