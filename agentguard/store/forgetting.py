"""What of a person can be taken away from the database, and where it is found; entries keep the digests of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import delete, func, select

from agentguard.store.reading import Reading
from agentguard.store.tables import EntryRow, ResultRow, SealedRow
from agentguard.store.transaction import Transaction

_entry = EntryRow.__table__
_sealed = SealedRow.__table__
_result = ResultRow.__table__

_AT_ONCE = 500
"""So many parameters a statement: every engine takes them."""


def streams(reading: Reading) -> Iterator[str]:
    """Yield the tenants that the log has entries of, in the order of their names."""
    last = ""
    while True:
        query = select(func.min(_entry.c.stream).label("stream")).where(_entry.c.stream > last)
        found = next(iter(reading.rows(query)))["stream"]
        if found is None:
            return
        last = str(found)
        yield last


def sealed_names(value: Any) -> Iterator[str]:
    """Yield the digests of the sealed values that a body names, wherever they stand in it."""
    if isinstance(value, Mapping):
        if len(value) == 1 and isinstance(value.get("sealed"), str):
            yield value["sealed"]
        else:
            for item in value.values():
                yield from sealed_names(item)
    elif isinstance(value, list):
        for item in value:
            yield from sealed_names(item)


def forget_sealed(transaction: Transaction, digests: Iterable[str]) -> int:
    """Delete sealed values and return how many there were."""
    return _forget(transaction, _sealed, _sealed.c.digest, digests)


def forget_results(transaction: Transaction, action_ids: Iterable[str]) -> int:
    """Delete what tools gave back for actions and return how many there were."""
    return _forget(transaction, _result, _result.c.action_id, action_ids)


def _forget(transaction: Transaction, table: Any, column: Any, values: Iterable[str]) -> int:
    wanted = sorted(set(values))
    pages = (wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE))
    return sum(transaction.write(delete(table).where(column.in_(page))) for page in pages)
