"""Actions that go on by their id: ones that were approved or are ready, and ones that a person looked into."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

from agentguard.core.lifecycle import State
from agentguard.engine import powers, recorded
from agentguard.engine.answers import Answer
from agentguard.engine.asking import CONVERSATION, Proposal
from agentguard.engine.effect import Outcome, OutcomeKind
from agentguard.engine.finishing import Finishing, report
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Person, Use
from agentguard.engine.restoring import find, reader_of
from agentguard.engine.undertaking import tool_of
from agentguard.errors import UsageError
from agentguard.store import Reading


def again(parts: Parts, action_id: str) -> Proposal:
    """Return the proposal of an action as it was made, rebuilt from its record.

    Raises:
        NotFoundError: No action has this id.
        UsageError: Its arguments were never right, or its customer was erased.
    """
    return parts.store.read(lambda reading: proposal_of(parts, reading, action_id))


def proposal_of(parts: Parts, reading: Reading, action_id: str) -> Proposal:
    """Return the proposal of an action as it was made, rebuilt from its record inside one reading.

    Raises:
        NotFoundError: No action has this id.
        UsageError: Its arguments were never right, or its customer was erased.
    """
    record = recorded.found(reading, action_id)
    found = reading.entry(record.decision_entry or 0)
    if found is not None and found.kind == "recorded":
        raise UsageError(f"action `{action_id}` was recorded as done elsewhere; there is nothing to go on with")
    if found is None or found.kind not in ("decided", "proposed"):
        raise UsageError(
            f"action `{action_id}` was refused before any rule looked at it; there is nothing to go on with"
        )
    plan = parts.force.plan(parts.force.bundle(reading, found.document["bundle"]), record.action)
    reader = reader_of(parts, reading, found.document, plan)
    request = reader.request(parts.vault.customer_of(record.on_behalf_of) if record.on_behalf_of else "")
    if reader.erased:
        raise UsageError(f"expected the whole request of action `{action_id}`, but this was erased: {reader.erased}")
    context = {name.removeprefix("context."): value for name, value in request.context.items()}
    return Proposal(
        action=record.action,
        arguments=request.arguments,
        actor=request.actor,
        on_behalf_of=request.on_behalf_of,
        context={**context, **({"conversation": record.conversation} if CONVERSATION in request.context else {})},
        key=record.key,
        tenant=record.tenant,
        relates_to=record.relates_to,
    )


def resolve(parts: Parts, action_id: str, *, done: bool, result: Any = None, **person: Unpack[Person]) -> Answer:
    """Settle or release an action in doubt by what a person found out; it stays in doubt while somebody is missing.

    Raises:
        NotFoundError: No action has this id.
        PowerRefusedError: This person may not, or has said so already and somebody else has to.
        UsageError: It is not in doubt, or nobody and no reason is named.
    """
    powers.require_person(**person)
    record = parts.store.read(lambda reading: recorded.found(reading, action_id))
    if record.state is State.RELEASED and not done:
        return recorded.ended(record, replayed=True)
    if record.state not in (State.IN_DOUBT, State.RELEASED):
        raise UsageError(f"expected an action in doubt, got `{action_id}`, which is {record.state}")
    tool_of(parts, record.action)
    found = parts.store.read(lambda reading: find(parts, action_id, reading))
    if found is None:
        raise UsageError(f"action `{record.action}` has no tool in this process; resolve it where it has one")
    subject = f"{action_id} {'done' if done else 'not done'}, attempt {record.attempt}"
    permit, agreement = powers.used(
        parts,
        Use("resolve", subject, record.tenant, **person),
        lambda transaction, permit: (permit, permit.together(transaction)),
    )
    if agreement.missing:
        return replace(recorded.ended(record, replayed=True), entry=agreement.entry, leaf="")
    outcome = Outcome(OutcomeKind.DONE if done else OutcomeKind.NOT_DONE, result, error="" if done else "resolved")
    said = permit.recorded(agreement)
    by, why = said.pop("by"), said.pop("why")
    told = report(parts, found.begun, outcome, by=by, why=why, power=said)
    return parts.store.transact(Finishing(parts, found.begun, told))
