"""One key while its action is under way: whoever repeats it gets its one answer, or hears in time that it runs."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from agentguard import Done, Money, Unavailable, Waiting
from agentguard.engine.parts import Waits
from tests.engine.given import REFUNDS, Shop

CALLERS = 64


def at_once(shop, count, what=lambda _: {}):
    """Let many threads, or the tasks of one event loop, ask at the same moment; with the same key if not told else."""
    if not shop.is_async:
        together = threading.Barrier(count)
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda number: (together.wait(10), shop.ask(**what(number)))[1], range(count)))

    async def main():
        return await asyncio.gather(*(Shop.ask(shop, run=shop.guard.arun, **what(number)) for number in range(count)))

    return asyncio.run(main())


@pytest.fixture(params=["threads", "tasks"])
def crowd(request, open_shop):
    """A shop whose tool takes a moment, with how it is asked by many at once."""

    def open_crowd(seconds=0.3, **options):
        made = open_shop(is_async=request.param == "tasks", **options)
        made.is_async = request.param == "tasks"

        async def slowly(*arguments):
            await asyncio.sleep(seconds)
            return made.pay(*arguments)

        def slow(*arguments):
            time.sleep(seconds)
            return made.pay(*arguments)

        made.acts = slowly if made.is_async else slow
        made.guard.start()
        return made

    return open_crowd


@pytest.mark.law(3)
def test_64_at_once_with_one_key_act_once_and_get_one_answer(crowd):
    shop = crowd(waits=Waits(in_progress=timedelta(minutes=1)))
    began = time.monotonic()
    answers = at_once(shop, CALLERS)
    assert time.monotonic() - began < 30
    assert len(shop.paid) == 1
    assert {type(answer) for answer in answers} == {Done}
    assert {answer.result["refund"] for answer in answers} == {"r-1"}
    assert len({answer.decision_id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert shop.kinds(answers[0]) == ["decided", "settled"]


def test_who_waits_for_an_action_of_this_process_does_not_ask_the_store_again_and_again(crowd):
    shop = crowd(seconds=1.0)
    looked = []
    name = "alook" if shop.is_async else "look"
    look = getattr(shop.guard.store, name)
    setattr(shop.guard.store, name, lambda *asked: (looked.append(1), look(*asked))[1])
    answers = at_once(shop, 8)
    assert {type(answer) for answer in answers} == {Done}
    # Each looks, perhaps loses the race to decide and looks again, waits, and looks at how it ended.
    assert len(looked) <= 8 * 4


def test_who_waits_longer_than_a_repeated_key_may_hears_that_it_is_in_progress(crowd):
    shop = crowd(seconds=1.5, waits=Waits(in_progress=timedelta(seconds=0.2)))
    answers = at_once(shop, 4)
    assert sum(isinstance(answer, Done) for answer in answers) == 1
    assert [answer.cause for answer in answers if isinstance(answer, Unavailable)] == ["in_progress"] * 3
    assert len(shop.paid) == 1
    again = at_once(shop, 1)[0]
    assert isinstance(again, Done)
    assert again.replayed


def test_a_key_that_another_guard_is_at_gets_the_same_answer_here(open_shop, address):
    first, second = open_shop(), open_shop(store=address)
    begun = threading.Event()

    def slow(*arguments):
        begun.set()
        time.sleep(0.4)
        return first.pay(*arguments)

    first.acts = slow
    second.guard.start()
    with ThreadPoolExecutor(1) as pool:
        here = pool.submit(first.ask)
        begun.wait(5)
        there = second.ask()
    assert isinstance(there, Done)
    assert (there.decision_id, there.result) == (here.result().decision_id, here.result().result)
    assert (len(first.paid), len(second.paid)) == (1, 0)


@pytest.mark.law(4)
def test_what_had_been_done_before_the_lookup_does_not_make_facts_stale_when_it_settles_later(open_shop):
    shop = open_shop()
    shop.guard.start()
    paid, ended, looked_up, settled = (threading.Event() for _ in range(4))
    read = []

    class Orders(dict):
        """While the second refund looks its order up, the first one has paid; it settles before the second decides."""

        def get(self, order_id, default=None):
            found = {**default, "refunded": Money(shop.refunded(order_id), "USD")}
            if paid.is_set():
                read.append(found["refunded"])
                looked_up.set()
                settled.wait(5)
            return found

    transacts = shop.guard.store.transact

    def transact(work):
        if threading.current_thread() is first and paid.is_set():
            ended.set()
            looked_up.wait(5)
        return transacts(work)

    def pay(*arguments):
        result = shop.pay(*arguments)
        paid.set()
        return result

    def ask_first():
        shop.ask("30", key="k-first")
        settled.set()

    first = threading.Thread(target=ask_first)
    shop.orders, shop.acts, shop.guard.store.transact = Orders(), pay, transact
    first.start()
    ended.wait(5)
    answer = shop.ask("30", key="k-second")
    first.join()
    assert isinstance(answer, Done)
    assert read == [Money.of("30", "USD")]


def test_64_at_once_for_one_customer_are_none_of_them_unavailable(crowd):
    shop = crowd(seconds=0.0, text=REFUNDS.replace("max: 300", "max: 30"))
    answers = at_once(shop, CALLERS, lambda number: {"key": f"k-{number}", "order_id": f"A-{number}", "amount": "1"})
    assert sum(isinstance(answer, Done) for answer in answers) == 30
    assert sum(isinstance(answer, Waiting) for answer in answers) == CALLERS - 30
    assert len(shop.paid) == 30


def test_an_event_loop_does_not_wait_for_the_keys_file_when_it_meets_a_customer(open_shop):
    shop = open_shop(is_async=True)
    shop.guard.start()
    vault, loop_thread, met = shop.guard._parts.vault, threading.current_thread(), []
    pseudonym = vault.pseudonym

    def meet(tenant, customer):
        met.append((vault.knows(tenant, customer), threading.current_thread() is loop_thread))
        return pseudonym(tenant, customer)

    vault.pseudonym = meet
    assert isinstance(shop.aask(), Done)
    assert met[0] == (False, False)
    assert all(known for known, _ in met[1:])
