"""What people approved goes on without the agent: once, wherever the tool is, decided again with the facts of then."""

import asyncio
import threading
from datetime import timedelta

import pytest

from agentguard import Denied, Done, Guard, InDoubt, Money, NotDone, NotDoneError, UsageError, Waiting
from agentguard.engine.parts import Waits
from tests.engine.given import PEOPLE, REFUNDS, bundle
from tests.engine.given import shop as shop_of


def approved(shop, amount="60", **more):
    asked = shop.ask(amount, **more)
    shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    return asked


def escalation_state(shop, asked):
    return shop.guard.escalations.show(asked.escalation.id).record.state


def test_what_was_approved_goes_on_without_the_agent(open_both):
    shop = open_both()
    asked = approved(shop)
    came_to = shop.guard.work()
    assert [(type(answer), answer.decision_id) for answer in came_to.answers] == [(Done, asked.decision_id)]
    assert shop.paid == [("A-1", Money.of("60", "USD"), asked.decision_id)]
    assert escalation_state(shop, asked) == "used"
    assert shop.guard.work().answers == ()
    assert shop.guard.audit.verify().ok


def test_the_agent_that_comes_back_later_hears_that_it_was_done(open_shop):
    shop = open_shop()
    approved(shop)
    shop.guard.work()
    answer = shop.ask("60")
    assert isinstance(answer, Done)
    assert answer.for_model()["status"] == "already_done"
    assert answer.result == {"refund": "r-1"}
    assert len(shop.paid) == 1


def test_what_the_agent_went_on_with_itself_is_left_alone(open_shop):
    shop = open_shop()
    asked = approved(shop)
    assert isinstance(shop.ask("60"), Done)
    assert escalation_state(shop, asked) == "used"
    assert shop.guard.work().answers == ()


def test_a_process_without_the_tool_leaves_it_to_one_that_has_it(open_both, address):
    shop = open_both()
    asked = approved(shop)
    without = Guard(bundle(REFUNDS), store=address, clock=shop.clock, people=PEOPLE)
    assert without.work().answers == ()
    without.close()
    assert escalation_state(shop, asked) == "approved"
    assert len(shop.guard.work().answers) == 1


def test_what_is_stopped_does_not_go_on_and_writes_nothing(open_shop):
    shop = open_shop()
    approved(shop)
    shop.guard.halt("action:refund.issue", by="tom", why="a look")
    size = shop.guard.store.read(lambda reading: reading.position())
    assert shop.guard.work().answers == ()
    assert shop.guard.store.read(lambda reading: reading.position()) == size
    shop.guard.resume("action:refund.issue", by="tom", why="all is well")
    assert isinstance(shop.guard.work().answers[0], Done)


@pytest.mark.law(7)
def test_what_no_longer_fits_is_denied_and_its_escalation_is_used(open_shop):
    shop = open_shop()
    asked = approved(shop)
    shop.orders["A-1"] = {"customer_id": "c-2", "total": Money.of("100", "USD")}
    answer = shop.guard.work().answers[0]
    assert isinstance(answer, Denied)
    assert answer.reasons[0].source == "refunds/not-theirs"
    assert (escalation_state(shop, asked), shop.paid) == ("used", [])


@pytest.mark.law(7)
def test_a_reason_that_was_not_shown_goes_back_to_people(open_shop):
    shop = open_shop(text=REFUNDS.replace("max: 300", "max: 70"))
    asked = approved(shop)
    shop.ask("20", key="k-2", order_id="A-2")
    answer = shop.guard.work().answers[0]
    assert isinstance(answer, Waiting)
    assert answer.escalation.id != asked.escalation.id
    assert escalation_state(shop, asked) == "used"


def test_votes_that_are_too_old_are_asked_for_again(open_shop):
    shop = open_shop(waits=Waits(approval=timedelta(days=1)))
    asked = approved(shop)
    shop.clock.advance(timedelta(days=1, microseconds=1))
    answer = shop.guard.work().answers[0]
    assert isinstance(answer, Waiting)
    assert answer.escalation.id != asked.escalation.id


