"""A process that runs one refund and is killed where it is told: before its effect, after it, or after the record."""

import os
import signal
from datetime import timedelta
from pathlib import Path

from agentguard import Idempotent, Queryable, Read, Unprotected
from agentguard.testing.clock import START, ManualClock
from tests.engine.given import shop

EFFECTS = {
    "unprotected": Unprotected(),
    "read": Read(),
    "idempotent": Idempotent(ttl=timedelta(hours=1)),
    "queryable": Queryable(lookup=lambda key: None, settle_lag=timedelta(minutes=5)),
}


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def main(address, books, effect, moment, mode="enforce"):
    reference = lambda _: die() if moment == "before_record" else "r"  # noqa: E731 - dies in the midst of it
    made = shop(address, effect=EFFECTS[effect], reference=reference, observe=mode == "observe")

    def act(order_id, amount, key):
        if moment == "before_effect":
            die()
        with Path(books).open("a") as file:
            file.write(f"{key} {amount}\n")
        if moment == "after_effect":
            die()
        return {"refund": key}

    made.acts = act
    made.ask("40.00")
    if moment == "after_record":
        die()


def recover(address, books, barrier):
    """Recover everything ten minutes later, at the same time as others do."""
    made = shop(address, effect=EFFECTS["idempotent"], clock=ManualClock(START + timedelta(minutes=10)))

    def act(order_id, amount, key):
        with Path(books).open("a") as file:
            file.write(f"{key} {amount}\n")
        return {"refund": key}

    made.acts = act
    barrier.wait(30)
    made.guard.recover()
