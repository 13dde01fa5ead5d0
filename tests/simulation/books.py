"""The other side: a provider with its own books, and calls that are on their way to it, or lost, or late."""

import enum
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agentguard import Money
from agentguard.engine.effect import Outcome, OutcomeKind
from agentguard.engine.steps import Call
from tests.simulation.rules import ORDERS

TTL = timedelta(hours=24)
TIMEOUT = timedelta(seconds=20)
CLOCK_ERROR = timedelta(minutes=4)
LONGEST_FLIGHT = timedelta(minutes=10)
SETTLE_LAG = LONGEST_FLIGHT + 2 * CLOCK_ERROR + timedelta(minutes=2)
REMEMBERED = TTL + 2 * CLOCK_ERROR + LONGEST_FLIGHT

FEE = 100
"""What every third deed comes to less than was asked for, in minor units."""

TOO_LATE = Outcome(OutcomeKind.UNKNOWN, error="TimeoutError")
BROKEN = Outcome(OutcomeKind.UNKNOWN, error="ConnectionError")
REFUSED = Outcome(OutcomeKind.NOT_DONE, error="NotDoneError")


@dataclass(frozen=True)
class Receipt:
    """What the provider gives for a deed: its own name for it, and what it really came to."""

    id: str
    amount: Money


@dataclass(frozen=True)
class Deed:
    """One line of the provider's books: what really happened, whatever anybody was told."""

    key: str
    action: str
    order_id: str
    at: datetime
    receipt: Receipt

    @property
    def customer(self):
        return ORDERS[self.order_id][0]


class Mood(enum.Enum):
    """What becomes of one call: whether it acts at once, later or never, and what its caller hears, now and later."""

    WILLING = ("now", "receipt", None)
    REFUSES = ("never", "refused", None)
    REFUSES_LATE = ("never", "silence", "refused")
    BREAKS_BEFORE = ("never", "broken", None)
    BREAKS_AFTER = ("now", "broken", None)
    LOSES_REQUEST = ("never", "silence", None)
    LOSES_REPLY = ("now", "silence", None)
    REPLIES_LATE = ("now", "silence", "receipt")
    ACTS_LATE = ("later", "silence", None)
    ACTS_AND_REPLIES_LATE = ("later", "silence", "receipt")
    BREAKS_AND_ACTS_LATE = ("later", "broken", None)

    def __init__(self, acts, reply, later):
        self.acts, self.reply, self.later = acts, reply, later


class Books:
    """The provider's: it knows a key again where its interface says so, for as long as it says."""

    def __init__(self):
        self.deeds = []
        self.on_deed = None

    def act(self, action, key, order_id, amount, now):
        """Do what was asked; `refund.issue` alone is idempotent."""
        for deed in self.of(key):
            if action == "refund.issue" and now - deed.at <= REMEMBERED:
                return deed.receipt
        real = amount - Money(FEE, amount.currency) if len(self.deeds) % 3 == 2 else amount
        deed = Deed(key, action, order_id, now, Receipt(f"r-{len(self.deeds) + 1}", real))
        self.deeds.append(deed)
        if self.on_deed is not None:
            self.on_deed(deed)
        return deed.receipt

    def pay_by_hand(self, key, action, order_id, amount, now):
        """Do what a colleague asks for at the counter; no guard hears of it until somebody records it."""
        self.deeds.append(Deed(key, action, order_id, now, Receipt(f"r-{len(self.deeds) + 1}", amount)))

    def of(self, key):
        return [deed for deed in self.deeds if deed.key == key]

    def receipt(self, key):
        return next((deed.receipt for deed in self.of(key)), None)

    def paid_back(self, order_id):
        return sum(deed.receipt.amount.minor for deed in self.deeds if deed.order_id == order_id)


@dataclass(eq=False)
class Flight:
    """One call on its way, of a walk or of none that still listens."""

    call: Call | None
    action: str
    key: str
    order_id: str
    amount: Money
    mood: Mood
    sent_at: datetime
    walk: object = None
    landed: bool = False
    told: bool = False
    reported: bool = False
    receipt: Receipt | None = None
    lands_by: datetime = field(init=False)

    def __post_init__(self):
        self.acts, self.reply, self.later = self.mood.acts, self.mood.reply, self.mood.later
        self.lands_by = self.sent_at + LONGEST_FLIGHT

    @property
    def may_land(self):
        """Whether the deed may still happen."""
        return self.acts != "never" and not self.landed

    @property
    def over(self):
        return not self.may_land and self.told and (self.reported or self.later is None)

    def land(self, books, now):
        """Arrive at the provider."""
        self.landed = True
        self.receipt = books.act(self.action, self.key, self.order_id, self.amount, now)

    def outcome(self, what):
        if what == "receipt":
            return Outcome(OutcomeKind.DONE, self.receipt)
        return {"refused": REFUSED, "broken": BROKEN, "silence": TOO_LATE}[what]
