"""`hold: yes` on a route: what waits has its place on the limits that it fits, and gives it back at every end."""

from datetime import timedelta

import pytest

from agentguard import Denied, Done, Waiting
from tests.engine.given import REFUNDS

HOLDING = REFUNDS.replace('lead: {who: "group:leads",', 'lead: {who: "group:leads", hold: yes,')
HELD = [(6000, 0), (6000, 0)]


def sound(shop):
    report = shop.guard.audit.verify()
    assert report.ok, report.problems
    return True


def vote(shop, waiting, by="maria", **more):
    return shop.guard.escalations.approve(waiting.escalation.id, by=by, reason_code="goodwill", **more)


@pytest.mark.law(10)
def test_without_hold_what_waits_holds_nothing(open_shop):
    shop = open_shop()
    assert shop.usage(shop.ask("60")) == []


@pytest.mark.law(10)
def test_what_waits_holds_and_somebody_else_does_not_get_its_place(open_both):
    shop = open_both(text=HOLDING)
    waiting = shop.ask("60")
    assert shop.usage(waiting) == HELD
    refused = shop.ask("41", key="k-2")
    assert isinstance(refused, Denied)
    assert isinstance(shop.ask("40", key="k-3"), Done)
    vote(shop, waiting)
    assert shop.usage(waiting) == [(6000, 4000), (6000, 4000)]
    assert isinstance(shop.ask("60"), Done)
    assert shop.usage(waiting) == [(0, 10000), (0, 10000)]
    assert sound(shop)


@pytest.mark.law(10)
def test_nothing_is_held_on_a_limit_that_it_does_not_fit(open_shop):
    shop = open_shop(text=HOLDING.replace("max: 300", "max: 59.99"))
    waiting = shop.ask("60")
    assert isinstance(waiting, Waiting)
    assert shop.usage(waiting) == [(6000, 0)]
    vote(shop, waiting)
    assert isinstance(shop.ask("60"), Done)
    assert shop.usage(waiting) == [(0, 6000), (0, 6000)]
    assert sound(shop)


@pytest.mark.law(10)
def test_nothing_is_held_on_a_limit_that_everybody_shares(open_shop):
    shop = open_shop(text=HOLDING.replace("    per: on_behalf_of\n", ""))
    assert shop.usage(shop.ask("60")) == [(6000, 0)]


def reject(shop, waiting):
    shop.guard.escalations.reject(waiting.escalation.id, by="maria", reason_code="not_entitled")


def withdraw(shop, waiting):
    shop.guard.escalations.withdraw(waiting.escalation.id, by="maria", why="the customer called")


def expire(shop, waiting):
    shop.clock.advance(timedelta(days=2))
    shop.guard.recover()
    shop.clock.advance(timedelta(days=2))
    shop.guard.recover()


def deny(shop, waiting):
    vote(shop, waiting)
    shop.orders["A-1"] = {"customer_id": "c-2"}
    shop.ask("60")


@pytest.mark.law(10)
@pytest.mark.parametrize("end", [reject, withdraw, expire, deny])
def test_what_was_held_is_given_back_however_it_ends(open_both, end):
    shop = open_both(text=HOLDING)
    waiting = shop.ask("60")
    end(shop, waiting)
    assert shop.state(waiting) == "denied"
    assert all(held == 0 for held, _ in shop.usage(waiting))
    assert sound(shop)


def test_a_later_route_that_does_not_hold_gives_back(open_shop):
    shop = open_shop(text=HOLDING)
    waiting = shop.ask("60")
    shop.clock.advance(timedelta(hours=4))
    shop.guard.recover()
    assert shop.usage(waiting) == []
    assert isinstance(shop.ask("100", key="k-2"), Waiting)
    assert sound(shop)


def test_a_later_route_that_holds_keeps_the_place(open_shop):
    shop = open_shop(
        text=HOLDING.replace('finance: {who: "group:finance",', 'finance: {who: "group:finance", hold: yes,')
    )
    waiting = shop.ask("60")
    shop.clock.advance(timedelta(hours=4))
    shop.guard.recover()
    assert shop.usage(waiting) == HELD
    for by in ("ada", "kim"):
        later = shop.ask("60")
        vote(shop, later, by)
    assert isinstance(shop.ask("60"), Done)
    assert sound(shop)


def test_the_second_look_sees_what_others_used_and_not_its_own_place(open_shop):
    shop = open_shop(text=HOLDING.replace("amount > left_on_order", 'amount + held("customer-30-days") > 100'))
    waiting = shop.ask("60")
    vote(shop, waiting)
    assert isinstance(shop.ask("60"), Done)


def test_a_place_that_was_held_is_taken_along_when_it_waits_again_for_new_reasons(open_shop):
    shop = open_shop(text=HOLDING.replace("max: 300", "max: 100"))
    waiting = shop.ask("60")
    vote(shop, waiting)
    shop.guard.record(
        "refund.issue",
        {"order_id": "A-2", "amount": "50", "reason": "late"},
        by="kim",
        source="desk",
        happened_at=shop.clock(),
        key="d-1",
        on_behalf_of="c-1",
    )
    again = shop.ask("60")
    assert isinstance(again, Waiting)
    assert shop.usage(waiting) == [(6000, 0)]
    vote(shop, again, "tom")
    assert isinstance(shop.ask("60"), Done)
    assert sound(shop)


def test_held_places_survive_the_process(open_both):
    shop = open_both(text=HOLDING)
    waiting = shop.ask("60")
    shop.guard.close()
    again = open_both(text=HOLDING, clock=shop.clock)
    assert again.usage(waiting) == HELD
    assert isinstance(again.ask("41", key="k-2"), Denied)
    reject(again, waiting)
    assert isinstance(again.ask("41", key="k-3"), Done)
