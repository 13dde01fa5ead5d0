"""Stores, actions and entries that the tests of this folder begin with."""

import os
import threading
from datetime import UTC, datetime, timedelta

from agentguard.core.canary import InForce
from agentguard.core.digest import digest
from agentguard.core.lifecycle import State
from agentguard.core.request import Vote
from agentguard.store.records import ActionRecord, EscalationRecord

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class HandClock:
    """A clock that stands still until a test moves it, back as well."""

    def __init__(self, now=START):
        self.now = now

    def __call__(self):
        return self.now

    def advance(self, **by):
        self.now += timedelta(**by)


def action(name="a1", **changes):
    values = {
        "id": name,
        "tenant": "acme",
        "agent": "support-bot",
        "conversation": "c-91",
        "key": f"key-{name}",
        "action": "refund.issue",
        "request_digest": "d" * 64,
        "request": "{}",
        "arguments": '{"amount":"40.00 USD"}',
        "on_behalf_of": "p_1",
        "asked_at": START,
        "state": State.EXECUTING,
    }
    return ActionRecord(**{**values, **changes})


def body(name="a1", state="executing", fence=0, **more):
    kind = more.pop("kind", "decided")
    return {"tenant": "acme", "kind": kind, "action_id": name, "state": state, "fence": fence, **more}


def begin(store, name, holds=(), **changes):
    """Open an action that executes, with holds of (account, amount) and its entry."""

    def work(transaction):
        record = action(name, **changes)
        transaction.open_action(record)
        for account, amount in holds:
            transaction.hold(name, account, "USD", amount)
        return transaction.append(body(name, record.state.value, record.fence))

    return store.transact(work)


def settle(store, name, amounts=None, values=None):
    def work(transaction):
        transaction.move(name, State.EXECUTING, 0, State.SETTLED)
        transaction.settle(name, amounts)
        entry = transaction.append(body(name, "settled", kind="settled"))
        if values is not None:
            transaction.remember_values(name, "acme", "refund.issue", values, entry.pos)
        return entry

    return store.transact(work)


def release(store, name):
    def work(transaction):
        transaction.move(name, State.EXECUTING, 0, State.RELEASED)
        transaction.release(name)
        return transaction.append(body(name, "released", kind="released"))

    return store.transact(work)


def usage(store, account, start=None, inclusive=True, exclude=None):
    found = store.read(lambda r: r.usage(account, start, inclusive=inclusive, exclude_action=exclude))
    return found.held, found.settled


def race(store, account, limit, amount, threads, tries):
    """Let threads hold on one account as long as it fits, as a decision does."""
    fitted, broken = [], []

    def work(name):
        def transaction_work(transaction):
            found = transaction.usage(account, None, inclusive=True)
            if found.used + amount > limit:
                return False
            transaction.open_action(action(name))
            transaction.hold(name, account, "USD", amount)
            transaction.append(body(name))
            return True

        return transaction_work

    def run(thread):
        try:
            fitted.extend(store.transact(work(f"{os.getpid()}-{thread}-{number}")) for number in range(tries))
        except Exception as error:
            broken.append(error)

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert not broken
    return sum(fitted)


def write_history(store):
    """Write a row into every table that only grows."""
    begin(store, "a1", [("customer", 4000)])
    settle(store, "a1", values={"on_behalf_of": "v1"})

    def more(transaction):
        text = "policy: refunds"
        transaction.store_policy(digest(text.encode()), "refunds", 1, text)
        transaction.store_bundle("b1", [digest(text.encode())])
        transaction.activate(InForce("b1"), "ann", "first")
        transaction.open_escalation(
            EscalationRecord("e1", "acme", "a1", "[]", "d", ("rule_matched:refunds/big:",), "{}", START, None)
        )
        transaction.vote(Vote("e1", "ann", True, frozenset(), "os_login", "d", frozenset({"r"}), START))
        transaction.store_sealed(b"0" * 80)
        transaction.store_result("a1", b"0" * 80)
        transaction.append(body("a1", "settled", kind="noted"))

    store.transact(more)
