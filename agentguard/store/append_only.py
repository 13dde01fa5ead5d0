"""Which tables never change, and what must be true of a new row, in SQL that every engine understands.

Each engine makes triggers of it. They only refuse: nothing that is computed rests on them.
"""

from __future__ import annotations

REFUSAL = "agentguard"
"""What a trigger's words begin with, so that its refusal can be told from any other."""

NEVER_CHANGED = (
    "agentguard_entry",
    "agentguard_posting",
    "agentguard_reversal",
    "agentguard_action_value",
    "agentguard_policy_text",
    "agentguard_bundle",
    "agentguard_activation",
    "agentguard_vote",
    "agentguard_sealed",
    "agentguard_result",
    "agentguard_tile",
    "agentguard_promise",
    "agentguard_checkpoint",
    "agentguard_cosignature",
    "agentguard_tombstone",
    "agentguard_review",
)

MAY_BE_DELETED = frozenset({"agentguard_sealed", "agentguard_result"})
"""What a person's right to be forgotten may take away; an entry keeps its digest."""

DELETED_ROW_MUST = {
    "agentguard_vote": "NOT EXISTS (SELECT 1 FROM agentguard_escalation WHERE id = OLD.escalation)",
}
"""When a row may be deleted all the same: a vote goes after what it was about, when that is purged."""

CHANGED_ROW_MUST = {
    "agentguard_entry": (
        "length(NEW.body) = 0 AND NEW.pos = OLD.pos AND NEW.stream = OLD.stream AND NEW.seq = OLD.seq"
        " AND NEW.ts_us = OLD.ts_us AND NEW.kind = OLD.kind AND NEW.leaf = OLD.leaf"
        " AND coalesce(NEW.action_id, '') = coalesce(OLD.action_id, '')"
        " AND coalesce((SELECT last FROM agentguard_tombstone WHERE first <= OLD.pos ORDER BY first DESC LIMIT 1), 0)"
        " >= OLD.pos"
    ),
    "agentguard_review": (
        "coalesce(NEW.verdict, '') IN ('right', 'wrong') AND NEW.id = OLD.id AND NEW.policy = OLD.policy"
        " AND NEW.action_id = OLD.action_id AND NEW.entry = OLD.entry AND NEW.stratum = OLD.stratum"
        " AND NEW.week = OLD.week AND NEW.how = OLD.how AND NEW.drawn_us = OLD.drawn_us"
    ),
}
"""The only changes that a table takes.

An entry's body is taken away under a tombstone, and its leaf stays. What was drawn for a review is judged.
"""

NEW_ROW_MUST = {
    "agentguard_entry": (
        "NEW.pos = coalesce((SELECT pos FROM agentguard_entry ORDER BY pos DESC LIMIT 1), 0) + 1"
        " AND NEW.seq = coalesce((SELECT seq FROM agentguard_entry WHERE stream = NEW.stream"
        " ORDER BY seq DESC LIMIT 1), 0) + 1"
    ),
    "agentguard_posting": (
        "coalesce((SELECT NEW.n = n + 1 AND NEW.cum = cum + NEW.amount AND NEW.ts_us >= ts_us FROM agentguard_posting"
        " WHERE account = NEW.account ORDER BY ts_us DESC, n DESC LIMIT 1), NEW.n = 1 AND NEW.cum = NEW.amount)"
    ),
    "agentguard_reversal": (
        "NOT EXISTS (SELECT 1 FROM agentguard_reversal WHERE account = NEW.account AND original = NEW.original"
        " AND action_id = NEW.action_id)"
    ),
    "agentguard_action_value": (
        "NOT EXISTS (SELECT 1 FROM agentguard_action_value WHERE action_id = NEW.action_id AND name = NEW.name)"
    ),
    "agentguard_policy_text": (
        "NOT EXISTS (SELECT 1 FROM agentguard_policy_text WHERE digest = NEW.digest"
        " OR (name = NEW.name AND version = NEW.version))"
    ),
    "agentguard_bundle": "NOT EXISTS (SELECT 1 FROM agentguard_bundle WHERE digest = NEW.digest)",
    "agentguard_activation": "NEW.n = (SELECT coalesce(max(n), 0) + 1 FROM agentguard_activation)",
    "agentguard_vote": (
        "NOT EXISTS (SELECT 1 FROM agentguard_vote WHERE escalation = NEW.escalation AND voter = NEW.voter)"
    ),
    "agentguard_sealed": "NOT EXISTS (SELECT 1 FROM agentguard_sealed WHERE digest = NEW.digest)",
    "agentguard_result": "NOT EXISTS (SELECT 1 FROM agentguard_result WHERE action_id = NEW.action_id)",
    "agentguard_tile": ("NEW.n = (SELECT coalesce(max(n), -1) + 1 FROM agentguard_tile WHERE level = NEW.level)"),
    "agentguard_promise": (
        "NEW.size > coalesce((SELECT max(size) FROM agentguard_promise WHERE origin = NEW.origin), 0)"
    ),
    "agentguard_checkpoint": (
        "NEW.size > coalesce((SELECT max(size) FROM agentguard_checkpoint WHERE origin = NEW.origin), 0)"
    ),
    "agentguard_cosignature": (
        "NOT EXISTS (SELECT 1 FROM agentguard_cosignature WHERE origin = NEW.origin AND size = NEW.size"
        " AND witness = NEW.witness)"
    ),
    "agentguard_tombstone": (
        "NEW.first <= NEW.last AND coalesce((SELECT last FROM agentguard_tombstone WHERE first <= NEW.last"
        " ORDER BY first DESC LIMIT 1), 0) < NEW.first"
    ),
    "agentguard_review": "NOT EXISTS (SELECT 1 FROM agentguard_review WHERE id = NEW.id)",
    "agentguard_log": "NOT EXISTS (SELECT 1 FROM agentguard_log)",
}
"""By table. SQLite asks before `OR REPLACE` deletes anything, and refuses that as well."""

HEAD_SHRINKS = "NEW.size < OLD.size OR NEW.last_us < OLD.last_us OR NEW.log <> OLD.log OR NEW.vault <> OLD.vault"
"""What no update of the log's head may do."""


def is_append_only(table: str) -> str:
    """Return the words that refuse a change of a table."""
    return f"{REFUSAL}: {table} is append-only"


def takes_next_row_only(table: str) -> str:
    """Return the words that refuse a row that is out of turn."""
    return f"{REFUSAL}: {table} takes only the next row, and no row twice"


HEAD_STAYS = f"{REFUSAL}: the head of the log stays"
HEAD_GROWS = f"{REFUSAL}: the head of the log only grows"
