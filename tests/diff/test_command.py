"""`policy diff`: between files, folders and git revisions, for people and for programs."""

import pytest

from tests.diff.base import TEXT, changed

RAISED = changed(("- amount <= 50\n", "- amount <= 75\n"), ("version: 3", "version: 4"))
LOWERED = changed(("max: 300", "max: 200"))
REWORDED = changed(("say: It is on its way.", "say: Done."))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write texts as files old.yaml and new.yaml, and be where they are."""

    def written(new, old=TEXT):
        (tmp_path / "old.yaml").write_text(old, encoding="utf-8")
        (tmp_path / "new.yaml").write_text(new, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        return "old.yaml", "new.yaml"

    return written


def test_a_person_reads_the_direction_the_sentence_the_lines_and_an_example(command, files):
    said = command("policy", "diff", *files(RAISED))
    assert (said.code, said.err) == (1, "")
    assert said.out.startswith(
        "looser: an agent does more by itself than before\n"
        "the largest automatic amount of refund.issue rises from 50.00 USD to 75.00 USD; nothing else changes\n"
        "\n"
        "refunds, version 3 → 4\n"
        "  loosens   rule `small`: (allow) the amount is at most 75.00 USD, was 50.00 USD\n"
    )
    assert "  some requests that were denied are allowed, like this one:\n" in said.out
    assert "    before  deny, by refunds/otherwise" in said.out
    assert "    now     allow, by refunds/small" in said.out
    assert "  proved: no other verdict changes\n" in said.out


def test_a_changed_file_whose_version_did_not_rise_is_told_to_write_the_next_one(command, files):
    said = command("policy", "diff", *files(changed(("- amount <= 50\n", "- amount <= 75\n"))))
    assert "\nrefunds, version 3 (to put it into force, write `version: 4`)\n" in said.out


def test_what_changes_nothing_says_which_rule_still_speaks(command, files):
    old = changed(('amount > 50 and reason in ["damaged", "late"]', "amount > 50"))
    new = changed(("- amount <= 50\n", "- amount <= 75\n"), text=old)
    said = command("policy", "diff", *files(new, old))
    assert said.out.startswith(
        "same: an agent does by itself what it did before\nthe rules change, but no decision does\n"
    )
    assert (
        "  `refunds/small` alone changes no decision: `refunds/large` still says escalate to all of these\n" in said.out
    )
    assert "  proved: no request at all is decided otherwise\n" in said.out


@pytest.mark.parametrize(
    "new, fail_on, code",
    [
        (TEXT, "any", 0),
        (REWORDED, "any", 1),
        (REWORDED, "decisions", 0),
        (LOWERED, "decisions", 1),
        (LOWERED, "looser", 0),
        (RAISED, "looser", 1),
        (changed(("timezone: Europe/Berlin", "timezone: Europe/Lisbon")), "looser", 1),
    ],
)
def test_the_exit_code_is_for_what_was_asked_to_fail_on(command, files, new, fail_on, code):
    assert command("policy", "diff", *files(new), "--fail-on", fail_on).code == code


def test_programs_get_one_document(command, files):
    said = command("policy", "diff", *files(LOWERED), "--json")
    found = said.json
    assert (said.code, found["direction"], found["differs"], found["decides_otherwise"]) == (1, "tighter", True, True)
    assert found["said"] == [
        {
            "policy": "refunds",
            "part": "limit",
            "id": "month",
            "text": "lets through 200.00 USD, was 300.00 USD",
            "effect": "tightens",
            "about": "decisions",
            "line": TEXT.splitlines().index("limits:") + 2,
        }
    ]
    waive, refund = found["decided"]
    assert (waive["action"], waive["direction"], waive["changes"]) == ("fee.waive", "same", [])
    assert [(item["old"], item["new"]) for item in refund["changes"]] == [("allow", "deny"), ("escalate", "deny")]
    assert [refund["changes"][0][key]["verdict"] for key in ("before", "after")] == ["allow", "deny"]
    assert len(refund["changes"]) + len(refund["proved_without"]) == 6
    assert refund["open"] == []


def test_without_the_solver_the_words_are_there_and_a_line_says_what_to_install(command, files, monkeypatch):
    monkeypatch.setattr("agentguard.analysis.solver.find_spec", lambda _: None)
    said = command("policy", "diff", *files(RAISED))
    assert (said.code, said.err) == (1, "")
    assert "loosens   rule `small`: (allow) the amount is at most 75.00 USD, was 50.00 USD" in said.out
    assert "which requests are decided otherwise was not looked at: run `pip install 'agentguard[prove]'`" in said.out
    assert command("policy", "diff", *files(RAISED), "--json").json["decided"] is None


def test_one_path_is_compared_with_what_was_committed_last(command, repository):
    assert command("policy", "diff", "policies").code == 0
    repository.write("policies/refunds.yaml", RAISED)
    said = command("policy", "diff", "policies/refunds.yaml")
    assert (said.code, said.out.splitlines()[0]) == (1, "looser: an agent does more by itself than before")
    repository.commit("raised")
    assert command("policy", "diff", "policies").code == 0
    assert command("policy", "diff", "policies", "--rev", "HEAD~1").code == 1


def test_a_revision_is_read_without_being_checked_out(command, repository, monkeypatch):
    repository.git("checkout", "--quiet", "-b", "raise")
    repository.write("policies/refunds.yaml", RAISED)
    repository.write("policies/refunds_test.yaml", "no policy: [")
    repository.write("policies/people.yaml", "no policy: [")
    repository.commit("raised")
    repository.write("policies/refunds.yaml", "not: [saved")
    said = command("policy", "diff", "main:policies/", "raise:policies", "--json")
    assert (said.code, said.json["direction"]) == (1, "looser")
    assert command("policy", "diff", "main:policies/refunds.yaml", "main:policies").code == 0
    monkeypatch.chdir(repository.folder / "policies")
    assert command("policy", "diff", "main:policies", "raise:policies").code == 1
    assert (repository.folder / "policies" / "refunds.yaml").read_text(encoding="utf-8") == "not: [saved"


def test_a_whole_repository_can_be_compared_and_names_with_blanks_are_read(command, repository):
    repository.write("more policies/fées.yaml", TEXT.replace("policy: refunds", "policy: cap"))
    repository.commit("more")
    said = command("policy", "diff", "HEAD~1:", "HEAD:")
    assert said.code == 1
    assert "cap, version 3: new" in said.out


def test_what_is_hidden_is_no_policy_at_a_revision_either(command, repository):
    repository.write("policies/.old/refunds.yaml", TEXT)
    repository.commit("kept a copy")
    assert command("policy", "diff", "policies").code == 0


def test_problems_of_a_file_at_a_revision_name_the_revision(command, repository):
    repository.write("policies/refunds.yaml", TEXT.replace("amount <= 50", "amont <= 50"))
    repository.commit("slip")
    said = command("policy", "diff", "main:policies", "policies")
    assert said.code == 3
    assert "main:policies/refunds.yaml:40:9" in said.err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (
            ("nowhere", "policies"),
            "expected a file, a folder, or one at a git revision like `main:policies`, got `nowhere`",
        ),
        (("nobody:policies", "policies"), "expected a revision that this repository has, got `nobody`"),
        (("main:elsewhere", "policies"), "expected policy files in `elsewhere` at `main`, got none"),
        (("policies", "policies", "--rev", "main"), "expected OLD and NEW, or one path with --rev, got 2 paths"),
        (("policies", "policies", "policies"), "expected OLD and NEW, or one path with --rev, got 3 paths"),
        (("nowhere",), "expected a file or folder to compare with `HEAD`, got `nowhere`, which is not there"),
        (("policies", "--rev=--upload-pack=x"), "expected a git revision like `main`, got `--upload-pack=x`"),
    ],
)
def test_what_cannot_be_compared_says_why(command, repository, arguments, words):
    said = command("policy", "diff", *arguments)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_outside_of_a_repository_or_without_git_one_line_says_so(command, files, monkeypatch):
    _, new = files(RAISED)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", "/")
    said = command("policy", "diff", new)
    assert said.code == 2
    assert "git cannot read it: not a git repository" in said.err
    assert said.err.endswith("; two files or folders can be compared without it\n")
    monkeypatch.setenv("PATH", "")
    said = command("policy", "diff", "main:policies", new)
    assert said.code == 2
    assert "expected git to read a revision with, got none" in said.err
