"""Every code that a program may compare is in the manual, and the manual has no other."""

import ast
import logging
import re

import structlog

from agentguard import Guard, errors
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


def logged():
    """Return every call that writes an event of the operational log."""
    calls = [node for path in modules() for node in nodes(path) if isinstance(node, ast.Call)]
    return [
        call for call in calls if isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "log"
    ]


def test_every_event_of_the_operational_log_is_in_the_manual():
    events = {call.args[0].value for call in logged()}
    assert events == set(re.findall(r"(?m)^\| `([\w.]+)` \|", section("Events of the operational log")))


def test_no_key_of_an_event_is_one_that_the_records_of_pythons_logging_have_themselves():
    taken = {*vars(logging.makeLogRecord({})), "message", "asctime"}  # `logging` raises where one is given again
    keys = {keyword.arg for call in logged() for keyword in call.keywords}
    assert len(keys) > 10
    assert keys & taken == set()


def test_events_reach_pythons_logging_as_the_manual_says(caplog):
    [block] = re.findall(r"(?ms)^```python\n(.*?)^```", section("Events of the operational log"))
    try:
        exec(block, {})
        guard = Guard(str(ROOT / "policies" / "refunds"), store="sqlite://", activate=True, observe=True)
        guard.start()
        guard.close()
    finally:
        structlog.reset_defaults()
    [record] = [record for record in caplog.records if record.getMessage() == "guard.observes"]
    assert (record.name, record.levelname, record.part) == ("agentguard", "WARNING", "guard")
    assert record.where


def test_every_module_that_the_walk_names_exists():
    named = re.findall(r"`(agentguard/[\w/.]+)`", (ROOT / "docs/walk.md").read_text("utf-8"))
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []
