"""Whether the record is complete, and whom a mistake touched: what `guard.audit` can do beside reading the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Unpack

from agentguard.engine import incidents, reconciling
from agentguard.engine.affected import Affected, Case, Suspect, affected
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Person
from agentguard.store.payments import Payments


class Completeness:
    """The record of one guard's store beside a provider's books, and what is found out about it later."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def reconcile(
        self,
        payments: Payments,
        scope: reconciling.Scope = reconciling.ALL,
        progress: reconciling.Progress | None = None,
    ) -> reconciling.Reconciliation:
        """Compare a payment provider's books with the record: what is in one and not in the other, or differs.

        Raises:
            UsageError: There are no payments and no window, or it is not clear which amount is paid.
        """
        return reconciling.reconcile(self._parts.store, payments, scope, progress)

    def affected(
        self,
        suspect: Suspect,
        tell: Callable[[Case], None],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        amount: str | None = None,
    ) -> Affected:
        """Find every action in whose decisions a policy, rule, model, agent or fact's source had a part.

        `tell` gets each of them once, in the log's order; the store is read meanwhile.
        """
        return self._parts.store.read(
            lambda reading: affected(reading, suspect, tell, since=since, until=until, amount=amount)
        )

    def note(
        self, incident: str, about: Iterable[int | str] = (), *, tenant: str = "default", **person: Unpack[Person]
    ) -> incidents.Note:
        """Write down that an incident is about entries (by position) or actions (by id), for good.

        Raises:
            NotFoundError: The log has no such entry or action.
            UsageError: The incident has no name, or nobody and no reason is named.
        """
        return incidents.note(self._parts, incident, about, tenant, **person)

    def notes(self, entries: Iterable[int] = (), actions: Iterable[str] = ()) -> tuple[incidents.Note, ...]:
        """Return what was noted about any of these entries and actions, the first note first."""
        return self._parts.store.read(lambda reading: incidents.notes_about(reading, entries, actions))
