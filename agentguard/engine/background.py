"""One thread beside the walks: begun when it is first needed, ended in a bounded time, anew in a forked process."""

from __future__ import annotations

import threading
from collections.abc import Callable

from agentguard.log import get_logger
from agentguard.store import forking

log = get_logger("guard")

LONGEST_STOP = 5.0
"""How long the end of a thread is waited for where nothing else is said, in seconds."""


class Background:
    """A thread that a guard has for as long as it is open.

    Args:
        name: What the thread is called, and what is said of it where it does not end.
        run: What it does until `is_ending`.
    """

    _thread: threading.Thread | None

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        self._name = name
        self._run = run
        self.is_ending = False
        self.begin_anew()
        forking.renew(self)

    @property
    def is_running(self) -> bool:
        """Whether the thread was begun, in this process."""
        return self._thread is not None

    def begin(self) -> None:
        """Start the thread, once."""
        if self._thread is None and not self.is_ending:
            with self._beginning:
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                    thread.start()  # where the machine has no thread left it raises, and the next call tries again
                    self._thread = thread

    def wake(self) -> None:
        """End the thread's pause now, or the next one."""
        self._wake.set()

    def pause(self, seconds: float) -> bool:
        """Wait in the thread; True if somebody woke it."""
        woken = self._wake.wait(seconds)
        self._wake.clear()
        return woken

    def stop(self, seconds: float = LONGEST_STOP) -> bool:
        """Tell the thread to end, and wait for it; False, and a warning, if it is still at work after so long."""
        self.is_ending = True
        self.wake()
        if self._thread is None:
            return True
        self._thread.join(seconds)
        if self._thread.is_alive():
            log.warning("guard.still_at_work", what=self._name, seconds=seconds)
            return False
        return True

    def begin_anew(self) -> None:
        """Be without a thread, as in a forked child."""
        self._thread = None
        self._beginning = threading.Lock()
        self._wake = threading.Event()
