import json

import pytest

from tests.cli.shop import POLICY, write_files


@pytest.fixture
def files(elsewhere):
    write_files(elsewhere)
    return elsewhere / "policies"


def change(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_good_files_have_nothing_to_report(files, command):
    change(files / "people.yaml", "allow_unverified: yes\n", "operators: [maria, tom]\n")
    said = command("policy", "lint", "policies")
    assert (said.code, said.out) == (0, "0 problems, 0 warnings in 3 files\n")
    assert command("policy", "lint", "policies", "--json").json["problems"] == []


def test_a_slip_is_shown_in_its_line_with_a_caret_under_it(files, command):
    change(files / "refunds.yaml", "when: amount > 50", "when: amonut > 50")
    said = command("policy", "lint", "policies")
    assert said.code == 1
    place, line, caret, summary = said.out.splitlines()
    assert place.startswith("policies/refunds.yaml:20:")
    assert "did you mean `amount`?" in place
    column = int(place.split(":")[2].split()[0])
    assert line[4:][column - 1 :].startswith("amonut")
    assert caret.index("^") == column - 1 + 4
    assert summary == "1 problem, 0 warnings in 3 files"
    problem = command("policy", "lint", "policies", "--json").json["problems"][0]
    assert (problem["line"], problem["column"], problem["code"]) == (20, column, "unknown_name")


def test_every_file_is_checked_and_every_problem_told_at_once(files, command):
    change(files / "refunds.yaml", "then: escalate to lead", "then: escalate to leed")
    change(files / "refunds_test.yaml", "expect: deny", "expct: deny")
    change(files / "people.yaml", "leads: [maria]", "leads: [mario]")
    said = command("policy", "lint", "policies")
    assert said.code == 1
    for name in ("refunds.yaml:20", "refunds_test.yaml:13", "people.yaml:5"):
        assert f"policies/{name}" in said.out, said.out


def test_warnings_count_only_when_they_are_meant_to(files, command):
    change(files / "refunds.yaml", "owner: refunds@acme.example\n", "")
    said = command("policy", "lint", "policies")
    assert said.code == 0
    assert "warning no_owner" in said.out
    assert command("policy", "lint", "policies", "--strict").code == 1


def test_warnings_about_people_are_told_where_their_file_is_linted(files, command):
    said = command("policy", "lint", "policies")
    assert said.code == 0
    assert "policies/people.yaml:6:19 warning unverified_allowed" in said.out
    assert "policies/people.yaml:1:1 warning powers_undeclared" in said.out
    assert "powers_undeclared" in command("policy", "lint", "policies/people.yaml").out
    assert command("policy", "lint", "policies/refunds.yaml").out == "0 problems, 0 warnings in 1 file\n"
    change(files / "people.yaml", "name: Maria,", "email: refunds@acme.example,")
    assert "owner_decides" in command("policy", "lint", "policies/refunds.yaml").out


def test_people_above_the_folder_are_found_and_routes_checked_against_them(files, command):
    inner = files / "refunds"
    inner.mkdir()
    (files / "refunds.yaml").rename(inner / "refunds.yaml")
    change(files / "people.yaml", "leads: [maria]", "leads: []")
    assert "route_without_people" in command("policy", "lint", "policies/refunds").out


def test_cases_that_pass_are_counted_and_what_they_leave_open_is_told(files, command):
    said = command("policy", "test", "policies")
    assert said.code == 0
    assert "all 3 cases passed" in said.out
    assert "limit `refunds/month`: no case is decided by it" in said.out
    assert command("policy", "test", "policies", "--strict").code == 1


@pytest.mark.parametrize("path", ["policies", "policies/refunds.yaml", "policies/refunds_test.yaml"])
def test_a_failed_case_says_what_came_instead(files, command, path):
    change(files / "refunds_test.yaml", "amount: 50}, expect: allow", "amount: 50}, expect: deny")
    said = command("policy", "test", path)
    assert said.code == 1
    assert "refunds_test.yaml:11 fifty exactly" in said.out
    assert "expected deny, got allow" in said.out
    assert "1 of 3 cases failed" in said.out
    report = command("policy", "test", path, "--json").json[0]
    assert [case["passed"] for case in report["cases"]] == [False, True, True]


def test_cases_find_policies_in_the_folders_beside_theirs(files, command):
    (files / "refunds").mkdir()
    (files / "cases").mkdir()
    (files / "refunds.yaml").rename(files / "refunds" / "refunds.yaml")
    (files / "refunds_test.yaml").rename(files / "cases" / "refunds_test.yaml")
    assert command("policy", "test", "policies/cases").code == 0


def test_cases_for_a_policy_that_is_not_there_are_named(files, command):
    (files / "refunds.yaml").unlink()
    said = command("policy", "test", "policies/refunds_test.yaml")
    assert said.code == 2
    assert "`refunds`" in said.err


def test_a_policy_is_told_in_plain_words(files, command):
    said = command("policy", "explain", "policies")
    assert said.code == 0
    assert said.out.index("✓ alone  small") < said.out.index("◷ people  large") < said.out.index("✕ refused  theirs")
    for words in (
        "refunds, version 1",
        "the amount is more than 50.00 USD",
        "It is refused when the order's customer is not the customer of this request.",
        "month 300.00 USD the amount customer 30 days it is refused",
        "lead group:leads 1 person within 4 hours it is refused",
        "The customer hears: Not yours.",
    ):
        assert words in " ".join(said.out.split()), words
    assert command("policy", "explain", "policies", "--json").json[0]["policy"] == "refunds"


def test_hours_and_every_word_for_the_customer_are_told(tmp_path, command):
    text = tmp_path / "hours.yaml"
    text.write_text("""\
agentguard: 1
policy: hours
version: 1
timezone: Europe/Berlin
say_otherwise: Not here.
say_on_error: Try later.
actions: {visit.book: {day: date}}
calendars:
  desk: {mon-wed: 08:00-18:00, fri: [09:00-12:00, 13:00-24:00], closed: [2026-12-25]}
  nights: {every day: from 22:00 to 06:00}
  freeze: {from: 2026-12-31 18:00, to: 2027-01-02 08:00}
rules:
  - id: open
    then: allow
    when: during(now, "desk") and not during(now, "nights") and not during(now, "freeze")
limits:
  - {id: often, count: actions, in: 7 days, max: 3, over: deny, because: Three are enough., say: No more this week.}
""")  # fmt: skip
    said = command("policy", "explain", text)
    told = " ".join(said.out.split())
    for words in (
        "Monday to Wednesday 08:00 to 18:00, Friday 09:00 to 12:00 and 13:00 to 24:00; closed on 25 December 2026",
        "every day 22:00 to 06:00 (time of Europe/Berlin)",
        "from 18:00 on 31 December 2026 to 08:00 on 2 January 2027 (time of Europe/Berlin)",
        "The customer hears: Not here.",
        "The customer hears: Try later.",
        "For the record: Three are enough.",
        "The customer hears: No more this week.",
    ):
        assert words in told, words
    assert set(command("policy", "explain", text, "--json").json[0]["calendars"]) == {"desk", "nights", "freeze"}


def test_a_request_in_a_file_is_decided_and_explained(files, command):
    request = {
        "do": "refund.issue",
        "on_behalf_of": "cus_8812",
        "context": {"conversation": "c"},
        "with": {"order_id": "A", "amount": 60, "order.id": "A", "order.customer": "cus_8812", "order.total": 500},
        "used": {"month": 280},
    }
    (files.parent / "request.json").write_text(json.dumps(request))
    said = command("policy", "explain", "policies", "--request", "request.json")
    assert said.code == 0
    assert said.out.startswith("Issue refund: it is refused\n")
    assert "280.00 USD was used, so there was room for 20.00 USD, and this is 60.00 USD" in said.out
    told = " ".join(said.out.split())
    assert "the amount 60.00 USD 20.00 USD (with 20.01 USD not yet) the agent does it alone" in told
    document = command("policy", "explain", "policies", "--request", "request.json", "--json").json
    assert document["verdict"] == "deny"
    assert document["automatic_up_to"] == {"argument": "amount", "value": "20.00 USD"}


@pytest.mark.parametrize(
    "text,words",
    [
        ("{", "expected a JSON file"),
        ("[]", "expected an object"),
        ("{}", "do"),
        ('{"do": "refund.isue"}', "no policy governs `refund.isue`"),
        ('{"do": "refund.issue", "with": {"amount": 5}}', "the request needs `order_id`"),
        ('{"do": "refund.issue", "wiht": {}}', "wiht"),
        ('{"do": "refund.issue", "with": {"amont": 5, "order_id": "A"}}', "amont"),
        ("[" * 100_000, "expected a JSON file"),
    ],
)
def test_a_request_that_does_not_fit_is_told_why(files, command, text, words):
    (files.parent / "request.json").write_text(text)
    said = command("policy", "explain", "policies", "--request", "request.json")
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_a_decision_on_record_is_explained_without_personal_values(shop, command):
    decided = command("actions", "show", shop.ids["too_much"], "--json").json["decision_entry"]
    said = command("policy", "explain", "--entry", str(decided))
    assert said.code == 0
    assert said.out.startswith("Issue refund: it is refused\n")
    assert "there was room for 157.00 USD, and this is 180.00 USD" in said.out
    assert "the order's customer is the customer of this request" in said.out
    assert "for the customer  (personal)" in " ".join(said.out.split("   "))
    assert "cus_8812" not in said.out
    assert command("policy", "explain", "--action", shop.ids["too_much"]).out == said.out


def test_what_was_refused_before_any_rule_has_no_decision_to_explain(shop, command):
    said = command("policy", "explain", "--action", shop.ids["invalid"])
    assert said.code == 2
    assert "refused before any rule" in said.err


def test_one_question_at_a_time(shop, command):
    said = command("policy", "explain", "--entry", "2", "--action", shop.ids["done"])
    assert said.code == 2
    assert "got several" in said.err


def test_files_are_laid_out_once_and_stay(files, command):
    assert command("policy", "fmt", "policies").code == 0
    before = {path: path.read_text() for path in files.iterdir()}
    assert command("policy", "fmt", "--check", "policies").code == 0
    change(files / "refunds.yaml", "policy: refunds", "policy:    refunds")
    said = command("policy", "fmt", "--check", "policies")
    assert said.code == 1
    assert "would change policies/refunds.yaml" in said.out
    assert "policy:    refunds" in (files / "refunds.yaml").read_text()
    assert command("policy", "fmt", "policies", "--json").json["changed"] == ["policies/refunds.yaml"]
    assert {path: path.read_text() for path in files.iterdir()} == before


@pytest.mark.parametrize("kind", ["policy", "cases", "people"])
def test_editors_get_a_schema_of_each_kind(elsewhere, command, kind):
    assert command("policy", "schema", kind).json["$comment"] == f"agentguard {kind} file"
    said = command("policy", "schema", kind, "--output", "schema.json")
    assert said.code == 0
    assert "$schema=schema.json" in said.out
    assert json.loads((elsewhere / "schema.json").read_text())["$comment"] == f"agentguard {kind} file"


def test_policies_come_into_force_with_who_and_why_and_make_the_database(files, command, monkeypatch):
    monkeypatch.setattr("agentguard.engine.machine.login", lambda: "mrossi")
    said = command("policy", "activate", "--why", "the first")
    assert said.code == 0
    assert "refunds version 1: new" in said.out
    assert (files.parent / "agentguard.db").is_file()
    assert "in force already" in command("policy", "activate", "--why", "again").out
    change(files / "refunds.yaml", "version: 1", "version: 2")
    again = command("policy", "activate", "--why", "the second", "--json").json
    assert again["changes"] == ["refunds version 2: changed, was version 1"]
    history = command("policy", "history", "--json").json
    assert [(item["by"], item["why"]) for item in history] == [("mrossi", "the second"), ("mrossi", "the first")]
    assert "the second" in command("policy", "history").out


def test_another_text_under_the_same_version_does_not_come_into_force(files, command):
    assert command("policy", "activate", "--why", "the first").code == 0
    change(files / "refunds.yaml", "max: 300", "max: 3000")
    said = command("policy", "activate", "--why", "more")
    assert said.code == 2
    assert "version" in said.err
    assert len(command("policy", "history", "--json").json) == 1


def test_policies_that_do_not_load_do_not_come_into_force(files, command):
    (files / "refunds.yaml").write_text(POLICY.replace("then: allow", "then: alow"))
    said = command("policy", "activate", "--why", "the first")
    assert said.code == 3
    assert "refunds.yaml:19:" in said.err
    assert not (files.parent / "agentguard.db").exists()


@pytest.mark.parametrize("verb", ["lint", "test", "fmt"])
@pytest.mark.parametrize("path", ["nothing", "nothing.yaml", "."])
def test_paths_without_files_are_named(elsewhere, command, verb, path):
    said = command("policy", verb, path)
    assert said.code == 2
    assert f"{path}" in said.err


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\t\n",
        b"\xff\xfe",
        b"a: &x 1\nb: *x\n",
        b"agentguard: 1\n" * 2,
        b"x" * 1_000_001,
        b"[" * 5000,
        b"{}",
        b"- 1",
    ],
)
def test_a_file_that_is_no_policy_is_a_problem_with_a_place_and_nothing_else(elsewhere, command, data):
    (elsewhere / "odd.yaml").write_bytes(data)
    said = command("policy", "lint", "odd.yaml")
    assert said.code == 1
    assert said.err == ""
    assert said.out.startswith("odd.yaml")
