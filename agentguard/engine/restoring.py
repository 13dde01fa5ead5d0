"""Actions rebuilt from the record: what was decided about, so that it can be ended, sent again or shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from agentguard.core import entry
from agentguard.core.language import Value
from agentguard.core.reader import Reader, Unseal
from agentguard.engine.parts import Parts
from agentguard.engine.undertaking import Undertaking
from agentguard.errors import AgentGuardError
from agentguard.log import get_logger
from agentguard.store import Reading
from agentguard.store.records import ActionRecord, Sealed

log = get_logger("recovery")


@dataclass(frozen=True, slots=True)
class Found:
    """An abandoned action as it was found, and what it was about.

    Attributes:
        erased: Something of its request was erased, so that what could be sent would be another request.
    """

    begun: Undertaking
    record: ActionRecord
    erased: bool


def find(parts: Parts, action_id: str, reading: Reading) -> Found | None:
    """Return an action that has begun, rebuilt from its row and its decision's entry; None without its tool here."""
    record = reading.action(action_id)
    if record is None or record.decision_entry is None:
        raise AgentGuardError(f"expected action `{action_id}` with its decision's entry in the store, got none")
    if record.action not in parts.registry.tools:
        log.warning("recovery.no_tool", action=record.action, action_id=action_id)
        return None
    begun, erased = restore(parts, reading, record)
    return Found(begun, record, bool(erased))


def restore(parts: Parts, reading: Reading, record: ActionRecord) -> tuple[Undertaking, list[str]]:
    """Return the undertaking that a decision's entry describes, and what of its request was erased."""
    decision_entry = reading.entry(record.decision_entry or 0)
    if decision_entry is None:
        raise AgentGuardError(f"expected entry {record.decision_entry} of action `{record.id}`, got none")
    body = decision_entry.document
    plan = parts.force.plan(parts.force.bundle(reading, body["bundle"]), record.action)
    reader = reader_of(parts, reading, body, plan)
    request = reader.request(parts.vault.customer_of(record.on_behalf_of) if record.on_behalf_of else "")
    erased = list(reader.erased)
    evidence = reader.evidence()
    begun = Undertaking(
        action_id=record.id,
        request=request,
        pseudonym=record.on_behalf_of,
        plan=plan,
        facts=evidence.facts,
        holds={item["limit"]: (item["account"], int(item["amount"])) for item in body["limits"] if item["account"]},
        decided_at=evidence.now,
        standing=entry.Standing(record.state, record.fence, record.attempt, record.deadline),
        position=decision_entry.pos,
        intent=decision_entry.leaf,
        tool=parts.registry.tools[record.action],
        witness=bool(body["witness"]) and not parts.observe,
    )
    return begun, erased


def reader_of(parts: Parts, reading: Reading, body: dict[str, Any], plan: Any) -> Reader:
    """Return a reader of a decision's entry that can open what is sealed in it, as long as its key is there."""
    return Reader(body, plan, unsealer(parts, reading, body["action_id"]), [])


def unsealer(parts: Parts, reading: Reading, action_id: str) -> Unseal:
    """Return how an action's sealed values are opened: by place and digest; None where the key was destroyed."""

    def unseal(place: str, digest: str) -> Value | None:
        """Return a sealed value; None where it or its key is gone."""
        packed = reading.sealed(digest)
        if packed is None:
            return None
        opened = parts.vault.open_sealed(Sealed.unpack(packed), place, action_id)
        return None if opened is None else orjson.loads(opened)

    return unseal
