"""Two who recover at once: one acts, the other leaves it alone, and who dies loses what it had in time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from agentguard import Done, Idempotent, InDoubt, NotDone, Queryable, Unavailable
from agentguard.core.lifecycle import State
from agentguard.core.request import Actor
from agentguard.engine.asking import Proposal
from agentguard.engine.drive import drive, perform
from agentguard.engine.effect import Outcome, OutcomeKind
from agentguard.engine.recovery import recovering
from agentguard.engine.steps import Call
from agentguard.engine.walk import walk
from tests.engine import dying
from tests.forked import FORKSERVER, forked

TIMEOUT = timedelta(seconds=10)
GRACE = timedelta(seconds=30)
MICROSECOND = timedelta(microseconds=1)
HOUR = Idempotent(ttl=timedelta(hours=1))


def only_action(shop):
    (record,) = shop.guard.store.read(lambda r: r.actions())
    return record


def to_the_call(shop, walking):
    """Drive a walk until it is about to call out; whoever drives it then stands still, or is dead."""
    step = next(walking)
    while not isinstance(step, Call):
        step = walking.send(perform(shop.guard._parts, step))
    return walking


ARGUMENTS = {"order_id": "A-1", "amount": "40", "reason": "late"}


def abandon(shop):
    """Leave a refund where its process died: begun, and perhaps sent."""
    shop.guard.start()
    asked = Proposal("refund.issue", ARGUMENTS, Actor("bot"), "c-1", {}, "k", "default")
    return to_the_call(shop, walk(shop.guard._parts, asked))


def end(shop, walking, outcome):
    step = walking.send(outcome)
    with pytest.raises(StopIteration) as ended:
        walking.send(perform(shop.guard._parts, step))
    return ended.value.value


@pytest.mark.law(3)
@pytest.mark.parametrize("effect", ["sent", "asked"])
def test_eight_threads_of_two_guards_that_recover_at_once_act_once(open_shop, effect):
    calls = []
    effects = {"sent": HOUR, "asked": Queryable(lambda key: calls.append(key) or {"refund": "r"})}
    one, two = open_shop(effect=effects[effect]), open_shop(effect=effects[effect])
    for shop in (one, two):
        shop.acts = lambda order_id, amount, key: calls.append(key) or {"refund": "r"}
    abandon(one)
    two.guard.start()
    for shop in (one, two):
        shop.clock.advance(TIMEOUT + GRACE + MICROSECOND)
    barrier = threading.Barrier(8)

    def recover(shop):
        barrier.wait()
        return shop.guard.recover()

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for found in pool.map(recover, [one, two] * 4) for answer in found]
    assert calls == [only_action(one).id]
    assert only_action(one).state is State.SETTLED
    assert {type(answer) for answer in answers} <= {Done, InDoubt, Unavailable}
    assert one.guard.audit.verify().ok


@pytest.mark.law(3)
def test_of_three_processes_that_recover_at_once_one_sends_each_action_again(open_shop, address, tmp_path):
    shop = open_shop(effect=HOUR)
    shop.acts = lambda *_: 1 / 0
    lost = {shop.ask("1", key=f"k-{number}", order_id=f"A-{number}").decision_id for number in range(12)}
    books, barrier = tmp_path / "books", FORKSERVER.Barrier(3)
    running = [forked(dying.recover, address, str(books), barrier) for _ in range(3)]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [0, 0, 0]
    assert sorted(line.split()[0] for line in books.read_text().splitlines()) == sorted(lost)
    assert {record.state for record in shop.guard.store.read(lambda r: r.actions())} == {State.SETTLED}
    assert shop.guard.audit.verify().ok


@pytest.mark.parametrize("late, taken", [(timedelta(0), False), (MICROSECOND, True)])
def test_what_executes_is_left_alone_until_its_deadline_and_grace_are_over(open_shop, late, taken):
    shop = open_shop(effect=HOUR)
    abandon(shop)
    shop.clock.advance(TIMEOUT + GRACE + late)
    answers = shop.guard.recover()
    assert [type(answer) for answer in answers] == ([Done] if taken else [])


@pytest.mark.parametrize("late, asked", [(timedelta(0), 0), (MICROSECOND, 1)])
def test_who_asked_and_died_keeps_the_others_away_until_the_lease_is_over(open_shop, late, asked):
    calls = []
    shop = open_shop(effect=Queryable(lambda key: calls.append(key) or {"refund": "r"}))
    abandon(shop)
    shop.clock.advance(TIMEOUT + GRACE + MICROSECOND)
    to_the_call(shop, recovering(shop.guard._parts, only_action(shop)))
    record = only_action(shop)
    assert (record.state, record.fence, record.attempt) == (State.IN_DOUBT, 2, 1)
    shop.clock.advance(TIMEOUT + GRACE + late)
    shop.guard.recover()
    assert len(calls) == asked
    assert (only_action(shop).state is State.SETTLED) is bool(asked)


@pytest.mark.law(6)
def test_a_recoverer_that_comes_back_late_cannot_release_what_another_one_has(open_shop):
    shop = open_shop(effect=Queryable(lambda key: None, settle_lag=timedelta(0)))
    abandon(shop)
    shop.clock.advance(timedelta(minutes=10))
    first = to_the_call(shop, recovering(shop.guard._parts, only_action(shop)))
    shop.clock.advance(timedelta(minutes=10))
    second = to_the_call(shop, recovering(shop.guard._parts, only_action(shop)))
    nothing = Outcome(OutcomeKind.DONE, None)
    late = end(shop, first, nothing)
    assert isinstance(late, Unavailable)
    assert late.cause == "in_progress"
    assert only_action(shop).state is State.IN_DOUBT
    assert isinstance(end(shop, second, nothing), NotDone)
    assert shop.guard.audit.verify().ok


@pytest.mark.law(3)
def test_who_was_overtaken_between_finding_an_action_and_taking_it_up_leaves_it_alone(open_shop):
    shop = open_shop(effect=HOUR)
    abandon(shop)
    shop.clock.advance(TIMEOUT + GRACE + MICROSECOND)
    slow = recovering(shop.guard._parts, only_action(shop))
    found = perform(shop.guard._parts, next(slow))
    shop.acts = lambda *_: 1 / 0
    assert isinstance(shop.guard.recover()[0], InDoubt)
    step = slow.send(found)
    with pytest.raises(StopIteration) as ended:
        slow.send(perform(shop.guard._parts, step))
    assert isinstance(ended.value.value, InDoubt)
    assert only_action(shop).attempt == 2


@pytest.mark.parametrize("late, taken", [(timedelta(0), False), (MICROSECOND, True)])
def test_a_lease_is_over_an_instant_after_its_end_for_whoever_takes_up(open_shop, late, taken):
    shop = open_shop(effect=HOUR)
    abandon(shop)
    shop.clock.advance(TIMEOUT + GRACE + late)
    answer = drive(shop.guard._parts, recovering(shop.guard._parts, only_action(shop)))
    assert isinstance(answer, Done if taken else Unavailable)
    assert len(shop.paid) == taken


@pytest.mark.law(6)
def test_a_worker_that_ends_while_somebody_asks_about_it_settles_what_it_did(open_shop):
    shop = open_shop(effect=Queryable(lambda key: None, settle_lag=timedelta(0)))
    worker = abandon(shop)
    shop.clock.advance(timedelta(minutes=10))
    asking = to_the_call(shop, recovering(shop.guard._parts, only_action(shop)))
    assert isinstance(end(shop, worker, Outcome(OutcomeKind.DONE, {"refund": "r"})), Done)
    assert isinstance(end(shop, asking, Outcome(OutcomeKind.DONE, None)), Unavailable), "it is settled; nothing to say"
    assert only_action(shop).state is State.SETTLED
    assert shop.guard.audit.verify().ok


def silent(open_shop, **effect):
    """Return a shop whose payments were lost, and when its receiver, which says nothing, was asked about them."""
    asked = []

    def look(key):
        asked.append(shop.clock())
        raise RuntimeError("the provider is down")

    shop = open_shop(effect=Queryable(look, **effect))
    abandon(shop)
    shop.clock.advance(timedelta(minutes=10))
    return shop, asked


def test_what_was_asked_about_in_vain_is_asked_about_less_and_less_often(open_shop):
    shop, asked = silent(open_shop)
    for _ in range(130):
        shop.guard._rounds.go(patient=True)
        shop.clock.advance(timedelta(minutes=1))
    assert [round((later - asked[0]) / timedelta(minutes=1)) for later in asked] == [0, 1, 3, 7, 15, 31, 63, 123]
    assert only_action(shop).state is State.IN_DOUBT
    assert shop.guard.audit.verify().ok


def ask_again(shop):
    return shop.guard.run("refund.issue", ARGUMENTS, agent="bot", on_behalf_of="c-1", key="k")


@pytest.mark.parametrize("ask", [ask_again, lambda shop: shop.guard._rounds.start()])
def test_a_pause_holds_for_what_goes_on_by_itself_and_not_for_a_person_who_asks_for_it_now(open_shop, ask):
    shop, asked = silent(open_shop)
    shop.guard.recover()
    ask(shop)
    assert len(asked) == 1
    shop.guard.recover()
    assert len(asked) == 2
    shop.clock.advance(only_action(shop).updated_at + timedelta(minutes=2) - shop.clock() - MICROSECOND)
    ask(shop)
    assert len(asked) == 2
    shop.clock.advance(MICROSECOND)
    ask(shop)
    assert len(asked) == 3


def test_a_receiver_that_found_nothing_is_asked_again_as_soon_as_that_counts(open_shop):
    lag = timedelta(minutes=9, seconds=30)
    shop = open_shop(effect=Queryable(lambda key: None, settle_lag=lag))
    abandon(shop)
    shop.clock.advance(TIMEOUT + GRACE + MICROSECOND)
    shop.guard._rounds.go(patient=True)
    shop.clock.advance(lag - GRACE - MICROSECOND)
    shop.guard._rounds.go(patient=True)
    assert only_action(shop).state is State.IN_DOUBT
    shop.clock.advance(MICROSECOND)
    shop.guard._rounds.go(patient=True)
    assert only_action(shop).state is State.RELEASED


@pytest.mark.law(6)
@pytest.mark.parametrize("effect", [HOUR, Queryable(lambda key: {"refund": "r"})])
def test_a_stop_that_is_pressed_between_finding_an_action_and_taking_it_up_holds(open_shop, effect):
    shop = open_shop(effect=effect)
    abandon(shop)
    shop.clock.advance(TIMEOUT + GRACE + MICROSECOND)
    walk = recovering(shop.guard._parts, only_action(shop))
    step = walk.send(perform(shop.guard._parts, next(walk)))
    shop.guard.halt("agent:bot", by="maria", why="it is wrong")
    with pytest.raises(StopIteration) as ended:
        walk.send(perform(shop.guard._parts, step))
    assert isinstance(ended.value.value, InDoubt)
    assert (only_action(shop).state, only_action(shop).attempt, shop.paid) == (State.IN_DOUBT, 1, [])


def test_a_restart_of_a_killed_recovery_sends_again_with_the_next_attempt(open_shop):
    shop = open_shop(effect=HOUR)
    abandon(shop)
    for attempt in (2, 3):
        shop.clock.advance(TIMEOUT + GRACE + MICROSECOND)
        to_the_call(shop, recovering(shop.guard._parts, only_action(shop)))
        assert (only_action(shop).attempt, only_action(shop).fence) == (attempt, attempt)
    shop.clock.advance(TIMEOUT + GRACE + MICROSECOND)
    (answer,) = shop.guard.recover()
    assert isinstance(answer, Done)
    assert shop.kinds(answer) == ["decided", *["in_doubt", "sent_again"] * 3, "settled"]


def test_what_people_say_after_a_doubt_is_the_answer_that_the_agent_gets_under_its_key(open_shop):
    shop = open_shop()
    shop.acts = lambda *_: 1 / 0
    doubt = shop.ask()
    assert isinstance(shop.ask(), InDoubt)
    shop.guard.resolve(
        doubt.decision_id, done=True, by="maria", why="it is in the provider's books", result={"refund": "r"}
    )
    after = shop.ask()
    assert isinstance(after, Done)
    assert after.result == {"refund": "r"}
    entry = shop.guard.audit.show(after.entry).document
    assert (entry["by"], entry["why"]) == ("maria", "it is in the provider's books")


@pytest.mark.law(6)
def test_a_persons_word_that_meets_an_attempt_on_its_way_is_written_down_and_moves_nothing(open_shop, monkeypatch):
    shop = open_shop(effect=HOUR)
    shop.acts = lambda *_: 1 / 0
    doubt = shop.ask()
    store, overtaken = shop.guard.store, []
    second, transact = recovering(shop.guard._parts, only_action(shop)), store.transact

    def transact_after_another(work):
        if not overtaken:
            overtaken.append(True)
            to_the_call(shop, second)
        return transact(work)

    monkeypatch.setattr(store, "transact", transact_after_another)
    said = shop.guard.resolve(doubt.decision_id, done=False, by="maria", why="not in the books")
    assert isinstance(said, InDoubt)
    entry = shop.guard.audit.show(said.entry).document
    assert (entry["kind"], entry["by"], entry["why"]) == ("late_report", "maria", "not in the books")
    assert only_action(shop).state is State.EXECUTING
    assert isinstance(end(shop, second, Outcome(OutcomeKind.DONE, {"refund": "r"})), Done)
