"""Problems of policy files as people read them: the place, the message, the line, and where in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from pathlib import Path
from typing import Any

from rich.text import Text

from agentguard.cli.output import Output, count
from agentguard.core.prose import printable
from agentguard.errors import Problem
from agentguard.policyfile.codes import Severity, severity_of

MOST_SHOWN = 200
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


def print_problem(output: Output, problem: Problem) -> None:
    """Print one problem, a warning or a note by that word, with its source line and a caret under the column."""
    severity = severity_of(problem.code)
    word = "" if severity is Severity.ERROR else f"{severity} "
    code = (f" {word}{problem.code}", _COLOURS[severity])
    said = Text.assemble((printable(problem.place), "bold"), code, f" {printable(problem.message)}")
    output.console.print(said, soft_wrap=True)
    line = _line(problem)
    if line is not None:
        shown = line[:MOST_SHOWN].rstrip()
        output.line(f"    {shown}")
        if 0 < problem.column <= len(shown) + 1:
            output.line(f"    {' ' * (problem.column - 1)}^", style=_COLOURS[severity])


def problem_documents(found: Sequence[Problem]) -> dict[str, list[dict[str, Any]]]:
    """Return problems as JSON, those of a weight together."""
    return {f"{word}s": [_document(item) for item in items] for word, items in _by_weight(found)}


def total_words(found: Sequence[Problem], files: Sized) -> str:
    """Return in words how many problems, warnings and notes there are in some files; notes only if there are."""
    told = [count(items, word) for word, items in _by_weight(found) if items or word != "note"]
    return f"{', '.join(told)} in {count(files, 'file')}"


def _by_weight(found: Sequence[Problem]) -> Iterator[tuple[str, list[Problem]]]:
    for severity in Severity:
        word = "problem" if severity is Severity.ERROR else str(severity)
        yield word, [item for item in found if severity_of(item.code) is severity]


def _document(problem: Problem) -> dict[str, Any]:
    """Return a problem as JSON."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "severity": str(severity_of(problem.code)),
        "code": problem.code,
        "message": problem.message,
    }


def _line(problem: Problem) -> str | None:
    """Return the line that a problem is about; None for the whole file, or where it cannot be read again."""
    if problem.line < 1:
        return None
    try:
        lines = Path(problem.file).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return None  # the message stands without its line
    return lines[problem.line - 1] if problem.line <= len(lines) else None
