"""What people do: they vote, look into doubts and err, press the stop button, change policies, and pay by hand."""

from agentguard import Money
from agentguard.engine.canary import Canaries
from agentguard.engine.deeds import Deed as Done
from agentguard.engine.steps import Commit, Gather
from tests.simulation.ledger import Asked
from tests.simulation.rules import ORDERS, PAYING, PEOPLE, SALT, VERSIONS, bundle
from tests.simulation.shop import Shop


class Staff(Shop):
    """Everybody who is not an agent."""

    def _vote(self, number):
        process = self._process()
        escalations = self.observer.open_escalations()
        if process is None or not escalations:
            return
        (escalation, action_id), voter = self.dice.choice(escalations), self.dice.choice(sorted(PEOPLE.users))
        approves = self.dice.random() < 0.85
        self.laws.votes.add((escalation, voter, approves))
        vote = process.guard.escalations.approve if approves else process.guard.escalations.reject
        self.say(f"{voter} votes {'yes' if approves else 'no'} on {escalation} ({action_id})")
        self._arm(process)
        self._try(process, lambda: vote(escalation, by=voter, reason_code="within_policy"))

    def _leave(self, number):
        """Somebody leaves their group, or is back; not between the question who is there and the decision."""
        if any(isinstance(going.walk.step, Gather | Commit) for going in self.going):
            return
        person = self.dice.choice(sorted(PEOPLE.users))
        self.laws.gone ^= {person}
        self.say(f"{person} {'is gone' if person in self.laws.gone else 'is back'}")

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
            will_tell = {flight.key for flight in self.flights if flight.later == "receipt"}
            known = self.dice.choice([known for known in wrong if known.id in will_tell] or wrong)
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
            if self.dice.random() < 0.5:
                self._try_out(process)
                return
            if self.laws.ledger.trial is not None and version == self.laws.ledger.version:
                version = self.laws.ledger.trial  # those in force do not end a canary
            self.say(f"policies {version + 1} come into force")
            self._arm(process)
            self._try(process, lambda: process.activate(bundle(version)))

    def _try_out(self, process):
        """Some customers try policies out, or more of them, or all, or none any more."""
        ledger = self.laws.ledger
        others = [version for version in range(len(VERSIONS)) if version != ledger.version]
        version = self.dice.choice(others if ledger.trial is None else [*others, ledger.trial])
        share = self.dice.choice(("10%", "50%", "90%"))
        what = self.dice.choice(("begin",) if ledger.trial is None else ("begin", "promote", "abort"))
        self.say(f"canary: {what} {version + 1} {share}" if what == "begin" else f"canary: {what}")
        self._arm(process)
        trial = Canaries(process.parts, bundle(version), process.guard.tenant)
        person = {"by": "ops", "why": "tried out"}
        steps = {
            "begin": lambda: trial.begin(share, salt=SALT, **person),
            "promote": lambda: trial.promote(**person),
            "abort": lambda: trial.abort(**person),
        }
        self._try(process, steps[what])
