"""Checkpoints, what witnesses signed under them, and the promises before them, from and to their tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, select

from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.note import Signature, note_text, read_note
from agentguard.store import rows
from agentguard.store.evidence_tables import CheckpointRow, CosignatureRow, PromiseRow
from agentguard.store.moment import from_microseconds, to_microseconds
from agentguard.store.reading import Reading
from agentguard.store.records import Entry
from agentguard.store.statement import Statement
from agentguard.store.tables import SELDOM, EntryRow
from agentguard.store.transaction import Transaction

_promise = PromiseRow.__table__
_checkpoint = CheckpointRow.__table__
_cosignature = CosignatureRow.__table__
_entry = EntryRow.__table__

_LAST_PROMISE = Statement(
    select(_promise.c.size, _promise.c.root)
    .where(_promise.c.origin == bindparam("origin"))
    .order_by(_promise.c.size.desc())
    .limit(1),
    ["origin"],
)
_STORED = (_checkpoint.c.origin, _checkpoint.c.size, _checkpoint.c.note, _checkpoint.c.at_us)
_LAST = Statement(
    select(*_STORED).where(_checkpoint.c.origin == bindparam("origin")).order_by(_checkpoint.c.size.desc()).limit(1),
    ["origin"],
)
_COVERING = Statement(
    select(*_STORED)
    .where(_checkpoint.c.origin == bindparam("origin"), _checkpoint.c.size >= bindparam("position"))
    .order_by(_checkpoint.c.size)
    .limit(1),
    ["origin", "position"],
)
_LINES = Statement(
    select(_cosignature.c.witness, _cosignature.c.line)
    .where(_cosignature.c.origin == bindparam("origin"), _cosignature.c.size == bindparam("size"))
    .order_by(_cosignature.c.witness),
    ["origin", "size"],
)
_NEWEST_OF = Statement(
    select(_entry).where(_entry.c.kind == bindparam("of"), SELDOM).order_by(_entry.c.pos.desc()).limit(1), ["of"]
)
_COUNT_OF = Statement(select(func.count()).select_from(_entry).where(_entry.c.kind == bindparam("of"), SELDOM), ["of"])


@dataclass(frozen=True, slots=True)
class Sealed:
    """A checkpoint as it is stored.

    Attributes:
        note: The signed note, with a line for each witness that signed under it.
        at: The ledger's time when it was taken.
        witnesses: Who signed under it.
    """

    origin: str
    size: int
    note: str
    at: datetime
    witnesses: tuple[str, ...] = ()

    @property
    def checkpoint(self) -> Checkpoint:
        """What the note says; whether it is signed is not looked at."""
        return Checkpoint.read(read_note(self.note).text)


def newest_of(reading: Reading, kind: str) -> Entry | None:
    """Return the last entry of a kind that is seldom written; asked for with every checkpoint."""
    names = [column.name for column in _entry.columns]
    return next(
        (rows.entry_record(dict(zip(names, row, strict=True))) for row in reading.found(_NEWEST_OF, kind)), None
    )


def count_of(reading: Reading, kind: str) -> int:
    """Return how many entries there are of a kind that is seldom written."""
    return int(reading.found(_COUNT_OF, kind)[0][0])


def last_promise(reading: Reading, origin: str) -> Checkpoint | None:
    """Return the largest size and root that may be signed for an origin, or None before the first."""
    for size, root in reading.found(_LAST_PROMISE, origin):
        return Checkpoint(origin, int(size), bytes(root))
    return None


def promise(transaction: Transaction, checkpoint: Checkpoint, after: Checkpoint | None) -> bool:
    """Promise that no other root of this size is ever signed; False if somebody else promised something meanwhile.

    Args:
        transaction: Once it is committed, everything before it is durable too, and the checkpoint may be signed.
        checkpoint: What is to be signed.
        after: The last promise when the checkpoint was made out, which it continues.
    """
    if last_promise(transaction, checkpoint.origin) != after:
        return False
    row = {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root}
    transaction.write(insert(_promise).values(**row, at_us=_now_us(transaction)))
    return True


def add_checkpoint(transaction: Transaction, origin: str, size: int, note: str) -> bool:
    """Store a signed checkpoint; False if a later one is stored already, which says the same and more."""
    last = newest(transaction, origin)
    if last is not None and last.size >= size:
        return False
    row = {"origin": origin, "size": size, "note": note}
    transaction.write(insert(_checkpoint).values(**row, at_us=_now_us(transaction)))
    return True


def add_cosignature(transaction: Transaction, origin: str, size: int, witness: str, line: str) -> bool:
    """Store that a witness has a checkpoint, with its signature line if it signs; False if that is stored already."""
    if any(name == witness for name, _ in transaction.found(_LINES, origin, size)):
        return False
    row = {"origin": origin, "size": size, "witness": witness, "line": line}
    transaction.write(insert(_cosignature).values(**row, at_us=_now_us(transaction)))
    return True


def was_seen_by(reading: Reading, origin: str, witness: str) -> bool:
    """Return whether a witness has seen some checkpoint of an origin before."""
    query = select(_cosignature.c.size).where(_cosignature.c.origin == origin, _cosignature.c.witness == witness)
    return any(True for _ in reading.rows(query.limit(1)))


def newest(reading: Reading, origin: str) -> Sealed | None:
    """Return the last checkpoint of an origin, or None before the first."""
    return _first(reading, reading.found(_LAST, origin))


def covering(reading: Reading, origin: str, position: int) -> Sealed | None:
    """Return the first checkpoint of an origin that covers an entry, or None as long as none does."""
    return _first(reading, reading.found(_COVERING, origin, position))


def checkpoints(reading: Reading, origin: str | None = None, after: int = 0) -> Iterator[Sealed]:
    """Yield the checkpoints in the order of their sizes: all, or those of one origin, larger than `after`."""
    query: Select[Any] = select(*_STORED).where(_checkpoint.c.size > after)
    query = query if origin is None else query.where(_checkpoint.c.origin == origin)
    for row in reading.rows(query.order_by(_checkpoint.c.size, _checkpoint.c.origin)):
        yield _sealed(reading, row)


def newest_witnessed(reading: Reading, origin: str) -> Sealed | None:
    """Return the last checkpoint of an origin that a witness signed, or None."""
    joined = _checkpoint.join(
        _cosignature, (_cosignature.c.origin == _checkpoint.c.origin) & (_cosignature.c.size == _checkpoint.c.size)
    )
    query = select(*_STORED).select_from(joined).where(_checkpoint.c.origin == origin)
    return next(
        (_sealed(reading, row) for row in reading.rows(query.order_by(_checkpoint.c.size.desc()).limit(1))), None
    )


def _first(reading: Reading, found: list[Any]) -> Sealed | None:
    names = [column.name for column in _STORED]
    return next((_sealed(reading, dict(zip(names, row, strict=True))) for row in found), None)


def _sealed(reading: Reading, row: Mapping[str, Any]) -> Sealed:
    lines = reading.found(_LINES, row["origin"], row["size"])
    note = read_note(row["note"]).joined(*(Signature.read(line) for _, line in lines if line))
    witnesses = tuple(witness for witness, _ in lines)
    return Sealed(row["origin"], int(row["size"]), note_text(note), from_microseconds(row["at_us"]), witnesses)


def _now_us(transaction: Transaction) -> int:
    """Return the ledger's time even where nobody relies on the clock: nothing of a checkpoint rests on it."""
    return to_microseconds(transaction.clock().ledger)
