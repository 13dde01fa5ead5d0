"""Documents as Markdown; nothing that somebody else wrote can mark anything up in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from agentguard.core.documents.blocks import Block, Document, Item, Paragraph, Points, Section, Table
from agentguard.core.prose import printable

DEEPEST = 6

_VERBATIM = re.compile(r"(`[^`]+`)")
_MARKS = re.compile(r"([\\`*_\[\]<>#|~])")
_BAR = re.compile(r"(?<!\\)\|")
_LISTED = re.compile(r"^([0-9]*)([.)+-])(?=\s|$)")


def as_markdown(documents: Iterable[Document]) -> str:
    """Return documents one after another."""
    parts: list[str] = []
    for document in documents:
        parts += [f"# {marked(document.title)}", *_blocks(document.blocks, 2)]
    return "\n\n".join(parts) + "\n"


def marked(text: str) -> str:
    """Return a text on one line that reads as it stands, with what is between backticks as code."""
    parts = _VERBATIM.split(" ".join(printable(text).split()))
    said = "".join(part if number % 2 else _MARKS.sub(r"\\\1", part) for number, part in enumerate(parts))
    return _LISTED.sub(r"\1\\\2", said)


def _blocks(blocks: Iterable[Block], level: int) -> Iterator[str]:
    for block in blocks:
        match block:
            case Paragraph(text):
                yield marked(text)
            case Points(items):
                yield "\n".join(_points(items, 0))
            case Table():
                yield "\n".join(_table(block))
            case Section(title, inner):
                yield f"{'#' * min(level, DEEPEST)} {marked(title)}"
                yield from _blocks(inner, level + 1)


def _points(items: Iterable[Item], depth: int) -> Iterator[str]:
    for item in items:
        yield f"{'  ' * depth}- {marked(item.text)}"
        yield from _points(item.items, depth + 1)


def _table(table: Table) -> Iterator[str]:
    if not table.is_headed:
        *before, last = [f"**{marked(name)}** {' '.join(map(marked, cells))}" for name, *cells in table.rows]
        yield from (f"{line}\\" for line in before)
        yield last
        return
    yield _row(table.columns)
    yield "|" + "---|" * len(table.columns)
    for row in table.rows:
        yield _row(row)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_BAR.sub(r"\|", marked(cell)) for cell in cells) + " |"
