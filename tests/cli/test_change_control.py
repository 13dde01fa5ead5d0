"""Changing what is in force at the command line: shown, asked for, approved, taken back, undone, and all of it told."""

import os

import pytest

from agentguard.engine.changes import Changes
from tests.cli.shop import PEOPLE

OPERATORS = PEOPLE.replace("allow_unverified: yes\n", "operators: [maria, tom]\n")
LOOSER = (("version: 1", "version: 2"), ("amount <= 50 ", "amount <= 60 "), ("when: amount > 50", "when: amount > 60"))
TIGHTER = (("version: 1", "version: 3"), ("amount <= 50 ", "amount <= 40 "), ("when: amount > 50", "when: amount > 40"))
CASES = {
    LOOSER: (("amount: 50}", "amount: 60}"), ("amount: 50.01}", "amount: 60.01}")),
    TIGHTER: (("amount: 50}", "amount: 40}"), ("amount: 50.01}", "amount: 40.01}")),
}


@pytest.fixture(autouse=True)
def people(shop):
    (shop.folder / "policies" / "people.yaml").write_text(OPERATORS)


@pytest.fixture
def log_in(monkeypatch):
    return lambda name: monkeypatch.setattr("agentguard.engine.machine.login", lambda: name)


@pytest.fixture
def write(shop):
    texts = {name: (shop.folder / "policies" / name).read_text() for name in ("refunds.yaml", "refunds_test.yaml")}

    def written(changes, *, cases=True):
        for name, exchanged in (("refunds.yaml", changes), ("refunds_test.yaml", CASES[changes] if cases else ())):
            text = texts[name]
            for old, new in exchanged:
                assert text.count(old) == 1, old
                text = text.replace(old, new)
            (shop.folder / "policies" / name).write_text(text)

    return written


def in_force(command):
    return command("audit", "list", "--kind", "activated", "--json").json[0]["entry"]


def test_whoever_has_no_power_is_told_so_before_anything_is_looked_at(command, log_in, write, shop, monkeypatch):
    write(LOOSER)
    command("policy", "activate", "--why", "customers wait")
    entry = command("policy", "history", "--json").json[0]["pos"]
    (shop.folder / "policies" / "people.yaml").write_text(OPERATORS.replace("[maria, tom]", "[maria]"))
    log_in("tom")
    with monkeypatch.context() as patched:
        patched.setattr(Changes, "look", lambda *_, **__: pytest.fail("looked for somebody who may not"))
        for words in (("activate",), ("activate", "--canary", "10%"), ("approve", str(entry), "--yes")):
            said = command("policy", *words, "--why", "x")
            assert (said.code, said.out) == (2, ""), words
            assert "`tom` may not activate" in said.err
    refusals = command("audit", "list", "--kind", "power_refused", "--json").json
    assert len(refusals) == 3
    assert command("policy", "activate", "--dry-run", "--no-simulation").code == 0


def test_what_an_agent_may_do_more_is_shown_asked_for_and_approved_by_somebody_else(command, log_in, write):
    write(LOOSER)
    first = command("policy", "activate", "--why", "customers wait")
    assert first.code == 1
    said = ("looser: ", "rises from 50.00 USD to 60.00 USD", "all 3 cases passed", "nothing is promised", "8 requests")
    assert [words for words in said if words not in first.out] == []
    assert "not in force yet: one more person has to ask for the same within 7 days; maria has" in first.out
    entry = command("policy", "history", "--json").json[0]["pos"]
    assert f"agentguard policy approve {entry}" in first.out
    assert f"entry {entry} waits until" in command("policy", "history").out
    log_in("tom")
    second = command("policy", "approve", str(entry), "--why", "read it", "--yes")
    assert (second.code, "maria asked for this at" in second.out, "in force: 1 policy" in second.out) == (0, True, True)
    put = in_force(command)
    assert (put["by"], put["why"], put["with"][0]["by"]) == ("tom", "read it", "maria")
    assert put["change"]["tests"]["cases"] == 3
    assert list(put["change"]["tests"]["files"]) == ["refunds_test.yaml"]
    assert put["change"]["simulation"]["requests"] == 8
    said = "8 requests of the past decided again; compared with what was decided then it would have"
    assert said in " ".join(second.out.split())
    assert "waits" not in command("policy", "history").out


