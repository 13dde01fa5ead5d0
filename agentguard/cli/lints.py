"""`agentguard policy lint`: everything that is wrong with policy, test and people files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from agentguard import policyfile
from agentguard.analysis.solver import HOW, has_solver
from agentguard.cli import exits
from agentguard.cli.files import Kind, Paths, files_of, people_for
from agentguard.cli.opened import JsonOption, PeopleOption
from agentguard.cli.output import Output, count, print_json
from agentguard.cli.problems import print_problem, problem_document
from agentguard.core.people import People
from agentguard.core.policy import Bundle, Policy
from agentguard.engine import machine
from agentguard.errors import PolicyError, Problem


def lint(
    paths: Paths,
    people: PeopleOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count like problems: exit code 1.")] = False,
    json: JsonOption = False,
) -> None:
    """Say everything that is wrong with policy, test and people files, with file, line and column."""
    files = files_of(paths)
    problems, warnings = found_in(files, paths, people)
    if json:
        print_json(
            {
                "files": [str(path) for path, _ in files],
                "problems": [problem_document(problem) for problem in problems],
                "warnings": [problem_document(warning) for warning in warnings],
            }
        )
    else:
        output = Output()
        for problem in problems:
            print_problem(output, problem)
        for warning in warnings:
            print_problem(output, warning, warning=True)
        output.line(f"{count(problems, 'problem')}, {count(warnings, 'warning')} in {count(files, 'file')}")
    if problems or (strict and warnings):
        raise typer.Exit(exits.FOUND)


def found_in(
    files: list[tuple[Path, Kind]], paths: Sequence[Path], people: Path | None
) -> tuple[list[Problem], tuple[Problem, ...]]:
    """Return what keeps files from loading, and what is probably not meant where nothing does.

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
        warnings = policyfile.lint(bundle, people_for(paths, people) if policies else None, today)
    except PolicyError as error:
        return list(error.problems), ()
    warnings = (*warnings, *_idle(bundle))
    routes = [route for policy in policies for route in policy.routes.values()]
    for staff in staffs:
        warnings += policyfile.lint_people(staff, routes, today)
    return [], warnings


def _idle(bundle: Bundle) -> tuple[Problem, ...]:
    """Return the rules that do nothing whatever is asked, where the solver is there to tell."""
    if not has_solver():
        if bundle.policies:
            Output(sys.stderr).line(f"rules that can never match or decide are not looked for without z3; {HOW}")
        return ()
    from agentguard.analysis.ruling import idle_rules

    found = ((idle.place, idle) for idle in idle_rules(bundle))
    return tuple(Problem(place.file, place.line, place.column, idle.code, idle.message) for place, idle in found)


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
