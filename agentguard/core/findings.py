"""What one policy file says about one request, gathered while it is judged."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentguard.core.decision import LimitCheck, Reason, RequirementCheck
from agentguard.core.plan import PlannedPolicy
from agentguard.core.policy import Limit, Words


@dataclass(slots=True)
class Findings:
    """What one file says.

    Attributes:
        words: For each reason, who may speak to the customer for it.
        unheld: Limits whose account or amount is not known.
        failed: True if something could not be evaluated.
    """

    file: PlannedPolicy
    reasons: list[Reason] = field(default_factory=list)
    words: list[Words | None] = field(default_factory=list)
    matched: list[str] = field(default_factory=list)
    limits: list[LimitCheck] = field(default_factory=list)
    requirements: list[RequirementCheck] = field(default_factory=list)
    unheld: list[Limit] = field(default_factory=list)
    failed: bool = False

    def add(self, reason: Reason, words: Words | None = None) -> None:
        """Keep a reason, with what it may say to the customer."""
        self.reasons.append(reason)
        self.words.append(words)
