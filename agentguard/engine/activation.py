"""Putting a bundle into force: its exact texts in the store, one row that says so, one entry."""

from __future__ import annotations

from agentguard.core.policy import Bundle
from agentguard.store import Store, Transaction


def activate(store: Store, bundle: Bundle, *, by: str, why: str, tenant: str = "default") -> bool:
    """Put a bundle into force; False if it was already.

    Raises:
        PolicyVersionError: A policy and version is stored already with another text.
    """

    def work(transaction: Transaction) -> bool:
        for policy in bundle.policies:
            transaction.store_policy(policy.digest, policy.name, policy.version, policy.text)
        transaction.store_bundle(bundle.digest, [policy.digest for policy in bundle.policies])
        before = transaction.bundle_in_force()
        if before is not None and before.digest == bundle.digest:
            return False
        transaction.activate(bundle.digest, by, why)
        transaction.append(
            {
                "tenant": tenant,
                "kind": "activated",
                "bundle": bundle.digest,
                "before": None if before is None else before.digest,
                "policies": {
                    policy.name: {"digest": policy.digest, "version": policy.version} for policy in bundle.policies
                },
                "by": by,
                "why": why,
            }
        )
        return True

    return store.transact(work)
