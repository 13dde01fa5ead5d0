"""Decisions of small policies written as text, for examples: what is asked, what is known, what is used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agentguard.core.decide import decide
from agentguard.core.decision import Decision
from agentguard.core.language import conform
from agentguard.core.money import Money
from agentguard.core.plan import Plan, plan_action
from agentguard.core.request import Actor, Evidence, Fact, FactStatus, Request, Usage, Vote
from agentguard.policyfile import bundle_of, load_text

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
HEAD = """
agentguard: 1
policy: {name}
version: 1
owner: tests@acme.example
description: An example.
timezone: Europe/Berlin
"""
FAILED = Fact(FactStatus.FAILED)
ABSENT = Fact(FactStatus.ABSENT)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def policy(body: str, name: str = "shop") -> str:
    """A whole file: the head, US dollars unless the body says otherwise, and the body."""
    currency = "" if "currency:" in body else "currency: USD\n"
    return HEAD.format(name=name) + currency + body


def planned(*texts: str, action: str = "refund.issue") -> Plan:
    loaded = bundle_of([load_text(text, f"{number}.yaml") for number, text in enumerate(texts)])
    return plan_action(loaded, action)


def request(plan: Plan, *, context: Mapping[str, Any] | None = None, **arguments: Any) -> Request:
    values = {f"context.{name}": value for name, value in (context or {}).items()}
    return Request("default", Actor("bot", "1"), "cus_1", plan.action, arguments, values, "k", NOW)


def evidence(
    plan: Plan,
    facts: Mapping[str, Any] | None = None,
    *,
    used: Mapping[str, tuple[int, int]] | None = None,
    happened: Mapping[str, int | None] | None = None,
    votes: tuple[Vote, ...] = (),
    now: datetime = NOW,
) -> Evidence:
    known = {
        name: value
        if isinstance(value, Fact)
        else Fact(FactStatus.VALUE, conform(plan.facts[name].type, value), "shop", NOW)
        for name, value in (facts or {}).items()
    }
    usage = {limit: Usage(held, settled) for limit, (held, settled) in (used or {}).items()}
    return Evidence(known, usage, dict(happened or {}), now, votes)


def decided(plan: Plan, facts: Mapping[str, Any] | None = None, **more: Any) -> Decision:
    """Decide; `amount=` and the like are arguments, `used=`, `votes=`, `now=` evidence, `context=` context."""
    taken = {name: more.pop(name) for name in ("used", "happened", "votes", "now") if name in more}
    return decide(plan, request(plan, **more), evidence(plan, facts, **taken))


def codes(decision: Decision) -> list[str]:
    return [f"{reason.code} {reason.source}" for reason in decision.reasons]
