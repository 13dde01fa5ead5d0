"""The check of the whole log: what is begun with, the parts in order, and what only the end can say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from agentguard.evidence.keys import VerifierKey
from agentguard.evidence.tree import tree_root
from agentguard.store.database import Store
from agentguard.store.reading import Reading
from agentguard.store.statement import Statement
from agentguard.store.tables import ActionRow, EntryRow
from agentguard.store.tiles import StoredTree
from agentguard.store.verification.above import check_tiles_above
from agentguard.store.verification.beginning import Beginning, begin_at
from agentguard.store.verification.crew import Crew, how_many
from agentguard.store.verification.erasures import check_erasures
from agentguard.store.verification.finding import Finding, Findings
from agentguard.store.verification.job import Actions, Entries, Job, Ledger
from agentguard.store.verification.joining import Joined
from agentguard.store.verification.merging import LAST as LAST_ID
from agentguard.store.verification.outside import check_lost, read_outside
from agentguard.store.verification.result import Kept, Verification
from agentguard.store.verification.spared import changed_alone
from agentguard.store.verification.stated import Stated
from agentguard.store.verification.stretch import FIRST, LAST, Known
from agentguard.store.verification.tombstones import check_purged
from agentguard.store.verification.trust import Trust, read_trust

STRETCH = 16_384
"""Entries of one part: whole tiles, and little enough to hold a few in memory."""

ACTIONS = 8_192
Progress = Callable[[int, int], None]

_action = ActionRow.__table__
_entry = EntryRow.__table__
_NEXT = Statement(
    select(_entry.c.pos).where(_entry.c.pos > bindparam("after")).order_by(_entry.c.pos).limit(1), ["after"]
)
_NEWEST = Statement(select(_entry.c.pos).order_by(_entry.c.pos.desc()).limit(1))


@dataclass(frozen=True, slots=True)
class _Outset:
    """What the log is when the check begins: every entry of then is checked in parts, what comes later at the end.

    Attributes:
        size: The position of the last entry, whatever the head says.
        stretches: After which position each begins, and where it ends.
        bounds: Ids of actions, so many apart as one part has.
    """

    size: int
    stretches: tuple[tuple[int, int], ...]
    trust: Trust
    actions: int
    bounds: tuple[str, ...]
    elsewhere: tuple[Stated, ...]
    joined: Joined
    since: int


def verify(
    store: Store,
    progress: Progress | None = None,
    *,
    keys: Sequence[VerifierKey] = (),
    kept: Sequence[Kept] = (),
    since: Kept | None = None,
    rows: bool = True,
    processes: int | None = None,
) -> Verification:
    """Check the whole log against itself, against what was signed, and against what others keep.

    Args:
        store: The database. Each part is checked on a consistent view of its own, and nobody waits meanwhile.
        progress: Told (what is done, of how much) now and then.
        keys: Keys of the log and of witnesses that are known from elsewhere.
        kept: Checkpoints that are kept elsewhere.
        since: A trusted checkpoint: what lies before it is taken from the tree, which must have its root, and only
            actions that something was said of since are compared.
        rows: Whether what entries speak of is compared with them as well: actions, accounts, votes, what is in force.
        processes: How many check; as many as there are processors where the log is long, unless said.

    Raises:
        StoreUnavailableError: The database cannot be read.
        UsageError: What is kept elsewhere is no checkpoint, or the trusted one is not signed by a key that counts.
    """
    outset = store.read(lambda reading: _begin(reading, store, keys, kept, since))
    joined, done = outset.joined, 0
    entries = sum(last - after for after, last in outset.stretches)
    total = entries + (outset.actions if rows else 0)
    with Crew(store, how_many(entries) if processes is None else processes) as crew:
        for came in crew.do(_jobs(outset, rows=rows)):
            joined.join(came)
            did = came.checked.read + came.actions
            done = min(done + did, total)
            if progress is not None and did:
                progress(done, total)
    result = store.read(lambda reading: _end(reading, outset))
    if progress is not None and done != total:
        progress(total, total)
    return result


def _begin(
    reading: Reading, store: Store, keys: Sequence[VerifierKey], kept: Sequence[Kept], since: Kept | None
) -> _Outset:
    trust = read_trust(reading, keys)
    findings, notes = Findings(), _stolen(trust)
    elsewhere = read_outside(kept, trust, findings, notes)
    begins = Beginning() if since is None else begin_at(reading, store, since, trust)
    findings.add(begins.findings.kept)
    joined = Joined(
        before=begins.before,
        tree=begins.tree,
        expected=begins.size + 1,
        last=begins.size,
        last_us=begins.last_us,
        elsewhere=elsewhere,
        findings=findings,
        late=notes,
    )
    after, bounds, count = begins.first_action, [], 0
    query = select(_action.c.id).order_by(_action.c.id).limit(1)
    while found := list(reading.rows(query.where(_action.c.id > after).offset(ACTIONS - 1))):
        bounds.append(after)
        after, count = found[0]["id"], count + ACTIONS
    rest = select(func.count().label("count")).where(_action.c.id > after)
    count += next(iter(reading.rows(rest)))["count"]
    size = max(begins.size, *(row[0] for row in reading.found(_NEWEST)), 0)
    stretches = tuple(_stretches(reading, begins.size, size))
    return _Outset(size, stretches, trust, count, (*bounds, after), elsewhere, joined, begins.size)


def _stretches(reading: Reading, since: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where the stretches that have entries begin and end: a hole costs nothing, however large it is."""
    after = since
    while after < size:
        following = reading.found(_NEXT, after)[0][0]
        after = max(after, (following - 1) // STRETCH * STRETCH)
        last = min(size, after - after % STRETCH + STRETCH)
        yield after, last
        after = last


def _jobs(outset: _Outset, *, rows: bool) -> Iterator[Job]:
    sizes = tuple(sorted({statement.size for statement in outset.elsewhere}))
    for number, (after, last) in enumerate(outset.stretches):
        begins = after if number or outset.since else FIRST
        yield Entries(begins, last, outset.trust, tuple(size for size in sizes if after < size <= last))
    if not rows:
        return
    yield Ledger()  # the longest part, which the others are done beside
    for number, first in enumerate(outset.bounds):
        yield Actions(first, outset.bounds[number + 1] if number + 1 < len(outset.bounds) else LAST_ID)


def _end(reading: Reading, outset: _Outset) -> Verification:
    """Check what was written meanwhile, and what can only be said of the whole."""
    joined, trust = outset.joined, outset.trust
    findings = joined.findings
    size = outset.size or FIRST
    joined.join(Entries(size, LAST, trust, tuple(s.size for s in outset.elsewhere)).do(reading, Known()))
    for statement in outset.elsewhere:
        if statement.size <= outset.since:
            joined.compare(tree_root(StoredTree(reading), statement.size), [statement])
    _check_head(reading, joined)
    check_lost(reading, joined.expected - 1, outset.elsewhere, findings)
    check_tiles_above(reading, findings)
    check_erasures(reading, findings)
    spared, changed = changed_alone(reading, joined)
    purged = check_purged(reading, joined.purged, trust, findings)
    return Verification(
        entries=joined.read,
        streams=len(joined.streams),
        intact=joined.intact,
        erased=joined.erased,
        findings=tuple(findings.kept),
        truncated=findings.truncated,
        head=joined.leaf,
        root=joined.tree.root().hex() if joined.whole else "",
        purged=purged,
        late=tuple(joined.late),
        checkpoints=joined.statements,
        signed=joined.agreed,
        kept=joined.outside,
        spared=spared,
        changed=changed,
        keys=tuple(key.text for key in (*trust.every, *trust.witnesses)),
        pinned=trust.is_pinned,
        since=outset.since,
    )


def _stolen(trust: Trust) -> list[Finding]:
    """Return a note about each key that was replaced because somebody else had it."""
    return [
        Finding(
            found.entry,
            "signature",
            f"the key before entry {found.entry} was stolen: what it signed is worth what is kept elsewhere of it",
        )
        for found in trust.introduced
        if found.stolen
    ]


def _check_head(reading: Reading, joined: Joined) -> None:
    size = reading.position()
    if size != joined.expected - 1:
        words = f"expected {size} entries as the head says, got {joined.expected - 1}: the end was cut off"
        joined.findings.report(None, "head", words)
    elif joined.leaf != reading.head_leaf() and (joined.read or not joined.last):
        words = f"expected the last entry to be `{reading.head_leaf()}`, got `{joined.leaf}`"
        joined.findings.report(None, "head", words)
