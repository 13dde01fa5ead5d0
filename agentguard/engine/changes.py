"""Changes of what is in force, under control: looked at before they are made, proposed, approved, taken back, undone.

    shown = guard.changes.look(policies)
    guard.changes.make(policies, shown, by="maria", why="fewer refunds wait")

Whatever may let an agent do more takes two people. What the first one asks for is in the store with its texts, so that
the second one sees exactly that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Unpack

from agentguard.analysis.simulating import Simulation
from agentguard.analysis.trying import proved, tested
from agentguard.core.canary import Canary, InForce, share_text
from agentguard.core.cases import CaseFile
from agentguard.core.policy import Bundle
from agentguard.engine import machine, powers
from agentguard.engine.activation import Activation, activate
from agentguard.engine.canary import Canaries
from agentguard.engine.change import POWER, Change, directed, standing_of
from agentguard.engine.change_note import is_signed_as_said
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Permit, Person, Use
from agentguard.engine.simulations import Simulations
from agentguard.errors import NotFoundError, UsageError
from agentguard.evidence.keys import Signer
from agentguard.store import Reading, Transaction
from agentguard.store.records import Entry, EntryFilter

PAST = timedelta(days=30)
"""How much of the record is decided again."""

PATIENCE = timedelta(seconds=60)
"""How long that may take."""

MOST = 1_000
LEAST_OF_DIGEST = 4
ANY_SALT = "another one than any canary has"
WITHDRAWN = "activate_withdrawn"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What somebody asked for, and somebody else may approve.

    Attributes:
        entry: Of the first asking.
        bundle: The digest of what would be in force.
        canary: What it says of a canary; None where the bundle is for everybody.
        by: Who asked for it, the first one first.
        why: Of the first.
        missing: How many more people it took after the last of them.
        until: When the first asking ceases to count.
    """

    entry: int
    subject: str
    bundle: str
    canary: Mapping[str, Any] | None
    by: tuple[str, ...]
    why: str
    at: datetime
    until: str
    missing: int
    document: Mapping[str, Any]


