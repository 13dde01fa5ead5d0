"""The audit log as people and programs read it: list, show, verify, and decide again from the record (law 8)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Unpack

import orjson

from agentguard.core import entry as entries
from agentguard.core.decide import decide
from agentguard.core.decision import Decision
from agentguard.core.explain import Explanation
from agentguard.core.policy import Bundle
from agentguard.engine import recorded
from agentguard.engine.completeness import Completeness
from agentguard.engine.explaining import Rebuilt, rebuilt
from agentguard.engine.export import WITHIN, Exported, export
from agentguard.engine.export_query import Wanted
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Person
from agentguard.engine.seals import Seals
from agentguard.engine.simulations import Simulations
from agentguard.engine.sought import Sought, require_kind
from agentguard.errors import NotFoundError, UsageError
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.keys import VerifierKey
from agentguard.evidence.note import read_note
from agentguard.store import Reading
from agentguard.store.records import ActionRecord, Entry, EntryFilter
from agentguard.store.verification import Kept, Verification, verify

PAGE = 500
PSEUDONYM = "p_"
"""How pseudonyms begin: one of them may be asked for in place of the customer."""
COMPARED = (
    "verdict",
    "approved",
    "reasons",
    "matched",
    "routes",
    "limits",
    "requirements",
    "say",
    "language",
    "shadow",
)


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A decision computed again from its entry and the policy texts that it names.

    Attributes:
        differs: Fields of the entry in which the two differ; empty if they are the same.
        erased: What the record can no longer say, because its key was destroyed; differences are then no wonder.
    """

    entry: int
    decision: Decision
    differs: tuple[str, ...]
    erased: tuple[str, ...]

    @property
    def same(self) -> bool:
        """True if the decision came out as it is recorded."""
        return not self.differs


@dataclass(frozen=True, slots=True)
class Explained:
    """Why an entry was decided as it was.

    Attributes:
        erased: What the record can no longer say, because its key was destroyed.
    """

    entry: int
    explanation: Explanation
    erased: tuple[str, ...]


