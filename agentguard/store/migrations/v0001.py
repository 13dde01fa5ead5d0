"""The first tables, out of nothing."""

import sqlalchemy as sa
from alembic.operations import Operations

from agentguard.store.migrations.columns import FIXED, WHOLE, WORDS, column


def upgrade(op: Operations) -> None:
    """The first tables, out of nothing."""
    _account(op)
    _action(op)
    _action_value(op)
    _activation(op)
    _bundle(op)
    _checkpoint(op)
    _cosignature(op)
    _cursor(op)
    _entry(op)
    _escalation(op)
    _halt(op)
    _legal_hold(op)
    _log(op)
    _policy_text(op)
    _posting(op)
    _promise(op)
    _result(op)
    _reversal(op)
    _review(op)
    _sealed(op)
    _tile(op)
    _tombstone(op)
    _vote(op)


def _account(op: Operations) -> None:
    op.create_table(
        "agentguard_account",
        column("id", WORDS),
        column("unit", WORDS),
        column("pending", WHOLE),
        column("posted", WHOLE),
        column("n", WHOLE),
        column("last_us", WHOLE),
        column("last_position", WHOLE),
        column("reversed", WHOLE),
        sa.CheckConstraint("pending >= 0", name="agentguard_account_pending"),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )


def _action(op: Operations) -> None:
    op.create_table(
        "agentguard_action",
        column("id", WORDS),
        column("tenant", WORDS),
        column("agent", WORDS),
        column("conversation", WORDS),
        column("key", WORDS),
        column("action", WORDS),
        column("request_digest", WORDS),
        column("on_behalf_of", WORDS),
        column("effect", WORDS),
        column("arguments", WORDS),
        column("request", WORDS),
        column("fence", WHOLE),
        column("attempt", sa.Integer()),
        column("bundle", WORDS, null=True),
        column("escalation", WORDS, null=True),
        column("decision_entry", WHOLE, null=True),
        column("relates_to", WORDS, null=True),
        column("external_reference", WORDS, null=True),
        column("answer", WORDS, null=True),
        column("state", WORDS),
        column("asked_us", WHOLE),
        column("began_us", WHOLE, null=True),
        column("deadline_us", WHOLE, null=True),
        column("lease_us", WHOLE, null=True),
        column("updated_us", WHOLE),
        column("holds", WORDS),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant", "agent", "conversation", "key"),
        sqlite_strict=True,
    )
    op.create_index("agentguard_action_customer", "agentguard_action", ["on_behalf_of", "id"], unique=False)
    op.create_index("agentguard_action_state", "agentguard_action", ["state", "id"], unique=False)


def _action_value(op: Operations) -> None:
    op.create_table(
        "agentguard_action_value",
        column("action_id", WORDS),
        column("name", WORDS),
        column("tenant", WORDS),
        column("action", WORDS),
        column("value", WORDS),
        column("entry", WHOLE),
        column("at_us", WHOLE),
        sa.PrimaryKeyConstraint("action_id", "name"),
        **FIXED,
    )
    op.create_index(
        "agentguard_action_value_found",
        "agentguard_action_value",
        ["tenant", "action", "name", "value", "at_us", "entry"],
        unique=False,
    )


def _activation(op: Operations) -> None:
    op.create_table(
        "agentguard_activation",
        column("n", WHOLE),
        column("bundle", WORDS),
        column("canary", WORDS, null=True),
        column("share", sa.Integer(), null=True),
        column("salt", WORDS, null=True),
        column("by", WORDS),
        column("why", WORDS),
        column("at_us", WHOLE),
        sa.PrimaryKeyConstraint("n"),
        sqlite_strict=True,
    )


def _bundle(op: Operations) -> None:
    op.create_table(
        "agentguard_bundle",
        column("digest", WORDS),
        column("policies", WORDS),
        column("stored_us", WHOLE),
        sa.PrimaryKeyConstraint("digest"),
        **FIXED,
    )


def _checkpoint(op: Operations) -> None:
    op.create_table(
        "agentguard_checkpoint",
        column("origin", WORDS),
        column("size", WHOLE),
        column("note", WORDS),
        column("at_us", WHOLE),
        sa.PrimaryKeyConstraint("origin", "size"),
        **FIXED,
    )


def _cosignature(op: Operations) -> None:
    op.create_table(
        "agentguard_cosignature",
        column("origin", WORDS),
        column("size", WHOLE),
        column("witness", WORDS),
        column("line", WORDS),
        column("at_us", WHOLE),
        sa.PrimaryKeyConstraint("origin", "size", "witness"),
        **FIXED,
    )


def _cursor(op: Operations) -> None:
    op.create_table(
        "agentguard_cursor",
        column("name", WORDS),
        column("position", WHOLE),
        column("fence", WHOLE),
        column("lease_us", WHOLE, null=True),
        column("attempts", sa.Integer()),
        column("error", WORDS),
        column("stopped", sa.Integer()),
        sa.PrimaryKeyConstraint("name"),
        sqlite_strict=True,
    )


