"""What speaks for policies and against them before they come into force: their cases, and what they promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentguard.analysis.casetest import run_cases
from agentguard.analysis.solver import at_work, has_solver
from agentguard.core.cases import CaseFile
from agentguard.core.policy import Bundle


@dataclass(frozen=True, slots=True)
class Tests:
    """What came of the cases beside policies.

    Attributes:
        cases: How many there are.
        failed: The names of those that failed.
        files: The SHA-256 of each test file by its name.
    """

    cases: int
    failed: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proofs:
    """What became of promises.

    Attributes:
        promises: How many there are, each counted for every action that it speaks of.
        broken: The names of those that are broken.
        open: Those that could be neither proved nor broken.
    """

    promises: int
    broken: tuple[str, ...]
    open: tuple[str, ...]


def tested(bundle: Bundle, cases: Sequence[CaseFile], files: Mapping[str, str]) -> Tests | None:
    """Return what comes of some test files, or None where there are none.

    Args:
        bundle: The policies.
        cases: Their test files.
        files: The SHA-256 of each by its name.

    Raises:
        UsageError: A test file is about a policy that is not there.
    """
    if not cases:
        return None
    results = [result for item in cases for result in run_cases(bundle, item).results]
    return Tests(len(results), tuple(result.name for result in results if not result.passed), files)


def proved(bundle: Bundle) -> Proofs | None:
    """Return what becomes of the promises of policies, or None where nothing can prove them here."""
    if not has_solver():
        return None
    from agentguard.analysis.proving import Outcome, prove

    with at_work():
        proofs = list(prove(bundle))
    broken = tuple(dict.fromkeys(item.id for item in proofs if item.outcome in (Outcome.BROKEN, Outcome.IMPOSSIBLE)))
    unsure = tuple(dict.fromkeys(item.id for item in proofs if item.outcome is Outcome.UNDECIDED))
    return Proofs(len(proofs), broken, unsure)
