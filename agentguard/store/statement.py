"""Statements made once: a clause over the tables becomes the text and the order of parameters that a driver takes.

SQLAlchemy's own execution costs ten times what SQLite needs for a row, so what runs for every action goes straight to
the driver.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, cast

from sqlalchemy import ClauseElement, Compiled, Insert, Select, Table, Update, bindparam, insert
from sqlalchemy.engine import Dialect as Compiling
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.util import LRUCache

from agentguard.store import many

# The one style of parameters by position that each backend's driver understands.
_STYLES = {"sqlite": "qmark"}
_COMPILING: dict[str, Compiling] = {}
_COMPILED: LRUCache[Any, Compiled] = LRUCache(500)


class Made(NamedTuple):
    """A statement for one engine; `rest` are the parameters that are always the same, which come last."""

    text: str
    rest: tuple[Any, ...]


class Statement:
    """One clause; it takes its parameters as a tuple, in the order in which the clause names them."""

    __slots__ = ("__dict__", "_clause", "_made", "order")

    def __init__(self, clause: ClauseElement, order: Sequence[str] = ()) -> None:
        self._clause = clause
        self._made: dict[str, Made] = {}
        self.order = tuple(order)

    @cached_property
    def of_each(self) -> Statement:
        """The query for many rows of parameters at once, where it is asked of a server."""
        return Statement(many.of_each(cast(Select[Any], self._clause), self.order), [many.ROWS])

    @cached_property
    def of_all(self) -> Statement | None:
        """The same for a statement that writes; None where a row that comes twice is written once."""
        clause = cast(Insert | Update, self._clause)
        return None if many.looks_first(clause) else Statement(many.of_all(clause, self.order), [many.ROWS])

    def made(self, engine: str, compiling: Compiling) -> Made:
        """Return what a driver takes.

        Args:
            engine: The backend's name.
            compiling: SQLAlchemy's dialect of it, as `compiling` gives it.
        """
        made = self._made.get(engine)
        if made is None:
            compiled = self._clause.compile(dialect=compiling)
            names, given = _order(compiled), len(self.order)
            if names[:given] != self.order or {compiled.params[name] for name in names[given:]} & {None}:
                raise AssertionError(f"expected the parameters {self.order}, got {names} in `{compiled}`")
            rest = tuple(compiled.params[name] for name in names[given:])
            made = self._made[engine] = Made(str(compiled), rest)
        return made


def compiling(dialect: Compiling) -> Compiling:
    """Return SQLAlchemy's dialect of an engine with parameters by position; one for all engines of a kind."""
    made = _COMPILING.get(dialect.name)
    if made is None:
        made = type(dialect)(paramstyle=_STYLES.get(dialect.name, "format"))  # type: ignore[call-arg]
        _COMPILING[dialect.name] = made
    return made


def compiled(clause: ClauseElement, dialect: Compiling) -> tuple[str, tuple[Any, ...]]:
    """Return the text and the parameters of a clause that has its values in it, for what runs seldom."""
    # What SQLAlchemy does in an execution of its own: a clause of the same shape was compiled before.
    made, given, *_ = clause._compile_w_cache(dialect, compiled_cache=_COMPILED, column_keys=[])  # noqa: SLF001
    if not isinstance(made, SQLCompiler):
        raise TypeError(f"expected a statement with parameters, got `{made}`")
    values = made.construct_params(extracted_parameters=given, escape_names=False)
    expanded = made._process_parameters_for_postcompile(values)  # noqa: SLF001
    values = {**values, **expanded.additional_parameters}
    return expanded.statement, tuple(values[name] for name in expanded.positiontup or ())


def inserting(table: Table) -> Statement:
    """Return the statement that inserts a row, given in the order of the table's columns."""
    names = [column.name for column in table.columns]
    return Statement(insert(table).values({name: bindparam(name) for name in names}), names)


def _order(made: Compiled) -> tuple[str, ...]:
    return tuple(made.positiontup or ())  # type: ignore[attr-defined]
