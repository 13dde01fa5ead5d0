"""The customer's yes to exactly one request: taken down word for word, found by its digest, and used once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agentguard.core.decision import Decision
from agentguard.core.digest import canonical_bytes
from agentguard.core.needs import CONFIRMED, RequirementNeed
from agentguard.core.request import Actor, ActorKind
from agentguard.engine.asking import Ask, Proposal, ask
from agentguard.engine.parts import Parts
from agentguard.engine.told import spoken
from agentguard.errors import KeyConflictError, UsageError
from agentguard.store import Reading, Transaction

KIND = "confirmed"
PLACE = "confirmed.words"

# Under these names the store remembers them beside settled actions; no action can be called so, for want of a dot.
_YES = "yes"
_USED = "yes_used"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A customer's yes as it was recorded.

    Attributes:
        entry: Position in the audit log.
        at: When it was taken down: what `within` counts from.
    """

    id: str
    action: str
    entry: int
    at: datetime


def confirm(parts: Parts, proposal: Proposal, words: str, *, by: str | Actor, channel: str) -> Confirmation:
    """Record that a customer said yes to exactly this request; once where the proposal has a key.

    Raises:
        KeyConflictError: The key names a yes to something else.
        UsageError: It is for nobody, nothing governs the action, or its arguments are wrong.
    """
    said = spoken(words, by, channel, proposal.key)
    who = by if isinstance(by, Actor) else Actor(by, kind=ActorKind.PERSON)
    if not proposal.on_behalf_of:
        raise UsageError("expected `on_behalf_of`: the customer who said yes, got nobody")
    asked = parts.store.read(lambda reading: _asked(parts, proposal, reading))

    def work(transaction: Transaction) -> Confirmation:
        """Write the yes down, unless its key says that it was."""
        parts.require_keys(transaction)
        before = None if proposal.key is None else _before(parts, transaction, asked)
        return before or _written(parts, transaction, asked, said, who=who, channel=channel, key=proposal.key)

    return parts.store.transact(work)


def _asked(parts: Parts, proposal: Proposal, reading: Reading) -> Ask:
    bundle = parts.force.deciding(reading, proposal.tenant, proposal.on_behalf_of)
    plan = parts.force.plan(bundle, proposal.action)
    if not plan.files:
        raise UsageError(f"expected an action that a policy governs, got `{proposal.action}`")
    now = reading.now()
    identity = parts.new_id("yes", now)
    known = parts.force.known_context(reading)
    # Where its key is its own id, it is a yes of its own each time.
    named = replace(proposal, key=proposal.key or identity)
    asked = ask(parts, named, plan, known, now=now, action_id=identity)
    if asked.faults:
        raise UsageError(f"expected the arguments that would be asked for, got: {'; '.join(map(str, asked.faults))}")
    return asked


def _before(parts: Parts, reading: Reading, asked: Ask) -> Confirmation | None:
    key = {"key": parts.keyed_value(asked.request.key)}
    position = reading.settled(asked.request.tenant, _YES, key, None)
    found = None if position is None else reading.entry(position)
    if found is None or found.is_purged:
        return None
    if found.document["request_digest"] != asked.digest:
        raise KeyConflictError(
            f"expected the request that was confirmed under the key `{asked.request.key}` before, got another one"
        )
    return Confirmation(found.document["confirmation"], asked.request.action, found.pos, found.at)


def _written(
    parts: Parts, transaction: Transaction, asked: Ask, words: str, *, who: Actor, channel: str, key: str | None
) -> Confirmation:
    sealed = {place: transaction.store_sealed(item.packed) for place, item in asked.sealed.items()}
    spoken = parts.vault.seal(asked.pseudonym, PLACE, canonical_bytes(words), asked.action_id)
    shown: dict[str, Any] = {
        name: {"sealed": sealed[place]} if (place := f"arguments.{name}") in sealed else value
        for name, value in asked.encoded.items()
    }
    request = asked.request
    written = transaction.append(
        {
            "tenant": request.tenant,
            "kind": KIND,
            "confirmation": asked.action_id,
            "action": request.action,
            "on_behalf_of": asked.pseudonym,
            "arguments": shown,
            "bundle": asked.plan.bundle_digest,
            "request_digest": asked.digest,
            "words": {"sealed": transaction.store_sealed(spoken.packed)},
            "by": asked.pseudonym if who.id == request.on_behalf_of else who.id,
            "by_kind": str(who.kind),
            "channel": channel,
        }
    )
    names = {CONFIRMED: asked.digest} | ({} if key is None else {"key": parts.keyed_value(key)})
    transaction.remember_values(asked.action_id, request.tenant, _YES, names, written.pos)
    return Confirmation(asked.action_id, request.action, written.pos, transaction.clock().ledger)


def confirmed(reading: Reading, tenant: str, values: Mapping[str, str], need: RequirementNeed, own: str) -> int | None:
    """Return the entry of the customer's newest yes to a request, unless another action has used it.

    Args:
        reading: The deciding transaction.
        tenant: Whose records.
        values: The keyed digest of what is asked, as `need` names it.
        need: How old the yes may be.
        own: The id of the action that is decided; what it used itself is still its own.
    """
    position = reading.settled(tenant, _YES, values, need.since)
    if position is None:
        return None
    used = reading.settled(tenant, _USED, {"entry": str(position)}, None)
    user = None if used is None else reading.entry(used)
    return position if user is None or user.document["action_id"] == own else None


def use(transaction: Transaction, asked: Ask, decision: Decision, position: int) -> None:
    """Use up the customer's yes that a decision rests on, so that no other action has it.

    Args:
        transaction: The deciding one.
        asked: What was decided.
        decision: Which permits it.
        position: Of the decision's entry.
    """
    of_yes = {item.id for file in asked.plan.files for item in file.requires if item.requirement.action is None}
    spent = {check.entry for check in decision.requirements if check.requirement in of_yes and check.entry is not None}
    for entry in spent:  # one at most: every requirement of a request finds the same yes
        value = {"entry": str(entry)}
        if transaction.settled(asked.request.tenant, _USED, value, None) is None:
            transaction.remember_values(asked.action_id, asked.request.tenant, _USED, value, position)
