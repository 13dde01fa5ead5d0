"""Trying policies out on a share of customers: begun, widened, promoted and aborted by people, as activations are.

Both versions count on the same accounts, so that a canary gives nobody a second budget, and promoting it fills nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

from agentguard.core.canary import Canary, InForce, share_text
from agentguard.core.digest import digest
from agentguard.core.policy import Bundle
from agentguard.engine import machine
from agentguard.engine.activation import POWER, Activation, Wanted, change
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Person, Use
from agentguard.errors import UsageError
from agentguard.store import Reading

SALT_BYTES = 16
NO_CANARY = "expected a canary beside the policies in force, got none; `agentguard policy activate --canary` begins one"
NOTHING = "expected policies in force, which a canary runs beside, got none; activate some for everybody first"


def try_out(
    parts: Parts, bundle: Bundle, share: int, tenant: str, salt: str | None = None, **person: Unpack[Person]
) -> Activation:
    """Let a bundle decide for a share of customers; the same one again with another share widens or narrows it.

    Args:
        parts: Of the guard.
        bundle: What is tried out.
        share: For how many of 10,000 numbers it decides.
        tenant: In whose records that is written.
        salt: What the numbers are drawn with; drawn here if None.
        person: Who, and why.

    Raises:
        UsageError: It is in force already, nothing is, or the salt is another than the canary runs with.
    """

    def wanted(reading: Reading) -> Wanted:
        """Return what is in force now, with the canary beside it."""
        before = reading.in_force()
        if before is None:
            raise UsageError(NOTHING)
        if before.bundle == bundle.digest:
            raise UsageError("expected other policies than those in force for a canary, got the same ones")
        drawn = _salt(before, bundle.digest, salt)
        return Wanted(parts.force.bundle(reading, before.bundle), bundle, Canary(bundle.digest, share, drawn))

    named = f", salt {digest(salt.encode())}" if salt is not None else ""
    return change(parts, Use(POWER, f"{bundle.digest} for {share_text(share)}{named}", tenant, **person), wanted)


def _salt(before: InForce, bundle: str, given: str | None) -> str:
    """Return the salt of a canary: its own as long as it runs, so that whoever was in stays in."""
    running = before.canary
    if running is None or running.bundle != bundle:
        return given or machine.random_bytes(SALT_BYTES).hex()
    if given is not None and given != running.salt:
        raise UsageError(
            "expected the salt that this canary runs with, got another one, which would draw anew; abort it first"
        )
    return running.salt


def promote(parts: Parts, tenant: str, **person: Unpack[Person]) -> Activation:
    """Put the bundle of the canary into force for everybody.

    Raises:
        UsageError: No canary runs.
    """
    trial = _running(parts).canary
    if trial is None:
        raise UsageError(NO_CANARY)
    return change(parts, Use(POWER, trial.bundle, tenant, **person), _still(trial, lambda _: trial.bundle, parts))


def abort(parts: Parts, tenant: str, **person: Unpack[Person]) -> Activation:
    """End the canary: what is in force decides for everybody again. One person is enough, as for a stop.

    Raises:
        UsageError: No canary runs.
    """
    before = _running(parts)
    trial = before.canary
    if trial is None:
        raise UsageError(NO_CANARY)
    wanted = _still(trial, lambda now: now.bundle, parts, at_once=True)
    return change(parts, Use(POWER, f"{before.bundle} without {trial.bundle}", tenant, **person), wanted)


def _running(parts: Parts) -> InForce:
    return parts.store.read(parts.force.standing)


def _still(
    trial: Canary, chosen: Callable[[InForce], str], parts: Parts, *, at_once: bool = False
) -> Callable[[Reading], Wanted]:
    """Return what gives a bundle alone, as long as the same canary runs."""

    def wanted(reading: Reading) -> Wanted:
        """Return the bundle, unless the canary ended or is another one since it was looked at."""
        now = parts.force.standing(reading)
        if now.canary is None or now.canary.bundle != trial.bundle:
            raise UsageError("expected the canary that ran a moment ago, got another state; look at it again")
        return Wanted(parts.force.bundle(reading, chosen(now)), at_once=at_once)

    return wanted
