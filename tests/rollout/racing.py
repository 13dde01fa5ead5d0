"""Vouchers that many customers want at once while people begin, widen, abort and promote a canary."""

import os
import signal

from agentguard import Done, Guard
from agentguard.engine.canary import Canaries
from agentguard.store import Transaction
from tests.engine.given import bundle

FIRST = """
agentguard: 1
policy: vouchers
version: 1
owner: vouchers@acme.example
description: Vouchers that are given away while there are some.
timezone: UTC
currency: USD
actions:
  voucher.issue: {order_id: text, value: money}
rules:
  - {id: fine, then: allow, when: yes}
limits:
  - {id: all-of-them, sum: value, in: forever, max: 40, over: deny}
"""
SECOND = (
    FIRST.replace("version: 1", "version: 2") + "  - {id: number, count: actions, in: forever, max: 1000, over: deny}\n"
)
BUDGET = 40
PERSON = {"by": "ada", "why": "tried out"}


def vouchers(url, text=FIRST, **options):
    """Open a guard of the vouchers; its tool does nothing but be called."""
    guard = Guard(bundle(text), store=url, **{"activate": True, **options})

    @guard.action("voucher.issue")
    def issue(order_id: str, value, *, key: str) -> dict:
        return {"voucher": key}

    guard.start()
    return guard


def want(guard, number, *, conversation="c"):
    """Ask for one voucher as one of fifty customers; returns whether it was given."""
    answer = guard.run(
        "voucher.issue",
        {"order_id": f"o-{conversation}-{number}", "value": "1.00"},
        agent="bot",
        on_behalf_of=f"c-{number % 50}",
        context={"conversation": conversation},
        key=f"k-{conversation}-{number}",
    )
    return isinstance(answer, Done)


def trial_of(guard):
    """Return what a guard that loaded the second version does with it."""
    return Canaries(guard._parts, bundle(SECOND), "default")


def many(url, conversation):
    """Do in a process of its own what another one does at the same time."""
    guard = vouchers(url, activate=False)
    for number in range(BUDGET):
        want(guard, number, conversation=conversation)
    guard.close()


def die_in_the_midst(url, step):
    """Change the canary, and be killed after everything was written and before it is committed."""
    guard = vouchers(url, activate=False)
    append = Transaction.append

    def killed(transaction, body):
        """Write the entry, and be killed if it is the one that says so."""
        written = append(transaction, body)
        if body["kind"] == "activated":
            os.kill(os.getpid(), signal.SIGKILL)
        return written

    Transaction.append = killed
    trial = trial_of(guard)
    {"begin": lambda: trial.begin("50%", **PERSON), "promote": lambda: trial.promote(**PERSON)}[step]()
