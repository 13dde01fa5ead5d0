"""What customers were really told, and what the host tells the people who decide."""

import pytest

from agentguard import Actor, KeyConflictError, NotFoundError, UsageError
from agentguard.engine.told import told
from agentguard.errors import PolicyError
from agentguard.policyfile import load_text
from tests.engine.given import REFUNDS

WORDS = "I have passed your refund to a colleague.\nYou will hear from us today."


def tellings(shop, answer):
    return shop.guard.store.read(lambda reading: list(told(shop.guard._parts, reading, answer.decision_id)))


def test_what_was_said_is_on_record_word_for_word_and_sealed(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    shop.guard.told(asked.decision_id, WORDS, by="bot", channel="chat")
    entry = shop.guard.audit.list(kind="told")[0]
    assert b"colleague" not in entry.body
    assert (entry.document["by"], entry.document["by_kind"], entry.document["state"]) == ("bot", "agent", "waiting")
    assert [(item.words, item.by, item.channel, item.at) for item in tellings(shop, asked)] == [
        (WORDS, "bot", "chat", entry.at)
    ]
    assert shop.guard.audit.verify().ok


def test_the_same_words_are_recorded_once_and_others_beside_them(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    first = shop.guard.told(asked.decision_id, WORDS, by="bot")
    assert shop.guard.told(asked.decision_id, WORDS, by="bot") == first
    shop.guard.told(asked.decision_id, WORDS, by="maria", channel="letter")
    shop.guard.told(asked.decision_id, "Sorry for the wait.", by=Actor("tom", kind="person"), key="n-2")
    assert [(item.by, item.by_kind) for item in tellings(shop, asked)] == [
        ("bot", "agent"),
        ("maria", "person"),
        ("tom", "person"),
    ]


def test_a_key_names_one_telling(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    first = shop.guard.told(asked.decision_id, WORDS, by="bot", key="n-1")
    assert shop.guard.told(asked.decision_id, WORDS, by="bot", key="n-1") == first
    assert shop.guard.told(asked.decision_id, WORDS, by="bot", key="n-2").entry > first.entry
    with pytest.raises(KeyConflictError, match="n-1"):
        shop.guard.told(asked.decision_id, "Something else.", by="bot", key="n-1")


def test_what_was_said_is_gone_with_the_customers_key(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    shop.guard.told(asked.decision_id, WORDS, by="bot")
    shop.guard._parts.vault.erase(shop.guard.audit.action(asked.decision_id).on_behalf_of)
    assert [item.words for item in tellings(shop, asked)] == [None]
    assert shop.guard.audit.verify().ok


@pytest.mark.parametrize(
    "how", [{"words": ""}, {"words": " \n"}, {"words": None}, {"words": "x" * 10_001}, {"by": ""}, {"channel": "a\nb"}]
)
def test_nothing_said_or_nobody_who_says_it_is_refused_and_nothing_is_written(open_shop, how):
    shop = open_shop()
    asked = shop.ask("60")
    with pytest.raises(UsageError):
        shop.guard.told(asked.decision_id, **{"words": WORDS, "by": "bot", **how})
    assert shop.guard.audit.list(kind="told") == ()


def test_an_action_that_is_not_there_cannot_be_told_of(open_shop):
    with pytest.raises(NotFoundError, match="act_nothing"):
        open_shop().guard.told("act_nothing", WORDS, by="bot")


def test_what_is_told_of_a_settled_action_changes_nothing_of_it(open_shop):
    shop = open_shop()
    done = shop.ask("40")
    shop.guard.told(done.decision_id, "Your refund of 40 USD is on its way.", by="bot")
    assert shop.state(done) == "settled"
    assert shop.ask("40").replayed
    assert shop.guard.audit.verify().ok


def test_a_summary_and_a_link_are_given_without_a_declaration_and_sealed(open_shop):
    shop = open_shop()
    context = {"summary": "Ann wrote three times about her parcel.", "link": "https://desk.example/c/91"}
    asked = shop.ask("60", context=context)
    entry = shop.guard.audit.list(kind="decided")[0]
    assert set(entry.document["context"]) == {"context.conversation", "context.summary", "context.link"}
    assert b"Ann" not in entry.body
    assert b"desk.example" not in entry.body
    assert shop.ask("60", context={"summary": "Another one."}).decision_id == asked.decision_id
    assert shop.guard.audit.recompute(entry.pos).same


def test_a_summary_is_no_part_of_what_a_deed_was(open_shop):
    shop = open_shop()
    deed = {
        "by": "maria",
        "source": "desk",
        "happened_at": shop.clock(),
        "key": "d-1",
        "on_behalf_of": "c-1",
        "facts": {"order.refunded": "0 USD", "order.total": "100 USD", "order.customer_id": "c-1"},
    }
    arguments = {"order_id": "A-1", "amount": "5.00", "reason": "late"}
    first = shop.guard.record("refund.issue", arguments, context={"conversation": "t", "summary": "one"}, **deed)
    again = shop.guard.record("refund.issue", arguments, context={"conversation": "t", "summary": "two"}, **deed)
    assert (again.action_id, again.replayed) == (first.action_id, True)


def test_a_summary_that_is_too_long_is_cut_and_does_not_stop_the_action(open_shop):
    shop = open_shop()
    shop.ask("60", context={"summary": "x" * 20_000})
    assert shop.guard.audit.list(kind="decided")[0].document["verdict"] == "escalate"


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "desk/91", "https://a b\n", 7])
def test_a_link_that_is_no_address_is_the_hosts_mistake(open_shop, link):
    with pytest.raises(UsageError, match="link"):
        open_shop().ask("60", context={"link": link})


@pytest.mark.parametrize("name", ["summary", "link"])
def test_no_policy_can_read_what_is_for_people(name):
    with pytest.raises(PolicyError, match="for people"):
        load_text(
            REFUNDS.replace("  wants_person: yes_no?", f"  wants_person: yes_no?\n  {name}: text?"), "refunds.yaml"
        )
