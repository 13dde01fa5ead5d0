"""One thing that a policy file says otherwise than before."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from agentguard.core.policy import Verdict


class Effect(enum.StrEnum):
    """What a change alone does: to what an agent may do by itself, or to the care around it.

    `either` stands where its sentence does not show it; more care afterwards is `neither`, less of it loosens.
    """

    LOOSENS = "loosens"
    TIGHTENS = "tightens"
    EITHER = "either"
    NEITHER = "neither"


class Direction(enum.StrEnum):
    """Which way a change goes: `looser` lets an agent do more by itself, or with less care around it."""

    SAME = "same"
    LOOSER = "looser"
    TIGHTER = "tighter"
    MIXED = "mixed"


class Concern(enum.StrEnum):
    """What a change is about.

    `decisions` are what proofs see, `requests` which requests there can be, `care` what happens around decisions,
    and `words` what is said.
    """

    DECISIONS = "decisions"
    REQUESTS = "requests"
    CARE = "care"
    WORDS = "words"


class Holds(enum.Enum):
    """How a changed condition compares: it holds for more requests than before, for fewer, or for others."""

    MORE = "more"
    LESS = "less"
    OTHERS = "others"

    @property
    def opposite(self) -> Holds:
        """What it is for the opposite condition."""
        return {Holds.MORE: Holds.LESS, Holds.LESS: Holds.MORE}.get(self, self)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is said otherwise.

    Attributes:
        policy: The name of the file's policy, the new one.
        part: `rule`, `limit`, `requirement`, `route`, `guarantee`, `action`, `fact`, `context`, `type`, `name`,
            `table`, `calendar` or `policy`.
        id: Short id or name of the part; empty for the policy itself.
        text: What changes, in words.
        line: Where it stands in the new file, or the old one for what is gone; 0 where that is not known.
        argument: The full name whose bound moved, where that is all; else empty.
    """

    policy: str
    part: str
    id: str
    text: str
    effect: Effect
    concern: Concern = Concern.DECISIONS
    line: int = 0
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.part} `{self.id}`: {self.text}" if self.id else self.text


def effect_of(verdict: Verdict, holds: Holds, otherwise: Verdict) -> Effect:
    """Return what it does that something with a verdict speaks for more requests, for fewer, or for others.

    Args:
        verdict: What it says when it speaks.
        holds: How its condition compares with the one before.
        otherwise: What its file says where nothing speaks: where that is stricter, an escalation may loosen too.
    """
    if holds is Holds.OTHERS or (verdict is Verdict.ESCALATE and otherwise > verdict):
        return Effect.EITHER
    if verdict is Verdict.ABSTAIN:
        return Effect.EITHER
    return Effect.LOOSENS if (verdict is Verdict.ALLOW) == (holds is Holds.MORE) else Effect.TIGHTENS


def turned(before: Verdict, after: Verdict) -> Effect:
    """Return what it does that one verdict stands in the place of another."""
    if before is after or Verdict.ABSTAIN in (before, after):
        return Effect.NEITHER if before is after else Effect.EITHER
    return Effect.TIGHTENS if after > before else Effect.LOOSENS


def together(effects: Iterable[Effect]) -> Effect:
    """Return what several changes do together."""
    found = set(effects) - {Effect.NEITHER}
    return found.pop() if len(found) == 1 else Effect.EITHER if found else Effect.NEITHER
