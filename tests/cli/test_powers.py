"""Who may stop, let go and put into force, as a person at the command line meets it."""

import hashlib
from datetime import UTC, datetime

import pytest

from tests.cli.shop import PEOPLE

OPERATORS = PEOPLE.replace("allow_unverified: yes\n", "operators: [maria, tom]\n")


@pytest.fixture
def people(shop):
    """The shop's people file, with two operators of whom `mrossi`, who is logged in, is one."""
    file = shop.folder / "policies" / "people.yaml"
    file.write_text(OPERATORS)
    return file


@pytest.fixture
def log_in(monkeypatch):
    return lambda name: monkeypatch.setattr("agentguard.engine.machine.login", lambda: name)


def newest(command, kind):
    return command("audit", "list", "--kind", kind, "--json").json[0]["entry"]


def test_one_operator_stops_and_two_let_go(people, command, log_in):
    assert command("halt", "--why", "twice").code == 0
    assert newest(command, "halted") | {"by": "maria", "power": "halt", "authenticated": "os_login"} == (
        newest(command, "halted")
    )
    assert newest(command, "halted")["people"] == hashlib.sha256(people.read_bytes()).hexdigest()
    first = command("resume", "--why", "repaired")
    assert first.code == 1
    assert first.out == "`all` is still stopped: one more person has to ask for the same within 60 minutes; maria has\n"
    again = command("resume", "--why", "repaired")
    assert (again.code, "`maria` has asked for this already" in again.err) == (2, True)
    log_in("tom")
    second = command("resume", "--why", "I looked too", "--json")
    assert second.json == {"target": "all", "halted": False, "changed": True, "missing": 0}
    assert newest(command, "resumed")["with"][0]["by"] == "maria"


def test_each_step_is_told_in_words(people, command, log_in):
    command("halt", "--why", "twice")
    command("resume", "--why", "repaired")
    command("resume", "--why", "repaired")
    log_in("tom")
    command("resume", "--why", "I looked too")

    def told(kind):
        return command("audit", "show", str(command("audit", "list", "--kind", kind, "--json").json[0]["pos"])).out

    assert "asked for, and it takes 1 more person: resume all" in told("resume_asked")
    assert "counts until" in told("resume_asked")
    assert "refused: resume all" in told("power_refused")
    assert "they had asked already, and it takes somebody else" in told("power_refused")
    resumed = told("resumed")
    assert "tom, known by os_login" in resumed
    assert "maria, known by os_login, entry" in resumed


@pytest.mark.parametrize(
    "words",
    [["halt"], ["resume"], ["policy", "activate"], ["clock", "confirm"]],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "who, code, said",
    [
        ("stranger", 2, "people.yaml has no user with the login `stranger`"),
        ("maria", 2, "no user with the login `maria`"),
    ],
)
def test_a_login_that_is_nobodys_may_do_nothing(people, command, log_in, words, who, code, said):
    log_in(who)  # `maria` is an id here, and no login
    found = command(*words, "--why", "x")
    assert found.code == code
    assert said in found.err


def test_whoever_has_no_power_is_told_who_has(people, command, log_in):
    people.write_text(OPERATORS.replace("operators: [maria, tom]", "powers: {halt: [tom]}"))
    found = command("halt", "--why", "x")
    assert found.code == 2
    assert "`maria` may not halt: the people file gives that power to `tom`" in found.err
    assert command("halt", "--list").out == "nothing is stopped\n"
    assert newest(command, "power_refused")["by"] == "maria"


def test_a_name_that_nobody_checked_lets_nothing_go(people, command):
    command("halt", "--as", "tom", "--why", "x")
    found = command("resume", "--as", "tom", "--why", "x")
    assert found.code == 2
    assert "nobody checked who wants to resume" in found.err
    assert "log in, or allow it with" in found.err


def test_a_stop_needs_no_people_file_that_can_be_read(people, command):
    people.write_text("people: 2\n")
    found = command("halt", "--why", "x")
    assert found.code == 0
    assert "warning: nobody checks who may stop: " in found.err
    assert newest(command, "halted")["power"] == "unchecked"
    assert command("resume", "--why", "x").code == 3
    people.write_text(OPERATORS)
    assert command("resume", "--why", "x").code == 1


def test_policies_come_into_force_when_the_second_person_says_so(people, shop, command, log_in):
    people.write_text(OPERATORS + "powers: {activate: {who: [maria, tom], people: 2}}\n")
    policy = shop.folder / "policies" / "refunds.yaml"
    policy.write_text(policy.read_text().replace("version: 1", "version: 2"))
    first = command("policy", "activate", "--why", "new version")
    assert first.code == 1
    assert "changed, was version 1" in first.out
    assert "not in force yet: one more person has to ask for the same within 7 days; maria has" in first.out
    log_in("tom")
    second = command("policy", "activate", "--why", "read it", "--json")
    assert (second.code, second.json["changed"], second.json["missing"]) == (0, True, 0)
    assert "in force already" in command("policy", "activate", "--why", "again").out


def test_people_see_who_they_are_what_they_may_and_who_is_away(people, command, log_in):
    today = datetime.now(UTC).date()
    people.write_text(
        OPERATORS.replace("name: Tom,", f"name: Tom, absences: [{{from: {today}, to: {today}, delegate: maria}}],")
    )
    said = command("people", "show").out
    assert said.startswith("you are maria, by the login `mrossi`\n")
    assert f"until {today}, maria decides instead" in said
    assert "resume: maria, tom, 2 of them together" in said
    log_in("stranger")
    found = command("people", "show", "--json").json
    assert found["you"] is None
    assert [(user["id"], user["groups"], user["delegate"]) for user in found["users"]] == [
        ("maria", ["leads"], None), ("tom", [], "maria")
    ]  # fmt: skip
    assert found["powers"]["resume"] == {"who": ["maria", "tom"], "people": 2}
    people.write_text(PEOPLE)
    assert "nothing says who has which power" in command("people", "show").out
    people.unlink()
    assert "expected a people.yaml in `policies`" in command("people", "show").err
