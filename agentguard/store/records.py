"""What the store gives out and takes in: frozen values, never rows.

Texts named `request`, `arguments`, `answer`, `routes` and `shown` are canonical JSON that the store does not look into.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypedDict

import orjson

from agentguard.core.lifecycle import State
from agentguard.errors import TamperedError
from agentguard.store.moment import from_microseconds


# A tuple is made in a third of a dataclass's time and copied in a quarter, and every action is both.
class ActionRecord(NamedTuple):
    """One action as it stands.

    Attributes:
        conversation: Empty for none; (tenant, agent, conversation, key) is unique.
        request: Actor, context and whatever else a later decision needs.
        arguments: The canonical arguments, personal ones as `{"sealed": digest}`.
        on_behalf_of: A pseudonym.
        fence: Grows with each attempt; a move must name the one it knows.
        effect: The kind of effect: `read`, `idempotent`, `queryable`, `unprotected`.
        decision_entry: Position of the entry that decided it.
        answer: What to answer again under the same key.
        began_at: When it was first sent, which is what a tool's ttl counts from.
    """

    id: str
    tenant: str
    agent: str
    conversation: str
    key: str
    action: str
    request_digest: str
    request: str
    arguments: str
    on_behalf_of: str
    asked_at: datetime
    state: State = State.PROPOSED
    fence: int = 0
    attempt: int = 0
    effect: str = "unprotected"
    bundle: str | None = None
    escalation: str | None = None
    decision_entry: int | None = None
    relates_to: str | None = None
    external_reference: str | None = None
    answer: str | None = None
    began_at: datetime | None = None
    deadline: datetime | None = None
    lease_until: datetime | None = None
    updated_at: datetime | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether it was done elsewhere: no agent asked for it, and `conversation` is the source that told it."""
        return not self.agent


class ActionChanges(TypedDict, total=False):
    """What a move may change beside the state; a key that is given is written, `None` included."""

    new_fence: int
    attempt: int
    effect: str
    arguments: str
    request: str
    bundle: str | None
    escalation: str | None
    decision_entry: int | None
    relates_to: str | None
    external_reference: str | None
    answer: str | None
    began_at: datetime | None
    deadline: datetime | None
    lease_until: datetime | None


class ActionKey(NamedTuple):
    """What a caller named an action by; `conversation` is empty for none."""

    tenant: str
    agent: str
    conversation: str
    key: str


@dataclass(frozen=True, slots=True)
class EntryRef:
    """Where an entry stands; `leaf` is SHA-256 over a zero byte and its body, in hex."""

    pos: int
    stream: str
    seq: int
    leaf: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the audit log with the exact bytes of its body."""

    pos: int
    stream: str
    seq: int
    ts_us: int
    kind: str
    action_id: str | None
    leaf: str
    body: bytes

    @property
    def at(self) -> datetime:
        """The ledger's time when it was written."""
        return from_microseconds(self.ts_us)

    @property
    def is_purged(self) -> bool:
        """Whether its body was taken away when its time was over."""
        return not self.body

    @property
    def document(self) -> dict[str, Any]:
        """The body, read; of one that was purged, what the columns still say."""
        if self.is_purged:
            return {"kind": self.kind, "tenant": self.stream, "action_id": self.action_id, "purged": True}
        document = orjson.loads(self.body)
        if not isinstance(document, dict):
            raise TamperedError(f"expected an object as the body of entry {self.pos}, got something else")
        return document


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries to list; what is None does not narrow. `since` and `until` are inclusive.

    `escalated` leaves out those of actions that never waited for people, and belong to none that was contested.
    """

    stream: str | None = None
    kind: str | None = None
    action_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    escalated: bool = False


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """What an account says now, in minor units or a count."""

    id: str
    unit: str
    held: int
    settled: int
    movements: int


@dataclass(frozen=True, slots=True)
class HoldRecord:
    """What one action holds, or held, on one account; `state` is `open`, `settled` or `released`."""

    action_id: str
    account: str
    unit: str
    amount: int
    state: str


@dataclass(frozen=True, slots=True)
class Movement:
    """One past movement, to fill an account from the log."""

    at: datetime
    amount: int
    action_id: str


@dataclass(frozen=True, slots=True)
class PolicyText:
    """The exact text of one policy file as it was stored."""

    digest: str
    name: str
    version: int
    text: str


@dataclass(frozen=True, slots=True)
class BundleRecord:
    """A bundle and, where it is or was in force, who activated it last."""

    digest: str
    policies: tuple[str, ...]
    activated_by: str | None = None
    why: str = ""
    activated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClockRecord:
    """What a store's clock says.

    Attributes:
        wall: What the machine's clock shows, or on PostgreSQL the server's.
        ledger: The ledger's time: ahead of it where the clock was set back, and then slower until it has caught up.
        last_wall: What the clock showed at the last commit.
        fault: Why nobody may rely on it; empty if all is well.
    """

    wall: datetime
    ledger: datetime
    last_wall: datetime
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Halt:
    """What is stopped: `all`, `action:refund.issue` or `agent:support-bot`."""

    target: str
    by: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class EscalationRecord:
    """What waits for people.

    Attributes:
        state: `open`, then `approved` (and `used` once its action went on), `rejected`, `expired`, `withdrawn` or
            `passed_on`.
        reasons: The identities of the reasons that were shown.
        shown: What an approver sees.
        remind_at: When its people are to be reminded next.
        kind: `approval` of an action that waits, or `contest` of one that was denied.
    """

    id: str
    tenant: str
    action_id: str
    routes: str
    request_digest: str
    reasons: tuple[str, ...]
    shown: str
    opened_at: datetime
    due_at: datetime | None
    remind_at: datetime | None = None
    state: str = "open"
    closed_at: datetime | None = None
    kind: str = "approval"


@dataclass(frozen=True, slots=True)
class CursorRecord:
    """How far one reader has followed the log.

    Attributes:
        position: Everything up to this entry is done.
        fence: Grows with each taking; whoever moves it must name the one it knows.
        lease_until: Until when somebody has it, or nobody tries again.
        attempts: How often the next entry was tried in vain, the last time with `error`.
        stopped: Nobody goes on with it.
    """

    name: str
    position: int
    fence: int = 0
    lease_until: datetime | None = None
    attempts: int = 0
    error: str = ""
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value under a subject's key: AES-256-GCM with the tag at the end of `ciphertext`."""

    kid: str
    nonce: bytes
    ciphertext: bytes

    @property
    def packed(self) -> bytes:
        """One blob: key id (32 hex digits), nonce (12 bytes), ciphertext."""
        return self.kid.encode() + self.nonce + self.ciphertext

    @property
    def digest(self) -> str:
        """What an entry names the value by: SHA-256 of the blob, in hex."""
        return hashlib.sha256(self.packed).hexdigest()

    @classmethod
    def unpack(cls, packed: bytes) -> Sealed:
        """Return the sealed value that a blob holds.

        Raises:
            TamperedError: The blob is too short, or its key id is not text.
        """
        if len(packed) < 60 or not packed[:32].isalnum():
            raise TamperedError(
                f"expected a sealed value of 60 bytes or more, got {len(packed)} bytes that are not one"
            )
        return cls(packed[:32].decode(), packed[32:44], packed[44:])
