"""`policy prove`: what is promised, for people and for programs."""

import re
from pathlib import Path

import pytest

REFUNDS = str(Path(__file__).parents[2] / "policies" / "refunds")


def test_every_promise_of_the_refunds_is_kept_and_said_in_words(command):
    said = command("policy", "prove", REFUNDS)
    assert (said.code, said.err) == (0, "")
    assert "refunds/no-big-money-alone (refund.issue)\n  never: allow when amount > 50\n  kept, whatever" in said.out
    assert said.out.endswith("6 of 6 promises are kept for every possible request\n")


def test_a_broken_promise_is_shown_by_a_request_that_a_person_can_read(command):
    said = command("policy", "prove", REFUNDS, "--promise", "never allow when amount > 40")
    assert said.code == 1
    assert "broken: what follows breaks it" in said.out
    assert "amount 40.01 USD" in said.out
    assert "refunds/customer-30-days: 0.00 USD used, this adds 40.01 USD, of 300.00 USD" in said.out
    assert "decided  allow, by refunds/small-refund" in said.out
    assert "0 of 1 promises are kept" in said.out


def test_a_counterexample_says_when_a_person_acts_what_happened_first_and_all_times_alike(command):
    said = command("policy", "prove", REFUNDS, "--promise", 'never allow when agent.kind == "person"')
    assert "    by       a person " in said.out
    assert "    first    refunds/identity-first: it happened " in said.out
    assert "+00:00" not in said.out
    said = command("policy", "prove", REFUNDS, "--promise", 'possible allow when agent.kind == "agent"')
    assert "    for      A " in said.out
    assert "    by  " not in said.out


LATE = """agentguard: 1
policy: late
version: 1
actions: {visit.move: {}}
types: {visit: {starts_at: time}}
facts: {customer.visits: list of visit}
rules:
  - id: soon
    then: allow
    when: 'now - asked_at > 1 hour and customer.visits.exists(v, v.starts_at > now)'
"""


def test_where_it_does_not_matter_it_is_an_agent_that_asks_at_that_moment(command, tmp_path):
    (tmp_path / "late.yaml").write_text(LATE.replace("> 1 hour", "< 1 hour"), encoding="utf-8")
    said = command("policy", "prove", str(tmp_path), "--promise", "never allow")
    assert "decided  allow, by late/soon" in said.out
    assert "    by  " not in said.out
    assert "asked for at" not in said.out


def test_a_counterexample_says_when_it_was_asked_for_where_that_was_before(command, tmp_path):
    (tmp_path / "late.yaml").write_text(LATE, encoding="utf-8")
    said = command("policy", "prove", str(tmp_path), "--promise", "never allow when now > asked_at")
    assert re.search(r"    at +\d{4}-[-\d]+ [:\d]+ UTC, asked for at \d{4}-[-\d]+ [:\d]+ UTC", said.out)
    assert re.search(r"customer visits \{starts_at: \d{4}-[-\d]+ [:\d]+ UTC\}", said.out)


def test_the_largest_automatic_amount_is_named(command):
    said = command("policy", "prove", REFUNDS, "--max", "amount")
    assert said.code == 0
    assert said.out.startswith("refund.issue: the largest amount with allow is 50.00 USD\n")


def test_programs_get_one_document(command):
    said = command("policy", "prove", REFUNDS, "--promise", "never allow when amount > 40", "--json")
    (found,) = said.json
    assert said.code == 1
    assert (found["outcome"], found["kept"], found["action"]) == ("broken", False, "refund.issue")
    assert found["example"]["arguments"]["amount"] == "40.01 USD"
    said = command("policy", "prove", REFUNDS, "--max", "amount", "--json")
    assert said.json["refund.issue"]["value"] == "50.00 USD"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--promise", "never allow when amont > 4"), "unknown name `amont`; did you mean `amount`?"),
        (("--action", "refund.isue"), "expected one of refund.issue for --action, got `refund.isue`"),
        (("--max", "amuont"), "expected an argument or a fact for --max, got `amuont`"),
        (("--max", "amount", "--verdict", "maybe"), "expected `allow`, `escalate` or `deny` for --verdict"),
    ],
)
def test_what_cannot_be_proved_says_why(command, arguments, words):
    said = command("policy", "prove", REFUNDS, *arguments)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_without_the_solver_one_line_says_what_to_install(command, monkeypatch):
    monkeypatch.setattr("agentguard.analysis.solver.find_spec", lambda _: None)
    said = command("policy", "prove", REFUNDS)
    assert (said.code, said.out) == (2, "")
    assert "run `pip install 'agentguard[prove]'`" in said.err


def test_lint_names_a_rule_that_others_always_overrule_and_says_what_it_cannot_look_for(command, tmp_path, monkeypatch):
    text = (Path(REFUNDS) / "refunds.yaml").read_text()
    dead = "rules:\n  - {id: dead, then: escalate to support_lead, when: amount > 600}\n"
    (tmp_path / "refunds.yaml").write_text(text.replace("rules:\n", dead, 1))
    said = command("policy", "lint", str(tmp_path))
    assert said.code == 0
    assert "warning rule_never_decides rule `dead` never decides anything" in said.out
    monkeypatch.setattr("agentguard.analysis.solver.find_spec", lambda _: None)
    said = command("policy", "lint", str(tmp_path))
    assert "dead" not in said.out
    assert said.err == (
        "rules that do nothing, gaps, overlaps, empty lists, limits out of reach are not looked for without z3; "
        "run `pip install 'agentguard[prove]'`\n"
    )


SHADOW = """agentguard: 1
policy: {name}
version: 1
owner: a@b.example
timezone: UTC
currency: USD
mode: {mode}
actions: {{thing.do: {{amount: money}}}}
rules:
  - {{id: r, then: allow, when: amount <= {most}}}
guarantees: [{{id: g, never: allow, when: amount > 100}}]
"""


def test_a_file_in_shadow_mode_is_proved_by_itself_and_never_in_the_place_of_what_is_enforced(command, tmp_path):
    files = {"a": ("shadow", 50), "b": ("enforce", 500)}
    for name, (mode, most) in files.items():
        (tmp_path / f"{name}.yaml").write_text(SHADOW.format(name=name, mode=mode, most=most))
    said = command("policy", "prove", str(tmp_path))
    assert said.code == 1
    assert "`a` is in shadow mode: looked at by itself, as if it were enforced" in said.out
    assert [line for line in said.out.splitlines() if line.endswith("(thing.do)")] == [
        "b/g (thing.do)",
        "a/g (thing.do)",
    ]
    assert "1 of 2 promises are kept" in said.out
    asked = command("policy", "prove", str(tmp_path), "--promise", "never allow when amount > 60")
    assert (asked.code, "b/asked (thing.do)" in asked.out) == (1, True)
    alone = command("policy", "prove", str(tmp_path / "a.yaml"), "--promise", "never allow when amount > 60")
    assert (alone.code, "a/asked (thing.do)" in alone.out) == (0, True)
    assert "is 50.00 USD" in command("policy", "prove", str(tmp_path / "a.yaml"), "--max", "amount").out
