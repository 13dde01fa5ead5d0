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
from itertools import islice
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

Handle = Callable[[Sequence[Unit]], None]


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
    """One process's way into one database.

    A signal may end what a thread does at any place (Ctrl-C, a host's time limit). Where that thread was to commit for
    others, they hear what came of it, or another one goes on.

    Args:
        commit: Runs units in one transaction, or one by one, and writes into each what it came to.
        find_out: Asked for the units of a commit in whose midst a thread was told to end; those that were committed all
            the same are ended.
        patience: Seconds that a unit waits until somebody begins it.
        name: The database, for messages.
    """

    def __init__(self, commit: Handle, find_out: Handle, patience: float, name: str) -> None:
        self._commit = commit
        self._find_out = find_out
        self._patience = patience
        self._name = name
        self._mutex = threading.Lock()
        self._idle = threading.Condition(self._mutex)
        self._waiting: deque[Unit] = deque()
        self._own = Unit(_nothing)
        self._own.stage = Stage.ENDED
        self._leader: Unit | None = None
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
        try:
            if self._join(unit) or self._wait(unit):
                self._lead(unit)
        except BaseException:
            self._leave(unit)
            raise
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
            idle = self._leader is None
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
            self._take_back(unit)
            return True

    def close(self) -> None:
        """Take nothing more, and wait until what was taken has been committed, at most as long as a unit may wait."""
        with self._mutex:
            self._begin_unless_led()  # the event loop that was to do it may be the one that closes
            self._closed = True
            self._idle.wait_for(lambda: self._leader is None, self._patience)
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
        if unit.goes_first:
            self._waiting.appendleft(unit)
            return
        if len(self._waiting) >= MOST_WAITING:
            raise StoreUnavailableError(
                f"expected at most {MOST_WAITING} units of work waiting for `{self._name}`, got one more; nothing was "
                f"stored; ask for less at once"
            )
        self._waiting.append(unit)

    def _join(self, unit: Unit) -> bool:
        """Take a unit in; return True if nobody commits, so that its thread is to do it."""
        with self._mutex:
            self._admit(unit)
            if self._leader is None:
                self._leader = unit
                return True
            unit.begin_waiting()
            return False

    def _wait(self, unit: Unit) -> bool:
        """Wait for the outcome; return True if this thread is to commit the next batch itself."""
        while True:
            rung = unit.wait(self._patience)
            if unit.stage is Stage.ENDED or self._leader is unit:
                return unit.stage is Stage.WAITING
            with self._mutex:
                if unit.stage is Stage.WAITING and self._leader is not unit and not rung:
                    self._take_back(unit)
                    raise self._too_late()

    def _take_back(self, unit: Unit) -> None:
        unit.stage = Stage.WITHDRAWN
        self._waiting.remove(unit)

    def _leave(self, unit: Unit) -> None:
        """Nobody waits for a unit any more; if its thread was to commit, what it took is found out or put back."""
        if self._leader is not unit:
            self._withdraw_if_waiting(unit)
            self._tell_again(unit)
            return
        try:
            self._find_out([other for other in unit.taken if other.stage is Stage.TAKEN])
        finally:
            with self._mutex:
                again = [other for other in unit.taken if other.stage is Stage.TAKEN]
                later = [other for other in self._waiting if other.stage is Stage.WAITING]
                for other in again:
                    other.stage = Stage.WAITING
                self._waiting = deque([*again, *later])
            self._withdraw_if_waiting(unit)
            self._pass_on(unit)

    def _tell_again(self, own: Unit) -> None:
        """Tell whoever may not have heard it that it is their turn, or what came of their units."""
        with self._mutex:
            leader, ended = self._leader, [unit for unit in own.taken if unit.stage is Stage.ENDED]
            calling = list(self._waiting) if leader is None else []
        if leader is not None:
            leader.ring()
        self._answer(ended, calling)

    def _withdraw_if_waiting(self, unit: Unit) -> None:
        with self._mutex:
            if unit.stage is Stage.WAITING and unit in self._waiting:
                self._take_back(unit)

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

    def _lead(self, own: Unit) -> None:
        """Commit what waits, a batch at a time, until a thread's own unit has ended; then let somebody else go on."""
        while True:
            with self._mutex:
                own.taken = taken = list(islice(self._waiting, MOST_TOGETHER))
                for unit in taken:
                    unit.stage = Stage.TAKEN
                for _ in taken:
                    self._waiting.popleft()
            self._commit(taken)
            for unit in taken:
                unit.stage = Stage.ENDED
            if own.stage is Stage.ENDED:
                self._pass_on(own)
                return
            self._answer(taken)

    def _pass_on(self, own: Unit) -> None:
        """Answer those whose units have ended, and let somebody commit those that wait."""
        calling: list[Unit] = []
        with self._mutex:
            self._leader = next((unit for unit in self._waiting if unit.future is None), None)
            if self._leader is not None:
                self._leader.ring()
            elif self._waiting and self._closed:
                self._start()
            else:
                calling = list(self._waiting)
                self._idle.notify_all()
        self._answer([unit for unit in own.taken if unit is not own and unit.stage is Stage.ENDED], calling)
        own.taken.clear()  # or what nobody waits for any more would be kept until the next commit

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
        if self._waiting and self._leader is None:
            self._start()

    def _start(self) -> None:
        if (self._thread is None or not self._thread.is_alive()) and not self._closed:
            thread = threading.Thread(target=self._serve, name="agentguard-committer", daemon=True)
            thread.start()  # where the machine has no thread left, somebody else may have one later
            self._thread = thread
        self._leader = self._own
        self._go.release()

    def _serve(self) -> None:
        while True:
            self._go.acquire()
            with self._mutex:
                if not self._waiting and self._thread is not threading.current_thread():
                    return
            try:
                self._lead(self._own)
            except BaseException:
                self._leave(self._own)
                raise


def _nothing(_: Transaction) -> None:
    """Do nothing: what the committer's own thread waits for has ended before it begins."""


def closed(name: str) -> StoreUnavailableError:
    """Return the error of a store that was closed."""
    return StoreUnavailableError(f"expected an open store, got `{name}`, which is closed; nothing was stored; open it")
