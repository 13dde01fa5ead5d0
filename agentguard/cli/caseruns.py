"""`agentguard policy test`: the cases beside the policies, what went wrong, and what they do not cover."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard import policyfile
from agentguard.analysis import CaseReport, Part, Spoke, run_cases
from agentguard.cli import exits
from agentguard.cli.boundaryruns import boundaries_document, boundaries_of, print_boundaries
from agentguard.cli.files import Kind, files_of
from agentguard.cli.junit import write_junit
from agentguard.cli.options import JsonOption
from agentguard.cli.output import Output, print_json
from agentguard.core.cases import CaseFile
from agentguard.errors import UsageError
from agentguard.policyfile.beside import policies_beside
from agentguard.policyfile.filenames import CASES_END


def run(
    paths: Annotated[list[Path], typer.Argument(help="Folders, policies or their test files.", metavar="PATH…")],
    strict: Annotated[
        bool, typer.Option("--strict", help="What no case covers counts like a failure: exit code 1.")
    ] = False,
    boundaries: Annotated[
        bool, typer.Option("--boundaries", help="Change each policy a little in every way: do the cases notice?")
    ] = False,
    min_coverage: Annotated[
        int | None, typer.Option("--min-coverage", min=0, max=100, help="Exit code 1 if less percent are covered.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", help="Write the results as JUnit XML as well.", metavar="FILE")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run the cases of `*_test.yaml` files and say which rules no case reaches."""
    files = [(policies_beside(path, cases), cases) for path, cases in case_files(paths)]
    if not files:
        given = ", ".join(map(str, paths))
        raise UsageError(f"expected test files that end in `_test.yaml`, got none in {given}; write one")
    reports = [run_cases(bundle, cases) for bundle, cases in files]
    passed = all(report.passed for report in reports)
    found = [boundaries_of(bundle, cases) for bundle, cases in files] if boundaries and passed else []
    if junit is not None:
        write_junit(junit, reports)
    if json:
        documents = [_document(report) for report in reports]
        for document, item in zip(documents, found, strict=False):
            document["boundaries"] = boundaries_document(item)
        print_json(documents)
    else:
        _print(Output(), reports)
        if found:
            print_boundaries(Output(), found)
        elif boundaries:
            Output().line("small changes of the policies are tried once every case passes")
    short = min_coverage is not None and min(report.coverage.percent for report in reports) < min_coverage
    gaps = strict and any(_gaps(report) for report in reports)
    if short or gaps or not passed or any(item.survivors for item in found):
        raise typer.Exit(exits.FOUND)


def case_files(paths: list[Path]) -> list[tuple[Path, CaseFile]]:
    """Return the test files among and beside what was given.

    Raises:
        PolicyError: One of them is wrong.
    """
    found: dict[Path, None] = {}
    for path, kind in files_of(paths):
        if kind is Kind.CASES:
            found[path] = None
        elif kind is Kind.POLICY:
            beside = path.with_name(f"{path.stem}{CASES_END}{path.suffix}")
            if beside.is_file():
                found[beside] = None
    return [(path, policyfile.load_cases(path)) for path in found]


def _print(output: Output, reports: list[CaseReport]) -> None:
    for report in reports:
        for result in report.failed:
            output.line(f"{result.place.file}:{result.place.line} {result.name}", style="bold red")
            for failure in result.failures:
                output.line(f"  {failure}")
        for gap in _gaps(report):
            output.line(f"{report.file}: {gap}", style="yellow")
    output.table(
        ("file", "cases", "passed", "failed", "covered", "with conditions"),
        [
            (
                report.file,
                len(report.results),
                len(report.results) - len(report.failed),
                len(report.failed),
                "{} of {}".format(*report.coverage.share),
                f"{report.coverage.percent}%",
            )
            for report in reports
        ],
        right=("cases", "passed", "failed", "covered", "with conditions"),
    )
    failed = sum(len(report.failed) for report in reports)
    total = sum(len(report.results) for report in reports)
    if failed:
        output.line(f"{failed} of {total} cases failed", style="bold red")
    else:
        output.line(f"all {total} cases passed", style="bold green")


def _gaps(report: CaseReport) -> list[str]:
    """Return what the cases leave open, a sentence each."""
    coverage = report.coverage
    found = [_uncovered(item) for item in coverage.uncovered]
    for item in coverage.without_boundary:
        missing = [] if item.at_max else ["uses it up exactly"]
        missing += [] if item.past_max else ["passes it by the least there is"]
        found.append(f"limit `{item.id}`: no case {' or '.join(missing)}")
    found += [_one_sided(part) for part in coverage.one_sided]
    return found + [f"guarantee `{item.id}`: no case is an example of it" for item in coverage.without_example]


def _one_sided(part: Part) -> str:
    missing = [word for word, seen in (("yes", part.yes), ("no", part.no)) if not seen]
    through = f" (in `{part.compared.names[-1]}`)" if part.compared.names else ""
    return f"`{part.compared.id}`: no case shows `{part.compared.text}`{through} as {' or as '.join(missing)}"


def _part(part: Part) -> dict[str, Any]:
    return {"id": part.compared.id, "text": part.compared.text, "yes": part.yes, "no": part.no}


def _uncovered(item: Spoke) -> str:
    if not item.decided:
        return f"{item.kind} `{item.id}`: no case is decided by it"
    return f"{item.kind} `{item.id}`: no case shows it silent"


def _document(report: CaseReport) -> dict[str, Any]:
    covered, of = report.coverage.share
    return {
        "file": report.file,
        "passed": report.passed,
        "cases": [
            {
                "name": result.name,
                "line": result.place.line,
                "passed": result.passed,
                "verdict": result.verdict,
                "by": list(result.by),
                "say": result.say,
                "failures": list(result.failures),
            }
            for result in report.results
        ],
        "covered": covered,
        "rules": of,
        "percent": report.coverage.percent,
        "conditions": [_part(part) for part in report.coverage.parts],
        "gaps": _gaps(report),
    }
