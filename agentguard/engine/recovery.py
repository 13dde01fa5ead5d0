"""What becomes of actions that began and whose end nobody wrote down: by what kind of effect they have.

Read and idempotent tools are called again (never past their ttl), queryable ones are asked, and for the rest a person
looks: `guard.resolve`. An unknown outcome is never retried blindly (law 6).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from agentguard.core import entry
from agentguard.core.language import Value
from agentguard.core.lifecycle import State
from agentguard.core.reader import Reader, Unseal
from agentguard.engine import recorded
from agentguard.engine.answers import Answer
from agentguard.engine.carrying import carry_out
from agentguard.engine.deciding import halted
from agentguard.engine.effect import Idempotent, Outcome, OutcomeKind, Queryable, Read
from agentguard.engine.finishing import Finishing, report
from agentguard.engine.parts import Parts
from agentguard.engine.registry import Tool, signature_of
from agentguard.engine.steps import Call, Commit, Look, Step
from agentguard.engine.undertaking import Undertaking
from agentguard.errors import AgentGuardError, StoreUnavailableError
from agentguard.log import get_logger
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionRecord, Sealed

log = get_logger("recovery")

LOST = Outcome(OutcomeKind.UNKNOWN, error="lost")
MAX_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Found:
    """An abandoned action as it was found: what it was about, and when it was.

    Attributes:
        erased: Something of its request was erased, so that what could be sent would be another request.
    """

    begun: Undertaking
    record: ActionRecord
    now: datetime
    stopped: bool
    erased: bool


def recovering(parts: Parts, record: ActionRecord) -> Generator[Step, Any, Answer]:
    """Find out what became of an action that is in doubt, or was abandoned while it executed."""
    try:
        found: Found | None = yield Look(lambda reading: find(parts, record.id, reading))
        if found is None:
            return recorded.not_now(record.id, record.action, "no_tool")
        if found.record.state is State.EXECUTING:
            if found.now <= (found.record.lease_until or found.now):
                return recorded.not_now(record.id, record.action, "in_progress")
            answer: Answer = yield Commit(Finishing(parts, found.begun, report(parts, found.begun, LOST)))
            found = replace(found, record=replace(found.record, state=State.IN_DOUBT))
        elif found.record.state is State.IN_DOUBT:
            answer = recorded.ended(found.record, replayed=True)
        else:
            return recorded.ended(found.record, replayed=True)
        if found.stopped or found.erased:
            return answer
        effect = found.begun.tool.effect
        if _may_send_again(effect, found) and found.record.attempt < MAX_ATTEMPTS:
            begun: Undertaking = yield Commit(SendingAgain(parts, found.begun, found.record))
            answer = yield from carry_out(parts, begun)
        elif isinstance(effect, Queryable):
            answer = yield from _ask(parts, found, effect, answer)
        return answer
    except StoreUnavailableError:
        return recorded.not_now(record.id, record.action, "store")


def _may_send_again(effect: object, found: Found) -> bool:
    if isinstance(effect, Read):
        return True
    if not isinstance(effect, Idempotent) or found.record.began_at is None:
        return False
    # The call itself takes time: it must be over before the receiver forgets the key.
    timeout = found.begun.tool.timeout or recorded.UNBOUNDED
    return found.now + timeout < found.record.began_at + effect.ttl


def _ask(parts: Parts, found: Found, effect: Queryable, answer: Answer) -> Generator[Step, Any, Answer]:
    """Ask the receiver; "nothing found" counts only once a late request cannot land any more."""
    begun = found.begun
    asking = replace(begun.tool, function=effect.lookup, signature=signature_of(effect.lookup), retry=None)
    outcome: Outcome = yield Call(asking, replace(begun, tool=asking), _seconds(begun.tool))
    if outcome.kind is not OutcomeKind.DONE:
        return answer
    if outcome.result is None:
        deadline = begun.deadline or found.record.asked_at
        if found.now <= deadline + effect.settle_lag:
            return answer
        outcome = Outcome(OutcomeKind.NOT_DONE, error="not_found")
    known: Answer = yield Commit(Finishing(parts, begun, report(parts, begun, outcome, why="lookup")))
    return known


def _seconds(tool: Tool) -> float | None:
    return tool.timeout.total_seconds() if tool.timeout is not None else None


@dataclass(frozen=True, slots=True)
class SendingAgain:
    """Begin the next attempt of an action in doubt, under a higher fence; gives the new undertaking."""

    parts: Parts
    begun: Undertaking
    record: ActionRecord

    def __call__(self, transaction: Transaction) -> Undertaking:
        """Write that it is about to be sent again, before it is (law 2)."""
        now = transaction.now()
        deadline = now + (self.begun.tool.timeout or recorded.UNBOUNDED)
        standing = entry.Standing(State.EXECUTING, self.record.fence + 1, self.record.attempt + 1, deadline)
        written = transaction.append(
            entry.moved("sent_again", self.begun.about(standing), decision_entry=self.record.decision_entry)
        )
        transaction.move(
            self.record.id,
            State.IN_DOUBT,
            self.record.fence,
            State.EXECUTING,
            new_fence=standing.fence,
            attempt=standing.attempt,
            deadline=deadline,
            lease_until=deadline + self.parts.waits.grace,
        )
        return replace(self.begun, standing=standing, position=written.pos)


def find(parts: Parts, action_id: str, reading: Reading) -> Found | None:
    """Return an action that has begun, rebuilt from its row and its decision's entry; None without its tool here."""
    record = reading.action(action_id)
    if record is None or record.decision_entry is None:
        raise AgentGuardError(f"expected action `{action_id}` with its decision's entry in the store, got none")
    if record.action not in parts.registry.tools:
        log.warning("recovery.no_tool", action=record.action, action_id=action_id)
        return None
    begun, erased = restore(parts, reading, record)
    return Found(begun, record, reading.now(), halted(reading, record.action, record.agent) is not None, bool(erased))


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
        tool=parts.registry.tools[record.action],
        say=body["say"],
        language=body["language"],
    )
    return begun, erased


def reader_of(parts: Parts, reading: Reading, body: dict[str, Any], plan: Any) -> Reader:
    """Return a reader of a decision's entry that can open what is sealed in it, as long as its key is there."""
    return Reader(body, plan, unsealer(parts, reading, body["action_id"]), [])


def unsealer(parts: Parts, reading: Reading, action_id: str) -> Unseal:
    """Return how an action's sealed values are opened: by place and digest; None where the key was destroyed."""

    def unseal(place: str, digest: str) -> Value | None:
        packed = reading.sealed(digest)
        if packed is None:
            return None
        opened = parts.vault.open_sealed(Sealed.unpack(packed), place, action_id)
        return None if opened is None else orjson.loads(opened)

    return unseal
