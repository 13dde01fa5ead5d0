"""What agents do, and their walks: they go on, fall asleep, share commits, wait for the provider, and are lost."""

from dataclasses import dataclass

from agentguard import Money
from agentguard.engine.steps import Call, Commit, Meet
from agentguard.errors import KeyConflictError
from agentguard.testing.crashing_store import Moment
from tests.simulation.books import TIMEOUT, Flight
from tests.simulation.ledger import Asked
from tests.simulation.rules import HARMLESS, LOOKING, ORDERS, UNDOING
from tests.simulation.shop import Shop

MOST_WALKS = 8
SHARES = (10, 25, 40, 50, 60, 100)


@dataclass(eq=False)
class Going:
    """A walk under way: whose, and the call that it waits for, if any."""

    name: str
    process: object
    walk: object
    flight: Flight | None = None


class Agents(Shop):
    """Agents that ask, and ask again."""

    def _ask(self, number, process=None):
        process = process or self._process()
        if process is None or len(self.going) >= MOST_WALKS:
            return
        order_id = self.dice.choice(list(ORDERS))
        owner, total = ORDERS[order_id]
        action = self.dice.choice(self.temper.actions)
        share = self.dice.choice(SHARES)
        amount = None if action == LOOKING else Money(total.minor * share // 100, total.currency)
        customer = owner if self.dice.random() < 0.9 else "c-3"
        key = f"k-{number}"
        self.laws.asked[key] = Asked(key, action, order_id, customer, amount)
        self.keys.append(key)
        self._set_out(process, key, begin=self.dice.random() < 0.8)

    def _ask_at_once(self, process, number):
        """Ask, and be decided about before any time goes by."""
        before = list(self.going)
        self._ask(number, process)
        for going in [going for going in self.going if going not in before]:
            for _ in range(3):
                if going in self.going and going.flight is None:
                    going.walk.advance()
                    self._noticed(going)

    def _undo(self, number):
        """An agent undoes what was done before, or was not."""
        process = self._process()
        if process is None or not self.laws.actions or len(self.going) >= MOST_WALKS:
            return
        known = self.dice.choice(list(self.laws.actions.values()))
        customer = known.asked.customer if self.dice.random() < 0.9 else "c-3"
        asked = Asked(f"u-{number}", UNDOING, known.asked.order_id, customer, relates_to=known.id)
        self.laws.asked[asked.key] = asked
        self.keys.append(asked.key)
        self.say(f"{asked.key} is to undo {known.id}")
        self._set_out(process, asked.key, begin=True)

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
        if isinstance(walk.step, Meet):
            walk.advance()
        walk.advance()
        if isinstance(walk.step, Commit):  # that somebody tried is written down
            walk.advance()
        away = walk.answer is not None and walk.answer.reason_code == "store"
        if not away and not isinstance(walk.error, KeyConflictError):
            self.laws.require(False, 3, f"{key} was taken for another request")

    def _set_out(self, process, key, begin):
        asked = self.laws.asked[key]
        about = {"on_behalf_of": asked.customer, "key": key, "relates_to": asked.relates_to}
        walk = process.walk(asked.action, asked.arguments, begin=begin, **about)
        name = self._name()
        self.say(
            f"{process.name} {name} {'runs' if begin else 'proposes'} {key}: {asked.action} {asked.order_id} "
            f"{asked.amount or ''} for {asked.customer}"
        )
        self._add(Going(name, process, walk))

    def _name(self):
        self.walks += 1
        return f"w{self.walks}"

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
        if self.dice.random() < 0.1:
            process.store.crash_next(self.dice.choice(list(Moment)))
        walks = [going.walk for going in going_on], [going.walk for going in losing]
        self._try(process, lambda: process.commit_together(*walks))
        for going in waiting:
            if going in self.going:
                self._noticed(going)

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
        if call.tool is not going.process.parts.registry.tools[asked.action] or asked.action in HARMLESS:
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
            told = self._try(process, lambda: process.report_late(flight.call, flight.outcome(what)))
            if told is not None and what == "receipt":
                self.laws.heard_late(flight.key)

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

    def _execute(self, number):
        self._take_up("executes", ("ready", "waiting"), lambda process: process.execute)

    def _recover_one(self, number):
        """Recovery of one action, step by step between everything else."""
        self._take_up("recovers", ("executing", "in_doubt"), lambda process: process.recovering)

    def _take_up(self, does, states, how):
        process = self._process()
        found = [known.id for known in self.laws.actions.values() if known.state in states]
        if process is None or not found or len(self.going) >= MOST_WALKS:
            return
        action_id, name = self.dice.choice(found), self._name()
        self.say(f"{process.name} {name} {does} {action_id}")
        walk = self._try(process, lambda: how(process)(action_id))
        if walk is not None:
            self._add(Going(name, process, walk))
