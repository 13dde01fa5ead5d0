"""`agentguard policy`: what product owners do with policy files, and how they come into force."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard import policyfile
from agentguard.analysis.solver import HOW, has_solver
from agentguard.cli import caseruns, diffs, exits, explanations, proofs, simulations
from agentguard.cli.files import Kind, files_of, people_for
from agentguard.cli.opened import (
    DEFAULT_POLICIES,
    DEFAULT_STORE,
    AsOption,
    JsonOption,
    PeopleOption,
    PoliciesOption,
    StoreOption,
    open_reading,
    operator,
    read_people,
)
from agentguard.cli.output import Output, print_json
from agentguard.cli.problems import print_problem, problem_document
from agentguard.core.narration.interventions import openings
from agentguard.core.people import People
from agentguard.core.policy import Bundle, Policy
from agentguard.core.prose import moment
from agentguard.engine import machine
from agentguard.engine.activation import Activation
from agentguard.engine.guard import Guard
from agentguard.engine.powers import more_people
from agentguard.errors import PolicyError, Problem, UsageError
from agentguard.policyfile.bundle import read_text
from agentguard.policyfile.schema import MODELS

app = typer.Typer(
    help="Policy files: lint, test, explain and lay them out, and put them into force.", no_args_is_help=True
)
app.command("test")(caseruns.run)
app.command("explain")(explanations.explain)
app.command("prove")(proofs.prove)
app.command("simulate")(simulations.simulate)
app.command("compare")(simulations.compare)
app.command("diff")(diffs.compare)

Paths = Annotated[list[Path], typer.Argument(help="Policy files, or folders of them.", metavar="PATH…")]
Why = Annotated[str, typer.Option("--why", help="The reason, for the record.")]


@app.command()
def lint(
    paths: Paths,
    people: PeopleOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count like problems: exit code 1.")] = False,
    json: JsonOption = False,
) -> None:
    """Say everything that is wrong with policy, test and people files, with file, line and column."""
    files = files_of(paths)
    problems, policies, staffs = _read_all(files)
    warnings: tuple[Problem, ...] = ()
    today = machine.wall_clock().date()
    if not problems:
        try:
            bundle = policyfile.bundle_of(policies) if policies else Bundle((), "")
            warnings = (
                *policyfile.lint(bundle, people_for(paths, people) if policies else None, today),
                *_idle(bundle),
            )
            routes = [route for policy in policies for route in policy.routes.values()]
            for staff in staffs:
                warnings += policyfile.lint_people(staff, routes, today)
        except PolicyError as error:
            problems = list(error.problems)
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
        output.line(f"{_count(problems, 'problem')}, {_count(warnings, 'warning')} in {_count(files, 'file')}")
    if problems or (strict and warnings):
        raise typer.Exit(exits.FOUND)


@app.command()
def fmt(
    paths: Paths,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if something would change.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Put policy, test and people files into their one layout; comments and meaning stay."""
    files = [path for path, _ in files_of(paths)]
    changed: list[tuple[Path, str]] = []
    for path in files:
        text = read_text(path, str(path))
        laid_out = policyfile.format_text(text, str(path))
        if laid_out != text:
            changed.append((path, laid_out))
    for path, laid_out in () if check else changed:
        path.write_text(laid_out, encoding="utf-8", newline="\n")
    if json:
        print_json({"checked": check, "files": len(files), "changed": [str(path) for path, _ in changed]})
    else:
        output = Output()
        for path, _ in changed:
            output.line(f"{'would change' if check else 'changed'} {path}")
        output.line(f"{_count(changed, 'file')} of {len(files)} {'would change' if check else 'changed'}")
    if check and changed:
        raise typer.Exit(exits.FOUND)


@app.command()
def schema(
    kind: Annotated[str, typer.Argument(help="`policy`, `cases` or `people`.")] = "policy",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file.")] = None,
) -> None:
    """Print the JSON Schema that editors check policy files with."""
    if kind not in MODELS:
        raise UsageError(f"expected one of {', '.join(MODELS)}, got `{kind}`")
    found = policyfile.json_schema(kind)
    if output is None:
        print_json(found)
        return
    try:
        with output.open("w", encoding="utf-8") as file:
            print_json(found, file)
    except OSError as error:
        raise UsageError(f"expected a file that can be written, got `{output}`: {error.strerror}") from error
    Output().line(f"written to {output}; the first line of a policy file names it:")
    Output().line(policyfile.modeline(str(output)))


@app.command()
def activate(
    why: Why = "",
    as_: AsOption = None,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Put the policies of a folder into force, for every process on this store; who and why go into the record."""
    if not why.strip():
        raise UsageError("expected --why: every change of what is in force has a reason in the record")
    bundle = policyfile.load(policies)
    known = read_people(people, policies)
    by, authenticated = operator(known, as_)
    guard = Guard(bundle, store=store, people=known)
    before = guard.store.read(lambda reading: reading.bundle_in_force())
    was = guard.audit.bundle(before.digest) if before is not None else Bundle((), "")
    activated = guard.activate(by=by, why=why, authenticated=authenticated)
    entries = guard.audit.list(kind="activated", limit=1, newest_first=True) if activated else ()
    changes = [*_changes(was, bundle), *(text for entry in entries for text in openings(entry.document))]
    if json:
        document = {"bundle": bundle.digest, "changed": activated.changed, "missing": activated.missing}
        print_json({**document, "policies": _versions(bundle), "changes": changes})
    else:
        _say_activated(activated, bundle, changes, by)
    if activated.missing:
        raise typer.Exit(exits.FOUND)


def _say_activated(activated: Activation, bundle: Bundle, changes: list[str], by: str) -> None:
    output = Output()
    if not activated and not activated.missing:
        output.line("these policies are in force already; nothing has changed")
        return
    for change in changes:
        output.line(f"  {change}")
    if activated.missing:
        output.line(f"not in force yet: {more_people(activated.missing)}; {by} has", style="yellow")
        return
    output.line(f"in force: {_count(bundle.policies, 'policy', 'policies')}, bundle {bundle.digest}", style="green")


@app.command()
def history(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Show which policies were put into force when, by whom and why, the newest first; times are UTC."""
    guard = open_reading(store)
    found = guard.audit.list(kind="activated", limit=1000, newest_first=True)
    if json:
        print_json([{"pos": entry.pos, "at": entry.at.isoformat(), **entry.document} for entry in found])
        return
    output = Output()
    if not found:
        output.line("no policies were ever put into force here")
        return
    rows = []
    for entry in found:
        body = entry.document
        named = ", ".join(f"{name} {item['version']}" for name, item in body["policies"].items())
        rows.append((entry.pos, moment(entry.at), body["by"], body["why"], named))
    output.table(("entry", "at (UTC)", "by", "why", "policies and versions"), rows, right=("entry",))


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


def _versions(bundle: Bundle) -> dict[str, int]:
    return {policy.name: policy.version for policy in bundle.policies}


def _changes(was: Bundle, now: Bundle) -> Iterator[str]:
    before = {policy.name: policy for policy in was.policies}
    for policy in now.policies:
        old = before.pop(policy.name, None)
        if old is None:
            yield f"{policy.name} version {policy.version}: new"
        elif old.digest != policy.digest:
            yield f"{policy.name} version {policy.version}: changed, was version {old.version}"
    for name, policy in before.items():
        yield f"{name} version {policy.version}: not in force any more"


def _count(items: Any, one: str, many: str = "") -> str:
    return f"{len(items)} {one if len(items) == 1 else many or one + 's'}"
