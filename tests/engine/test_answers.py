"""What a model hears: the same keys every time, what was executed said outright, and no thresholds (law 15)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agentguard import Done, InDoubt, Money, NotDoneError, Unavailable
from tests.engine.given import REFUNDS

KEYS = {"status", "executed", "retryable", "decision_id", "reason_code", "say_to_customer", "next_step"}


@pytest.fixture
def answers(open_shop):
    """One answer of every kind."""
    shop = open_shop()
    shop.orders["A-9"] = {"customer_id": "c-1", "total": Money.of("9", "USD")}
    found = {
        "done": shop.ask(key="done"),
        "already_done": shop.ask(key="done"),
        "waiting": shop.ask("60", key="waiting", order_id="A-2"),
        "denied": shop.ask(key="denied", who="c-2"),
    }
    shop.acts = lambda *_: (_ for _ in ()).throw(NotDoneError)
    found["not_done"] = shop.ask(key="not_done", order_id="A-3")
    shop.acts = lambda *_: 1 / 0
    found["in_doubt"] = shop.ask(key="in_doubt", order_id="A-4")
    found["unavailable"] = Unavailable(decision_id="", action="refund.issue", cause="store")
    found["threshold"] = shop.ask("30", key="threshold", order_id="A-9")
    return found


def test_every_answer_has_the_same_keys_and_says_what_was_executed(answers):
    for status, answer in answers.items():
        heard = answer.for_model()
        assert set(heard) - {"reason"} == KEYS
        assert heard["status"] == ("denied" if status == "threshold" else status)
        assert heard["executed"] is {"done": True, "already_done": True, "in_doubt": None}.get(status, False)
        assert heard["retryable"] is (status == "unavailable")


@pytest.mark.law(15)
def test_no_answer_tells_a_threshold_a_rule_or_what_is_left_unless_the_rule_says_so(answers):
    for status, answer in answers.items():
        heard = str({key: value for key, value in answer.for_model().items() if key != "decision_id"})
        for secret in ("50", "300", "100", "refunds/", "small", "medium", "Only"):
            assert (secret in heard) is (status == "threshold" and secret == "Only"), (status, secret, heard)
    assert answers["threshold"].for_model()["reason"] == "Only 9.00 USD left."


def test_words_for_the_customer_come_from_the_policy(answers):
    assert answers["denied"].for_model()["say_to_customer"] == "I can only help with your own orders."
    assert answers["threshold"].say == "I can't refund that amount on this order."


def test_an_answer_reads_as_a_sentence(answers):
    assert str(answers["denied"]) == "refund.issue: denied: rule_matched (refunds/not-theirs)"
    assert str(answers["done"]) == "refund.issue: done"
    asked = answers["waiting"].escalation
    until = f"until {asked.due:%Y-%m-%d %H:%M} UTC ({asked.id})"
    assert (
        str(answers["waiting"]) == f"refund.issue: waiting: rule_matched (refunds/medium); for 1 of group:leads {until}"
    )
    assert str(replace(answers["waiting"], approved=True)) == "refund.issue: waiting: approved, not done yet"
    assert str(answers["not_done"]) == "refund.issue: not_done: NotDoneError"
    assert str(answers["in_doubt"]) == "refund.issue: in_doubt: ZeroDivisionError"


def test_a_refusal_says_what_was_missing_and_what_was_wrong(open_shop):
    shop = open_shop()
    wrong = str(shop.ask("nine", key="wrong"))
    assert wrong.startswith("refund.issue: denied: arguments_invalid; `amount`: expected an amount of USD")
    shop.broken.add("order")
    assert "cannot_evaluate (refunds/not-theirs: `order.customer_id` could not be looked up)" in str(shop.ask(key="b"))


def test_answers_match_by_their_class(answers):
    match answers["done"]:
        case Done(result={"refund": refund}):
            assert refund == "r-1"
        case _:
            pytest.fail("a done answer has its result")
    assert isinstance(answers["in_doubt"], InDoubt)


def test_an_expired_rule_that_loosens_falls_silent_on_its_day(open_shop):
    text = REFUNDS.replace("    because: A refund of {amount}.\n", "    because: A refund.\n    expires: 2026-11-23\n")
    shop = open_shop(text=text)
    assert isinstance(shop.ask("10", key="k-1"), Done)
    shop.clock.advance(timedelta(hours=13))
    assert shop.ask("10", key="k-2").reason_code == "no_rule_matched"
