"""What settled actions leave for later requirements: keyed digests of their values, found by name and time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from sqlalchemy import bindparam, literal_column, select

from agentguard.store.lookups import Lookups
from agentguard.store.statement import Statement
from agentguard.store.tables import ActionValueRow
from agentguard.store.writing import INSERT_VALUE

_value = ActionValueRow.__table__
_TENANT, _ACTION = INSERT_VALUE.order.index("tenant"), INSERT_VALUE.order.index("action")


def settled(lookups: Lookups, tenant: str, action: str, values: Mapping[str, str], since_us: int | None) -> int | None:
    """Return the position of the settle entry of the newest settled action with these values.

    Args:
        lookups: Of the transaction.
        tenant: Whose actions.
        action: The kind of action.
        values: Keyed digests by name, all of which must be equal; at least one.
        since_us: The earliest settlement that counts, itself included; None for all time.
    """
    unwritten = any(row[_TENANT] == tenant and row[_ACTION] == action for row in lookups.layer.pending(INSERT_VALUE))
    channel = lookups.cold if unwritten else lookups.channel
    wanted = sorted(values.items())
    first, rest = wanted[0], [part for pair in wanted[1:] for part in pair]
    times = () if since_us is None else (since_us,)
    row = channel.row(_newest(len(wanted), bool(times)), (tenant, action, *first, *rest, *times))
    return None if row is None else int(row[0])


@cache
def _newest(names: int, since: bool) -> Statement:
    found = _value.alias("found")
    order = ["tenant", "action", "name", "value"]
    query = select(found.c.entry).where(*(found.c[name] == bindparam(name) for name in order))
    for number in range(1, names):
        other = _value.alias(f"other{number}")
        same = (
            other.c.action_id == found.c.action_id,
            other.c.name == bindparam(f"name{number}"),
            other.c.value == bindparam(f"value{number}"),
        )
        query = query.where(select(literal_column("1")).select_from(other).where(*same).exists())
        order += [f"name{number}", f"value{number}"]
    if since:
        query = query.where(found.c.at_us >= bindparam("since"))
        order.append("since")
    newest = query.order_by(found.c.at_us.desc(), found.c.entry.desc()).limit(1)
    return Statement(newest, order)
