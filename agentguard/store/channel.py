"""One connection of the driver, and how the store's statements run on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ClauseElement, PoolProxiedConnection
from sqlalchemy.engine import Dialect as Compiling

from agentguard.store import statement
from agentguard.store.dialect import Dialect, Driver
from agentguard.store.many import packed
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

    def begin(self, wanted: Statement, *, writes: bool) -> Row | None:
        """Begin a transaction with a query, and return the first row that it finds; see `Dialect.begin`."""
        text = wanted.made(self._name, self._compiling).text
        found: Row | None = self._dialect.begin(self.driver, text, writes=writes).fetchone()
        return found

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

    def row_of_each(self, wanted: Statement, parameters: Sequence[Row]) -> list[Row | None]:
        """Return the first row that a statement finds for each row of parameters; a server is asked once."""
        if not self._dialect.has_server or len(parameters) == 1:
            return [self.row(wanted, each) for each in parameters]
        found = self._run(wanted.of_each, (packed(wanted.order, parameters),)).fetchall()
        rows = {number: row for number, *row in found}
        return [rows.get(number) for number in range(len(parameters))]

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
                self._change(cursor, change, parameters)
                cursors.append(cursor)
        return [int(cursor.rowcount) for cursor in cursors]

    def _change(self, cursor: Any, change: Statement, parameters: Sequence[Row]) -> None:
        if len(parameters) == 1:
            cursor.execute(change.made(self._name, self._compiling).text, parameters[0])
        elif self._dialect.has_server and change.of_all is not None:
            text = change.of_all.made(self._name, self._compiling).text
            # A plan that was made while the tables were small would read all of them when they are large.
            cursor.execute(text, (packed(change.order, parameters),), prepare=False)
        else:
            cursor.executemany(change.made(self._name, self._compiling).text, parameters)

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
