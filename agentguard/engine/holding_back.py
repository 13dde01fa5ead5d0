"""Legal holds: what a person wants kept is neither purged nor erased until somebody lifts the hold, with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Unpack

from agentguard.engine import powers, recorded
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Permit, Person, Use
from agentguard.engine.subjects import Subject, subjects
from agentguard.errors import NotFoundError, PowerRefusedError, TamperedError, UsageError
from agentguard.store import Reading, Transaction, legal_holds
from agentguard.store.legal_holds import LIFTED, SET, LegalHold, Matter, Scope


def scope_of(
    parts: Parts,
    *,
    customer: str | None = None,
    action: str | None = None,
    action_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    tenant: str | None = None,
) -> Scope:
    """Return what a hold would cover, as far as something is named at all.

    Raises:
        NotFoundError: The log does not know the customer or the action.
        UsageError: Nothing is named, or the time ends before it begins, or has no zone.
    """
    if all(item is None for item in (customer, action, action_id, since, until)):
        raise UsageError("expected what to hold: a customer, an action, an action's id or a time; got nothing")
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and moment.tzinfo is None:
            raise UsageError(f"expected `{name}` with a time zone, got `{moment}`")
    if since is not None and until is not None and until < since:
        raise UsageError(f"expected `until` after `since`, got {until} before {since}")

    def read(reading: Reading) -> tuple[str, ...]:
        """Return the customer's pseudonyms; what is named has to be there, so that no slip holds nothing."""
        if action_id is not None:
            recorded.found(reading, action_id)
        found = () if customer is None else subjects(parts, reading, customer, tenant)
        return tuple(item.pseudonym for item in found)

    return Scope(parts.store.read(read), action, action_id, since, until, tenant)


def hold(parts: Parts, scope: Scope, tenant: str, **person: Unpack[Person]) -> LegalHold:
    """Keep what a scope covers from being purged and erased.

    Raises:
        PowerRefusedError: This person may not, or somebody else has to ask for the same.
    """

    def work(transaction: Transaction, permit: Permit) -> LegalHold | int:
        """Store the hold and the entry that says who wants it; or return how many people are missing."""
        agreement = permit.together(transaction)
        if agreement.missing:
            return agreement.missing
        now = transaction.now()
        made = LegalHold(parts.new_id("hold", now), scope, permit.by, permit.use.why, now)
        legal_holds.add(transaction, made)
        said = {"hold": made.id, "scope": scope.document(), **permit.recorded(agreement)}
        transaction.append({"tenant": tenant, "kind": SET, **said})
        return made

    return _complete(powers.used(parts, Use("legal_hold", f"set {scope.document()}"[:500], tenant, **person), work))


def lift(parts: Parts, hold_id: str, tenant: str, **person: Unpack[Person]) -> LegalHold:
    """Let go what a hold keeps.

    Raises:
        NotFoundError: There is no such hold (any more).
        PowerRefusedError: This person may not, or somebody else has to ask for the same.
    """

    def work(transaction: Transaction, permit: Permit) -> LegalHold | int:
        """Take the hold away and write down who lifted it; or return how many people are missing."""
        found = next((item for item in legal_holds.legal_holds(transaction) if item.id == hold_id), None)
        if found is None:
            raise NotFoundError(f"expected the id of a legal hold that stands, got `{hold_id!s:.100}`")
        agreement = permit.together(transaction)
        if agreement.missing:
            return agreement.missing
        legal_holds.lift(transaction, hold_id)
        said = {"hold": hold_id, "scope": found.scope.document(), **permit.recorded(agreement)}
        transaction.append({"tenant": tenant, "kind": LIFTED, **said})
        return found

    return _complete(powers.used(parts, Use("legal_hold", f"lift {hold_id}"[:500], tenant, **person), work))


def standing(reading: Reading) -> tuple[LegalHold, ...]:
    """Return every hold that stands now, for whoever is about to take something away.

    Raises:
        TamperedError: Somebody set, lifted or changed one behind the log's back.
    """
    wrong = legal_holds.contradicted(reading)
    if wrong:
        raise TamperedError(
            f"expected legal hold `{wrong[0]}` as its entries say, got it set, lifted or changed without one; nothing "
            "is taken away; run `agentguard audit verify`"
        )
    return legal_holds.legal_holds(reading)


def held_by(holds: Iterable[LegalHold], matter: Matter) -> tuple[str, ...]:
    """Return the ids of the holds that cover something."""
    return tuple(item.id for item in holds if item.scope.covers(matter))


def held_customer(holds: Iterable[LegalHold], subject: Subject) -> tuple[str, ...]:
    """Return the ids of the holds that cover everything about a customer."""
    return tuple(item.id for item in holds if item.scope.covers_customer(subject.tenant, subject.pseudonym))


def _complete(came: LegalHold | int) -> LegalHold:
    if isinstance(came, int):
        raise PowerRefusedError("more_people", f"nothing has changed yet: {powers.more_people(came)}")
    return came
