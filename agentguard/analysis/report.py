"""What came of running a policy's cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentguard.analysis.coverage import Coverage
from agentguard.core.decision import Decision
from agentguard.core.policy import Place


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case, or one row of a case's table, and what came of it.

    Attributes:
        name: The case's name; for a row with what the row says (`the tiers: amount 200`).
        verdict: What came out, spelled as in `expect`; empty if the case could not be run.
        by: Short ids of what decided, in the order of the file.
        failures: What is wrong, each a sentence; empty if the case passed.
        decision: None if the case could not be run.
    """

    name: str
    action: str
    place: Place
    verdict: str
    by: tuple[str, ...]
    say: str
    failures: tuple[str, ...]
    decision: Decision | None

    @property
    def passed(self) -> bool:
        """True if everything that the case asserts came out."""
        return not self.failures


@dataclass(frozen=True, slots=True)
class CaseReport:
    """Every result of one test file, in its order, and what the cases covered."""

    file: str
    results: tuple[CaseResult, ...]
    coverage: Coverage

    @property
    def failed(self) -> Sequence[CaseResult]:
        """The results that are wrong."""
        return [result for result in self.results if not result.passed]

    @property
    def passed(self) -> bool:
        """True if there are cases and all of them passed."""
        return bool(self.results) and not self.failed
