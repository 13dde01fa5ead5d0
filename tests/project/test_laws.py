"""Every promise is named by a test, and the manual draws what the code does."""

import re

import pytest

from agentguard.core.lifecycle import diagram
from tests.project.tree import ROOT

LAWS = sorted(int(number) for number in re.findall(r"(?m)^\| (\d+) \|", (ROOT / "docs/laws.md").read_text("utf-8")))
SHOWN = {
    int(number)
    for path in (ROOT / "tests").rglob("test_*.py")
    for numbers in re.findall(r"(?m)^@pytest\.mark\.law\(([\d, ]+)\)$", path.read_text("utf-8"))
    for number in numbers.split(",")
}


@pytest.mark.parametrize("law", LAWS)
def test_every_law_is_shown_by_a_test(law):
    assert law in SHOWN


def test_there_are_sixteen_laws():
    assert list(range(1, 17)) == LAWS


def test_the_manual_draws_the_table_of_moves_as_it_is():
    assert f"```mermaid\n{diagram()}\n```" in (ROOT / "docs/laws.md").read_text("utf-8")
