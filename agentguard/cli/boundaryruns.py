"""`agentguard policy test --boundaries`: changes of the policies that no case notices, and the cases that would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentguard.analysis.boundaries import Boundaries, Survivor, boundaries
from agentguard.analysis.solver import HOW
from agentguard.cli.output import Output
from agentguard.core.cases import CaseFile
from agentguard.core.policy import Bundle


def boundaries_of(bundle: Bundle, cases: CaseFile) -> Boundaries:
    """Return what a test file notices of every small change of the policies that it names.

    Raises:
        UsageError: A case fails already.
    """
    from agentguard.policyfile.mutants import mutants

    named = (policy for policy in bundle.policies if policy.name in cases.policies)
    return boundaries(bundle, cases, (mutant for policy in named for mutant in mutants(policy)))


def print_boundaries(output: Output, found: Sequence[Boundaries]) -> None:
    """Print what is not noticed, and cases that can be put into the test files as they are."""
    from agentguard.policyfile.rows import cases_text

    for item in found:
        for survivor in item.survivors:
            output.line(f"{survivor.mutant.place} {survivor.mutant}", style="yellow")
            if survivor.open:
                output.line(f"  no case was found; left open: {', '.join(survivor.open)}")
        if item.cases:
            output.line(f"to notice them, put this under `cases` in {item.file} (and give it better names):")
            for line in cases_text(item.cases).splitlines():
                output.line(line)
    output.line(_sum(found))
    if not all(item.searched for item in found):
        output.line(f"changes that nobody could notice are among them, and there are no rows to add: {HOW}")


def _sum(found: Sequence[Boundaries]) -> str:
    noticed, equal = sum(item.noticed for item in found), sum(item.equal for item in found)
    survived = sum(len(item.survivors) for item in found)
    total = noticed + equal + survived
    same = f", {equal} {'changes' if equal == 1 else 'change'} nothing" if equal else ""
    missed = f"{survived} {'is' if survived == 1 else 'are'} not noticed"
    return f"{total} small changes of the policies: the cases notice {noticed}{same}, {missed}"


def boundaries_document(found: Boundaries) -> dict[str, Any]:
    """Return what is not noticed as JSON."""
    return {
        "noticed": found.noticed,
        "equal": found.equal,
        "searched": found.searched,
        "survivors": [_survivor(item) for item in found.survivors],
    }


def _survivor(item: Survivor) -> dict[str, Any]:
    from agentguard.policyfile.rows import cases_text

    mutant = item.mutant
    return {
        "file": mutant.place.file,
        "line": mutant.place.line,
        "column": mutant.place.column,
        "of": mutant.what,
        "was": mutant.was,
        "now": mutant.now,
        "case": None if item.case is None else cases_text([item.case]),
        "open": list(item.open),
    }
