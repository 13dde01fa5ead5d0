"""A policy's test file as pytest sees it: one test for each case, and for each row of a case's table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentguard import policyfile
from agentguard.analysis import CaseResult, run_cases
from agentguard.errors import PolicyError, UsageError
from agentguard.policyfile.beside import policies_beside


class PolicyTests(pytest.File):
    """One test file; its cases are pure and quick, so they are run while they are collected."""

    def collect(self) -> Iterator[PolicyTest]:
        """Yield a test for each case.

        Raises:
            CollectError: The test file or the policies do not load.
        """
        try:
            cases = policyfile.load_cases(self.path)
            report = run_cases(policies_beside(self.path, cases), cases)
        except (PolicyError, UsageError) as error:
            raise self.CollectError(str(error)) from error
        for result in report.results:
            yield PolicyTest.from_parent(self, name=result.name, result=result)


class PolicyTest(pytest.Item):
    """One case, or one row of a case's table."""

    def __init__(self, *, result: CaseResult, **of: Any) -> None:
        super().__init__(**of)
        self.result = result

    def runtest(self) -> None:
        """Fail if something else came out than the case expects.

        Raises:
            Failed: With what came instead, in sentences.
        """
        if not self.result.passed:
            place = self.result.place
            pytest.fail("\n".join([f"{place.file}:{place.line}", *self.result.failures]), pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the case stands; pytest counts lines from zero."""
        return self.path, self.result.place.line - 1, f"policy case: {self.name}"
