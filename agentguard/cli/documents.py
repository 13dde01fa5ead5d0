"""Documents on the terminal, and in files: as text, as Markdown, as a page."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path

from rich.text import Text

from agentguard.cli.output import Output, verdict_text
from agentguard.core.documents.blocks import MARKS, Block, Document, Item, Paragraph, Points, Section, Table
from agentguard.core.documents.html import as_html
from agentguard.core.documents.markdown import as_markdown
from agentguard.core.prose import printable
from agentguard.errors import UsageError
from agentguard.policyfile.filenames import is_yaml

_VERBATIM = re.compile(r"`([^`]+)`")


class Format(enum.StrEnum):
    """What a document is written as."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


SUFFIXES = {".html": Format.HTML, ".htm": Format.HTML, ".md": Format.MARKDOWN, ".json": Format.JSON}


def format_of(wanted: Format | None, file: Path | None) -> Format:
    """Return what to write: what was asked for, or else what the file's name says, or else text."""
    return wanted or (SUFFIXES.get(file.suffix.lower(), Format.TEXT) if file else Format.TEXT)


def written(documents: Sequence[Document], wanted: Format) -> str:
    """Return documents as a text to be kept."""
    match wanted:
        case Format.HTML:
            return as_html(documents)
        case Format.MARKDOWN:
            return as_markdown(documents)
        case _:
            stream = StringIO()
            show(Output(stream), documents)
            return stream.getvalue()


def save(file: Path, text: str) -> None:
    """Write a file.

    Raises:
        UsageError: It cannot be written, or is named as policies are: no document is one.
    """
    if is_yaml(file):
        raise UsageError(f"expected a name like `{file.stem}.html` for a document, got `{file}`, as policies are named")
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"expected a file that can be written, got `{file}`: {error.strerror}") from error


def show(output: Output, documents: Iterable[Document]) -> None:
    """Print documents one after another."""
    for number, document in enumerate(documents):
        if number:
            output.line()
            output.line()
        output.heading(_plain(document.title))
        _blocks(output, document.blocks, 0)


def _blocks(output: Output, blocks: Iterable[Block], depth: int) -> None:
    indent = 2 * depth
    for block in blocks:
        match block:
            case Paragraph(text):
                output.prose(_plain(text), indent=indent)
            case Points(items):
                _points(output, items, indent)
            case Table(columns, rows) if block.is_headed:
                output.table(columns, ([_plain(cell) for cell in row] for row in rows), indent=indent)
            case Table(_, rows):
                output.pairs(((_plain(name), _plain(" ".join(cells))) for name, *cells in rows), indent=indent)
            case Section():
                _section(output, block, depth)


def _section(output: Output, section: Section, depth: int) -> None:
    output.line()
    title = Text(_plain(section.title), style="bold")
    if section.mark:
        mark = verdict_text(section.mark)
        title = Text.assemble((f"{MARKS.get(section.mark, section.mark)}  ", mark.style), title)
    output.text(Text.assemble(" " * (2 * max(depth - 1, 0)), title))
    _blocks(output, section.blocks, max(depth, 1))


def _points(output: Output, items: Iterable[Item], indent: int) -> None:
    for item in items:
        output.prose(_plain(item.text), indent=indent, point="- ")
        _points(output, item.items, indent + 2)


def _plain(text: str) -> str:
    """Return a text on one line, as the other forms have it: nobody adds lines to a document by what they asked for."""
    return " ".join(_VERBATIM.sub(r"\1", printable(text)).split())
