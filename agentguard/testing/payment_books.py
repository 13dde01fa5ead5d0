"""A payment provider's own books: what stands in them really happened, whatever anybody was told.

Kept in memory, or in a file that the next server goes on with: a process that is killed loses no line that it wrote.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from agentguard.core.money import Money


@dataclass(frozen=True, slots=True)
class Receipt:
    """One refund as the provider booked it."""

    id: str
    order_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Booking:
    """One line of the books.

    Attributes:
        key: The idempotency key that it came with, or None.
        at: When it happened, by the provider's clock.
        metadata: What the sender wrote beside it.
    """

    key: str | None
    receipt: Receipt
    at: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


class Books:
    """Every refund that was made, in order.

    Args:
        file: Where they are kept; None for in memory.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._bookings = [] if file is None else read_books(file)
        self._by_key = {booking.key: booking for booking in self._bookings if booking.key is not None}
        self._file = None if file is None else os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __iter__(self) -> Iterator[Booking]:
        with self._lock:
            return iter(tuple(self._bookings))

    def __len__(self) -> int:
        return len(self._bookings)

    def book(
        self, key: str | None, order_id: str, amount: Money, at: datetime, metadata: Mapping[str, str]
    ) -> Receipt | None:
        """Book a refund once for each key, each time without one; None where the key stands for another refund."""
        with self._lock:
            known = None if key is None else self._by_key.get(key)
            if known is not None:
                return known.receipt if (known.receipt.order_id, known.receipt.amount) == (order_id, amount) else None
            receipt = Receipt(f"re_{len(self._bookings) + 1}", order_id, amount)
            booking = Booking(key, receipt, at, dict(metadata))
            if self._file is not None:
                os.write(self._file, _line(booking))  # before anybody is told
            self._bookings.append(booking)
            if key is not None:
                self._by_key[key] = booking
            return receipt

    def find(self, key: str) -> Receipt | None:
        """Return what became of a key, or None."""
        with self._lock:
            found = self._by_key.get(key)
            return None if found is None else found.receipt

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_books(file: Path) -> list[Booking]:
    """Return what stands in the books of a server, whether it runs or not; a file that is not there is empty."""
    if not file.exists():
        return []
    lines = file.read_bytes().split(b"\n")
    return [_booking(orjson.loads(line)) for line in lines[:-1]]


def _line(booking: Booking) -> bytes:
    receipt = booking.receipt
    return orjson.dumps(
        {
            "key": booking.key,
            "id": receipt.id,
            "order_id": receipt.order_id,
            "amount": str(receipt.amount.amount),
            "currency": receipt.amount.currency,
            "at": booking.at.isoformat(),
            "metadata": dict(booking.metadata),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _booking(line: dict[str, Any]) -> Booking:
    receipt = Receipt(line["id"], line["order_id"], Money.of(line["amount"], line["currency"]))
    return Booking(line["key"], receipt, datetime.fromisoformat(line["at"]), line["metadata"])
