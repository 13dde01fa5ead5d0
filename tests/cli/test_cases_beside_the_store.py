"""Policies that come from the store are tried with the cases of the folder, where it has just these policies."""

import pytest

from tests.cli.shop import PEOPLE
from tests.cli.test_change_control import LOOSER, TIGHTER, write  # noqa: F401 - a fixture

OPERATORS = PEOPLE.replace("allow_unverified: yes\n", "operators: [maria, tom]\n")


@pytest.fixture
def as_tom(monkeypatch, shop):
    """Let people have the power, and change who is logged in from maria to tom when called."""
    (shop.folder / "policies" / "people.yaml").write_text(OPERATORS)
    return lambda: monkeypatch.setattr("agentguard.engine.machine.login", lambda: "tom")


def asking(command):
    return command("policy", "history", "--json").json[0]


def test_whoever_says_yes_to_a_canary_hears_first_that_it_is_one_and_a_promotion_runs_the_cases(command, as_tom, write):  # noqa: F811
    write(LOOSER)
    asked = command("policy", "activate", "--canary", "10%", "--why", "a try")
    entry = str(asking(command)["pos"])
    assert f"say yes with `agentguard policy approve {entry}`" in asked.out
    as_tom()
    agreed = command("policy", "approve", entry, "--why", "agreed", "--yes")
    assert "for 10% of the customers, as a canary" in agreed.out.split("looser:")[0]
    promoted = command("policy", "activate", "--promote", "--why", "it went well")
    assert "all 3 cases passed" in promoted.out
    assert asking(command)["change"]["tests"]["cases"] == 3
    write(LOOSER, cases=False)
    assert "case `a cent more` fails" in command("policy", "activate", "--promote", "--why", "it went well").out


def test_a_rollback_runs_the_cases_of_a_folder_that_has_what_it_goes_back_to(command, as_tom, write, shop):  # noqa: F811
    before = {path: path.read_text() for path in (shop.folder / "policies").glob("refunds*.yaml")}
    write(TIGHTER)
    assert command("policy", "activate", "--why", "fraud").code == 0
    assert "not tried: no test files" in command("policy", "rollback", "--why", "over", "--dry-run").out
    for path, text in before.items():
        path.write_text(text)
    assert "all 3 cases passed" in command("policy", "rollback", "--why", "over", "--dry-run").out
