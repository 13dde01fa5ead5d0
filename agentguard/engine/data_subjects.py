"""What a guard does for the people whose data it keeps: looks are recorded, they get a copy, and they are erased."""

from __future__ import annotations

from typing import Unpack

from agentguard.engine import erasing
from agentguard.engine.about import About, about
from agentguard.engine.erasing import Erasure
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Person
from agentguard.engine.privacy import IDENTITY, Look, personal_read
from agentguard.engine.subjects import Subject, is_pseudonym, subjects


class Privacy:
    """Personal values of one guard's store: who looks at them, and their end."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def look(self, look: Look, **person: Unpack[Person]) -> int:
        """Record that somebody is about to see personal values, before a host's own page shows any.

        Raises:
            PowerRefusedError: This person may not read what is personal.
        """
        return personal_read(self._parts, look, **person)

    def find(
        self, customer: str, *, where: str, tenant: str | None = None, **person: Unpack[Person]
    ) -> tuple[Subject, ...]:
        """Return what a customer is called in the log; that somebody joined the two is recorded.

        A pseudonym tells nobody who it is, so that asking with one is no look.

        Raises:
            NotFoundError: No record is about this customer.
            PowerRefusedError: This person may not read what is personal.
        """
        found = self._parts.store.read(lambda reading: subjects(self._parts, reading, customer, tenant))
        if not is_pseudonym(customer):
            for subject in found:
                look = Look(where, (subject.pseudonym,), (IDENTITY,), subject.tenant)
                personal_read(self._parts, look, **person)
        return found

    def who(self, pseudonym: str, *, where: str, **person: Unpack[Person]) -> str | None:
        """Return the customer behind a pseudonym, or None if they were erased; that somebody asked is recorded.

        Raises:
            NotFoundError: No record is about this pseudonym.
            PowerRefusedError: This person may not read what is personal.
        """
        subject = self._parts.store.read(lambda reading: subjects(self._parts, reading, pseudonym))[0]
        personal_read(self._parts, Look(where, (pseudonym,), (IDENTITY,), subject.tenant), **person)
        return self._parts.vault.customer_of(pseudonym)

    def about(self, customer: str, *, tenant: str | None = None, **person: Unpack[Person]) -> tuple[About, ...]:
        """Return everything that is recorded about a customer, one copy for each tenant; it is recorded first.

        Raises:
            NotFoundError: No record is about this customer.
            PowerRefusedError: This person may not read what is personal.
            StoreUnavailableError: The keys are not those of this database.
        """
        return about(self._parts, customer, tenant, **person)

    def erase(self, customer: str, *, tenant: str | None = None, **person: Unpack[Person]) -> tuple[Erasure, ...]:
        """Destroy what identifies a customer and opens their personal values, for each tenant whose records know them.

        Raises:
            NotFoundError: No record is about this customer.
            PowerRefusedError: This person may not, or has asked for it already and somebody else has to.
            StoreUnavailableError: The keys are not those of this database.
        """
        return erasing.erase(self._parts, customer, tenant, **person)
