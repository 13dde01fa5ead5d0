"""Putting a bundle into force: its exact texts in the store, its accounts filled, one row that says so, one entry."""

from __future__ import annotations

from dataclasses import dataclass

from agentguard.core.policy import Bundle
from agentguard.engine.filling import fill
from agentguard.engine.openings import Opening, recorded
from agentguard.engine.parts import Parts
from agentguard.engine.remembering import remember_before
from agentguard.store import Transaction


@dataclass(frozen=True, slots=True)
class Activation:
    """What came of putting a bundle into force; true if something changed.

    Attributes:
        changed: False if it was in force already; then nothing was done.
        entry: Position of the entry that says so, or None.
        limits: How the accounts of each enforced limit begin.
    """

    bundle: str
    changed: bool
    entry: int | None = None
    limits: tuple[Opening, ...] = ()

    def __bool__(self) -> bool:
        return self.changed


def activate(parts: Parts, bundle: Bundle, *, by: str, why: str, tenant: str = "default") -> Activation:
    """Put a bundle into force, and fill the accounts of its new and changed limits from the log, in one commit.

    Raises:
        PolicyVersionError: A policy and version is stored already with another text.
        StoreUnavailableError: Accounts are to be filled, and the keys file is not the one of this database.
    """

    def work(transaction: Transaction) -> Activation:
        for policy in bundle.policies:
            transaction.store_policy(policy.digest, policy.name, policy.version, policy.text)
        transaction.store_bundle(bundle.digest, [policy.digest for policy in bundle.policies])
        before = transaction.digest_in_force()
        if before == bundle.digest:
            return Activation(bundle.digest, False)
        openings = fill(parts, transaction, bundle)
        remembers = remember_before(parts, transaction, bundle)
        transaction.activate(bundle.digest, by, why)
        written = transaction.append(
            {
                "tenant": tenant,
                "kind": "activated",
                "bundle": bundle.digest,
                "before": before,
                "policies": {
                    policy.name: {"digest": policy.digest, "version": policy.version} for policy in bundle.policies
                },
                "limits": {opening.limit: recorded(opening) for opening in openings},
                "remembers": remembers,
                "by": by,
                "why": why,
            }
        )
        return Activation(bundle.digest, True, written.pos, openings)

    return parts.store.transact(work)
