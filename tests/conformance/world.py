"""The world that every probe meets: a guard over a real file, orders, and payments that keep their own books."""

import functools
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from agentguard import Guard, Money, NotDoneError, policyfile
from tests.conformance.corpus import PEOPLE, POLICY

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UNITS = {"hours": 3_600, "days": 86_400, "minutes": 60}


@functools.cache
def policies():
    """Return the policies that are in force in every world; they are read once."""
    return policyfile.load(POLICY)


@functools.cache
def people():
    """Return the people of every world."""
    return policyfile.load_people(PEOPLE)


class World:
    """One guard, and what really happened: `paid` is the provider's own list, which the guard cannot see."""

    def __init__(self, folder, *, in_memory=False, store=None):
        self.now = START
        self.paid = []
        self.tool = "work"
        self._lock = threading.Lock()
        self.guard = Guard(
            policies(),
            store=store or ("sqlite://" if in_memory else f"sqlite:///{folder}/guard.db"),
            people=people(),
            clock=lambda: self.now,
            activate=True,
        )
        self.register()
        self.guard.start()

    def register(self):
        orders = {"A-17": (None, 600), "B-1": ("cus_other", 600), "C-30": (None, 30), "D-2": (None, 600)}

        @self.guard.fact("order")
        def order(order_id: str, on_behalf_of: str):
            if order_id == "E-1":
                raise ConnectionError("the order system does not answer")
            if order_id not in orders:
                return None
            owner, total = orders[order_id]
            return {"customer_id": owner or on_behalf_of, "total": Money(total * 100, "USD")}

        @self.guard.action("refund.issue")
        def refund(order_id: str, amount: Money, reason: str, *, on_behalf_of: str) -> str:
            """Refund an order."""
            if self.tool == "refuse":
                raise NotDoneError("the provider says no")
            with self._lock:
                self.paid.append((on_behalf_of, f"{order_id} {amount}", amount))
            if self.tool == "break":
                raise ConnectionError("the line broke after it was sent")
            return f"re_{len(self.paid)}"

        @self.guard.action("visit.book")
        def book(
            day: date,
            seats: int,
            share: Decimal,
            quiet: bool,
            tags: list[str],
            starts_at: datetime,
            lasts: timedelta,
            note: str | None = None,
            *,
            on_behalf_of: str,
        ) -> str:
            """Book a visit."""
            with self._lock:
                self.paid.append((on_behalf_of, f"visit {seats}", Money(0, "USD")))
            return "booked"

        self.functions = {"refund.issue": refund, "visit.book": book}

    def paid_for(self, customer):
        return [what for who, what, _ in self.paid if who == customer]

    def later(self, text):
        count, unit = text.split()
        self.now += timedelta(seconds=int(count) * UNITS[unit])


class Small:
    """An object that says yes to every comparison."""

    def __le__(self, other):
        return True

    __lt__ = __ge__ = __gt__ = __eq__ = __le__
    __hash__ = None

    def __str__(self):
        return "40.00"


class LyingInteger(int):
    """A whole number that shows another one."""

    def __str__(self):
        return "40"

    __repr__ = __str__

    def __format__(self, style):
        return "40"


class LyingText(str):
    """Text that shows another text."""

    __slots__ = ()

    def __str__(self):
        return "40"

    def __format__(self, style):
        return "40"
