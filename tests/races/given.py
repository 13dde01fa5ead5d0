"""A budget of a hundred that many want at once: a guard in front of it, and books that count what was really done."""

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from agentguard import Guard, Idempotent, policyfile

BUDGET = 100
CALLERS = 64
TRIES = 2

POLICY = """
agentguard: 1
policy: vouchers
version: 1
owner: vouchers@acme.example
description: Vouchers that are given away while there are some.
timezone: UTC
currency: USD
actions:
  voucher.issue: {order_id: text, value: money}
facts:
  order.open: yes_no
rules:
  - {id: open-order, then: allow, when: order.open}
limits:
  - {id: all-of-them, sum: value, in: forever, max: 100, over: deny}
"""


class Vouchers:
    """A guard on a database, and the books of what its tool did; each tenant has a budget of its own."""

    def __init__(self, url, *, is_async=False, **options):
        bundle = policyfile.bundle_of([policyfile.load_text(POLICY, "vouchers.yaml")])
        self.guard = Guard(bundle, store=url, activate=True, **options)
        self.issued = []
        self.meanwhile = lambda: None
        self._lock = threading.Lock()

        def order(order_id):
            return {"open": True}

        def issue(order_id, value, *, key):
            self.meanwhile()
            with self._lock:
                self.issued.append(order_id)
            return {"voucher": key}

        async def aorder(order_id):
            return order(order_id)

        async def aissue(order_id, value, *, key):
            return issue(order_id, value, key=key)

        self.guard.fact("order")(aorder if is_async else order)
        self.guard.action("voucher.issue", effect=Idempotent(ttl=timedelta(hours=24)))(aissue if is_async else issue)
        self.guard.start()

    def request(self, tenant, number):
        return {
            "action": "voucher.issue",
            "arguments": {"order_id": f"{tenant}-{number}", "value": "1.00"},
            "agent": "bot",
            "key": f"k-{number}",
            "context": {"conversation": "c"},
            "tenant": tenant,
        }

    def try_it(self, tenant, number):
        return self.guard.run(**self.request(tenant, number))

    async def atry_it(self, tenant, number):
        return await self.guard.arun(**self.request(tenant, number))


def race_of_threads(pool, *voucherss, tenant):
    """Let 64 threads begin together and try twice each; returns all answers."""
    together = threading.Barrier(CALLERS)

    def work(caller):
        vouchers = voucherss[caller % len(voucherss)]
        together.wait(30)
        return [vouchers.try_it(tenant, caller * TRIES + number) for number in range(TRIES)]

    return [answer for answers in pool.map(work, range(CALLERS)) for answer in answers]


async def race_of_tasks(vouchers, tenant):
    """Let 64 tasks begin together and try twice each; returns all answers."""

    async def work(caller):
        return [await vouchers.atry_it(tenant, caller * TRIES + number) for number in range(TRIES)]

    found = await asyncio.gather(*(work(caller) for caller in range(CALLERS)))
    return [answer for answers in found for answer in answers]


def pool_of_threads():
    return ThreadPoolExecutor(CALLERS)


def counted(answers):
    """How often each kind of answer was given."""
    return dict(Counter(type(answer).__name__ for answer in answers))


GRANTED = {"Done": BUDGET, "Denied": CALLERS * TRIES - BUDGET}
