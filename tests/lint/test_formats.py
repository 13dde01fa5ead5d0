"""What lint found as people, programs, code hosts and GitHub Actions read it."""

import json
from pathlib import Path

import pytest

from agentguard.cli.annotations import annotation
from agentguard.cli.sarif import sarif_document
from agentguard.errors import Problem
from agentguard.policyfile.codes import CODES, CONDITIONS, NOTES, WARNINGS, Severity, meaning_of, severity_of

SHOP = """agentguard: 1
policy: shop
version: 1
owner: shop@acme.example
timezone: UTC
currency: USD
actions: {gift.send: {amount: money}}
facts: {customer.zone: text, customer.is_regular: yes_no}
tables: {zones: {north: 1, south: 2}}
escalations: {lead: {who: "group:leads", within: 1 day}}
rules:
  - {id: small, then: allow, when: amount < 20 and customer.is_regular}
  - {id: large, then: escalate to lead, when: amount > 20}
  - {id: far, then: deny, say: No., when: 'zones[customer.zone] == 1'}
limits: [{id: month, sum: amount, per: on_behalf_of, in: 30 days, max: 300, over: deny}]
"""
FAR = SHOP.splitlines(keepends=True)[13]
ERROR = Problem("shop, and more.yaml", 3, 7, "unknown_name", "50% of `a`: what\nis it?")


@pytest.fixture
def shop(elsewhere):
    (elsewhere / "shop.yaml").write_text(SHOP)
    return elsewhere


def test_every_code_weighs_something_and_says_what_it_means():
    tables = [CODES, CONDITIONS, WARNINGS, NOTES]
    assert sum(map(len, tables)) == len({code for table in tables for code in table})
    assert {severity_of(code) for code in (*CODES, *CONDITIONS)} == {Severity.ERROR}
    assert {severity_of(code) for code in WARNINGS} == {Severity.WARNING}
    assert {severity_of(code) for code in NOTES} == {Severity.NOTE}
    assert severity_of("never_heard_of") is Severity.ERROR
    assert (meaning_of("band_gap"), meaning_of("never_heard_of")) == (WARNINGS["band_gap"], "")


def test_text_says_warnings_and_notes_by_their_word_and_counts_them(shop, command):
    said = command("policy", "lint", "shop.yaml")
    assert said.code == 0
    assert "shop.yaml:13:10 warning band_gap no rule speaks where `amount` is exactly 20.00 USD" in said.out
    assert "shop.yaml:14:10 note rule_can_fail rule `far` cannot be evaluated" in said.out
    assert said.out.endswith("0 problems, 1 warning, 1 note in 1 file\n")


def test_strict_counts_warnings_and_not_notes(shop, command):
    assert command("policy", "lint", "shop.yaml", "--strict").code == 1
    (shop / "shop.yaml").write_text(SHOP.replace("amount > 20", "amount >= 20"))
    said = command("policy", "lint", "shop.yaml", "--strict")
    assert (said.code, "1 note" in said.out) == (0, True)


def test_json_has_each_with_its_severity(shop, command):
    document = command("policy", "lint", "shop.yaml", "--json").json
    assert document == command("policy", "lint", "shop.yaml", "--format", "json").json
    found = {name: [(item["code"], item["severity"]) for item in document[name]] for name in ("warnings", "notes")}
    assert found == {"warnings": [("band_gap", "warning")], "notes": [("rule_can_fail", "note")]}
    assert document["problems"] == []


def test_two_formats_at_once_are_refused(shop, command):
    said = command("policy", "lint", "shop.yaml", "--json", "--format", "sarif")
    assert (said.code, said.out) == (2, "")
    assert "expected `--json` or `--format sarif`, got both" in said.err


def test_without_the_solver_one_line_says_so_and_the_rest_is_found(shop, command, monkeypatch):
    (shop / "shop.yaml").write_text(SHOP.replace("owner: shop@acme.example\n", ""))
    monkeypatch.setattr("agentguard.analysis.solver.find_spec", lambda _: None)
    for form in ("text", "json", "sarif", "github"):
        said = command("policy", "lint", "shop.yaml", "--format", form)
        assert ("no_owner" in said.out, "band_gap" in said.out) == (True, False)
        assert said.err.count("\n") == 1
        assert said.err.endswith("are not looked for without z3; run `pip install 'agentguard[prove]'`\n")


