"""Point reads of what every decision needs, answered from memory where it is known, and remembered where it is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Delete, Insert, Update, and_, bindparam, select

from agentguard.core.canary import Canary, InForce
from agentguard.store import rows
from agentguard.store.channel import Channel
from agentguard.store.memory import UNKNOWN, Account, Action, Layer, Name, Stretch, Unknown
from agentguard.store.moment import from_microseconds
from agentguard.store.records import ActionKey, Halt
from agentguard.store.statement import Statement
from agentguard.store.tables import AccountRow, ActivationRow, EntryRow, HaltRow, LogRow, PostingRow
from agentguard.store.writing import write_out

MOST_STRETCHES = 16
IN_FORCE: Name = ("in_force",)
HALTS: Name = ("halts",)
VAULT: Name = ("vault",)

_account = AccountRow.__table__
_action = rows.ACTION
_activation = ActivationRow.__table__
_entry = EntryRow.__table__
_halt = HaltRow.__table__
_log = LogRow.__table__
_posting = PostingRow.__table__

_ACTION = Statement(select(*rows.ACTION_COLUMNS).where(_action.c.id == bindparam("id")), ["id"])
_KEY = ("tenant", "agent", "conversation", "key")
_ACTION_BY_KEY = Statement(
    select(*rows.ACTION_COLUMNS).where(and_(*(_action.c[name] == bindparam(name) for name in _KEY))), _KEY
)
_ACCOUNT_COLUMNS = ("unit", "pending", "posted", "n", "last_us", "last_position", "reversed")
_ACCOUNT = Statement(
    select(*(_account.c[name] for name in _ACCOUNT_COLUMNS)).where(_account.c.id == bindparam("id")), ["id"]
)
_STREAM_HEAD = Statement(
    select(_entry.c.seq, _entry.c.leaf)
    .where(_entry.c.stream == bindparam("stream"))
    .order_by(_entry.c.seq.desc())
    .limit(1),
    ["stream"],
)
_BEFORE = Statement(
    select(_posting.c.ts_us, _posting.c.cum)
    .where(_posting.c.account == bindparam("account"), _posting.c.ts_us < bindparam("start"))
    .order_by(_posting.c.ts_us.desc(), _posting.c.n.desc())
    .limit(1),
    ["account", "start"],
)
_FIRST_SINCE = Statement(
    select(_posting.c.ts_us)
    .where(_posting.c.account == bindparam("account"), _posting.c.ts_us >= bindparam("start"))
    .order_by(_posting.c.ts_us, _posting.c.n)
    .limit(1),
    ["account", "start"],
)
_IN_FORCE = Statement(
    select(*(_activation.c[name] for name in ("bundle", "canary", "share", "salt")))
    .order_by(_activation.c.n.desc())
    .limit(1)
)
_HALTS = Statement(select(_halt.c.target, _halt.c.by, _halt.c.why, _halt.c.at_us).order_by(_halt.c.target))
_VAULT = Statement(select(_log.c.vault))

_FIRST_US = -(2**62)


class Lookups:
    """What one transaction looks up, through its layer of memory.

    Attributes:
        reached: Whether something of this unit of work may stand in the database, where only the end of the whole
            transaction takes it back.
    """

    __slots__ = ("_channel", "_writes", "layer", "reached")

    def __init__(self, channel: Channel, layer: Layer, *, writes: bool = False) -> None:
        self.layer = layer
        self.reached = False
        self._channel = channel
        self._writes = writes

    @property
    def channel(self) -> Channel:
        """The connection, which does not show yet what is only in memory."""
        return self._channel

    @property
    def cold(self) -> Channel:
        """The connection, after everything that was only in memory has been written there."""
        if self._writes and not self.layer.is_written:
            self.reached = True
            write_out(self._channel, self.layer)
        return self._channel

    def change(self, clause: Insert | Update | Delete) -> int:
        """Run a statement that writes seldom, after everything before it; return how many rows it changed."""
        channel, self.reached = self.cold, True
        return channel.write(clause)

    def action(self, action_id: str) -> Action | None:
        """Return an action by its id."""
        name = ("action", action_id)
        found: Action | Unknown | None = self.layer.find(name)
        if found is UNKNOWN:
            row = self._channel.row(_ACTION, (action_id,))
            found = None if row is None else rows.action_of(row)
            self.layer.known[name] = found
        return found

    def action_by_key(self, tenant: str, agent: str, conversation: str, key: str) -> Action | None:
        """Return the action that a caller named by its key."""
        name = ("key", tenant, agent, conversation, key)
        action_id: str | Unknown | None = self.layer.find(name)
        if action_id is UNKNOWN:
            action_id = self._learn(name, self._channel.row(_ACTION_BY_KEY, (tenant, agent, conversation, key)))
        return None if action_id is None else self.action(action_id)

    def foresee(self, keys: Iterable[ActionKey]) -> None:
        """Look up at once the actions that units of work will ask for by their keys."""
        unknown = [key for key in dict.fromkeys(keys) if self.layer.find(("key", *key)) is UNKNOWN]
        if not unknown:
            return
        for key, row in zip(unknown, self._channel.row_of_each(_ACTION_BY_KEY, unknown), strict=True):
            self._learn(("key", *key), row)

    def _learn(self, name: Name, row: Sequence[Any] | None) -> str | None:
        """Remember the action under a key, and return its id."""
        found = None if row is None else rows.action_of(row)
        self.layer.known[name] = None if found is None else found.record.id
        if found is None:
            return None
        # What is known of the action already may be newer than its row.
        if self.layer.find(("action", found.record.id)) is UNKNOWN:
            self.layer.known["action", found.record.id] = found
        return found.record.id

    def account(self, account: str) -> Account | None:
        """Return what an account says, or None if nobody ever used it."""
        name = ("account", account)
        found: Account | Unknown | None = self.layer.find(name)
        if found is UNKNOWN:
            row = self._channel.row(_ACCOUNT, (account,))
            found = None if row is None else Account._make(row)
            self.layer.known[name] = found
        return found

    def total_before(self, account: str, said: Account, start_us: int) -> int:
        """Return the total of an account's postings before an instant.

        An account has one total for every start between two of its postings, so that a window that slides finds it in
        memory until it passes the next one.
        """
        if start_us > said.last_us:
            return said.posted
        name = ("stretches", account)
        known: tuple[Stretch, ...] | Unknown = self.layer.find(name)
        if known is UNKNOWN:
            known = ()
        for stretch in known:
            if stretch.after_us < start_us <= stretch.until_us:
                return stretch.total
        since = self._channel.row(_FIRST_SINCE, (account, start_us))
        if since is None:  # its last posting is only in memory
            since = self.cold.row(_FIRST_SINCE, (account, start_us))
        before = self._channel.row(_BEFORE, (account, start_us))
        after_us, total = (_FIRST_US, 0) if before is None else before
        if since is not None:
            self.layer.known[name] = (*known[-MOST_STRETCHES:], Stretch(after_us, since[0], total))
        return int(total)

    def stream_head(self, stream: str) -> tuple[int, str | None]:
        """Return number and leaf of a stream's last entry; 0 and None before the first."""
        name = ("stream", stream)
        found: tuple[int, str | None] | Unknown = self.layer.find(name)
        if found is UNKNOWN:
            row = self._channel.row(_STREAM_HEAD, (stream,))
            found = self.layer.known[name] = (0, None) if row is None else (row[0], row[1])
        return found

    def in_force(self) -> InForce | None:
        """Return what was put into force last, with its canary if there is one."""
        found: InForce | Unknown | None = self.layer.find(IN_FORCE)
        if found is UNKNOWN:
            row = self._channel.row(_IN_FORCE)
            found = self.layer.known[IN_FORCE] = None if row is None else _in_force(*row)
        return found

    def halts(self) -> tuple[Halt, ...]:
        """Return what is stopped now."""
        found: tuple[Halt, ...] | Unknown = self.layer.find(HALTS)
        if found is UNKNOWN:
            found = self.layer.known[HALTS] = tuple(
                Halt(target, by, why, from_microseconds(at_us)) for target, by, why, at_us in self._channel.rows(_HALTS)
            )
        return found

    def vault(self) -> str | None:
        """Return the fingerprint of the vault that the accounts are counted under."""
        found: str | Unknown | None = self.layer.find(VAULT)
        if found is UNKNOWN:
            row = self._channel.row(_VAULT)
            found = None if row is None else row[0]
            if found is not None:  # it is bound once, without an entry
                self.layer.known[VAULT] = found
        return found


def _in_force(bundle: str, canary: str | None, share: int | None, salt: str | None) -> InForce:
    if canary is None or share is None or salt is None:
        return InForce(bundle)
    return InForce(bundle, Canary(canary, share, salt))
