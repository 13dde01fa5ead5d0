"""A customer's yes is to exactly one request, in time, and for one action."""

import threading
from datetime import timedelta

import pytest

from agentguard import Denied, Done, KeyConflictError, Money, NotDoneError, UsageError, Waiting
from agentguard.errors import PolicyError
from agentguard.policyfile import load_text
from tests.customers.conftest import CONFIRMED
from tests.engine.given import REFUNDS

WORDS = "Yes, please refund it."


def confirm(shop, amount="40.00", *, who="c-1", order_id="A-1", reason="late", **more):
    arguments = {"order_id": order_id, "amount": amount, "reason": reason}
    return shop.guard.confirm(
        "refund.issue", arguments, on_behalf_of=who, words=more.pop("words", WORDS), by="web-form", **more
    )


def test_without_a_yes_it_is_denied_and_the_model_is_told_to_ask_for_one(open_shop):
    shop = open_shop()
    answer = shop.ask()
    assert isinstance(answer, Denied)
    heard = answer.for_model()
    assert heard["reason_code"] == "not_confirmed"
    assert "ask for a yes" in heard["next_step"]
    assert shop.paid == []


def test_after_the_yes_the_same_call_is_done(open_shop):
    shop = open_shop()
    assert isinstance(shop.ask(), Denied)
    confirm(shop)
    answer = shop.ask()
    assert isinstance(answer, Done)
    decided = next(item for item in shop.guard.audit.of(answer.decision_id) if item.kind == "decided")
    assert decided.document["requirements"] == {"refunds/said-yes": shop.guard.audit.list(kind="confirmed")[0].pos}


@pytest.mark.parametrize(
    "other",
    [{"amount": "40.01"}, {"order_id": "A-2"}, {"who": "c-2"}, {"arguments": {"reason": "damaged"}}],
    ids=["amount", "order", "customer", "reason"],
)
def test_whatever_the_agent_changes_takes_another_yes(open_shop, other):
    shop = open_shop()
    shop.orders["A-1"] = shop.orders["A-2"] = {"customer_id": other.get("who", "c-1"), "total": Money.of("100", "USD")}
    confirm(shop)
    answer = shop.ask(**other)
    assert answer.reason_code == "not_confirmed"
    assert shop.paid == []


def test_a_yes_is_for_one_action(open_shop):
    shop = open_shop()
    confirm(shop)
    assert isinstance(shop.ask("20.00", key="k-0"), Denied)
    assert isinstance(shop.ask(key="k-1"), Done)
    assert isinstance(shop.ask(key="k-1"), Done)
    assert shop.ask(key="k-2").reason_code == "not_confirmed"
    confirm(shop)
    assert isinstance(shop.ask(key="k-2"), Done)
    assert len(shop.paid) == 2


def test_of_many_at_once_one_has_the_yes(open_shop):
    shop = open_shop()
    confirm(shop)
    answers = []
    threads = [threading.Thread(target=lambda n=n: answers.append(shop.ask(key=f"k-{n}"))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shop.paid) == 1
    assert sum(isinstance(answer, Done) for answer in answers) == 1


def test_a_yes_counts_up_to_its_time_and_not_a_moment_longer(open_shop):
    shop = open_shop()
    confirm(shop)
    shop.clock.advance(timedelta(minutes=10))
    assert isinstance(shop.ask(), Done)
    confirm(shop, "41.00")
    shop.clock.advance(timedelta(minutes=10, microseconds=1))
    assert shop.ask("41.00", key="k-2").reason_code == "not_confirmed"


def test_the_clock_does_not_run_against_the_customer_while_people_think(open_shop):
    shop = open_shop()
    confirm(shop, "60.00")
    waiting = shop.ask("60.00")
    assert isinstance(waiting, Waiting)
    shop.clock.advance(timedelta(hours=3))
    shop.guard.escalations.approve(waiting.escalation.id, by="maria", reason_code="within_policy")
    assert isinstance(shop.ask("60.00"), Done)


def test_what_is_held_for_later_keeps_its_yes_until_it_is_executed(open_shop):
    shop = open_shop()
    confirm(shop)
    ready = shop.ask(run=shop.guard.propose)
    assert ready.status == "ready"
    assert shop.ask(key="k-2").reason_code == "not_confirmed"
    assert isinstance(shop.guard.execute(ready.decision_id), Done)


def test_what_was_not_done_takes_another_yes(open_shop):
    def refuse(*_):
        raise NotDoneError

    shop = open_shop()
    shop.acts = refuse
    confirm(shop)
    assert shop.ask().status == "not_done"
    shop.acts = None
    assert shop.ask(key="k-2").reason_code == "not_confirmed"


def test_the_words_are_sealed_and_the_record_says_who_took_them_down_where(open_shop):
    shop = open_shop()
    made = confirm(shop, channel="chat")
    entry = shop.guard.audit.list(kind="confirmed")[0]
    assert b"please refund" not in entry.body
    assert (entry.pos, entry.at, entry.document["by"], entry.document["channel"]) == (
        made.entry,
        made.at,
        "web-form",
        "chat",
    )
    assert entry.document["arguments"] == {"order_id": "A-1", "amount": "40.00 USD", "reason": "late"}
    done = shop.ask()
    assert shop.guard.audit.verify().ok
    decided = next(item for item in shop.guard.audit.of(done.decision_id) if item.kind == "decided")
    assert shop.guard.audit.recompute(decided.pos).same


def test_a_form_that_is_sent_twice_is_one_yes(open_shop):
    shop = open_shop()
    first = confirm(shop, key="form-7")
    assert isinstance(shop.ask(), Done)
    assert confirm(shop, key="form-7") == first
    assert shop.ask(key="k-2").reason_code == "not_confirmed"
    with pytest.raises(KeyConflictError, match="form-7"):
        confirm(shop, "99.00", key="form-7")


@pytest.mark.parametrize(
    "wrong, says",
    [
        ({"who": ""}, "the customer who said yes"),
        ({"amount": "-5"}, "amount"),
        ({"words": " "}, "got nothing"),
    ],
)
def test_a_yes_that_cannot_be_understood_is_refused_with_what_is_wrong(open_shop, wrong, says):
    shop = open_shop()
    with pytest.raises(UsageError, match=says):
        confirm(shop, **wrong)
    assert shop.guard.audit.list(kind="confirmed") == ()


def test_a_yes_to_what_nothing_governs_is_refused(open_shop):
    shop = open_shop()
    with pytest.raises(UsageError, match="that a policy governs"):
        shop.guard.confirm("gift.send", {}, on_behalf_of="c-1", words=WORDS, by="web-form")


def test_where_the_policy_says_so_people_are_asked_instead(open_shop):
    shop = open_shop(text=CONFIRMED.replace("else: deny}", "else: escalate to lead}"))
    waiting = shop.ask()
    assert isinstance(waiting, Waiting)
    shop.guard.escalations.approve(waiting.escalation.id, by="tom", reason_code="heard_the_yes")
    assert isinstance(shop.ask(), Done)


@pytest.mark.parametrize(
    "line, says",
    [
        ("{id: y, confirmed: this request, action: identity.verify, same: [on_behalf_of], else: deny}", "stands alone"),
        ("{id: y, confirmed: yes, else: deny}", "this request"),
        ("{id: y, else: deny}", "`action` and `same` is missing"),
        ("{id: y, action: identity.verify, else: deny}", "`same` is missing"),
    ],
)
def test_a_requirement_says_either_an_action_or_the_customers_yes(line, says):
    with pytest.raises(PolicyError, match=says):
        load_text(f"{REFUNDS}requires:\n  - {line}\n", "refunds.yaml")
