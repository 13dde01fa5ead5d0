"""What was signed about the log and is stored beside it: checkpoints, promises, and the times of witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from agentguard.errors import NoteError, UnverifiedError
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.cosignature import witnessed
from agentguard.evidence.note import Note, Signature, read_note, verified
from agentguard.store.channel import Row
from agentguard.store.evidence_tables import CheckpointRow, CosignatureRow, PromiseRow
from agentguard.store.reading import Reading
from agentguard.store.statement import Statement
from agentguard.store.tables import EntryRow
from agentguard.store.verification.finding import Findings
from agentguard.store.verification.trust import Trust

_checkpoint = CheckpointRow.__table__
_cosignature = CosignatureRow.__table__
_promise = PromiseRow.__table__
_entry = EntryRow.__table__

_BETWEEN = ["after", "until"]
_CHECKPOINTS = Statement(
    select(_checkpoint.c.origin, _checkpoint.c.size, _checkpoint.c.note)
    .where(_checkpoint.c.size > bindparam("after"), _checkpoint.c.size <= bindparam("until"))
    .order_by(_checkpoint.c.size, _checkpoint.c.origin),
    _BETWEEN,
)
_COSIGNATURES = Statement(
    select(_cosignature.c.origin, _cosignature.c.size, _cosignature.c.witness, _cosignature.c.line)
    .where(_cosignature.c.size > bindparam("after"), _cosignature.c.size <= bindparam("until"))
    .order_by(_cosignature.c.size, _cosignature.c.origin, _cosignature.c.witness),
    _BETWEEN,
)
_PROMISES = Statement(
    select(_promise.c.origin, _promise.c.size, _promise.c.root)
    .where(_promise.c.size > bindparam("after"), _promise.c.size <= bindparam("until"))
    .order_by(_promise.c.size, _promise.c.origin),
    _BETWEEN,
)
_TIMES = Statement(
    select(_entry.c.pos, _entry.c.ts_us).where(
        _entry.c.pos >= bindparam("size"), _entry.c.pos <= bindparam("following")
    ),
    ["size", "following"],
)


@dataclass(frozen=True, slots=True)
class Stated:
    """That the first `size` entries come to a root.

    Attributes:
        what: Who says so, as the words of a finding begin: `the checkpoint of 120 entries`.
        outside: Whether it was kept elsewhere.
        signed: Whether a key that counts signed it; a promise is signed by nobody.
    """

    size: int
    root: bytes
    what: str
    outside: bool = False
    signed: bool = True
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """When a witness signed the log at a size, and what its entries say about that time.

    Attributes:
        at_us: When the first of the witnesses did.
        last_us, following_us: When its last entry was written, and the next one, as they say; None where there is none.
    """

    size: int
    witness: str
    at_us: int
    last_us: int | None
    following_us: int | None


def stated_in(
    reading: Reading, after: int, until: int, trust: Trust, findings: Findings
) -> tuple[list[Stated], list[Seen]]:
    """Return what is stated of the log at the sizes after one and up to another, and report what is not as signed."""
    stated, seen = [], []
    lines: dict[tuple[str, int], list[Row]] = {}
    for row in reading.found(_COSIGNATURES, after, until):
        lines.setdefault((row[0], row[1]), []).append(row)
    for origin, size, text in reading.found(_CHECKPOINTS, after, until):
        what = f"the checkpoint of {size} entries"
        note = _note(text, what, findings)
        cosigned = lines.pop((origin, size), [])
        if note is None or not _says(note, origin, size, what, trust, findings):
            continue
        is_signed = _is_signed(note, size, what, trust, findings)
        stated.append(Stated(size, Checkpoint.read(note.text).root, what, signed=is_signed))
        seen += _seen(reading, note, size, cosigned, trust, findings)
    for origin, size in lines:
        words = (
            f"expected the checkpoint of {size} entries of `{origin}`, which witnesses signed, got none: it was removed"
        )
        findings.report(None, "checkpoint", words)
    stated += [
        Stated(size, bytes(root), f"the promise to sign {size} entries", signed=False)
        for _, size, root in reading.found(_PROMISES, after, until)
    ]
    return stated, seen


def _note(text: str, what: str, findings: Findings) -> Note | None:
    try:
        return read_note(text)
    except NoteError as error:
        findings.report(None, "checkpoint", f"expected a signed note as {what}, got something else: {error}")
        return None


def _says(note: Note, origin: str, size: int, what: str, trust: Trust, findings: Findings) -> bool:
    """Return whether a note says what its row is found by."""
    try:
        said = Checkpoint.read(note.text)
    except NoteError as error:
        findings.report(None, "checkpoint", f"expected {what} to say a size and a root, got something else: {error}")
        return False
    if (said.origin, said.size) != (origin, size) or not trust.is_of_this_log(origin):
        words = f"expected {what} to be of log `{trust.log}`, got one of `{said.origin}` with {said.size} entries"
        findings.report(None, "checkpoint", words)
        return False
    return True


def _is_signed(note: Note, size: int, what: str, trust: Trust, findings: Findings) -> bool:
    keys = trust.keys_at(size)
    try:
        verified(note, keys)
    except UnverifiedError as error:
        findings.report(None, "signature", f"expected {what} signed by the log's key, got another: {error}")
        return False
    return True


def _seen(
    reading: Reading, note: Note, size: int, lines: Sequence[Row], trust: Trust, findings: Findings
) -> list[Seen]:
    if not trust.witnesses:
        return []
    found: dict[str, int] = {}
    for _, _, witness, line in lines:
        if not line:  # it keeps checkpoints and signs nothing, as a file does
            continue
        try:
            signed = witnessed(Note(note.text, (Signature.read(line),)), trust.witnesses)
        except (NoteError, UnverifiedError) as error:
            words = f"expected `{witness}` to have signed the checkpoint of {size} entries, it has not: {error}"
            findings.report(None, "signature", words)
            continue
        found |= {key.name: at for key, at in signed.items()}
    if not found:
        return []
    first = min(found, key=lambda name: found[name])
    times = {row[0]: row[1] for row in reading.found(_TIMES, size, size + 1)}
    return [Seen(size, first, found[first] * 1_000_000, times.get(size), times.get(size + 1))]
