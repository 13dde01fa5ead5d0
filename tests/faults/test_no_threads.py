"""A machine that has no thread left: what needs one has not happened, and it goes on when there are some again."""

import threading

import pytest

from agentguard import Denied, Done, NotDone
from agentguard.engine import worker


@pytest.fixture
def exhausted(monkeypatch):
    """Let no worker begin as long as the list says so."""
    start = threading.Thread.start
    yes = []

    def refuse(thread):
        if yes and thread.name == "agentguard-worker":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(worker, "MOST_IDLE", 0)
    worker._idle.clear()
    return yes


class LastOrders(dict):
    """Orders after whose lookup there is no thread any more."""

    def __init__(self, exhausted):
        self.exhausted = exhausted

    def get(self, _, otherwise):
        self.exhausted.append(True)
        return otherwise


@pytest.mark.law(6)
@pytest.mark.parametrize("how", ["ask", "aask"])
def test_a_tool_that_no_thread_could_call_did_nothing_and_gives_back_what_it_held(open_shop, exhausted, how):
    made = open_shop()
    ask = getattr(made, how)
    assert isinstance(ask("10.00", key="before"), Done)
    made.orders = LastOrders(exhausted)
    answer = ask("40.00", key="during")
    assert (type(answer), answer.error, made.state(answer)) == (NotDone, "NoThreadError", "released")
    assert [held for held, _ in made.usage(answer)] == [0] * len(made.usage(answer))
    exhausted.clear()
    made.orders = {}
    assert isinstance(ask("40.00", key="after"), Done)
    assert len(made.paid) == 2


def test_facts_that_no_thread_could_look_up_have_failed_and_the_key_stays_free(open_shop, exhausted):
    made = open_shop()
    made.guard.start()
    exhausted.append(True)
    answer = made.ask()
    assert (type(answer), answer.may_retry, made.paid) == (Denied, True, [])
    exhausted.clear()
    assert isinstance(made.ask(), Done)
