"""Every kind of window through the whole walk, at its edges, counted from the guard's own record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agentguard import Denied, Done, Guard, Money
from agentguard.testing.clock import ManualClock
from tests.engine.given import PEOPLE, bundle

POLICY = """
agentguard: 1
policy: spending
version: 1
owner: tests@acme.example
description: One limit.
timezone: Europe/Berlin
currency: {currency}
actions:
  card.charge: {{shop_id: text, amount: money}}
  fee.waive: {{shop_id: text}}
facts:
  shop.fee: money
  shop.budget: money
  shop.tier: [small, large]
context: {{conversation: text}}
rules: [{{id: fine, then: allow, when: yes}}]
limits:
  - {limit}
"""


def spending(address, limit, start, *, currency="USD"):
    """Return a clock and a function that charges and says whether it ran."""
    clock = ManualClock(start)
    text = POLICY.format(limit=limit, currency=currency)
    guard = Guard(bundle(text), store=address, people=PEOPLE, clock=clock, activate=True)
    count = iter(range(10_000))

    @guard.fact("shop")
    def shop(shop_id):
        return {"fee": Money.of("5.00", "USD"), "budget": Money.of(f"{len(shop_id)}0.00", "USD"), "tier": "small"}

    @guard.action("card.charge")
    def charge(shop_id: str, amount: Money) -> str:
        return "charged"

    @guard.action("fee.waive")
    def waive(shop_id: str) -> str:
        return "waived"

    def ran(amount="10.00", *, action="card.charge", who="c-1", shop="A", conversation="talk", agent="bot"):
        arguments = {"shop_id": shop, "amount": amount} if action == "card.charge" else {"shop_id": shop}
        answer = guard.run(
            action,
            arguments,
            agent=agent,
            on_behalf_of=who,
            context={"conversation": conversation},
            key=f"k-{next(count)}",
        )
        assert isinstance(answer, Done | Denied), answer
        return isinstance(answer, Done)

    return clock, ran


NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    "window,size",
    [("30 minutes", timedelta(minutes=30)), ("24 hours", timedelta(hours=24)), ("30 days", timedelta(days=30))],
)
def test_what_slides_out_of_a_window_counts_until_the_very_end_of_it(address, window, size):
    limit = f"{{id: one, on: [card.charge], sum: amount, per: on_behalf_of, in: {window}, max: 10, over: deny}}"
    clock, ran = spending(address, limit, NOON)
    assert ran()
    clock.set(NOON + size - MICROSECOND)
    assert not ran("0.01")
    clock.set(NOON + size)  # the window is (now - size, now]: the first charge is just outside
    assert ran()
    assert not ran("0.01")


@pytest.mark.parametrize(
    "unit,last,first",
    [
        # the day the clocks go back has 25 hours, the day they go forward 23
        ("day", "2026-10-25T22:59:59.999999Z", "2026-10-25T23:00:00Z"),
        ("day", "2026-03-29T21:59:59.999999Z", "2026-03-29T22:00:00Z"),
        ("week", "2026-11-22T22:59:59.999999Z", "2026-11-22T23:00:00Z"),
        ("month", "2026-10-31T22:59:59.999999Z", "2026-10-31T23:00:00Z"),
        ("month", "2026-03-31T21:59:59.999999Z", "2026-03-31T22:00:00Z"),
        ("year", "2026-12-31T22:59:59.999999Z", "2026-12-31T23:00:00Z"),
    ],
)
def test_a_calendar_window_begins_anew_at_local_midnight_and_not_a_microsecond_earlier(address, unit, last, first):
    limit = f"{{id: one, on: [card.charge], sum: amount, in: calendar {unit}, max: 10, over: deny}}"
    end = datetime.fromisoformat(last)
    clock, ran = spending(address, limit, end - timedelta(hours=20))
    assert ran()
    clock.set(end)
    assert not ran("0.01")
    clock.set(datetime.fromisoformat(first))
    assert ran()
    assert not ran("0.01")


def test_a_day_of_25_hours_counts_all_of_them(address):
    limit = "{id: one, on: [card.charge], count: actions, in: calendar day, max: 1, over: deny}"
    clock, ran = spending(address, limit, datetime(2026, 10, 24, 22, 0, tzinfo=UTC))  # local midnight
    assert ran()
    clock.advance(timedelta(hours=24, minutes=59))
    assert not ran()
    clock.advance(timedelta(minutes=1))
    assert ran()


def test_for_ever_is_for_ever_and_a_conversation_ends_with_the_conversation(address):
    limit = "{id: one, on: [card.charge], sum: amount, in: conversation, max: 10, over: deny}"
    clock, ran = spending(address, limit, NOON)
    assert ran(conversation="one")
    clock.advance(timedelta(days=1000))
    assert not ran("0.01", conversation="one")
    assert ran(conversation="two")


def test_a_limit_for_ever_never_forgets(address):
    limit = "{id: one, on: [card.charge], sum: amount, per: shop_id, in: forever, max: shop.budget, over: deny}"
    clock, ran = spending(address, limit, NOON)
    assert ran("10.00")
    clock.advance(timedelta(days=3650))
    assert not ran("0.01")
    assert ran("20.00", shop="AB")  # another key, and its max is a fact of its own
    assert not ran("0.01", shop="AB")


def test_several_keys_together_make_one_account(address):
    limit = "{id: one, on: [card.charge], sum: amount, per: [on_behalf_of, shop_id], in: 1 days, max: 10, over: deny}"
    _, ran = spending(address, limit, NOON)
    assert ran()
    assert not ran("0.01")
    assert ran(shop="B")
    assert ran(who="c-2")
    assert not ran("0.01", shop="B")


def test_a_limit_per_agent_counts_each_agent_apart(address):
    limit = "{id: one, on: [card.charge], sum: amount, per: agent.id, in: 1 days, max: 10, over: deny}"
    _, ran = spending(address, limit, NOON)
    assert ran()
    assert not ran("0.01", who="c-2")
    assert ran(agent="other")


def test_a_limit_that_counts_only_some_requests_leaves_the_others_alone(address):
    limit = "{id: one, on: [card.charge], sum: amount, in: 1 days, max: 10, when: amount > 5, over: deny}"
    _, ran = spending(address, limit, NOON)
    assert ran("10.00")
    assert ran("5.00")
    assert not ran("5.01")


def test_one_limit_over_two_actions_sums_what_each_of_them_measures(address):
    limit = (
        "{id: one, on: [card.charge, fee.waive], sum: {card.charge: amount, fee.waive: shop.fee}, "
        "per: on_behalf_of, in: 1 days, max: 10, over: deny}"
    )
    _, ran = spending(address, limit, NOON)
    assert ran("5.00")
    assert ran(action="fee.waive")
    assert not ran("0.01")
    assert not ran(action="fee.waive")
    assert ran(action="fee.waive", who="c-2")


def test_what_was_refused_uses_nothing(address):
    limit = "{id: one, on: [card.charge], sum: amount, in: 1 days, max: 10, over: deny}"
    _, ran = spending(address, limit, NOON)
    assert not ran("10.01")
    assert ran("10.00")


def test_a_clock_that_steps_back_opens_no_window_again(address):
    limit = "{id: one, on: [card.charge], sum: amount, in: 30 minutes, max: 10, over: deny}"
    clock, ran = spending(address, limit, NOON)
    assert ran()
    clock.set(NOON - timedelta(hours=2))
    assert not ran("0.01")
