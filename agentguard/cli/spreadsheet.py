"""Tables for other programs, as CSV; nothing in them is a formula to the spreadsheet that opens them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agentguard.errors import UsageError
from agentguard.evidence.verify import FORMULAS


class Table:
    """Rows under a header, written one after the other."""

    def __init__(self, file: io.TextIOBase, columns: Sequence[str]) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow(columns)

    def row(self, cells: Sequence[object]) -> None:
        """Write one row."""
        self._writer.writerow([_cell(cell) for cell in cells])


def require_new(path: Path | None) -> None:
    """Refuse a file that is there already, before anything is done whose result would go there.

    Raises:
        UsageError: It is there.
    """
    if path is not None and path.exists():
        raise UsageError(f"expected a file that is not there yet, got `{path}`; take another name")


@contextmanager
def table_in(path: Path, columns: Sequence[str]) -> Iterator[Table]:
    """Give a table that is written to a new file.

    Raises:
        UsageError: The file is there already, or cannot be written.
    """
    require_new(path)
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            yield Table(file, columns)
    except OSError as error:
        raise UsageError(f"expected a file to write at `{path}`: {error.strerror or error}") from error


def _cell(cell: object) -> str:
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(FORMULAS) else text
