"""A customer's copy: everything that is recorded about them, readable, recorded, and nobody else's data in it."""

import pytest

from agentguard.core.people import People, User
from agentguard.errors import PowerRefusedError
from tests.privacy.conftest import WHO
from tests.privacy.test_erasing import EMAIL, TOLD, customer, erase


def about(at, who="c-1", **more):
    (found,) = at.guard.privacy.about(who, **{**WHO, **more})
    return found


def test_the_copy_has_everything_in_words_and_as_json(opened):
    at = opened()
    answer = customer(at)
    arguments = {"order_id": "A-1", "amount": "40.00", "reason": "late"}
    at.guard.confirm(
        "refund.issue", arguments, on_behalf_of="c-1", words="Yes please", by="form", context={"conversation": "t"}
    )
    denied = customer(at, key="k-2", amount="99.00")
    copy = about(at)
    text, document = copy.as_text(), copy.as_json()
    expected = {
        "c-1", EMAIL, TOLD, "Yes please", answer.decision_id, denied.decision_id, "40.00", "Only 60.00 USD left.",
        "I can't refund that amount on this order.", "What the support agent may refund without a person.", "r-1",
        "refunds/more-than-left", "allowed", "denied",
    }  # fmt: skip
    flat = " ".join(text.split())
    assert {words for words in expected if words not in flat} == set()
    said = str(document)
    assert {words for words in (EMAIL, TOLD, "Yes please", "r-1", "Only 60.00 USD left.") if words not in said} == set()
    assert [item["state"] for item in document["records"]] == ["settled", "denied", "confirmed"]


def test_that_it_was_made_is_recorded_with_everything_that_was_opened(opened_here):
    at = opened_here()
    customer(at)
    about(at)
    look = at.guard.audit.list(kind="personal_read")[0].document
    assert look["where"] == "subject access"
    assert set(look["fields"]) == {"facts.customer.email", "on_behalf_of", "result", "told.words"}
    assert about(at).looks[0]["where"] == "subject access"


def test_whoever_may_not_read_what_is_personal_gets_no_copy(opened_here):
    at = opened_here()
    customer(at)
    with pytest.raises(PowerRefusedError):
        about(at, by="eve")


def test_nothing_of_others_is_in_it_and_no_names_of_who_decided(opened_here):
    users = {name: User(name, name.title(), frozenset({name})) for name in ("ada", "kim")}
    at = opened_here(People(users, {"leads": frozenset({"kim"}), "finance": frozenset()}, allow_unverified=True))
    waiting = customer(at, amount="60.00")
    at.guard.escalations.approve(waiting.escalation.id, by="kim", reason_code="goodwill", note="a good customer")
    at.guard.execute(waiting.decision_id)
    at.ask(who="c-2", key="k-2")
    copy = about(at)
    text, document = copy.as_text(), str(copy.as_json())
    for words in (text, document):
        assert "c-2" not in words
        assert "kim" not in words
        assert "a person" in words
    assert "a good customer" in document


def test_what_was_erased_stands_as_erased(opened):
    at = opened()
    answer = customer(at)
    pseudonym = at.guard.audit.of(answer.decision_id)[0].document["on_behalf_of"]
    erase(at)
    copy = about(at, pseudonym)
    assert copy.customer is None
    assert {"facts.customer.email", "told.words"} <= set(copy.erased)
    assert EMAIL not in copy.as_text()
    assert [item["kind"] for item in copy.erasures] == ["erasing", "erased"]
