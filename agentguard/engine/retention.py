"""How long a guard's records stay: legal holds that keep them, and the purge of those whose time is over."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack

from agentguard.engine import holding_back
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Person
from agentguard.store.legal_holds import LegalHold, legal_holds


class Retention:
    """What keeps records of one guard's store, and what ends them."""

    def __init__(self, parts: Parts, tenant: str) -> None:
        self._parts = parts
        self._tenant = tenant

    def hold(
        self,
        *,
        customer: str | None = None,
        action: str | None = None,
        action_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        tenant: str | None = None,
        **person: Unpack[Person],
    ) -> LegalHold:
        """Keep records from being purged and erased, until somebody lifts it: those that fit all of what is named.

        Args:
            customer: A customer's id, or a pseudonym.
            action: A kind of action, like `refund.issue`.
            action_id: One action.
            since: What was still moved then or later.
            until: What was asked for then or earlier.
            tenant: Whose records; everybody's if left out.
            person: Who holds (`by`), why (`why`) and how they are known (`authenticated`).

        Raises:
            NotFoundError: The log does not know the customer or the action.
            PowerRefusedError: This person may not, or somebody else has to ask for the same.
            UsageError: Nothing is named.
        """
        scope = holding_back.scope_of(
            self._parts,
            customer=customer,
            action=action,
            action_id=action_id,
            since=since,
            until=until,
            tenant=tenant,
        )
        return holding_back.hold(self._parts, scope, tenant or self._tenant, **person)

    def lift(self, hold_id: str, **person: Unpack[Person]) -> LegalHold:
        """Let go what a hold keeps, and return what it was.

        Raises:
            NotFoundError: There is no such hold (any more).
            PowerRefusedError: This person may not, or somebody else has to ask for the same.
        """
        return holding_back.lift(self._parts, hold_id, self._tenant, **person)

    def holds(self) -> tuple[LegalHold, ...]:
        """Return every hold that stands now, the oldest first."""
        return self._parts.store.read(legal_holds)
