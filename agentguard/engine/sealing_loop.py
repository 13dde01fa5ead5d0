"""Sealing beside the walks: a thread that takes a checkpoint soon after entries, or at once when somebody waits for it.

It never holds up a walk. What goes wrong is logged once, shown by `state`, and tried again; a window that is longer
than it should be is said loudly.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from agentguard.engine.machine import monotonic
from agentguard.engine.sealing import Sealer, Sealing
from agentguard.errors import AgentGuardError
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
LONGEST_STOP = 5.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why no checkpoint could be taken: a stable code, words, and how often it was tried."""

    code: str
    words: str
    tries: int


class SealingLoop:
    """The thread of one guard; in a forked process it begins anew when that one acts."""

    def __init__(self, store: Store, sealing: Sealing, sealer: Sealer, told: Callable[[Sealed], None]) -> None:
        self._store = store
        self._sealing = sealing
        self._sealer = sealer
        self._told = told
        self.every = sealing.every
        self.trouble: Trouble | None = None
        self.sealed = 0
        self._stopped = self._late_said = False
        self._thread: threading.Thread | None = None
        self.begin_anew()
        forking.watch(self)

    @property
    def is_running(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None

    def begin(self) -> None:
        """Start the thread, once."""
        if self._thread is None and not self._stopped:
            with self._beginning:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="agentguard-sealing", daemon=True)
                    self._thread.start()

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
        self._wake.set()

    def wait_for(self, position: int, seconds: float) -> bool:
        """Have a checkpoint taken now, and wait until one covers an entry; False if none does in time."""
        self.ask()
        with self._changed:
            return self._changed.wait_for(lambda: self.trouble is None and self.sealed >= position, seconds)

    def stop(self) -> None:
        """Take the last checkpoint and end, in a bounded time."""
        self._stopped = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(LONGEST_STOP)

    def hold_still(self) -> bool:
        """Return True at once: a fork may split a checkpoint, which the child does not go on with."""
        return True

    def go_on(self) -> None:
        """Do nothing: nothing was held still."""

    def begin_anew(self) -> None:
        """Be without a thread, as a new guard is."""
        self._thread = None
        self._beginning = threading.Lock()
        self._wake = threading.Event()
        self._changed = threading.Condition()

    def _run(self) -> None:
        every = self.every.total_seconds()
        due, since = monotonic(), monotonic()
        while not (self._stopped or self._store.is_closed):
            asked = self._wake.wait(min(every / LOOKS, LONGEST_LOOK))
            now = monotonic()
            many = self.trouble is None and self._store.entries_committed - self.sealed >= self._sealing.at_most
            if not (asked or now >= due or many):
                continue
            self._wake.clear()
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
        if tries == 1 and not self._stopped:
            # A traceback would show every local name.
            log.error("seals.failed", error=code, reason=self.trouble.words)

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
