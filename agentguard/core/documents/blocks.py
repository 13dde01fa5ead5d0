"""What a document is made of: sections with paragraphs, lists and tables.

Texts are plain; `words between backticks` are as they stand in a file, and nothing else in them means anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

MARKS = {"allow": "✓ alone", "escalate": "◷ people", "deny": "✕ refused"}
"""What a verdict looks like without its colour."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences."""

    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """One point of a list, with points under it."""

    text: str
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Points:
    """A list."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns, at least one; where no column has a name, the first cell of a row names the others."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def is_headed(self) -> bool:
        """True if some column has a name."""
        return any(self.columns)


@dataclass(frozen=True, slots=True)
class Section:
    """A part under a title.

    Attributes:
        mark: A verdict that the part is about, to be told apart at a glance; empty for none.
    """

    title: str
    blocks: tuple[Block, ...]
    mark: str = ""


Block: TypeAlias = Paragraph | Points | Table | Section


@dataclass(frozen=True, slots=True)
class Document:
    """A whole document.

    Attributes:
        kind: What it is, in a word or two, over its title.
    """

    kind: str
    title: str
    blocks: tuple[Block, ...]
