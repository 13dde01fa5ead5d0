"""The shop and clinic of the demonstration: its customers, its systems, and its guard with tools and facts.

Everything is made up and stays on this machine; the payments are a real server with its own books.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agentguard import Guard, Idempotent, Money, NotDoneError, Queryable, Read
from agentguard.testing.clock import ManualClock
from agentguard.testing.payment_books import Receipt
from agentguard.testing.payment_server import PaymentClient, PaymentServer

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
"""The time at which the demonstration always happens: a Tuesday, four in Berlin, ten in New York."""

BEFORE = timedelta(days=21)
"""How long before that the shop opened, so that its customers have a past; a ledger's time never goes back."""

PATIENCE = 0.5
"""Seconds that the shop waits for its payment provider."""

CODE = "402913"


def usd(amount: str) -> Money:
    """Return dollars."""
    return Money.of(amount, "USD")


def eur(amount: str) -> Money:
    """Return euros."""
    return Money.of(amount, "EUR")


ORDERS = {
    "A-17": ("cus_ana", usd("120.00")),
    "B-21": ("cus_ben", usd("260.00")),
    "C-30": ("cus_cleo", usd("90.00")),
    "C-31": ("cus_cleo", usd("90.00")),
    "C-32": ("cus_cleo", usd("90.00")),
    "C-33": ("cus_cleo", usd("90.00")),
    "G-71": ("cus_grace", usd("75.00")),
    "H-80": ("cus_hugo", usd("60.00")),
    "I-90": ("cus_ivy", usd("60.00")),
    "D-40": ("cus_dmitri", eur("79.00")),
}
SLOTS = {
    "wed-10": datetime(2026, 11, 25, 15, 0, tzinfo=UTC),
    "thanksgiving-10": datetime(2026, 11, 26, 15, 0, tzinfo=UTC),
}
AGES = {"cus_elif": 34, "cus_farid": 51}


@dataclass(slots=True)
class Shop:
    """The guard with everything around it."""

    guard: Guard
    clock: ManualClock
    payments: PaymentServer


def open_shop(folder: Path, policies: Path, payments: PaymentServer) -> Shop:
    """Return a shop whose guard keeps its record in a folder."""
    clock = ManualClock(START - BEFORE)
    files = [policies / name / f"{name}.yaml" for name in ("refunds", "returns", "appointments", "account")]
    guard = Guard(
        files, store=f"sqlite:///{folder / 'demo.db'}", people=policies / "people.yaml", clock=clock, activate=True
    )
    _facts(guard, clock)
    _refunds(guard, PaymentClient(payments.port, timeout=PATIENCE))
    _account(guard)
    _appointments(guard)
    guard.start()
    return Shop(guard, clock, payments)


def _facts(guard: Guard, clock: ManualClock) -> None:
    @guard.fact("order", source="order system")
    def order(order_id: str) -> Mapping[str, Any] | None:
        """Look an order up in the shop's own books."""
        if order_id not in ORDERS:
            return None
        owner, total = ORDERS[order_id]
        return {
            "id": order_id,
            "customer_id": owner,
            "total": total,
            "refunded": Money(0, total.currency),
            "delivered_at": clock() - timedelta(days=6),
            "items": [{"category": "home", "price": total, "final_sale": False}],
            "paid_with": "card",
        }

    @guard.fact("item", source="order system")
    def item(item_id: str) -> Mapping[str, Any]:
        """Look an item of an order up."""
        delivered = clock() - timedelta(days=6)
        bought = {"price": eur("79.00"), "quantity": 1, "category": "electronics", "final_sale": False}
        return {"id": item_id, "delivered_at": delivered, **bought}

    @guard.fact("customer", source="customer system")
    def customer(on_behalf_of: str) -> Mapping[str, Any]:
        """Look the customer up."""
        return {"fraud_score": 4, "region": "north", "tier": "standard", "email": f"{on_behalf_of}@customer.example"}

    @guard.fact("account", source="customer system")
    def account(on_behalf_of: str) -> Mapping[str, Any]:
        """Look the customer's account up."""
        return {"customer_id": on_behalf_of, "status": "active", "country": "DE", "open_orders": 0}

    @guard.fact("identity", source="code service")
    def identity() -> Mapping[str, Any]:
        """Look up how often the customer failed to prove who they are."""
        return {"failed_attempts": 0}

    @guard.fact("slot", source="calendar")
    def slot(slot_id: str) -> Mapping[str, Any] | None:
        """Look a place in the calendar up."""
        if slot_id not in SLOTS:
            return None
        times = {"starts_at": SLOTS[slot_id], "ends_at": SLOTS[slot_id] + timedelta(minutes=30)}
        return {"id": slot_id, "free": 2, "practitioner": "dr_ito", "opening_hours": "main_clinic", **times}

    @guard.fact("patient", source="patient system")
    def patient(on_behalf_of: str) -> Mapping[str, Any]:
        """Look the patient up."""
        age = AGES.get(on_behalf_of, 40)
        return {"id": on_behalf_of, "guardians": [], "age": age, "no_shows": 0, "visits": []}


def _paid(receipt: Receipt) -> dict[str, Money]:
    return {"amount": receipt.amount}


def _number(receipt: Receipt) -> str:
    return receipt.id


def _refunds(guard: Guard, client: PaymentClient) -> None:
    def find(key: str) -> Receipt | None:
        """Ask the payment server what became of a refund."""
        return client.find(key)

    @guard.action("refund.issue", effect=Queryable(find), settles=_paid, reference=_number)
    def refund(order_id: str, amount: Money, reason: str, *, key: str) -> Receipt:  # noqa: ARG001 - the policy reads the reason
        """Refund part or all of an order to the card it was paid with."""
        return client.refund(order_id, amount, key)

    @guard.action("return.accept", effect=Queryable(find), reference=_number)
    def accept(order_id: str, refund: Money, *, key: str, **_read_by_the_policy: Any) -> Receipt:
        """Accept a return and pay back what the policy works out."""
        return client.refund(order_id, refund, key)


def _account(guard: Guard) -> None:
    @guard.action("identity.verify", effect=Read())
    def verify(method: str, code: str) -> dict[str, bool]:  # noqa: ARG001 - the policy reads the method
        """Check the code that was sent to the customer."""
        if code != CODE:
            raise NotDoneError("the code is wrong")
        return {"verified": True}

    @guard.action("payout.change")
    def change_payout(new_iban: str) -> None:
        """Change the bank account that money is paid to."""
        raise NotDoneError(f"the demonstration has no bank to tell of {new_iban[:4]}")


def _appointments(guard: Guard) -> None:
    booked: dict[str, str] = {}

    @guard.action("appointment.book", effect=Idempotent(timedelta(days=1)))
    def book(slot_id: str, kind: str, *, key: str) -> dict[str, str]:
        """Book a visit at the clinic."""
        booked[key] = slot_id
        return {"slot": slot_id, "kind": kind}
