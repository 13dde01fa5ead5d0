"""The simulated shop: its processes with their tools and lookups, its time, and what is on the way to the provider."""

import random
from datetime import UTC, datetime, timedelta

from agentguard import Guard, Idempotent, Money, NotDoneError, Queryable, Read, Unprotected, Waits
from agentguard.engine.force import Force
from agentguard.errors import StoreUnavailableError, UsageError
from agentguard.store import Store, Vault
from agentguard.testing.clock import ManualClock
from agentguard.testing.crashing_store import Crash, Moment
from agentguard.testing.world import World
from tests.simulation.books import SETTLE_LAG, TIMEOUT, TTL, Books, Flight, Mood, Receipt
from tests.simulation.laws import Laws
from tests.simulation.observer import Observer
from tests.simulation.rules import HARMLESS, ORDERS, PAYING, VERSIONS, bundle, without
from tests.simulation.temper import Temper

EFFECTS = {
    "refund.issue": lambda books: Idempotent(TTL),
    "voucher.send": lambda books: Queryable(books.receipt, SETTLE_LAG),
    "credit.grant": lambda books: Unprotected(),
}


OPENING = datetime(2026, 10, 24, 10, 0, tzinfo=UTC)
"""The day before one that has 25 hours in Berlin."""

FORCE = Force()
"""What every process of every world has read of the policies: reading them again each time is most of a history."""
for number in range(len(VERSIONS)):
    FORCE.know(bundle(number))


class Shop:
    """A world with dice.

    Attributes:
        seed: What everything is drawn from.
        told: What happened, a line each.
    """

    def __init__(self, seed, folder, address=None):
        self.seed = seed
        self.told = []
        self.dice = random.Random(f"{seed}")
        self.bytes = random.Random(f"{seed}-bytes")
        self.temper = Temper(random.Random(f"{seed}-temper"))
        self.clock = ManualClock(OPENING)
        self.address = address or f"sqlite:///{folder}/{seed}.db"
        self.keys_file = f"{folder}/{seed}.keys"
        Store.open(self.address, self.clock, log="simulated").close()
        self.observer = Observer(self.address)
        self.books = Books()
        self.books.on_deed = self._acted
        self.world = World(self.address, self._build, self.clock)
        self.laws = Laws(self.observer, self.books)
        self.totals = {order_id: total for order_id, (_, total) in ORDERS.items()}
        self.orders_down = False
        self.by_hand = []
        self.resting = False
        self.keys = []
        self.going = []
        self.flights = []
        self.ids = 0
        self.walks = 0

    def _build(self, store, clock):
        vault = Vault.open(self.keys_file, self.bytes.randbytes)
        waits = Waits(lookups=None, in_progress=timedelta(seconds=0.1), recovery=None, rounds=None)
        guard = Guard(
            bundle(0), store=store, people=lambda: without(self.laws.gone), clock=clock, vault=vault, waits=waits
        )
        guard._parts.new_id = self._new_id
        guard._parts.force = FORCE
        store.after_commit = self.laws.committed

        def order(order_id: str):
            if self.orders_down:
                raise ConnectionError
            customer, total = ORDERS[order_id][0], self.totals[order_id]
            paid = Money(self.books.paid_back(order_id), total.currency)
            return {"customer_id": customer, "total": total, "paid_back": paid}

        guard.fact("order")(order)
        for action in PAYING:
            self._tool(guard, store, action)

        def look(order_id: str) -> str:
            return order_id

        for action in HARMLESS:
            guard.action(action, effect=Read(), timeout=TIMEOUT)(look)
        return guard

    def _tool(self, guard, store, action):
        def pay(order_id: str, amount: Money, *, key: str) -> Receipt:
            return self._paid_at_once(store, action, order_id, amount, key)

        effect = EFFECTS[action](self.books)
        guard.action(action, effect=effect, timeout=TIMEOUT, settles=lambda receipt: {"amount": receipt.amount})(pay)

    def _new_id(self, prefix, now):
        self.ids += 1
        return f"{prefix}_{self.ids:04}"

    def _paid_at_once(self, store, action, order_id, amount, key):
        """The tool as recovery calls it, in one go; a crash in it is found out at the next look into the store."""
        self.laws.sent(key, None)
        mood = self.dice.choice([mood for mood in (*self.temper.moods, Mood.WILLING) if mood.reply != "silence"])
        flight = Flight(None, action, key, order_id, amount, mood, self.clock())
        crash = self.dice.random() < 0.1 and not self.resting
        if flight.acts == "now":
            flight.land(self.books, self.clock())
        elif flight.acts == "later":
            flight.told = True
            self.flights.append(flight)
        if crash:
            store.dead = True
        self.say(f"called for {key}: {mood.name.lower()}{', and the process is gone' if crash else ''}")
        if flight.reply == "refused":
            raise NotDoneError
        if flight.reply == "broken":
            raise ConnectionError
        return flight.receipt

    def say(self, words):
        now = self.clock()
        self.told.append(f"{now:%d %H:%M:%S} {words}")

    def _clock(self):
        """A process's own clock: the present, and an error that may change."""
        offsets = {"now": timedelta(0)}

        def clock():
            return self.clock() + offsets["now"]

        clock.offsets = offsets
        return clock

    def _process(self):
        return self.dice.choice(self.world.processes) if self.world.processes else None

    def _started(self):
        process = self.world.open(self._clock())
        self.say(f"{process.name} starts")
        self._arm(process)
        self._try(process, process.guard.start)

    def _lose(self, process):
        self.going = [going for going in self.going if going.process is not process]
        self.world.crash(process)

    def _arm(self, process):
        if self.dice.random() < 0.3:
            process.store.crash_next(self.dice.choice(list(Moment)), self.dice.randint(1, 5))

    def _try(self, process, work):
        """Do something in one go; a crash in the midst of it takes the process with it."""
        try:
            return work()
        except Crash:
            self.say(f"{process.name} crashes in the midst of it")
            self._lose(process)
        except (StoreUnavailableError, UsageError) as error:
            self.say(f"{process.name} could not: {error}")
        finally:
            process.store.disarm()
        return None

    def _cut(self, process):
        if self.dice.random() < 0.1:
            moment = self.dice.choice((Moment.BEFORE, Moment.AFTER))
            self.say(f"{process.name} is cut off {moment} its commit")
            process.store.cut_next(moment)
            return moment
        return None

    def _acted(self, deed):
        self.laws.acted(deed)

    def _move_on(self, moment):
        """Let time go by; what is on its way arrives, or is lost, as long as it may."""
        for flight in sorted(self.flights, key=lambda flight: flight.lands_by):
            if flight.lands_by < moment and flight.may_land:
                self.clock.set(max(self.clock(), flight.lands_by))
                if flight.acts == "now" or self.dice.random() < 0.5:
                    self._land(flight)
                else:
                    flight.acts, flight.later = "never", None
        self.clock.set(max(self.clock(), moment))

    def _land(self, flight):
        self.say(f"the provider acts for {flight.key}")
        flight.land(self.books, self.clock())