class Audit(Completeness, Simulations):
    """The audit log of one guard's store."""

    def __init__(self, parts: Parts, seals: Seals) -> None:
        super().__init__(parts)
        self._seals = seals

    def list(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        tenant: str | None = None,
        kind: str | None = None,
        action_id: str | None = None,
        action: str | None = None,
        customer: str | None = None,
        verdict: str | None = None,
        rule: str | None = None,
        full: str | None = None,
        by: str | None = None,
        policy: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
    ) -> tuple[Entry, ...]:
        """Return entries a page at a time; `after` is the last position of the page before.

        What stands inside entries (`action`, `customer` and the names from `verdict` to `policy`) is found by reading
        one after another; `Sought` says what each of them means.

        Raises:
            UsageError: There is no such kind of entry, or verdict.
        """
        sought = Sought(action=action, verdict=verdict, rule=rule, full=full, by=by, policy=policy)
        filters = EntryFilter(stream=tenant, kind=kind, action_id=action_id, since=since, until=until)

        def fits(entry: Entry) -> bool:
            """Return whether an entry is one of those asked for."""
            body = entry.document
            return sought.fits(body) and (customer is None or self._is_about(body, customer))

        def read(reading: Reading) -> tuple[Entry, ...]:
            """Return the entries asked for, as one state of the log has them."""
            if not sought.narrows and customer is None:
                return reading.entries(after, limit, filters, newest_first=newest_first)
            if customer is not None and not customer.startswith(PSEUDONYM):
                self._parts.require_keys(reading)
            return tuple(itertools.islice(filter(fits, _pages(reading, after, filters, newest_first)), limit))

        found = self._parts.store.read(read)
        if not found and kind is not None:
            require_kind(kind)
        return found

    def _is_about(self, body: dict[str, Any], customer: str) -> bool:
        pseudonym = body.get("on_behalf_of")
        return bool(pseudonym) and pseudonym in (customer, self._parts.vault.name_of(body["tenant"], customer))

    @property
    def has_keys(self) -> bool:
        """Whether the keys at hand are those that this database was made with."""
        return self._parts.store.read(self._parts.has_keys)

    def customer(self, pseudonym: str) -> str | None:
        """Return who a pseudonym stands for, or None where the key was destroyed or never here."""
        return self._parts.vault.customer_of(pseudonym) if pseudonym else None

    def bundle(self, digest: str) -> Bundle:
        """Return policies by their bundle's digest, as they are stored.

        Raises:
            TamperedError: The store does not have their texts, or they make another bundle.
        """
        return self._parts.store.read(lambda reading: self._parts.force.bundle(reading, digest))

    def show(self, position: int) -> Entry:
        """Return one entry by its position.

        Raises:
            NotFoundError: The log has no such entry.
        """
        found = self._parts.store.read(lambda reading: reading.entry(position))
        if found is None:
            raise NotFoundError(f"expected the position of an entry, got `{position}`, which none has")
        return found

    def of(self, action_id: str) -> tuple[Entry, ...]:
        """Return every entry of one action, the first one first."""
        return self._parts.store.read(lambda reading: reading.entries_of(action_id))

    def action(self, action_id: str) -> ActionRecord:
        """Return an action as it stands.

        Raises:
            NotFoundError: No action has this id.
        """
        return self._parts.store.read(lambda reading: recorded.found(reading, action_id))

    def verify(
        self,
        progress: Callable[[int, int], None] | None = None,
        *,
        keys: Sequence[VerifierKey] = (),
        kept: Sequence[Kept] = (),
        since: Kept | None = None,
    ) -> Verification:
        """Check that every entry, chain and row still says what it said, and what was signed.

        Args:
            progress: Told (what is done, of how much) now and then.
            keys: Public keys of the log and of witnesses that are known from elsewhere.
            kept: Checkpoints that are kept elsewhere: only they show a log replaced as a whole, or cut off.
            since: A trusted checkpoint to begin at.

        Raises:
            UsageError: What is kept elsewhere is no checkpoint, or the trusted one is signed by no key that counts.
        """
        return verify(self._parts.store, progress, keys=keys, kept=kept, since=since)

    def recompute(self, position: int) -> Recomputed:
        """Decide again what an entry decided, from the entry and the policy texts it names alone.

        Raises:
            NotFoundError: The log has no such entry.
            UsageError: The entry records no decision by rules.
        """
        found = self._decided(position)
        about = self._rebuilt(found)
        decision = decide(about.plan, about.request, about.evidence)
        again = _verdict(decision, self._parts)
        differs = tuple(name for name in COMPARED if again[name] != found.document[name])
        return Recomputed(found.pos, decision, differs, about.erased)

    def explain(self, position: int) -> Explained:
        """Return why an entry was decided as it was, from the entry and the policy texts it names alone.

        Comparisons that read something personal stand without the values they saw.

        Raises:
            NotFoundError: The log has no such entry.
            UsageError: The entry records no decision by rules.
        """
        found = self._decided(position)
        about = self._rebuilt(found)
        return Explained(found.pos, about.explained(), about.erased)

    def export(
        self,
        path: str | Path,
        *,
        customer: str | None = None,
        action: str | None = None,
        verdict: str | None = None,
        action_id: str | None = None,
        tenant: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        readings: bool = False,
        personal: bool = False,
        size: int | None = None,
        older: Iterable[str] = (),
        within: timedelta = WITHIN,
        **person: Unpack[Person],
    ) -> Exported:
        """Write an evidence pack that others can check without us: a ZIP with its own `verify.py`; record who took it.

        Args:
            path: A file that is not there yet.
            customer: This customer's actions; like `action` to `until` it narrows, and actions that fit come whole.
            action: Actions of this kind.
            verdict: Decided so.
            action_id: One action.
            tenant: One tenant's records.
            since: From then on.
            until: Up to then.
            readings: Also entries about reading the log.
            personal: Open personal values, if this person may; that is recorded first.
            size: Rest on the checkpoint of exactly so many entries, to make an earlier pack again.
            older: Checkpoints that somebody kept, as signed notes; the pack shows that the log continues them.
            within: How long to wait for a checkpoint that covers the entries, where somebody else seals the log.
            person: Who asks (`by`), why (`why`), and how they are known (`authenticated`).

        Raises:
            UsageError: The file is there already, nobody and no reason is named, or there are too many entries.
            NotFoundError: No entry is what was asked for.
            PowerRefusedError: Personal values are asked for, and this person may not see them.
            TamperedError: The log is not the one that was signed, or a policy text is missing: nothing is written.
        """
        wanted = Wanted(
            customer=customer,
            action=action,
            verdict=verdict,
            action_id=action_id,
            tenant=tenant,
            since=since,
            until=until,
            readings=readings,
            personal=personal,
            size=size,
            older=tuple(Checkpoint.read(read_note(note).text) for note in older),
        )
        return export(self._parts, self.list, self._seals, wanted, Path(path), within, **person)

    def _decided(self, position: int) -> Entry:
        found = self.show(position)
        if found.kind != "decided":
            raise UsageError(f"expected an entry of kind `decided`, got entry {position} of kind `{found.kind}`")
        if found.is_purged:
            raise UsageError(f"expected an entry whose text is there, got {position}, which was purged in its time")
        return found

    def _rebuilt(self, found: Entry) -> Rebuilt:
        return self._parts.store.read(lambda reading: rebuilt(self._parts, reading, found.document))


def _pages(reading: Reading, after: int, filters: EntryFilter, newest_first: bool) -> Iterator[Entry]:
    while page := reading.entries(after, PAGE, filters, newest_first=newest_first):
        yield from page
        after = page[-1].pos


def _verdict(decision: Decision, parts: Parts) -> dict[str, Any]:
    shadow = None if decision.shadow is None else entries.verdict(decision.shadow, parts.keyed)
    document: dict[str, Any] = orjson.loads(orjson.dumps({**entries.verdict(decision, parts.keyed), "shadow": shadow}))
    return document
