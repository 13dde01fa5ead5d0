"""What is at rest: one SQLModel class a table, the same on every database.

Amounts are whole numbers of minor units (or counts), times are microseconds since 1970 UTC, JSON is canonical text or
bytes, digests are hex. The rows never leave the store: `records` do.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = 1

# SQLite gives a dense key of its own only to `INTEGER`, which holds 64 bits there.
Whole = BigInteger().with_variant(Integer(), "sqlite")

# By their bytes on every engine: an index in the order of a language breaks when the system changes that order.
Words = Text().with_variant(Text(collation="C"), "postgresql")

# SQLite keeps any value in any column unless told not to.
TYPED = {"sqlite_strict": True}
# A hidden rowid is a second unique key, through which `INSERT OR REPLACE` could push out a row of an append-only table.
WITHOUT_HIDDEN_KEY = TYPED | {"sqlite_with_rowid": False}


# The registry is our own, so that a host's SQLModel.metadata never sees these tables.
class Row(SQLModel, registry=registry()):
    """A row of one of the tables below."""

    __table__: ClassVar[Table]


def _where(condition: ColumnElement[bool]) -> dict[str, Any]:
    return {"sqlite_where": condition, "postgresql_where": condition}


def _column(kind: Any, *, key: bool = False, null: bool = False) -> Any:
    return Field(sa_column=Column(kind, primary_key=key, nullable=null, autoincrement=False))


class LogRow(Row, table=True):
    """The log's name, its head, the ledger's clock and what the machine's clock said at the last commit: one row."""

    __tablename__ = "agentguard_log"
    __table_args__ = (TYPED,)

    id: int = _column(Whole, key=True)
    log: str = _column(Words)
    schema_version: int = _column(Integer)
    size: int = _column(Whole)
    leaf: str = _column(Words)
    last_us: int = _column(Whole)
    wall_us: int = _column(Whole)
    uptime_us: int = _column(Whole)
    boot: str = _column(Words)
    vault: str | None = _column(Words, null=True)
    created_us: int = _column(Whole)


FREQUENT_KINDS = ("decided", "settled", "released")
"""Kinds of entries that nearly every action has: whoever looks for one finds it without an index."""


class EntryRow(Row, table=True):
    """One line of the audit log; `body` is the truth, the other columns find it."""

    __tablename__ = "agentguard_entry"
    # No unique index beside the key: it would be a second way for `INSERT OR REPLACE` to push out an entry.
    __table_args__ = (
        Index("agentguard_entry_stream", "stream", "seq"),
        Index("agentguard_entry_action", "action_id", "pos"),
        TYPED,
    )

    pos: int = _column(Whole, key=True)
    stream: str = _column(Words)
    seq: int = _column(Whole)
    ts_us: int = _column(Whole)
    kind: str = _column(Words)
    action_id: str | None = _column(Words, null=True)
    leaf: str = _column(Words)
    body: bytes = _column(LargeBinary)


SELDOM = EntryRow.__table__.c.kind.not_in([literal_column(f"'{kind}'") for kind in FREQUENT_KINDS])
"""What a query for another kind has to say as well, so that the index of them is found."""

Index("agentguard_entry_kind", EntryRow.__table__.c.kind, EntryRow.__table__.c.pos, **_where(SELDOM))


class ActionRow(Row, table=True):
    """One action on its walk: the row that is moved by guarded updates.

    `holds` is a JSON list of [account, unit, amount]: set aside as long as the state holds, told afterwards.
    """

    __tablename__ = "agentguard_action"
    __table_args__ = (
        UniqueConstraint("tenant", "agent", "conversation", "key"),
        Index("agentguard_action_state", "state", "id"),
        Index("agentguard_action_customer", "on_behalf_of", "id"),
        TYPED,
    )

    id: str = _column(Words, key=True)
    tenant: str = _column(Words)
    agent: str = _column(Words)
    conversation: str = _column(Words)
    key: str = _column(Words)
    action: str = _column(Words)
    request_digest: str = _column(Words)
    on_behalf_of: str = _column(Words)
    effect: str = _column(Words)
    arguments: str = _column(Words)
    request: str = _column(Words)
    fence: int = _column(Whole)
    attempt: int = _column(Integer)
    bundle: str | None = _column(Words, null=True)
    escalation: str | None = _column(Words, null=True)
    decision_entry: int | None = _column(Whole, null=True)
    relates_to: str | None = _column(Words, null=True)
    external_reference: str | None = _column(Words, null=True)
    answer: str | None = _column(Words, null=True)
    state: str = _column(Words)
    asked_us: int = _column(Whole)
    began_us: int | None = _column(Whole, null=True)
    deadline_us: int | None = _column(Whole, null=True)
    lease_us: int | None = _column(Whole, null=True)
    updated_us: int = _column(Whole)
    holds: str = _column(Words)


class AccountRow(Row, table=True):
    """What one account says now; `id` is a keyed digest, so that the row tells nobody whose it is."""

    __tablename__ = "agentguard_account"
    __table_args__ = (CheckConstraint("pending >= 0", name="agentguard_account_pending"), TYPED)

    id: str = _column(Words, key=True)
    unit: str = _column(Words)
    pending: int = _column(Whole)
    posted: int = _column(Whole)
    n: int = _column(Whole)
    last_us: int = _column(Whole)
    last_position: int = _column(Whole)
    reversed: int = _column(Whole)


