"""Plain text laid out for a person: headings, paragraphs, names with values beside them, no line wider than asked."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

NARROWEST = 40


class Sheet:
    """Text as it grows, line by line."""

    def __init__(self, width: int) -> None:
        self.width = max(width, NARROWEST)
        self._lines: list[str] = []

    def __str__(self) -> str:
        return "\n".join(self._lines) + "\n"

    def heading(self, text: str) -> None:
        """Begin a part, with an empty line before it."""
        if self._lines:
            self._lines.append("")
        self._lines.append(text.upper())

    def prose(self, text: str, *, indent: int = 0, hang: int = 0) -> None:
        """Add sentences, each of their lines wrapped between words, the following ones `hang` further in."""
        for line in text.split("\n"):
            first = " " * indent
            following = " " * (indent + hang)
            wrapped = textwrap.wrap(
                line, self.width, initial_indent=first, subsequent_indent=following, break_on_hyphens=False
            )
            self._lines += wrapped or [""]

    def verbatim(self, lines: Iterable[str], *, indent: int = 0) -> None:
        """Add lines as they are; what is longer than the page goes on a little further in."""
        for line in lines:
            inner = " " * (indent + len(line) - len(line.lstrip()))
            if len(line) + indent <= self.width:
                self._lines.append(f"{' ' * indent}{line}".rstrip())
            else:
                self.prose(line.lstrip(), indent=len(inner), hang=2)

    def pairs(self, pairs: Iterable[tuple[str, str]], *, indent: int = 2) -> None:
        """Add names with their values beside them."""
        known = list(pairs)
        widest = min(max((len(name) for name, _ in known), default=0), self.width // 3)
        for name, value in known:
            text = " ".join(value.split())
            self.prose(f"{name.ljust(widest)}  {text}", indent=indent, hang=widest + 2)
