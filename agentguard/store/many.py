"""One statement for many rows of parameters, as a server takes it: it reads them out of a single JSON parameter.

A message for each row costs a server and us more than the row itself, so what is asked for, or written, for many at
once is asked once. A local file needs none of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    JSON,
    BindParameter,
    ClauseElement,
    Insert,
    Integer,
    Select,
    TableValuedAlias,
    Update,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal_column,
    select,
    true,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.visitors import replacement_traverse
from sqlalchemy.types import NullType, TypeEngine

ROWS = "rows"
"""The one parameter of each statement that is made here."""

_Clause = TypeVar("_Clause", bound=ClauseElement)

_NUMBER = "number"
"""Of a row of parameters; the order of what is found is the server's."""


def of_each(clause: Select[Any], order: Sequence[str]) -> ClauseElement:
    """Return the query that gives, for each row of parameters, its number and the first row that a query finds."""
    given = _given(clause, order)
    found = _with(clause, given).limit(literal_column("1")).lateral("found")
    return select(given.c[_NUMBER], *found.c).select_from(given.join(found, true()))


def of_all(clause: Insert | Update, order: Sequence[str]) -> ClauseElement:
    """Return the statement that writes what another one does for each row of parameters."""
    given = _given(clause, order)
    if isinstance(clause, Update):
        return _with(clause, given)
    return insert(clause.table).from_select(list(order), select(*(given.c[name] for name in order)))


def looks_first(clause: Insert | Update) -> bool:
    """Return whether a statement inserts what is not there yet: of two rows that are the same, the first one alone."""
    return isinstance(clause, Insert) and clause.select is not None


def packed(order: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows of parameters, in the order of their names, as the one parameter that such a statement takes.

    Raises:
        OverflowError: A number is too large, or a text no Unicode; as drivers of databases say it.
    """
    names = (_NUMBER, *order)
    found = [dict(zip(names, (number, *row), strict=True)) for number, row in enumerate(rows)]
    try:
        return orjson.dumps(found, default=_bytes).decode()
    except orjson.JSONEncodeError as error:
        raise OverflowError(str(error)) from error


def _bytes(value: Any) -> str:
    if not isinstance(value, bytes):
        raise TypeError(f"expected a value that a database keeps, got `{type(value).__name__}`")
    return f"\\x{value.hex()}"


def _given(clause: Any, order: Sequence[str]) -> TableValuedAlias:
    types = _types(clause, order)
    columns = [column(_NUMBER, Integer()), *(column(name, types[name]) for name in order)]
    rows = cast(bindparam(ROWS, type_=JSON()), JSON())
    return func.json_to_recordset(rows).table_valued(*columns, name="given").render_derived(with_types=True)


def _types(clause: Any, order: Sequence[str]) -> dict[str, TypeEngine[Any]]:
    found: dict[str, TypeEngine[Any]] = {}

    def see(element: Any, **_: Any) -> None:
        """Remember the type of a parameter."""
        if isinstance(element, BindParameter) and not isinstance(element.type, NullType):
            found[element.key] = element.type

    replacement_traverse(clause, {}, see)
    table = getattr(clause, "table", None)
    return {name: found[name] if name in found or table is None else table.c[name].type for name in order}


def _with(clause: _Clause, given: TableValuedAlias) -> _Clause:
    def replaced(element: Any, **_: Any) -> ColumnElement[Any] | None:
        """Return the column that stands for a parameter."""
        return given.c[element.key] if isinstance(element, BindParameter) and element.key in given.c else None

    made: Any = replacement_traverse(clause, {}, replaced)
    changed: _Clause = made
    return changed