def test_a_lookup_that_is_down_is_tried_again_later_and_longer_later_each_time(open_shop):
    shop = open_shop()
    approved(shop)
    shop.broken.add("order")
    assert [answer.reason_code for answer in shop.guard.work().answers] == ["lookup_failed"]
    assert shop.guard.work().answers == ()
    shop.clock.advance(timedelta(minutes=1, microseconds=1))
    assert [answer.reason_code for answer in shop.guard.work().answers] == ["lookup_failed"]
    shop.clock.advance(timedelta(minutes=2))
    assert shop.guard.work().answers == ()
    shop.broken.clear()
    shop.clock.advance(timedelta(microseconds=1))
    assert isinstance(shop.guard.work().answers[0], Done)


def test_a_person_who_asks_for_recovery_means_now(open_shop):
    shop = open_shop()
    approved(shop)
    shop.broken.add("order")
    shop.guard.work()
    shop.broken.clear()
    assert isinstance(shop.guard.recover()[0], Done)


@pytest.mark.parametrize("error, expected", [(NotDoneError("no"), NotDone), (RuntimeError("?"), InDoubt)])
def test_whoever_listens_hears_how_it_ended(open_shop, error, expected):
    shop = open_shop()
    heard = []

    @shop.guard.on_ended
    def told(answer):
        heard.append(answer)

    def act(*_):
        raise error

    shop.acts = act
    asked = approved(shop)
    shop.guard.work()
    assert [(type(answer), answer.decision_id) for answer in heard] == [(expected, asked.decision_id)]
    shop.guard.work()
    assert len(heard) == 1


def test_a_listener_that_raises_changes_nothing(open_shop):
    shop = open_shop()
    heard = []
    shop.guard.on_ended(lambda answer: 1 / 0)
    shop.guard.on_ended(heard.append)
    approved(shop)
    assert isinstance(shop.guard.work().answers[0], Done)
    assert len(heard) == 1


@pytest.mark.parametrize("nobody", [None, asyncio.sleep])
def test_what_could_never_hear_it_is_no_listener(open_shop, nobody):
    with pytest.raises(UsageError, match="plain function that takes an answer"):
        open_shop().guard.on_ended(nobody)


def test_whoever_calls_has_the_answer_and_no_listener_hears_it(open_shop):
    shop = open_shop()
    heard = []
    shop.guard.on_ended(heard.append)
    approved(shop)
    shop.ask("60")
    shop.guard.work()
    assert heard == []


@pytest.mark.law(3)
def test_of_many_workers_and_the_agent_one_goes_on(open_both):
    shops = [open_both() for _ in range(4)]
    for shop in shops:
        shop.orders |= {f"A-{n}": {"customer_id": f"c-{n}", "total": Money.of("100", "USD")} for n in range(6)}
        shop.paid = shops[0].paid
    asked = [approved(shops[0], key=f"k-{n}", order_id=f"A-{n}", who=f"c-{n}") for n in range(6)]
    together = threading.Barrier(5)

    def agent():
        together.wait(20)
        for n in range(6):
            shops[0].ask("60", key=f"k-{n}", order_id=f"A-{n}", who=f"c-{n}")

    def work(shop):
        together.wait(20)
        shop.guard.work()

    threads = [threading.Thread(target=agent), *(threading.Thread(target=work, args=(shop,)) for shop in shops)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(key for _, _, key in shops[0].paid) == sorted(answer.decision_id for answer in asked)
    assert shops[0].guard.audit.verify().ok


def test_a_guard_that_runs_something_else_goes_on_with_it_at_its_next_chance(open_shop):
    first = open_shop()
    asked = approved(first)
    later = open_shop(waits=Waits(recovery=None))
    later.ask("10", key="k-9")
    assert later.state(asked) == "settled"


def test_a_tool_that_takes_long_holds_up_no_round_and_is_waited_for_at_the_end(tmp_path):
    shop = shop_of(f"sqlite:///{tmp_path}/shop.db")
    hanging = threading.Event()
    shop.acts = lambda order_id, amount, key: hanging.wait(20) and shop.pay(order_id, amount, key)
    asked = approved(shop)
    came_to = shop.guard.work(within=timedelta(seconds=0.1))
    assert [answer.reason_code for answer in came_to.answers] == ["in_progress"]
    threading.Timer(0.2, hanging.set).start()
    shop.guard.work(stopped=lambda: True)
    assert shop.state(asked) == "settled"
    shop.guard.close()
