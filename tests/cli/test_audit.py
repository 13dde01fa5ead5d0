import sqlite3
from dataclasses import replace

import pytest

from agentguard.cli.audit import moment_of
from agentguard.core.decide import decide
from agentguard.core.narration.narrator import reason_text
from agentguard.core.prose import masked
from agentguard.errors import UsageError


def test_the_list_has_the_newest_first_and_masks_customers(shop, command):
    said = command("audit", "list")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].split()[:2] == ["entry", "at"]
    positions = [int(line.split()[0]) for line in lines[1:]]
    assert positions == sorted(positions, reverse=True)
    assert positions[-1] == 1
    assert "cus_8812" not in said.out
    assert "cus…12" in said.out
    assert shop.ids["done"] in said.out


@pytest.mark.parametrize(
    "options,expected",
    [
        (["--verdict", "deny"], {"deny"}),
        (["--verdict", "escalate"], {"escalate"}),
        (["--verdict", "allow"], {"allow"}),
    ],
)
def test_a_verdict_narrows_the_list_to_decisions_that_say_it(shop, command, options, expected):
    found = command("audit", "list", "--json", *options).json
    assert found
    assert {item["entry"]["verdict"] for item in found} == expected


def test_a_customer_is_found_by_id_and_by_pseudonym_and_nobody_is_remembered_by_asking(shop, command):
    by_id = command("audit", "list", "--customer", "cus_9999", "--why", "a complaint", "--json").json
    assert len(by_id) == 1
    pseudonym = by_id[0]["entry"]["on_behalf_of"]
    assert command("audit", "list", "--customer", pseudonym, "--json").json == by_id
    with sqlite3.connect(shop.folder / "shop.db.keys") as keys:
        before = keys.execute("SELECT count(*) FROM customer").fetchone()
        assert command("audit", "list", "--customer", "cus_never_seen", "--why", "a slip").out == "no entries\n"
        assert keys.execute("SELECT count(*) FROM customer").fetchone() == before


def test_a_kind_that_is_mistyped_is_no_empty_list(shop, command):
    said = command("audit", "list", "--kind", "vote")
    assert (said.code, said.out) == (2, "")
    assert "voted" in said.err
    assert command("audit", "list", "--kind", "expired").out == "no entries\n"


def test_pages_join_without_a_gap(shop, command):
    whole = [item["pos"] for item in command("audit", "list", "--json").json]
    first = [item["pos"] for item in command("audit", "list", "--limit", "4", "--json").json]
    assert f"--before {first[-1]}" in command("audit", "list", "--limit", "4").out
    rest = [item["pos"] for item in command("audit", "list", "--before", str(first[-1]), "--json").json]
    assert first + rest == whole


def test_a_filter_inside_entries_pages_as_well(shop, command):
    whole = [item["pos"] for item in command("audit", "list", "--action", "refund.issue", "--json").json]
    first = [
        item["pos"] for item in command("audit", "list", "--action", "refund.issue", "--limit", "3", "--json").json
    ]
    rest = command("audit", "list", "--action", "refund.issue", "--before", str(first[-1]), "--json").json
    assert first == whole[:3]
    assert [item["pos"] for item in rest] == whole[3:]


def test_since_leaves_out_what_was_before(shop, command):
    assert command("audit", "list", "--since", "2099-01-01").out == "no entries\n"
    assert command("audit", "list", "--since", "1 day", "--json").json


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "3 fortnights", "-1 days", "999999 days ago ago", ""])
def test_a_time_that_is_none_is_refused_in_words(text):
    with pytest.raises(UsageError, match="expected a time like"):
        moment_of(text)


def test_a_time_without_an_offset_is_utc():
    assert moment_of("2026-11-20T10:00") == moment_of("2026-11-20T11:00+01:00")


def test_an_action_is_told_from_request_to_settlement(shop, command):
    said = command("audit", "show", shop.ids["approved"])
    assert said.code == 0
    expected = [
        "refund.issue",
        "escalated, waits for people",
        "refunds/large (refunds.yaml line 20): Large: 90.00 USD.",
        "refunds/month: 40.00 USD used, 90.00 USD asked, of 300.00 USD: fits",
        "group:leads: 1 person within 4 h, then denied",
        "maria approved it",
        "goodwill",
        "note        sealed",
        "escalated, approved by votes, sent to the tool",
        "done and settled",
        "90.00 USD on refunds/month",
    ]
    position = 0
    for words in expected:
        assert words in said.out[position:], words
        position = said.out.index(words, position)


def test_an_action_tells_the_same_under_actions_and_audit(shop, command):
    assert command("audit", "show", shop.ids["doubt"]).out == command("actions", "show", shop.ids["doubt"]).out


def test_the_line_that_is_named_is_the_rule(shop, command):
    lines = (shop.folder / "policies" / "refunds.yaml").read_text().splitlines()
    assert "id: large" in lines[19]


@pytest.mark.parametrize(
    "key,words",
    [
        ("theirs", ["denied", "refunds/theirs", "Not yours."]),
        ("invalid", ["refused before any rule was asked", "amount: not_a_number"]),
        ("doubt", ["in doubt: nobody knows", "RuntimeError"]),
        ("not_done", ["not done: what was held is given back", "NotDoneError"]),
        ("too_much", ["denied", "refunds/month", "does not fit", "No more this month."]),
    ],
)
def test_every_outcome_is_told_in_words(shop, command, key, words):
    said = command("audit", "show", shop.ids[key])
    assert [word for word in words if word not in said.out] == []


