"""One connection of the driver, and how the store's statements run on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ClauseElement, PoolProxiedConnection
from sqlalchemy.engine import Dialect as Compiling

from agentguard.store import statement
from agentguard.store.dialect import Dialect, Driver
from agentguard.store.statement import Statement

Row = Sequence[Any]


class Channel:
    """A connection that one thread at a time uses for one transaction after another."""

    __slots__ = ("_compiling", "_cursor", "_dialect", "_name", "_pooled", "driver")

    def __init__(self, pooled: PoolProxiedConnection, dialect: Dialect, compiling: Compiling) -> None:
        self._pooled = pooled
        self._dialect = dialect
        self._compiling = compiling
        self._name = dialect.name
        driver: Driver = self._pooled.driver_connection
        self.driver = driver
        self._cursor = driver.cursor()

    def begin(self, *, writes: bool) -> None:
        """Begin a transaction; see `Dialect.begin`."""
        self._dialect.begin(self.driver, writes=writes)

    def commit(self) -> None:
        """Commit, durably."""
        self.driver.commit()

    def rollback(self) -> None:
        """Take everything back since `begin`."""
        self.driver.rollback()

    def close(self, *, broken: bool = False) -> None:
        """Give the connection back, or close it for good if it is broken."""
        if broken:
            self._pooled.invalidate()
        else:
            self._pooled.close()

    def row(self, wanted: Statement, parameters: Row = ()) -> Row | None:
        """Return the first row that a statement finds."""
        found: Row | None = self._run(wanted, parameters).fetchone()
        return found

    def first_row(self, wanted: Statement) -> Row | None:
        """Return the row that the first statement after `begin` finds; a server hears of both at once."""
        with self._dialect.pipeline(self.driver):
            cursor = self._run(wanted, ())
        found: Row | None = cursor.fetchone()
        return found

    def row_of_each(self, wanted: Statement, parameters: Sequence[Row]) -> list[Row | None]:
        """Return the first row that a statement finds for each row of parameters; a server is asked for all at once."""
        text, rest = wanted.made(self._name, self._compiling)
        cursors = []
        with self._dialect.pipeline(self.driver):
            for each in parameters:
                cursor = self.driver.cursor()
                cursor.execute(text, (*each, *rest))
                cursors.append(cursor)
        return [cursor.fetchone() for cursor in cursors]

    def rows(self, wanted: Statement, parameters: Row = ()) -> list[Row]:
        """Return every row that a statement finds."""
        found: list[Row] = self._run(wanted, parameters).fetchall()
        return found

    def change_all(self, wanted: Sequence[tuple[Statement, Sequence[Row]]]) -> list[int]:
        """Run statements that write, each for all its rows of parameters, without waiting for one before the next.

        Returns:
            How many rows each of them changed.
        """
        cursors = []
        with self._dialect.pipeline(self.driver):
            for change, parameters in wanted:
                cursor = self.driver.cursor()
                text = change.made(self._name, self._compiling).text
                if len(parameters) == 1:  # a server would be asked for an answer to each of many
                    cursor.execute(text, parameters[0])
                else:
                    cursor.executemany(text, parameters)
                cursors.append(cursor)
        return [int(cursor.rowcount) for cursor in cursors]

    def find(self, clause: ClauseElement) -> list[dict[str, Any]]:
        """Return the rows of a query that runs seldom, by column."""
        cursor = self._cursor
        cursor.execute(*statement.compiled(clause, self._compiling))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def write(self, clause: ClauseElement) -> int:
        """Run a statement that writes seldom and return how many rows it changed."""
        self._cursor.execute(*statement.compiled(clause, self._compiling))
        return int(self._cursor.rowcount)

    def stream(self, clause: ClauseElement, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a query by column, without holding all of them."""
        text, parameters = statement.compiled(clause, self._compiling)
        for row in self._dialect.stream(self.driver, text, parameters):
            yield dict(zip(names, row, strict=True))

    def _run(self, wanted: Statement, parameters: Row) -> Any:
        cursor = self._cursor
        text, rest = wanted.made(self._name, self._compiling)
        cursor.execute(text, (*parameters, *rest) if rest else parameters)
        return cursor
