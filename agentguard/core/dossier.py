"""The pieces of a handoff packet: what was asked, why it waits, what is known, said, used and done, and who decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Named:
    """A value as words; None where it is personal and was not opened, `(erased)` where its key was destroyed."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Conversation:
    """Where it was asked, as the host says.

    Attributes:
        summary, link: None where the host gave none, or where they were not opened (then they are in `sealed`).
        signals: Whatever else the host said of the situation.
    """

    id: str
    channel: str
    language: str
    summary: str | None
    link: str | None
    sealed: tuple[str, ...]
    signals: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why a person has to decide.

    Attributes:
        kind: `rule`, `limit`, `requirement` or `file`, which speaks where no rule does.
        says: The reason's own words.
        because: What was compared, or counted, a sentence each.
        place, text: Where it stands, and its lines as they were written; empty where there are none.
    """

    source: str
    kind: str
    code: str
    says: str
    because: tuple[str, ...]
    place: str
    text: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A fact that was looked up; `age` in seconds when it was used, `value` None where it is personal and sealed."""

    name: str
    status: str
    value: str | None
    source: str
    read_at: datetime | None
    age: float


@dataclass(frozen=True, slots=True)
class Said:
    """What the customer heard; `words` is None where they are sealed and were not opened.

    Attributes:
        by: Who said it; empty for the words that the policy gave the agent to say.
    """

    at: datetime
    words: str | None
    by: str
    channel: str


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit as it stands now, in minor units or a count (unit `#`).

    Attributes:
        used: Settled and held by others; `held` is the part that is not settled yet.
        this: What this action would add.
        then: What was used when it was asked.
        max: None if it could not be worked out.
    """

    limit: str
    window: str
    unit: str
    used: int
    held: int
    this: int
    then: int
    max: int | None

    @property
    def over(self) -> int:
        """How much too much it would be."""
        return 0 if self.max is None else max(self.used + self.this - self.max, 0)


@dataclass(frozen=True, slots=True)
class Other:
    """Another action for the same customer, and what came of it."""

    action_id: str
    action: str
    arguments: str
    asked_at: datetime
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """What an approver could choose instead that the policy allows by itself: one argument with another value."""

    argument: str
    value: str
    at_most: bool


@dataclass(frozen=True, slots=True)
class Desk:
    """Who may decide on one route, and how many of them are missing.

    Attributes:
        who: As the policy names them.
        people: Those who may still vote now, by name; None where nothing tells who they are.
        reason_codes: The reasons that it takes; empty for any.
    """

    route: str
    who: tuple[str, ...]
    people: tuple[str, ...] | None
    needed: int
    missing: int
    due: datetime
    if_late: str | None
    reason_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote that was cast.

    Attributes:
        note: None where it is sealed and was not opened; empty for none.
        stands_for: In whose place; empty for their own.
        lost: Why it does not count any more, as a code; empty where it does.
    """

    voter: str
    approve: bool
    authenticated: str
    reason_code: str
    note: str | None
    at: datetime
    stands_for: str = ""
    lost: str = ""
