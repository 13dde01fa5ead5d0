"""One request as everybody sees it: canonical arguments, facts with their sources, votes.

The values are frozen before anything looks at them, so that policy, digest, approver and tool see the same (law 16).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from agentguard.core.language import Value

SUMMARY = "context.summary"
LINK = "context.link"
FOR_PEOPLE = frozenset({SUMMARY, LINK})
"""What the host tells whoever has to decide: what happened so far, and where. Personal, and no rule can read it."""


class ActorKind(enum.StrEnum):
    """Who acts: a program that a model steers, a person, or another system of the host's."""

    AGENT = "agent"
    PERSON = "person"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, with what the host tells about its make (digests are SHA-256 in hex, given by the host).

    Attributes:
        operator: The person who runs an agent, by id or login; they may not decide what it asks for.
    """

    id: str
    version: str | None = None
    model: str | None = None
    prompt_digest: str | None = None
    tools_digest: str | None = None
    kind: ActorKind = ActorKind.AGENT
    operator: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, made canonical.

    Attributes:
        on_behalf_of: The customer acted for; text, may be empty only if no rule reads it.
        arguments: By short name, already of their declared types, defaults filled in, computed ones absent.
        context: By full name (`context.conversation`).
        key: The caller's name for this action, unique per (tenant, agent, conversation).
        asked_at: When this key was first proposed (UTC).
    """

    tenant: str
    actor: Actor
    on_behalf_of: str
    action: str
    arguments: Mapping[str, Value]
    context: Mapping[str, Value]
    key: str
    asked_at: datetime


class FactStatus(enum.StrEnum):
    """What a lookup gave: a value, the knowledge that there is none, or nothing at all."""

    VALUE = "value"
    ABSENT = "absent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact as it was read: its value or why there is none, from where and when (UTC)."""

    status: FactStatus
    value: Value | None = None
    source: str = ""
    read_at: datetime | None = None


class Usage(NamedTuple):
    """What a limit's account says at one moment, in minor units or a count.

    Attributes:
        held: Held now by actions that are not settled yet, this one excluded.
        settled: Settled inside the window, this one excluded.
    """

    held: int
    settled: int

    @property
    def used(self) -> int:
        """Held plus settled: what `used()` reads."""
        return self.held + self.settled


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's yes or no to one escalation.

    Attributes:
        escalation: The escalation voted on; `request_digest` and `reasons` are what was shown.
        groups: The groups the voter was in when the vote was counted, as `group:…`.
        authenticated: How the voter was known: `os_login`, `token`, `oidc`, `unverified`.
        stands_for: The absent person whose place the voter takes; empty for their own.
        late: Qualified ids of the routes whose time was over when this escalation took over from them.
    """

    escalation: str
    voter: str
    approve: bool
    groups: frozenset[str]
    authenticated: str
    request_digest: str
    reasons: frozenset[str]
    voted_at: datetime
    reason_code: str = ""
    viewed_at: datetime | None = None
    stands_for: str = ""
    late: frozenset[str] = frozenset()

    @property
    def seat(self) -> str:
        """Whose place this vote is cast from; two votes from one place count once."""
        return self.stands_for or self.voter


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a decision rests on beside the policies and the request.

    Attributes:
        facts: By full name; what is not here was not read.
        usage: By qualified limit id; a limit without usage cannot be evaluated.
        history: By qualified requirement id: the entry position of the settled action found, or None for none.
        votes: On escalations of this action.
        now: The ledger's time of this decision (UTC).
    """

    facts: Mapping[str, Fact]
    usage: Mapping[str, Usage]
    history: Mapping[str, int | None]
    now: datetime
    votes: tuple[Vote, ...] = field(default=())
