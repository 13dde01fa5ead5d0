"""Putting a bundle into force: its exact texts in the store, its accounts filled, one row that says so, one entry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Unpack

from agentguard.core.policy import Bundle
from agentguard.engine import powers
from agentguard.engine.filling import fill
from agentguard.engine.openings import Opening, recorded
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Permit, Person, Use
from agentguard.engine.remembering import remember_before
from agentguard.errors import ConfigurationError
from agentguard.store import Transaction


@dataclass(frozen=True, slots=True)
class Activation:
    """What came of putting a bundle into force; true if something changed.

    Attributes:
        changed: False if it was in force already; then nothing was done.
        entry: Position of the entry that says so, or None.
        limits: How the accounts of each enforced limit begin.
        missing: How many more people have to ask for it before anything is done.
    """

    bundle: str
    changed: bool
    entry: int | None = None
    limits: tuple[Opening, ...] = ()
    missing: int = 0

    def __bool__(self) -> bool:
        return self.changed


def activate(parts: Parts, bundle: Bundle, tenant: str, **person: Unpack[Person]) -> Activation:
    """Put a bundle into force, and fill the accounts of its new and changed limits from the log, in one commit.

    Raises:
        PolicyVersionError: A policy and version is stored already with another text.
        PowerRefusedError: This person may not, or has asked for it already and somebody else has to.
        StoreUnavailableError: Accounts are to be filled, and the keys file is not the one of this database.
    """

    def work(transaction: Transaction, permit: Permit) -> Activation:
        """Put the bundle into force, unless it is, or more people have to say so."""
        if transaction.digest_in_force() == bundle.digest:
            return Activation(bundle.digest, False)
        agreement = permit.together(transaction)
        if agreement.missing:
            return Activation(bundle.digest, False, agreement.entry, missing=agreement.missing)
        return put_into_force(parts, bundle, transaction, permit.recorded(agreement), tenant)

    return powers.used(parts, Use("activate", bundle.digest, tenant, **person), work)


def activate_at_start(parts: Parts, bundle: Bundle, *, tenant: str) -> Activation:
    """Put into force what a guard loaded with `activate=True`: the first bundle of all, or where nobody has that power.

    Raises:
        ConfigurationError: Another bundle is in force, and it is said who may change that.
        PeopleUnavailableError: Another bundle is in force, and it cannot be told who may change that.
    """
    said: dict[str, Any] = {
        "by": "guard",
        "why": "activate=True",
        "authenticated": None,
        "power": powers.UNDECLARED,
        "people": None,
        "with": [],
    }
    while True:
        before = parts.store.read(lambda reading: reading.digest_in_force())
        if before == bundle.digest:
            return Activation(bundle.digest, False)
        # Asked outside a unit of work, which a host's function must never hold up.
        people = parts.directory.people() if before is not None else None
        if people is not None and people.declares_powers:
            fix = "run `agentguard policy activate`, and leave out `activate=True`"
            raise ConfigurationError([f"other policies are in force, and it is said who may change that: {fix}"])
        activated = parts.store.transact(partial(_put_if_still, parts, bundle, before, said, tenant))
        if activated is not None:
            return activated


def _put_if_still(
    parts: Parts, bundle: Bundle, before: str | None, said: dict[str, Any], tenant: str, transaction: Transaction
) -> Activation | None:
    """Put a bundle into force if the one that was looked at still is; None if another one came into force since."""
    if transaction.digest_in_force() != before:
        return None
    return put_into_force(parts, bundle, transaction, said, tenant)


def put_into_force(
    parts: Parts, bundle: Bundle, transaction: Transaction, said: dict[str, Any], tenant: str
) -> Activation:
    """Do it in a unit of work; `said` is what the entry says about who and why."""
    for policy in bundle.policies:
        transaction.store_policy(policy.digest, policy.name, policy.version, policy.text)
    transaction.store_bundle(bundle.digest, [policy.digest for policy in bundle.policies])
    before = transaction.digest_in_force()
    openings = fill(parts, transaction, bundle)
    remembers = remember_before(parts, transaction, bundle)
    transaction.activate(bundle.digest, said["by"], said["why"])
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
            **said,
        }
    )
    return Activation(bundle.digest, True, written.pos, openings)
