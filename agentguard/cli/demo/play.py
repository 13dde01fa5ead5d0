"""Plays the scenes with the real `openai` client against the scripted model, and notes what happened line by line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from agentguard import Answer, Denied, Done, InDoubt, NotDone, Waiting
from agentguard.adapters.openai import OpenAITools
from agentguard.cli.demo.line import Line
from agentguard.cli.demo.shop import CODE, START, Shop
from agentguard.cli.demo.story import SCENES, Scene

AGENT = "support-bot"
APPROVER = "maria"
EARLIER_REFUNDS = (("C-30", 20), ("C-31", 12), ("C-32", 5))
"""Cleo's refunds before today: the order, and how many days ago."""


def script_name(talk: int) -> str:
    """Return the name of the model that plays one conversation, counted from 1."""
    return f"script-{talk}"


def play(shop: Shop, client: Any) -> Iterator[Line]:
    """Play everything and yield the lines as they happen."""
    _earlier_refunds(shop)
    for talk, scene in enumerate(SCENES, start=1):
        answers, words = _converse(shop, client, scene, talk)
        for number, (asks, answer) in enumerate(zip(scene.asks, answers, strict=True), start=1):
            name = scene.name if number == 1 else ""
            yield _line(name, asks, answer, words if number == len(answers) else "")
        if scene.later == "approve":
            yield _approved(shop, answers[-1])
        if scene.later == "recover":
            yield from _recovered(shop)


def _earlier_refunds(shop: Shop) -> None:
    for order, days in EARLIER_REFUNDS:
        shop.clock.set(START - timedelta(days=days))
        conversation = {"conversation": f"c-{order}"}
        who: dict[str, Any] = {"agent": AGENT, "on_behalf_of": "cus_cleo", "context": conversation}
        shop.guard.run("identity.verify", {"method": "email_code", "code": CODE}, **who)
        shop.guard.run("refund.issue", {"order_id": order, "amount": "30.00", "reason": "late"}, **who)
    shop.clock.set(START)


def _converse(shop: Shop, client: Any, scene: Scene, talk: int) -> tuple[list[Answer], str]:
    """Let the model serve one customer; returns what the guard answered beside identity, and the model's last words.

    Conversations and scripts have numbers: names of customers would stand in the record in the clear.
    """
    tools = OpenAITools(
        shop.guard,
        agent=AGENT,
        on_behalf_of=scene.customer,
        context={"conversation": f"c-{talk}", **scene.context},
    )
    run = tools.run(client, script_name(talk), [{"role": "user", "content": scene.message}])
    shop.clock.advance(timedelta(minutes=3))
    return [answer for answer in run.answers if answer.action != "identity.verify"], run.text


def _approved(shop: Shop, waiting: Answer) -> Line:
    if not isinstance(waiting, Waiting):
        raise TypeError(f"expected an action that waits, got {waiting}")
    ballot = shop.guard.escalations.approve(
        waiting.escalation.id,
        by=APPROVER,
        authenticated="os_login",
        reason_code="photo_seen",
        note="Seen on the photo.",
    )
    shop.clock.advance(timedelta(minutes=20))
    answer = shop.guard.execute(ballot.action_id)
    hears = "Good news: a colleague agreed, and your 180.00 USD are on their way."
    return _line("", "Maria Alvarez, support lead, approves", answer, hears, first="approved")


def _recovered(shop: Shop) -> Iterator[Line]:
    shop.clock.advance(timedelta(minutes=10))
    for answer in shop.guard.recover():
        asks = "ten minutes later the provider is asked: it had paid"
        yield _line("", asks, answer, "Your 35.00 USD arrived after all.", first="found")


def _line(name: str, asks: str, answer: Answer, hears: str, *, first: str = "allowed") -> Line:
    match answer:
        case Done():
            decision, tone = f"{first}, done", "good"
        case Denied():
            decision, tone = "denied", "stopped"
        case Waiting():
            decision, tone = "escalated, waits", "open"
        case InDoubt():
            decision, tone = f"{first}, in doubt", "open"
        case NotDone():
            decision, tone = f"{first}, not done", "stopped"
        case _:
            decision, tone = str(answer.status), "stopped"
    return Line(name, asks, decision, tone, _rule(answer), hears)


def _rule(answer: Answer) -> str:
    if not answer.reasons:
        return ""
    reason = answer.reasons[0]
    if reason.code == "arguments_invalid":
        return "no such argument"
    return reason.source
