"""`policy init`: what it writes is right from the start, and what is there is left as it is."""

import json
import re
from datetime import date

import pytest

from agentguard import policyfile
from agentguard.cli.shipped import templates
from tests.project.tree import ROOT

TEMPLATES = ("account", "appointments", "blank", "orders", "outreach", "refunds", "retail", "returns", "triage")
EDITORS_FILES = {"extensions.json", "settings.json", "tasks.json"}


def files_in(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_pack_is_a_template_and_so_is_a_blank_one():
    packs = {path.parent.name for path in (ROOT / "policies").glob("*/*.yaml")}
    assert set(templates()) == {"blank", *packs} == set(TEMPLATES)


@pytest.mark.parametrize("template", ["blank", "refunds"])
def test_what_a_template_gives_is_clean_laid_out_and_passes_its_own_examples(elsewhere, command, template):
    said = command("policy", "init", "shop", "--template", template)
    assert (said.code, said.err) == (0, "")
    assert {path.name for path in (elsewhere / "shop" / ".vscode").iterdir()} == EDITORS_FILES
    linted = command("policy", "lint", "--strict", "shop")
    assert linted.code == 0, linted.out
    assert "0 warnings in 3 files" in linted.out
    assert command("policy", "test", "--strict", "shop").code == 0
    assert command("policy", "fmt", "--check", "shop").code == 0


@pytest.mark.parametrize("template", sorted({*TEMPLATES} - {"blank"}))
def test_a_pack_is_given_as_it_is_and_stands_by_itself(elsewhere, command, template):
    assert command("policy", "init", "shop", "--template", template).code == 0
    for ending in ("", "_test"):
        written = (elsewhere / "shop" / f"{template}{ending}.yaml").read_text(encoding="utf-8")
        theirs = (ROOT / "policies" / template / f"{template}{ending}.yaml").read_text(encoding="utf-8")
        assert written.partition("\n")[2] == theirs
    people = policyfile.load_people(elsewhere / "shop" / "people.yaml")
    assert policyfile.lint(policyfile.load(elsewhere / "shop"), people, date(2026, 11, 22)) == ()


def test_the_blank_one_keeps_its_promises_and_no_small_change_of_it_goes_unnoticed(elsewhere, command):
    command("policy", "init", "shop")
    assert "2 of 2 promises are kept for every possible request" in command("policy", "prove", "shop").out
    assert "0 are not noticed" in command("policy", "test", "shop", "--boundaries").out
    assert policyfile.load(elsewhere / "shop").policies[0].name == "vouchers"  # what it is about, and not `blank`


def test_it_says_what_it_wrote_and_three_commands_that_work(elsewhere, command):
    said = command("policy", "init", "my shop", "--template", "orders").out
    for word in ("orders.yaml", "orders_test.yaml", "people.yaml", "schema/", ".vscode/"):
        assert f"  {word} " in said
    following = re.findall(r"(?m)^  agentguard (policy \w+) 'my shop'", said)
    assert following == ["policy explain", "policy watch", "policy test"]
    assert command("policy", "explain", "my shop").code == 0


def test_what_a_policy_wants_done_first_is_begun_beside_it_and_nothing_more_is_said_then(elsewhere, command):
    said = command("policy", "init", "my shop", "--template", "refunds").out
    assert "`identity-first` wants `identity.verify` done first, which is an action of `account`; nothing" in said
    assert said.endswith("\n  agentguard policy init 'my shop' --template account\n")
    assert command("policy", "init", "my shop", "--template", "account").code == 0
    assert "wants" not in command("policy", "init", "my shop", "--template", "refunds", "--name", "more").out
    assert "wants" not in command("policy", "init", "other", "--template", "orders").out


def test_a_policy_gets_the_name_it_is_given_in_its_file_its_examples_and_its_remarks(elsewhere, command):
    command("policy", "init", "shop", "--template", "refunds", "--name", "money-back")
    text = (elsewhere / "shop" / "money-back.yaml").read_text()
    assert "\npolicy: money-back\n" in text
    tests = (elsewhere / "shop" / "money-back_test.yaml").read_text()
    assert "\ntest: money-back\n" in tests
    assert "limit and requirement of money-back.yaml:" in tests
    assert command("policy", "test", "shop").code == 0


@pytest.mark.parametrize("there", ["refunds.yaml", "refunds_test.yaml"])
def test_a_policy_that_is_there_is_never_replaced_and_nothing_else_is_written(elsewhere, command, there):
    (elsewhere / there).write_text("mine")
    said = command("policy", "init", ".", "--template", "refunds")
    assert said.code == 2
    assert f"`{there}` is there already" in said.err
    assert files_in(elsewhere) == {there: b"mine"}


def test_a_second_policy_leaves_the_people_and_the_editors_files_as_they_are(elsewhere, command):
    command("policy", "init", "shop", "--template", "refunds")
    (elsewhere / "shop" / "people.yaml").write_text("people: 1\nusers: {}\n")
    before = files_in(elsewhere)
    said = command("policy", "init", "shop", "--name", "vouchers", "--json").json
    assert said["written"] == ["vouchers.yaml", "vouchers_test.yaml"]
    assert "people.yaml" in said["kept"]
    assert ".vscode/tasks.json" in said["kept"]
    after = files_in(elsewhere)
    assert {name: after[name] for name in before} == before
    assert "there already, and left as it is: people.yaml, " in command("policy", "init", "shop", "--name", "x").out


@pytest.mark.parametrize(
    "words, expected",
    [
        (("--template", "refund"), "expected one of blank, account, appointments"),
        (("--name", "../evil"), "expected a name like `vouchers`"),
        (("--name", "a_test"), "expected a name like `vouchers`"),
        (("--name", "people"), "expected a name like `vouchers`"),
        (("--name", "a" * 65), "expected a name like `vouchers`"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(elsewhere, command, words, expected):
    said = command("policy", "init", "shop", *words)
    assert said.code == 2
    assert expected in said.err
    assert files_in(elsewhere) == {}


def test_a_folder_that_is_a_file_is_refused_in_words(elsewhere, command):
    (elsewhere / "shop").write_text("mine")
    said = command("policy", "init", "shop")
    assert said.code == 2
    assert "expected to write `shop/vouchers.yaml`: " in said.err
    assert files_in(elsewhere) == {"shop": b"mine"}


def test_every_file_names_the_schema_that_lies_beside_it(elsewhere, command):
    command("policy", "init", "shop")
    folder = elsewhere / "shop"
    for path in folder.glob("*.yaml"):
        modeline = path.read_text().split("\n")[0]
        schema = json.loads((folder / modeline.removeprefix("# yaml-language-server: $schema=")).read_text())
        kind = {"vouchers": "policy", "vouchers_test": "cases", "people": "people"}[path.stem]
        assert schema["$comment"] == f"agentguard {kind} file"


def test_nothing_is_written_where_a_link_leads_out_of_the_folder(elsewhere, command):
    (elsewhere / "shop").mkdir()
    (elsewhere / "another").mkdir()
    (elsewhere / "shop" / ".vscode").symlink_to(elsewhere / "another")
    said = command("policy", "init", "shop")
    assert said.code == 2
    assert "expected `shop/.vscode` inside `shop`, got a link to" in said.err
    assert list((elsewhere / "another").iterdir()) == []
