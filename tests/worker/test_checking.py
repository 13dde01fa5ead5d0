"""What became of an action can be looked up, by whoever may know it, and nothing is stored by that."""

from datetime import timedelta

import pytest

from agentguard import (
    Denied,
    Done,
    InDoubt,
    Money,
    NotDone,
    NotDoneError,
    NotFoundError,
    Ready,
    StoreUnavailableError,
    Waiting,
)
from agentguard.store import Vault


def position(shop):
    return shop.guard.store.read(lambda reading: reading.position())


def refuse(*_):
    raise NotDoneError("closed")


@pytest.mark.parametrize(
    "amount, acts, expected",
    [("40", None, Done), ("600", None, Denied), ("60", None, Waiting), ("40", refuse, NotDone),
     ("40", lambda *_: 1 / 0, InDoubt)],
)  # fmt: skip
def test_it_says_what_the_same_key_would_and_stores_nothing(open_shop, amount, acts, expected):
    shop = open_shop()
    shop.acts = acts
    asked = shop.ask(amount)
    size = position(shop)
    answer = shop.guard.check(asked.decision_id)
    assert position(shop) == size
    assert type(answer) is expected
    assert (answer.decision_id, answer.status, answer.executed) == (asked.decision_id, asked.status, asked.executed)
    if expected is Done:
        assert answer.result == asked.result


def test_what_waits_says_whether_it_was_approved(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    assert shop.guard.check(asked.decision_id).approved is False
    shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    answer = shop.guard.check(asked.decision_id)
    assert answer.approved is True
    assert answer.for_model()["executed"] is False
    assert "approved it" in answer.for_model()["next_step"]


def test_what_is_late_is_passed_on_by_rounds_and_not_by_looking(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    shop.clock.advance(timedelta(hours=5))
    assert shop.guard.check(asked.decision_id).escalation == asked.escalation


def test_what_is_ready_or_under_way_says_so(open_shop):
    shop = open_shop()
    seen = []
    shop.acts = lambda order_id, amount, key: seen.append(shop.guard.check(key)) or {"refund": "r"}
    ready = shop.ask("40", run=shop.guard.propose)
    assert isinstance(shop.guard.check(ready.decision_id), Ready)
    shop.guard.execute(ready.decision_id)
    assert [(type(answer), answer.error, answer.executed) for answer in seen] == [(InDoubt, "in_progress", None)]


def test_another_customer_or_tenant_learns_nothing(open_shop):
    shop = open_shop()
    asked = shop.ask("40")
    assert shop.guard.check(asked.decision_id, on_behalf_of="c-1", tenant="default") == shop.guard.check(
        asked.decision_id
    )
    messages = set()
    for given in ({"on_behalf_of": "c-2"}, {"on_behalf_of": ""}, {"tenant": "other"}):
        with pytest.raises(NotFoundError) as raised:
            shop.guard.check(asked.decision_id, **given)
        messages.add(str(raised.value))
    with pytest.raises(NotFoundError) as raised:
        shop.guard.check("act_0")
    assert messages == {str(raised.value).replace("act_0", asked.decision_id)}


def test_what_an_approver_changed_answers_as_what_took_its_place(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    shop.guard.escalations.amend(asked.escalation.id, {"amount": "40"}, by="maria", reason_code="goodwill")
    assert shop.guard.check(asked.decision_id).error == "in_progress"
    shop.guard.work()
    answer = shop.guard.check(asked.decision_id, on_behalf_of="c-1")
    assert isinstance(answer, Done)
    assert answer.decision_id != asked.decision_id
    assert [str(amount) for _, amount, _ in shop.paid] == ["40.00 USD"]


def test_a_customer_who_comes_back_is_told_of_what_is_under_way_wherever_they_asked_for_it(open_shop):
    shop = open_shop()
    shop.orders["A-2"] = {"customer_id": "c-2", "total": Money.of("1000", "USD")}
    waits = shop.ask("60", key="chat", context={"conversation": "chat"})
    shop.clock.advance(timedelta(seconds=1))
    shop.ask("40", key="done", context={"conversation": "mail"})
    shop.ask("61", key="other", order_id="A-2", who="c-2", context={"conversation": "chat"})
    shop.ask("600", key="denied", context={"conversation": "chat"})
    shop.acts = lambda *_: 1 / 0
    doubt = shop.ask("39", key="doubt", context={"conversation": "phone"})
    size = position(shop)
    found = shop.guard.pending("c-1")
    assert position(shop) == size
    assert [(item.decision_id, item.status) for item in found] == [
        (doubt.decision_id, "in_doubt"),
        (waits.decision_id, "waiting"),
    ]
    shop.guard.escalations.approve(waits.escalation.id, by="maria", reason_code="within_policy")
    assert shop.guard.pending("c-1")[1].approved
    changed = shop.guard.pending("c-2")[0]
    ballot = shop.guard.escalations.amend(changed.escalation.id, {"amount": "51"}, by="maria", reason_code="goodwill")
    assert [item.decision_id for item in shop.guard.pending("c-2")] == [ballot.action_id]
    assert shop.guard.pending("nobody") == shop.guard.pending("") == shop.guard.pending("c-1", tenant="else") == ()
    shop.guard._parts.vault = Vault.open(None, lambda count: b"7" * count)
    with pytest.raises(StoreUnavailableError, match="keys file"):
        shop.guard.pending("c-1")
