"""On which side of a canary an action is that has begun its walk: which policies decide about it now."""

from __future__ import annotations

from agentguard.core.policy import Bundle
from agentguard.engine.parts import Parts
from agentguard.store import Reading
from agentguard.store.records import ActionRecord


def bundle_of(parts: Parts, reading: Reading, record: ActionRecord) -> Bundle:
    """Return the bundle that decides about an action now; for an erased customer the one that decided it, if it can.

    Raises:
        ConfigurationError: No policies are in force.
    """
    standing = parts.force.standing(reading)
    if standing.canary is None:
        return parts.force.bundle(reading, standing.bundle)
    customer = parts.vault.customer_of(record.on_behalf_of) if record.on_behalf_of else ""
    if customer is not None:
        return parts.force.bundle(reading, standing.side(record.tenant, customer).bundle)
    return parts.force.bundle(reading, record.bundle if record.bundle in standing.bundles else standing.bundle)
