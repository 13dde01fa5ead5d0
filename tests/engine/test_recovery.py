"""Processes that die around the effect, and what the next one makes of it, by kind of effect."""

import signal
from datetime import timedelta

import pytest

from agentguard import Done, Idempotent, InDoubt, Money, NotDone, NotFoundError, Queryable, Read, UsageError
from agentguard.core.lifecycle import State
from agentguard.core.request import Actor
from agentguard.engine.asking import Proposal
from agentguard.engine.drive import perform
from agentguard.engine.effect import Outcome, OutcomeKind
from agentguard.engine.recovery import recovering
from agentguard.engine.steps import Call, Commit
from agentguard.engine.walk import walk
from tests.engine import dying
from tests.forked import forked

LATER = timedelta(minutes=10)


@pytest.fixture
def die(address, tmp_path):
    """Run one refund in another process that is killed at a moment; returns the lines of the receiver's books."""
    books = tmp_path / "books"

    def run(effect, moment):
        process = forked(dying.main, address, str(books), effect, moment)
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        return books.read_text().splitlines() if books.exists() else []

    return run


def only_action(shop):
    (record,) = shop.guard.store.read(lambda r: r.actions())
    return record


@pytest.mark.law(2, 6)
@pytest.mark.parametrize("moment, effects", [("before_effect", 0), ("after_effect", 1), ("before_record", 1)])
def test_a_killed_unprotected_action_keeps_its_hold_until_a_person_says(die, open_shop, moment, effects):
    assert len(die("unprotected", moment)) == effects
    shop = open_shop()
    assert only_action(shop).state is State.EXECUTING, "the intent was on disk first"
    shop.clock.advance(LATER)
    (answer,) = shop.guard.recover()
    assert isinstance(answer, InDoubt)
    assert shop.usage(answer) == [(4000, 0), (4000, 0)]
    assert isinstance(shop.guard.recover()[0], InDoubt)
    assert shop.paid == []
    resolved = shop.guard.resolve(answer.decision_id, done=bool(effects), by="maria", why="asked the provider")
    assert isinstance(resolved, Done if effects else NotDone)
    assert shop.usage(answer) == ([(0, 4000)] * 2 if effects else [(0, 0)] * 2)
    assert shop.guard.audit.verify().ok


@pytest.mark.law(3, 6)
@pytest.mark.parametrize("moment, effects", [("before_effect", 0), ("after_effect", 1), ("before_record", 1)])
def test_a_killed_idempotent_action_is_sent_again_with_the_same_key(die, open_shop, moment, effects):
    books = die("idempotent", moment)
    shop = open_shop(effect=Idempotent(ttl=timedelta(hours=1)))
    shop.clock.advance(LATER)
    (answer,) = shop.guard.recover()
    assert isinstance(answer, Done)
    assert {line.split()[0] for line in books} | {key for _, _, key in shop.paid} == {answer.decision_id}
    assert shop.paid == [("A-1", Money.of("40", "USD"), answer.decision_id)]
    record = only_action(shop)
    assert (record.attempt, record.fence) == (2, 2)
    assert shop.usage(answer) == [(0, 4000), (0, 4000)]
    assert shop.guard.audit.verify().ok
    assert len(books) == effects


def test_an_idempotent_action_is_never_sent_past_its_ttl(die, open_shop):
    die("idempotent", "after_effect")
    shop = open_shop(effect=Idempotent(ttl=timedelta(hours=1)))
    shop.clock.advance(timedelta(hours=1))
    (answer,) = shop.guard.recover()
    assert isinstance(answer, InDoubt)
    assert shop.paid == []


@pytest.mark.parametrize("found, kind", [(True, Done), (False, InDoubt)])
def test_a_queryable_action_is_asked_about_and_nothing_found_counts_only_after_the_lag(die, open_shop, found, kind):
    die("queryable", "after_effect")
    asked = []

    def lookup(key, order_id):
        asked.append((key, order_id))
        return {"refund": "r-9"} if found else None

    shop = open_shop(effect=Queryable(lookup, settle_lag=timedelta(minutes=5)))
    shop.clock.advance(timedelta(seconds=10) + timedelta(minutes=5))
    (answer,) = shop.guard.recover()
    assert isinstance(answer, kind)
    assert asked[0] == (answer.decision_id, "A-1")
    if not found:
        shop.clock.advance(timedelta(microseconds=1))
        (answer,) = shop.guard.recover()
        assert isinstance(answer, NotDone)
        assert shop.usage(answer) == [(0, 0), (0, 0)]
    assert shop.paid == []


def test_a_lookup_that_fails_leaves_the_doubt(die, open_shop):
    die("queryable", "after_effect")
    shop = open_shop(effect=Queryable(lambda key: 1 / 0))
    shop.clock.advance(timedelta(days=1))
    assert isinstance(shop.guard.recover()[0], InDoubt)


def test_a_read_is_run_again(die, open_shop):
    die("read", "before_effect")
    shop = open_shop(effect=Read())
    shop.clock.advance(LATER)
    assert isinstance(shop.guard.recover()[0], Done)


def test_a_process_killed_after_the_record_leaves_nothing_to_do(die, open_shop):
    die("unprotected", "after_record")
    shop = open_shop()
    shop.clock.advance(LATER)
    assert shop.guard.recover() == []
    assert isinstance(shop.ask("40.00"), Done)
    assert shop.paid == []


@pytest.mark.law(3)
def test_the_same_key_after_a_crash_finds_out_instead_of_acting_again(die, open_shop):
    die("unprotected", "after_effect")
    shop = open_shop()
    shop.clock.advance(LATER)
    assert isinstance(shop.ask("40.00"), InDoubt)
    assert shop.paid == []


