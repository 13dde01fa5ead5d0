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


def column(kind: Any, *, key: bool = False, null: bool = False) -> Any:
    """Return a column of a row, which is never drawn by the database and never null unless said."""
    return Field(sa_column=Column(kind, primary_key=key, nullable=null, autoincrement=False))


class LogRow(Row, table=True):
    """The log's name, its head, the ledger's clock and what the machine's clock said at the last commit: one row."""

    __tablename__ = "agentguard_log"
    __table_args__ = (TYPED,)

    id: int = column(Whole, key=True)
    log: str = column(Words)
    schema_version: int = column(Integer)
    size: int = column(Whole)
    leaf: str = column(Words)
    last_us: int = column(Whole)
    wall_us: int = column(Whole)
    uptime_us: int = column(Whole)
    boot: str = column(Words)
    vault: str | None = column(Words, null=True)
    created_us: int = column(Whole)


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

    pos: int = column(Whole, key=True)
    stream: str = column(Words)
    seq: int = column(Whole)
    ts_us: int = column(Whole)
    kind: str = column(Words)
    action_id: str | None = column(Words, null=True)
    leaf: str = column(Words)
    body: bytes = column(LargeBinary)


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

    id: str = column(Words, key=True)
    tenant: str = column(Words)
    agent: str = column(Words)
    conversation: str = column(Words)
    key: str = column(Words)
    action: str = column(Words)
    request_digest: str = column(Words)
    on_behalf_of: str = column(Words)
    effect: str = column(Words)
    arguments: str = column(Words)
    request: str = column(Words)
    fence: int = column(Whole)
    attempt: int = column(Integer)
    bundle: str | None = column(Words, null=True)
    escalation: str | None = column(Words, null=True)
    decision_entry: int | None = column(Whole, null=True)
    relates_to: str | None = column(Words, null=True)
    external_reference: str | None = column(Words, null=True)
    answer: str | None = column(Words, null=True)
    state: str = column(Words)
    asked_us: int = column(Whole)
    began_us: int | None = column(Whole, null=True)
    deadline_us: int | None = column(Whole, null=True)
    lease_us: int | None = column(Whole, null=True)
    updated_us: int = column(Whole)
    holds: str = column(Words)


class AccountRow(Row, table=True):
    """What one account says now; `id` is a keyed digest, so that the row tells nobody whose it is."""

    __tablename__ = "agentguard_account"
    __table_args__ = (CheckConstraint("pending >= 0", name="agentguard_account_pending"), TYPED)

    id: str = column(Words, key=True)
    unit: str = column(Words)
    pending: int = column(Whole)
    posted: int = column(Whole)
    n: int = column(Whole)
    last_us: int = column(Whole)
    last_position: int = column(Whole)
    reversed: int = column(Whole)


class PostingRow(Row, table=True):
    """One movement that really happened, with the account's total after it."""

    __tablename__ = "agentguard_posting"
    # In the order of time, so that the total before a window's start is one lookup in the key itself.
    __table_args__ = (Index("agentguard_posting_action", "action_id"), WITHOUT_HIDDEN_KEY)

    account: str = column(Words, key=True)
    ts_us: int = column(Whole, key=True)
    n: int = column(Whole, key=True)
    amount: int = column(Whole)
    cum: int = column(Whole)
    action_id: str = column(Words)


class ReversalRow(Row, table=True):
    """What one action gives back of another's posting: it counts where the posting counts, at the posting's time."""

    __tablename__ = "agentguard_reversal"
    __table_args__ = (
        Index("agentguard_reversal_time", "account", "ts_us", "amount"),
        Index("agentguard_reversal_action", "action_id"),
        WITHOUT_HIDDEN_KEY,
    )

    account: str = column(Words, key=True)
    original: str = column(Words, key=True)
    action_id: str = column(Words, key=True)
    ts_us: int = column(Whole)
    amount: int = column(Whole)
    position: int = column(Whole)


class ActionValueRow(Row, table=True):
    """A value of a settled action that later requirements ask for; the value is a keyed digest."""

    __tablename__ = "agentguard_action_value"
    __table_args__ = (
        Index("agentguard_action_value_found", "tenant", "action", "name", "value", "at_us", "entry"),
        WITHOUT_HIDDEN_KEY,
    )

    action_id: str = column(Words, key=True)
    name: str = column(Words, key=True)
    tenant: str = column(Words)
    action: str = column(Words)
    value: str = column(Words)
    entry: int = column(Whole)
    at_us: int = column(Whole)


