"""What commands print: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence, Sized
from typing import Any, Literal, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agentguard.core.prose import printable

WIDE = 110
PIPED_WIDTH = 160
GAP = 2


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Go on: what a command came to is also in its exit code."""
        nobody_reads()


class Output:
    """Prints to one stream; without a terminal it is as wide as it needs to be and has no colour.

    Nothing that it is given can steer the terminal: whoever wrote a reason or a note may not want it to be read.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        target = stream or sys.stdout
        width = None if target.isatty() else PIPED_WIDTH
        self.console = _Console(file=target, width=width, highlight=False, soft_wrap=False)

    @property
    def wide(self) -> bool:
        """True where a table has room for an id beside everything else."""
        return self.console.width >= WIDE

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line of plain text; whoever wrote a part of it adds none of their own."""
        self.console.print(Text(printable(text).replace("\n", " "), style=style), soft_wrap=True)

    def text(self, text: Text) -> None:
        """Print much at once, as it is; where nobody sees colours none are worked out, which takes longest."""
        if self.console.is_terminal:
            self.console.print(text, soft_wrap=True)
        else:
            self.console.file.write(f"{text.plain}\n")

    def prose(self, text: str, *, indent: int = 0, point: str = "", style: str = "") -> None:
        """Print a sentence, wrapped between words; what it begins with as a `point` of a list stands out."""
        hanging = indent + len(point)
        wrapped = Text(printable(text).replace("\n", " "), style=style).wrap(
            self.console, max(self.console.width - hanging, 1)
        )
        for number, line in enumerate(wrapped):
            line.rstrip()
            before = Text(" " * hanging if number else " " * indent + point, style=style)
            self.console.print(before + line, soft_wrap=True)

    def sentence(self, text: str, *, indent: int = 0, point: str = "", style: str = "") -> None:
        """Print a sentence, wrapped between words on a terminal; elsewhere it stays in one line, to be searched."""
        if self.console.is_terminal:
            self.prose(text, indent=indent, point=point, style=style)
        else:
            self.line(f"{' ' * indent}{point}{text}", style=style)

    def failure(self, message: str) -> None:
        """Print what went wrong, as somebody else than agentguard wrote it."""
        self.console.print(Text.assemble(("error: ", "bold red"), printable(message)), soft_wrap=True)

    def heading(self, text: str) -> None:
        """Print a heading over what follows."""
        self.console.print(Text(printable(text), style="bold"))

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        *,
        right: Sequence[str] = (),
        whole: Sequence[str] = (),
        indent: int = 0,
    ) -> None:
        """Print a table; cells fold rather than lose characters, and those in `whole` columns never do."""
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
        cells = [[*map(_cell, row)] for row in rows]
        room = self.console.width - indent - GAP * (len(columns) - 1)
        widths = _widths([[*map(Text, columns)], *cells], whole, room)
        fits = sum(widths) <= room  # where even that is too narrow, what should be whole folds too, and is not cut off
        for column, width in zip(columns, widths, strict=True):
            justify: Literal["left", "right"] = "right" if column in right else "left"
            table.add_column(column, justify=justify, overflow="fold", no_wrap=fits and column in whole, width=width)
        for row in cells:
            table.add_row(*row)
        self.console.print(Padding(table, (0, 0, 0, indent), expand=False) if indent else table)

    def pairs(self, pairs: Iterable[tuple[str, Any]], *, indent: int = 0) -> None:
        """Print names with their values beside them, a pair a line; a name that repeats is said once."""
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        before = None
        for name, value in pairs:
            table.add_row("" if name == before else name, _cell(value))
            before = name
        self.console.print(Padding(table, (0, 0, 0, indent), expand=False) if indent else table)


def count(items: Sized, one: str, many: str = "") -> str:
    """Return how many there are in words: `1 file`, `2 files`."""
    return f"{len(items)} {one if len(items) == 1 else many or one + 's'}"


def _widths(rows: Sequence[Sequence[Text]], whole: Sequence[str], room: int) -> list[int]:
    """Return how wide each column is: as wide as its cells, or else such that no word is cut that need not be."""
    columns = [*zip(*rows, strict=True)]
    full = [max(cell.cell_len for cell in column) for column in columns]
    if sum(full) <= room:
        return full
    words = [max(cell_len(word) for cell in column for word in cell.plain.split() or [""]) for column in columns]
    kept = [column[0].plain in whole for column in columns]
    words = [wide if keep else word for keep, wide, word in zip(kept, full, words, strict=True)]
    for most in range(room, 0, -1):
        widths = [max(word, min(wide, most)) for word, wide in zip(words, full, strict=True)]
        if sum(widths) <= room:
            return widths
    for most in range(room, 0, -1):
        widths = [word if keep else min(word, most) for keep, word in zip(kept, words, strict=True)]
        if sum(widths) <= room:
            return widths
    return words


def _cell(value: Any) -> Text:
    return value if isinstance(value, Text) else Text(printable(str(value)))


def print_json(document: Any, stream: TextIO | None = None) -> None:
    """Print one JSON document, on standard output unless another stream is given, and nothing else."""
    try:
        print(json.dumps(document, indent=2, ensure_ascii=False, default=str), file=stream, flush=True)
    except BrokenPipeError:
        nobody_reads()


def nobody_reads() -> None:
    """Let what is still printed go nowhere, where whoever read it has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def verdict_text(verdict: str) -> Text:
    """Return a verdict or state in its colour."""
    colours = {
        "allow": "green", "settled": "green", "approved": "green", "done": "green",
        "escalate": "yellow", "waiting": "yellow", "open": "yellow", "in_doubt": "magenta",
        "deny": "red", "denied": "red", "rejected": "red", "expired": "red",
    }  # fmt: skip
    return Text(verdict, style=colours.get(verdict.partition(" ")[0], ""))