def _entry(op: Operations) -> None:
    op.create_table(
        "agentguard_entry",
        column("pos", WHOLE),
        column("stream", WORDS),
        column("seq", WHOLE),
        column("ts_us", WHOLE),
        column("kind", WORDS),
        column("action_id", WORDS, null=True),
        column("leaf", WORDS),
        column("body", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("pos"),
        sqlite_strict=True,
    )
    op.create_index("agentguard_entry_action", "agentguard_entry", ["action_id", "pos"], unique=False)
    op.create_index(
        "agentguard_entry_kind",
        "agentguard_entry",
        ["kind", "pos"],
        unique=False,
        sqlite_where=sa.text("(kind NOT IN ('decided', 'settled', 'released'))"),
        postgresql_where=sa.text("(kind NOT IN ('decided', 'settled', 'released'))"),
    )
    op.create_index("agentguard_entry_stream", "agentguard_entry", ["stream", "seq"], unique=False)


def _escalation(op: Operations) -> None:
    op.create_table(
        "agentguard_escalation",
        column("id", WORDS),
        column("tenant", WORDS),
        column("action_id", WORDS),
        column("kind", WORDS),
        column("state", WORDS),
        column("routes", WORDS),
        column("request_digest", WORDS),
        column("reasons", WORDS),
        column("shown", WORDS),
        column("opened_us", WHOLE),
        column("due_us", WHOLE, null=True),
        column("remind_us", WHOLE, null=True),
        column("closed_us", WHOLE, null=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("agentguard_escalation_action", "agentguard_escalation", ["action_id"], unique=False)
    op.create_index("agentguard_escalation_remind", "agentguard_escalation", ["state", "remind_us"], unique=False)
    op.create_index("agentguard_escalation_state", "agentguard_escalation", ["state", "due_us"], unique=False)


def _halt(op: Operations) -> None:
    op.create_table(
        "agentguard_halt",
        column("target", WORDS),
        column("by", WORDS),
        column("why", WORDS),
        column("at_us", WHOLE),
        sa.PrimaryKeyConstraint("target"),
        sqlite_strict=True,
    )


def _legal_hold(op: Operations) -> None:
    op.create_table(
        "agentguard_legal_hold",
        column("id", WORDS),
        column("scope", WORDS),
        column("by", WORDS),
        column("why", WORDS),
        column("at_us", WHOLE),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )


def _log(op: Operations) -> None:
    op.create_table(
        "agentguard_log",
        column("id", WHOLE),
        column("log", WORDS),
        column("schema_version", sa.Integer()),
        column("size", WHOLE),
        column("leaf", WORDS),
        column("last_us", WHOLE),
        column("wall_us", WHOLE),
        column("uptime_us", WHOLE),
        column("boot", WORDS),
        column("vault", WORDS, null=True),
        column("created_us", WHOLE),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )


def _policy_text(op: Operations) -> None:
    op.create_table(
        "agentguard_policy_text",
        column("digest", WORDS),
        column("name", WORDS),
        column("version", WHOLE),
        column("text", WORDS),
        column("stored_us", WHOLE),
        sa.PrimaryKeyConstraint("digest"),
        **FIXED,
    )
    op.create_index("agentguard_policy_text_name", "agentguard_policy_text", ["name", "version"], unique=False)


def _posting(op: Operations) -> None:
    op.create_table(
        "agentguard_posting",
        column("account", WORDS),
        column("ts_us", WHOLE),
        column("n", WHOLE),
        column("amount", WHOLE),
        column("cum", WHOLE),
        column("action_id", WORDS),
        sa.PrimaryKeyConstraint("account", "ts_us", "n"),
        **FIXED,
    )
    op.create_index("agentguard_posting_action", "agentguard_posting", ["action_id"], unique=False)


def _promise(op: Operations) -> None:
    op.create_table(
        "agentguard_promise",
        column("origin", WORDS),
        column("size", WHOLE),
        column("root", sa.LargeBinary()),
        column("at_us", WHOLE),
        sa.PrimaryKeyConstraint("origin", "size"),
        **FIXED,
    )


def _result(op: Operations) -> None:
    op.create_table(
        "agentguard_result",
        column("action_id", WORDS),
        column("sealed", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("action_id"),
        **FIXED,
    )


def _reversal(op: Operations) -> None:
    op.create_table(
        "agentguard_reversal",
        column("account", WORDS),
        column("original", WORDS),
        column("action_id", WORDS),
        column("ts_us", WHOLE),
        column("amount", WHOLE),
        column("position", WHOLE),
        sa.PrimaryKeyConstraint("account", "original", "action_id"),
        **FIXED,
    )
    op.create_index("agentguard_reversal_action", "agentguard_reversal", ["action_id"], unique=False)
    op.create_index("agentguard_reversal_time", "agentguard_reversal", ["account", "ts_us", "amount"], unique=False)


def _review(op: Operations) -> None:
    op.create_table(
        "agentguard_review",
        column("id", WORDS),
        column("policy", WORDS),
        column("action_id", WORDS),
        column("entry", WHOLE),
        column("stratum", WORDS),
        column("week", WORDS),
        column("how", WORDS),
        column("verdict", WORDS, null=True),
        column("drawn_us", WHOLE),
        sa.PrimaryKeyConstraint("id"),
        sqlite_strict=True,
    )
    op.create_index("agentguard_review_waiting", "agentguard_review", ["verdict", "drawn_us"], unique=False)


def _sealed(op: Operations) -> None:
    op.create_table(
        "agentguard_sealed",
        column("digest", WORDS),
        column("sealed", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("digest"),
        **FIXED,
    )


def _tile(op: Operations) -> None:
    op.create_table(
        "agentguard_tile",
        column("level", sa.Integer()),
        column("n", WHOLE),
        column("root", sa.LargeBinary()),
        column("hashes", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("level", "n"),
        **FIXED,
    )


def _tombstone(op: Operations) -> None:
    op.create_table(
        "agentguard_tombstone",
        column("first", WHOLE),
        column("last", WHOLE),
        column("entry", WHOLE),
        sa.PrimaryKeyConstraint("first"),
        **FIXED,
    )


def _vote(op: Operations) -> None:
    op.create_table(
        "agentguard_vote",
        column("escalation", WORDS),
        column("voter", WORDS),
        column("approve", sa.Integer()),
        column("document", WORDS),
        column("voted_us", WHOLE),
        sa.PrimaryKeyConstraint("escalation", "voter"),
        **FIXED,
    )
