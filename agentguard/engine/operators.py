"""What operators do with a guard: stop and let go, end a doubt, see what is left, put policies into force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

from agentguard.core.policy import Bundle
from agentguard.engine import activation, stopping, timekeeping
from agentguard.engine.answers import Answer
from agentguard.engine.canary import Canaries
from agentguard.engine.continuing import resolve
from agentguard.engine.headroom import RECENT, Headroom, headrooms
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Person
from agentguard.engine.restored import Restoration, record_restore
from agentguard.engine.seals import Seals
from agentguard.evidence.keys import Signer


class Operators:
    """What a guard does for operators; `Guard` has each of these as its own."""

    def __init__(self, parts: Parts, bundle: Bundle, tenant: str, start: Callable[[], None], seals: Seals) -> None:
        self._parts = parts
        self._bundle = bundle
        self._tenant = tenant
        self._start = start
        self._seals = seals
        self.canary = Canaries(parts, bundle, tenant)

    def resolve(self, action_id: str, *, done: bool, result: Any = None, **person: Unpack[Person]) -> Answer:
        """Say what a person found out about an action in doubt: it was done, or it was not.

        Raises:
            NotFoundError: No action has this id.
            UsageError: The action is not in doubt, or nobody is named.
        """
        self._start()
        return resolve(self._parts, action_id, done=done, result=result, **person)

    def limits(self, decisions: int = RECENT) -> tuple[Headroom, ...]:
        """Return where every limit stands now whose key occurs in so many of the newest decisions."""
        return headrooms(self._parts, decisions)

    def halt(self, target: str = "all", **person: Unpack[Person]) -> str:
        """Stop `all`, one `action:…` or one `agent:…`, at once; returns why that may stop nothing: a mistyped name."""
        return stopping.halt(self._parts, target, self._tenant, **person)

    def resume(self, target: str = "all", **person: Unpack[Person]) -> stopping.Resumption:
        """Let go on what was stopped; false if it was not, or as long as somebody else has to say so too."""
        return stopping.resume(self._parts, target, self._tenant, **person)

    def confirm_clock(self, **person: Unpack[Person]) -> bool:
        """Say that the machine's clock, which jumped, is right now; false if nobody doubted it."""
        return timekeeping.confirm(self._parts, self._tenant, **person)

    def restored(self, *, anyway: bool = False, **person: Unpack[Person]) -> Restoration:
        """Record that an older database was put back on purpose; false as long as somebody else has to say so too.

        Raises:
            UsageError: No witness has anything that is not here, and it is not said `anyway`.
        """
        self._seals.read_key()
        done = record_restore(self._parts, self._tenant, anyway=anyway, **person)
        if done and self._seals.signs_here:
            self._seals.follow()
        return done

    def activate(self, signer: Signer | None = None, **person: Unpack[Person]) -> activation.Activation:
        """Put the policies that this guard loaded into force and fill new limits from the log; false if they were.

        False, too, as long as somebody else has to say so. `signer` has the key of whoever does this.
        """
        return activation.activate(self._parts, self._bundle, self._tenant, signer=signer, **person)
