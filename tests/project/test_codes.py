"""Every code that a program may compare is in the manual, and the manual has no other."""

import ast
import re

from agentguard import errors
from tests.project.tree import ROOT, modules, nodes

PAGE = (ROOT / "docs/codes.md").read_text("utf-8")
# Which argument of a call is a code.
MAKERS = {"Reason": 0, "reason_of": 1, "ended_reason": 1, "not_now": 2}


def section(title):
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def listed(title):
    return set(re.findall(r"(?m)^\| `(\w+)` \|", section(title)))


def made(*makers):
    calls = [node for path in modules() for node in nodes(path) if isinstance(node, ast.Call)]
    found = set()
    for call in calls:
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        if name in makers and len(call.args) > MAKERS[name]:
            code = call.args[MAKERS[name]]
            if isinstance(code, ast.Constant):
                found.add(code.value)
    return found


def test_every_reason_is_in_the_manual():
    # The doors answer these errors as a refusal, since a model cannot catch them.
    refused = {errors.KeyConflictError.code, errors.NotFoundError.code}
    assert listed("Reasons of a decision") == made("Reason", "reason_of", "ended_reason") | refused


def test_every_cause_of_being_unavailable_is_in_the_manual():
    assert listed("Why a guard is unavailable") == made("not_now")


def test_every_error_is_in_the_manual_with_its_code():
    rows = set(re.findall(r"(?m)^\| `(\w+)` \| `(\w+)` \|", section("Errors")))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert rows == {(kind.code, kind.__name__) for kind in kinds}


def test_every_event_of_the_operational_log_is_in_the_manual():
    calls = [node for path in modules() for node in nodes(path) if isinstance(node, ast.Call)]
    events = {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "log"
    }
    assert events == set(re.findall(r"(?m)^\| `([\w.]+)` \|", section("Events of the operational log")))


def test_every_module_that_the_walk_names_exists():
    named = re.findall(r"`(agentguard/[\w/.]+)`", (ROOT / "docs/walk.md").read_text("utf-8"))
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []
