"""The action that the benchmarks run: decided for real under three limits, one lookup, one tool that does nothing.

Two audit entries and two durable commits an action. Five hundred customers take turns, so that what all callers meet in
is the agent's and the tenant's limit.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from datetime import timedelta
from typing import Any

from agentguard import Denied, Done, Guard, Idempotent, Money, policyfile
from agentguard.evidence.keys import Signer

CUSTOMERS = 512

POLICY = """
agentguard: 1
policy: refunds
version: 1
owner: refunds@acme.example
description: The refunds of the benchmark.
timezone: Europe/Berlin
currency: USD
actions:
  refund.issue:
    order_id: text
    amount: money
    reason: [damaged, late, other]
  refund.quote:
    amount: money
facts:
  order.total: money
rules:
  - {id: small, on: [refund.issue], then: allow, when: amount <= 100 and amount <= order.total}
  - {id: large, then: deny, when: amount > 500}
limits:
  - {id: customer-30-days, sum: amount, per: on_behalf_of, in: 30 days, max: 10000000, over: deny}
  - {id: agent-today, sum: amount, per: agent.id, in: calendar day, max: 10000000000, over: deny}
  - {id: this-month, count: actions, in: calendar month, max: 1000000000, over: deny}
"""


class Shop:
    """A guard in front of a refund that is a return statement, and a source of requests that are never the same.

    Args:
        url: The database.
        is_async: Whether lookup and tool are coroutine functions, as an event loop's are.
        signer: Seals the log beside the walks, if there is one.
    """

    def __init__(self, url: str, *, is_async: bool = False, signer: Signer | None = None) -> None:
        bundle = policyfile.bundle_of([policyfile.load_text(POLICY, "refunds.yaml")])
        self.guard = Guard(bundle, store=url, activate=True, signer=signer)
        register(self.guard, is_async=is_async)
        self.guard.start()
        self._name = f"{os.getpid()}-{id(self)}"
        self._numbers = itertools.count(os.getpid() * CUSTOMERS // 7)  # processes meet different customers at a time

    def meet(self, runner: asyncio.Runner) -> None:
        """Have every customer act once: the first time makes a key of their own, which is another file's commit."""

        async def everybody() -> None:
            for _ in range(0, CUSTOMERS, 64):
                await asyncio.gather(*(self.aact() for _ in range(64)))

        runner.run(everybody())

    def request(self) -> dict[str, Any]:
        """Return the next request, as `guard.run` takes it."""
        arguments = {"order_id": "A-17", "amount": "10.00", "reason": "late"}
        return {"action": "refund.issue", "arguments": arguments} | self._who()

    def large_request(self) -> dict[str, Any]:
        """Return the next request that is denied without a lookup."""
        return {"action": "refund.quote", "arguments": {"amount": "700.00"}} | self._who()

    def _who(self) -> dict[str, Any]:
        number = next(self._numbers)
        return {
            "agent": "support-bot",
            "on_behalf_of": f"cus_{number % CUSTOMERS}",
            "context": {"conversation": f"c-{number}"},
            "key": f"{self._name}-{number}",
        }

    def act(self) -> None:
        """Run one action to its end."""
        expect(self.guard.run(**self.request()), Done)

    async def aact(self) -> None:
        """Run one action to its end in an event loop."""
        expect(await self.guard.arun(**self.request()), Done)

    def refuse(self) -> None:
        """Have one action denied: a decision and its entry, and nothing held or run."""
        expect(self.guard.run(**self.large_request()), Denied)

    async def arefuse(self) -> None:
        """Have one action denied in an event loop."""
        expect(await self.guard.arun(**self.large_request()), Denied)


def register(guard: Guard, *, is_async: bool) -> None:
    """Give a guard the lookup and the tool of the benchmark."""

    def order(order_id: str) -> dict[str, Money]:  # noqa: ARG001 - its name is what the guard injects
        return {"total": Money.of("1000.00", "USD")}

    def refund(order_id: str, amount: Money, reason: str, *, key: str) -> dict[str, str]:  # noqa: ARG001
        return {"refund": key}

    async def aorder(order_id: str) -> dict[str, Money]:
        return order(order_id)

    async def arefund(order_id: str, amount: Money, reason: str, *, key: str) -> dict[str, str]:
        return refund(order_id, amount, reason, key=key)

    guard.action("refund.quote")(lambda amount: amount)
    guard.fact("order")(aorder if is_async else order)
    guard.action("refund.issue", effect=Idempotent(ttl=timedelta(hours=24)))(arefund if is_async else refund)


def expect(answer: Any, kind: type) -> None:
    """Refuse to time anything but what was meant to be timed."""
    if not isinstance(answer, kind):
        raise SystemExit(f"expected {kind.__name__}, got {answer} ({answer.reason_code})")
