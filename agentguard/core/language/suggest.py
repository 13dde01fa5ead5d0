"""What the writer of an unknown word probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?` for the nearest known word, or nothing if none is near."""
    candidates = list(known)
    near = difflib.get_close_matches(word[:100], candidates, n=1, cutoff=0.6)
    if not near:
        folded = {candidate.lower().rpartition(".")[2]: candidate for candidate in candidates}
        last = word.lower().rpartition(".")[2]
        near = [folded[last]] if last in folded else []
    return f"; did you mean `{near[0]}`?" if near else ""
