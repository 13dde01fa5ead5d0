"""What nobody does: processes crash and start, clocks err, time goes by, the database is away."""

from datetime import timedelta

from tests.simulation.books import CLOCK_ERROR
from tests.simulation.rules import ORDERS, TOTALS, VERSIONS
from tests.simulation.shop import Shop

MOST_PROCESSES = 3


class Nature(Shop):
    """Everything that happens by itself."""

    def _crash_process(self, number):
        process = self._process()
        if process is not None:
            self.say(f"{process.name} crashes")
            self._lose(process)

    def _start(self, number):
        if len(self.world.processes) < MOST_PROCESSES:
            self._started()

    def _recover(self, number):
        process = self._process()
        if process is not None:
            self.say(f"{process.name} recovers")
            self._arm(process)
            self._try(process, process.guard.recover)

    def _lose_store(self, number):
        process = self._process()
        if process is not None:
            process.store.outage = self.dice.randint(1, 3)
            self.say(f"{process.name} cannot reach the database")

    def _change(self, number):
        order_id = self.dice.choice(list(ORDERS))
        self.totals[order_id] = self.dice.choice(TOTALS[order_id])
        self.orders_down = self.dice.random() < 0.2
        self.say(
            f"{order_id} comes to {self.totals[order_id]}{', and nobody can look it up' if self.orders_down else ''}"
        )

    def _time(self, number):
        seconds = self.dice.choice(self.temper.spans)
        self.say(f"{timedelta(seconds=seconds)} go by")
        self._move_on(self.clock() + timedelta(seconds=seconds * self.dice.uniform(0.5, 1)))

    def _edge(self, number):
        """Somebody asks at the very instant at which something leaves a window, or just before, or just after."""
        process = self._process()
        times = [at for known in self.laws.actions.values() for at, _ in known.posted.values()]
        if process is None or not times:
            return
        edge = self.dice.choice([limit for version in VERSIONS for limit in version]).edge(self.dice.choice(times))
        moment = edge + timedelta(microseconds=self.dice.choice((-1, 0, 1))) - process.parts.clock.offsets["now"]
        if moment > self.clock():
            self.say("the edge of a window comes")
            self._move_on(moment)
            self._ask_at_once(process, number)

    def _step_clock(self, number):
        process = self._process()
        if process is not None:
            error = CLOCK_ERROR * self.dice.uniform(-1, 1)
            process.parts.clock.offsets["now"] = error
            self.say(f"{process.name} has a clock that is {error.total_seconds():+.0f} s off")
