"""Everything that a walk needs from the outside, wired once for each guard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agentguard.core.digest import canonical_bytes
from agentguard.core.entry import Versions
from agentguard.engine import machine
from agentguard.engine.directory import Directory
from agentguard.engine.force import Force
from agentguard.engine.machine import Clock
from agentguard.engine.registry import Registry
from agentguard.engine.running import Running
from agentguard.engine.witnessing import Witnessing
from agentguard.errors import StoreUnavailableError
from agentguard.store import Reading, Store, Vault


@dataclass(frozen=True, slots=True)
class Waits:
    """How long things may take.

    Attributes:
        lookups: All lookups of one decision together; what is not there by then has failed. None for no bound, in the
            caller's thread.
        in_progress: How long a repeated key waits for the first call to end.
        outcome: How long writing down what a tool came to is tried again while the store is unavailable.
        ready: How long an action stays allowed and held without being begun.
        grace: How long after its deadline an action that is still executing counts as abandoned.
        approval: How long votes lift what they were given for.
        recovery: How long a start waits for what it recovers; the rest goes on in the background. None for no bound,
            one action after another in the caller's thread.
        witness: How long an effect waits for a witness, where a policy says so; at most half of the tool's time. How
            long a start waits for what witnesses have, and an end until they have the last checkpoint.
        rounds: How often a guard that runs actions recovers what was left behind. None: only when it starts.
    """

    lookups: timedelta | None = timedelta(seconds=10)
    in_progress: timedelta = timedelta(seconds=5)
    outcome: timedelta = timedelta(seconds=10)
    ready: timedelta = timedelta(minutes=15)
    grace: timedelta = timedelta(seconds=30)
    approval: timedelta = timedelta(days=7)
    recovery: timedelta | None = timedelta(seconds=5)
    witness: timedelta = timedelta(seconds=10)
    rounds: timedelta | None = timedelta(minutes=1)


@dataclass(slots=True)
class Parts:
    """The store, the vault, the clock, what is registered, what is in force.

    Attributes:
        directory: Knows who may vote and who has which power now.
        witnessing: Who keeps checkpoints elsewhere, and which they have.
        new_id: Gives a fresh id that sorts by time, from a prefix and the present.
        observe: Decide and record everything, and enforce nothing.
    """

    store: Store
    vault: Vault
    clock: Clock
    registry: Registry
    force: Force
    versions: Versions
    directory: Directory
    waits: Waits = field(default_factory=Waits)
    running: Running = field(default_factory=Running)
    witnessing: Witnessing = field(default_factory=Witnessing)
    new_id: Callable[[str, datetime], str] = machine.new_id
    observe: bool = False

    def keyed(self, text: str) -> str:
        """Return the keyed digest of a text that could be guessed."""
        return self.vault.keyed(text)

    def account(self, preimage: str) -> str:
        """Return the keyed digest that an account is kept under."""
        return self.vault.account(preimage)

    def keyed_value(self, encoded: object) -> str:
        """Return the keyed digest of an encoded value."""
        return self.keyed(canonical_bytes(encoded).decode())

    def has_keys(self, reading: Reading) -> bool:
        """Return whether the keys of this database are at hand, or it is still bound to none."""
        return reading.vault() in (None, self.vault.fingerprint)

    def require_keys(self, reading: Reading) -> None:
        """Refuse to go on without the keys of this database: under others customers and accounts have other names.

        Raises:
            StoreUnavailableError: The vault is not the one that the database is bound to.
        """
        if not self.has_keys(reading):
            raise StoreUnavailableError(
                f"expected the keys file that `{self.store.url}` was made with, got none or another one, under which "
                f"customers and limits cannot be found; restore it beside the database"
            )
