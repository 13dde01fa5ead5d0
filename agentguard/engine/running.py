"""The actions that this process carries out now, so that whoever repeats one need not ask the store when it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager


class Running:
    """Who waits for which action to end; safe to share between threads and event loops."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Future[None]]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def carrying_out(self, action_id: str) -> Iterator[None]:
        """Say that an action is carried out here for as long as this block runs."""
        self._waiting[action_id] = []
        try:
            yield
        finally:
            with self._lock:
                waiting = self._waiting.pop(action_id, [])
            for ended in waiting:
                ended.set_result(None)

    def end_of(self, action_id: str) -> Future[None] | None:
        """Return what is done as soon as the action has ended, or None where it is not carried out here."""
        with self._lock:
            waiting = self._waiting.get(action_id)
            if waiting is None:
                return None
            ended: Future[None] = Future()
            ended.set_running_or_notify_cancel()
            waiting.append(ended)
            return ended
