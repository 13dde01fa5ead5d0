"""Rows of several tables in the order of one key, side by side, so that each table is read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Rows = Iterator[Mapping[str, Any]]


class Beside:
    """The rows of one table, in the order of a column, asked for in that order."""

    def __init__(self, rows: Rows, column: str) -> None:
        self._rows = rows
        self._column = column
        self._next = next(rows, None)

    def before(self, key: str | None) -> Rows:
        """Yield the rows below a key, or all the rest if it is None: what they belong to is not there."""
        while self._next is not None and (key is None or self._next[self._column] < key):
            yield self._next
            self._next = next(self._rows, None)

    def of(self, key: str) -> list[Mapping[str, Any]]:
        """Return the rows of a key, after those below it were taken or are passed over."""
        for _ in self.before(key):
            pass
        found = []
        while self._next is not None and self._next[self._column] == key:
            found.append(self._next)
            self._next = next(self._rows, None)
        return found
