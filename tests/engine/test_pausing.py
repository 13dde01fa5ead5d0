"""The time of a stop does not count: leases of what is held, and people's deadlines, stand still meanwhile."""

from datetime import timedelta

import pytest

from agentguard import Denied, Done, Ready, UsageError, Waiting
from agentguard.core.lifecycle import State
from agentguard.engine.parts import Waits
from agentguard.engine.pausing import paused

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
READY = timedelta(minutes=15)
ROUTE = timedelta(hours=4)


def halt(shop, target="all"):
    shop.guard.halt(target, by="maria", why="something is wrong")


def resume(shop, target="all"):
    assert shop.guard.resume(target, by="maria", why="it is right again")


def stop_for(shop, span, target="all"):
    halt(shop, target)
    shop.clock.advance(span)
    resume(shop, target)


@pytest.mark.parametrize("late, expired", [(timedelta(0), False), (MICROSECOND, True)])
def test_what_is_held_and_not_begun_expires_after_its_lease_and_nobody_needs_to_have_asked(open_shop, late, expired):
    shop = open_shop()
    ready = shop.ask(run=shop.guard.propose)
    assert ready.until == shop.clock() + READY
    shop.clock.advance(READY + late)
    assert [type(answer) for answer in shop.guard.recover()] == ([Denied] if expired else [])
    assert shop.usage(ready) == ([(0, 0), (0, 0)] if expired else [(4000, 0), (4000, 0)])


@pytest.mark.parametrize("late, expired", [(timedelta(0), False), (MICROSECOND, True)])
def test_a_lease_stands_still_while_everything_is_stopped(open_shop, late, expired):
    shop = open_shop()
    ready = shop.ask(run=shop.guard.propose)
    shop.clock.advance(5 * MINUTE)
    stop_for(shop, timedelta(days=3))
    shop.clock.advance(10 * MINUTE + late)
    assert [type(answer) for answer in shop.guard.recover()] == ([Denied] if expired else [])
    assert isinstance(shop.guard.execute(ready.decision_id), Denied if expired else Done)


def test_a_lease_that_was_over_before_the_stop_stays_over(open_shop):
    shop = open_shop()
    ready = shop.ask(run=shop.guard.propose)
    shop.clock.advance(READY + MICROSECOND)
    halt(shop)
    shop.clock.advance(timedelta(days=1))
    assert isinstance(shop.guard.recover()[0], Denied)
    assert shop.state(ready) == "denied"


def test_what_is_held_is_not_released_by_a_round_or_a_repeated_key_while_it_is_stopped(open_shop):
    shop = open_shop()
    ready = shop.ask(run=shop.guard.propose)
    halt(shop, "action:refund.issue")
    shop.clock.advance(timedelta(days=1))
    assert shop.guard.recover() == []
    again = shop.ask(run=shop.guard.propose)
    assert isinstance(again, Ready)
    assert again.until == ready.until + timedelta(days=1)
    refused = shop.ask()
    assert (type(refused), refused.reason_code, refused.may_retry) == (Denied, "halted", True)
    resume(shop, "action:refund.issue")
    assert isinstance(shop.ask(), Done)


@pytest.mark.parametrize("late, passed_on", [(-MICROSECOND, False), (timedelta(0), True)])
@pytest.mark.parametrize("stopped", [timedelta(0), timedelta(days=2)])
def test_a_route_that_nobody_answers_is_passed_on_when_its_time_without_stops_is_over(
    open_shop, late, passed_on, stopped
):
    shop = open_shop()
    waiting = shop.ask("60")
    shop.clock.advance(ROUTE / 2)
    stop_for(shop, stopped)
    shop.clock.advance(ROUTE / 2 + late)
    answers = shop.guard.recover()
    assert [type(answer) for answer in answers] == ([Waiting] if passed_on else [])
    assert ("passed_on" in shop.kinds(waiting)) is passed_on
    if passed_on:
        assert answers[0].escalations[0].due == shop.clock() + timedelta(days=1), "its own time begins now"


def test_a_vote_in_time_that_was_late_only_by_a_stop_counts(open_shop):
    shop = open_shop()
    waiting = shop.ask("60")
    shop.clock.advance(ROUTE - MINUTE)
    stop_for(shop, timedelta(days=1), "agent:bot")
    (listed,) = shop.guard.escalations.list()
    assert listed.due_at == shop.guard.escalations.show(listed.id).record.due_at == shop.clock() + MINUTE
    shop.guard.escalations.approve(waiting.escalation.id, by="maria", reason_code="within_policy")
    assert isinstance(shop.ask("60"), Done)


