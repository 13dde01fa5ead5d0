"""The ledger a second time: what every action holds and came to, in plain Python, and what is used in any window."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.simulation.rules import HARMLESS, VERSIONS, number_of

ACCOUNTS = {limit.account: limit for version in VERSIONS for limit in version}
HOLDING = {"ready", "executing", "in_doubt"}
BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """What the world asked for under a key, or told of what was done elsewhere."""

    key: str
    action: str
    order_id: str
    customer: str
    amount: object = None
    elsewhere: bool = False
    relates_to: str | None = None

    @property
    def arguments(self):
        money = {} if self.amount is None else {"amount": self.amount}
        return {"order_id": self.order_id, **money}

    def accounts(self):
        """Return what it counts for, by account: (name, unit, whose)."""
        found = {}
        for name, limit in ACCOUNTS.items():
            if self.action in limit.on:
                unit = "#" if limit.counts else self.amount.currency
                whose = {"order": self.order_id, "customer": self.customer, "all": ""}[limit.per]
                found[name, unit, whose] = 1 if limit.counts else self.amount.minor
        return found


@dataclass
class Known:
    """One action as the log tells it.

    Attributes:
        held_on: The accounts that know it: it held on them, or was posted to them.
        fitting: What it would hold while it waits: on accounts with a key whose limits it fits.
        posted: By account: from when on it counts, and how much.
        done_at: When it was done; what comes into force later counts it from then on.
        undone: It was undone while it was in doubt, and has not been sent again since.
        mistaken: A person said that it was not done, and was wrong.
    """

    id: str
    asked: Asked
    state: str = "proposed"
    fence: int = 0
    holds: dict = field(default_factory=dict)
    fitting: dict = field(default_factory=dict)
    held_on: frozenset = frozenset()
    posted: dict = field(default_factory=dict)
    done_at: datetime | None = None
    real: object = None
    approvals: set = field(default_factory=set)
    undone: bool = False
    mistaken: bool = False

    @property
    def deed(self):
        """The key under which the provider's books have it."""
        return self.asked.key if self.asked.elsewhere else self.id

    @property
    def harmless(self):
        """Whether the provider's books say nothing of it."""
        return self.asked.action in HARMLESS

    def amount(self, key):
        """Return what it came to on an account."""
        return self.asked.accounts()[key] if self.real is None or key[1] == "#" else self.real.minor


class Ledger:
    """Every action, and the policies in force."""

    def __init__(self):
        self.actions = {}
        self.version = 0
        self.trial = None
        self.share = 0
        self._last = {}

    def counts(self, account):
        """Return whether the policies in force count on an account, or those of a canary."""
        versions = {self.version} if self.trial is None else {self.version, self.trial}
        return any(limit.account == account for version in versions for limit in VERSIONS[version])

    def deciding(self, customer):
        """Return which policies decide for a customer."""
        return self.trial if self.trial is not None and number_of(customer) < self.share else self.version

    def hold(self, known):
        known.holds = {key: amount for key, amount in known.asked.accounts().items() if self.counts(key[0])}
        known.held_on = frozenset(known.holds)

    def release(self, known):
        known.holds = {}

    def settle(self, known, real, at):
        """Post what an action came to, where it holds, or held."""
        known.real, known.done_at, known.holds = real, at, {}
        for key in known.held_on:
            self._post(known, key)
        if known.undone:
            self._give_back(known)
        original = self.actions.get(known.asked.relates_to)
        if original is None or original.asked.customer != known.asked.customer:
            return
        if original.state == "settled":
            self._give_back(original)
        original.undone |= original.state == "in_doubt"

    def _give_back(self, original):
        """Give back what an earlier action counted, in the windows in which it counted."""
        for key, (at, _) in original.posted.items():
            if ACCOUNTS[key[0]].freed:
                original.posted[key] = at, 0

    def record(self, known, real, at):
        """Post what was done elsewhere on every account that counts it now."""
        self.hold(known)
        self.settle(known, real, at)

    def _post(self, known, key):
        """A running total only runs on: what is told late counts from the account's last movement."""
        at = self._last[key] = max(known.done_at, self._last.get(key, BEFORE_ALL))
        known.posted[key] = at, known.amount(key)

    def activate(self, version, trial=None, share=0):
        """Put policies into force, for some customers or for all; accounts that were not counted on are filled."""
        self.version, self.trial, self.share = version, trial, share
        for known in sorted(self.actions.values(), key=lambda known: known.done_at or BEFORE_ALL):
            for key, amount in known.asked.accounts().items():
                if key in known.held_on or not self.counts(key[0]):
                    continue
                if known.state in HOLDING:
                    known.holds[key] = amount
                elif known.state == "settled":
                    self._post(known, key)
                elif known.state != "released":
                    continue
                known.held_on |= {key}

    def used(self, key, limit, now, but=None):
        """Return what is held and what settled in a limit's window, brute force."""
        others = [known for known in self.actions.values() if known is not but]
        held = sum(known.holds.get(key, 0) for known in others)
        postings = [known.posted[key] for known in others if key in known.posted]
        return held, sum(amount for at, amount in postings if limit.counts_at(at, now))

    def totals(self, key):
        """Return what is held and what settled on an account for all time."""
        held = sum(known.holds.get(key, 0) for known in self.actions.values())
        return held, sum(known.posted[key][1] for known in self.actions.values() if key in known.posted)
