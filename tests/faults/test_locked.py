"""A database that another program has locked: nothing runs, it is said, and it goes on when the lock is gone."""

from datetime import timedelta

import pytest

from agentguard import Done, InDoubt, Unavailable
from agentguard.engine.parts import Waits
from agentguard.errors import StoreUnavailableError
from tests.faults.conftest import agentguard, assert_said_to_a_person, held_by_another_program


@pytest.fixture(params=["run", "arun"])
def asking(request):
    """How a shop is asked: in a thread, then in an event loop."""
    return lambda shop, *given, **named: (shop.ask if request.param == "run" else shop.aask)(*given, **named)


@pytest.mark.law(14)
@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_while_another_program_holds_the_database_nothing_runs_and_then_it_goes_on(
    open_shop, folder, asking, statement
):
    shop = open_shop()
    assert isinstance(shop.ask(key="before"), Done)
    entries = shop.guard.audit.verify().entries
    with held_by_another_program(folder / "shop.db", statement):
        answer = asking(shop, key="during")
        assert (type(answer), answer.cause, answer.executed) == (Unavailable, "store", False)
        assert [key for _, _, key in shop.paid] != [answer.decision_id]
        assert len(shop.paid) == 1
    assert shop.guard.audit.verify().entries == entries, "what was refused left nothing behind"
    assert isinstance(asking(shop, key="during"), Done)
    assert len(shop.paid) == 2
    assert shop.guard.audit.verify().ok


@pytest.mark.law(6)
def test_a_lock_that_comes_while_the_tool_acts_leaves_the_action_in_doubt_and_its_hold_in_place(open_shop, folder):
    shop = open_shop(waits=Waits(outcome=timedelta(0)))
    holding = held_by_another_program(folder / "shop.db", "BEGIN IMMEDIATE")

    def act(order_id, amount, key):
        shop.pay(order_id, amount, key)
        holding.__enter__()
        return {"refund": key}

    shop.acts = act
    answer = shop.ask()
    assert (type(answer), answer.error, answer.executed) == (InDoubt, "store_unavailable", None)
    holding.__exit__(None, None, None)
    assert shop.usage(answer) == [(4000, 0), (4000, 0)], "what may have happened is still held"
    shop.clock.advance(timedelta(hours=1))
    shop.guard.recover()
    assert shop.state(answer) == "in_doubt"
    shop.guard.resolve(answer.decision_id, done=True, by="maria", why="the provider's books")
    assert shop.usage(answer) == [(0, 4000), (0, 4000)]
    assert shop.guard.audit.verify().ok


def test_the_message_says_who_waits_how_long_and_what_to_do(open_shop, folder):
    shop = open_shop()
    shop.guard.start()
    with held_by_another_program(folder / "shop.db"), pytest.raises(StoreUnavailableError) as caught:
        shop.guard.halt("all", by="maria", why="a test")
    message = str(caught.value)
    assert "locked by another process for more than 1 s; nothing was stored" in message
    assert "end the other transaction and try again" in message
    assert "\n" not in message
    assert isinstance(shop.ask(), Done), "nothing was stopped"


def test_the_command_line_says_the_same_without_a_traceback(open_shop, folder):
    open_shop().guard.start()
    with held_by_another_program(folder / "shop.db"):
        ended = agentguard("halt", "--store", f"sqlite:///{folder / 'shop.db'}", "--why", "a test")
    assert_said_to_a_person(ended, "locked by another process", "nothing was stored")
