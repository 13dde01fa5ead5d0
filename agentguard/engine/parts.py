"""Everything that a walk needs from the outside, wired once for each guard."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agentguard.core.digest import canonical_bytes, keyed_digest
from agentguard.core.entry import Versions
from agentguard.core.people import People
from agentguard.engine.force import Force
from agentguard.engine.machine import Clock, new_id
from agentguard.engine.registry import Registry
from agentguard.store import Store, Vault


@dataclass(frozen=True, slots=True)
class Waits:
    """How long things may take.

    Attributes:
        lookups: All lookups of one decision together; what is not there by then has failed. None for no bound, in the
            caller's thread.
        in_progress: How long a repeated key waits for the first call to end.
        ready: How long an action stays allowed and held without being begun.
        grace: How long after its deadline an action that is still executing counts as abandoned.
        approval: How long votes lift what they were given for.
    """

    lookups: timedelta | None = timedelta(seconds=10)
    in_progress: timedelta = timedelta(seconds=5)
    ready: timedelta = timedelta(minutes=15)
    grace: timedelta = timedelta(seconds=30)
    approval: timedelta = timedelta(days=7)


@dataclass(slots=True)
class Parts:
    """The store, the vault, the clock, what is registered, what is in force."""

    store: Store
    vault: Vault
    clock: Clock
    registry: Registry
    force: Force
    versions: Versions
    people: People | None = None
    waits: Waits = field(default_factory=Waits)

    def keyed(self, text: str) -> str:
        """Return the keyed digest of a text that could be guessed."""
        return keyed_digest(self.vault.secret, text)

    def keyed_value(self, encoded: object) -> str:
        """Return the keyed digest of an encoded value."""
        return self.keyed(canonical_bytes(encoded).decode())

    def new_id(self, prefix: str, now: datetime) -> str:
        """Return a fresh id that sorts by time."""
        return new_id(prefix, now)
