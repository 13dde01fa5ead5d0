"""What can be read in one transaction: a consistent view of the ledger, the log and the actions.

Everything comes out as records; this package has all the SQL that there is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, exists, func, or_, select

from agentguard.core.canary import InForce
from agentguard.core.lifecycle import State
from agentguard.core.request import Usage, Vote
from agentguard.errors import ClockError
from agentguard.store import accounts, activations, cursors, history, recent, rows, waiting
from agentguard.store.channel import Row
from agentguard.store.head import Head
from agentguard.store.ledger_clock import Moment
from agentguard.store.lookups import Lookups
from agentguard.store.moment import from_microseconds, to_microseconds
from agentguard.store.records import (
    AccountRecord,
    ActionRecord,
    BundleRecord,
    ClockRecord,
    CursorRecord,
    Entry,
    EntryFilter,
    EntryRef,
    EscalationRecord,
    Halt,
    HoldRecord,
    PolicyText,
)
from agentguard.store.statement import Statement
from agentguard.store.tables import (
    FREQUENT_KINDS,
    SELDOM,
    ActionRow,
    ActivationRow,
    EntryRow,
    EscalationRow,
    PolicyTextRow,
    ResultRow,
    SealedRow,
    VoteRow,
)

LARGEST_PAGE = 1000
EVERY_ENTRY = EntryFilter()

_action = ActionRow.__table__
_entry = EntryRow.__table__
_activation = ActivationRow.__table__
_escalation = EscalationRow.__table__
_vote = VoteRow.__table__

_ABOUT_PEOPLE = or_(
    exists().where(_escalation.c.action_id == _entry.c.action_id),
    exists().where(
        _action.c.id == _entry.c.action_id,
        _escalation.c.action_id == _action.c.relates_to,
        _escalation.c.kind == "contest",
    ),
)

_ENTRIES_OF = Statement(
    select(_entry).where(_entry.c.action_id == bindparam("action")).order_by(_entry.c.pos), ["action"]
)
_ENTRY_NAMES = tuple(column.name for column in _entry.columns)
_TIME_OF_ENTRY = Statement(select(_entry.c.ts_us).where(_entry.c.pos == bindparam("pos")), ["pos"])


class Reading:
    """One consistent view. It is over when the function that was given it returns."""

    def __init__(self, head: Head, moment: Moment, lookups: Lookups) -> None:
        self._head = head
        self._moment = moment
        self._now_us = moment.us
        self._lookups = lookups

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
        return self._lookups.vault()

    def position(self) -> int:
        """Return how many entries the log has; read before facts are gathered, it is what `posted_since` takes."""
        return self._head.size

    def action(self, action_id: str) -> ActionRecord | None:
        """Return an action by its id."""
        found = self._lookups.action(action_id)
        return None if found is None else found.record

    def action_by_key(self, tenant: str, agent: str, conversation: str, key: str) -> ActionRecord | None:
        """Return the action that a caller named by its key; `conversation` is empty for none."""
        found = self._lookups.action_by_key(tenant, agent, conversation, key)
        return None if found is None else found.record

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
        table = rows.ACTION
        query = select(*rows.ACTION_COLUMNS).where(table.c.id > after).order_by(table.c.id).limit(_page(limit))
        if state is not None:
            query = query.where(table.c.state == state.value)
        if tenant is not None:
            query = query.where(table.c.tenant == tenant)
        if free is not None:
            query = query.where(table.c.lease_us.is_(None) | (table.c.lease_us < to_microseconds(free)))
        return tuple(rows.action_of(tuple(row.values())).record for row in self._all(query))

    def actions_for(
        self, pseudonym: str, limit: int = 100, before: str = "", states: Collection[State] = ()
    ) -> tuple[ActionRecord, ...]:
        """Return a customer's actions in these states (all if left out), the newest first, a page from `before` on."""
        table = rows.ACTION
        query = select(*rows.ACTION_COLUMNS).where(table.c.on_behalf_of == pseudonym).order_by(table.c.id.desc())
        query = query.where(table.c.state.in_([state.value for state in states])) if states else query
        query = query.where(table.c.id < before) if before else query
        return tuple(rows.action_of(tuple(row.values())).record for row in self._all(query.limit(_page(limit))))

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
        return accounts.usage(self._lookups, account, start, exclude_action)

    def account(self, account: str) -> AccountRecord | None:
        """Return what an account says for all time."""
        said = self._lookups.account(account)
        return None if said is None else AccountRecord(account, said.unit, said.pending, said.posted, said.n)

    def held(self, action_id: str) -> Mapping[str, tuple[str, int]]:
        """Return what an action holds now, by account: the unit and the amount."""
        found = self._lookups.action(action_id)
        return found.holds if found is not None and found.is_open else {}

    def holds(self, action_id: str) -> tuple[HoldRecord, ...]:
        """Return everything that an action holds or held."""
        found = self._lookups.action(action_id)
        if found is None:
            return ()
        state = "open" if found.is_open else "settled" if found.record.state is State.SETTLED else "released"
        return tuple(
            HoldRecord(action_id, account, unit, amount, state)
            for account, (unit, amount) in sorted(found.holds.items())
        )

    def accounts_posted(self, action_id: str) -> frozenset[str]:
        """Return the accounts that an action was posted to."""
        return accounts.posted_by(self._lookups, action_id)

    def posted_since(self, account_digests: Sequence[str], position: int) -> bool:
        """Return whether somebody posted to one of the accounts after the log had `position` entries."""
        return accounts.posted_since(self._lookups, account_digests, position)

    def written_since(self, position: int) -> Iterator[recent.Written]:
        """Yield the kind and the action of each entry that was written after the log had `position` entries."""
        return recent.written_since(self._lookups, position, self._head.size)

    def settled(self, tenant: str, action: str, values: Mapping[str, str], since: datetime | None) -> int | None:
        """Return the position of the settle entry of the newest settled action with these values.

        Args:
            tenant: Whose actions.
            action: The kind of action.
            values: Keyed digests by name, all of which must be equal; at least one.
            since: The earliest settlement that counts, itself included; None for all time.
        """
        since_us = None if since is None else to_microseconds(since)
        return history.settled(self._lookups, tenant, action, values, since_us)

    def policy_text(self, digest: str) -> PolicyText | None:
        """Return the exact text of a policy file by its digest."""
        table = PolicyTextRow.__table__
        row = self._first(select(table).where(table.c.digest == digest))
        return None if row is None else PolicyText(row["digest"], row["name"], int(row["version"]), row["text"])

    def in_force(self) -> InForce | None:
        """Return what was put into force last, canary included: what every decision compares."""
        return self._lookups.in_force()

    def digest_in_force(self) -> str | None:
        """Return the digest of the bundle in force; a canary beside it is not in it."""
        found = self.in_force()
        return None if found is None else found.bundle

    def bundle_in_force(self) -> BundleRecord | None:
        """Return the bundle that was activated last, or None if none ever was."""
        digest = self.digest_in_force()
        return None if digest is None else self.bundle(digest)

    def bundle(self, digest: str) -> BundleRecord | None:
        """Return a bundle by its digest, with its last activation if there was one."""
        return activations.bundle_record(self._first, digest)

    def halts(self) -> tuple[Halt, ...]:
        """Return what is stopped now."""
        return self._lookups.halts()

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
        remind: datetime | None = None,
    ) -> tuple[EscalationRecord, ...]:
        """Return escalations in the order in which they are due, a page at a time; `state` None for all, `after` an id.

        `due` leaves out those that are not late at that time, `remind` those whose people are not to be reminded then.
        """
        return waiting.escalations(self._lookups, state, tenant, _page(limit), after, due=due, remind=remind)

    def escalations_of(self, action_id: str) -> tuple[EscalationRecord, ...]:
        """Return every escalation that an action ever had, the first one first."""
        query = select(_escalation).where(_escalation.c.action_id == action_id)
        return tuple(rows.escalation_record(row) for row in self._all(query.order_by(_escalation.c.opened_us)))

    def cursor(self, name: str) -> CursorRecord | None:
        """Return how far a reader has followed the log, or None if it never began."""
        return cursors.found(self._lookups, name)

    def votes(self, escalation_id: str) -> tuple[Vote, ...]:
        """Return the votes on an escalation, the first one first."""
        return self._votes(select(_vote.c.document).where(_vote.c.escalation == escalation_id))

    def votes_of(self, action_id: str) -> tuple[Vote, ...]:
        """Return the votes on all escalations of an action, the first one first."""
        join = _vote.join(_escalation, _vote.c.escalation == _escalation.c.id)
        return self._votes(select(_vote.c.document).select_from(join).where(_escalation.c.action_id == action_id))

    def _votes(self, query: Select[Any]) -> tuple[Vote, ...]:
        ordered = query.order_by(_vote.c.voted_us, _vote.c.voter)
        return tuple(rows.vote_record(row["document"]) for row in self._all(ordered))

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
        if filters.kind is not None and filters.kind not in FREQUENT_KINDS:
            query = query.where(SELDOM)
        if filters.escalated:
            query = query.where(_ABOUT_PEOPLE)
        if filters.since is not None:
            query = query.where(_entry.c.pos >= self._first_at(to_microseconds(filters.since)))
        if filters.until is not None:
            query = query.where(_entry.c.pos < self._first_at(to_microseconds(filters.until) + 1))
        return tuple(rows.entry_record(row) for row in self._all(query))

    def _first_at(self, moment_us: int) -> int:
        """Return the position of the first entry at an instant or later: the ledger's time only grows along the log."""
        channel = self._lookups.cold
        low, high = 1, self._head.size + 1
        while low < high:
            middle = (low + high) // 2
            row = channel.row(_TIME_OF_ENTRY, (middle,))
            low, high = (middle + 1, high) if row is not None and row[0] < moment_us else (low, middle)
        return low

    def all_entries(self, after: int = 0) -> Iterator[Entry]:
        """Yield every entry after a position in order, holding one page of them at a time."""
        while page := self.entries(after, 500):
            yield from page
            after = page[-1].pos

    def entries_of(self, action_id: str) -> tuple[Entry, ...]:
        """Return every entry of one action, the first one first."""
        found = (dict(zip(_ENTRY_NAMES, row, strict=True)) for row in self.found(_ENTRIES_OF, action_id))
        return tuple(map(rows.entry_record, found))

    def head(self, stream: str) -> EntryRef | None:
        """Return where a stream's last entry stands."""
        query = select(_entry.c.pos, _entry.c.seq, _entry.c.leaf).where(_entry.c.stream == stream)
        row = self._first(query.order_by(_entry.c.seq.desc()).limit(1))
        return None if row is None else EntryRef(row["pos"], stream, row["seq"], row["leaf"])

    def head_leaf(self) -> str:
        """Return the leaf of the log's last entry as the head keeps it; empty before the first."""
        return self._head.leaf

    def rows(self, query: Select[Any]) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of a query of this package, holding few of them at a time."""
        yield from self._lookups.cold.stream(query, query.selected_columns.keys())

    def found(self, wanted: Statement, *parameters: Any) -> list[Row]:
        """Return the rows of a statement of this package that runs often."""
        return self._lookups.cold.rows(wanted, parameters)

    def found_each(self, wanted: Statement, parameters: Sequence[Row]) -> list[Row | None]:
        """Return the first row that a statement finds for each row of parameters; a server is asked once."""
        return self._lookups.cold.row_of_each(wanted, parameters)

    @property
    def lookups(self) -> Lookups:
        """What functions of this package look things up through, and change them with."""
        return self._lookups

    def result(self, action_id: str) -> bytes | None:
        """Return the sealed result of an action, or None if there is none or it was erased."""
        table = ResultRow.__table__
        return self._sealed(select(table.c.sealed).where(table.c.action_id == action_id))

    def sealed(self, digest: str) -> bytes | None:
        """Return a sealed value by its digest, or None if it was erased."""
        table = SealedRow.__table__
        return self._sealed(select(table.c.sealed).where(table.c.digest == digest))

    def _sealed(self, query: Select[Any]) -> bytes | None:
        row = self._first(query)
        return None if row is None else bytes(row["sealed"])

    def count_actions(self) -> dict[State, int]:
        """Return how many actions are in each state that has some."""
        state = rows.ACTION.c.state
        query = select(state, func.count().label("count")).group_by(state)
        return {State(row["state"]): int(row["count"]) for row in self._all(query)}

    def _all(self, query: Select[Any]) -> Sequence[Mapping[str, Any]]:
        return self._lookups.cold.find(query)

    def _first(self, query: Select[Any]) -> Mapping[str, Any] | None:
        found = self._all(query)
        return found[0] if found else None


def _page(limit: int) -> int:
    return max(1, min(limit, LARGEST_PAGE))
