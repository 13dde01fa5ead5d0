"""`agentguard policy lint`: everything that is wrong with policy, test and people files."""

from __future__ import annotations

import enum
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from agentguard import policyfile
from agentguard.analysis.solver import HOW, has_solver
from agentguard.cli import exits
from agentguard.cli.annotations import annotation
from agentguard.cli.files import Kind, Paths, files_of, people_for
from agentguard.cli.options import JsonOption, PeopleOption
from agentguard.cli.output import Output, print_json
from agentguard.cli.problems import print_problem, problem_documents, total_words
from agentguard.cli.sarif import sarif_document
from agentguard.core.people import People
from agentguard.core.policy import Bundle, Policy
from agentguard.engine import machine
from agentguard.errors import PolicyError, Problem, UsageError
from agentguard.policyfile.codes import Severity, severity_of


class Format(enum.StrEnum):
    """What the findings are printed as."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


def lint(
    paths: Paths,
    people: PeopleOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count like problems: exit code 1.")] = False,
    format_: Annotated[
        Format, typer.Option("--format", help="For people, for programs, for code hosts, or for GitHub Actions.")
    ] = Format.TEXT,
    json: JsonOption = False,
) -> None:
    """Say everything that is wrong with policy, test and people files, with file, line and column."""
    if json and format_ not in (Format.TEXT, Format.JSON):
        raise UsageError(f"expected `--json` or `--format {format_}`, got both")
    files = files_of(paths)
    problems, remarks = found_in(files, paths, people)
    if not problems:
        say_what_is_missing(files)
    _print([path for path, _ in files], [*problems, *remarks], Format.JSON if json else format_)
    if problems or (strict and any(severity_of(remark.code) is Severity.WARNING for remark in remarks)):
        raise typer.Exit(exits.FOUND)


def _print(files: list[Path], found: list[Problem], format_: Format) -> None:
    match format_:
        case Format.JSON:
            print_json({"files": [str(path) for path in files], **problem_documents(found)})
        case Format.SARIF:
            print_json(sarif_document(found))
        case Format.GITHUB:
            for item in found:
                sys.stdout.write(f"{annotation(item)}\n")
        case Format.TEXT:
            output = Output()
            for item in found:
                print_problem(output, item)
            output.line(total_words(found, files))


def found_in(
    files: list[tuple[Path, Kind]], paths: Sequence[Path], people: Path | None
) -> tuple[list[Problem], tuple[Problem, ...]]:
    """Return what keeps files from loading; where nothing does, what is probably not meant or good to know.

    Args:
        files: All that is looked at.
        paths: What the person named, beside which the people are.
        people: Where the people are instead.
    """
    problems, policies, staffs = _read_all(files)
    if problems:
        return problems, ()
    today = machine.wall_clock().date()
    try:
        bundle = policyfile.bundle_of(policies) if policies else Bundle((), "")
        remarks = policyfile.lint(bundle, people_for(paths, people) if policies else None, today)
    except PolicyError as error:
        return list(error.problems), ()
    routes = [route for policy in policies for route in policy.routes.values()]
    for staff in staffs:
        remarks += policyfile.lint_people(staff, routes, today)
    return [], tuple(sorted({*remarks, *_deep(bundle)}))


def say_what_is_missing(files: list[tuple[Path, Kind]]) -> None:
    """Say what is not looked for where the solver is not there."""
    if not has_solver() and any(kind is Kind.POLICY for _, kind in files):
        what = "rules that do nothing, gaps, overlaps, empty lists, limits out of reach"
        Output(sys.stderr).line(f"{what} are not looked for without z3; {HOW}")


def _deep(bundle: Bundle) -> tuple[Problem, ...]:
    """Return what is found among all the requests that there can be, where the solver is there to tell."""
    if not bundle.policies or not has_solver():
        return ()
    from agentguard.analysis.linting import lint_deeply

    return lint_deeply(bundle)


def _read_all(files: list[tuple[Path, Kind]]) -> tuple[list[Problem], list[Policy], list[People]]:
    problems: list[Problem] = []
    policies: list[Policy] = []
    staffs: list[People] = []
    for path, kind in files:
        try:
            match kind:
                case Kind.CASES:
                    policyfile.load_cases(path)
                case Kind.PEOPLE:
                    staffs.append(policyfile.load_people(path))
                case Kind.POLICY:
                    policies += policyfile.load_files(path)
        except PolicyError as error:
            problems += error.problems
    return problems, policies, staffs
