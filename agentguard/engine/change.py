"""A change of what is in force, as it is looked at before it is made: which way it goes, and what was tried.

What is in force decides; so a change is worked out against exactly one activation, and counts against no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentguard.analysis.changes.difference import Direction
from agentguard.analysis.diffing import Whole, diff
from agentguard.analysis.simulating import Simulation
from agentguard.analysis.trying import Proofs, Tests
from agentguard.core.canary import InForce
from agentguard.core.people import LOOSENING
from agentguard.core.policy import Bundle
from agentguard.engine.entrusted import Entrusted, told
from agentguard.engine.parts import Parts
from agentguard.store import Reading
from agentguard.store.seals import newest_of

POWER = "activate"

FIRST = "first"
"""Which way the first policies of all go: nothing was allowed before."""

UNKNOWN = "unknown"
"""Which way a change goes of which nobody can be sure that it loosens nothing."""

UNEXAMINED = "unexamined"
"""Nobody looked which way it goes, as where nothing says who may change what is in force."""

ALONE = frozenset({Direction.SAME, Direction.TIGHTER})
"""Which ways need nobody else."""

MOST_SENTENCES = 100
LONGEST_SENTENCE = 500
MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in force, and the entry that put it there; None and 0 before the first.

    Attributes:
        declared: Whether people did who were said to have the power.
        entrusted: Who was said to have it; None where the entry does not say.
    """

    in_force: InForce | None
    entry: int
    declared: bool = False
    entrusted: Entrusted | None = None


def standing_of(reading: Reading) -> Standing:
    """Return what is in force, and since which entry."""
    newest = newest_of(reading, "activated")
    if newest is None:
        return Standing(reading.in_force(), 0)
    said = newest.document
    return Standing(reading.in_force(), newest.pos, said.get("power") == POWER, Entrusted.read(said))


@dataclass(frozen=True, slots=True)
class Change:
    """What is changed from one activation to the next.

    Attributes:
        before: In whose place it comes.
        after: What would be in force.
        direction: `first`, `same`, `looser`, `tighter`, `mixed`, `unknown` or `unexamined`.
        summary: The change in a sentence.
        said: What is said otherwise, a sentence each, and who may change it now and could not, or the reverse.
        tests, proofs, simulation: What was tried; None for what was not, and `untried` says why.
        despite: Why it is made although something of that failed.
    """

    before: Standing
    after: InForce
    direction: str
    summary: str = ""
    said: tuple[str, ...] = ()
    tests: Tests | None = None
    proofs: Proofs | None = None
    simulation: Simulation | None = None
    untried: Mapping[str, str] = field(default_factory=dict)
    despite: str = ""

    def is_from(self, before: Standing, after: InForce) -> bool:
        """Return whether it is this change: from this activation, to these bundles for as many customers."""
        shares = [None if item.canary is None else item.canary.share for item in (self.after, after)]
        return self.before == before and self.after.bundles == after.bundles and shares[0] == shares[1]

    @property
    def people(self) -> int:
        """How many different people it takes at least: two, unless it is known to let an agent do no more."""
        return 1 if self.direction in ALONE else LOOSENING

    @property
    def failures(self) -> tuple[str, ...]:
        """What speaks against it: cases that failed, and promises that are broken."""
        cases = () if self.tests is None else self.tests.failed
        promises = () if self.proofs is None else self.proofs.broken
        return (*(f"case `{name}` fails" for name in cases), *(f"promise `{name}` is broken" for name in promises))

    def recorded(self) -> dict[str, Any]:
        """Return what the entry says about it."""
        past = self.simulation
        return {
            "direction": self.direction,
            "summary": _cut(self.summary),
            "said": [_cut(sentence) for sentence in self.said[:MOST_SENTENCES]],
            "said_more": max(0, len(self.said) - MOST_SENTENCES),
            "tests": None
            if self.tests is None
            else {
                "cases": self.tests.cases,
                "failed": len(self.tests.failed),
                "named": [_cut(name) for name in self.tests.failed[:MOST_NAMED]],
                "files": dict(self.tests.files),
            },
            "proofs": None
            if self.proofs is None
            else {
                "promises": self.proofs.promises,
                "broken": list(self.proofs.broken[:MOST_NAMED]),
                "open": list(self.proofs.open[:MOST_NAMED]),
            },
            "simulation": None
            if past is None
            else {
                "requests": past.requests,
                "changed": past.changed,
                "uncertain": past.uncertain,
                "sentence": _cut(past.sentence),
            },
            "untried": dict(self.untried),
            "despite": self.despite or None,
        }


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SENTENCE else f"{text[: LONGEST_SENTENCE - 1]}…"


def directed(parts: Parts, before: Standing, after: InForce, bundles: Sequence[Bundle]) -> Change:
    """Return which way a change goes for whoever is decided about otherwise, and what it says; nothing is tried.

    Args:
        parts: Of the guard.
        before: What is in force.
        after: What would be.
        bundles: Those of what would be, which the store may not have yet.
    """
    if before.in_force is None:
        return Change(before, after, FIRST, "the first policies of all: nothing was allowed before")
    known = {bundle.digest: bundle for bundle in bundles}
    known |= {digest: _stored(parts, digest) for digest in before.in_force.bundles if digest not in known}
    wholes = [diff(known[old], known[new]) for old, new in moves(before.in_force, after)]
    said = [f"{item.policy}: {item} ({item.effect})" for whole in wholes for item in whole.said]
    summary = "; ".join(dict.fromkeys(whole.summary() for whole in wholes)) or "nothing changes"
    people = told(before.entrusted, parts.directory, POWER, before.entry)
    return Change(before, after, _direction(wholes), summary, (*people, *dict.fromkeys(said)))


def moves(before: InForce, after: InForce) -> tuple[tuple[str, str], ...]:
    """Return from which bundle to which other one some customer goes, or may go."""
    old, new = before.canary, after.canary
    if (
        old is not None
        and new is not None
        and (before.bundle, old.bundle, old.salt) == (after.bundle, new.bundle, new.salt)
    ):  # the same canary, for more customers or for fewer
        move = (before.bundle, old.bundle)
        return (move,) if new.share > old.share else (move[::-1],)
    return tuple((one, other) for one in before.bundles for other in after.bundles if one != other)


def _direction(wholes: Sequence[Whole]) -> str:
    """Return which way all of them go together; what is not known for sure may be looser."""
    found = {whole.direction for whole in wholes if whole.differs} - {Direction.SAME}
    if found == {Direction.LOOSER}:
        return str(Direction.LOOSER)
    if not all(whole.is_known for whole in wholes if whole.differs):
        return UNKNOWN
    return str(Direction.MIXED if len(found) > 1 else found.pop() if found else Direction.SAME)


def _stored(parts: Parts, digest: str) -> Bundle:
    return parts.store.read(lambda reading: parts.force.bundle(reading, digest))
