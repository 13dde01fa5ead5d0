"""One seed, one history: what happens next in a world of processes that crash is drawn from the seed alone.

Every event has dice of its own, so that a history can be told again with some of its events left out.
"""

import random
from dataclasses import dataclass
from datetime import timedelta

from agentguard import Guard, Idempotent, Money, NotDoneError, Queryable, Read, Unprotected, Waits
from agentguard.engine.deeds import Deed as Done
from agentguard.engine.steps import Call, Commit
from agentguard.errors import KeyConflictError, StoreUnavailableError, UsageError
from agentguard.store import Store, Vault
from agentguard.testing.clock import ManualClock
from agentguard.testing.crashing_store import Crash, Moment
from agentguard.testing.world import World
from tests.simulation.books import CLOCK_ERROR, SETTLE_LAG, TIMEOUT, TTL, Books, Flight, Mood, Receipt
from tests.simulation.laws import Laws
from tests.simulation.ledger import Asked
from tests.simulation.rules import LOOKING, ORDERS, PAYING, PEOPLE, TOTALS, VERSIONS, bundle

EVENTS = 200
MOST_PROCESSES = 3
MOST_WALKS = 8
MOST_DRAWS = 8
SHARES = (10, 25, 40, 50, 60, 100)

EFFECTS = {
    "refund.issue": lambda books: Idempotent(TTL),
    "voucher.send": lambda books: Queryable(books.receipt, SETTLE_LAG),
    "credit.grant": lambda books: Unprotected(),
    LOOKING: lambda books: Read(),
}


@dataclass(eq=False)
class Going:
    """A walk under way: whose, under which key, and the call that it waits for, if any."""

    name: str
    process: object
    walk: object
    key: str = ""
    flight: Flight | None = None


