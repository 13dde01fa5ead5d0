"""Problems of policy files as SARIF 2.1.0, which code hosts and editors show beside the lines.

Places are in characters; paths are below the working directory wherever the files are, so that a host finds them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agentguard.engine import machine
from agentguard.errors import Problem
from agentguard.policyfile.codes import meaning_of, severity_of

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
"""By this name hosts know the folder that relative paths begin at."""


def sarif_document(problems: Sequence[Problem]) -> dict[str, Any]:
    """Return problems as one run of agentguard; a severity is also SARIF's level of that name."""
    codes = sorted({problem.code for problem in problems})
    version, _ = machine.library_versions()
    driver = {"name": "agentguard", "version": version, "rules": [_rule(code) for code in codes]}
    results = [_result(problem, codes.index(problem.code)) for problem in problems]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    meaning = meaning_of(code)
    text = f"{meaning[:1].upper()}{meaning[1:]}."
    return {
        "id": code,
        "shortDescription": {"text": text},
        "help": {"text": f"{text} What it looks at is in the reference of the policy file, P20 and P21."},
        "defaultConfiguration": {"level": str(severity_of(code))},
    }


def _result(problem: Problem, rule: int) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": _artifact(problem.file)}
    if problem.line > 0:
        place["region"] = {"startLine": problem.line, "startColumn": max(problem.column, 1)}
    seen = hashlib.sha256(f"{problem.file}\n{problem.code}\n{problem.message}".encode()).hexdigest()
    return {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": str(severity_of(problem.code)),
        "message": {"text": problem.message},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"agentguard/v1": seen},
    }


def _artifact(file: str) -> Mapping[str, str]:
    """Return where a file is: below the working directory where it is there, and in full elsewhere."""
    path = Path(file)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    if path.is_absolute() or ".." in path.parts:
        return {"uri": path.resolve().as_uri()}
    return {"uri": quote(path.as_posix()), "uriBaseId": ROOT}
