"""What people and other systems did, as a host tells it, and what came of telling it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Required, TypedDict

from agentguard.core.request import Actor, ActorKind
from agentguard.engine.asking import MAX_NAME_CHARACTERS, Given, Proposal
from agentguard.errors import UsageError


class AboutDeed(TypedDict, total=False):
    """What `guard.record` takes beside action and arguments; `Deed` says what each of it is."""

    by: Required[str | Actor]
    source: Required[str]
    happened_at: Required[datetime]
    key: Required[str]
    on_behalf_of: str
    agent: str | Actor | None
    context: Mapping[str, Any] | None
    facts: Mapping[str, Any] | None
    relates_to: str | None
    external_reference: str | None
    tenant: str | None
    partly: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that was done outside the guard.

    Attributes:
        action: What was done, as policies name it.
        arguments: With what; a computed argument may be given too, and is then what it really was.
        by: Who did it: a person by default, an `Actor` for a program.
        source: The system that tells it; (tenant, source, key) names one deed.
        happened_at: When it was done, with its time zone.
        key: The source's own name for it, so that telling it twice counts once.
        agent: The agent to whose limits it counts, where an agent did it without the guard; then `by` tells of it.
        facts: Facts as they were then, by full name (`order.total`); what is not given is looked up as it is now.
        partly: Record it even where a limit cannot count it; otherwise that is an error and nothing is stored.
    """

    action: str
    arguments: Given
    by: str | Actor
    source: str
    happened_at: datetime
    key: str
    on_behalf_of: str = ""
    agent: str | Actor | None = None
    context: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] | None = None
    relates_to: str | None = None
    external_reference: str | None = None
    tenant: str | None = None
    partly: bool = False

    def __post_init__(self) -> None:
        named: dict[str, object] = {
            "by": self.teller.id,
            "source": self.source,
            "key": self.key,
            "external_reference": "-" if self.external_reference is None else self.external_reference,
        }
        for name, value in named.items():
            if not isinstance(value, str) or not value or len(value) > MAX_NAME_CHARACTERS or not value.isprintable():
                raise UsageError(f"expected `{name}` as printable text of 1 to {MAX_NAME_CHARACTERS} characters")
        moment: object = self.happened_at
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            got = f"`{moment.isoformat()}` without one" if isinstance(moment, datetime) else type(moment).__name__
            raise UsageError(
                f"expected `happened_at` as a time with its zone, like `2026-11-22T09:30:00+01:00`, got {got}"
            )
        if self.facts is not None and not isinstance(self.facts, Mapping):
            raise UsageError(f"expected `facts` as a mapping by full name, got {type(self.facts).__name__}")

    @property
    def teller(self) -> Actor:
        """Who did it, or tells of it."""
        return self.by if isinstance(self.by, Actor) else Actor(self.by, kind=ActorKind.PERSON)

    @property
    def actor(self) -> Actor:
        """Whose limits it counts on."""
        if self.agent is None:
            return self.teller
        return self.agent if isinstance(self.agent, Actor) else Actor(self.agent)

    @property
    def moment(self) -> datetime:
        """When it happened, in UTC."""
        return self.happened_at.astimezone(UTC)

    def proposal(self, tenant: str) -> Proposal:
        """Return it as what a host could have asked for.

        Raises:
            UsageError: A name is not one.
        """
        return Proposal(
            action=self.action,
            arguments=self.arguments,
            actor=self.actor,
            on_behalf_of=self.on_behalf_of,
            context={} if self.context is None else self.context,
            key=self.key,
            tenant=self.tenant or tenant,
            relates_to=self.relates_to,
        )


@dataclass(frozen=True, slots=True)
class LimitStanding:
    """Where a limit stands after something was recorded, in minor units or a count.

    Attributes:
        unit: A currency code, or `#` for counts.
        amount: What the deed came to.
        used: Held and settled in the limit's window now, this deed included where it is still in the window.
        max: None if it could not be evaluated.
    """

    limit: str
    unit: str
    amount: int
    used: int
    held: int
    max: int | None

    @property
    def over(self) -> bool:
        """Whether more is used than the max allows: what follows is refused until the window has moved on."""
        return self.max is not None and self.used > self.max

    @property
    def left(self) -> int | None:
        """What is left; below zero where it is over, None where the max is not known."""
        return None if self.max is None else self.max - self.used


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What a deed gave back of an earlier action: a limit, the unit and how much."""

    limit: str
    unit: str
    amount: int
    action_id: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of recording one deed.

    Attributes:
        action_id: Id under which the record finds it; empty in a dry run.
        entry: Position of its entry in the log; None in a dry run.
        limits: Each limit that counts it, as it stood when it was recorded.
        uncounted: Limits that could not count it, each with why (only with `partly`).
        freed: What it gave back of an earlier action.
        replayed: True where it had been recorded before; nothing was stored again.
    """

    action_id: str
    action: str
    entry: int | None
    limits: tuple[LimitStanding, ...] = ()
    uncounted: tuple[str, ...] = ()
    freed: tuple[GivenBack, ...] = ()
    replayed: bool = False

    @property
    def over(self) -> tuple[LimitStanding, ...]:
        """The limits that are over their max."""
        return tuple(standing for standing in self.limits if standing.over)


def recorded_from(body: Mapping[str, Any], entry: int, *, replayed: bool) -> Recorded:
    """Return what came of recording a deed, as its entry tells it."""
    return Recorded(
        action_id=body["action_id"],
        action=body["action"],
        entry=entry,
        limits=tuple(
            LimitStanding(
                item["limit"],
                item["unit"],
                int(item["amount"]),
                int(item["after"]),
                int(item["held"]),
                None if item["max"] is None else int(item["max"]),
            )
            for item in body["limits"]
        ),
        uncounted=tuple(f"{limit}: {why}" for limit, why in body["uncounted"].items()),
        freed=tuple(
            GivenBack(item["limit"], item["unit"], item["amount"], item["action_id"])
            for item in body.get("freed") or ()
        ),
        replayed=replayed,
    )
