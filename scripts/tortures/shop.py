"""What is tortured: a shop whose refunds are of every kind of effect, under limits that everybody wants at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from agentguard import Guard, Idempotent, Money, Queryable, Unprotected, Waits, policyfile
from agentguard.engine import machine, taking_up
from agentguard.store import Vault
from agentguard.testing.payment_books import Booking, Receipt
from agentguard.testing.payment_server import PaymentClient

LATE = 1.6
"""Seconds by which the provider acts or answers late."""
LONGEST_PAUSE = 0.8
"""Seconds for which a worker is stopped and then let go on."""
TIMEOUT = timedelta(seconds=1)
GRACE = timedelta(milliseconds=500)
WAY = timedelta(seconds=LATE + LONGEST_PAUSE)
"""How long after its deadline a request may still be acted on; the provider refuses a later one."""
# So that "nothing found" is true then.
LAG = WAY + timedelta(seconds=1)

KEYED, FOUND, BLIND = "refund.keyed", "refund.found", "refund.blind"

MINUTE = timedelta(minutes=1)
ORDER_TOTAL, POOL_TOTAL, CUSTOMER_COUNT, EVERYONE_MINUTE = 6_000, 40_000, 25, 9_000_000

POLICY = f"""
agentguard: 1
policy: torture
version: 1
owner: torture@acme.example
description: Refunds that everybody wants at once.
timezone: UTC
currency: USD
actions:
  {KEYED}: {{order_id: text, amount: money, pool: text, job: integer}}
  {FOUND}: {{order_id: text, amount: money, pool: text, job: integer}}
  {BLIND}: {{order_id: text, amount: money, pool: text, job: integer}}
facts:
  order.total: money
rules:
  - {{id: small, then: allow, when: amount <= 50}}
limits:
  - {{id: order, sum: amount, per: order_id, in: forever, max: order.total, over: deny}}
  - {{id: pool, sum: amount, per: pool, in: forever, max: {POOL_TOTAL // 100}, over: deny}}
  - {{id: customer-minute, count: actions, per: on_behalf_of, in: 1 minutes, max: {CUSTOMER_COUNT}, over: deny}}
  - {{id: everyone-minute, sum: amount, in: 1 minutes, max: {EVERYONE_MINUTE // 100}, over: deny}}
"""


@dataclass(frozen=True, slots=True)
class Cap:
    """A limit of the policy in the provider's own terms, so that its books can be held against it without the guard.

    Attributes:
        key: Which payments count together.
        amount: What one payment counts, in minor units or one.
        window: None for all time.
    """

    limit: str
    max: int
    key: Callable[[Booking], str]
    amount: Callable[[Booking], int]
    window: timedelta | None


def _money(booking: Booking) -> int:
    return booking.receipt.amount.minor


CAPS = (
    Cap("order", ORDER_TOTAL, lambda booking: booking.receipt.order_id, _money, None),
    Cap("pool", POOL_TOTAL, lambda booking: booking.metadata["pool"], _money, None),
    Cap("customer-minute", CUSTOMER_COUNT, lambda booking: booking.metadata["customer"], lambda _: 1, MINUTE),
    Cap("everyone-minute", EVERYONE_MINUTE, lambda _: "", _money, MINUTE),
)


SEPARATOR = "-" * 20
STOPPED = "halted"
"""The code of a refusal that keeps no action, so that the same key is free afterwards."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything of one run lies.

    Attributes:
        port: The payment provider's.
    """

    folder: Path
    port: int
    seed: str

    @property
    def books(self) -> Path:
        """The provider's books."""
        return self.folder / "books.jsonl"

    @property
    def journals(self) -> Path:
        """What each worker was told, by process."""
        return self.folder / "told"

    @property
    def errors(self) -> Path:
        """What no worker should ever have seen."""
        return self.folder / "errors.txt"

    def report(self, words: str) -> None:
        """Write down an error, its last line being what happened."""
        with self.errors.open("a") as file:
            file.write(f"{words.strip()}\n{SEPARATOR}\n")

    @property
    def over(self) -> Path:
        """Exists when workers are to end what they do and go."""
        return self.folder / "over"

    def address(self) -> str:
        """Return where the database is now; it moves when another server takes over."""
        return (self.folder / "address").read_text()

    def move(self, address: str) -> None:
        """Say where the database is from now on."""
        new = self.folder / "address.new"
        new.write_text(address)
        new.rename(self.folder / "address")


def open_guard(place: Place, *, activate: bool = False) -> Guard:
    """Open the shop's guard on the database of now; its tools ask the provider over the wire.

    A run has minutes, so what waits a minute to an hour before it asks a receiver again waits seconds here.
    """
    taking_up.ASKED_AGAIN, taking_up.LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=5)
    guard = Guard(
        policyfile.bundle_of([policyfile.load_text(POLICY, "torture.yaml")]),
        store=place.address(),
        vault=Vault.open(place.folder / "keys", machine.random_bytes),
        activate=activate,
        waits=Waits(in_progress=timedelta(seconds=1), ready=timedelta(seconds=2), grace=GRACE),
    )
    client = PaymentClient(place.port, timeout=TIMEOUT.total_seconds() * 0.8)

    def order() -> dict[str, Money]:
        return {"total": Money(ORDER_TOTAL, "USD")}

    def paying(*, with_key: bool) -> Callable[..., Receipt]:
        def pay(
            order_id: str, amount: Money, pool: str, job: int, *, key: str, on_behalf_of: str, deadline: datetime
        ) -> Receipt:
            metadata = {"action": key, "job": str(job), "pool": pool, "customer": on_behalf_of}
            return client.refund(order_id, amount, key if with_key else None, metadata, not_after=deadline + WAY)

        return pay

    def find(key: str) -> Receipt | None:
        return client.find(key)

    guard.fact("order")(order)
    guard.action(KEYED, effect=Idempotent(ttl=timedelta(hours=6)), timeout=TIMEOUT)(paying(with_key=True))
    guard.action(FOUND, effect=Queryable(find, LAG), timeout=TIMEOUT)(paying(with_key=True))
    guard.action(BLIND, effect=Unprotected(), timeout=TIMEOUT)(paying(with_key=False))
    return guard
