"""Changes that the cases of a policy do not notice, and the cases that would."""

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from agentguard.analysis import boundaries as searching
from agentguard.analysis import run_cases
from agentguard.analysis.boundaries import Boundaries, boundaries
from agentguard.cli.app import run
from agentguard.cli.boundaryruns import print_boundaries
from agentguard.cli.output import Output
from agentguard.errors import UsageError
from agentguard.policyfile import bundle_of, load_cases, load_cases_text, load_text
from agentguard.policyfile.beside import policies_beside
from agentguard.policyfile.mutants import mutants
from agentguard.policyfile.rows import cases_text

POLICIES = Path(__file__).parents[2] / "policies"

POLICY = """\
agentguard: 1
policy: tips
version: 1
currency: EUR
timezone: Europe/Berlin
escalations:
  desk: {who: "group:desk", within: 1 day, if_late: boss}
  boss: {who: "group:boss", within: 1 day, if_late: deny}
actions:
  tip.pay: {order_id: text, amount: money}
facts:
  order.customer_id: text
  order.paid_at: time?
rules:
  - id: small
    then: allow
    when: amount <= 50
  - id: large
    then: escalate to desk
    when: amount > 50
  - id: theirs
    then: deny
    when: order.customer_id != on_behalf_of
  - id: paid
    then: escalate to boss
    when: has(order.paid_at) and now - order.paid_at > 30 days
limits:
  - {id: month, sum: amount, per: on_behalf_of, in: 30 days, max: 300, over: deny}
"""
CASES = """\
test: tips
now: 2026-11-20 10:00
given: {on_behalf_of: cus_1, order_id: A-1, amount: 30, order.customer_id: cus_1}
cases:
  - name: small ones
    do: tip.pay
    each:
      - {amount: 20, expect: allow}
      - {amount: 60, expect: escalate to desk}
  - name: not theirs
    do: tip.pay
    with: {order.customer_id: cus_2}
    expect: deny
"""


