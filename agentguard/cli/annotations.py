"""Problems of policy files as the workflow commands of GitHub Actions, which it shows beside the lines of a change."""

from __future__ import annotations

from agentguard.errors import Problem
from agentguard.policyfile.codes import Severity, severity_of

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def annotation(problem: Problem) -> str:
    """Return the line that a workflow prints for a problem."""
    properties = {"file": problem.file, "title": problem.code}
    if problem.line > 0:
        properties |= {"line": str(problem.line), "col": str(max(problem.column, 1))}
    said = ",".join(f"{name}={_escaped(value, _PROPERTY)}" for name, value in properties.items())
    return f"::{_COMMANDS[severity_of(problem.code)]} {said}::{_escaped(problem.message, _DATA)}"


def _escaped(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in text)
