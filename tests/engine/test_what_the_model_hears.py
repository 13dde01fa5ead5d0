"""Law 15: the words for the model hold nothing that it could work against."""

import json

import pytest

from agentguard import Money
from tests.engine.given import REFUNDS

KEYS = {"status", "executed", "retryable", "decision_id", "reason_code", "say_to_customer", "next_step"}
RULES = ["small", "medium", "large", "not-theirs", "staff", "more-than-left", "refunds/", "leads", "maria"]


def order(total, customer="c-1"):
    return {"customer_id": customer, "total": Money.of(total, "USD")}


def words_of(answer):
    """All that the model reads, without the random id."""
    return json.dumps(answer.for_model()).replace(answer.decision_id, "")


@pytest.mark.law(15)
@pytest.mark.parametrize("amount, who", [("50.01", "c-1"), ("500.01", "c-1"), ("20", "c-2")])
def test_no_threshold_and_no_rule_reaches_the_model(open_shop, amount, who):
    shop = open_shop()
    shop.orders["A-9"] = order("1000")
    answer = shop.ask(amount, order_id="A-9", who=who)
    assert not answer.executed
    assert [word for word in [*RULES, "50", "300", "1000"] if word in words_of(answer)] == []


@pytest.mark.law(15)
def test_what_a_limit_has_left_is_not_told_and_the_record_knows_it(open_shop):
    shop = open_shop()
    shop.orders["A-2"] = order("1000")
    for number in range(6):
        assert shop.ask("49", key=f"k-{number}", order_id="A-2").executed
    answer = shop.ask("12.34", key="last", order_id="A-2")
    assert answer.status == "waiting"
    assert [word for word in ("300", "294", "6.00", "12.34", "30-days") if word in words_of(answer)] == []
    assert answer.reasons[0].source == "refunds/customer-30-days"


@pytest.mark.law(15)
def test_a_rule_that_discloses_its_threshold_is_told_and_only_that_one(open_shop):
    shop = open_shop()
    shop.orders.update({"A-3": order("30"), "A-4": order("1000", "c-9")})
    told = shop.ask("40", order_id="A-3").for_model()
    assert told["reason"] == "Only 30.00 USD left."
    assert told["say_to_customer"] == "I can't refund that amount on this order."
    assert "reason" not in shop.ask("40", order_id="A-4", key="k-2").for_model()


def test_every_answer_has_the_same_keys_and_says_whether_it_ran(open_shop):
    shop = open_shop()
    shop.orders["A-1"] = order("100")
    told = [shop.ask(amount, key=f"k-{amount}").for_model() for amount in ("40", "60", "600")]
    assert [KEYS - set(one) for one in told] == [set(), set(), set()]
    assert [one["executed"] for one in told] == [True, False, False]
    assert [one["status"] for one in told] == ["done", "waiting", "denied"]


def test_the_words_of_a_wait_are_said_while_it_waits_and_not_when_people_have_decided(open_shop):
    shop = open_shop(text=REFUNDS.replace("then: escalate to lead", "then: escalate to lead\n    say: Maria looks.", 1))
    shop.orders["A-1"] = order("100")
    yes, no = shop.ask("60", key="k-1"), shop.ask("61", key="k-2")
    assert [answer.for_model()["say_to_customer"] for answer in (yes, no)] == ["Maria looks.", "Maria looks."]
    shop.guard.escalations.approve(yes.escalation.id, by="maria", reason_code="goodwill")
    assert shop.guard.check(yes.decision_id).say == "Maria looks."
    shop.guard.escalations.reject(no.escalation.id, by="maria", reason_code="not_entitled")
    for key, amount, status in (("k-1", "60", "done"), ("k-2", "61", "denied")):
        heard = [shop.ask(amount, key=key), shop.ask(amount, key=key)]
        heard.append(shop.guard.check(heard[0].decision_id))
        assert [(answer.status, answer.for_model()["say_to_customer"]) for answer in heard] == [(status, "")] * 3
    assert "that it was not done" in shop.guard.check(no.decision_id).for_model()["next_step"]
    assert "what was said here" in shop.ask("20", key="k-3", who="c-2").for_model()["next_step"]