SARIF = {  # what each object may have, and what it must (starred), as SARIF 2.1.0 says
    "log": {"version*", "$schema", "runs*"},
    "run": {"tool*", "results", "columnKind"},
    "driver": {"name*", "version", "rules"},
    "rule": {"id*", "shortDescription", "help", "defaultConfiguration"},
    "result": {"ruleId", "ruleIndex", "level", "message*", "locations", "partialFingerprints"},
    "place": {"artifactLocation", "region"},
    "artifact": {"uri", "uriBaseId"},
    "region": {"startLine", "startColumn"},
}


def fits(kind, value):
    known = {name.rstrip("*") for name in SARIF[kind]}
    assert set(value) <= known
    assert {name[:-1] for name in SARIF[kind] if name.endswith("*")} <= set(value)
    return value


def places(document):
    """Each result of a document that is checked as a whole: code, level, text, artifact and region."""
    [run] = fits("log", document)["runs"]
    assert (document["version"], fits("run", run)["columnKind"]) == ("2.1.0", "unicodeCodePoints")
    rules = [fits("rule", rule) for rule in fits("driver", run["tool"]["driver"])["rules"]]
    for result in run["results"]:
        fits("result", result)
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert rules[result["ruleIndex"]]["defaultConfiguration"] == {"level": result["level"]}
        assert {rule["help"]["text"] != "" for rule in rules} == {True}
        [location] = result["locations"]
        place = fits("place", location["physicalLocation"])
        artifact, region = fits("artifact", place["artifactLocation"]), fits("region", place.get("region", {}))
        yield result["ruleId"], result["level"], result["message"]["text"], artifact, region


def test_sarif_has_rules_levels_and_regions(shop, command):
    found = list(places(json.loads(command("policy", "lint", "shop.yaml", "--format", "sarif").out)))
    assert [(code, level) for code, level, *_ in found] == [("band_gap", "warning"), ("rule_can_fail", "note")]
    assert found[0][3:] == ({"uri": "shop.yaml", "uriBaseId": "%SRCROOT%"}, {"startLine": 13, "startColumn": 10})


def test_sarif_of_a_clean_file_is_a_run_without_results(shop, command):
    (shop / "shop.yaml").write_text(
        SHOP.split("tables", maxsplit=1)[0] + "rules: [{id: all, then: allow, when: customer.is_regular}]\n"
    )
    [run] = command("policy", "lint", "shop.yaml", "--format", "sarif").json["runs"]
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def test_sarif_paths_are_below_the_working_directory_and_quoted(shop):
    inside, outside = str(Path.cwd() / "a b" / "ü.yaml"), "../beside.yaml"
    whole = Problem(outside, 0, 0, "no_policy", "none")
    found = list(places(sarif_document([Problem(inside, 1, 0, "no_owner", "x"), whole])))
    assert found[0][3:] == (
        {"uri": "a%20b/%C3%BC.yaml", "uriBaseId": "%SRCROOT%"},
        {"startLine": 1, "startColumn": 1},
    )
    assert found[1][3]["uri"].startswith("file:///")
    assert found[1][3]["uri"].endswith("/beside.yaml")
    assert (found[1][1], found[1][4]) == ("error", {})


def test_sarif_tells_a_finding_again_after_lines_above_it_moved():
    moved = Problem(ERROR.file, 30, 9, ERROR.code, ERROR.message)
    prints = [sarif_document([item])["runs"][0]["results"][0]["partialFingerprints"] for item in (ERROR, moved)]
    assert prints[0] == prints[1]


def test_github_commands_escape_what_they_must():
    assert annotation(ERROR) == (
        "::error file=shop%2C and more.yaml,title=unknown_name,line=3,col=7::50%25 of `a`: what%0Ais it?"
    )
    assert annotation(Problem("c:a.yaml", 0, 0, "no_owner", "a, b: c")) == (
        "::warning file=c%3Aa.yaml,title=no_owner::a, b: c"
    )


def test_github_gets_a_line_for_each_and_nothing_else(shop, command):
    said = command("policy", "lint", "shop.yaml", "--format", "github")
    assert [line.partition(" ")[0] for line in said.out.splitlines()] == ["::warning", "::notice"]


def test_what_was_forgotten_is_found_by_the_command(shop, command):
    (shop / "people.yaml").write_text("people: 1\nusers: {maria: {}}\ngroups: {others: [maria]}\n")
    text = SHOP.replace("owner: shop@acme.example\n", "expires: 2026-01-01\nreview_by: 2026-01-01\n")
    (shop / "shop.yaml").write_text(text.replace(" say: No.,", ""))
    said = command("policy", "lint", "shop.yaml", "--json").json["warnings"]
    found = {item["code"] for item in said}
    assert found >= {"no_owner", "expired", "review_due", "deny_without_say", "route_without_people"}
