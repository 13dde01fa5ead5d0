"""How what a transaction came to is written: one statement for each kind of row, for all units of work together."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, insert, literal_column, select, update

from agentguard.store import rows
from agentguard.store.channel import Channel
from agentguard.store.memory import Account, Action, Layer, Version
from agentguard.store.statement import Statement, inserting
from agentguard.store.tables import (
    AccountRow,
    ActionValueRow,
    EntryRow,
    EscalationRow,
    LogRow,
    ResultRow,
    SealedRow,
)

_account = AccountRow.__table__
_action = rows.ACTION
_log = LogRow.__table__
_sealed = SealedRow.__table__

INSERT_ENTRY = inserting(EntryRow.__table__)
INSERT_VALUE = inserting(ActionValueRow.__table__)
INSERT_RESULT = inserting(ResultRow.__table__)
INSERT_ESCALATION = inserting(EscalationRow.__table__)
_new_sealed = select(bindparam("digest", type_=_sealed.c.digest.type), bindparam("sealed", type_=_sealed.c.sealed.type))
INSERT_SEALED = Statement(
    insert(_sealed).from_select(
        ["digest", "sealed"],
        _new_sealed.where(~select(literal_column("1")).where(_sealed.c.digest == bindparam("same")).exists()),
    ),
    ["digest", "sealed", "same"],
)
"""The same value again changes nothing."""

_INSERT_ACTION = Statement(
    insert(_action).values({column.name: bindparam(column.name) for column in rows.ACTION_COLUMNS}),
    [column.name for column in _action.columns],
)
_MOVE_ACTION = Statement(
    update(_action)
    .where(
        and_(
            _action.c.id == bindparam("the_id"),
            _action.c.state == bindparam("old_state"),
            _action.c.fence == bindparam("old_fence"),
        )
    )
    .values({column.name: bindparam(column.name) for column in rows.MOVED_COLUMNS}),
    [*(column.name for column in rows.MOVED_COLUMNS), "the_id", "old_state", "old_fence"],
)
_INSERT_ACCOUNT = inserting(_account)
_ACCOUNT_CHANGES = ("pending", "posted", "n", "last_us", "last_position", "reversed")
_CHANGE_ACCOUNT = Statement(
    update(_account)
    .where(
        and_(
            _account.c.id == bindparam("the_id"),
            _account.c.n == bindparam("old_n"),
            _account.c.pending == bindparam("old_pending"),
        )
    )
    .values({name: bindparam(name) for name in _ACCOUNT_CHANGES}),
    [*_ACCOUNT_CHANGES, "the_id", "old_n", "old_pending"],
)
_HEAD_CHANGES = ("size", "leaf", "last_us", "wall_us", "uptime_us", "boot")
_CHANGE_HEAD = Statement(
    update(_log)
    .where(and_(_log.c.size == bindparam("old_size"), _log.c.leaf == bindparam("old_leaf")))
    .values({name: bindparam(name) for name in _HEAD_CHANGES}),
    [*_HEAD_CHANGES, "old_size", "old_leaf"],
)


class HeadChange(NamedTuple):
    """What becomes of the log's head.

    Attributes:
        before: The size and leaf that it has.
        after: Size, leaf, the ledger's time, and what the clock said: time of day, uptime, boot.
    """

    before: Version
    after: tuple[Any, ...]


class OvertakenError(Exception):
    """A row is not what this process remembers of it: somebody changed it without an entry in the log."""


def write_out(channel: Channel, layer: Layer, head: HeadChange | None = None) -> None:
    """Write everything that a layer came to, and remember that the database has it.

    Args:
        channel: Inside a transaction that locked the log's head.
        layer: With everything that is not written yet.
        head: What the head comes to, where this is the end.

    Raises:
        OvertakenError: A row is not what it was remembered to be.
    """
    if layer.is_written and head is None:
        return
    changed, new = layer.changed, layer.rows
    layer.changed, layer.rows = {}, {}
    guarded: dict[Statement, list[tuple[Any, ...]]] = {}
    if head is not None:
        guarded[_CHANGE_HEAD] = [(*head.after, *head.before)]
    for name, before in changed.items():
        value = layer.known[name]
        if isinstance(before, Account):
            guarded.setdefault(_CHANGE_ACCOUNT, []).append((*value[1:], name[1], before.n, before.pending))
        elif isinstance(before, Action):
            guarded.setdefault(_MOVE_ACTION, []).append(rows.moved_row(value, before.record))
        elif isinstance(value, Account):
            new.setdefault(_INSERT_ACCOUNT, []).append((name[1], *value))
        else:
            new.setdefault(_INSERT_ACTION, []).append(rows.action_row(value))
    counts = channel.change_all([*guarded.items(), *new.items()])
    if any(count != len(found) for count, found in zip(counts, guarded.values(), strict=False)):
        raise OvertakenError
