"""The reference of the policy file says what the code does: its codes, its bounds, its reserved words, its examples."""

import ast
import re
from pathlib import Path

from agentguard.core import language
from agentguard.policyfile import bounds, bundle_of, lint, load_text
from agentguard.policyfile.codes import CODES, CONDITIONS, NOTES, WARNINGS
from agentguard.policyfile.declarations import RESERVED as WORDS
from agentguard.policyfile.model import RESERVED

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "policy-file.md").read_text(encoding="utf-8")


def section(number):
    return re.split(r"(?m)^## P\d+ ", TEXT)[number]


def test_every_code_is_in_the_reference_with_its_meaning():
    listed = dict(re.findall(r"(?m)^\| `(\w+)` \| (.+) \|$", section(21)))
    assert listed == {**CODES, **CONDITIONS, **WARNINGS, **NOTES}


def test_every_code_of_the_condition_language_is_known():
    found = set()
    for path in Path(language.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or len(node.args) < 2 or not isinstance(node.args[1], ast.Constant):
                continue
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called.strip("_") in {"wrong", "problem"}:
                found.add(node.args[1].value)
    assert found - set(CONDITIONS) - set(CODES) == set()


def test_every_bound_is_in_the_reference():
    rows = re.findall(r"(?m)\| ([\d,]+) \| `(\w+)` \|$", section(17))
    listed = {name: int(most.replace(",", "")) for most, name in rows}
    assert listed == {name: value for name, value in vars(bounds).items() if name.isupper()}


def test_every_reserved_word_is_in_the_reference():
    named = set(re.findall(r"`(\w+)`", section(14)))
    assert named == {word for words in RESERVED.values() for word in words}
    assert set(re.findall(r"`(\w+)`", section(5).partition("P5.5")[2])) - {"names", "tables"} == WORDS


def test_rules_are_numbered_in_order_and_code_cites_only_those_that_are_there():
    numbers = [(int(a), int(b)) for a, b in re.findall(r"\*\*P(\d+)\.(\d+)", TEXT)]
    assert numbers == sorted(set(numbers))
    cited = set()
    for path in (Path(__file__).resolve().parents[2] / "agentguard").rglob("*.py"):
        cited |= set(re.findall(r"SPEC P(\d+)\.(\d+)", path.read_text(encoding="utf-8")))
    assert {(int(a), int(b)) for a, b in cited} <= set(numbers)


def test_the_example_of_the_reference_loads_without_a_warning():
    text = re.search(r"```yaml\n(agentguard.+?)```", TEXT, re.DOTALL)[1]
    assert [str(warning) for warning in lint(bundle_of([load_text(text, "baggage.yaml")]))] == []
