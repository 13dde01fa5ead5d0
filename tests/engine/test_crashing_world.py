"""A world that crashes at every step there is: whatever was lost, the laws hold after recovery.

A walk is a generator, so a crash is a walk that nobody drives any further; the store is all that is left of it.
"""

import random
from datetime import timedelta
from itertools import pairwise

import pytest

from agentguard import Idempotent, NotDoneError, Queryable, Read, Unprotected, Waits
from agentguard.core.lifecycle import State, may_move
from agentguard.core.request import Actor
from agentguard.engine.asking import Proposal
from agentguard.engine.drive import _perform
from agentguard.engine.walk import walk

SEEDS = 60
CALLS = 8


class Crash(Exception):
    """The process is gone."""


def crash_at(shop, proposal, steps):
    """Drive a walk for so many steps, then lose it; a crash may also come right after a step's work was done."""
    going = walk(shop.guard._parts, proposal)
    given = None
    try:
        for _ in range(steps):
            given = _perform(shop.guard._parts, going.send(given))
    except StopIteration as end:
        return end.value
    return None


def proposal(number, amount, order):
    arguments = {"order_id": f"A-{order}", "amount": amount, "reason": "late"}
    return Proposal("refund.issue", arguments, Actor("bot"), "c-1", {"conversation": "talk"}, f"k-{number}", "default")


def effect_of(kind, shop):
    def look_up(key):
        return next(({"refund": "r"} for _, _, paid in shop[0].paid if paid == key), None)

    return {
        "read": Read(),
        "idempotent": Idempotent(timedelta(days=1)),
        "queryable": Queryable(look_up, timedelta(minutes=1)),
        "unprotected": Unprotected(),
    }[kind]


@pytest.mark.law(2, 3, 4, 5, 6)
@pytest.mark.parametrize("kind", ["idempotent", "queryable", "unprotected"])
def test_whatever_crashes_the_laws_hold_after_recovery(open_shop, tmp_path, kind):
    for seed in range(SEEDS // 3):
        dice = random.Random(f"{kind}-{seed}")
        holder = []
        shop = open_shop(
            store=f"sqlite:///{tmp_path / f'{seed}.db'}",
            effect=effect_of(kind, holder),
            waits=Waits(lookups=None, recovery=None, rounds=None),
            timeout=None,
        )
        holder.append(shop)
        shop.acts = receiver(shop, dice)
        shop.guard.start()
        asked = [proposal(n, dice.choice(["10", "25", "50"]), dice.randint(1, 2)) for n in range(CALLS)]
        for one in asked:
            crash_at(shop, one, dice.randint(1, 7))
            if dice.random() < 0.3:
                shop.clock.advance(timedelta(hours=2))
                shop.guard.recover()
            assert_laws(shop, kind)
        shop.clock.advance(timedelta(hours=2))
        shop.guard.recover()
        shop.guard.recover()
        assert_laws(shop, kind, recovered=True)
        assert shop.guard.audit.verify().ok


def receiver(shop, dice):
    """The other system: knows keys, and sometimes refuses, fails before, or fails after the deed."""

    def act(order_id, amount, key):
        chance = dice.random()
        if chance < 0.1:
            raise NotDoneError
        if chance < 0.2:
            raise ConnectionError
        if key not in [paid for _, _, paid in shop.paid]:
            shop.pay(order_id, amount, key)
        if chance < 0.3:
            raise TimeoutError
        return {"refund": key}

    return act


def assert_laws(shop, kind, *, recovered=False):
    store = shop.guard.store
    records = store.read(lambda r: r.actions())
    paid = {key: amount.minor for _, amount, key in shop.paid}
    assert len(paid) == len(shop.paid), "one key, at most one effect"
    assert set(paid) <= {record.id for record in records}, "no effect without a committed entry"
    held = settled = 0
    for record in records:
        history = [e.document["state"] for e in shop.guard.audit.of(record.id) if "state" in e.document]
        assert all(may_move(State(a), State(b)) for a, b in pairwise(history) if a != b), history
        holds = {hold.state: hold.amount for hold in store.read(lambda r, i=record.id: r.holds(i))}
        if record.state is State.SETTLED:
            settled += paid[record.id]
        elif record.state in (State.EXECUTING, State.IN_DOUBT):
            held += holds["open"]
        else:
            assert "open" not in holds
            assert record.id not in paid, "what was released or denied did not happen"
    total = max((sum(usage) for usage in usages(shop)), default=0)
    assert total == held + settled <= 30_000, "held and settled never pass the limit"
    if recovered:
        in_doubt = [record.id for record in records if record.state is State.IN_DOUBT]
        assert all(record.state is not State.EXECUTING for record in records)
        assert kind != "queryable" or not in_doubt, "who can be asked leaves no doubt"


def usages(shop):
    """What the customer's account says: the one that every action holds on."""
    found = {}
    for record in shop.guard.store.read(lambda r: r.actions()):
        for hold in shop.guard.store.read(lambda r, i=record.id: r.holds(i)):
            account = shop.guard.store.read(lambda r, h=hold: r.account(h.account))
            found[hold.account] = (account.held, account.settled)
    return found.values()
