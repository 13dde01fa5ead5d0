"""Which entries go into an evidence pack: what was asked for, whole actions, and what stands behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from agentguard.core.digest import time_text
from agentguard.engine import privacy, purging
from agentguard.engine.openings import opened
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Person
from agentguard.engine.privacy import Look
from agentguard.engine.subjects import is_pseudonym, subjects
from agentguard.errors import NotFoundError, UsageError
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.store import Reading
from agentguard.store.records import Entry

KIND = "exported"
READINGS = frozenset({KIND, privacy.KIND})
"""Kinds of entries about who read the log."""

MOST_ENTRIES = 20_000
PAGE = 1_000
WHERE = "evidence pack"

Listed = Callable[..., Sequence[Entry]]
"""Lists entries a page at a time, as `guard.audit.list` does."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries go into a pack; what is None does not narrow. Actions that have one of them go into it whole.

    Attributes:
        customer: By id or pseudonym.
        action: Like `refund.issue`.
        verdict: Decisions: `allow`, `escalate` or `deny`.
        action_id: One action.
        readings: Also entries about reading the log: packs, and looks at personal values.
        size: Rest on the checkpoint of exactly so many entries, to make a pack again that was made then.
        older: Checkpoints that somebody kept; the pack shows that the log continues them.
        personal: Open personal values, for whom that is allowed; it is recorded before.
    """

    customer: str | None = None
    action: str | None = None
    verdict: str | None = None
    action_id: str | None = None
    tenant: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    readings: bool = False
    size: int | None = None
    older: tuple[Checkpoint, ...] = ()
    personal: bool = False


def chosen(parts: Parts, listed: Listed, wanted: Wanted) -> list[Entry]:
    """Return the entries of a pack in order: those asked for, their whole actions, and what stands behind them."""
    end = wanted.size if wanted.size is not None else parts.store.read(lambda reading: reading.position())
    found = {entry.pos: entry for entry in _asked_for(listed, wanted, end)}
    if not found:
        raise NotFoundError("expected entries for the pack, got none: nothing in the log fits all that was asked for")
    if _narrows(wanted):
        for action_id in sorted({entry.action_id for entry in found.values() if entry.action_id}):
            whole = parts.store.read(partial(Reading.entries_of, action_id=action_id))
            found.update((entry.pos, entry) for entry in whole if entry.pos <= end)
            _require_few(found)
    found.update((entry.pos, entry) for entry in _behind(listed, found, end))
    return [found[pos] for pos in sorted(found)]


def _behind(listed: Listed, found: Mapping[int, Entry], end: int) -> Iterator[Entry]:
    """Yield what put the policies of entries into force before them, and what says why some of them are purged.

    Whoever asked for policies before somebody else put them into force stands there too: it took both.
    """
    bundles = {entry.document.get("bundle") for entry in found.values()}
    last = max(found)
    asked: set[int] = set()
    for entry in _every(partial(listed, kind="activated")):
        if entry.pos < last and any(bundle in bundles for bundle, _ in opened(entry.document)):
            yield entry
            asked |= {other["entry"] for other in entry.document.get("with") or ()}
    for entry in _every(partial(listed, kind="activate_asked")) if asked else ():
        if entry.pos in asked:
            yield entry
    gone = [entry.pos for entry in found.values() if entry.is_purged]
    for entry in _every(partial(listed, kind=purging.KIND)) if gone else ():
        ranges = entry.document["ranges"]
        if entry.pos <= end and any(first <= pos <= stop for first, stop in ranges for pos in gone):
            yield entry


def _asked_for(listed: Listed, wanted: Wanted, end: int) -> Iterator[Entry]:
    names = ("customer", "action", "verdict", "action_id", "tenant", "since", "until")
    count = 0
    for entry in _every(partial(listed, **{name: getattr(wanted, name) for name in names})):
        if entry.pos > end:
            return
        if wanted.readings or entry.kind not in READINGS:
            count += 1
            _require_few(range(count))
            yield entry


def _every(listed: Listed) -> Iterator[Entry]:
    after = 0
    while page := listed(after=after, limit=PAGE):
        yield from page
        after = page[-1].pos


def _require_few(found: Sized) -> None:
    if len(found) > MOST_ENTRIES:
        raise UsageError(f"expected at most {MOST_ENTRIES:,} entries in a pack, got more; ask for a shorter time")


def _narrows(wanted: Wanted) -> bool:
    """Return whether something but the whole log is asked for, so that actions may be there in part."""
    return any(
        value is not None for value in (wanted.customer, wanted.action, wanted.verdict, wanted.since, wanted.until)
    )


def by_pseudonym(parts: Parts, wanted: Wanted, person: Person) -> Wanted:
    """Return what is wanted with the customer as the log calls them; that somebody joined the two is recorded."""
    named = wanted.customer
    if named is None or is_pseudonym(named):
        return wanted
    found = parts.store.read(lambda reading: subjects(parts, reading, named, wanted.tenant))
    if len(found) > 1:
        tenants = ", ".join(f"`{subject.tenant}`" for subject in found)
        raise UsageError(f"expected the tenant of this customer, who has records in {tenants}; name one of them")
    privacy.personal_read(parts, Look(WHERE, (found[0].pseudonym,), tenant=found[0].tenant), **person)
    return replace(wanted, customer=found[0].pseudonym, tenant=found[0].tenant)


def query_of(wanted: Wanted) -> dict[str, Any]:
    """Return what is asked for as a record may say it, and nothing that was not asked."""
    said = {
        "customer": wanted.customer,
        "action": wanted.action,
        "verdict": wanted.verdict,
        "action_id": wanted.action_id,
        "tenant": wanted.tenant,
        "since": None if wanted.since is None else time_text(wanted.since),
        "until": None if wanted.until is None else time_text(wanted.until),
        "readings": wanted.readings or None,
    }
    return {name: value for name, value in said.items() if value is not None}