def test_personal_values_and_customers_do_not_stand_in_the_clear(shop, command):
    said = command("audit", "show", shop.ids["done"])
    assert "ann@example.com" not in said.out
    assert "email (personal)" in said.out
    everything = command("audit", "list", "--json").out
    assert "ann@example.com" not in everything


def test_one_entry_is_shown_with_its_place_in_the_log(shop, command):
    said = command("audit", "show", "2")
    assert said.code == 0
    assert "entry 2  allowed, sent to the tool" in said.out
    entry = command("audit", "show", "2", "--json").json
    assert entry["leaf"] in said.out
    assert entry["entry"]["seq"] == 2
    (arguments,) = (line for line in said.out.splitlines() if line.startswith("  arguments"))
    assert all(name in arguments for name in entry["entry"]["arguments"])


def test_an_argument_that_nobody_declared_is_told_in_words():
    refused = {"because": "", "code": "arguments_invalid", "detail": "amount: missing, -: unknown"}
    words = "the arguments are not what the action declares (amount: missing, one that it does not declare, whose name"
    assert reason_text(refused) == f"{words} is not kept)"


def test_every_kind_of_entry_has_words(shop, command):
    command("halt", "agent:other", "--why", "a test")
    command("resume", "agent:other", "--why", "a test")
    command("escalations", "reject", shop.ids["esc:waiting"], "-r", "not_entitled", "--note", "no")
    for entry in command("audit", "list", "--json").json:
        said = command("audit", "show", str(entry["pos"]))
        title = said.out.splitlines()[0].partition(f"entry {entry['pos']}  ")[2]
        assert said.code == 0
        assert title
        assert title != entry["entry"]["kind"]


def test_a_log_that_is_intact_is_said_to_be(shop, command):
    said = command("audit", "verify", "--decisions")
    assert said.code == 0
    assert "intact: 15 entries" in said.out
    assert "comes out the same" in said.out
    checked = command("audit", "verify", "--decisions", "--json").json
    assert checked["ok"] is True
    assert checked["decisions_that_differ"] == []
    assert checked["head"] in said.out


def test_a_decision_that_comes_out_otherwise_is_found(shop, command, monkeypatch):
    def another(plan, request, evidence):
        return replace(decide(plan, request, evidence), say="something else")

    monkeypatch.setattr("agentguard.engine.audit.decide", another)
    said = command("audit", "verify", "--decisions")
    assert said.code == 1
    assert "entry 2: decided again, say came out otherwise" in said.out
    assert command("audit", "verify").code == 0


def tamper(shop, statement):
    with sqlite3.connect(shop.folder / "shop.db") as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute(statement)


def test_a_changed_entry_is_named_with_what_still_holds_and_the_exit_code_is_one(shop, command):
    tamper(
        shop,
        "UPDATE agentguard_entry SET body = CAST(replace(CAST(body AS TEXT), '40.00 USD', '41.00 USD') AS BLOB) "
        "WHERE pos = 2",
    )
    said = command("audit", "verify")
    assert said.code == 1
    assert "entry 2" in said.out
    assert "it was changed" in said.out
    assert "entries 1 to 1 join" in said.out
    checked = command("audit", "verify", "--json")
    assert checked.code == 1
    assert checked.json["ok"] is False
    assert checked.json["intact"] == 1
    assert checked.json["findings"][0]["pos"] == 2


def test_an_entry_that_was_taken_out_is_found(shop, command):
    tamper(shop, "DELETE FROM agentguard_entry WHERE pos = 3")
    said = command("audit", "verify")
    assert said.code == 1
    assert "entries are missing" in said.out


def test_the_record_can_be_read_without_its_keys(shop, command):
    (shop.folder / "shop.db.keys").unlink()
    listed = command("audit", "list")
    assert listed.code == 0
    assert "p_" in listed.out
    assert "cus…" not in listed.out
    assert command("audit", "verify").code == 0
    assert command("audit", "show", shop.ids["approved"]).code == 0
    assert not (shop.folder / "shop.db.keys").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["audit", "list", "--customer", "cus_8812", "--why", "a complaint"],
        ["limits"],
        ["policy", "explain", "--entry", "2"],
        ["audit", "verify", "--decisions"],
    ],
)
def test_what_needs_the_keys_says_so_instead_of_something_false(shop, command, words):
    (shop.folder / "shop.db.keys").unlink()
    said = command(*words)
    assert (said.code, said.out) == (4, "")
    assert "expected the keys file" in said.err


def test_a_read_only_copy_can_be_read(shop, command):
    for path in shop.folder.glob("shop.db*"):
        path.chmod(0o400)
    said = command("audit", "verify", "--store", f"sqlite:///file:{shop.folder}/shop.db?mode=ro&uri=true")
    assert said.code == 0, said.err


@pytest.mark.parametrize(
    "customer,shown",
    [("cus_8812", "cus…12"), ("cus_1", "c…1"), ("a", "a…a"), ("ann@example.com", "a…@example.com"), ("", "…")],
)
def test_a_masked_customer_cannot_be_written_to(customer, shown):
    assert masked(customer) == shown


def test_a_mistyped_name_is_told_from_a_search_that_finds_nothing(shop, command):
    assert command("audit", "list", "--action", "refund.isue").out == (
        "no entries: nothing in the log has --action `refund.isue`\n"
    )
    assert command("audit", "list", "--action", "refund.issue", "--rule", "nosuch").out == (
        "no entries: nothing in the log has --rule `nosuch`\n"
    )
    assert command("audit", "list", "--action", "refund.issue", "--kind", "halted").out == "no entries\n"
