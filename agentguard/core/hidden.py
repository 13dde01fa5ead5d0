"""Characters that hide something from whoever reads a text: controls, direction marks, zero-width spaces, tags."""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f")
"""Letters and signs that Unicode counts as visible, and that no font shows."""

_JOINERS = frozenset("\u200c\u200d")
"""Invisible characters that some scripts and emoji cannot be written without."""


def hidden(text: str) -> str | None:
    """Return the first character for which people would see another text than programs get, as `U+202E`; None if none.

    Line feeds and tabs are how people write letters, and hide nothing.
    """
    if text.isascii() and text.isprintable():
        return None
    for character in text:
        if character in "\n\t" or character in _JOINERS:
            continue
        if unicodedata.category(character) in _UNSEEN or character in _FILLERS:
            return f"U+{ord(character):04X}"
    return None