def test_what_an_agent_may_do_less_takes_nobody_else(command, write):
    write(TIGHTER)
    done = command("policy", "activate", "--why", "fraud", "--json")
    assert (done.code, done.json["changed"], done.json["change"]["direction"]) == (0, True, "tighter")


def test_whoever_approves_needs_no_files_and_gets_the_texts_of_the_store(command, log_in, write, shop):
    write(LOOSER)
    command("policy", "activate", "--why", "customers wait")
    (shop.folder / "policies" / "refunds.yaml").unlink()
    log_in("tom")
    entry = str(command("policy", "history", "--json").json[0]["pos"])
    done = command("policy", "approve", entry, "--why", "read it", "--yes", "--json")
    assert done.json["changed"]
    assert done.json["change"]["untried"]["tests"] == f"as entry {entry} says"


def test_a_failing_case_keeps_policies_out_unless_somebody_says_why(command, write):
    write(TIGHTER, cases=False)
    refused = command("policy", "activate", "--why", "fraud")
    assert refused.code == 1
    assert "case `fifty exactly` fails" in refused.out
    assert "nothing was done: repair it, or say why it has to be (`--despite`)" in refused.out
    assert in_force(command)["policies"]["refunds"]["version"] == 1
    done = command("policy", "activate", "--why", "fraud", "--despite", "the cases follow tomorrow")
    assert done.code == 0
    assert in_force(command)["change"]["despite"] == "the cases follow tomorrow"
    assert in_force(command)["change"]["tests"] == {
        "cases": 3, "failed": 1, "named": ["fifty exactly"], "files": in_force(command)["change"]["tests"]["files"]
    }  # fmt: skip


def test_a_broken_promise_keeps_policies_out(command, write, shop):
    write(TIGHTER)
    policy = shop.folder / "policies" / "refunds.yaml"
    policy.write_text(policy.read_text() + "guarantees:\n  - {id: none, never: allow, when: amount > 30}\n")
    refused = command("policy", "activate", "--why", "fraud", "--json")
    assert (refused.code, refused.json["failures"]) == (
        1,
        ["case `fifty exactly` fails", "promise `refunds/none` is broken"],
    )
    assert in_force(command)["policies"]["refunds"]["version"] == 1


def test_it_can_be_looked_at_without_doing_anything_by_whoever_it_is(command, log_in, write):
    write(LOOSER)
    log_in("stranger")
    shown = command("policy", "activate", "--dry-run", "--no-simulation")
    assert shown.code == 0
    assert "nothing was done; this takes two people, where people.yaml says who may" in shown.out
    assert "not tried: left out" in shown.out
    assert [entry["kind"] for entry in command("policy", "history", "--json").json] == ["activated"]


def test_a_proposal_is_taken_back_by_anybody_who_may(command, log_in, write):
    write(LOOSER)
    command("policy", "activate", "--why", "customers wait")
    entry = str(command("policy", "history", "--json").json[0]["pos"])
    log_in("tom")
    assert f"asked for in entry {entry}" in command("policy", "withdraw", entry, "--why", "too much").out
    assert "taken back" in command("policy", "history").out
    gone = command("policy", "approve", entry, "--why", "read it", "--yes")
    assert gone.code == 2
    assert "expected the entry or bundle of an open proposal (none)" in gone.err


def test_earlier_policies_come_back_from_the_store_and_their_direction_counts_too(command, log_in, write):
    write(TIGHTER)
    command("policy", "activate", "--why", "fraud")
    back = command("policy", "rollback", "--why", "it was none")
    assert (back.code, "looser: " in back.out, "not in force yet" in back.out) == (1, True, True)
    log_in("tom")
    assert command("policy", "rollback", "--why", "I looked too", "--json").json["changed"]
    assert in_force(command)["policies"]["refunds"]["version"] == 1
    assert command("policy", "rollback", "--why", "fraud after all").code == 0  # tighter: at once
    first = command("policy", "history", "--json").json[-1]["pos"]
    named = command("policy", "rollback", "--to", str(first), "--why", "no", "--dry-run")
    assert "refunds version 1: changed, was version 3" in named.out
    assert "expected an entry of" in command("policy", "rollback", "--to", "999", "--why", "no").err


