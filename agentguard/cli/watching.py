"""`agentguard policy watch`: with every save, what is wrong, what the change means, and which examples fail."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from agentguard.analysis.changes.difference import Direction
from agentguard.cli.diffs import EFFECTS, STYLES, document, meaning, silent_words
from agentguard.cli.files import files_of
from agentguard.cli.interrupts import until_told_to_stop
from agentguard.cli.lints import say_what_is_missing
from agentguard.cli.looks import Change, Desk, Look
from agentguard.cli.options import JsonOption, PeopleOption
from agentguard.cli.output import Output, count
from agentguard.cli.problems import print_problem, problem_documents, total_words
from agentguard.cli.proofs import MEANING
from agentguard.cli.saves import saves
from agentguard.engine import machine

MOST = 10
"""How much of a kind is shown after one save."""


def watch(
    path: Annotated[Path, typer.Argument(help="A folder of policies, or one policy.", metavar="PATH")],
    rev: Annotated[
        str | None,
        typer.Option("--rev", help="Compare with this git revision; when left out with the last commit, or the start."),
    ] = None,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Say with every save what is wrong, what the change means in words, and which examples fail; Ctrl-C ends it."""
    say_what_is_missing(files_of([path]))
    desk = Desk(path, people, rev)
    voice = _Lines() if json else _Voice(path)
    with until_told_to_stop() as stop:
        for saved in saves(path, stop):
            voice.say(machine.wall_clock(), saved, desk.look())
    voice.end()


class _Lines:
    """Says one JSON document a line, for programs."""

    def say(self, now: datetime, saved: Sequence[Path], look: Look) -> None:
        """Say what was found after files were saved."""
        sys.stdout.write(orjson.dumps(_document(now, saved, look)).decode() + "\n")
        sys.stdout.flush()

    def end(self) -> None:
        """Say nothing: the lines have ended."""


class _Voice:
    """Says it to a person; a change is said once, and again only when it is another one."""

    def __init__(self, path: Path) -> None:
        self.output = Output()
        self._where = shlex.quote(str(path))
        self._told: list[tuple[str, str]] = []
        self.output.line(f"watching {path}: with every save you see what it means; Ctrl-C ends it")

    def say(self, now: datetime, saved: Sequence[Path], look: Look) -> None:
        """Say what was found after files were saved."""
        names = ", ".join(path.name for path in saved[:MOST]) + (", …" if len(saved) > MOST else "")
        self.output.line(f"{now.astimezone():%H:%M:%S} {names or 'as it is'}", style="bold")
        if look.failure:
            self.output.failure(look.failure)
        else:
            self._say_found(look)
        if look.change is not None and (told := list(_change_lines(look.change))) != self._told:
            self._told = told
            for text, style in told[: MOST + 2]:
                self.output.sentence(text, point="  ", style=style)
            if len(told) > MOST + 2:
                self.output.line(f"  and more: agentguard policy diff {self._where}")
        self.output.line(_summary(look))
        sys.stdout.flush()

    def _say_found(self, look: Look) -> None:
        for problem in look.found[:MOST]:
            print_problem(self.output, problem)
        if len(look.found) > MOST:
            self.output.line(f"  and more: agentguard policy lint {self._where}")
        for proof in look.proofs:
            if not proof.kept:
                self.output.line(f"{proof.id} ({proof.action}): {proof.text}", style="bold red")
                self.output.line(f"  {MEANING[proof.outcome].partition(':')[0]}: agentguard policy prove {self._where}")
        failed = [result for report in look.reports for result in report.failed]
        for result in failed[:MOST]:
            self.output.line(f"{result.place.file}:{result.place.line} {result.name}", style="bold red")
            for failure in result.failures:
                self.output.line(f"  {failure}")
        if len(failed) > MOST:
            self.output.line(f"  and more: agentguard policy test {self._where}")

    def end(self) -> None:
        """Say that it is over."""
        self.output.line("stopped")


def _change_lines(change: Change) -> Iterator[tuple[str, str]]:
    """Yield what a change means, line by line, each with its style."""
    whole = change.whole
    if whole.differs:
        yield meaning(whole), STYLES[whole.direction]
        yield whole.summary(), ""
    for item in whole.said:
        yield f"{item.effect:<8}  {item}", EFFECTS[item.effect]
    for silent in whole.silent:
        yield silent_words(silent), "yellow"


def _summary(look: Look) -> str:
    """Return the line that ends each look; editors know by it that all problems have been told."""
    parts = [total_words(look.found, look.files)]
    results = [result for report in look.reports for result in report.results]
    if results:
        passed = sum(result.passed for result in results)
        parts.append(f"{passed} of {count(results, 'example')} passed")
    if look.proofs:
        parts.append(f"{sum(proof.kept for proof in look.proofs)} of {count(look.proofs, 'promise')} kept")
    if look.change is not None:
        parts.append(f"{_DIRECTION[look.change.whole.direction]} {look.change.compared_with}")
    return "; ".join(parts)


_DIRECTION = {
    Direction.SAME: "an agent does the same as at",
    Direction.LOOSER: "looser than at",
    Direction.TIGHTER: "tighter than at",
    Direction.MIXED: "looser and tighter than at",
}


def _document(now: datetime, saved: Sequence[Path], look: Look) -> dict[str, Any]:
    change = look.change
    return {
        "at": now.isoformat(),
        "saved": [str(path) for path in saved],
        "files": [str(path) for path in look.files],
        "error": look.failure or None,
        **problem_documents(look.found),
        "examples": sum(len(report.results) for report in look.reports),
        "failed": [
            {"file": item.place.file, "line": item.place.line, "name": item.name, "failures": list(item.failures)}
            for report in look.reports
            for item in report.failed
        ],
        "promises": len(look.proofs),
        "broken": [
            {"promise": item.id, "action": item.action, "outcome": str(item.outcome)}
            for item in look.proofs
            if not item.kept
        ],
        "compared_with": change.compared_with if change is not None else None,
        "change": document(change.whole, change.before, change.now) if change is not None else None,
    }
