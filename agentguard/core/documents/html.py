"""Documents as one page of HTML that loads nothing and runs nothing; it prints well and reads without colour."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape

from agentguard.core.documents.blocks import MARKS, Block, Document, Item, Paragraph, Points, Section, Table
from agentguard.core.documents.page import page
from agentguard.core.prose import printable

DEEPEST = 6
_VERBATIM = re.compile(r"`([^`]+)`")


def as_html(documents: Iterable[Document]) -> str:
    """Return a page with documents one after another."""
    known = list(documents)
    title = ", ".join(document.title.replace("`", "") for document in known)
    return page(title, "\n".join(map(_document, known)))


def marked(text: str) -> str:
    """Return a text with what is between backticks as code, and everything else as it stands."""
    parts = _VERBATIM.split(printable(text))
    return "".join(
        f"<code>{escape(part)}</code>" if number % 2 else escape(part, quote=False) for number, part in enumerate(parts)
    )


def _document(document: Document) -> str:
    head = f'<header>\n<p class="kind">{marked(document.kind)}</p>\n<h1>{marked(document.title)}</h1>\n</header>'
    return "\n".join(["<main>", head, *_blocks(document.blocks, 2), "</main>"])


def _blocks(blocks: Iterable[Block], level: int) -> Iterator[str]:
    for block in blocks:
        match block:
            case Paragraph(text):
                yield f"<p>{marked(text)}</p>"
            case Points(items):
                yield from _points(items)
            case Table():
                yield from _table(block)
            case Section():
                yield from _section(block, level)


def _section(section: Section, level: int) -> Iterator[str]:
    heading = min(level, DEEPEST)
    mark = ""
    if section.mark:
        mark = f' <span class="mark {escape(section.mark)}">{MARKS.get(section.mark, escape(section.mark))}</span>'
    name = "article" if section.mark else "section"
    yield f"<{name}>"
    yield f"<h{heading}>{marked(section.title)}{mark}</h{heading}>"
    yield from _blocks(section.blocks, level + 1)
    yield f"</{name}>"


def _points(items: Iterable[Item]) -> Iterator[str]:
    yield "<ul>"
    for item in items:
        inner = "\n".join(["", *_points(item.items)]) if item.items else ""
        yield f"<li>{marked(item.text)}{inner}</li>"
    yield "</ul>"


def _table(table: Table) -> Iterator[str]:
    if not table.is_headed:
        rows = (f"<dt>{marked(name)}</dt><dd>{marked(' '.join(cells))}</dd>" for name, *cells in table.rows)
        yield from ("<dl>", *rows, "</dl>")
        return
    head = "".join(f'<th scope="col">{marked(column)}</th>' for column in table.columns)
    yield f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>"
    for row in table.rows:
        yield f"<tr>{''.join(f'<td>{marked(cell)}</td>' for cell in row)}</tr>"
    yield "</tbody>\n</table>"
