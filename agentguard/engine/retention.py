"""How long a guard's records stay: legal holds that keep them, and the purge of those whose time is over."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack

from agentguard.engine import holding_back, purging
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Person
from agentguard.engine.purging import Purge
from agentguard.engine.sealing import Sealing
from agentguard.engine.seals import Seals
from agentguard.engine.signing import from_environment
from agentguard.errors import UsageError
from agentguard.evidence.keys import Signer
from agentguard.store.legal_holds import LegalHold, legal_holds


class Retention:
    """What keeps records of one guard's store, and what ends them."""

    def __init__(self, parts: Parts, tenant: str, seals: Seals, signer: Signer | Sealing | None) -> None:
        self._parts = parts
        self._tenant = tenant
        self._seals = seals
        self._signer = signer

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

    def due(self) -> Purge:
        """Return what a purge would take away now, and what would stay all the same."""
        return purging.due(self._parts)

    def purge(self, **person: Unpack[Person]) -> Purge:
        """Take away the bodies of every record whose time is over; leaves stay in the tree, and no key acts twice.

        The log is sealed first, so that a signed checkpoint covers what goes. It may be ended, and called again.

        Raises:
            PowerRefusedError: This person may not, or somebody else has to ask for the same first.
            UsageError: This guard has no key to sign the tombstone with, or another one than the log's.
        """
        signer = self._signer or from_environment()
        if signer is None:
            raise UsageError(
                "expected a key to sign the tombstone with, got none; name its file with --key or in "
                "AGENTGUARD_SIGNING_KEY, or give the guard `signer=`"
            )
        self._seals.seal()
        return purging.purge(
            self._parts, signer.signer if isinstance(signer, Sealing) else signer, self._tenant, **person
        )
