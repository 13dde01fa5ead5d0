"""The purge: records whose time is over lose their bodies, and keep their leaves under a tombstone that the key signs.

A thousand entries at a time: the tombstone is signed outside any transaction, and in one transaction everything about
these records is looked at again, the entry that says so is appended, and the bodies go. A crash leaves whole batches.
What limits counted stays, and so do the keyed digests that later requirements ask for: neither says who or what it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Unpack

from agentguard.engine import powers
from agentguard.engine.over import Name, Over, Search
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Agreement, Permit, Person, Use
from agentguard.engine.seals_keys import key_of_log
from agentguard.errors import PowerRefusedError, UsageError
from agentguard.evidence.keys import Signer
from agentguard.evidence.note import sign_note
from agentguard.evidence.tombstone import Tombstone, leaves_digest, ranges_of
from agentguard.store import Reading, Transaction, forgetting
from agentguard.store.tombstones import blank, bury

KIND = "purged"
MOST_ENTRIES = 1_000
_SUBJECT = "everything that is over"


@dataclass(frozen=True, slots=True)
class Purge:
    """What was purged, or would be; true if there was anything.

    Attributes:
        records: How many actions, and yeses beside them.
        entries: How many entries they are.
        by_action: How many records of each action.
        held: How many that are old enough stay under a legal hold.
        needed: How many that are old enough stay because something under way needs them.
        unsaid: How many ended actions stay because nobody says how long they are kept, by action.
        positions: Of the entries that say so, one for each batch.
    """

    records: int = 0
    entries: int = 0
    by_action: Mapping[str, int] = field(default_factory=dict)
    held: int = 0
    needed: int = 0
    unsaid: Mapping[str, int] = field(default_factory=dict)
    positions: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return self.records > 0


def due(parts: Parts) -> Purge:
    """Return what a purge would take away now."""
    return parts.store.read(lambda reading: _counted(Search(parts, reading, reading.now())))


def purge(parts: Parts, signer: Signer, tenant: str, **person: Unpack[Person]) -> Purge:
    """Take away the bodies of everything that is over, a batch at a time.

    Raises:
        PowerRefusedError: This person may not, or somebody else has to ask for the same first.
        UsageError: The signer has another key than the log's.
    """
    permits: list[Permit] = []

    def may(transaction: Transaction, permit: Permit) -> Agreement:
        """Return who else asks for it."""
        permits[:] = [permit]
        return permit.together(transaction)

    agreement = powers.used(parts, Use("purge", _SUBJECT, tenant, **person), may)
    if agreement.missing:
        raise PowerRefusedError("more_people", f"nothing is purged yet: {powers.more_people(agreement.missing)}")
    parts.store.read(lambda reading: _require_key(reading, signer))
    search, found = parts.store.read(lambda reading: _named(Search(parts, reading, reading.now())))
    done = _Purging(parts, signer, {"tenant": tenant, "kind": KIND, **permits[0].recorded(agreement)})
    for names in _batches(found):
        done.take(names)
    if done.positions:
        parts.store.scrub()
    return Purge(
        done.records,
        done.entries,
        dict(done.by_action),
        search.held,
        search.needed,
        dict(search.unsaid),
        tuple(done.positions),
    )


@dataclass(slots=True)
class _Purging:
    """One purge under way."""

    parts: Parts
    signer: Signer
    said: Mapping[str, Any]
    records: int = 0
    entries: int = 0
    by_action: Counter[str] = field(default_factory=Counter)
    positions: list[int] = field(default_factory=list)

    def take(self, names: list[Name]) -> None:
        """Purge a batch; what came back to life, or was held, since it was looked at stays."""
        while batch := self.parts.store.read(lambda reading: self._read(reading, names)):
            stone = self.parts.store.read(lambda reading: _tombstone(reading, batch))
            note = sign_note(stone.text, self.signer)
            came = self.parts.store.transact(lambda transaction: self._written(transaction, batch, stone, note))  # noqa: B023
            if came is not None:
                self.positions.append(came)
                self.records += len(batch)
                self.entries += stone.entries
                self.by_action.update(over.matter.action for over in batch)
                return

    def _read(self, reading: Reading, names: list[Name]) -> list[Over]:
        """Return what of a batch is over as it is read."""
        search = Search(self.parts, reading, reading.now())
        found = (search.again(name) for name in names)
        return [over for over in found if over is not None]

    def _written(self, transaction: Transaction, batch: list[Over], stone: Tombstone, note: str) -> int | None:
        """Take the bodies away and return where the log says so; None where not all of it is over any more."""
        search = Search(self.parts, transaction, transaction.now())
        again = [search.again(over.name) for over in batch]
        if any(now is None or now.entries != over.entries for now, over in zip(again, batch, strict=True)):
            return None
        written = transaction.append(
            {
                **self.said,
                "ranges": [list(pair) for pair in stone.ranges],
                "entries": stone.entries,
                "records": len(batch),
                "by_action": dict(Counter(over.matter.action for over in batch)),
                "kept_for": {over.matter.action: str(over.period) for over in batch},
                "tombstone": note,
            }
        )
        action_ids = [over.matter.action_id for over in batch if over.matter.action_id is not None]
        digests = {name for over in batch for item in over.entries for name in forgetting.sealed_names(item.document)}
        forgetting.forget_sealed(transaction, digests)
        forgetting.forget_results(transaction, action_ids)
        bury(transaction, stone.ranges, written.pos)
        blank(transaction, action_ids)
        return written.pos


def _named(search: Search) -> tuple[Search, list[tuple[Name, int]]]:
    return search, [(over.name, len(over.entries)) for over in search.found()]


def _tombstone(reading: Reading, batch: list[Over]) -> Tombstone:
    entries = sorted((item for over in batch for item in over.entries), key=lambda item: item.pos)
    leaves = leaves_digest(bytes.fromhex(item.leaf) for item in entries)
    return Tombstone(reading.log_name(), ranges_of(item.pos for item in entries), leaves)


def _counted(search: Search) -> Purge:
    by_action: Counter[str] = Counter()
    entries = 0
    for over in search.found():
        by_action[over.matter.action] += 1
        entries += len(over.entries)
    return Purge(by_action.total(), entries, dict(by_action), search.held, search.needed, dict(search.unsaid))


def _batches(found: Iterable[tuple[Name, int]]) -> Iterator[list[Name]]:
    batch: list[Name] = []
    size = 0
    for name, entries in found:
        if batch and size + entries > MOST_ENTRIES:
            yield batch
            batch, size = [], 0
        batch.append(name)
        size += entries
    if batch:
        yield batch


def _require_key(reading: Reading, signer: Signer) -> None:
    known = key_of_log(reading)
    if known is None or known.key != signer.key:
        named = "none yet" if known is None else f"`{known.key.name}`"
        raise UsageError(
            f"expected the key that signs the log, {named}, to sign the tombstone, got `{signer.key.name}`; "
            "seal the log first, or give its own key"
        )
