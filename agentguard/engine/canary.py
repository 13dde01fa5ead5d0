"""Trying policies out on a share of customers: begun, widened, promoted and aborted by people, as activations are.

Both versions count on the same accounts, so that a canary gives nobody a second budget, and promoting it fills nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Unpack

from agentguard.core.canary import Canary, InForce, Side, share_of, share_text
from agentguard.core.digest import digest
from agentguard.core.policy import Bundle
from agentguard.engine import machine
from agentguard.engine.activation import Activation, Wanted, change
from agentguard.engine.canary_groups import Groups, groups
from agentguard.engine.change import POWER, Change
from agentguard.engine.parts import Parts
from agentguard.engine.past_log import Progress
from agentguard.engine.powers import Person, Use
from agentguard.errors import UsageError
from agentguard.evidence.keys import Signer
from agentguard.store import Reading

SALT_BYTES = 16
NO_CANARY = "expected a canary beside the policies in force, got none; `agentguard policy activate --canary` begins one"
NOTHING = "expected policies in force, which a canary runs beside, got none; activate some for everybody first"
SAME = "expected other policies than those in force for a canary, got the same ones"
MOVED_ON = "expected the canary that ran a moment ago, got another state; look at it again"


class Canaries:
    """The policies of one guard on trial, for a share of customers."""

    def __init__(self, parts: Parts, bundle: Bundle, tenant: str) -> None:
        self._parts = parts
        self._bundle = bundle
        self._tenant = tenant

    def begin(
        self,
        share: str,
        *,
        salt: str | None = None,
        looked: Change | None = None,
        signer: Signer | None = None,
        **person: Unpack[Person],
    ) -> Activation:
        """Let the policies that this guard loaded decide for a share of customers, `10%`; again, to widen or narrow it.

        Args:
            share: Of the customers, up to two digits behind the point.
            salt: What decides who is in, to draw the same customers again; drawn anew if None.
            looked: The change as it was shown; it is made as it was shown, or not at all.
            signer: Has the key of whoever does this.
            person: Who, and why.

        Raises:
            PolicyVersionError: A policy and version is stored already with another text.
            PowerRefusedError: This person may not, or has asked for it already and somebody else has to.
            UsageError: These are in force already, nothing is, or the salt is another than the canary runs with.
        """
        part, bundle = share_of(share), self._bundle

        def wanted(reading: Reading) -> Wanted:
            """Return what is in force now, with the canary beside it."""
            before = reading.in_force()
            if before is None or before.bundle == bundle.digest:
                raise UsageError(NOTHING if before is None else SAME)
            canary = Canary(bundle.digest, part, _salt(before, bundle.digest, salt))
            return Wanted(self._parts.force.bundle(reading, before.bundle), bundle, canary)

        named = "" if salt is None else f", drawn with {digest(salt.encode())}"
        subject = f"{bundle.digest} for {share_text(part)}{named}"
        return change(self._parts, Use(POWER, subject, self._tenant, **person), wanted, looked, signer)

    def promote(
        self, *, looked: Change | None = None, signer: Signer | None = None, **person: Unpack[Person]
    ) -> Activation:
        """Put the canary's policies into force for everybody; `looked` and `signer` are as for `begin`.

        Raises:
            PowerRefusedError: This person may not, or has asked for it already and somebody else has to.
            UsageError: No canary runs.
        """
        trial = self.running().bundle
        wanted = self._still(trial, lambda _: trial)
        return change(self._parts, Use(POWER, trial, self._tenant, **person), wanted, looked, signer)

    def abort(self, **person: Unpack[Person]) -> Activation:
        """End the canary: what is in force decides for everybody again. One person is enough, as for a stop.

        Raises:
            PowerRefusedError: This person may not.
            UsageError: No canary runs.
        """
        trial = self.running().bundle
        wanted = self._still(trial, lambda now: now.bundle, at_once=True)
        return change(self._parts, Use(POWER, f"everybody without {trial}", self._tenant, **person), wanted)

    def running(self) -> Canary:
        """Return the canary that runs.

        Raises:
            UsageError: None does.
        """
        found = self._parts.store.read(lambda reading: reading.in_force())
        if found is None or found.canary is None:
            raise UsageError(NO_CANARY)
        return found.canary

    def groups(
        self, *, since: datetime | None = None, until: datetime | None = None, progress: Progress | None = None
    ) -> Groups:
        """Return how the customers of the canary were decided beside the others: of the one that runs, or the last.

        Raises:
            UsageError: There was no canary.
        """
        return groups(self._parts, since=since, until=until, progress=progress)

    def side(self, customer: str, *, tenant: str | None = None) -> Side:
        """Return which policies decide for a customer, and the number that says so.

        Raises:
            ConfigurationError: No policies are in force.
        """
        standing = self._parts.store.read(self._parts.force.standing)
        return standing.side(tenant or self._tenant, unicodedata.normalize("NFC", customer))

    def _still(
        self, trial: str, chosen: Callable[[InForce], str], *, at_once: bool = False
    ) -> Callable[[Reading], Wanted]:
        """Return what gives a bundle alone, as long as the same canary runs."""

        def wanted(reading: Reading) -> Wanted:
            """Return the bundle, unless the canary ended or is another one since it was looked at."""
            now = self._parts.force.standing(reading)
            if now.canary is None or now.canary.bundle != trial:
                raise UsageError(MOVED_ON)
            return Wanted(self._parts.force.bundle(reading, chosen(now)), at_once=at_once)

        return wanted


def _salt(before: InForce, bundle: str, given: str | None) -> str:
    """Return the salt of a canary: its own as long as it runs, so that whoever was in stays in."""
    running = before.canary
    if running is None or running.bundle != bundle:
        return given or machine.random_bytes(SALT_BYTES).hex()
    if given is not None and given != running.salt:
        raise UsageError("expected the salt that this canary runs with, got another one; abort it first, to draw anew")
    return running.salt
