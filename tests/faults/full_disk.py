"""Runs in a process of its own, in a folder that is a whole small disk: fills it, asks, and frees it again.

What is asserted here and does not hold ends the process with a traceback, which the test shows.
"""

import sys
from datetime import timedelta
from pathlib import Path

from agentguard import Done, InDoubt, Money, Unavailable
from agentguard.errors import StoreUnavailableError
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
    (disk / "filler").unlink()


def settled(made):
    return {
        record.id for record in made.guard.store.read(lambda reading: reading.actions()) if record.state == "settled"
    }


def until(made, kind, name, clock, **more):
    """Ask under new keys until an answer of this kind comes; what has room in the files still may be done."""
    for number in range(200):
        clock.advance(ONE_DAY)
        answer = made.ask("1.00", key=f"{name}-{number}", order_id=f"{name}-{number}", **more)
        if isinstance(answer, kind):
            return answer
        assert isinstance(answer, Done), answer
    raise AssertionError(f"the disk was full, and nothing was {kind.__name__}")


def main(disk):
    clock = ManualClock()
    made = shop(f"sqlite:///{disk / 'shop.db'}", clock=clock)
    made.orders["A-77"] = {"customer_id": "c-never-seen", "total": Money.of("100", "USD")}
    assert isinstance(made.ask("1.00", key="before"), Done)

    fill(disk)
    answer = until(made, Unavailable, "during", clock)
    assert (answer.cause, answer.executed) == ("store", False)
    assert {key for _, _, key in made.paid} == settled(made), "what was paid is recorded, and the other way round"
    try:
        made.guard.halt("all", by="maria", why="a test")
    except StoreUnavailableError as error:
        print(error)
    else:
        raise AssertionError("the stop was pressed on a full disk")
    stranger = made.ask("1.00", key="stranger", order_id="A-77", who="c-never-seen")
    assert isinstance(stranger, Unavailable), stranger
    assert_said_to_a_person(
        agentguard("halt", "--store", f"sqlite:///{disk / 'shop.db'}", "--why", "a test"), "is full", "free some space"
    )

    free(disk)
    assert isinstance(made.ask("1.00", key="during-again"), Done)
    assert isinstance(made.ask("1.00", key="stranger", order_id="A-77", who="c-never-seen"), Done)

    def act(order_id, amount, key):
        made.pay(order_id, amount, key)
        fill(disk)
        return {"refund": key}

    made.acts = act
    doubt = until(made, InDoubt, "doubt", clock)
    assert doubt.error == "store_unavailable"
    free(disk)
    made.acts = None
    clock.advance(ONE_DAY)
    made.guard.recover()
    assert made.state(doubt) == "in_doubt", "nobody knows, and the hold stays"
    made.guard.resolve(doubt.decision_id, done=True, by="maria", why="the provider's books")
    assert {key for _, _, key in made.paid} == settled(made)
    checked = made.guard.audit.verify()
    assert checked.ok, checked.findings
    made.guard.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
