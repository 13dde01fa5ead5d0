"""One seed, one history: what happens next in a world of processes that crash is drawn from the seed alone.

Every event has dice of its own, so that a history can be told again with some of its events left out.
"""

import random
from datetime import timedelta

from tests.simulation.agents import Agents
from tests.simulation.nature import Nature
from tests.simulation.staff import Staff

EVENTS = 200
MOST_DRAWS = 8


class History(Agents, Staff, Nature):
    """Everything that happens in one world.

    Args:
        seed: What it is drawn from.
        folder: Where its keys and its database lie.
        only: Numbers of the events that happen; None for all of them.
        address: Of an empty database; one of SQLite in the folder if None.
    """

    def __init__(self, seed, folder, only=None, address=None):
        super().__init__(seed, folder, address)
        self.only = only

    def run(self):
        """Let it happen, and everything come to rest."""
        try:
            self._begin()
            for number in range(EVENTS):
                if self.only is None or number in self.only:
                    self.dice = random.Random(f"{self.seed}-{number}")
                    self._happen(number)
                    self.laws.keep()
            self.dice = random.Random(f"{self.seed}-rest")
            self._rest()
            self.laws.keep()
        finally:
            for process in list(self.world.processes):
                self.world.crash(process)
            self.observer.close()
        return self

    def _begin(self):
        process = self.world.open(self._clock())
        process.guard.activate(by="ops", why="the shop opens")
        process.guard.start()

    def _happen(self, number):
        self.clock.advance(timedelta(milliseconds=self.dice.randrange(1, 400)))
        if not self.world.processes:
            self._started()
        before = len(self.told)
        for _ in range(MOST_DRAWS):
            getattr(self, f"_{self.dice.choice(self.temper.kinds)}")(number)
            if len(self.told) > before:
                return

    def _rest(self):
        self.say("everything comes to rest")
        self.resting = True
        for process in list(self.world.processes):
            self._lose(process)
        self._move_on(self.clock() + timedelta(days=4))
        self.flights.clear()
        process = self.world.open(self._clock())
        process.guard.start()
        for target in sorted(self.laws.halts):
            process.guard.resume(target, by="pat", why="the end")
        for _ in range(3):
            process.guard.recover()
            self._move_on(self.clock() + timedelta(days=2))
        while self.flights:
            self._fly_on(self.flights[0])
        for known in list(self.laws.actions.values()):
            if known.state == "in_doubt":
                self._resolved(process, known.id)
        self.laws.at_rest()
        verified = process.guard.audit.verify()
        self.laws.require(verified.ok, 5, f"the log and the tables do not verify: {verified}")
