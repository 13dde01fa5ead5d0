"""When a week is over: what too few were drawn of is topped up, once, by the smallest draws, whoever looks after it."""

import threading
from datetime import UTC, datetime, timedelta

from agentguard import policyfile
from agentguard.core.request import Actor
from agentguard.core.reviews import draw
from agentguard.engine.activation import activate
from agentguard.engine.periods import GRACE
from tests.engine.given import REFUNDS
from tests.reviews.conftest import documents, drawn, refund

SUNDAY_NIGHT = datetime(2026, 11, 22, 22, 59, 59, tzinfo=UTC)  # one second to midnight in Berlin
MONDAY = SUNDAY_NIGHT + timedelta(seconds=1)
WEEK = "0%, at least 2 a week, by agent"


def smallest(shop, answers, count):
    key = shop.guard._parts.vault.draw
    ids = [answer.decision_id for answer in answers]
    return set(sorted(ids, key=lambda name: draw(key, "refunds", name).value)[:count])


def test_each_kind_has_its_least_number_after_the_week_and_the_smallest_draws_make_it(open_shop):
    shop = open_shop(WEEK)
    mine = [refund(shop, number) for number in range(6)]
    others = [refund(shop, 10 + number, agent="other-bot") for number in range(1)]
    assert shop.guard.work().drawn == ()
    shop.clock.set(MONDAY + GRACE)
    found = shop.guard.work().drawn  # or it was the start's own round, which goes on in the background
    assert len(shop.guard.reviews.list()) == 3
    assert {case.id for case in shop.guard.reviews.list()} >= set(found)
    assert set(drawn(shop)) == smallest(shop, mine, 2) | {others[0].decision_id}
    assert {body["how"] for body in documents(shop, "review_drawn")} == {"least"}
    assert {body["period"]["from"] for body in documents(shop, "review_drawn")} == {"2026-11-16"}
    assert shop.guard.work().drawn == ()
    assert shop.guard.reviews.verify()


def test_a_week_is_ended_when_no_clock_can_go_back_into_it_and_not_before(in_memory):
    shop = in_memory(WEEK)
    refund(shop, 1)
    shop.clock.set(MONDAY + GRACE - timedelta(microseconds=1))
    assert shop.guard.work().drawn == ()
    shop.clock.advance(timedelta(microseconds=1))
    assert len(shop.guard.work().drawn) == 1


def test_a_decision_belongs_to_the_week_in_which_it_was_made_where_the_policy_is(in_memory):
    shop = in_memory("0%, at least 1 a week")
    shop.clock.set(SUNDAY_NIGHT)
    before = refund(shop, 1)
    shop.clock.set(MONDAY)
    after = refund(shop, 2)
    shop.clock.advance(GRACE)
    shop.guard.work()
    assert drawn(shop) == [before.decision_id]
    shop.clock.advance(timedelta(days=7))
    shop.guard.work()
    assert drawn(shop) == [before.decision_id, after.decision_id]


def test_what_the_share_drew_counts_and_nothing_is_added_where_it_is_enough(in_memory):
    shop = in_memory("100%, at least 2 a week")
    for number in range(3):
        refund(shop, number)
    shop.clock.advance(timedelta(days=8))
    assert shop.guard.work().drawn == ()
    assert len(drawn(shop)) == 3


def test_only_what_lacks_is_drawn_beside_what_the_share_drew(in_memory):
    shop = in_memory("50%, at least 10 a week")
    for number in range(20):
        refund(shop, number)
    by_share = len(drawn(shop))
    shop.clock.advance(timedelta(days=8))
    assert len(shop.guard.work().drawn) == max(0, 10 - by_share)
    assert len(set(drawn(shop))) == max(10, by_share)
    assert shop.guard.reviews.verify()


def test_days_are_ended_one_by_one_and_many_at_once_after_a_while(in_memory):
    shop = in_memory("0%, at least 1 a day")
    answers = []
    for number in range(3):
        answers.append(refund(shop, number))
        shop.clock.advance(timedelta(days=2))
    assert len(shop.guard.work().drawn) == 3
    assert drawn(shop) == [answer.decision_id for answer in answers]
    assert shop.guard.reviews.verify()


def test_two_workers_top_a_week_up_once(open_shop):
    one = open_shop(WEEK)
    for number in range(5):
        refund(one, number)
    one.clock.advance(timedelta(days=8))
    workers = [open_shop(WEEK, clock=one.clock) for _ in range(3)]
    found = []
    together = threading.Barrier(3)

    def work(shop):
        together.wait()
        found.extend(shop.guard.work().drawn)

    threads = [threading.Thread(target=work, args=(shop,)) for shop in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # One that lost looks again in its next round.
    for shop in workers:
        found.extend(shop.guard.work().drawn)
    assert len(found) == len(set(found)) == 2 == len(drawn(one))


def test_a_week_that_a_policy_asked_for_is_ended_after_the_policy_has_stopped_asking(in_memory):
    shop = in_memory("0%, at least 1 a week")
    answer = refund(shop, 1)
    later = policyfile.load_text(REFUNDS.replace("version: 1", "version: 2", 1), "refunds.yaml")
    activate(shop.guard._parts, policyfile.bundle_of([later]), "default", by="tom", why="no more reviews")
    refund(shop, 2)
    shop.clock.advance(timedelta(days=8))
    shop.guard.work()
    assert drawn(shop) == [answer.decision_id]
    assert shop.guard.reviews.verify()


def test_tenants_have_their_own_least_number(open_shop):
    shop = open_shop("0%, at least 1 a week")
    answers = [refund(shop, number, tenant=tenant) for number, tenant in enumerate(("north", "south", "south"))]
    shop.clock.advance(timedelta(days=8))
    shop.guard.work()
    assert len(drawn(shop)) == 2
    assert answers[0].decision_id in drawn(shop)
    assert [case.action_id for case in shop.guard.reviews.list(tenant="north")] == [answers[0].decision_id]


def test_a_flood_by_one_agent_takes_nothing_from_what_is_drawn_of_another(in_memory):
    shop = in_memory(WEEK)
    rare = [refund(shop, number, agent=Actor("careful-bot")) for number in range(2)]
    for number in range(10, 60):
        refund(shop, number, who="somebody else", agent="flood-bot")
    shop.clock.advance(timedelta(days=8))
    shop.guard.work()
    assert {answer.decision_id for answer in rare} <= set(drawn(shop))


def test_a_guard_whose_policies_ask_for_nothing_draws_nothing(in_memory):
    shop = in_memory(text=REFUNDS)
    refund(shop, 1)
    shop.clock.advance(timedelta(days=8))
    assert shop.guard.work().drawn == ()
