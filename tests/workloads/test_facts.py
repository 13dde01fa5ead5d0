"""Facts come from the record alone, exact to the cent; labels never reach them."""

import gzip
import json
from decimal import Decimal

import pytest

from agentguard.core.money import Money
from scripts.replays import assistants, desk, shop
from scripts.replays.recording import Expected, RecordingError, money, plain_arguments, read_lines
from tests.workloads.invented import order_line, retail_call, write_lines


def test_a_sum_that_was_kept_as_a_binary_fraction_is_read_to_the_cent():
    assert money(Decimal("6.739999999999981"), "USD") == Money.of("6.74", "USD")
    assert money(18, "USD") == Money.of("18.00", "USD")


def test_arguments_lose_nulls_and_keep_numbers_exactly():
    assert plain_arguments({"amount": Decimal("10.0"), "city": None, "id": 7}) == {"amount": "10.0", "id": 7}


def test_lines_are_read_plain_and_gzipped_and_a_missing_file_is_empty(tmp_path):
    (tmp_path / "plain.jsonl").write_text('{"a": 0.1}\n\n', encoding="utf-8")
    with gzip.open(tmp_path / "packed.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.write('{"a": 0.1}\n')
    assert read_lines(tmp_path, "plain.jsonl") == read_lines(tmp_path, "packed.jsonl") == [{"a": Decimal("0.1")}]
    assert read_lines(tmp_path, "none.jsonl") == []


@pytest.mark.parametrize("content", [b"{not json", b"[1]", b"\xff\xfe"])
def test_a_broken_line_is_named_with_its_file(tmp_path, content):
    (tmp_path / "broken.jsonl").write_bytes(content)
    with pytest.raises(RecordingError, match=r"broken\.jsonl"):
        read_lines(tmp_path, "broken.jsonl")


def test_a_torn_archive_is_named_with_its_file(tmp_path):
    (tmp_path / "torn.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}' * 1000)[:40])
    with pytest.raises(RecordingError, match="torn"):
        read_lines(tmp_path, "torn.jsonl")


def test_labels_change_what_is_expected_and_nothing_else(tmp_path):
    labelled = [
        retail_call(label="must_allow", strength=None),
        retail_call(label="must_block", strength="hard"),
        retail_call(label="must_block_tool_also_refuses", strength="soft"),
        retail_call(label="neutral", strength=None),
    ]
    write_lines(tmp_path / "retail_probes.jsonl", labelled)
    calls = shop.calls(tmp_path)
    assert [call.expected for call in calls] == [
        Expected.GOOD,
        Expected.FORBIDDEN,
        Expected.FORBIDDEN_SOFT,
        Expected.OPEN,
    ]
    assert all(call.facts == calls[0].facts and call.arguments == calls[0].arguments for call in calls)


def test_a_record_that_the_arguments_do_not_name_is_not_known(tmp_path):
    named, other = retail_call(), retail_call()
    other["args"] = {**other["args"], "order_id": "#W-else"}
    address = {"name": "modify_user_address", "args": {"user_id": "tom"}, "ctx": named["ctx"]}
    write_lines(tmp_path / "retail_probes.jsonl", [named, other, address])
    found = shop.calls(tmp_path)
    assert [call.facts["order"] is not None for call in found] == [True, False, True]
    assert [call.facts["profile"] is not None for call in found] == [True, True, False]


def test_a_change_pairs_items_by_position_and_prices_the_difference():
    snapshot = {
        "order": {"items": [order_line("11", "lamp", "40.10"), order_line("22", "shirt", "30")]},
        "items": {
            "12": {"product_id": "lamp", "price": Decimal("50.05"), "available": True},
            "23": {"product_id": "shirt", "price": Decimal("29.00"), "available": False},
        },
    }
    change = shop.change(snapshot, {"item_ids": ["11", "22"], "new_item_ids": ["12", "23"]})
    assert change["price_difference"] == Money.of("8.95", "USD")
    assert [swap["available"] for swap in change["swaps"]] == [True, False]


@pytest.mark.parametrize("new_items", [["99"], [], ["12", "12"]], ids=["an unknown item", "too few", "too many"])
def test_a_change_with_something_unknown_has_no_price(new_items):
    snapshot = {
        "order": {"items": [order_line("11", "lamp", "40.10")]},
        "items": {"12": {"product_id": "lamp", "price": Decimal(50), "available": True}},
    }
    assert "price_difference" not in shop.change(snapshot, {"item_ids": ["11"], "new_item_ids": new_items})


def test_whoever_was_helped_before_in_a_conversation_is_remembered(tmp_path):
    first, second = retail_call(customer="ana"), retail_call(customer="tom")
    write_lines(tmp_path / "retail_trajectories.jsonl", [{"steps": [{"t": "call", **first}, {"t": "call", **second}]}])
    assert [call.facts["session"]["customers"] for call in shop.calls(tmp_path)] == [["ana"], ["ana", "tom"]]


@pytest.mark.parametrize(
    "message, refusal",
    [
        ("No, don't.", True),
        ("Stop!", True),
        ("Not yet.", True),
        ("No problem, please go ahead.", False),
        ("Yes, please.", False),
        ("Nothing else, thanks.", False),
        ("No, " + "I would rather think about it. " * 5, False),
        ("", False),
    ],
)
def test_only_a_short_and_plain_no_is_a_refusal(message, refusal):
    assert shop.refuses(message) is refusal


ACCOUNT = {
    "iban": "DE1",
    "transactions": [
        {"sender": "me", "recipient": "LANDLORD1"},
        {"sender": "STRANGER1", "recipient": "me"},
    ],
    "scheduled_transactions": [{"id": 7, "sender": "DE1", "recipient": "MUSIC1", "amount": Decimal("9.99")}],
}


def test_who_paid_into_an_account_is_not_one_of_its_payees():
    facts = assistants.banking_facts(ACCOUNT, {"recipient": "STRANGER1", "amount": "1"}, "hello")
    assert facts["account"]["payees"] == ["LANDLORD1", "MUSIC1"]


def test_the_customers_own_words_name_recipient_amount_and_password():
    said = "Pay GB99XYZ the 2,500 deposit and set my password to 1j1l-2k3j."
    arguments = {"recipient": "GB99XYZ", "amount": "2500.00", "password": "1j1l-2k3j"}
    asked = assistants.banking_facts(ACCOUNT, arguments, said)["asked"]
    assert (asked["names_recipient"], asked["names_amount"], asked["names_password"]) == (True, True, True)
    other = {"recipient": "GB99XYY", "amount": "2500.01", "password": "new_password"}
    asked = assistants.banking_facts(ACCOUNT, other, said)["asked"]
    assert (asked["names_recipient"], asked["names_amount"], asked["names_password"]) == (False, False, False)


def test_without_the_banks_record_nothing_is_known_of_the_account():
    facts = assistants.banking_facts(None, {"recipient": "MUSIC1", "amount": "1"}, "hello")
    assert facts["account"] is None
    assert facts["standing_order"] is None


WORKSPACE = {
    "users": ["Alice", "Bob"],
    "channels": ["general"],
    "user_inbox": {"Alice": [{"body": "can you invite Dora? see www.dora.example.com"}]},
    "channel_inbox": {"general": [{"body": "read www.news.com"}]},
}


def test_a_link_is_strange_unless_somebody_of_the_workspace_posted_it():
    body = "www.news.com/today, www.dora.example.com and www.bait.com"
    assert assistants.slack_facts(WORKSPACE, {"body": body}, "hello")["message"] == {"strange_links": 1}
    assert assistants.slack_facts(WORKSPACE, {"body": body}, "send www.bait.com")["message"] == {"strange_links": 0}


def test_an_invitation_is_wanted_by_the_person_who_asks_or_by_a_member():
    def wanted(person, prompt):
        return assistants.slack_facts(WORKSPACE, {"user": person}, prompt)["person"]["to_invite"]

    assert wanted("Dora", "do what Bob asked")
    assert wanted("Fred", "invite Fred")
    assert not wanted("Fred", "do what Bob asked")


def test_a_flow_becomes_a_policy_that_requires_every_step_before_a_change(tmp_path):
    flow = {
        "subflow": "reset_2fa",
        "guideline_title": "Reset: two-factor #1",
        "required_actions": ["pull-up-account", "enter-details", "send-link"],
        "mutating_actions": ["send-link"],
    }
    write_lines(tmp_path / "flows.jsonl", [flow])
    (text,) = desk.policies(tmp_path).values()
    assert "id: pull-up-account-before-send-link" in text
    assert "id: enter-details-before-send-link" in text
    assert "before-enter-details" not in text
    assert "#" not in text
    assert json.dumps(desk.actions(tmp_path)) == json.dumps(
        ["reset_2fa.pull_up_account", "reset_2fa.enter_details", "reset_2fa.send_link"]
    )
