"""What is drawn in the deciding transaction, and what an agent can do about it: nothing."""

import threading

import pytest

from agentguard import Denied, Done, Ready, Waiting
from agentguard.core.request import Actor, ActorKind
from agentguard.core.reviews import draw
from tests.engine.given import REFUNDS
from tests.reviews.conftest import documents, drawn, refund, reviewed

SECOND = """
agentguard: 1
policy: watched
version: 1
timezone: Europe/Berlin
currency: USD
otherwise: abstain
review: 100%, by action
actions:
  refund.issue: {order_id: text, amount: money, reason: [damaged, late, other]}
rules:
  - {id: nothing, then: deny, when: amount > 100000, say: No.}
"""


def test_what_the_rules_allow_and_deny_is_drawn_with_the_decision_and_told_in_its_entry(open_shop):
    shop = open_shop()
    allowed, denied = refund(shop, 1), refund(shop, 2, who="somebody else")
    assert (type(allowed), type(denied)) == (Done, Denied)
    assert shop.kinds(allowed) == ["decided", "review_drawn", "settled"]
    assert shop.kinds(denied) == ["decided", "review_drawn"]
    assert drawn(shop) == [allowed.decision_id, denied.decision_id]
    first, second = documents(shop, "review_drawn")
    made = draw(shop.guard._parts.vault.draw, "refunds", allowed.decision_id)
    assert (
        first
        | {
            "policy": "refunds",
            "version": 1,
            "how": "share",
            "review": made.case,
            "draw": made.value,
            "stratum": {},
            "period": {"unit": "week", "from": "2026-11-16"},
            "decision_entry": 2,
        }
        == first
    )
    assert [body["review"] for body in documents(shop, "decided")] == [["refunds"], ["refunds"]]
    cases = shop.guard.reviews.list()
    assert {(case.id, case.action_id, case.entry, case.verdict) for case in cases} == {
        (body["review"], body["action_id"], body["decision_entry"], None) for body in (first, second)
    }


def test_a_decision_that_was_not_drawn_says_that_there_was_a_draw_and_one_without_a_review_says_nothing(in_memory):
    asked = in_memory("0%, at least 1 a week")
    refund(asked, 1)
    assert [body["review"] for body in documents(asked, "decided")] == [[]]
    silent = in_memory(text=REFUNDS)
    refund(silent, 1)
    assert "review" not in documents(silent, "decided")[0]


def test_what_people_decide_or_ask_for_and_what_is_not_decided_yet_is_not_drawn(open_shop):
    shop = open_shop()
    waiting = refund(shop, 1, "60.00")
    assert isinstance(waiting, Waiting)
    shop.guard.escalations.approve(waiting.escalation.id, by="maria", reason_code="goodwill")
    assert isinstance(shop.guard.execute(waiting.decision_id), Done)
    assert isinstance(refund(shop, 2, agent=Actor("tom", kind=ActorKind.PERSON)), Done)
    assert isinstance(refund(shop, 3, "not an amount"), Denied)
    shop.broken.add("order")
    failed = refund(shop, 4)
    assert (type(failed), failed.may_retry) == (Denied, True)
    assert drawn(shop) == []
    shop.broken.clear()
    decided = refund(shop, 4)
    assert drawn(shop) == [decided.decision_id]


def test_a_rejected_escalation_and_an_amended_request_are_no_decisions_of_the_rules(in_memory):
    shop = in_memory()
    rejected, amended = refund(shop, 1, "60.00"), refund(shop, 2, "60.00")
    shop.guard.escalations.reject(rejected.escalation.id, by="maria", reason_code="fraud")
    ballot = shop.guard.escalations.amend(
        amended.escalation.id, {"amount": "20.00"}, by="maria", reason_code="goodwill"
    )
    assert isinstance(shop.guard.execute(ballot.action_id), Done)
    assert drawn(shop) == []


def test_asking_again_under_a_key_draws_no_second_time(open_shop):
    shop = open_shop()
    denied = refund(shop, 1, who="somebody else")
    for _ in range(3):
        assert refund(shop, 1, who="somebody else").replayed
    assert drawn(shop) == [denied.decision_id]


def test_what_is_held_first_and_begun_later_is_drawn_once_when_it_was_first_decided(in_memory):
    shop = in_memory()
    ready = refund(shop, 1, run=shop.guard.propose)
    assert isinstance(ready, Ready)
    assert isinstance(shop.guard.execute(ready.decision_id), Done)
    assert shop.kinds(ready) == ["decided", "review_drawn", "decided", "settled"]


def test_a_file_in_shadow_draws_nothing_and_each_enforced_one_draws_by_itself(in_memory):
    both = in_memory(text=[reviewed("100%, by agent"), SECOND])
    answer = refund(both, 1)
    assert isinstance(answer, Done)
    assert [(body["policy"], body["stratum"]) for body in documents(both, "review_drawn")] == [
        ("refunds", {"agent": "bot"}),
        ("watched", {"action": "refund.issue"}),
    ]
    assert documents(both, "decided")[0]["review"] == ["refunds", "watched"]
    shadow = in_memory(text=[REFUNDS, SECOND.replace("version: 1", "version: 1\nmode: shadow")])
    refund(shadow, 1)
    assert drawn(shadow) == []


def test_no_key_and_no_argument_that_an_agent_chooses_is_in_the_draw(in_memory):
    shop = in_memory("50%")
    answers = [shop.ask("1.00", key=f"chosen-{number % 2}-{number}") for number in range(60)]
    key = shop.guard._parts.vault.draw
    expected = [one.decision_id for one in answers if draw(key, "refunds", one.decision_id).takes(50_000)]
    assert drawn(shop) == expected
    assert 10 < len(expected) < 50  # 30 expected; five standard deviations are 19


def test_what_the_model_hears_does_not_say_whether_it_was_drawn(in_memory):
    watched, free = in_memory("100%"), in_memory("0%, at least 1 a week")
    heard = [refund(shop, 1).for_model() for shop in (watched, free)]
    assert [{**said, "decision_id": ""} for said in heard] == [{**heard[0], "decision_id": ""}] * 2
    assert "review" not in str(heard)


def test_many_that_decide_at_once_draw_each_action_once(open_shop):
    shop = open_shop()
    threads = [threading.Thread(target=refund, args=(shop, number % 4)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn(shop)) == len(set(drawn(shop))) == 4
    assert len(shop.guard.reviews.list()) == 4


@pytest.mark.law(8)
def test_a_drawn_decision_is_computed_again_with_the_same_result(in_memory):
    shop = in_memory()
    refund(shop, 1)
    assert shop.guard.audit.recompute(2).same