class PostingRow(Row, table=True):
    """One movement that really happened, with the account's total after it."""

    __tablename__ = "agentguard_posting"
    # In the order of time, so that the total before a window's start is one lookup in the key itself.
    __table_args__ = (Index("agentguard_posting_action", "action_id"), WITHOUT_HIDDEN_KEY)

    account: str = _column(Words, key=True)
    ts_us: int = _column(Whole, key=True)
    n: int = _column(Whole, key=True)
    amount: int = _column(Whole)
    cum: int = _column(Whole)
    action_id: str = _column(Words)


class ReversalRow(Row, table=True):
    """What one action gives back of another's posting: it counts where the posting counts, at the posting's time."""

    __tablename__ = "agentguard_reversal"
    __table_args__ = (
        Index("agentguard_reversal_time", "account", "ts_us", "amount"),
        Index("agentguard_reversal_action", "action_id"),
        WITHOUT_HIDDEN_KEY,
    )

    account: str = _column(Words, key=True)
    original: str = _column(Words, key=True)
    action_id: str = _column(Words, key=True)
    ts_us: int = _column(Whole)
    amount: int = _column(Whole)
    position: int = _column(Whole)


class ActionValueRow(Row, table=True):
    """A value of a settled action that later requirements ask for; the value is a keyed digest."""

    __tablename__ = "agentguard_action_value"
    __table_args__ = (
        Index("agentguard_action_value_found", "tenant", "action", "name", "value", "at_us", "entry"),
        WITHOUT_HIDDEN_KEY,
    )

    action_id: str = _column(Words, key=True)
    name: str = _column(Words, key=True)
    tenant: str = _column(Words)
    action: str = _column(Words)
    value: str = _column(Words)
    entry: int = _column(Whole)
    at_us: int = _column(Whole)


class PolicyTextRow(Row, table=True):
    """The exact text of one policy file."""

    __tablename__ = "agentguard_policy_text"
    __table_args__ = (Index("agentguard_policy_text_name", "name", "version"), WITHOUT_HIDDEN_KEY)

    digest: str = _column(Words, key=True)
    name: str = _column(Words)
    version: int = _column(Whole)
    text: str = _column(Words)
    stored_us: int = _column(Whole)


class BundleRow(Row, table=True):
    """Which policy texts make a bundle; `policies` is a JSON list of their digests."""

    __tablename__ = "agentguard_bundle"
    __table_args__ = (WITHOUT_HIDDEN_KEY,)

    digest: str = _column(Words, key=True)
    policies: str = _column(Words)
    stored_us: int = _column(Whole)


class ActivationRow(Row, table=True):
    """One putting into force of a bundle; the last one counts."""

    __tablename__ = "agentguard_activation"
    __table_args__ = (TYPED,)

    n: int = _column(Whole, key=True)
    bundle: str = _column(Words)
    by: str = _column(Words)
    why: str = _column(Words)
    at_us: int = _column(Whole)


class HaltRow(Row, table=True):
    """What a person stopped and did not let go on again; the history is in the entries."""

    __tablename__ = "agentguard_halt"
    __table_args__ = (TYPED,)

    target: str = _column(Words, key=True)
    by: str = _column(Words)
    why: str = _column(Words)
    at_us: int = _column(Whole)


class EscalationRow(Row, table=True):
    """What waits, or waited, for people."""

    __tablename__ = "agentguard_escalation"
    __table_args__ = (
        Index("agentguard_escalation_state", "state", "due_us"),
        Index("agentguard_escalation_remind", "state", "remind_us"),
        Index("agentguard_escalation_action", "action_id"),
        TYPED,
    )

    id: str = _column(Words, key=True)
    tenant: str = _column(Words)
    action_id: str = _column(Words)
    kind: str = _column(Words)
    state: str = _column(Words)
    routes: str = _column(Words)
    request_digest: str = _column(Words)
    reasons: str = _column(Words)
    shown: str = _column(Words)
    opened_us: int = _column(Whole)
    due_us: int | None = _column(Whole, null=True)
    remind_us: int | None = _column(Whole, null=True)
    closed_us: int | None = _column(Whole, null=True)


class VoteRow(Row, table=True):
    """One person's vote on one escalation, once; `document` is the whole vote as canonical JSON."""

    __tablename__ = "agentguard_vote"
    __table_args__ = (WITHOUT_HIDDEN_KEY,)

    escalation: str = _column(Words, key=True)
    voter: str = _column(Words, key=True)
    approve: int = _column(Integer)
    document: str = _column(Words)
    voted_us: int = _column(Whole)


class SealedRow(Row, table=True):
    """A personal value under its subject's key; entries name it by digest. It may be deleted, never changed."""

    __tablename__ = "agentguard_sealed"
    __table_args__ = (WITHOUT_HIDDEN_KEY,)

    digest: str = _column(Words, key=True)
    sealed: bytes = _column(LargeBinary)


class ResultRow(Row, table=True):
    """What a tool gave back, sealed. It may be deleted, never changed."""

    __tablename__ = "agentguard_result"
    __table_args__ = (WITHOUT_HIDDEN_KEY,)

    action_id: str = _column(Words, key=True)
    sealed: bytes = _column(LargeBinary)


class CursorRow(Row, table=True):
    """How far one reader has followed the log, and who has it until when; `fence` grows with each taking."""

    __tablename__ = "agentguard_cursor"
    __table_args__ = (TYPED,)

    name: str = _column(Words, key=True)
    position: int = _column(Whole)
    fence: int = _column(Whole)
    lease_us: int | None = _column(Whole, null=True)
    attempts: int = _column(Integer)
    error: str = _column(Words)
    stopped: int = _column(Integer)


metadata = LogRow.__table__.metadata
