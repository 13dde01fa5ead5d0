"""What came of one case."""

from __future__ import annotations

from dataclasses import dataclass

from agentguard.analysis.compared import Compared
from agentguard.analysis.promises import Promise
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
        promises: The guarantees that speak of the case.
        compared: How each part of the conditions came out, where that was asked for.
    """

    name: str
    action: str
    place: Place
    verdict: str
    by: tuple[str, ...]
    say: str
    failures: tuple[str, ...]
    decision: Decision | None
    promises: tuple[Promise, ...] = ()
    compared: tuple[Compared, ...] = ()

    @property
    def passed(self) -> bool:
        """True if everything that the case asserts came out."""
        return not self.failures
