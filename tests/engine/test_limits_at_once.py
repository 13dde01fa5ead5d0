"""Limits while many act at once: law 4 on a real file, with threads, event loops and stale facts."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from agentguard import Denied, Done, Money, Unavailable, Waiting
from tests.engine.given import REFUNDS

EVERYBODY = REFUNDS.replace("    per: on_behalf_of\n", "").replace(
    "max: 300\n    over: escalate to lead", "max: 100\n    over: deny"
)


@pytest.mark.law(4)
def test_of_32_threads_racing_for_one_limit_exactly_as_many_run_as_fit(open_shop):
    shop = open_shop(text=EVERYBODY)
    shop.guard.start()

    def one(number):
        return shop.ask("10.00", key=f"k-{number}", order_id=f"A-{number}")

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(one, range(32)))
    done = [answer for answer in answers if isinstance(answer, Done)]
    refused = [answer for answer in answers if isinstance(answer, Denied)]
    assert (len(done), len(refused), len(shop.paid)) == (10, 22, 10)
    assert {answer.reasons[0].code for answer in refused} == {"limit_exceeded"}
    assert shop.guard.audit.verify().ok


@pytest.mark.law(4)
def test_of_32_tasks_racing_for_one_limit_exactly_as_many_run_as_fit(open_shop):
    shop = open_shop(text=EVERYBODY, is_async=True)

    async def everybody():
        asking = (shop.ask("10.00", key=f"k-{n}", order_id=f"A-{n}", run=shop.guard.arun) for n in range(32))
        return await asyncio.gather(*asking)

    answers = asyncio.run(everybody())
    assert sum(isinstance(answer, Done) for answer in answers) == len(shop.paid) == 10


@pytest.mark.law(4)
def test_one_customers_actions_at_once_never_pass_the_limit_and_are_done_denied_or_may_be_tried_again(open_shop):
    shop = open_shop(text=REFUNDS.replace("max: 300\n    over: escalate to lead", "max: 100\n    over: deny"))
    shop.guard.start()

    def one(number):
        return shop.ask("10.00", key=f"k-{number}", order_id=f"A-{number}")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, range(16)))
    assert sum(isinstance(answer, Done) for answer in answers) == len(shop.paid) <= 10
    again = [shop.ask("10.00", key=f"k-{number}", order_id=f"A-{number}") for number in range(16)]
    assert sum(isinstance(answer, Done) for answer in again) == len(shop.paid) == 10
    assert sum(isinstance(answer, Denied) for answer in again) == 6


@pytest.mark.parametrize("amount, kind", [("49.99", Done), ("50.00", Done)])
def test_a_limit_is_exact_at_its_edge(open_shop, amount, kind):
    shop = open_shop(text=REFUNDS.replace("max: 300\n    over: escalate to lead", "max: 100\n    over: deny"))
    assert isinstance(shop.ask("50.00", key="k-1", order_id="A-1"), Done)
    assert isinstance(shop.ask(amount, key="k-2", order_id="A-2"), kind)
    assert isinstance(shop.ask("0.01" if kind is Done and amount == "50.00" else "0.02", key="k-3"), Denied)


@pytest.mark.law(4)
def test_two_refunds_of_60_on_an_order_of_100_at_once_one_runs(open_shop):
    text = REFUNDS.replace("amount <= 50\n", "amount <= 90\n").replace("amount > 50 and", "amount > 90 and")
    shop = open_shop(text=text)
    shop.guard.start()
    inside, go_on = threading.Barrier(2), threading.Event()

    def slow(*arguments):
        inside.wait(5)
        go_on.wait(5)
        return shop.pay(*arguments)

    shop.acts = slow
    answers = []
    first = threading.Thread(target=lambda: answers.append(shop.ask("60", key="k-1")))
    first.start()
    inside.wait(5)
    second = shop.ask("60", key="k-2")
    go_on.set()
    first.join()
    assert isinstance(second, Denied)
    assert "refunds/more-than-left" in [reason.source for reason in second.reasons]
    assert isinstance(answers[0], Done)
    assert len(shop.paid) == 1


@pytest.mark.law(4)
def test_a_fact_that_went_stale_between_lookup_and_decision_is_gathered_again(open_shop):
    text = REFUNDS.replace("amount <= 50\n", "amount <= 90\n").replace("amount > 50 and", "amount > 90 and")
    text = text.replace("max: order.total, over: deny", "max: 1000, over: deny")
    shop = open_shop(text=text)
    read = []

    class Orders(dict):
        """While the second refund looks its order up, the first one runs from its beginning to its end."""

        def get(self, order_id, default=None):
            read.append(order_id)
            seen = {**default, "refunded": Money(shop.refunded(order_id), "USD")}
            if len(read) == 1:
                assert isinstance(shop.ask("60", key="k-other"), Done)
            return seen

    shop.orders = Orders()
    answer = shop.ask("60", key="k-1")
    assert isinstance(answer, Denied)
    assert answer.reasons[0].source == "refunds/more-than-left"
    assert (len(shop.paid), len(read)) == (1, 3)


def test_facts_that_never_stand_still_are_unavailable_and_store_nothing(open_shop):
    shop = open_shop()
    count = iter(range(100))

    class Orders(dict):
        def get(self, order_id, default=None):
            if order_id == "A-1":
                shop.orders = {}
                shop.ask("0.01", key=f"k-other-{next(count)}", order_id="A-2")
                shop.orders = self
            return default

    shop.orders = Orders()
    answer = shop.ask("1", key="k-1")
    assert isinstance(answer, Unavailable)
    assert answer.reason_code == "stale_facts"
    shop.orders = {}
    assert isinstance(shop.ask("1", key="k-1"), Done)


def test_two_calls_with_one_key_at_once_act_once_and_both_hear_it(open_shop):
    shop = open_shop()
    shop.guard.start()
    started = threading.Barrier(8)

    def slow(*arguments):
        threading.Event().wait(0.2)
        return shop.pay(*arguments)

    shop.acts = slow

    def one(_):
        started.wait(5)
        return shop.ask("10")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(8)))
    assert len(shop.paid) == 1
    assert {type(answer) for answer in answers} == {Done}
    assert sum(not answer.replayed for answer in answers) == 1


def test_a_window_slides_and_gives_room_again_at_its_very_end(open_shop):
    shop = open_shop(text=REFUNDS.replace("max: 300\n    over: escalate to lead", "max: 50\n    over: deny"))
    assert isinstance(shop.ask("50", key="k-1"), Done)
    shop.clock.advance(timedelta(days=30) - timedelta(microseconds=1))
    assert isinstance(shop.ask("0.01", key="k-2", order_id="A-2"), Denied)
    shop.clock.advance(timedelta(microseconds=1))
    assert isinstance(shop.ask("50", key="k-3", order_id="A-2"), Done)


def test_a_limit_that_escalates_asks_a_person_and_counts_what_was_approved(open_shop):
    shop = open_shop(text=REFUNDS.replace("max: 300", "max: 50"))
    assert isinstance(shop.ask("50", key="k-1"), Done)
    asked = shop.ask("20", key="k-2", order_id="A-2")
    assert isinstance(asked, Waiting)
    assert asked.reasons[0].code == "limit_exceeded"
    shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    done = shop.ask("20", key="k-2", order_id="A-2")
    assert isinstance(done, Done)
    assert (0, 7000) in shop.usage(done)


def test_a_window_that_slid_while_nothing_was_held_never_counts_what_waits(open_shop):
    shop = open_shop(text=REFUNDS.replace("max: 300", "max: 60"))
    assert isinstance(shop.ask("55", key="k-1"), Waiting)
    assert isinstance(shop.ask("50", key="k-2", order_id="A-2"), Done)
