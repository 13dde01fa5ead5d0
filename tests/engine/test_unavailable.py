"""A store that takes nothing more, or not in time: the answer is `unavailable`, in bounded time, and nothing ran."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import structlog

from agentguard import Done, Unavailable
from agentguard.store import Store, committer
from tests.engine.given import Shop


@pytest.fixture(params=["thread", "task"])
def ask(request):
    """How a shop is asked: by a thread, or by a task of an event loop."""
    return Shop.ask if request.param == "thread" else Shop.aask


@pytest.fixture
def logged():
    with structlog.testing.capture_logs() as lines:
        yield lines


def reasons(lines):
    return [line["reason"] for line in lines if line["event"] == "guard.unavailable"]


def refused(answer):
    return isinstance(answer, Unavailable) and answer.cause == "store" and not answer.executed


@contextmanager
def held_up(store):
    """Keep a store's writers waiting inside this block."""
    inside, go_on = threading.Event(), threading.Event()
    holding = threading.Thread(target=lambda: store.transact(lambda _: (inside.set(), go_on.wait(10))))
    holding.start()
    inside.wait(5)
    try:
        yield
    finally:
        go_on.set()
        holding.join()


def nothing_happened(shop):
    return shop.paid == [] and shop.guard.store.read(lambda reading: reading.actions()) == ()


def test_a_guard_that_was_closed_runs_nothing_and_the_log_says_why(open_shop, ask, logged):
    shop = open_shop()
    shop.guard.start()
    shop.guard.close()
    assert refused(ask(shop))
    assert shop.paid == []
    assert ["is closed; nothing was stored" in reason for reason in reasons(logged)] == [True]


@pytest.mark.law(14)
def test_a_store_that_is_held_up_is_unavailable_in_bounded_time_and_goes_on_after_it(open_shop, address, ask, logged):
    shop = open_shop(store=Store.open(address, patience=0.3))
    shop.guard.start()
    with held_up(shop.guard.store):
        assert refused(ask(shop))
    assert nothing_happened(shop)
    assert ["nothing was stored" in reason for reason in reasons(logged)] == [True]
    assert isinstance(ask(shop), Done)


@pytest.mark.law(14)
def test_who_comes_when_too_many_wait_hears_at_once_that_it_is_unavailable(open_shop, address, monkeypatch, logged):
    shop = open_shop(store=Store.open(address, patience=20))
    shop.guard.start()
    monkeypatch.setattr(committer, "MOST_WAITING", 3)
    with ThreadPoolExecutor(8) as pool:
        with held_up(shop.guard.store):
            asked = [pool.submit(shop.ask, "1.00", key=f"k-{number}", order_id=f"A-{number}") for number in range(8)]
            while len(reasons(logged)) < 5:
                threading.Event().wait(0.01)
            assert shop.paid == []
        answers = [one.result() for one in asked]
    assert sum(refused(answer) for answer in answers) == 5
    assert sum(isinstance(answer, Done) for answer in answers) == len(shop.paid) == 3
    assert all("expected at most 3 units of work waiting" in reason for reason in reasons(logged))