class PolicyTextRow(Row, table=True):
    """The exact text of one policy file."""

    __tablename__ = "agentguard_policy_text"
    __table_args__ = (Index("agentguard_policy_text_name", "name", "version"), WITHOUT_HIDDEN_KEY)

    digest: str = column(Words, key=True)
    name: str = column(Words)
    version: int = column(Whole)
    text: str = column(Words)
    stored_us: int = column(Whole)


class BundleRow(Row, table=True):
    """Which policy texts make a bundle; `policies` is a JSON list of their digests."""

    __tablename__ = "agentguard_bundle"
    __table_args__ = (WITHOUT_HIDDEN_KEY,)

    digest: str = column(Words, key=True)
    policies: str = column(Words)
    stored_us: int = column(Whole)


class ActivationRow(Row, table=True):
    """One change of what is in force; the last one counts.

    `canary` decides for `share` of 10,000 numbers, which are drawn with `salt`; the three are null without a canary.
    """

    __tablename__ = "agentguard_activation"
    __table_args__ = (TYPED,)

    n: int = column(Whole, key=True)
    bundle: str = column(Words)
    canary: str | None = column(Words, null=True)
    share: int | None = column(Integer, null=True)
    salt: str | None = column(Words, null=True)
    by: str = column(Words)
    why: str = column(Words)
    at_us: int = column(Whole)


class HaltRow(Row, table=True):
    """What a person stopped and did not let go on again; the history is in the entries."""

    __tablename__ = "agentguard_halt"
    __table_args__ = (TYPED,)

    target: str = column(Words, key=True)
    by: str = column(Words)
    why: str = column(Words)
    at_us: int = column(Whole)


class EscalationRow(Row, table=True):
    """What waits, or waited, for people."""

    __tablename__ = "agentguard_escalation"
    __table_args__ = (
        Index("agentguard_escalation_state", "state", "due_us"),
        Index("agentguard_escalation_remind", "state", "remind_us"),
        Index("agentguard_escalation_action", "action_id"),
        TYPED,
    )

    id: str = column(Words, key=True)
    tenant: str = column(Words)
    action_id: str = column(Words)
    kind: str = column(Words)
    state: str = column(Words)
    routes: str = column(Words)
    request_digest: str = column(Words)
    reasons: str = column(Words)
    shown: str = column(Words)
    opened_us: int = column(Whole)
    due_us: int | None = column(Whole, null=True)
    remind_us: int | None = column(Whole, null=True)
    closed_us: int | None = column(Whole, null=True)


class VoteRow(Row, table=True):
    """One person's vote on one escalation, once; `document` is the whole vote as canonical JSON."""

    __tablename__ = "agentguard_vote"
    __table_args__ = (WITHOUT_HIDDEN_KEY,)

    escalation: str = column(Words, key=True)
    voter: str = column(Words, key=True)
    approve: int = column(Integer)
    document: str = column(Words)
    voted_us: int = column(Whole)


class SealedRow(Row, table=True):
    """A personal value under its subject's key; entries name it by digest. It may be deleted, never changed."""

    __tablename__ = "agentguard_sealed"
    __table_args__ = (WITHOUT_HIDDEN_KEY,)

    digest: str = column(Words, key=True)
    sealed: bytes = column(LargeBinary)


class ResultRow(Row, table=True):
    """What a tool gave back, sealed. It may be deleted, never changed."""

    __tablename__ = "agentguard_result"
    __table_args__ = (WITHOUT_HIDDEN_KEY,)

    action_id: str = column(Words, key=True)
    sealed: bytes = column(LargeBinary)


class CursorRow(Row, table=True):
    """How far one reader has followed the log, and who has it until when; `fence` grows with each taking."""

    __tablename__ = "agentguard_cursor"
    __table_args__ = (TYPED,)

    name: str = column(Words, key=True)
    position: int = column(Whole)
    fence: int = column(Whole)
    lease_us: int | None = column(Whole, null=True)
    attempts: int = column(Integer)
    error: str = column(Words)
    stopped: int = column(Integer)
