"""What came of running a policy's cases: every result, and what they covered together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentguard.analysis.coverage import Coverage
from agentguard.analysis.result import CaseResult


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
