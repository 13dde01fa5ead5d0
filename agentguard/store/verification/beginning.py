"""A check that begins at a trusted checkpoint: what lies before it is taken from the tree, which must have its root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import bindparam, func, select

from agentguard.errors import NoteError, TamperedError, UnverifiedError, UsageError
from agentguard.evidence.checkpoint import opened
from agentguard.evidence.tree import Frontier, leaf_hash
from agentguard.store.database import Store
from agentguard.store.reading import Reading
from agentguard.store.statement import Statement
from agentguard.store.tables import EntryRow
from agentguard.store.tiles import StoredTree
from agentguard.store.verification.finding import Findings
from agentguard.store.verification.result import Kept
from agentguard.store.verification.trust import Trust

_entry = EntryRow.__table__
_LAST_OF_STREAM = Statement(
    select(_entry.c.pos, _entry.c.seq, _entry.c.leaf, _entry.c.body)
    .where(_entry.c.stream == bindparam("stream"), _entry.c.pos <= bindparam("size"))
    .order_by(_entry.c.seq.desc())
    .limit(1),
    ["stream", "size"],
)
_FIRST_ACTION = Statement(select(func.min(_entry.c.action_id)).where(_entry.c.pos > bindparam("size")), ["size"])


def nothing_before(stream: str) -> tuple[int, str | None]:  # noqa: ARG001 -- no stream has anything before it
    """Return what comes before the first entry of a stream."""
    return 0, None


@dataclass(slots=True)
class Beginning:
    """Where a check begins, and what is taken for granted there; without anything, at the first entry.

    Attributes:
        before: From a stream to number and leaf of its last entry before.
        first_action: The id before that of the first action to compare.
    """

    size: int = 0
    tree: Frontier = field(default_factory=Frontier)
    last_us: int = 0
    before: Callable[[str], tuple[int, str | None]] = nothing_before
    first_action: str = ""
    findings: Findings = field(default_factory=Findings)


def begin_at(reading: Reading, store: Store, since: Kept, trust: Trust) -> Beginning:
    """Return the beginning at a trusted checkpoint; at the first entry, with a finding, where its root is another.

    Raises:
        UsageError: It is not a checkpoint of this log, or is not signed by a key that counts.
    """
    try:
        checkpoint = opened(since.note, trust.every)
    except (NoteError, UnverifiedError) as error:
        raise UsageError(f"expected a checkpoint that the log's key signed in `{since.where}`: {error}") from error
    if not trust.is_of_this_log(checkpoint.origin):
        raise UsageError(f"expected a checkpoint of log `{trust.log}` in `{since.where}`, got `{checkpoint.origin}`")
    words = f"expected the first {checkpoint.size} entries to have the root in `{since.where}`, got another: "
    try:
        tree = _tree(reading, checkpoint.size)
    except TamperedError as error:
        return _from_the_first(f"{words}{error}")
    if tree.root() != checkpoint.root:
        return _from_the_first(f"{words}the whole log is checked to find where")
    size = checkpoint.size
    last = reading.entry(size) if size else None
    first = reading.found(_FIRST_ACTION, size)[0][0]
    return Beginning(
        size=size,
        tree=tree,
        last_us=last.ts_us if last is not None else 0,
        before=lambda stream: store.read(lambda now: _last_of(now, stream, size)),
        first_action=_just_before(first) if first else "\U0010ffff",
    )


def _tree(reading: Reading, size: int) -> Frontier:
    if size > reading.position():
        raise TamperedError(f"there are {reading.position()} entries")
    stored, tree = StoredTree(reading), Frontier()
    while tree.size < size:
        level = (size - tree.size).bit_length() - 1
        tree.add(level, stored.root(level, tree.size >> level))
    return tree


def _from_the_first(words: str) -> Beginning:
    found = Beginning()
    found.findings.report(None, "fork", words)
    return found


def _just_before(action_id: str) -> str:
    """Return what sorts before an id and after every one that is really smaller."""
    return action_id[:-1]


def _last_of(reading: Reading, stream: str, size: int) -> tuple[int, str | None]:
    """Return number and leaf of a stream's last entry up to a size, as its own bytes and the tree say."""
    for pos, seq, leaf, body in reading.found(_LAST_OF_STREAM, stream, size):
        own = leaf_hash(bytes(body)) if body else bytes.fromhex(leaf)
        if own == StoredTree(reading).root(0, pos - 1):
            return seq, own.hex()
    return 0, None
