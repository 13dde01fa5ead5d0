"""What can be read in one transaction: a consistent view of the ledger, the log and the actions.

Everything comes out as records; the statements here and in `transaction`, `accounts` and `verification` are all the SQL
there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, Select, bindparam, func, select

from agentguard.core.lifecycle import State
from agentguard.core.request import Usage, Vote
from agentguard.errors import ClockError
from agentguard.store import accounts, rows
from agentguard.store.ledger_clock import LedgerClock, Tick
from agentguard.store.moment import from_microseconds, to_microseconds
from agentguard.store.records import (
    AccountRecord,
    ActionRecord,
    BundleRecord,
    ClockRecord,
    Entry,
    EntryFilter,
    EntryRef,
    EscalationRecord,
    Halt,
    HoldRecord,
    PolicyText,
)
from agentguard.store.tables import (
    AccountRow,
    ActionRow,
    ActionValueRow,
    ActivationRow,
    BundleRow,
    EntryRow,
    EscalationRow,
    HaltRow,
    HoldRow,
    LogRow,
    PolicyTextRow,
    ResultRow,
    SealedRow,
    VoteRow,
)

LARGEST_PAGE = 1000
EVERY_ENTRY = EntryFilter()

_log = LogRow.__table__
_entry = EntryRow.__table__
_action = ActionRow.__table__
_value = ActionValueRow.__table__
_activation = ActivationRow.__table__
_escalation = EscalationRow.__table__
_vote = VoteRow.__table__

_HEAD = select(_log.c.log, _log.c.size, _log.c.leaf, _log.c.last_us, _log.c.wall_us, _log.c.uptime_us, _log.c.boot)
_ACTION = select(_action).where(_action.c.id == bindparam("id"))
_ACTION_BY_KEY = select(_action).where(
    _action.c.tenant == bindparam("tenant"),
    _action.c.agent == bindparam("agent"),
    _action.c.conversation == bindparam("conversation"),
    _action.c.key == bindparam("key"),
)
_STREAM_HEAD = (
    select(_entry.c.pos, _entry.c.stream, _entry.c.seq, _entry.c.leaf)
    .where(_entry.c.stream == bindparam("stream"))
    .order_by(_entry.c.seq.desc())
    .limit(1)
)
_LAST_ACTIVATION = select(_activation).order_by(_activation.c.n.desc()).limit(1)


@dataclass(slots=True)
class Head:
    """The log's head as this transaction sees it, its own entries included."""

    log: str
    size: int
    leaf: str
    last_us: int
    tick: Tick