def test_an_action_whose_time_is_not_over_is_left_to_whoever_runs_it(die, open_shop):
    die("unprotected", "before_effect")
    shop = open_shop()
    assert shop.guard.recover() == []
    assert only_action(shop).state is State.EXECUTING


def test_nothing_is_sent_again_while_a_stop_is_pressed(die, open_shop):
    die("idempotent", "before_effect")
    shop = open_shop(effect=Idempotent(ttl=timedelta(days=1)))
    shop.guard.halt(by="maria", why="stop")
    shop.clock.advance(LATER)
    assert isinstance(shop.guard.recover()[0], InDoubt)
    assert shop.paid == []
    shop.guard.resume(by="maria", why="go on")
    assert isinstance(shop.guard.recover()[0], Done)


def test_a_late_truth_after_a_release_is_posted_with_an_alarm(open_shop):
    shop = open_shop()
    shop.acts = lambda *_: 1 / 0
    answer = shop.ask("40")
    shop.guard.resolve(answer.decision_id, done=False, by="maria", why="the provider says no")
    assert shop.usage(answer) == [(0, 0), (0, 0)]
    after = shop.guard.resolve(answer.decision_id, done=True, by="maria", why="it arrived after all")
    assert isinstance(after, Done)
    assert shop.usage(answer) == [(0, 4000), (0, 4000)]
    assert shop.guard.audit.show(after.entry).document["alarm"] is True
    assert shop.guard.audit.verify().ok


def test_resolve_needs_a_name_a_reason_and_a_doubt(open_shop):
    shop = open_shop()
    done = shop.ask("40")
    with pytest.raises(UsageError, match="in doubt"):
        shop.guard.resolve(done.decision_id, done=False, by="maria", why="x")
    with pytest.raises(UsageError, match="by"):
        shop.guard.resolve(done.decision_id, done=False, by="", why="x")
    with pytest.raises(NotFoundError):
        shop.guard.resolve("act_none", done=True, by="maria", why="x")


@pytest.mark.parametrize("early, kind", [(timedelta(microseconds=1), Done), (timedelta(0), InDoubt)])
def test_an_idempotent_action_is_sent_again_only_if_the_call_ends_before_the_receiver_forgets(
    die, open_shop, early, kind
):
    die("idempotent", "after_effect")
    shop = open_shop(effect=Idempotent(ttl=timedelta(hours=1)), timeout=timedelta(seconds=10))
    shop.clock.advance(timedelta(hours=1) - timedelta(seconds=10) - early)
    assert isinstance(shop.guard.recover()[0], kind)


def drive_to_the_call(shop, walking):
    """Drive a walk until it is about to call the tool; its process then stands still."""
    step, given = next(walking), None
    while not isinstance(step, Call):
        given = perform(shop.guard._parts, step)
        step = walking.send(given)
    return walking


def finish(shop, walking, outcome):
    step = walking.send(outcome)
    with pytest.raises(StopIteration) as end:
        walking.send(perform(shop.guard._parts, step))
    return end.value.value


@pytest.mark.law(3, 6)
def test_a_worker_that_comes_back_with_an_old_fence_raises_an_alarm_and_moves_nothing(open_shop):
    shop = open_shop(effect=Idempotent(ttl=timedelta(hours=1)))
    shop.guard.start()
    parts = shop.guard._parts
    asked = Proposal(
        "refund.issue", {"order_id": "A-1", "amount": "40", "reason": "late"}, Actor("bot"), "c-1", {}, "k", "default"
    )
    first = drive_to_the_call(shop, walk(parts, asked))
    shop.clock.advance(LATER)
    second = drive_to_the_call(shop, recovering(parts, only_action(shop)))
    answer = finish(shop, first, Outcome(OutcomeKind.DONE, {"refund": "r-1"}))
    assert isinstance(answer, InDoubt)
    entry = shop.guard.audit.show(answer.entry).document
    assert (entry["kind"], entry["alarm"], entry["outcome"], entry["reported_fence"]) == (
        "late_report",
        True,
        "done",
        1,
    )
    assert (only_action(shop).state, only_action(shop).fence) == (State.EXECUTING, 2)
    doubtful = finish(shop, second, Outcome(OutcomeKind.NOT_DONE))
    assert isinstance(doubtful, InDoubt), "what one attempt did not do, an earlier one may have done"
    assert shop.usage(doubtful) == [(4000, 0), (4000, 0)]
    assert shop.guard.audit.verify().ok


def test_a_worker_that_was_overtaken_does_not_call_its_tool(open_shop):
    shop = open_shop(effect=Idempotent(ttl=timedelta(hours=1)))
    shop.guard.start()
    parts = shop.guard._parts
    asked = Proposal(
        "refund.issue", {"order_id": "A-1", "amount": "40", "reason": "late"}, Actor("bot"), "c-1", {}, "k", "default"
    )
    walking = walk(parts, asked)
    step = next(walking)
    while not isinstance(step, Commit):
        step = walking.send(perform(parts, step))
    begun = perform(parts, step)
    shop.clock.advance(LATER)
    assert isinstance(shop.guard.recover()[0], Done)
    step = walking.send(begun)
    steps = []
    with pytest.raises(StopIteration) as end:  # noqa: PT012 - the walk ends when it ends
        while True:
            steps.append(type(step))
            step = walking.send(perform(parts, step))
    assert Call not in steps
    assert isinstance(end.value.value, Done)
    assert len(shop.paid) == 1
