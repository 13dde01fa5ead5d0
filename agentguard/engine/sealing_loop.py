"""Sealing beside the walks: a thread that takes a checkpoint soon after entries, or at once when somebody waits for it.

It never holds up a walk. What goes wrong is logged once, shown by `state`, and tried again; a window that is longer
than it should be is said loudly.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from agentguard.engine.background import Background
from agentguard.engine.machine import monotonic
from agentguard.engine.sealing import Sealer, Sealing
from agentguard.errors import AgentGuardError, TamperedError
from agentguard.log import get_logger
from agentguard.store import Store, forking
from agentguard.store.seals import Sealed

log = get_logger("seals")

LOOKS = 20
LONGEST_LOOK = 0.05
"""How often in `Sealing.every`, and at least in how many seconds, it is looked whether enough entries are there."""
LATE = 3.0
"""After so many times `Sealing.every`, what is not sealed has waited too long."""
LONGEST_PAUSE = 30.0
LONGEST_STOP = 15.0
"""How long the last checkpoint is waited for, in seconds: on a slow disk one that is under way takes some of it too."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why no checkpoint could be taken: a stable code, words, and how often it was tried."""

    code: str
    words: str
    tries: int


class SealingLoop:
    """The thread of one guard; in a forked process it begins anew when that one acts.

    Args:
        store: Whose log is sealed.
        sealing: When.
        sealer: Takes the checkpoints.
        told: Called with each new one.
        doubted: Called in the thread when the log turns out not to be the one that was signed.
    """

    def __init__(
        self,
        store: Store,
        sealing: Sealing,
        sealer: Sealer,
        told: Callable[[Sealed], None],
        doubted: Callable[[], None],
    ) -> None:
        self._store = store
        self._sealing = sealing
        self._sealer = sealer
        self._told = told
        self._doubted = doubted
        self.every = sealing.every
        self.trouble: Trouble | None = None
        self.sealed = 0
        self._late_said = False
        self._beside = Background("agentguard-sealing", self._run)
        self.begin_anew()
        forking.renew(self)

    @property
    def is_running(self) -> bool:
        """Whether the thread is there."""
        return self._beside.is_running

    def begin(self) -> None:
        """Start the thread, once."""
        self._beside.begin()

    def follow(self) -> str:
        """Let the key sign the log under the name that it has now; return the name."""
        return self._sealer.follow()

    def seal(self) -> Sealed | None:
        """Take a checkpoint now, in this thread; raises what `Sealer.seal` raises."""
        sealed = self._sealer.seal()
        if sealed is not None:
            self._took(sealed)
        return sealed

    def ask(self) -> None:
        """Have a checkpoint taken now, in the thread."""
        self._beside.wake()

    def wait_for(self, position: int, seconds: float) -> bool:
        """Have a checkpoint taken now, and wait until one covers an entry; False if none does in time."""
        self.ask()
        with self._changed:
            return self._changed.wait_for(lambda: self.trouble is None and self.sealed >= position, seconds)

    def stop(self) -> None:
        """Take the last checkpoint and end, in a bounded time; say it where that could not be done."""
        ended = self._beside.stop(LONGEST_STOP)
        if not ended or self.trouble is not None:
            reason = self.trouble.words if self.trouble is not None else "it took too long"
            log.warning("seals.left_unsealed", entries_sealed=self.sealed, reason=reason)

    def begin_anew(self) -> None:
        """Have nobody who waits, as in a forked child; a checkpoint that the fork split is not gone on with there."""
        self._changed = threading.Condition()

    def _run(self) -> None:
        every = self.every.total_seconds()
        due, since = monotonic(), monotonic()
        while not (self._beside.is_ending or self._store.is_closed):
            asked = self._beside.pause(min(every / LOOKS, LONGEST_LOOK))
            now = monotonic()
            many = self.trouble is None and self._store.entries_committed - self.sealed >= self._sealing.at_most
            if not (asked or now >= due or many):
                continue
            if self._round():
                due, since = now + every, now
            else:
                tries = 1 if self.trouble is None else self.trouble.tries
                due = now + min(LONGEST_PAUSE, every * 2 ** min(tries, 10))
            self._say_if_late(monotonic() - since, every)
        if not self._store.is_closed:
            self._round()

    def _round(self) -> bool:
        """Take a checkpoint; False if it could not be taken."""
        try:
            self.seal()
        except Exception as error:  # noqa: BLE001 - the thread goes on whatever it was, and says so
            self._failed(error)
            return False
        if self.trouble is not None:
            log.info("seals.recovered", tries=self.trouble.tries)
            self.trouble = None
        return True

    def _failed(self, error: Exception) -> None:
        code = error.code if isinstance(error, AgentGuardError) else type(error).__name__
        before = self.trouble
        tries = before.tries + 1 if before is not None and before.code == code else 1
        self.trouble = Trouble(code, str(error)[:1_000] if isinstance(error, AgentGuardError) else code, tries)
        if tries == 1 and not self._beside.is_ending:
            # A traceback would show every local name.
            log.error("seals.failed", error=code, reason=self.trouble.words)
            if isinstance(error, TamperedError):
                self._doubted()

    def _say_if_late(self, seconds: float, every: float) -> None:
        late = seconds > LATE * every
        if late and not self._late_said:
            log.warning("seals.window_passed", seconds=round(seconds, 1), entries_sealed=self.sealed)
        self._late_said = late

    def _took(self, sealed: Sealed) -> None:
        with self._changed:
            newer = sealed.size > self.sealed
            self.sealed = max(self.sealed, sealed.size)
            self._changed.notify_all()
        if newer:
            self._told(sealed)
