"""A key that comes again with another request (law 3): nothing is decided and nothing runs, and the log says who tried.

Whatever people approved under a key, they approved for the request that they saw, and for no other one.
"""

from __future__ import annotations

from agentguard.core import entry
from agentguard.engine import recorded
from agentguard.engine.asking import Ask
from agentguard.errors import KeyConflictError
from agentguard.store import Transaction
from agentguard.store.records import ActionRecord

MOST_CONFLICTS = 50
"""How many other requests the log keeps for one key; the same one again is not written again."""


def conflict(record: ActionRecord, asked: Ask, transaction: Transaction) -> None:
    """Write down that another request came under the key of an action, once each, and not without end."""
    before = [item.document for item in transaction.entries_of(record.id) if item.kind == "key_conflict"]
    if len(before) >= MOST_CONFLICTS or asked.digest in [body["tried"] for body in before]:
        return
    current = transaction.action(record.id) or record
    standing = entry.Standing(current.state, current.fence, current.attempt, current.deadline)
    body = entry.moved(
        "key_conflict",
        recorded.about(current, standing),
        tried=asked.digest,
        tried_for=asked.pseudonym,
        operator=asked.request.actor.operator,
    )
    del body["state"]  # nothing moved
    transaction.append(body)


def conflict_error(asked: Ask) -> KeyConflictError:
    """Return what is raised once it is in the log."""
    return KeyConflictError(
        f"expected the same request again under the key `{asked.request.key}`, got another one for "
        f"`{asked.request.action}`; use a new key for a new action"
    )
