"""Rows of several tables in the order of one key, side by side, so that each table is read once and in few queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BindParameter, Column, Select, bindparam, tuple_

from agentguard.store.channel import Row
from agentguard.store.reading import Reading
from agentguard.store.statement import Statement

PAGE = 500
LAST = "\U0010ffff" * 8
"""After every id."""


class InOrder:
    """A query in the order of some of its columns, the first of them with a last value, a page at a time."""

    def __init__(self, query: Select[Any], *key: Column[Any]) -> None:
        after: list[BindParameter[Any]] = [bindparam(f"after_{column.name}") for column in key]
        bounded = query.where(tuple_(*key) > tuple_(*after), key[0] <= bindparam("last"))
        names = [parameter.key for parameter in after]
        self._statement = Statement(bounded.order_by(*key).limit(PAGE), [*names, "last"])
        selected = query.selected_columns.keys()
        self._places = [selected.index(column.name) for column in key]

    def rows(self, reading: Reading, after: Sequence[Any], last: str) -> Iterator[Row]:
        """Yield the rows after a key, up to a value of its first column."""
        while page := reading.found(self._statement, *after, last):
            yield from page
            if len(page) < PAGE:
                return
            after = [page[-1][place] for place in self._places]


class Beside:
    """Rows in the order of their first column, asked for in that order."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def before(self, key: str | None) -> Iterator[Row]:
        """Yield the rows below a key, or all the rest if it is None: what they belong to is not there."""
        while self._next is not None and (key is None or self._next[0] < key):
            yield self._next
            self._next = next(self._rows, None)

    def of(self, key: str) -> list[Row]:
        """Return the rows of a key, and pass over those below it."""
        found: list[Row] = []
        row = self._next
        while row is not None and row[0] <= key:
            if row[0] == key:
                found.append(row)
            row = next(self._rows, None)
        self._next = row
        return found