@cache
def found_of(policy=POLICY, cases=CASES):
    made = load_text(policy, "tips.yaml")
    return boundaries(bundle_of([made]), load_cases_text(cases, "tips_test.yaml"), mutants(made))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "tips.yaml").write_text(POLICY)
    (tmp_path / "tips_test.yaml").write_text(CASES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_no_case_notices_is_found_and_the_cases_that_would_notice_it_leave_nothing_behind():
    found = found_of()
    told = {(item.mutant.was, item.mutant.now) for item in found.survivors}
    assert {("amount <= 50", "amount < 50"), ("amount > 50", "amount >= 50"), ("300", "300.01")} <= told
    assert ("amount <= 50", "amount <= 50.01") not in told  # `large` escalates that all the same
    assert {("now - order.paid_at > 30 days", "now - order.paid_at >= 30 days")} <= told
    assert ("escalate to boss", "escalate to desk") in told
    assert all(item.case is not None for item in found.survivors)
    better = found_of(cases=CASES + cases_text(found.cases))
    assert better.survivors == ()
    assert better.noticed == found.noticed + len(found.survivors)


def test_a_case_says_only_what_matters():
    found = found_of()
    case = next(item.case for item in found.survivors if item.mutant.now == "amount < 50")
    assert case.situation.values == {"amount": "50.00"}
    assert (case.expectation.verdict, case.expectation.by) == ("allow", ("small",))


def test_one_case_stands_for_all_changes_that_it_notices():
    found = found_of()
    assert 0 < len(found.cases) < len(found.survivors)


def test_a_change_that_nobody_could_notice_is_none():
    twice = POLICY.replace("when: amount <= 50\n", "when: amount <= 50 and amount <= 900\n")
    assert not any("900" in item.mutant.was for item in found_of(twice).survivors)
    assert found_of(twice).equal > found_of().equal


def test_without_the_solver_every_change_that_is_not_noticed_is_kept_and_none_has_a_case(monkeypatch):
    monkeypatch.setattr(searching, "has_solver", lambda: False)
    found = found_of.__wrapped__()
    assert not found.searched
    assert found.equal == 0
    assert {item.case for item in found.survivors} == {None}


def test_cases_that_fail_already_say_nothing():
    with pytest.raises(UsageError, match="expected every case to pass before the policy is changed"):
        found_of(cases=CASES.replace("expect: deny", "expect: allow"))


def test_a_policy_in_shadow_is_tried_as_if_it_were_enforced():
    assert found_of(POLICY.replace("version: 1\n", "version: 1\nmode: shadow\n", 1)).noticed == found_of().noticed


@pytest.mark.no_cover
def test_the_cases_of_a_pack_notice_every_change_that_somebody_could_notice():
    path = POLICIES / "refunds" / "refunds_test.yaml"  # `agentguard policy test --boundaries policies` tries them all
    cases = load_cases(path)
    bundle = policies_beside(path, cases)
    found = boundaries(bundle, cases, [mutant for policy in bundle.policies for mutant in mutants(policy)])
    assert [str(item.mutant) for item in found.survivors] == []
    assert found.noticed > 80


def test_the_command_prints_places_changes_and_rows_that_can_be_put_into_the_file(folder, capsys):
    assert run(["policy", "test", ".", "--boundaries"]) == 1
    said = capsys.readouterr().out
    assert "tips.yaml:17:11 rule `small`: no case tells `amount <= 50` from `amount < 50`" in said
    rows = said[said.index("  - name: ") : re.search(r"^\d+ small changes", said, re.MULTILINE).start()]
    (folder / "tips_test.yaml").write_text(CASES + rows)
    assert run(["policy", "test", ".", "--boundaries"]) == 0
    assert re.search(r"\d+ small changes of the policies: the cases notice \d+.*, 0 are not", capsys.readouterr().out)


def test_the_command_tries_no_change_while_a_case_fails(folder, capsys):
    (folder / "tips_test.yaml").write_text(CASES.replace("expect: deny", "expect: allow"))
    assert run(["policy", "test", ".", "--boundaries"]) == 1
    said = capsys.readouterr().out
    assert "small changes of the policies are tried once every case passes" in said
    assert "no case tells" not in said


def test_the_command_says_what_to_install_where_there_is_no_solver(folder, capsys, monkeypatch):
    monkeypatch.setattr(searching, "has_solver", lambda: False)
    assert run(["policy", "test", ".", "--boundaries"]) == 1
    assert "agentguard[prove]" in capsys.readouterr().out


def test_programs_get_each_change_with_its_place_and_its_case(folder, capsys):
    assert run(["policy", "test", ".", "--boundaries", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)[0]["boundaries"]
    turned = next(item for item in told["survivors"] if item["now"] == "amount < 50")
    assert (turned["file"], turned["line"], turned["column"]) == ("tips.yaml", 17, 11)
    assert turned["case"].startswith("  - name: ")
    assert told["searched"] is True


def test_every_part_of_a_condition_is_counted_both_ways(folder):
    cases = load_cases("tips_test.yaml")
    parts = {
        part.compared.text: part
        for part in run_cases(policies_beside(Path("tips_test.yaml"), cases), cases).coverage.parts
    }
    assert (parts["amount <= 50"].yes, parts["amount <= 50"].no) == (2, 1)
    assert not parts["has(order.paid_at)"].covered
    assert parts["order.customer_id != on_behalf_of"].covered


def test_what_a_condition_never_is_is_told(folder, capsys):
    assert run(["policy", "test", "."]) == 0
    said = capsys.readouterr().out
    assert "`tips/paid`: no case shows `has(order.paid_at)` as yes" in said
    assert "`tips/paid`: no case shows `now - order.paid_at > 30 days` as yes or as no" in said


@pytest.mark.parametrize(
    "equal, words", [(0, "notice 3, 0 are"), (1, "3, 1 changes nothing"), (2, "3, 2 change nothing")]
)
def test_what_came_of_the_small_changes_is_a_sentence(capsys, equal, words):
    print_boundaries(Output(), [Boundaries("tips_test.yaml", 3, equal, (), searched=True)])
    assert words in capsys.readouterr().out


def test_too_little_that_is_covered_is_a_failure(folder, capsys):
    assert run(["policy", "test", ".", "--json"]) == 0
    percent = json.loads(capsys.readouterr().out)[0]["percent"]
    assert 0 < percent < 100
    assert run(["policy", "test", "."]) == 0
    assert f" {percent}%\n" in capsys.readouterr().out
    assert run(["policy", "test", ".", "--min-coverage", str(percent)]) == 0
    assert run(["policy", "test", ".", "--min-coverage", str(percent + 1)]) == 1
    assert run(["policy", "test", ".", "--min-coverage", "101"]) == 2


def test_results_are_written_as_junit_xml(folder):
    text = CASES.replace("amount: 60, expect: escalate to desk", 'amount: 60, expect: deny, say: "a < b \\x01"')
    (folder / "tips_test.yaml").write_text(text)
    assert run(["policy", "test", ".", "--junit", "out.xml"]) == 1
    root = ET.parse("out.xml").getroot()
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    cases = root.findall("testsuite/testcase")
    assert [case.get("line") for case in cases] == ["8", "9", "10"]
    assert {case.get("file") for case in cases} == {"tips_test.yaml"}
    failures = root.findall("testsuite/testcase/failure")
    assert len(failures) == 1
    assert failures[0].get("message").startswith("expected deny, got escalate to desk")


def test_a_report_that_cannot_be_written_is_said_in_a_line(folder, capsys):
    assert run(["policy", "test", ".", "--junit", "nowhere/out.xml"]) == 2
    assert "nowhere/out.xml cannot be written" in capsys.readouterr().err


def test_a_case_with_everything_reads_back_as_it_was():
    text = CASES + (
        '  - name: "all: \'of\' it"\n    do: tip.pay\n    now: "2026-11-20 10:00:01"\n    with: {amount: 1.50}\n'
        "    used: {month: 10}\n    held: {month: 5}\n    without: [order.paid_at]\n    failed: [order.customer_id]\n"
        "    happened: []\n    expect: escalate to boss\n    by: [paid, on_error]\n"
    )
    case = load_cases_text(text, "t").cases[-1]
    again = load_cases_text(CASES + cases_text([case]), "t").cases[-1]
    assert replace(again, place=case.place) == case
