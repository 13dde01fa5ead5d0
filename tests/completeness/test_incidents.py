"""Whom a mistake touched, and what is noted about it for good."""

import csv
import json

import pytest

from agentguard.engine.affected import Suspect
from agentguard.store import Store
from tests.completeness.conftest import guard_of


def cases(said):
    return sorted(item["action_id"] for item in said.json["cases"])


EVERYTHING = {"first", "second", "doubt", "lost", "not_done", "waiting", "theirs", "last"}


@pytest.mark.parametrize(
    "suspect, keys",
    [
        ({"policy": "refunds"}, EVERYTHING),
        ({"policy": "refunds@1", "verdict": "deny"}, {"theirs"}),
        ({"policy": "refunds@2"}, set()),
        ({"policy": "refund"}, set()),
        ({"rule": "refunds/large"}, {"waiting"}),
        ({"rule": "refunds/theirs"}, {"theirs"}),
        ({"agent": "bot", "verdict": "escalate"}, {"waiting"}),
        ({"agent": "another"}, set()),
        ({"model": "gpt"}, set()),
        ({"fact": "order.total", "verdict": "deny"}, {"theirs"}),
        ({"fact": "order.nothing"}, set()),
    ],
)
def test_whom_it_touched_is_found_by_what_decided(made_shop, record, suspect, keys):
    found = []
    total = record.audit.affected(Suspect(**suspect), found.append)
    assert {case.action_id for case in found} == {made_shop.ids[key] for key in keys}
    assert total.actions == len(found)


def test_only_what_was_decided_in_the_time_that_is_asked_for_is_found(shop, command):
    words = ("audit", "affected", "--policy", "refunds@1", "--json")
    assert cases(command(*words, "--since", "1 hour")) == sorted(shop.ids.values())
    assert cases(command(*words, "--until", "2020-01-01")) == []


def test_whoever_was_refused_before_any_rule_was_asked_is_touched_too(shop, command):
    guard = guard_of(shop.folder, [])
    asked = {"agent": "another", "on_behalf_of": "cus_8812", "context": {"conversation": "c"}}
    refused = guard.run("refund.issue", {"order_id": "A", "amount": "NaN"}, key="nan", **asked)
    guard.close()
    said = command("audit", "affected", "--agent", "another", "--json")
    assert cases(said) == [refused.decision_id]
    assert said.json["states"] == {"denied": 1}


def test_a_source_is_suspect_for_any_fact_or_for_one(shop, command):
    first = command("audit", "affected", "--fact", "order.total", "--json").json["cases"][0]
    store = Store.open(shop.store)
    facts = store.read(lambda reading: reading.entry(first["entry"])).document["facts"]
    source = facts["order.total"]["source"]
    assert command("audit", "affected", "--source", source, "--json").json["actions"] == 8
    assert command("audit", "affected", "--source", source, "--fact", "order.total", "--json").json["actions"] == 8
    assert command("audit", "affected", "--source", "elsewhere", "--json").json["actions"] == 0


def test_what_was_done_is_added_up_by_where_it_stands_and_by_currency(shop, command):
    said = command("audit", "affected", "--policy", "refunds@1", "--json").json
    assert (said["actions"], said["customers"]) == (8, 2)
    assert said["money"]["settled"] == {"USD": 8000}
    assert said["states"] == {"settled": 3, "in_doubt": 2, "released": 1, "waiting": 1, "denied": 1}
    assert said["verdicts"] == {"allow": 6, "escalate": 1, "deny": 1}


def test_an_action_that_was_decided_twice_is_one_case_with_its_first_decision(shop, command):
    guard = guard_of(shop.folder, [])
    escalation = guard.audit.action(shop.ids["waiting"]).escalation
    guard.escalations.approve(escalation, by="maria", authenticated="os_login", reason_code="goodwill")
    asked = {"agent": "bot", "on_behalf_of": "cus_8812", "context": {"conversation": "c"}, "key": "waiting"}
    guard.run("refund.issue", {"order_id": "A", "amount": "90.00", "email": "ann@example.com"}, **asked)
    decided = [entry.pos for entry in guard.audit.of(shop.ids["waiting"]) if entry.kind == "decided"]
    guard.close()
    assert len(decided) == 2
    said = command("audit", "affected", "--rule", "refunds/large", "--json").json
    assert [(case["entry"], case["state"]) for case in said["cases"]] == [(decided[0], "settled")]
    assert (said["actions"], said["verdicts"]) == (1, {"escalate": 1})


def test_nothing_under_suspicion_is_refused(command, shop):
    assert "under suspicion" in command("audit", "affected").err


def test_the_list_of_cases_says_what_to_look_at_and_names_nobody(shop, command):
    said = command("audit", "affected", "--policy", "refunds@1", "--out", "cases.csv")
    assert said.code == 0
    rows = list(csv.DictReader((shop.folder / "cases.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 8
    assert all(row["customer"].startswith("p_") for row in rows)
    denied = next(row for row in rows if row["state"] == "denied")
    assert denied["rules"] == "refunds/theirs"
    assert "tell the customer" in denied["look"]


def test_customers_are_named_only_with_a_reason_and_the_look_is_on_record_first(shop, command):
    words = ("audit", "affected", "--rule", "refunds/theirs", "--customers", "--as", "maria")
    assert command(*words).code == 2
    said = command(*words, "--why", "INC-7", "--json")
    assert [case["customer"] for case in said.json["cases"]] == ["cus_other"]
    kinds = Store.open(shop.store).read(lambda reading: [item.kind for item in reading.all_entries()])
    assert kinds[-1] == "personal_read"


def test_a_note_is_an_entry_and_is_told_where_its_action_and_entry_are_shown(shop, command):
    first = shop.ids["first"]
    said = command("audit", "note", "--incident", "INC-7", "--why", "a wrong price", "--about", first, "--about", "3")
    assert (said.code, "INC-7" in said.out) == (0, True)
    for shown in (first, "3"):
        out = command("audit", "show", shown).out
        assert "INC-7" in out
        assert "a wrong price" in out
    assert "INC-7" not in command("audit", "show", shop.ids["second"]).out


@pytest.mark.parametrize(
    "words",
    [
        ("--incident", "INC-7", "--why", "x", "--about", "99999"),
        ("--incident", "INC-7", "--why", "x", "--about", "act_none"),
        ("--incident", "", "--why", "x"),
        ("--incident", "INC-7", "--why", ""),
        ("--incident", "two\nlines", "--why", "x"),
    ],
)
def test_a_note_about_nothing_that_is_there_or_without_words_is_refused_and_not_written(shop, command, words):
    store = Store.open(shop.store)
    before = store.read(lambda reading: reading.position())
    assert command("audit", "note", *words).code == 2
    assert store.read(lambda reading: reading.position()) == before


def test_a_note_in_json_says_what_it_is_about(shop, command):
    said = command("audit", "note", "--incident", "INC-7", "--why", "x", "--about", "3", "--json")
    assert json.loads(said.out)["entries"] == [3]
