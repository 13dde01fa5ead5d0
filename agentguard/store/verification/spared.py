"""What a change spared: where the stored leaves still come to the root that was signed, all but a few entries hold."""

from __future__ import annotations

from agentguard.errors import TamperedError
from agentguard.evidence.tree import Frontier
from agentguard.store.reading import Reading
from agentguard.store.tiles import leaves
from agentguard.store.verification.joining import Joined

_PAGE = 4_096


def changed_alone(reading: Reading, joined: Joined) -> tuple[int, tuple[int, ...]]:
    """Return up to which entry the stored leaves are as signed, and which of those entries say something else now.

    Every other one of them is, byte for byte, what it was: its body comes to its leaf, and its leaf is under the root.
    Nothing is said where the leaves were made anew, or more is wrong than is kept.
    """
    stated = joined.otherwise
    if stated is None or joined.findings.truncated:
        return 0, ()
    tree = Frontier()
    try:
        while tree.size < stated.size:
            page = leaves(reading, tree.size, min(_PAGE, stated.size - tree.size))
            if not page:
                return 0, ()
            tree.extend(page)
    except TamperedError:
        return 0, ()
    if tree.root() != stated.root:
        return 0, ()
    changed = {found.pos for found in joined.findings.kept if found.code == "leaf" and found.pos is not None}
    return stated.size, tuple(sorted(pos for pos in changed if pos <= stated.size))
