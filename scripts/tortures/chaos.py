"""What happens to everybody: workers are killed, all at once too, and stopped; provider and database die and return."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

from scripts.tortures.database import Database
from scripts.tortures.jobs import Counter
from scripts.tortures.provider import Provider
from scripts.tortures.shop import LONGEST_PAUSE, Place
from scripts.tortures.worker import Crew, work

FAREWELL = 30.0

_context = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, how many, how hard.

    Attributes:
        seconds, kills, actions: It is over when all three are reached, and a standby has taken over if there is one.
        breath: Mean seconds between two misfortunes.
        database_life: Mean seconds between two deaths of the database's server; every second time it is succeeded.
    """

    seconds: float
    kills: int
    actions: int
    workers: int
    crew: Crew
    breath: float
    database_life: float


@dataclass(slots=True)
class Tally:
    """What was done to them so far."""

    seconds: float = 0.0
    actions: int = 0
    kills: int = 0
    stops: int = 0


class Chaos:
    """One run of misfortunes over a crew of workers."""

    def __init__(self, place: Place, plan: Plan, provider: Provider, database: Database) -> None:
        self.place = place
        self.plan = plan
        self.provider = provider
        self.database = database
        self.tally = Tally()
        self._dice = random.Random(f"{place.seed}-chaos")
        self._answered = Counter(place.folder / "answered")
        self._born = 0
        self._workers: list[BaseProcess] = []

    def run(self, progress: Callable[[Tally], None]) -> Tally:
        """Run until the plan is fulfilled and every worker has gone."""
        started = time.monotonic()
        next_death = self._lifetime()
        self._workers = [self._hire() for _ in range(self.plan.workers)]
        while not self._is_fulfilled():
            time.sleep(min(3.0, self._dice.expovariate(1 / self.plan.breath)))
            self.tally.seconds = time.monotonic() - started
            self.tally.actions = self._answered.value()
            if self.tally.seconds >= next_death:
                self._let_the_database_die()
                next_death = time.monotonic() - started + self._lifetime()
            self._strike()
            self._replace_the_dead()
            progress(self.tally)
        self.place.over.touch()
        self._let_go()
        self.tally.seconds = time.monotonic() - started
        return self.tally

    def _is_fulfilled(self) -> bool:
        done, plan = self.tally, self.plan
        succeeded = self.database.promotions > 0 or not self.database.has_standby
        return done.seconds >= plan.seconds and done.kills >= plan.kills and done.actions >= plan.actions and succeeded

    def _lifetime(self) -> float:
        return self.plan.database_life * self._dice.uniform(0.5, 1.5)

    def _hire(self) -> BaseProcess:
        self._born += 1
        worker = _context.Process(target=work, args=(self.place, f"worker-{self._born}", self.plan.crew), daemon=True)
        worker.start()
        return worker

    def _strike(self) -> None:
        chance, victim = self._dice.random(), self._dice.choice(self._workers)
        if chance < 0.70:
            self._kill(victim)
        elif chance < 0.75:
            for worker in self._workers:
                self._kill(worker)
        elif chance < 0.95:
            self._stop_for_a_while(victim)
        else:
            self.provider.kill()

    def _kill(self, worker: BaseProcess) -> None:
        if worker.is_alive():
            worker.kill()
            self.tally.kills += 1

    def _stop_for_a_while(self, worker: BaseProcess) -> None:
        if worker.pid is None or not worker.is_alive():
            return
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(self._dice.uniform(0.1, LONGEST_PAUSE))
        os.kill(worker.pid, signal.SIGCONT)
        self.tally.stops += 1

    def _let_the_database_die(self) -> None:
        if (self.database.kills + self.database.promotions) % 2 == 1:
            self.database.succeed()
            self.place.move(self.database.address)
            # They hold connections to a server that is gone for good; who starts anew finds the new one.
            for worker in self._workers:
                self._kill(worker)
        else:
            self.database.kill()

    def _replace_the_dead(self) -> None:
        for index, worker in enumerate(self._workers):
            if not worker.is_alive():
                worker.join()
                self._workers[index] = self._hire()

    def _let_go(self) -> None:
        until = time.monotonic() + FAREWELL
        for worker in self._workers:
            worker.join(max(0.1, until - time.monotonic()))
            if worker.is_alive():
                self._report_stuck(worker)

    def _report_stuck(self, worker: BaseProcess) -> None:
        self.place.report(f"process {worker.pid} did not end within {FAREWELL:g} s")
        worker.kill()
        worker.join()
