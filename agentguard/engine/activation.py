"""Putting bundles into force: their texts in the store, their accounts filled, one row that says so, one entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Unpack

from agentguard.core.canary import Canary, InForce
from agentguard.core.people import Power
from agentguard.core.policy import Bundle
from agentguard.engine import powers
from agentguard.engine.change import POWER, UNEXAMINED, Change, Standing, directed, standing_of
from agentguard.engine.change_note import Notes
from agentguard.engine.entrusted import Entrusted
from agentguard.engine.filling import fill
from agentguard.engine.openings import Opening, recorded
from agentguard.engine.origin import origin
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Permit, Person, Use
from agentguard.engine.remembering import remember_before
from agentguard.errors import ConfigurationError, PowerRefusedError, UsageError
from agentguard.evidence.keys import Signer
from agentguard.store import Reading, Transaction

PUT_BY_PEOPLE = (
    "the policies in force were put there by people who are said to have that power, and nothing here says who has it: "
    "name their people.yaml (`--people`)"
)


@dataclass(frozen=True, slots=True)
class Activation:
    """What came of putting a bundle into force; true if something changed.

    Attributes:
        bundle: The bundle in force then, or wanted.
        changed: False if it was in force already; then nothing was done.
        entry: Position of the entry that says so, or None.
        limits: How the accounts of each enforced limit begin, those of a canary first.
        missing: How many more people have to ask for it before anything is done.
        canary: What decides for a share of customers then, or is wanted to.
    """

    bundle: str
    changed: bool
    entry: int | None = None
    limits: tuple[Opening, ...] = ()
    missing: int = 0
    canary: Canary | None = None

    def __bool__(self) -> bool:
        return self.changed


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be in force: a bundle for everybody, or for everybody whom a canary does not have.

    Attributes:
        trial: The bundle of the canary.
        canary: How many customers it decides for, and how they are drawn.
        at_once: True if one person is enough: it goes back to what is in force already.
    """

    bundle: Bundle
    trial: Bundle | None = None
    canary: Canary | None = None
    at_once: bool = False

    @property
    def in_force(self) -> InForce:
        """What the store will say."""
        return InForce(self.bundle.digest, self.canary)

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """All that will decide for somebody."""
        return (self.bundle,) if self.trial is None else (self.bundle, self.trial)


def activate(
    parts: Parts,
    bundle: Bundle,
    tenant: str,
    looked: Change | None = None,
    signer: Signer | None = None,
    **person: Unpack[Person],
) -> Activation:
    """Put a bundle into force, and fill the accounts of its new and changed limits from the log, in one commit.

    It decides for everybody then: a canary ends, and one of this bundle is promoted by it.

    Args:
        parts: Of the guard.
        bundle: The bundle.
        tenant: In whose records that is written.
        looked: The change as it was shown; it is made as it was shown, or not at all.
        signer: Has the key of whoever does this.
        person: Who, and why.

    Raises:
        PolicyVersionError: A policy and version is stored already with another text.
        PowerRefusedError: This person may not, or has asked for it already and somebody else has to.
        StoreUnavailableError: Accounts are to be filled, and the keys file is not the one of this database.
        UsageError: It is in force already, beside a canary, which only `abort` ends.
    """

    def wanted(reading: Reading) -> Wanted:
        """Return the bundle alone, unless that would end a canary without saying so."""
        before = reading.in_force()
        if before is not None and before.bundle == bundle.digest and before.canary is not None:
            raise UsageError(
                "expected other policies than those in force, beside which a canary runs; to end the canary, abort it "
                "(`agentguard policy activate --abort`)"
            )
        return Wanted(bundle)

    return change(parts, Use(POWER, bundle.digest, tenant, **person), wanted, looked, signer)


