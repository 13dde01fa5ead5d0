"""Checkpoints that are kept outside the database: the only ones that show a log replaced as a whole, or cut off."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from agentguard.errors import NoteError, UnverifiedError, UsageError
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.note import read_note, verified
from agentguard.store.evidence_tables import CheckpointRow
from agentguard.store.reading import Reading
from agentguard.store.verification.finding import Finding, Findings
from agentguard.store.verification.result import Kept
from agentguard.store.verification.stated import Stated
from agentguard.store.verification.trust import Trust

_checkpoint = CheckpointRow.__table__


def read_outside(kept: Sequence[Kept], trust: Trust, findings: Findings, notes: list[Finding]) -> tuple[Stated, ...]:
    """Return what checkpoints that are kept outside say about this log, and report those that are about another.

    What was lost when an older copy was put back on purpose is noted, since an entry says so.

    Raises:
        UsageError: Something else than a checkpoint was given.
    """
    stated = []
    for one in kept:
        try:
            note = read_note(one.note)
            said = Checkpoint.read(note.text)
        except NoteError as error:
            raise UsageError(f"expected a checkpoint in `{one.where}`, got something else: {error}") from error
        what = f"the checkpoint of {said.size} entries in `{one.where}`"
        if not trust.is_of_this_log(said.origin):
            words = f"expected the log of {what}, `{said.origin}`, got `{trust.log}`: another log stands in its place"
            findings.holds_until(0)
            findings.report(None, "fork", words)
            continue
        if (restored := trust.lost(said.origin, said.size)) is not None:
            words = f"{what} is of the log before an older copy of {restored.size} entries was put back, as entry "
            notes.append(Finding(restored.entry, "rollback", f"{words}{restored.entry} records"))
            continue
        signed = True
        try:
            verified(note, trust.every)
        except UnverifiedError as error:
            signed = False
            findings.report(None, "signature", f"expected {what} signed by a key of this log, got another: {error}")
        stated.append(Stated(said.size, said.root, what, outside=True, signed=signed, origin=said.origin))
    return tuple(stated)


def check_lost(reading: Reading, size: int, elsewhere: Sequence[Stated], findings: Findings) -> None:
    """Report what was signed about more entries than there are, and what the log itself does not keep any more."""
    query = select(_checkpoint.c.size).where(_checkpoint.c.size > size).order_by(_checkpoint.c.size)
    for row in reading.rows(query.limit(1)):
        _report_lost(findings, f"the checkpoint of {row['size']} entries", row["size"], size)
    for statement in elsewhere:
        if statement.size > size:
            _report_lost(findings, statement.what, statement.size, size)
            continue
        same = _checkpoint.c.origin == statement.origin, _checkpoint.c.size == statement.size
        if statement.signed and not list(reading.rows(select(_checkpoint.c.size).where(*same))):
            words = f"expected {statement.what} among those that are stored, got none: it was removed"
            findings.report(None, "checkpoint", words)


def _report_lost(findings: Findings, what: str, expected: int, size: int) -> None:
    words = f"expected {expected} entries or more, as {what} says, got {size}: the end was cut off, or an older copy "
    words += "was put back"
    findings.report(None, "rollback", words)
