"""Runs in a process of its own, in a folder that is a whole small disk: fills it, asks, and frees it again.

What is asserted here and does not hold ends the process with a traceback, which the test shows.
"""

import contextlib
import os
import sys
from datetime import timedelta
from pathlib import Path

from agentguard import Done, InDoubt, Money, Unavailable
from agentguard.engine.parts import Waits
from agentguard.errors import StoreUnavailableError
from agentguard.store import Vault
from agentguard.testing.postgres_server import PostgresServer
from tests.engine.given import ManualClock, shop
from tests.faults.conftest import agentguard, assert_said_to_a_person

ONE_DAY = timedelta(days=1)


def fill(disk):
    """Leave no byte free."""
    with (disk / "filler").open("ab", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def free(disk):
    (disk / "filler").unlink(missing_ok=True)


def settled(made):
    return {
        record.id for record in made.guard.store.read(lambda reading: reading.actions()) if record.state == "settled"
    }


def until(made, kind, name, clock, before=None):
    """Ask under new keys until an answer of this kind comes; what has room in the files still may be done."""
    for number in range(200):
        clock.advance(ONE_DAY)
        if before is not None:
            before()
        answer = made.ask("1.00", key=f"{name}-{number}", order_id=f"{name}-{number}")
        if isinstance(answer, kind):
            return answer
        assert isinstance(answer, Done), answer
    raise AssertionError(f"the disk was full, and nothing was {kind.__name__}")


def main(engine, disk):
    with contextlib.ExitStack() as opened:
        if engine == "sqlite":
            address = f"sqlite:///{disk / 'shop.db'}"
        else:
            address = opened.enter_context(PostgresServer.start(disk / "server")).url
        clock = ManualClock()
        vault = Vault.open(disk / "keys", os.urandom)
        made = shop(address, clock=clock, vault=vault, waits=Waits(outcome=timedelta(0)))
        opened.callback(made.guard.close)
        made.orders["A-77"] = {"customer_id": "c-never-seen", "total": Money.of("100", "USD")}
        assert isinstance(made.ask("1.00", key="before"), Done)
        fill(disk)
        nothing_runs(made, disk, clock)
        free(disk)
        again = made.ask("1.00", key="stranger", order_id="A-77", who="c-never-seen")
        assert isinstance(again, Done), again
        a_doubt_keeps_its_hold(made, disk, clock)
        assert {key for _, _, key in made.paid} == settled(made)
        checked = made.guard.audit.verify()
        assert checked.ok, checked.findings


def nothing_runs(made, disk, clock):
    answer = until(made, Unavailable, "during", clock)
    assert (answer.cause, answer.executed) == ("store", False)
    assert {key for _, _, key in made.paid} == settled(made), "what was paid is recorded, and the other way round"
    stranger = made.ask("1.00", key="stranger", order_id="A-77", who="c-never-seen")
    assert isinstance(stranger, Unavailable), stranger
    try:
        while True:
            made.guard.halt("agent:nobody", by="maria", why="a test" * 300)
    except StoreUnavailableError as error:
        print(error)
    if made.guard.store.url.startswith("sqlite"):
        ended = agentguard("halt", "--store", made.guard.store.url, "--why", "a test")
        assert_said_to_a_person(ended, "is full", "free some space")


def a_doubt_keeps_its_hold(made, disk, clock):
    def act(order_id, amount, key):
        made.pay(order_id, amount, key)
        fill(disk)
        return {"refund": key}

    made.acts = act
    doubt = until(made, InDoubt, "doubt", clock, before=lambda: free(disk))
    assert doubt.error == "store_unavailable"
    free(disk)
    made.acts = None
    clock.advance(ONE_DAY)
    made.guard.recover()
    assert made.state(doubt) == "in_doubt", "nobody knows, and the hold stays"
    made.guard.resolve(doubt.decision_id, done=True, by="maria", why="the provider's books")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
