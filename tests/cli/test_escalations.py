import subprocess
import sys

import pytest

from tests.cli.shop import APPLICATION


def test_what_waits_is_listed_with_whom_it_waits_for_and_until_when(shop, command):
    said = command("escalations", "list")
    assert said.code == 0
    assert shop.ids["esc:waiting"] in said.out
    assert shop.ids["esc:approved"] not in said.out
    for words in (
        "refund.issue by bot for cus…12",
        "80.00 USD",
        "refunds/large",
        "1 person of group:leads",
        "in 3 h 5",
    ):
        assert words in said.out


def test_an_approver_lists_what_they_can_decide_and_nothing_else(shop, command):
    assert shop.ids["esc:waiting"] in command("escalations", "list", "--mine").out
    assert command("escalations", "list", "--mine", "--as", "tom").out == "nothing waits for you\n"
    assert "nobody can decide that any more" in command("escalations", "list", "--mine", "--state", "all").err
    assert "expected somebody whom the people file names" in command("escalations", "list", "--mine", "--as", "eve").err


def test_all_escalations_are_listed_on_demand(shop, command):
    states = {item["id"]: item["state"] for item in command("escalations", "list", "--state", "all", "--json").json}
    assert states == {shop.ids["esc:waiting"]: "open", shop.ids["esc:approved"]: "used"}
    assert command("escalations", "list", "--state", "expired").out == "no escalations\n"


def test_an_approver_sees_the_rule_the_facts_the_limits_and_what_would_have_been_automatic(shop, command):
    said = command("escalations", "show", shop.ids["esc:waiting"])
    assert said.code == 0
    for words in (
        "- {id: large, then: escalate to lead, when: amount > 50",
        "refunds/month, 30 days for each customer: 143.00 USD used (13.00 USD of it held), this 80.00 USD",
        "the same with amount up to 50.00 USD",
    ):
        assert words in " ".join(said.out.split()), words
    assert "order customer  cus_8812 (from order)" in said.out
    shown = command("escalations", "show", shop.ids["esc:waiting"], "--json").json
    facts = {fact["name"]: fact["value"] for fact in shown["packet"]["facts"]}
    assert facts["order.customer"] == "cus_8812"
    assert shown["packet"]["automatic"]


def test_the_login_votes_and_how_it_was_known_is_recorded(shop, command):
    said = command("escalations", "approve", shop.ids["esc:waiting"], "--reason-code", "goodwill", "--note", "fine")
    assert said.code == 0
    assert "approved by maria" in said.out
    entry = command("audit", "list", "--kind", "voted", "--limit", "1", "--json").json[0]["entry"]
    vote = entry["vote"]
    assert (vote["voter"], vote["authenticated"], vote["approve"]) == ("maria", "os_login", True)
    assert (vote["reason_code"], set(entry["note"])) == ("goodwill", {"sealed"})


def test_whoever_votes_for_somebody_who_is_away_is_told_so(shop, command):
    people = shop.folder / "policies" / "people.yaml"
    away = "absences: [{from: 2026-01-01, to: 2099-12-31, delegate: tom}]"
    people.write_text(people.read_text().replace("maria: {name: Maria,", f"maria: {{name: Maria, {away},"))
    said = command("escalations", "approve", shop.ids["esc:waiting"], "-r", "goodwill", "--as", "tom")
    assert "approved by tom (for maria): " in said.out, said


def test_a_page_after_something_unknown_is_no_empty_page(shop, command):
    said = command("escalations", "list", "--after", "esc_nope")
    assert (said.code, said.out) == (2, "")
    assert "`agentguard escalations list` has them" in said.err


def test_the_record_says_how_somebody_voted_and_what_they_were_shown(shop, command):
    command("escalations", "reject", shop.ids["esc:waiting"], "-r", "goodwill")
    listed = command("audit", "list", "--kind", "voted", "--limit", "1")
    assert "voted no" in listed.out
    shown = " ".join(command("audit", "show", shop.ids["waiting"]).out.split())
    assert "maria rejected it known by os_login" in shown
    assert "shown refunds/large personal not looked at" in shown


def test_a_no_denies_the_action(shop, command):
    said = command("escalations", "reject", shop.ids["esc:waiting"], "--json", "-r", "goodwill")
    assert said.code == 0
    assert said.json["state"] == "rejected"
    assert command("actions", "show", shop.ids["waiting"], "--json").json["state"] == "denied"


def test_a_name_that_nobody_checked_is_recorded_as_unverified(shop, command, monkeypatch):
    monkeypatch.setattr("agentguard.engine.machine.login", lambda: "nobody-here")
    said = command("escalations", "approve", shop.ids["esc:waiting"], "--as", "maria", "--json", "-r", "goodwill")
    assert said.code == 0
    assert said.json["authenticated"] == "unverified"


def test_a_name_is_refused_where_people_have_to_log_in(shop, command, monkeypatch):
    people = shop.folder / "policies" / "people.yaml"
    people.write_text(people.read_text().replace("allow_unverified: yes\n", ""))
    said = command("escalations", "approve", shop.ids["esc:waiting"], "--as", "maria", "-r", "goodwill")
    assert said.code == 2
    assert "allow_unverified" in said.err
    monkeypatch.setattr("agentguard.engine.machine.login", lambda: "stranger")
    said = command("escalations", "approve", shop.ids["esc:waiting"], "-r", "goodwill")
    assert said.err == "error: people.yaml has no user with the login `stranger`; add it under `logins`\n"
    assert command("escalations", "list", "--json").json


