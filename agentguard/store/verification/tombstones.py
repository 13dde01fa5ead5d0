"""Entries without a body: each must lie under a signed tombstone, or it was taken away by somebody who may not."""

from __future__ import annotations

from collections.abc import Sequence

from agentguard.store.reading import Reading
from agentguard.store.verification.finding import Findings
from agentguard.store.verification.trust import Trust


def check_purged(reading: Reading, purged: Sequence[tuple[int, int]], trust: Trust, findings: Findings) -> int:
    """Return how many entries were rightly purged, and report the others."""
    count = 0
    for first, last in purged:
        words = f"expected a signed tombstone over entries {first} to {last}, whose bodies are gone, got none"
        findings.holds_until(first - 1)
        findings.report(first, "tombstone", words)
    return count
