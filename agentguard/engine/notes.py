"""What people note about an action: sealed under its customer's key, so that it goes with them when they are erased."""

from __future__ import annotations

from agentguard.core.digest import canonical_bytes
from agentguard.engine.parts import Parts
from agentguard.errors import UsageError
from agentguard.store import Transaction
from agentguard.store.records import ActionRecord


def sealed_note(
    parts: Parts, transaction: Transaction, action: ActionRecord, place: str, words: str
) -> dict[str, str] | None:
    """Return a note as an entry has it, sealed for its place; None for no words.

    Raises:
        StoreUnavailableError: The keys of this database are not here.
        UsageError: The customer was erased already.
    """
    if not words:
        return None
    parts.require_keys(transaction)
    if action.on_behalf_of and parts.vault.customer_of(action.on_behalf_of) is None:
        raise UsageError(f"expected no note about `{action.id}`, whose customer was erased, got one; leave it out")
    sealed = parts.vault.seal(action.on_behalf_of, place, canonical_bytes(words), action.id)
    return {"sealed": transaction.store_sealed(sealed.packed)}