class Reading:
    """One consistent view. It is over when the function that was given it returns."""

    def __init__(self, connection: Connection, clock: LedgerClock) -> None:
        self._connection = connection
        row = connection.execute(_HEAD).one()
        tick = Tick(int(row.wall_us), int(row.uptime_us), row.boot)
        self._head = Head(row.log, int(row.size), row.leaf, int(row.last_us), tick)
        self._moment = clock.reckon(self._head.last_us, tick)
        self._now_us = self._moment.us

    def now(self) -> datetime:
        """Return the ledger's time: one and the same for the whole transaction, and never before an earlier one.

        Raises:
            ClockError: Nobody can rely on the clock. What happened can be written down all the same, at the last
                entry's time.
        """
        if self._moment.fault:
            raise ClockError(self._moment.fault)
        return from_microseconds(self._now_us)

    def clock(self) -> ClockRecord:
        """Return what the clock says and what it said at the last commit, for whoever has to judge it."""
        last = from_microseconds(self._head.tick.wall_us)
        moment = self._moment
        return ClockRecord(from_microseconds(moment.tick.wall_us), from_microseconds(moment.us), last, moment.fault)

    def log_name(self) -> str:
        """Return the log's random name, which stands in each of its entries."""
        return self._head.log

    def vault(self) -> str | None:
        """Return the fingerprint of the vault that the accounts are counted under, or None before the first."""
        found = self._connection.execute(select(_log.c.vault)).scalar_one()
        return None if found is None else str(found)

    def position(self) -> int:
        """Return how many entries the log has; read before facts are gathered, it is what `posted_since` takes."""
        return self._head.size

    def action(self, action_id: str) -> ActionRecord | None:
        """Return an action by its id."""
        row = self._connection.execute(_ACTION, {"id": action_id}).mappings().one_or_none()
        return None if row is None else rows.action_record(row)

    def action_by_key(self, tenant: str, agent: str, conversation: str, key: str) -> ActionRecord | None:
        """Return the action that a caller named by its key; `conversation` is empty for none."""
        names = {"tenant": tenant, "agent": agent, "conversation": conversation, "key": key}
        row = self._connection.execute(_ACTION_BY_KEY, names).mappings().one_or_none()
        return None if row is None else rows.action_record(row)

    def actions(
        self,
        state: State | None = None,
        tenant: str | None = None,
        limit: int = 100,
        after: str = "",
        free: datetime | None = None,
    ) -> tuple[ActionRecord, ...]:
        """Return actions in the order of their ids, a page at a time; `after` is the last id of the page before.

        `free` leaves out those that somebody has under a lease at that time.
        """
        query = select(_action).where(_action.c.id > after).order_by(_action.c.id).limit(_page(limit))
        if state is not None:
            query = query.where(_action.c.state == state.value)
        if tenant is not None:
            query = query.where(_action.c.tenant == tenant)
        if free is not None:
            query = query.where(_action.c.lease_us.is_(None) | (_action.c.lease_us < to_microseconds(free)))
        return tuple(rows.action_record(row) for row in self._all(query))

    def usage(
        self, account: str, window_start: datetime | None, *, inclusive: bool, exclude_action: str | None = None
    ) -> Usage:
        """Return what an account says for the window from its start until now.

        Args:
            account: The account's keyed digest.
            window_start: None for all time.
            inclusive: Whether a posting at the very start counts: yes for calendar windows, no for sliding ones.
            exclude_action: An action whose own holds and postings do not count.
        """
        start = None if window_start is None else to_microseconds(window_start) + (0 if inclusive else 1)
        return accounts.usage(self._connection, account, start, exclude_action)

    def account(self, account: str) -> AccountRecord | None:
        """Return what an account says for all time."""
        table = AccountRow.__table__
        row = self._first(select(table).where(table.c.id == account))
        if row is None:
            return None
        return AccountRecord(row["id"], row["unit"], int(row["pending"]), int(row["posted"]), int(row["n"]))

    def holds(self, action_id: str) -> tuple[HoldRecord, ...]:
        """Return everything that an action holds or held."""
        table = HoldRow.__table__
        query = select(table).where(table.c.action_id == action_id).order_by(table.c.account)
        return tuple(
            HoldRecord(
                row["action_id"],
                row["account"],
                row["unit"],
                int(row["amount"]),
                row["state"],
                from_microseconds(row["opened_us"]),
            )
            for row in self._all(query)
        )

    def accounts_posted(self, action_id: str) -> frozenset[str]:
        """Return the accounts that an action was posted to."""
        return accounts.posted_by(self._connection, action_id)

    def posted_since(self, account_digests: Sequence[str], position: int) -> bool:
        """Return whether somebody posted to one of the accounts after the log had `position` entries."""
        return accounts.posted_since(self._connection, account_digests, position)

    def settled(self, tenant: str, action: str, values: Mapping[str, str], since: datetime | None) -> int | None:
        """Return the position of the settle entry of the newest settled action with these values.

        Args:
            tenant: Whose actions.
            action: The kind of action.
            values: Keyed digests by name, all of which must be equal; empty for any.
            since: The earliest settlement that counts, itself included; None for all time.
        """
        names = sorted(values) or [""]
        found = _value.alias("found")
        query = select(found.c.entry).where(
            found.c.tenant == tenant,
            found.c.action == action,
            found.c.name == names[0],
            found.c.value == values.get(names[0], ""),
        )
        for name in names[1:]:
            other = _value.alias()
            same = (other.c.action_id == found.c.action_id, other.c.name == name, other.c.value == values[name])
            query = query.where(select(other.c.action_id).where(*same).exists())
        if since is not None:
            query = query.where(found.c.at_us >= to_microseconds(since))
        position = self._connection.execute(
            query.order_by(found.c.at_us.desc(), found.c.entry.desc()).limit(1)
        ).scalar()
        return None if position is None else int(position)

    def policy_text(self, digest: str) -> PolicyText | None:
        """Return the exact text of a policy file by its digest."""
        table = PolicyTextRow.__table__
        row = self._first(select(table).where(table.c.digest == digest))
        return None if row is None else PolicyText(row["digest"], row["name"], int(row["version"]), row["text"])

    def digest_in_force(self) -> str | None:
        """Return the digest of the bundle that was activated last: what every decision compares."""
        row = self._first(_LAST_ACTIVATION)
        return None if row is None else str(row["bundle"])

    def bundle_in_force(self) -> BundleRecord | None:
        """Return the bundle that was activated last, or None if none ever was."""
        digest = self.digest_in_force()
        return None if digest is None else self.bundle(digest)

    def bundle(self, digest: str) -> BundleRecord | None:
        """Return a bundle by its digest, with its last activation if there was one."""
        table = BundleRow.__table__
        row = self._first(select(table).where(table.c.digest == digest))
        if row is None:
            return None
        policies = tuple(orjson.loads(row["policies"]))
        put = self._first(_LAST_ACTIVATION.where(_activation.c.bundle == digest))
        if put is None:
            return BundleRecord(digest, policies)
        return BundleRecord(digest, policies, put["by"], put["why"], from_microseconds(put["at_us"]))

    def halts(self) -> tuple[Halt, ...]:
        """Return what is stopped now."""
        table = HaltRow.__table__
        stopped = self._all(select(table).order_by(table.c.target))
        return tuple(Halt(row["target"], row["by"], row["why"], from_microseconds(row["at_us"])) for row in stopped)

    def escalation(self, escalation_id: str) -> EscalationRecord | None:
        """Return an escalation by its id."""
        row = self._first(select(_escalation).where(_escalation.c.id == escalation_id))
        return None if row is None else rows.escalation_record(row)

    def escalations(
        self,
        state: str | None = "open",
        tenant: str | None = None,
        limit: int = 100,
        after: str = "",
        due: datetime | None = None,
    ) -> tuple[EscalationRecord, ...]:
        """Return escalations in the order of their ids, a page at a time; `state` None for all.

        `due` leaves out those that are not late at that time.
        """
        query = select(_escalation).where(_escalation.c.id > after).order_by(_escalation.c.id).limit(_page(limit))
        if state is not None:
            query = query.where(_escalation.c.state == state)
        if tenant is not None:
            query = query.where(_escalation.c.tenant == tenant)
        if due is not None:
            query = query.where(_escalation.c.due_us <= to_microseconds(due))
        return tuple(rows.escalation_record(row) for row in self._all(query))

    def escalations_of(self, action_id: str) -> tuple[EscalationRecord, ...]:
        """Return every escalation that an action ever had, the first one first."""
        query = select(_escalation).where(_escalation.c.action_id == action_id)
        return tuple(rows.escalation_record(row) for row in self._all(query.order_by(_escalation.c.opened_us)))

    def votes(self, escalation_id: str) -> tuple[Vote, ...]:
        """Return the votes on an escalation, the first one first."""
        return self._votes(select(_vote.c.document).where(_vote.c.escalation == escalation_id))

    def votes_of(self, action_id: str) -> tuple[Vote, ...]:
        """Return the votes on all escalations of an action, the first one first."""
        join = _vote.join(_escalation, _vote.c.escalation == _escalation.c.id)
        return self._votes(select(_vote.c.document).select_from(join).where(_escalation.c.action_id == action_id))

    def _votes(self, query: Select[Any]) -> tuple[Vote, ...]:
        ordered = query.order_by(_vote.c.voted_us, _vote.c.voter)
        return tuple(rows.vote_record(text) for text in self._connection.execute(ordered).scalars())

    def entry(self, pos: int) -> Entry | None:
        """Return an entry by its position; the first is 1."""
        row = self._first(select(_entry).where(_entry.c.pos == pos))
        return None if row is None else rows.entry_record(row)

    def entries(
        self, after: int = 0, limit: int = 100, filters: EntryFilter = EVERY_ENTRY, *, newest_first: bool = False
    ) -> tuple[Entry, ...]:
        """Return entries in the order of their positions, a page at a time.

        Args:
            after: The last position of the page before; 0 to begin. With `newest_first`, entries before it.
            limit: At most 1,000.
            filters: Which entries.
            newest_first: The latest entry first.
        """
        query = select(_entry).limit(_page(limit))
        if not newest_first:
            query = query.where(_entry.c.pos > after).order_by(_entry.c.pos)
        else:
            query = query.order_by(_entry.c.pos.desc())
            query = query.where(_entry.c.pos < after) if after else query
        for column in ("stream", "kind", "action_id"):
            wanted = getattr(filters, column)
            query = query if wanted is None else query.where(_entry.c[column] == wanted)
        if filters.since is not None:
            query = query.where(_entry.c.ts_us >= to_microseconds(filters.since))
        if filters.until is not None:
            query = query.where(_entry.c.ts_us <= to_microseconds(filters.until))
        return tuple(rows.entry_record(row) for row in self._all(query))

    def all_entries(self, after: int = 0) -> Iterator[Entry]:
        """Yield every entry after a position in order, holding one page of them at a time."""
        while page := self.entries(after, 500):
            yield from page
            after = page[-1].pos

    def entries_of(self, action_id: str) -> tuple[Entry, ...]:
        """Return every entry of one action, the first one first."""
        query = select(_entry).where(_entry.c.action_id == action_id).order_by(_entry.c.pos)
        return tuple(rows.entry_record(row) for row in self._all(query))

    def head(self, stream: str) -> EntryRef | None:
        """Return where a stream's last entry stands."""
        row = self._connection.execute(_STREAM_HEAD, {"stream": stream}).one_or_none()
        return None if row is None else EntryRef(int(row.pos), row.stream, int(row.seq), row.leaf)

    def head_leaf(self) -> str:
        """Return the leaf of the log's last entry as the head keeps it; empty before the first."""
        return self._head.leaf

    def rows(self, query: Select[Any]) -> Iterator[RowMapping]:
        """Yield the rows of a query of this package, holding one page of them at a time."""
        yield from self._connection.execute(query.execution_options(yield_per=500)).mappings()

    def result(self, action_id: str) -> bytes | None:
        """Return the sealed result of an action, or None if there is none or it was erased."""
        table = ResultRow.__table__
        return self._connection.execute(select(table.c.sealed).where(table.c.action_id == action_id)).scalar()

    def sealed(self, digest: str) -> bytes | None:
        """Return a sealed value by its digest, or None if it was erased."""
        table = SealedRow.__table__
        return self._connection.execute(select(table.c.sealed).where(table.c.digest == digest)).scalar()

    def count_actions(self) -> dict[State, int]:
        """Return how many actions are in each state that has some."""
        query = select(_action.c.state, func.count()).group_by(_action.c.state)
        return {State(state): int(count) for state, count in self._connection.execute(query)}

    def _all(self, query: Select[Any]) -> Sequence[RowMapping]:
        return self._connection.execute(query).mappings().all()

    def _first(self, query: Select[Any]) -> RowMapping | None:
        return self._connection.execute(query).mappings().first()


def _page(limit: int) -> int:
    return max(1, min(limit, LARGEST_PAGE))