def test_a_vote_after_the_time_and_the_stop_is_late(open_shop):
    shop = open_shop()
    waiting = shop.ask("60")
    stop_for(shop, timedelta(days=1))
    shop.clock.advance(ROUTE)
    with pytest.raises(UsageError, match="late"):
        shop.guard.escalations.approve(waiting.escalation.id, by="maria", reason_code="within_policy")
    assert "passed_on" in shop.kinds(waiting)
    assert shop.guard.audit.verify().ok


DESK = """
agentguard: 1
policy: desk
version: 1
owner: desk@acme.example
timezone: UTC
currency: USD
actions:
  refund.issue:
    order_id: text
    amount: money
    reason: [damaged, late, other]
otherwise: abstain
escalations:
  desk: {who: "group:none", within: 6 hours, if_late: deny}
rules:
  - {id: all, then: escalate to desk, when: amount > 50}
"""


def test_of_two_routes_only_the_late_one_is_passed_on_and_the_other_keeps_what_it_has_left(open_shop, monkeypatch):
    from tests.engine import given

    monkeypatch.setattr(given, "bundle", lambda text, bundled=given.bundle: bundled(text, DESK))
    shop = open_shop()
    waiting = shop.ask("60")
    began = shop.clock()
    stop_for(shop, timedelta(days=1))
    shop.clock.advance(ROUTE)
    (passed,) = shop.guard.recover()
    assert waiting.decision_id == passed.decision_id
    dues = {item.route: item.due for item in passed.escalations}
    assert dues["desk/desk"] == began + timedelta(days=1, hours=6)
    assert dues["refunds/finance"] == shop.clock() + timedelta(days=1)


def test_votes_do_not_grow_old_while_it_is_stopped(open_shop):
    shop = open_shop(waits=Waits(approval=timedelta(hours=1)))
    waiting = shop.ask("60")
    shop.guard.escalations.approve(waiting.escalation.id, by="maria", reason_code="within_policy")
    stop_for(shop, timedelta(days=1))
    shop.clock.advance(timedelta(hours=1))
    assert isinstance(shop.ask("60"), Done)


def test_the_stop_of_another_agent_or_action_moves_no_deadline(open_shop):
    shop = open_shop()
    shop.ask(run=shop.guard.propose)
    for target in ("agent:another", "action:identity.verify"):
        stop_for(shop, READY, target)
    assert isinstance(shop.guard.recover()[0], Denied)


def test_stops_that_overlap_count_once(open_shop):
    shop = open_shop()
    began = shop.clock()
    shop.ask(run=shop.guard.propose)
    (record,) = shop.guard.store.read(lambda r: r.actions(State.READY))
    script = [(1, halt, "all"), (2, halt, "agent:bot"), (3, halt, "all"), (4, resume, "all"), (6, halt, "agent:else")]
    script += [(7, resume, "agent:bot"), (9, halt, "action:refund.issue"), (10, resume, "action:refund.issue")]
    for minute, press, target in script:
        shop.clock.set(began + minute * MINUTE)
        press(shop, target)
    shop.clock.set(began + 20 * MINUTE)
    halt(shop)

    def lost(since, now):
        return shop.guard.store.read(lambda r: paused(r, record, began + since * MINUTE, began + now * MINUTE))

    assert lost(0, 20) == 7 * MINUTE
    shop.clock.advance(5 * MINUTE)
    assert lost(0, 25) == 12 * MINUTE
    assert lost(5, 25) == (2 + 1 + 5) * MINUTE, "a stop from before goes on"
    assert lost(21, 25) == 4 * MINUTE


@pytest.mark.law(6)
def test_what_has_begun_is_not_waited_for_longer_because_of_a_stop(open_shop):
    """The world outside does not stand still: the deadline of a tool, and what its receiver remembers, run on."""
    from tests.engine.test_leases import abandon

    shop = open_shop()
    abandon(shop)
    halt(shop)
    shop.clock.advance(timedelta(minutes=1))
    assert shop.state(shop.guard.recover()[0]) == "in_doubt"
