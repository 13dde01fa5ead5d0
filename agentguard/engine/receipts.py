"""Receipts: what a caller keeps of an entry, and the proof that the entry is in the log which a checkpoint seals.

A receipt that is kept outside of the database finds a log that was rewritten, the tail included that nothing sealed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

from agentguard.core.digest import canonical_bytes
from agentguard.engine.origin import origin, origin_of
from agentguard.engine.witness import generation
from agentguard.errors import NoteError, NotFoundError, ProofError
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.keys import VerifierKey
from agentguard.evidence.note import read_note, verified
from agentguard.evidence.receipt import FORMAT, Receipt
from agentguard.evidence.tree import HASH_BYTES, check_inclusion, inclusion_proof, leaf_hash, tree_root
from agentguard.store import Reading, seals
from agentguard.store.seals import Sealed
from agentguard.store.tiles import StoredTree, leaves


@dataclass(frozen=True, slots=True)
class Kept:
    """What names an entry for good: the log, the position, and the leaf, which no other content has."""

    log: str
    position: int
    leaf: str

    @property
    def text(self) -> str:
        """The receipt as it is handed out: one line of JSON."""
        return canonical_bytes({"log": self.log, "position": self.position, "leaf": self.leaf}).decode()

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """Return what a text says.

        Raises:
            NoteError: It is no such receipt.
        """
        try:
            found: Any = orjson.loads(text)
            log, position, leaf = found["log"], found["position"], found["leaf"]
            if not isinstance(log, str) or type(position) is not int or position < 1:
                raise TypeError
            if len(bytes.fromhex(leaf)) != HASH_BYTES:
                raise ValueError
        except (ValueError, KeyError, TypeError) as error:
            expected = 'a receipt must look like `{"leaf":"…","log":"…","position":1}`, or be a C2SP tlog-proof'
            raise NoteError(expected) from error
        return cls(log, position, leaf)


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of checking a receipt.

    Attributes:
        kept: The entry that it is about.
        problems: What does not fit, in words; empty if the entry is where the receipt says.
        signed_by: Whose signatures were confirmed, if it has any.
        sealed: How many entries the checkpoint covers that confirms it; 0 if none does yet.
    """

    kept: Kept
    problems: tuple[str, ...]
    signed_by: tuple[str, ...] = ()
    sealed: int = 0

    @property
    def ok(self) -> bool:
        """True if nothing is wrong."""
        return not self.problems


def kept(reading: Reading, position: int) -> Kept:
    """Return the receipt of an entry that is in the log.

    Raises:
        NotFoundError: The log has no such entry.
    """
    if not 0 < position <= reading.position():
        raise NotFoundError(f"expected the position of an entry, got `{position}`, which none has")
    return Kept(reading.log_name(), position, leaves(reading, position - 1, 1)[0].hex())


def proved(reading: Reading, position: int) -> Receipt | None:
    """Return the proof of an entry in the first checkpoint that covers it, or None as long as none does.

    Raises:
        NotFoundError: The log has no such entry.
        ProofError: The log is not the one that the checkpoint seals.
    """
    entry = kept(reading, position)
    sealed = seals.covering(reading, origin(reading), position)
    return None if sealed is None else _proof(reading, entry, sealed)


def check(reading: Reading | None, text: str, keys: Sequence[VerifierKey] = ()) -> Checked:
    """Check a receipt of either form against keys, a log, or both.

    Args:
        reading: The log as it is now; None where there is none at hand.
        text: The receipt, as JSON or as C2SP tlog-proof.
        keys: The keys that are trusted to sign for the log.

    Raises:
        NoteError: It is no receipt.
        UnverifiedError: None of the keys signed it.
    """
    proof = Receipt.read(text) if text.startswith(FORMAT) else None
    entry = Kept.read(text if proof is None else proof.extra)
    problems: list[str] = []
    signed_by: tuple[str, ...] = ()
    sealed = 0
    if proof is not None:
        problems.extend(_within(entry, proof))
    if proof is not None and keys:
        try:
            checkpoint = proof.check(bytes.fromhex(entry.leaf), keys)
            sealed = checkpoint.size
            signed_by = tuple(key.text for key in verified(read_note(proof.note), keys))
        except ProofError as error:
            problems.append(str(error))
    if reading is not None:
        problems.extend(_against(reading, entry, proof))
        covering = seals.covering(reading, origin(reading), entry.position) if not problems else None
        sealed = sealed or (0 if covering is None else covering.size)
    return Checked(entry, tuple(problems), signed_by, sealed)


def _within(entry: Kept, proof: Receipt) -> list[str]:
    """Return what a proof says of another entry or log than the receipt that it stands in: a key may sign several."""
    problems = []
    if proof.index != entry.position - 1:
        problems.append(f"it is about entry {entry.position} and proves entry {proof.index + 1}")
    signed = Checkpoint.read(read_note(proof.note).text).origin
    if generation(signed)[0] != origin_of(entry.log, 0):
        problems.append(f"it is about the log `{entry.log}` and proves an entry of `{signed}`")
    return problems


def _against(reading: Reading, entry: Kept, proof: Receipt | None) -> list[str]:
    """Return what of a receipt does not fit the log as it is now."""
    if entry.log != reading.log_name():
        return [f"it is of the log `{entry.log}`, and this is `{reading.log_name()}`"]
    size = reading.position()
    if entry.position > size:
        return [f"the log ends at entry {size}: entry {entry.position} was cut off, or an older database was put back"]
    problems = []
    found = leaves(reading, entry.position - 1, 1)[0].hex()
    if found != entry.leaf:
        problems.append(f"entry {entry.position} is another one now: its leaf is {found}, and was {entry.leaf}")
    stored = reading.entry(entry.position)
    if not problems and stored is not None and stored.body and leaf_hash(stored.body).hex() != entry.leaf:
        problems.append(f"entry {entry.position} says something else now than what its leaf was made of")
    if proof is not None:
        before = Checkpoint.read(read_note(proof.note).text)
        if before.size > size:
            problems.append(f"the log ends at entry {size}, and {before.size} were sealed")
        elif tree_root(StoredTree(reading), before.size) != before.root:
            problems.append(f"the first {before.size} entries are not those that were sealed: the log was rewritten")
    return problems


def _proof(reading: Reading, entry: Kept, sealed: Sealed) -> Receipt:
    checkpoint, index = sealed.checkpoint, entry.position - 1
    leaf, proof = bytes.fromhex(entry.leaf), inclusion_proof(StoredTree(reading), index, checkpoint.size)
    check_inclusion(leaf, index, checkpoint.size, proof, checkpoint.root)
    return Receipt(index, proof, sealed.note, entry.text.encode())
