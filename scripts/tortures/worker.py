"""One process of the host: threads and tasks that ask, and a desk that recovers and looks into doubts.

It is killed at any moment. What it was told stands in its journal before it goes on: a line that was written survives
the process's end, so no sync is needed for what only processes die of.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import orjson

from agentguard import Guard
from agentguard.core.lifecycle import State
from agentguard.engine.answers import Answer, Done, Ready
from agentguard.errors import StoreUnavailableError, UsageError
from agentguard.testing.payment_books import read_books
from scripts.tortures.jobs import Counter, choose, job
from scripts.tortures.shop import BLIND, LAG, STOPPED, Place, open_guard

PROPOSED_FIRST = 0.1
REST = 0.05
RESTS = (0.05, 0.1, 0.2, 0.4, *[0.5] * 60)
"""Pauses of a host that was told `unavailable`, until it gives a job up."""
STOPS = 0.08
"""How often a desk presses the stop button for a moment."""
LONGEST_STOP = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Crew:
    """How many ask at once in one process."""

    threads: int = 4
    tasks: int = 8


class Worker:
    """One worker process from its start until it is told to end; it is rarely given that long."""

    def __init__(self, place: Place, name: str, crew: Crew) -> None:
        self.place = place
        self.name = name
        self.crew = crew
        self.parent = os.getppid()
        # One number for all threads: lockf knows processes, not threads.
        self.counter = Counter(place.folder / "counter")
        self.answered = Counter(place.folder / "answered")
        self.counting = threading.Lock()
        self.journal = os.open(place.journals / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.guard: Guard = self._opened()

    def _opened(self) -> Guard:
        while True:
            try:
                guard = open_guard(self.place)
                guard.start()
                return guard
            except StoreUnavailableError:
                if self.is_over():
                    raise SystemExit(0) from None
                time.sleep(REST)

    def is_over(self) -> bool:
        """Whether it is told to end, or nobody is there any more to tell it."""
        return self.place.over.exists() or os.getppid() != self.parent

    def work(self) -> None:
        """Ask until it is over."""
        going = [threading.Thread(target=self._asking, args=(n,)) for n in range(self.crew.threads)]
        going.append(threading.Thread(target=lambda: asyncio.run(self._asking_together())))
        going.append(threading.Thread(target=self._desk))
        for thread in going:
            thread.start()
        for thread in going:
            thread.join()
        self.guard.close()

    def _next(self, dice: random.Random) -> int:
        with self.counting:
            return choose(self.counter, dice)

    def _asking(self, which: int) -> None:
        dice = random.Random(f"{self.place.seed}-{self.name}-{which}")
        while not self.is_over():
            number = self._next(dice)
            propose = dice.random() < PROPOSED_FIRST
            for rest in RESTS:
                if self._has_answered(number, lambda: self._asked(number, propose=propose)) or self.is_over():  # noqa: B023
                    break
                time.sleep(rest)

    def _asked(self, number: int, *, propose: bool) -> Answer:
        request = job(self.place.seed, number).request
        if not propose:
            return self.guard.run(**request)
        answer = self.guard.propose(**request)
        if isinstance(answer, Ready):
            self._tell(number, answer)
            answer = self.guard.execute(answer.decision_id)
        return answer

    def _has_answered(self, number: int, ask: Callable[[], Answer]) -> bool:
        """Ask, write the answer down, and return whether the host may go on to another job."""
        try:
            answer = ask()
        except StoreUnavailableError:
            return False
        except Exception:  # noqa: BLE001 - whatever it is, it is written down and counted
            self.report()
            return True
        self._tell(number, answer)
        return answer.status != "unavailable"

    async def _asking_together(self) -> None:
        await asyncio.gather(*(self._asking_in_a_task(n) for n in range(self.crew.tasks)))

    async def _asking_in_a_task(self, which: int) -> None:
        dice = random.Random(f"{self.place.seed}-{self.name}-task-{which}")
        while not self.is_over():
            number = self._next(dice)
            for rest in RESTS:
                try:
                    answer = await self.guard.arun(**job(self.place.seed, number).request)
                except StoreUnavailableError:
                    await asyncio.sleep(rest)
                    continue
                except Exception:  # noqa: BLE001 - whatever it is, it is written down and counted
                    self.report()
                    break
                self._tell(number, answer)
                if answer.status != "unavailable" or self.is_over():
                    break
                await asyncio.sleep(rest)

    def _tell(self, number: int, answer: Answer) -> None:
        line = {
            "job": number,
            "status": "done" if isinstance(answer, Done) else answer.status,
            "action": answer.decision_id,
            "entry": answer.entry,
            "code": answer.reason_code,
        }
        os.write(self.journal, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        if not answer.replayed and answer.status not in ("unavailable", "ready") and answer.reason_code != STOPPED:
            with self.counting:
                self.answered.next()

    def _desk(self) -> None:
        dice = random.Random(f"{self.place.seed}-{self.name}-desk")
        while not self.is_over():
            time.sleep(dice.uniform(0.5, 3))
            try:
                self.guard.recover()
                look_into_doubts(self.guard, self.place, by=self.name)
                let_go_on(self.guard, self.name, older_than=LONGEST_STOP)
                if dice.random() < STOPS:
                    self.guard.halt(by=self.name, why="torture")
                    time.sleep(dice.uniform(0.1, LONGEST_STOP.total_seconds() / 2))
                    self.guard.resume(by=self.name, why="torture")
            except StoreUnavailableError:
                continue
            except Exception:  # noqa: BLE001 - whatever it is, it is written down and counted
                self.report()

    def report(self) -> None:
        """Write down an error that no host should see, and go on."""
        self.place.report(f"{self.name}\n{traceback.format_exc()}")


def look_into_doubts(guard: Guard, place: Place, *, by: str) -> int:
    """Do as a person would: find actions in doubt that nobody can ask about, and look into the provider's books."""
    in_doubt, now = guard.store.read(lambda reading: (reading.actions(State.IN_DOUBT, limit=500), reading.now()))
    old = [action for action in in_doubt if action.action == BLIND and action.deadline and now > action.deadline + LAG]
    if not old:
        return 0
    paid = {booking.metadata["action"]: booking.receipt for booking in read_books(place.books)}
    for action in old:
        receipt = paid.get(action.id)
        try:
            guard.resolve(action.id, done=receipt is not None, by=by, why="the provider's books", result=receipt)
        except UsageError:
            continue  # somebody else was quicker
    return len(old)


def let_go_on(guard: Guard, name: str, *, older_than: timedelta = timedelta()) -> None:
    """Resume what was stopped by somebody who did not live to resume it."""
    halts, now = guard.store.read(lambda reading: (reading.halts(), reading.now()))
    for halt in halts:
        if now - halt.at >= older_than:
            guard.resume(halt.target, by=name, why="forgotten")


def work(place: Place, name: str, crew: Crew) -> None:
    """Be a worker process; returns when it is over."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        Worker(place, name, crew).work()
    except SystemExit:
        return
    except BaseException:
        place.report(f"{name}\n{traceback.format_exc()}")
        raise
