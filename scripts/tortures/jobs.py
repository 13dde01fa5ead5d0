"""What is asked for: endless numbered jobs, the same for everybody who knows the seed, under keys of their own."""

from __future__ import annotations

import fcntl
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.tortures.shop import BLIND, FOUND, KEYED

JOBS_IN_AN_ORDER = 3
JOBS_IN_A_POOL = 40
CUSTOMERS = 150
RECENT = 30
AMOUNTS = ("5.00", "12.50", "20.00", "33.33", "49.99", "50.01")


@dataclass(frozen=True, slots=True)
class Job:
    """One request as a host would send it, again and again if need be."""

    action: str
    arguments: dict[str, Any]
    on_behalf_of: str
    conversation: str
    key: str

    @property
    def request(self) -> dict[str, Any]:
        """What `guard.run` takes."""
        context = {"conversation": self.conversation}
        who = {"agent": "torturer", "on_behalf_of": self.on_behalf_of, "context": context, "key": self.key}
        return {"action": self.action, "arguments": self.arguments, **who}


def job(seed: str, number: int) -> Job:
    """Return the job of a number; neighbours share an order and a pool, so that they meet on the same limits."""
    dice = random.Random(f"{seed}-{number}")
    arguments = {
        "order_id": f"A-{number // JOBS_IN_AN_ORDER}",
        "amount": dice.choice(AMOUNTS),
        "pool": f"pool-{number // JOBS_IN_A_POOL}",
        "job": number,
    }
    customer = f"c-{dice.randrange(CUSTOMERS)}"
    return Job(dice.choice((KEYED, FOUND, BLIND)), arguments, customer, f"talk-{number % 7}", f"job-{number}")


class Counter:
    """A number in a file that processes count on together; a lock of the system goes with who held it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def value(self) -> int:
        """Return how far it has come."""
        return int.from_bytes(os.pread(self._file, 8, 0), "big")

    def next(self) -> int:
        """Return the next number, which nobody else gets."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            number = self.value() + 1
            os.pwrite(self._file, number.to_bytes(8, "big"), 0)
            return number
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)


def choose(counter: Counter, dice: random.Random) -> int:
    """Return a new job's number or, now and then, a recent one that somebody else has sent or is sending."""
    newest = counter.value()
    if newest and dice.random() < 0.2:
        return dice.randint(max(1, newest - RECENT), newest)
    return counter.next()
