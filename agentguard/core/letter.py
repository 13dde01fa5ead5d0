"""A customer's letter about one decision: its parts, and how they are laid out."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from agentguard.core.prose import printable
from agentguard.core.sheet import Sheet

WIDTH = 78

_MARKS = re.compile(r"([\\`*_\[\]<>#|~])")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a letter: sentences, and points under them."""

    title: str
    sentences: tuple[str, ...]
    points: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """What a customer gets to read about one decision.

    Attributes:
        action_id: The action, which is the reference that the letter names.
        language: The tag of the language it is in.
        sender: Who answers for the policy that decided.
    """

    action_id: str
    language: str
    subject: str
    reference: str
    greeting: str
    parts: tuple[Part, ...]
    closing: str
    sender: str

    def as_text(self, width: int = WIDTH) -> str:
        """Return the letter as plain text, with no line wider than `width`."""
        sheet = Sheet(width)
        for line in (self.subject, self.reference, "", self.greeting):
            sheet.prose(printable(line))
        for part in self.parts:
            sheet.prose("")
            sheet.prose(part.title)
            for sentence in part.sentences:
                sheet.prose(printable(sentence))
            for point in part.points:
                sheet.prose(f"- {printable(point)}", indent=2, hang=2)
        for line in ("", self.closing, self.sender):
            sheet.prose(printable(line))
        return str(sheet)

    def as_markdown(self) -> str:
        """Return the letter as Markdown; what others wrote cannot mark anything up in it."""
        lines = [f"# {_unmarked(self.subject)}", "", _unmarked(self.reference), "", self.greeting]
        for part in self.parts:
            lines += ["", f"## {part.title}"]
            for sentence in part.sentences:
                lines += ["", _unmarked(sentence)]
            lines += ["", *(f"- {_unmarked(point)}" for point in part.points)] if part.points else []
        return "\n".join([*lines, "", self.closing, "", _unmarked(self.sender)]) + "\n"

    def as_json(self) -> dict[str, Any]:
        """Return the letter as JSON."""
        document: dict[str, Any] = asdict(self)
        return document


def _unmarked(text: str) -> str:
    return _MARKS.sub(r"\\\1", " ".join(printable(text).split()))