def change(
    parts: Parts,
    use: Use,
    wanted: Callable[[Reading], Wanted],
    looked: Change | None = None,
    signer: Signer | None = None,
) -> Activation:
    """Change what is in force for somebody who may, unless it is so already or more people have to say so.

    Whatever may let an agent do more takes two people, where it is said who may.

    Args:
        parts: Of the guard.
        use: Who wants it, and what exactly; several people must mean the same.
        wanted: Gives what is to be in force, from what is now.
        looked: The change as it was shown; it is made as it was shown, or not at all.
        signer: Has the key of whoever does this.
    """
    while True:
        permit = powers.permitted(parts, use)
        log, before, target = parts.store.read(lambda reading: (origin(reading), standing_of(reading), wanted(reading)))
        if before.in_force == target.in_force:
            return Activation(target.bundle.digest, False, canary=target.canary)
        # Worked out outside a unit of work, which a solver or a host's signer must never hold up.
        meant = _looked_at(parts, permit, before, target, looked)
        notes = Notes(log, meant, target.bundles, None if target.at_once else signer)
        done = powers.used(parts, use, partial(_agreed, parts, meant, notes.signed_by(permit), wanted))
        if done is not None:
            return done


def _looked_at(parts: Parts, permit: Permit, before: Standing, target: Wanted, looked: Change | None) -> Change:
    """Return the change as it was shown, or which way it goes where that matters.

    Raises:
        UsageError: Something else is in force than when it was shown.
    """
    if looked is not None:
        if not looked.is_from(before, target.in_force):
            raise UsageError("expected what was in force when this was looked at, got something else: look at it again")
        return looked
    if target.at_once or not permit.is_declared:
        return Change(before, target.in_force, UNEXAMINED)
    return directed(parts, before, target.in_force, target.bundles)


def _agreed(
    parts: Parts,
    meant: Change,
    notes: Notes,
    wanted: Callable[[Reading], Wanted],
    transaction: Transaction,
    permit: Permit,
) -> Activation | None:
    """Put it into force, or record who asks for it; None if it has to be looked at again."""
    if standing_of(transaction) != meant.before:
        return None
    if meant.before.declared and not permit.is_declared:
        raise PowerRefusedError("undeclared", PUT_BY_PEOPLE)
    target = wanted(transaction)
    entrusted = {"may": _entrusted(permit)}
    if target.at_once:
        return put_into_force(parts, target, transaction, permit.recorded() | entrusted, permit.use.tenant)
    if meant.direction == UNEXAMINED and permit.is_declared:
        return None  # who may was said meanwhile
    notes.require(permit)
    said = {"change": meant.recorded(), "signature": notes.signature, **entrusted}
    agreement = permit.at_least(meant.people).together(
        transaction, _named(target, meant.before.in_force) | said, partial(notes.still_signed, permit)
    )
    if agreement.missing:
        for bundle in target.bundles:
            _store(transaction, bundle)
        digest = target.bundle.digest
        return Activation(digest, False, agreement.entry, missing=agreement.missing, canary=target.canary)
    return put_into_force(parts, target, transaction, permit.recorded(agreement) | said, permit.use.tenant)


def _entrusted(permit: Permit) -> dict[str, Any] | None:
    """Return who could have said yes, for the record; None where nothing is said about it."""
    if not permit.is_declared:
        return None
    return Entrusted(Power(permit.counting, permit.needed, permit.signed), permit.people).recorded()


def activate_at_start(parts: Parts, bundle: Bundle, *, tenant: str, why: str = "activate=True") -> Activation:
    """Put into force what a guard loaded with `activate=True`: the first bundle of all, or where nobody has that power.

    A bundle that decides for somebody already, as the one in force or as its canary, changes nothing.

    Raises:
        ConfigurationError: Another bundle is in force, and it is said who may change that.
        PeopleUnavailableError: Another bundle is in force, and it cannot be told who may change that.
    """
    said: dict[str, Any] = {
        "by": "guard",
        "why": why,
        "authenticated": None,
        "power": powers.UNDECLARED,
        "people": None,
        "with": [],
        "may": None,
    }
    while True:
        standing = parts.store.read(standing_of)
        before = standing.in_force
        if before is not None and bundle.digest in before.bundles:
            return Activation(before.bundle, False, canary=before.canary)
        if before is not None or standing.declared:
            require_unsaid(parts)
        activated = parts.store.transact(partial(_put_if_still, parts, bundle, before, said, tenant))
        if activated is not None:
            return activated


