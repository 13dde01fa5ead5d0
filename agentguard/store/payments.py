"""What stands in a payment provider's books, on the side while it is compared with the log: never in the database.

It is a file that SQLite makes for itself, removes itself and spills into: however long the books are, little of them is
in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from agentguard.store.moment import from_microseconds, to_microseconds

DONE = "done"
PENDING = "pending"
NOT_DONE = "not_done"


@dataclass(frozen=True, slots=True)
class Payment:
    """One line of the provider's books.

    Attributes:
        line: Where it stands in the file.
        id: The provider's own name for it: the external reference of an action.
        amount: In minor units, above zero.
        status: `done`, `pending` or `not_done`.
        key: The id of the action, where it came with it.
        intent: The leaf of the entry that said it was about to happen, where it came with it.
    """

    line: int
    id: str
    at: datetime
    currency: str
    amount: int
    status: str = DONE
    key: str = ""
    intent: str = ""


_COLUMNS = "line, id, at_us, currency, amount, status, key, intent"
_TYPES = (
    "line INTEGER PRIMARY KEY, id TEXT, at_us INTEGER, currency TEXT, amount INTEGER, status TEXT, key TEXT, "
    "intent TEXT"
)
_FIND = {name: f"SELECT {_COLUMNS}, found FROM payment WHERE {name} = ?" for name in ("id", "key", "intent")}  # noqa: S608


class Payments:
    """Payments of one file, found by their own id, by the action's id or by the intent's leaf."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "PRAGMA cache_size = -4096",
            f"CREATE TABLE payment ({_TYPES}, found TEXT DEFAULT '') STRICT",
            "CREATE INDEX payment_id ON payment (id)",
            "CREATE INDEX payment_key ON payment (key)",
            "CREATE INDEX payment_intent ON payment (intent)",
            "BEGIN",
        ):
            self._connection.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, payments: Iterable[Payment]) -> None:
        """Keep payments, each under its line."""
        self._connection.executemany(
            f"INSERT INTO payment ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (
                (
                    item.line,
                    item.id,
                    to_microseconds(item.at),
                    item.currency,
                    item.amount,
                    item.status,
                    item.key,
                    item.intent,
                )
                for item in payments
            ),
        )

    def span(self) -> tuple[datetime, datetime] | None:
        """Return when the first and the last payment were made, or None where there is none."""
        first, last = self._connection.execute("SELECT min(at_us), max(at_us) FROM payment").fetchone()
        return None if first is None else (from_microseconds(first), from_microseconds(last))

    def count(self) -> int:
        """Return how many there are."""
        return int(self._connection.execute("SELECT count(*) FROM payment").fetchone()[0])

    def of(self, action_id: str, references: Collection[str], intents: Collection[str]) -> list[tuple[Payment, str]]:
        """Return the payments of an action by line, each with the action that it was found for before, if one was."""
        wanted = [("key", action_id), *(("id", item) for item in references), *(("intent", item) for item in intents)]
        rows = {row[0]: row for name, value in wanted for row in self._connection.execute(_FIND[name], (value,))}
        self._connection.executemany(
            "UPDATE payment SET found = ? WHERE line = ?", [(action_id, line) for line in rows]
        )
        return [(_payment(row), found) for *row, found in (rows[line] for line in sorted(rows))]

    def of_nobody(self) -> Iterator[Payment]:
        """Yield the payments that no action was found for, by line."""
        for row in self._connection.execute(f"SELECT {_COLUMNS} FROM payment WHERE found = '' ORDER BY line"):  # noqa: S608
            yield _payment(row)


def _payment(row: Sequence[Any]) -> Payment:
    line, name, at_us, currency, amount, status, key, intent = row
    return Payment(line, name, from_microseconds(at_us), currency, amount, status, key, intent)
