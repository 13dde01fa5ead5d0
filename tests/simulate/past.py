"""A shop with a past: refunds small and large, refused, approved, failed, taken elsewhere, and settled otherwise."""

import random
from datetime import timedelta

from agentguard import Idempotent, Money, NotDoneError
from tests.engine.given import REFUNDS, bundle, shop

REQUIRES = """
requires:
  - {id: known, on: [refund.issue], action: identity.verify, same: [on_behalf_of], within: 2 days, else: deny}
"""
COUNTED = "\n  - {id: a-day, on: [refund.issue], count: actions, in: calendar day, max: 40, over: deny}"
TEXT = REFUNDS.rstrip() + COUNTED + REQUIRES


def changed(*edits, version=2, text=TEXT):
    """Return the shop's policies with some of their text changed, as another version."""
    for old, new in (("version: 1", f"version: {version}"), *edits):
        assert old in text, old
        text = text.replace(old, new)
    return bundle(text)


def busy_shop(address):
    """Open the shop; its tool fails now and then, and sometimes pays less than was asked for."""
    dice = random.Random("shop")

    def act(order_id, amount, key):
        draw = dice.random()
        if draw < 0.05:
            raise NotDoneError("no")
        paid = Money(amount.minor - 100, "USD") if draw < 0.15 else amount
        made.paid.append((order_id, paid, key))
        return {"refund": key, "minor": str(paid.minor)}

    made = shop(
        address,
        text=TEXT,
        effect=Idempotent(timedelta(hours=24)),
        settles=lambda receipt: {"amount": Money(int(receipt["minor"]), "USD")},
    )
    made.acts = act
    for number in range(40):
        total = Money.of(str(100 + 10 * number), "USD")
        made.orders[f"A-{number}"] = {"customer_id": f"c-{number % 12}", "total": total}
    return made


def live(made, actions, seed=1):
    """Let the shop act so many times, minutes apart."""
    dice = random.Random(f"live-{seed}")
    for number in range(actions):
        made.clock.advance(timedelta(minutes=dice.choice((1, 7, 60, 300))))
        order = dice.randrange(40)
        who = order % 12 if dice.random() < 0.95 else (order + 1) % 12
        key = f"{seed}-{number}"
        draw = dice.random()
        if draw < 0.2:
            about = {"agent": "bot", "on_behalf_of": f"c-{who}", "context": {"conversation": key}, "key": key}
            made.guard.run("identity.verify", {"document": dice.choice(("passport", "card"))}, **about)
        elif draw < 0.25:
            made.guard.record(
                "refund.issue", {"order_id": f"A-{order}", "amount": "3.00", "reason": "other"}, by="maria",
                source="desk", key=key, happened_at=made.clock() - timedelta(hours=3), on_behalf_of=f"c-{who}",
            )  # fmt: skip
        else:
            amount = dice.choice(("5.00", "20.00", "40.00", "50.00", "51.00", "120.00", "600.00"))
            answer = made.ask(amount, key=key, order_id=f"A-{order}", who=f"c-{who}", context={"conversation": key})
            decide(made, dice, answer, key)


def decide(made, dice, answer, key):
    """Let people answer what waits, some of it later."""
    if answer.status != "waiting" or dice.random() < 0.3:
        return
    seen = made.clock()
    made.clock.advance(timedelta(minutes=3))
    vote = made.guard.escalations.approve if dice.random() < 0.7 else made.guard.escalations.reject
    word = "goodwill" if vote == made.guard.escalations.approve else "not_entitled"
    waits = answer.escalation
    for by in ("maria",) if "lead" in str(waits) else ("ada", "kim"):
        ballot = vote(waits.id, by=by, reason_code=word, viewed_at=seen)
        if word != "goodwill":
            break
    if word == "goodwill" and not getattr(ballot, "missing", 0):
        made.guard.execute(answer.decision_id)