class Changes:
    """How what is in force on one guard's store is changed."""

    def __init__(self, parts: Parts, tenant: str, past: Simulations) -> None:
        self._parts = parts
        self._tenant = tenant
        self._past = past

    def look(
        self,
        bundle: Bundle,
        cases: Sequence[CaseFile] = (),
        files: Mapping[str, str] | None = None,
        *,
        simulate: bool = True,
        share: int | None = None,
    ) -> Change:
        """Return what putting a bundle into force would mean: which way it goes, its cases, promises, and the past.

        Args:
            bundle: What would be in force.
            cases: The test files beside it.
            files: Their SHA-256 by name, for the record.
            simulate: Whether the past month is decided again, for a minute at most.
            share: For how many of 10,000 customers, as a canary; None for everybody.

        Raises:
            UsageError: A test file is about a policy that is not there.
        """
        shown = self._directed(bundle, share)
        tests, proofs = tested(bundle, cases, files or {}), proved(bundle)
        past, why_not = self._decided_again(bundle) if simulate else (None, "left out")
        untried = {
            "tests": "no test files" if tests is None else "",
            "proofs": "no solver" if proofs is None else "",
            "simulation": why_not,
        }
        missing = {name: why for name, why in untried.items() if why}
        return replace(shown, tests=tests, proofs=proofs, simulation=past, untried=missing)

    def require_power(self, bundle: Bundle, share: int | None = None, **person: Unpack[Person]) -> None:
        """Refuse whoever may not put this into force, before they wait for a look; the refusal is recorded.

        Raises:
            PowerRefusedError: This person may not, or nobody checked who they are.
            PeopleUnavailableError: Who the people are cannot be told.
        """
        subject = bundle.digest if share is None else f"{bundle.digest} for {share_text(share)}"
        powers.permitted(self._parts, Use(POWER, subject, self._tenant, **person))

    def _directed(self, bundle: Bundle, share: int | None) -> Change:
        before = self._parts.store.read(standing_of)
        after = InForce(bundle.digest)
        if share is not None and before.in_force is not None:
            running = before.in_force.canary
            salt = running.salt if running is not None and running.bundle == bundle.digest else ANY_SALT
            after = InForce(before.in_force.bundle, Canary(bundle.digest, share, salt))
        return directed(self._parts, before, after, [bundle])

    def _decided_again(self, bundle: Bundle) -> tuple[Simulation | None, str]:
        """Return the past month under other policies, or why it is not known."""
        until = machine.monotonic() + PATIENCE.total_seconds()

        def watched(_done: int, _every: int) -> None:
            """Give up when the time is over."""
            if machine.monotonic() > until:
                raise TimeoutError

        try:
            found = self._past.simulate(bundle, since=self._parts.clock() - PAST, progress=watched)
        except TimeoutError:
            return None, f"more than {int(PATIENCE.total_seconds())} seconds"
        return (found, "") if found.requests else (None, f"no requests in {PAST.days} days")

    def make(
        self, bundle: Bundle, shown: Change | None = None, signer: Signer | None = None, **person: Unpack[Person]
    ) -> Activation:
        """Put a bundle into force as it was shown, or ask for it where that takes more people.

        Raises:
            PolicyVersionError: A policy and version is stored already with another text.
            PowerRefusedError: This person may not, did not sign it, or has asked for it already.
            UsageError: Something else came into force since it was shown.
        """
        return activate(self._parts, bundle, self._tenant, shown, signer, **person)

    def pending(self) -> tuple[Proposal, ...]:
        """Return what is asked for and not in force yet, the newest first; what is not approved in a week is not."""

        def work(reading: Reading) -> list[Entry]:
            """Read every asking that counts."""
            return powers.open_askings(reading, POWER, reading.now())

        found: dict[str, list[Entry]] = {}
        for entry in self._parts.store.read(work):
            found.setdefault(entry.document["subject"], []).insert(0, entry)
        return tuple(_proposal(entries) for entries in found.values())

    def proposal(self, named: str) -> Proposal:
        """Return the open proposal of an entry, or of a bundle by the beginning of its digest.

        Raises:
            NotFoundError: There is none, or not one alone.
        """
        pending = self.pending()
        found = [item for item in pending if str(item.entry) == named]
        if not found and len(named) >= LEAST_OF_DIGEST:
            found = [item for item in pending if item.subject.startswith(named)]
        if len(found) == 1:
            return found[0]
        known = ", ".join(f"{item.entry} (bundle {item.bundle[:12]})" for item in pending) or "none"
        raise NotFoundError(
            f"expected the entry or bundle of an open proposal ({known}), got `{named[:100]}`; "
            "a proposal ends when other policies come into force, when it is withdrawn, and after a week"
        )

    def proposed(self, proposal: Proposal) -> Bundle:
        """Return the bundle that somebody asked for, for everybody or as a canary, from the texts in the store."""
        return self._stored(proposal.bundle if proposal.canary is None else proposal.canary["bundle"])

    def agree(
        self, proposal: Proposal, shown: Change, signer: Signer | None = None, **person: Unpack[Person]
    ) -> Activation:
        """Say yes to what somebody asked for, as it was shown.

        Raises:
            PowerRefusedError: This person may not, did not sign it, or asked for it.
            UsageError: Something else came into force since, or it is a canary with a salt of somebody's own.
        """
        bundle = self.proposed(proposal)
        if proposal.canary is None:
            return self.make(bundle, shown, signer, **person)
        share = share_text(proposal.canary["share"])
        if proposal.subject != f"{bundle.digest} for {share}":
            raise UsageError(
                "expected a canary with a salt that was drawn, got one with a salt of somebody's own: say yes to it by "
                "asking for the same with that salt (`agentguard policy activate --canary --salt`)"
            )
        canary = Canaries(self._parts, bundle, self._tenant)
        return canary.begin(share, looked=shown, signer=signer, **person)

    def withdraw(self, named: str, **person: Unpack[Person]) -> Proposal:
        """Take back what was asked for, be it one's own or somebody else's: a no needs nobody else.

        Raises:
            NotFoundError: Nothing of this is asked for.
            PowerRefusedError: This person may not.
        """
        proposal = self.proposal(named)
        subject = proposal.subject

        def work(transaction: Transaction, permit: Permit) -> None:
            """Say that it counts no more, unless it does not already."""
            found = powers.open_askings(transaction, POWER, transaction.now())
            asked = sorted(entry.pos for entry in found if entry.document["subject"] == subject)
            if not asked:
                raise NotFoundError(f"expected an open proposal, got `{named[:100]}`, which has just ended")
            body = {"tenant": self._tenant, "kind": WITHDRAWN, "target": subject, "asked": asked}
            transaction.append(body | permit.recorded())

        powers.used(self._parts, Use(POWER, subject, self._tenant, **person), work)
        return proposal

    def earlier(self, named: str | None = None) -> Bundle:
        """Return a bundle that was in force before: of an entry, by the beginning of its digest, or the last other one.

        Raises:
            NotFoundError: None was, or not one alone.
        """
        wanted = EntryFilter(kind="activated")
        entries = self._parts.store.read(lambda reading: reading.entries(0, MOST, wanted, newest_first=True))
        said = [(entry.pos, str(entry.document["bundle"])) for entry in entries if not entry.is_purged]
        if named is None:
            others = [bundle for _, bundle in said if bundle != said[0][1]]
            if not others:
                raise NotFoundError("expected policies that were in force before these, got none")
            return self._stored(others[0])
        found = {bundle for pos, bundle in said if str(pos) == named}
        if not found and len(named) >= LEAST_OF_DIGEST:
            found = {bundle for _, bundle in said if bundle.startswith(named)}
        if len(found) != 1:
            raise NotFoundError(
                f"expected an entry of `agentguard policy history`, or the bundle of one, got `{named[:100]}`"
            )
        return self._stored(found.pop())

    def is_signed(self, entry: Entry) -> bool:
        """Return whether what an entry says of a signature is one of what it says was changed, by whom it says."""
        return is_signed_as_said(entry.document)

    def _stored(self, digest: str) -> Bundle:
        return self._parts.store.read(lambda reading: self._parts.force.bundle(reading, digest))


def _proposal(entries: Sequence[Entry]) -> Proposal:
    first, last = entries[0], entries[-1]
    said = first.document
    return Proposal(
        entry=first.pos,
        subject=said["subject"],
        bundle=said["bundle"],
        canary=said["canary"],
        by=tuple(entry.document["by"] for entry in entries),
        why=said["why"],
        at=first.at,
        until=said["until"],
        missing=last.document["missing"],
        document=said,
    )