class History:
    """A world with dice.

    Attributes:
        seed: What everything is drawn from.
        only: Numbers of the events that happen; None for all of them.
        told: What happened, a line each.
    """

    def __init__(self, seed, folder, only=None):
        self.seed = seed
        self.only = only
        self.told = []
        self.dice = random.Random(f"{seed}")
        self.bytes = random.Random(f"{seed}-bytes")
        self.temper = Temper(random.Random(f"{seed}-temper"))
        self.clock = ManualClock()
        self.address = f"sqlite:///{folder}/{seed}.db"
        self.books = Books()
        self.books.on_deed = self._acted
        self.world = World(self.address, self._build, self.clock)
        self.observer = Store.open(self.address, self.clock, log="simulated")
        self.laws = Laws(self.observer, self.books)
        self.totals = {order_id: total for order_id, (_, total) in ORDERS.items()}
        self.orders_down = False
        self.by_hand = []
        self.resting = False
        self.keys = []
        self.going = []
        self.flights = []
        self.ids = 0
        self.names = {}

    # one process

    def _build(self, store, clock):
        vault = Vault.beside(self.address, self.bytes.randbytes)
        waits = Waits(lookups=None, in_progress=timedelta(seconds=0.1), recovery=None, rounds=None)
        guard = Guard(bundle(0), store=store, people=PEOPLE, clock=clock, vault=vault, waits=waits)
        guard._parts.new_id = self._new_id
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

        guard.action(LOOKING, effect=Read(), timeout=TIMEOUT)(look)
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

    # the telling

    def say(self, words):
        now = self.clock()
        self.told.append(f"{now:%d %H:%M:%S} {words}")

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

    def _clock(self):
        """A process's own clock: the present, and an error that may change."""
        offsets = {"now": timedelta(0)}

        def clock():
            return self.clock() + offsets["now"]

        clock.offsets = offsets
        return clock

    def _happen(self, number):
        self.clock.advance(timedelta(milliseconds=self.dice.randrange(1, 400)))
        if not self.world.processes:
            self._started()
        before = len(self.told)
        for _ in range(MOST_DRAWS):
            getattr(self, f"_{self.dice.choice(self.temper.kinds)}")(number)
            if len(self.told) > before:
                return

    def _process(self):
        return self.dice.choice(self.world.processes) if self.world.processes else None

    # what may happen

    def _ask(self, number):
        process = self._process()
        if process is None or len(self.going) >= MOST_WALKS:
            return
        order_id = self.dice.choice(list(ORDERS))
        owner, total = ORDERS[order_id]
        action = self.dice.choice((*PAYING, *PAYING, LOOKING))
        share = self.dice.choice(SHARES)
        amount = None if action == LOOKING else Money(total.minor * share // 100, total.currency)
        customer = owner if self.dice.random() < 0.9 else "c-3"
        key = f"k-{number}"
        self.laws.asked[key] = Asked(key, action, order_id, customer, amount)
        self.keys.append(key)
        self._set_out(process, key, begin=self.dice.random() < 0.8)

    def _ask_again(self, number):
        process = self._process()
        if process is not None and self.keys and len(self.going) < MOST_WALKS:
            self._set_out(process, self.dice.choice(self.keys), begin=self.dice.random() < 0.8)

    def _ask_otherwise(self, number):
        """The same key for something else is an error, and changes nothing."""
        process = self._process()
        asked = [known.asked for known in self.laws.actions.values()]
        stored = [item for item in asked if item.amount is not None and not item.elsewhere]
        if process is None or not stored:
            return
        asked = self.dice.choice(stored)
        key = asked.key
        other = {"order_id": asked.order_id, "amount": asked.amount + Money(1, asked.amount.currency)}
        walk = process.walk(asked.action, other, on_behalf_of=asked.customer, key=key)
        walk.advance()
        away = walk.answer is not None and walk.answer.reason_code == "store"
        if not away and not isinstance(walk.error, KeyConflictError):
            self.laws.require(False, 3, f"{key} was taken for another request")

    def _set_out(self, process, key, begin):
        asked = self.laws.asked[key]
        walk = process.walk(asked.action, asked.arguments, on_behalf_of=asked.customer, key=key, begin=begin)
        name = f"w{len(self.names)}"
        self.names[name] = key
        self.say(
            f"{process.name} {name} {'runs' if begin else 'proposes'} {key}: {asked.action} {asked.order_id} "
            f"{asked.amount or ''} for {asked.customer}"
        )
        self._add(Going(name, process, walk, key))

    def _add(self, going):
        self.going.append(going)
        self._noticed(going)

    def _step(self, number):
        waiting = [going for going in self.going if going.flight is None]
        if not waiting:
            return
        going = self.temper.next_of(waiting, self.dice)
        for _ in range(self.dice.choice((1, 1, 1, 2, 4))):
            if going not in self.going or going.flight is not None:
                return
            step = going.walk.step
            reached = isinstance(step, Commit) and not going.process.store.outage
            through = reached and self._cut(going.process) is Moment.AFTER
            going.walk.advance()
            self.say(f"{going.process.name} {going.name} {type(step).__name__.lower()}")
            if through and going.walk.answer is not None:
                self.laws.told_of_commit(going.walk.answer)
            self._noticed(going)

    def _batch(self, number):
        """Several walks of one process wait at once, and share a commit; some of their units fail in it."""
        process = self._process()
        waiting = [going for going in self.going if going.process is process and isinstance(going.walk.step, Commit)]
        if len(waiting) < 2 or process.store.outage:
            return
        self.dice.shuffle(waiting)
        losing = waiting[:1] if self.dice.random() < 0.3 else []
        names = " ".join(f"{going.name}{' (fails)' if going in losing else ''}" for going in waiting)
        self.say(f"{process.name} {names} commit together")
        self._cut(process)
        going_on = [going for going in waiting if going not in losing]
        process.commit_together([going.walk for going in going_on], [going.walk for going in losing])
        for going in waiting:
            self._noticed(going)

    def _cut(self, process):
        if self.dice.random() < 0.1:
            moment = self.dice.choice((Moment.BEFORE, Moment.AFTER))
            self.say(f"{process.name} is cut off {moment} its commit")
            process.store.cut_next(moment)
            return moment
        return None

    def _noticed(self, going):
        """Look where a walk is now: over, or calling a tool."""
        walk = going.walk
        if walk.step is None:
            self.going.remove(going)
            if walk.error is not None:
                raise walk.error
            if walk.answer is not None:
                self.say(f"{going.process.name} {going.name} was told {walk.answer} ({walk.answer.decision_id})")
                self.laws.answered(walk.answer)
        elif isinstance(walk.step, Call):
            self._sent(going, walk.step)

    def _sent(self, going, call):
        begun = call.begun
        asked = self.laws.asked[begun.request.key]
        if call.tool is not going.process.parts.registry.tools[asked.action] or asked.action == LOOKING:
            return  # a lookup, or a tool that changes nothing: called for real at its next step
        self.laws.sent(begun.action_id, begun.standing.fence)
        mood = self.dice.choice(self.temper.moods)
        flight = Flight(call, asked.action, begun.action_id, asked.order_id, asked.amount, mood, self.clock())
        going.flight, flight.walk = flight, going
        self.flights.append(flight)
        self.say(f"{going.process.name} {going.name} calls for {begun.action_id}: {mood.name.lower()}")

    def _fly(self, number):
        if self.flights:
            self._fly_on(self.dice.choice(self.flights))

    def _fly_on(self, flight):
        if flight.acts == "now" and not flight.landed:
            self._land(flight)
        elif not flight.told:
            self._tell(flight)
        elif flight.may_land:
            self._land(flight)
        elif flight.later is not None and not flight.reported:
            flight.reported = True
            self._report(flight, flight.later)
        if flight.over and flight in self.flights:
            self.flights.remove(flight)

    def _land(self, flight):
        self.say(f"the provider acts for {flight.key}")
        flight.land(self.books, self.clock())

    def _acted(self, deed):
        self.laws.acted(deed)

    def _tell(self, flight):
        flight.told = True
        going = flight.walk
        if going is None:
            return
        if going not in self.going or going.flight is not flight:
            self._report(flight, flight.reply)  # nobody waits for it, and what it came to is written down all the same
            return
        if flight.reply == "silence":
            self._move_on(max(self.clock(), flight.sent_at + TIMEOUT))
            if going not in self.going:
                return
        going.flight = None
        self.say(f"{going.process.name} {going.name} hears: {flight.reply}")
        going.walk.give(flight.outcome(flight.reply))
        self._noticed(going)

    def _report(self, flight, what):
        process = flight.walk.process if flight.walk is not None else None
        if process in self.world.processes and what in ("receipt", "refused"):
            self.say(f"{process.name} hears late of {flight.key}: {what}")
            self._try(process, lambda: process.report_late(flight.call, flight.outcome(what)))

    def _crash_walk(self, number):
        committing = [going for going in self.going if isinstance(going.walk.step, Commit)]
        if committing:
            going, moment = self.dice.choice(committing), self.dice.choice(list(Moment))
            self.say(f"{going.process.name} {going.name} is lost {moment} its commit")
            self.going.remove(going)
            going.walk.crash(moment)

    def _abandon(self, number):
        """Whoever waited for a walk has gone: a cancelled task, an interrupted thread."""
        if not self.going:
            return
        going, late = self.dice.choice(self.going), self.dice.random() < 0.5
        self.say(f"{going.process.name} {going.name} is abandoned{' after its commit' if late else ''}")
        going.flight = None
        going.walk.abandon(committed=late)
        self._noticed(going)

    def _crash_process(self, number):
        process = self._process()
        if process is not None:
            self.say(f"{process.name} crashes")
            self._lose(process)

    def _lose(self, process):
        self.going = [going for going in self.going if going.process is not process]
        self.world.crash(process)

    def _start(self, number):
        if len(self.world.processes) < MOST_PROCESSES:
            self._started()

    def _started(self):
        process = self.world.open(self._clock())
        self.say(f"{process.name} starts")
        self._arm(process)
        self._try(process, process.guard.start)

    def _recover(self, number):
        process = self._process()
        if process is not None:
            self.say(f"{process.name} recovers")
            self._arm(process)
            self._try(process, process.guard.recover)

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

    def _recover_one(self, number):
        """Recovery of one action, step by step between everything else."""
        process = self._process()
        begun = [known.id for known in self.laws.actions.values() if known.state in ("executing", "in_doubt")]
        if process is None or not begun or len(self.going) >= MOST_WALKS:
            return
        record = self.observer.read(lambda reading: reading.action(self.dice.choice(begun)))
        name = f"w{len(self.names)}"
        self.names[name] = record.id
        self.say(f"{process.name} {name} recovers {record.id}")
        self._add(Going(name, process, process.recovering(record)))

    def _execute(self, number):
        process = self._process()
        ready = [known.id for known in self.laws.actions.values() if known.state in ("ready", "waiting")]
        if process is None or not ready or len(self.going) >= MOST_WALKS:
            return
        action_id = self.dice.choice(ready)
        name = f"w{len(self.names)}"
        self.names[name] = action_id
        self.say(f"{process.name} {name} executes {action_id}")
        walk = self._try(process, lambda: process.execute(action_id))
        if walk is not None:
            self._add(Going(name, process, walk))

    def _vote(self, number):
        process = self._process()
        escalations = self.observer.read(lambda reading: reading.escalations("open", None, 100, ""))
        if process is None or not escalations:
            return
        escalation, voter = self.dice.choice(escalations), self.dice.choice(sorted(PEOPLE.users))
        approves = self.dice.random() < 0.85
        self.laws.votes.add((escalation.id, voter, approves))
        vote = process.guard.escalations.approve if approves else process.guard.escalations.reject
        self.say(f"{voter} votes {'yes' if approves else 'no'} on {escalation.id} ({escalation.action_id})")
        self._arm(process)
        self._try(process, lambda: vote(escalation.id, by=voter))

    def _resolve(self, number):
        """A person looks into the provider's books, once nothing is on its way any more."""
        process = self._process()
        in_doubt = [known.id for known in self.laws.actions.values() if known.state == "in_doubt"]
        landing = {flight.key for flight in self.flights if flight.may_land}
        clear = [action_id for action_id in in_doubt if action_id not in landing]
        if process is not None and clear:
            self._arm(process)
            self._resolved(process, self.dice.choice(clear))

    def _mistake(self, number):
        """A person says that nothing happened, and does not know better; the truth may come late."""
        process = self._process()
        wrong = [known for known in self.laws.actions.values() if known.state == "in_doubt" and self.books.of(known.id)]
        if process is not None and wrong:
            known = self.dice.choice(wrong)
            known.mistaken = True
            self.say(f"{process.name} pat is mistaken about {known.id}")
            resolve = process.guard.resolve
            self._try(process, lambda: resolve(known.id, done=False, by="pat", why="a guess"))

    def _resolved(self, process, action_id):
        receipt = self.books.receipt(action_id)
        self.say(f"{process.name} pat says that {action_id} was {'done' if receipt else 'not done'}")
        resolve = process.guard.resolve
        self._try(
            process, lambda: resolve(action_id, done=receipt is not None, by="pat", why="the books", result=receipt)
        )

    def _pay_by_hand(self, number):
        """A colleague pays something back without asking; sooner or later somebody records it."""
        order_id = self.dice.choice(list(ORDERS))
        owner, total = ORDERS[order_id]
        amount = Money(total.minor * self.dice.choice((5, 20, 50)) // 100, total.currency)
        asked = Asked(f"d-{number}", self.dice.choice(PAYING), order_id, owner, amount, elsewhere=True)
        self.laws.asked[asked.key] = asked
        self.books.pay_by_hand(asked.key, asked.action, order_id, amount, self.clock())
        self.by_hand.append((asked, self.clock()))
        self.say(f"a colleague does {asked.action} {order_id} {amount} by hand: {asked.key}")

    def _record(self, number):
        """Tell what colleagues did, some of it twice."""
        process = self._process()
        if process is None or not self.by_hand:
            return
        told = self.dice.sample(self.by_hand, min(len(self.by_hand), self.dice.choice((1, 1, 2, 3))))
        self.say(f"{process.name} records {' '.join(asked.key for asked, _ in told)}")
        self._arm(process)
        deeds = [
            Done(
                action=asked.action,
                arguments=asked.arguments,
                by="kim",
                source="desk",
                happened_at=at,
                key=asked.key,
                on_behalf_of=asked.customer,
            )
            for asked, at in told
        ]
        self._try(process, lambda: process.guard.record_all(deeds))

    def _halt(self, number):
        process = self._process()
        target = self.dice.choice(("all", "agent:agent", *(f"action:{action}" for action in PAYING)))
        if process is not None:
            self.say(f"{target} is halted")
            self._arm(process)
            self._try(process, lambda: process.guard.halt(target, by="pat", why="looking into it"))

    def _resume(self, number):
        process = self._process()
        if process is not None and self.laws.halts:
            target = self.dice.choice(sorted(self.laws.halts))
            self.say(f"{target} goes on")
            self._arm(process)
            self._try(process, lambda: process.guard.resume(target, by="pat", why="looked into it"))

    def _activate(self, number):
        process = self._process()
        if process is not None:
            version = self.dice.randrange(len(VERSIONS))
            self.say(f"policies {version + 1} come into force")
            self._arm(process)
            self._try(process, lambda: process.activate(bundle(version)))

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

    def _step_clock(self, number):
        process = self._process()
        if process is not None:
            error = CLOCK_ERROR * self.dice.uniform(-1, 1)
            process.parts.clock.offsets["now"] = error
            self.say(f"{process.name} has a clock that is {error.total_seconds():+.0f} s off")

    # the end

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


SPANS = (
    (1, 5, 20),
    (20, 60, 120, 300),
    (60, 600, 3600),
    (1, 20, 60, 600, 3600, 6 * 3600, 30 * 3600),
)


class Temper:
    """What tends to happen in one world: in some nobody ever halts anything, in others everything comes late."""

    def __init__(self, dice):
        self.kinds = [name for name, weight in WEIGHTS.items() for _ in range(weight * dice.choice((0, 1, 1, 3)))]
        self.kinds += [name for name, weight in ALWAYS.items() for _ in range(weight * dice.choice((1, 1, 2)))]
        self.moods = [Mood.WILLING] * dice.choice((1, 3, 6)) + dice.sample(list(Mood), 5)
        self.spans = dice.choice(
            ((1, 5, 20), (20, 60, 120, 300), (60, 600, 3600), (1, 20, 60, 600, 3600, 6 * 3600, 30 * 3600))
        )
        self.turn = dice.choice(("any", "any", "newest", "oldest"))

    def next_of(self, waiting, dice):
        """Return whose turn it is: where the newest walk always goes first, the others stall for long."""
        if self.turn == "any" or dice.random() < 0.2:
            return dice.choice(waiting)
        return waiting[-1 if self.turn == "newest" else 0]


ALWAYS = {"ask": 16, "step": 60, "batch": 8, "fly": 20, "recover_one": 3, "recover": 2, "resume": 3, "time": 3}
WEIGHTS = {
    "ask_again": 6,
    "ask_otherwise": 1,
    "crash_walk": 3,
    "crash_process": 1,
    "start": 2,
    "abandon": 2,
    "recover": 2,
    "recover_one": 4,
    "execute": 4,
    "vote": 5,
    "resolve": 2,
    "mistake": 1,
    "pay_by_hand": 2,
    "record": 3,
    "halt": 1,
    "activate": 2,
    "change": 2,
    "lose_store": 1,
    "time": 4,
    "step_clock": 3,
}
