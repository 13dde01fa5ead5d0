"""Who is told of each checkpoint: functions of the host that copy it to where nobody rewrites it.

Each is called in a thread of its own, one checkpoint after the other. One that fails is tried again, ever more seldom,
and seen in `state`; it holds up neither sealing nor the others. Who is far behind gets the newest ones: each says all
that those before it said.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from agentguard.engine import worker
from agentguard.errors import AgentGuardError
from agentguard.log import get_logger
from agentguard.store.seals import Sealed

log = get_logger("seals")

Listener = Callable[[str], object]
"""Takes a signed note."""

MOST_WAITING = 100
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class ListenerState:
    """How far somebody who is told of checkpoints has come.

    Attributes:
        told: How many entries the last checkpoint covers that it took; 0 before the first in this process.
        waiting: How many checkpoints are still to be told.
        attempts: How often the next one was tried in vain; `error` says why.
    """

    name: str
    told: int = 0
    waiting: int = 0
    attempts: int = 0
    error: str = ""


class Listening:
    """One function that is told of checkpoints."""

    def __init__(self, name: str, function: Listener) -> None:
        self._name = name
        self._function = function
        self._lock = threading.Lock()
        self._waiting: deque[Sealed] = deque(maxlen=MOST_WAITING)
        self._busy = False
        self._stopped = threading.Event()
        self._told, self._attempts, self._error = 0, 0, ""

    def tell(self, sealed: Sealed) -> None:
        """Have the function called with a checkpoint, soon."""
        with self._lock:
            self._waiting.append(sealed)
            if self._busy:
                return
            self._busy = True
        work = worker.start(self._work)
        if work.done() and work.exception() is not None:
            with self._lock:  # the machine has no thread left: the next checkpoint is told, and this one before it
                self._busy = False

    def stop(self) -> None:
        """Try no more."""
        self._stopped.set()

    @property
    def state(self) -> ListenerState:
        """How far it has come."""
        with self._lock:
            return ListenerState(self._name, self._told, len(self._waiting), self._attempts, self._error)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._stopped.is_set():
                    self._busy = False
                    return
                sealed = self._waiting[0]
            if not self._call(sealed):
                self._stopped.wait(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._attempts - 1, 10)))

    def _call(self, sealed: Sealed) -> bool:
        try:
            self._function(sealed.note)
        except Exception as error:  # noqa: BLE001 - whoever listens changes nothing of what was sealed
            code = error.code if isinstance(error, AgentGuardError) else type(error).__name__
            with self._lock:
                self._attempts, self._error = self._attempts + 1, code
            if self._attempts == 1:
                log.error("seals.listener_failed", listener=self._name, size=sealed.size, error=code)  # noqa: TRY400
            return False
        with self._lock:
            self._told, self._attempts, self._error = sealed.size, 0, ""
            if self._waiting and self._waiting[0] is sealed:  # else it was pushed out by newer ones meanwhile
                self._waiting.popleft()
        return True