@pytest.mark.parametrize(
    "login,words",
    [("stranger", "no user with the login `stranger`"), ("tom", "`tom` may not decide this: it takes group:leads")],
)
def test_who_may_not_decide_is_told_so_and_nothing_changes(shop, command, monkeypatch, login, words):
    monkeypatch.setattr("agentguard.engine.machine.login", lambda: login)
    said = command("escalations", "approve", shop.ids["esc:waiting"], "-r", "goodwill")
    assert said.code == 2
    assert words in said.err
    assert command("escalations", "list", "--json").json[0]["state"] == "open"


def test_nobody_votes_where_no_file_says_who_may(shop, command):
    (shop.folder / "policies" / "people.yaml").unlink()
    said = command("escalations", "approve", shop.ids["esc:waiting"], "-r", "goodwill")
    assert said.code == 2
    assert "people.yaml" in said.err


def test_a_decided_escalation_cannot_be_decided_again(shop, command):
    said = command("escalations", "reject", shop.ids["esc:approved"], "-r", "goodwill")
    assert said.code == 2
    assert "which is used" in said.err


def test_who_votes_is_told_who_they_are_and_how_that_is_known(shop, command):
    said = command("escalations", "approve", shop.ids["esc:waiting"], "-r", "goodwill")
    assert "you are maria, known by the login `mrossi`" in said.out
    assert "approved by maria" in said.out


def test_an_approver_asks_for_less_and_the_application_runs_that(shop, command):
    waiting = shop.ids["esc:waiting"]
    refused = command("escalations", "amend", waiting, "--set", "amount=800", "-r", "goodwill")
    assert refused.code == 2
    assert "nothing may be raised" in refused.err
    said = command("escalations", "amend", waiting, "--set", "amount=45.00", "-r", "goodwill", "--json").json
    assert said["state"] == "amended"
    shown = command("actions", "show", said["action_id"], "--json").json
    assert shown["state"] == "proposed"
    assert command("actions", "show", shop.ids["waiting"], "--json").json["state"] == "denied"
    assert command("audit", "verify").code == 0


@pytest.mark.parametrize("given", ["amount", "=4", "amount=1 amount=2"])
def test_what_is_changed_is_written_as_a_pair(shop, command, given):
    sets = [word for item in given.split() for word in ("--set", item)]
    said = command("escalations", "amend", shop.ids["esc:waiting"], *sets, "-r", "goodwill")
    assert said.code == 2
    assert "--set amount=200.00" in said.err


def test_what_waits_is_withdrawn_with_a_reason(shop, command):
    said = command("escalations", "withdraw", shop.ids["esc:waiting"], "--why", "the customer called")
    assert said.code == 0
    assert "is denied" in said.out
    assert command("actions", "show", shop.ids["waiting"], "--json").json["state"] == "denied"


def test_votes_from_before_are_shown_as_history(shop, command):
    said = command("escalations", "show", shop.ids["esc:approved"], "--json").json
    assert [(vote["voter"], vote["stands_for"]) for vote in said["votes"]] == [("maria", "")]
    assert said["earlier"] == []


def test_figures_say_how_people_decide(shop, command):
    command("escalations", "reject", shop.ids["esc:waiting"], "-r", "fraud_suspected")
    found = command("escalations", "stats", "--json").json
    (route,) = found["routes"]
    assert (route["route"], route["approved"], route["rejected"], route["open"]) == ("refunds/lead", 1, 1, 0)
    assert route["median_seconds"] >= 0
    assert [(voter["voter"], voter["approved"], voter["rejected"]) for voter in found["voters"]] == [("maria", 1, 1)]
    said = command("escalations", "stats")
    assert said.code == 0
    assert "1 (50 %)" in said.out
    assert command("escalations", "stats", "--days", "1", "--json").json["routes"]


@pytest.mark.parametrize("verb", ["show", "approve", "reject"])
def test_an_unknown_escalation_is_named(shop, command, verb):
    said = command("escalations", verb, "esc_nothing", *([] if verb == "show" else ["-r", "goodwill"]))
    assert said.code == 2
    assert "esc_nothing" in said.err


def test_with_the_application_the_last_yes_runs_the_action_and_the_list_says_approved(shop, command):
    (shop.folder / "shop_app.py").write_text(APPLICATION.format(folder=str(shop.folder)))
    words = ["escalations", "approve", shop.ids["esc:waiting"], "-r", "goodwill", "--as", "maria"]
    words += ["--app", "shop_app:guard", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", "from agentguard.cli import main; main()", *words],
        cwd=shop.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"status": "done"' in done.stdout
    assert command("actions", "show", shop.ids["waiting"], "--json").json["state"] == "settled"
    newest = [line.split() for line in command("audit", "list", "--limit", "10").out.splitlines()]
    assert any("settled" in line for line in newest)
    assert any("approved" in line for line in newest)


def environment():
    import os
    from pathlib import Path

    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
