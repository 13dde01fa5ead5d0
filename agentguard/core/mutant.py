"""A policy with one small thing changed, to see whether its cases notice."""

from __future__ import annotations

from dataclasses import dataclass

from agentguard.core.policy import Place, Policy


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed policy.

    Attributes:
        policy: The whole file as it would then be.
        place: Where the change stands in the file.
        what: What it is part of, in words: rule `small-refund`.
        was, now: What is written there, and what would be instead; `now` is empty where it is left out.
    """

    policy: Policy
    place: Place
    what: str
    was: str
    now: str

    def __str__(self) -> str:
        change = f"`{self.was}` from `{self.now}`" if self.now else f"whether `{self.was}` is there"
        return f"{self.what}: no case tells {change}"
