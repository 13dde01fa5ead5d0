"""Problems of policy files as people read them: the place, the message, the line, and where in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.text import Text

from agentguard.cli.output import Output
from agentguard.errors import Problem

MOST_SHOWN = 200


def print_problem(output: Output, problem: Problem, *, warning: bool = False) -> None:
    """Print one problem with its source line and a caret under the column."""
    colour = "yellow" if warning else "red"
    word = "warning " if warning else ""
    message = Text.assemble((problem.place, "bold"), (f" {word}{problem.code}", colour), f" {problem.message}")
    output.console.print(message, soft_wrap=True)
    line = _line(problem)
    if line is not None:
        shown = line[:MOST_SHOWN].rstrip()
        output.line(f"    {shown}")
        if 0 < problem.column <= len(shown) + 1:
            output.line(f"    {' ' * (problem.column - 1)}^", style=colour)


def problem_document(problem: Problem) -> dict[str, Any]:
    """Return a problem as JSON."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
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
