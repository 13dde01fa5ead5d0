"""The committer: concurrent units of work share one commit, and nobody is answered before it.

A thread that hands in a unit and finds nobody at it commits a batch itself: alone, it waits for nobody. Whoever
comes meanwhile waits, and is part of the next batch. Event loops are served by a thread of the committer's own, and
woken once for each batch; it begins when every task that can go on in the loop has done so, since many tasks that one
batch woke come back with their next unit at once.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from weakref import WeakSet

from agentguard.errors import StoreUnavailableError
from agentguard.store.records import ActionKey
from agentguard.store.transaction import Transaction
from agentguard.store.unit import Stage, Unit

T = TypeVar("T")

MOST_WAITING = 10_000
"""How many units may wait; whoever comes then hears at once that the store is unavailable."""

MOST_TOGETHER = 256
"""How many units share one commit."""

Commit = Callable[[Sequence[Unit]], None]
"""Runs units in one transaction, or one by one, and writes into each what it came to."""


class Submitted:
    """A unit of work that an event loop handed in.

    Attributes:
        future: What it comes to; shield it if it shall be heard of though nobody waits any more.
    """

    __slots__ = ("_committer", "_unit", "future")

    def __init__(self, committer: Committer, unit: Unit, future: asyncio.Future[Any]) -> None:
        self._committer = committer
        self._unit = unit
        self.future = future

    def withdraw(self) -> bool:
        """Take the unit back; False if it is too late, and `future` will say what it came to."""
        return self._committer.withdraw(self._unit)


class Committer:
    """One process's way into one database."""

    def __init__(self, commit: Commit, patience: float, name: str) -> None:
        self._commit = commit
        self._patience = patience
        self._name = name
        self._mutex = threading.Lock()
        self._idle = threading.Condition(self._mutex)
        self._waiting: deque[Unit] = deque()
        self._led = False
        self._closed = False
        self._called: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._go = threading.Semaphore(0)
        self._watched: WeakSet[asyncio.AbstractEventLoop] = WeakSet()

    def run(self, work: Callable[[Transaction], T], keys: Sequence[ActionKey] = ()) -> T:
        """Have a unit of work committed and return what it came to.

        Raises:
            StoreUnavailableError: It was not begun in time, too many wait, or the store is closed: nothing was stored.
        """
        unit = Unit(work, keys=keys)
        with self._mutex:
            self._admit(unit)
            leads = not self._led
            if leads:
                self._led = True
            else:
                unit.begin_waiting()
        if not leads:
            try:
                leads = self._wait(unit)
            except BaseException:
                self._leave(unit)
                raise
        if leads:
            self._lead(unit)
        value: T = unit.outcome()
        return value

    def submit(self, work: Callable[[Transaction], Any], keys: Sequence[ActionKey] = ()) -> Submitted:
        """Hand in a unit of work from an event loop.

        Raises:
            StoreUnavailableError: Too many wait, or the store is closed.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        unit = Unit(work, future, keys)
        with self._mutex:
            self._admit(unit)
            idle = not self._led
        if idle and self._called is not loop:
            self._call(loop)
        unit.until = loop.time() + self._patience
        if loop not in self._watched:
            # One timer looks after everything that waits in a loop: one for each would cost as much as a lookup.
            self._watched.add(loop)
            loop.call_later(self._patience, self._look_after, loop)
        return Submitted(self, unit, future)

    def withdraw(self, unit: Unit) -> bool:
        """Take back a unit that nobody has begun; False if it is too late."""
        with self._mutex:
            if unit.stage is not Stage.WAITING:
                return unit.stage is Stage.WITHDRAWN
            unit.stage = Stage.WITHDRAWN
            self._waiting.remove(unit)
            return True

    def close(self) -> None:
        """Take nothing more, and wait until what was taken has been committed, at most as long as a unit may wait."""
        with self._mutex:
            self._begin_unless_led()  # the event loop that was to do it may be the one that closes
            self._closed = True
            self._idle.wait_for(lambda: not self._led, self._patience)
            left = list(self._waiting)
            self._waiting.clear()
            for unit in left:
                unit.stage, unit.error = Stage.ENDED, closed(self._name)
            thread, self._thread = self._thread, None
        self._answer(left)
        if thread is not None:
            self._go.release()
            if thread is not threading.current_thread():
                thread.join(self._patience)

    def _admit(self, unit: Unit) -> None:
        if self._closed:
            raise closed(self._name)
        if len(self._waiting) >= MOST_WAITING:
            raise StoreUnavailableError(
                f"expected at most {MOST_WAITING} units of work waiting for `{self._name}`, got one more; nothing was "
                f"stored; ask for less at once"
            )
        self._waiting.append(unit)

    def _wait(self, unit: Unit) -> bool:
        """Wait for the outcome; return True if this thread is to commit the next batch itself."""
        if not unit.wait(self._patience):
            with self._mutex:
                if unit.stage is Stage.WAITING and not unit.lead:
                    unit.stage = Stage.WITHDRAWN
                    self._waiting.remove(unit)
                    raise self._too_late()
            # It is being committed, or this thread is to do it: both end by themselves.
            unit.wait(-1)
        return unit.lead and unit.stage is Stage.WAITING

    def _leave(self, unit: Unit) -> None:
        """Nobody waits for a unit any more; if its thread was to commit the next batch, another one has to."""
        self.withdraw(unit)
        if unit.lead and unit.stage is Stage.WITHDRAWN:
            self._pass_on([])

    def _look_after(self, loop: asyncio.AbstractEventLoop) -> None:
        """Withdraw what waits too long in an event loop, from within it, and look again when the next one may."""
        with self._mutex:
            waiting = [unit for unit in self._waiting if unit.future is not None and unit.future.get_loop() is loop]
        now = loop.time()
        later = [unit.until for unit in waiting if unit.until > now]
        for unit in waiting:
            if unit.until <= now and self.withdraw(unit) and unit.future is not None and not unit.future.done():
                unit.future.set_exception(self._too_late())
        if later:
            loop.call_at(min(later), self._look_after, loop)
        else:
            self._watched.discard(loop)

    def _too_late(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"another thread has been writing to `{self._name}` for more than {self._patience:g} s; nothing was "
            f"stored; look for work that waits inside a transaction"
        )

    def _lead(self, own: Unit | None) -> None:
        """Commit one batch, and let somebody go on if there is more."""
        with self._mutex:
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]
            for unit in taken:
                unit.stage = Stage.TAKEN
        try:
            self._commit(taken)
        except BaseException as error:
            # This thread is told to end in the midst of it: nothing was committed, and the others are not at fault.
            for unit in taken:
                unit.value, unit.error = None, error if unit is own else None
            self._pass_on([unit for unit in taken if unit is not own])
            raise
        for unit in taken:
            unit.stage = Stage.ENDED
        self._pass_on([], [unit for unit in taken if unit is not own])

    def _pass_on(self, again: Sequence[Unit], ended: Sequence[Unit] = ()) -> None:
        """Answer those whose units have ended, and let somebody commit those that wait."""
        calling: list[Unit] = []
        with self._mutex:
            for unit in reversed(again):
                unit.stage = Stage.WAITING
                self._waiting.appendleft(unit)
            thread = next((unit for unit in self._waiting if unit.future is None), None)
            if thread is not None:
                thread.lead = True
                thread.ring()
            elif self._waiting and self._closed:
                self._start()
            else:
                calling = list(self._waiting)
                self._led = False
                self._idle.notify_all()
        self._answer(ended, calling)

    def _answer(self, ended: Sequence[Unit], waiting: Sequence[Unit] = ()) -> None:
        """Tell those whose units have ended, and have those that wait committed when their loops come to it."""
        loops: dict[asyncio.AbstractEventLoop, list[Unit]] = {}
        for unit in ended:
            if unit.future is None:
                unit.ring()
            else:
                loops.setdefault(unit.future.get_loop(), []).append(unit)
        for unit in waiting:
            if unit.future is not None:
                loops.setdefault(unit.future.get_loop(), [])
        for loop, its in loops.items():
            try:
                loop.call_soon_threadsafe(self._go_on, loop, its)
            except RuntimeError:
                continue  # the loop is closed: nobody waits there any more

    def _go_on(self, loop: asyncio.AbstractEventLoop, ended: Sequence[Unit]) -> None:
        for unit in ended:
            unit.resolve()
        self._call(loop)

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have what waits committed once everything that can go on in an event loop now has done so."""
        self._called = loop
        loop.call_soon(self._begin)

    def _begin(self) -> None:
        with self._mutex:
            self._called = None
            self._begin_unless_led()

    def _begin_unless_led(self) -> None:
        if self._waiting and not self._led:
            self._led = True
            self._start()

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._serve, name="agentguard-committer", daemon=True)
            self._thread.start()
        self._go.release()

    def _serve(self) -> None:
        while True:
            self._go.acquire()
            with self._mutex:
                if not self._waiting and self._thread is not threading.current_thread():
                    return
            self._lead(None)


def closed(name: str) -> StoreUnavailableError:
    """Return the error of a store that was closed."""
    return StoreUnavailableError(f"expected an open store, got `{name}`, which is closed; nothing was stored; open it")
