"""The specification says what the code does: its examples are evaluated, and every rule that is cited exists."""

import re

import pytest

from agentguard.core import language
from agentguard.core.language import check, evaluate, parse
from agentguard.core.language.functions import FUNCTIONS, MACROS, TEXT_METHODS
from agentguard.errors import EvaluationError, LanguageError
from tests.language.test_evaluate import USUAL, WITH_NAMES
from tests.project.tree import ROOT

TEXT = (ROOT / "docs/specification.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"(?m)^- `(.+)` → (.+)$", TEXT)


def result(text):
    try:
        expression = check(parse(text), WITH_NAMES, text, language.YesNo())
    except LanguageError:
        return "refused"
    try:
        return "yes" if evaluate(expression, USUAL) else "no"
    except EvaluationError as error:
        return f"error {error.reason}"


@pytest.mark.parametrize("text, expected", EXAMPLES)
def test_every_example_comes_out_as_it_is_written(text, expected):
    assert result(text) == expected


def test_the_examples_show_every_kind_of_result():
    assert {expected.split()[0] for _, expected in EXAMPLES} == {"yes", "no", "refused", "error"}


def test_every_rule_that_code_cites_is_written():
    rules = set(re.findall(r"\*\*(L[0-9.]+)", TEXT)) | set(re.findall(r"(?m)^\| (L7\.[0-9]+) \|", TEXT))
    rules |= set(re.findall(r"(?m)^## (L[0-9]+) ", TEXT))
    cited = set()
    for path in (ROOT / "agentguard").rglob("*.py"):
        for listed in re.findall(
            r"SPEC (L[0-9.]+[0-9](?:, L[0-9.]+[0-9])*|L[0-9](?:, L[0-9])*)", path.read_text("utf-8")
        ):
            cited |= set(listed.split(", "))
    assert cited
    assert cited <= rules, sorted(cited - rules)


def test_every_function_is_described():
    described = " ".join(re.findall(r"(?m)^\| L7.*$|^\*\*L6.5.*(?:\n.+)*", TEXT))
    for name in (*FUNCTIONS, *MACROS, *TEXT_METHODS):
        assert re.search(rf"\b{name}\(", described), name


def test_every_reason_of_an_error_is_listed():
    listed = re.search(r"\*\*L6\.8.*(?:\n.+)*", TEXT)[0]
    for path in (ROOT / "agentguard/core/language").glob("*.py"):
        for reason in re.findall(r'EvaluationError\(\s*"([a-z_]+)"', path.read_text("utf-8")):
            assert f"`{reason}`" in listed, reason