def require_unsaid(parts: Parts) -> None:
    """Refuse to let files alone change what is in force where it is said who may.

    Raises:
        ConfigurationError: It is said.
        PeopleUnavailableError: It cannot be told.
    """
    # Asked outside a unit of work, which a host's function must never hold up.
    people = parts.directory.people()
    if parts.store.read(standing_of).declared or (people is not None and people.declares_powers):
        said = "it is said who may change what is in force, so files alone do not"
        fix = "run `agentguard policy activate`, and leave out `activate=True` and `reload=True`"
        develop = "while you develop, give a people file without `operators` and `powers` (`people=`)"
        raise ConfigurationError([f"{said}: {fix}; {develop}"])


def _put_if_still(
    parts: Parts, bundle: Bundle, before: InForce | None, said: dict[str, Any], tenant: str, transaction: Transaction
) -> Activation | None:
    """Put a bundle into force if what was looked at still is; None if something else came into force since."""
    if transaction.in_force() != before:
        return None
    return put_into_force(parts, Wanted(bundle), transaction, said, tenant)


def put_into_force(
    parts: Parts, wanted: Wanted, transaction: Transaction, said: dict[str, Any], tenant: str
) -> Activation:
    """Do it in a unit of work; `said` is what the entry says about who and why."""
    for bundle in wanted.bundles:
        _store(transaction, bundle)
    before = transaction.in_force()
    trial = () if wanted.trial is None else fill(parts, transaction, wanted.trial)
    openings = fill(parts, transaction, wanted.bundle)
    remembers = _remembered(parts, transaction, wanted.bundles)
    transaction.activate(wanted.in_force, said["by"], said["why"])
    written = transaction.append(
        {
            "tenant": tenant,
            "kind": "activated",
            **_named(wanted, before, trial),
            "limits": _told(openings),
            "remembers": remembers,
            **said,
        }
    )
    return Activation(wanted.bundle.digest, True, written.pos, (*trial, *openings), canary=wanted.canary)


def _store(transaction: Transaction, bundle: Bundle) -> None:
    for policy in bundle.policies:
        transaction.store_policy(policy.digest, policy.name, policy.version, policy.text)
    transaction.store_bundle(bundle.digest, [policy.digest for policy in bundle.policies])


def _remembered(parts: Parts, transaction: Transaction, bundles: Sequence[Bundle]) -> dict[str, list[str]]:
    """Remember what is asked for by any of the bundles, and return by action what is remembered from now on."""
    found: dict[str, set[str]] = {}
    for bundle in bundles:
        for action, names in remember_before(parts, transaction, bundle).items():
            found.setdefault(action, set()).update(names)
    return {action: sorted(names) for action, names in sorted(found.items())}


def _described(bundle: Bundle) -> dict[str, Any]:
    return {policy.name: {"digest": policy.digest, "version": policy.version} for policy in bundle.policies}


def _told(openings: Sequence[Opening]) -> dict[str, Any]:
    return {opening.limit: recorded(opening) for opening in openings}


def _named(wanted: Wanted, before: InForce | None, openings: Sequence[Opening] = ()) -> dict[str, Any]:
    """Return what an entry says of what is to be in force, and in the place of what."""
    canary = _side(wanted.canary)
    if canary is not None and wanted.trial is not None:
        canary |= {"policies": _described(wanted.trial), "limits": _told(openings)}
    return {
        "bundle": wanted.bundle.digest,
        "before": None if before is None else before.bundle,
        "policies": _described(wanted.bundle),
        "canary": canary,
        "canary_before": None if before is None else _side(before.canary),
    }


def _side(canary: Canary | None) -> dict[str, Any] | None:
    """Return a canary as entries name it: they say by its digest which salt it is, and not the salt."""
    if canary is None:
        return None
    return {"bundle": canary.bundle, "share": canary.share, "salt": canary.salt_digest}
