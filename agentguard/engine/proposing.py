"""Requests that a person makes in place of another one, opened as `proposed`: a walk decides them on their own."""

from __future__ import annotations

from agentguard.core import entry
from agentguard.core.lifecycle import State
from agentguard.engine import recorded
from agentguard.engine.asking import Ask
from agentguard.engine.effect import name_of
from agentguard.engine.parts import Parts
from agentguard.store import Transaction


def propose(parts: Parts, transaction: Transaction, asked: Ask, *, by: str, authenticated: str) -> int:
    """Open a new action, which nobody has decided yet, and return the position of its entry."""
    sealed = {place: transaction.store_sealed(item.packed) for place, item in asked.sealed.items()}
    body = entry.proposed(
        asked.action_id,
        asked.request,
        asked.pseudonym,
        asked.plan,
        standing=entry.Standing(State.PROPOSED, 0, 0),
        sealed=sealed,
        versions=parts.versions,
        relates_to=asked.relates_to,
        request_digest=asked.digest,
        by=by,
        authenticated=authenticated,
    )
    written = transaction.append(body)
    tool = parts.registry.tools.get(asked.request.action)
    effect = name_of(tool.effect) if tool else "unprotected"
    transaction.open_action(
        recorded.new_record(
            asked, effect, state=State.PROPOSED, decision_entry=written.pos, bundle=asked.plan.bundle_digest
        )
    )
    return written.pos
