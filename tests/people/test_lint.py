"""Warnings about people: each where it is meant, and not where it is not."""

from datetime import date

import pytest

from agentguard.policyfile import bundle_of, lint, lint_people, load_people_text, load_text

PEOPLE = """people: 1
users:
  maria: {email: maria@acme.example}
  tom: {}
  kim: {}
groups:
  leads: [maria, tom]
  desk: [kim]
operators: [maria, tom]
"""
POLICY = """agentguard: 1
policy: p
version: 1
owner: products@acme.example
actions: {refund.issue: {}}
escalations:
  lead: {who: "group:leads", within: 1 day}
rules:
  - {id: r, then: escalate to lead}
"""
TODAY = date(2026, 11, 22)


def people(*changes):
    text = PEOPLE
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return load_people_text(text, "people.yaml")


def of_people(*changes, routes=(), today=TODAY):
    return [(found.code, found.line) for found in lint_people(people(*changes), routes, today)]


def of_routes(*changes, route="", owner="products@acme.example", today=TODAY):
    text = POLICY.replace("within: 1 day", f"within: 1 day{route}").replace("products@acme.example", owner)
    found = lint(bundle_of([load_text(text, "p.yaml")]), people(*changes), today)
    return [(item.code, item.line) for item in found if item.file == "p.yaml"]


def away(name, first, last, delegate=""):
    instead = f", delegate: {delegate}" if delegate else ""
    return f"{name}: {{}}", f"{name}: {{absences: [{{from: {first}, to: {last}{instead}}}]}}"


def test_careful_people_have_no_warning():
    assert of_people() == []
    assert of_routes() == []


def test_an_empty_group_is_told():
    assert of_people(("desk: [kim]", "desk: [kim]\n  night: []")) == [("group_empty", 9)]


def test_somebody_who_can_do_nothing_is_told_unless_a_route_or_an_absence_names_them():
    ada = ("  kim: {}", "  kim: {}\n  ada: {}")
    assert of_people(ada) == [("user_idle", 6)]
    named = load_text(POLICY.replace("group:leads", "user:ada"), "p.yaml").routes.values()
    assert of_people(ada, routes=named) == []
    assert of_people(ada, away("tom", "2026-12-20", "2026-12-24", "ada")) == []
    assert of_people(ada, ("operators: [maria,", "operators: [ada,")) == []


def test_a_single_person_in_every_group_is_told():
    assert of_people(("desk: [kim]", "desk: [kim, tom]")) == [("one_person_everywhere", 4)]


def test_powers_that_nobody_speaks_of_and_those_that_too_few_have_are_told():
    assert of_people(("operators: [maria, tom]\n", "")) == [("powers_undeclared", 1)]
    assert set(of_people(("operators: [maria, tom]", "operators: [maria]"))) == {("power_without_people", 9)}
    assert of_people(("operators:", "powers: {erase: []}\noperators:")) == [("power_without_people", 9)]
    assert {code for code, _ in of_people(("operators: [maria, tom]", "powers: {halt: [maria]}"))} == {
        "power_without_people"
    }


def test_one_person_who_may_put_policies_into_force_can_loosen_nothing_and_that_is_told():
    assert of_people(("operators:", "powers: {activate: [maria]}\noperators:")) == [("power_without_people", 9)]
    assert of_people(("operators:", "powers: {activate: [maria, tom]}\noperators:")) == []


def test_voters_whom_nobody_checks_are_told():
    assert of_people(("operators", "allow_unverified: yes\noperators")) == [("unverified_allowed", 9)]
    assert of_people(("operators", "allow_unverified: no\noperators")) == []


@pytest.mark.parametrize("last, over", [("2026-11-21", True), ("2026-11-22", False)])
def test_an_absence_that_is_over_is_told(last, over):
    assert of_people(away("tom", "2026-11-01", last)) == [("absence_over", 4)] * over
    assert of_people(away("tom", "2026-11-01", last), today=None) == []


@pytest.mark.parametrize("first, too", [("2026-12-24", True), ("2026-12-25", False)])
def test_a_delegate_who_is_away_too_is_told(first, too):
    tom = away("tom", "2026-12-20", "2026-12-24", "kim")
    assert of_people(tom, away("kim", first, "2026-12-31")) == [("delegate_away", 4)] * too


@pytest.mark.parametrize(
    "absences, needed, short",
    [
        ([away("tom", "2026-12-20", "2026-12-24")], "", False),
        ([away("tom", "2026-12-20", "2026-12-24")], ", people: 2", True),
        ([away("tom", "2026-12-20", "2026-12-24", "kim")], ", people: 2", False),
        (
            [away("tom", "2026-12-20", "2026-12-24", "kim"), away("kim", "2026-12-24", "2026-12-24")],
            ", people: 2",
            True,
        ),
        ([away("tom", "2026-11-01", "2026-11-21")], ", people: 2", False),
        ([away("tom", "2026-11-01", "2026-11-22")], ", people: 2", True),
    ],
)
def test_a_route_that_absences_leave_with_too_few_is_told(absences, needed, short):
    assert of_routes(*absences, route=needed) == [("route_short_of_people", 7)] * short


def test_the_first_short_day_and_what_to_do_are_said():
    text = POLICY.replace("within: 1 day", "within: 1 day, people: 2")
    found = people(away("tom", "2026-12-20", "2026-12-24"))
    (warning,) = lint(bundle_of([load_text(text, "p.yaml")]), found, TODAY)
    assert warning.message == (
        "route `lead` needs 2 people, and on 2026-12-20 people.yaml has 1 for it: name a `delegate` of an absence, or "
        "somebody else for the route"
    )


@pytest.mark.parametrize(
    "who, needed, told",
    [("group:leads", 1, False), ("group:leads", 2, True), ("group:desk", 1, False), ("user:tom", 1, True)],
)
def test_a_contest_for_people_who_decided_the_case_before_is_told(who, needed, told):
    contested = (
        f"  again: {{who: '{who}', people: {needed}, within: 1 day}}\ncontest: {{to: again, open_for: 60 days}}\n"
    )
    text = POLICY.replace("rules:\n", f"{contested}rules:\n")
    found = lint(bundle_of([load_text(text, "p.yaml")]), people(), TODAY)
    assert ("contest_short_of_people" in {item.code for item in found}) is told


@pytest.mark.parametrize("owner, told", [("Maria@acme.example", 1), ("tom", 1), ("kim", 0), ("x@acme.example", 0)])
def test_an_owner_who_decides_what_their_policy_escalates_is_told(owner, told):
    assert of_routes(owner=owner) == [("owner_decides", 7)] * told
