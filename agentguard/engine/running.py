"""The actions that this process carries out, so that others know when one ends without asking the store for it."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from concurrent.futures import Future

MOST_REMEMBERED = 4096


class Running:
    """Who waits for which action to end, and whose tools have ended; safe to share between threads and event loops."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Future[None]]] = {}
        self._lock = threading.Lock()
        self._ticks = itertools.count(1)
        self._ended: OrderedDict[str, int] = OrderedDict()

    def tick(self) -> int:
        """Return a number larger than all before it: what is compared with when a tool ended."""
        return next(self._ticks)

    def tool_ended(self, action_id: str) -> None:
        """Remember that an action's tool has ended: whoever looks something up from now on finds what it did."""
        with self._lock:
            if len(self._ended) >= MOST_REMEMBERED:
                self._ended.popitem(last=False)
            self._ended[action_id] = self.tick()

    def ended_before(self, action_id: str | None, tick: int) -> bool:
        """Return whether an action's tool is known to have ended before a number was drawn."""
        ended = None if action_id is None else self._ended.get(action_id)
        return ended is not None and ended < tick

    def begin(self, action_id: str) -> None:
        """Say that an action is carried out here, until `end`."""
        self._waiting[action_id] = []

    def end(self, action_id: str) -> None:
        """Say that an action is not carried out here any more."""
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