@pytest.mark.skipif(os.name != "posix", reason="key files have modes")
def test_whoever_has_a_key_signs_and_the_history_checks_it(command, shop, write):
    public = command("audit", "keygen", "maria.key", "--name", "maria").out.strip()
    file = shop.folder / "policies" / "people.yaml"
    file.write_text(OPERATORS.replace("{name: Maria, ", f"{{name: Maria, key: {public}, "))
    write(TIGHTER)
    unsigned = command("policy", "activate", "--why", "fraud")
    assert (unsigned.code, "expected `maria` to sign this" in unsigned.err) == (2, True)
    assert command("policy", "activate", "--why", "fraud", "--key", "maria.key").code == 0
    entry = str(command("policy", "history", "--json").json[0]["pos"])
    shown = command("policy", "history", entry).out
    assert f"with the key {public}" in shown.replace("\n", "")
    assert "the signature is of these files, by this person" in shown


def test_an_answer_is_asked_for_on_a_terminal_and_nowhere_else(command, log_in, write, monkeypatch):
    write(LOOSER)
    command("policy", "activate", "--why", "customers wait")
    entry = str(command("policy", "history", "--json").json[0]["pos"])
    log_in("tom")
    assert "expected --yes, or a terminal" in command("policy", "approve", entry, "--why", "read it").err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda _: False)
    assert command("policy", "approve", entry, "--why", "read it").code == 1
    assert in_force(command)["policies"]["refunds"]["version"] == 1
    monkeypatch.setattr("typer.confirm", lambda _: True)
    assert command("policy", "approve", entry, "--why", "read it").code == 0


def test_a_history_of_something_else_is_refused(command):
    assert "expected an entry of `agentguard policy history`" in command("policy", "history", "2").err


def test_a_canary_is_looked_at_as_any_change_is(command, log_in, write):
    write(LOOSER, cases=False)
    refused = command("policy", "activate", "--canary", "10%", "--why", "a try")
    assert (refused.code, "case `a cent more` fails" in refused.out) == (1, True)
    write(LOOSER)
    looked = command("policy", "activate", "--canary", "10%", "--dry-run")
    assert "nothing was done; this takes two people" in looked.out
    assert command("policy", "history", "--json").json[0]["kind"] == "activated"
    asked = command("policy", "activate", "--canary", "10%", "--why", "a try")
    assert (asked.code, "within 7 days; maria has" in asked.out) == (1, True)
    entry = str(command("policy", "history", "--json").json[0]["pos"])
    log_in("tom")
    agreed = command("policy", "approve", entry, "--why", "agreed", "--yes")
    assert (agreed.code, "decides for 10% of the customers: 1 policy" in agreed.out) == (0, True)
    put = in_force(command)
    assert (put["canary"]["share"], put["change"]["direction"], put["change"]["tests"]["cases"]) == (1000, "looser", 3)
    assert command("policy", "activate", "--promote", "--why", "it went well").code == 1
    entry = str(command("policy", "history", "--json").json[0]["pos"])
    log_in("mrossi")
    assert command("policy", "approve", entry, "--why", "it did", "--yes").code == 0
    assert in_force(command)["canary"] is None


def test_a_look_makes_no_database(command, write, shop):
    write(TIGHTER)
    shown = command("policy", "activate", "--dry-run", "--store", f"sqlite:///{shop.folder}/other.db")
    assert (shown.code, "the first policies of all" in shown.out) == (0, True)
    assert list(shop.folder.glob("other.db*")) == []


def test_the_history_says_with_which_change_the_power_was_somebody_elses(command, log_in, write, shop):
    write(LOOSER)
    command("policy", "activate", "--why", "customers wait", "--no-simulation")
    log_in("tom")
    command("policy", "activate", "--why", "read", "--no-simulation")
    assert "who may change" not in command("policy", "history").out
    file = shop.folder / "policies" / "people.yaml"
    file.write_text(OPERATORS.replace("[maria, tom]", "[tom]"))
    write(TIGHTER)
    shown = command("policy", "activate", "--why", "less", "--no-simulation").out
    said = command("policy", "history")
    entry = command("policy", "history", "--json").json[0]["pos"]
    assert "no longer `maria`" in shown
    assert f"entry {entry}: who may change what is in force, since entry" in said.out
