"""What can be written in one transaction: all of it is committed together, or nothing of it (law 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Unpack

from sqlalchemy import Delete, Insert, Update, delete, insert, select, update

from agentguard.core.canary import InForce
from agentguard.core.digest import canonical_bytes, digest
from agentguard.core.lifecycle import BEGINNINGS, HOLDING, State, may_move
from agentguard.core.request import Vote
from agentguard.errors import NotFoundError, PolicyVersionError, StaleFenceError, UsageError
from agentguard.store import accounts, activations, cursors, escalation_moves, reversals, rows
from agentguard.store.head import Head
from agentguard.store.ledger_clock import Moment
from agentguard.store.lookups import HALTS, IN_FORCE, Lookups
from agentguard.store.memory import Action
from agentguard.store.moment import from_microseconds, to_microseconds
from agentguard.store.reading import Reading
from agentguard.store.records import (
    ActionChanges,
    ActionRecord,
    CursorRecord,
    EntryRef,
    EscalationRecord,
    Halt,
    Movement,
)
from agentguard.store.tables import (
    BundleRow,
    HaltRow,
    LogRow,
    PolicyTextRow,
    VoteRow,
)
from agentguard.store.writing import INSERT_ENTRY, INSERT_ESCALATION, INSERT_RESULT, INSERT_SEALED, INSERT_VALUE

ENTRY_VERSION = 1
LARGEST_ENTRY = 2**20
MOST_VOTES = 100
_ADDED_BY_STORE = frozenset({"v", "log", "stream", "seq", "prev", "ts_us"})

PIECE = 2047
"""Of more bytes at once Python makes a digest without its lock, and a batch would wait for other threads each time."""


def leaf_of(body: bytes) -> str:
    """Return an entry's leaf: SHA-256 over a zero byte and the body (RFC 9162, 2.1.1), in hex."""
    leaf = hashlib.sha256(b"\x00")
    for start in range(0, len(body), PIECE):
        leaf.update(body[start : start + PIECE])
    return leaf.hexdigest()


class Transaction(Reading):
    """One unit of work. Whatever moves money or an action must append an entry before it ends."""

    def __init__(self, head: Head, moment: Moment, lookups: Lookups) -> None:
        super().__init__(head, moment, lookups)
        self._layer = lookups.layer
        self._began_at_size = head.size
        self._needs_entry = ""

    def append(self, body: Mapping[str, Any]) -> EntryRef:
        """Append an entry to the audit log, bound to the one before it in its tenant's stream.

        Args:
            body: JSON with at least `tenant` and `kind`, `action_id` where there is one, and `state` and `fence` where
                an action was moved. `v`, `log`, `stream`, `seq`, `prev` and `ts_us` are added here.

        Raises:
            UsageError: Something of this is missing, is the store's to add, or the entry is larger than 1 MiB.
            ConformError: The body has a float or something else that has no canonical bytes.
        """
        stream, kind = body.get("tenant"), body.get("kind")
        if not isinstance(stream, str) or not stream or not isinstance(kind, str) or not kind:
            raise UsageError(f"expected `tenant` and `kind` as text in an entry, got `{stream!r}` and `{kind!r}`")
        if not _ADDED_BY_STORE.isdisjoint(body):
            taken = min(_ADDED_BY_STORE.intersection(body))
            raise UsageError(f"expected the store to add `{taken}` to an entry, got it in the body; leave it out")
        seq, prev = self._lookups.stream_head(stream)
        added = {"v": ENTRY_VERSION, "log": self._head.log, "stream": stream, "seq": seq + 1, "prev": prev}
        data = canonical_bytes({**body, **added, "ts_us": self._now_us})
        if len(data) > LARGEST_ENTRY:
            raise UsageError(f"expected an entry of at most {LARGEST_ENTRY} bytes, got {len(data)}; keep less in it")
        reference = EntryRef(self._head.size + 1, stream, seq + 1, leaf_of(data))
        action_id = body.get("action_id")
        self._layer.add(
            INSERT_ENTRY, (reference.pos, stream, reference.seq, self._now_us, kind, action_id, reference.leaf, data)
        )
        self._layer.set(("stream", stream), (reference.seq, reference.leaf))
        self._head.size, self._head.leaf = reference.pos, reference.leaf
        return reference

    def open_action(self, record: ActionRecord) -> None:
        """Store a new action, as proposed or as far as its first decision took it.

        Raises:
            StaleFenceError: Somebody opened the same key first; look it up in a new transaction.
            UsageError: No action begins in this state.
        """
        if record.state not in BEGINNINGS:
            raise UsageError(f"expected a state that an action can begin in, got `{record.state}`")
        self._needs_entry = f"opened action `{record.id}`"
        before = self.action_by_key(record.tenant, record.agent, record.conversation, record.key)
        known = self._layer.find(("action", record.id))
        if before is not None or isinstance(known, Action):
            raise StaleFenceError(f"expected a new action, got the key `{record.key}` or the id a second time")
        now = from_microseconds(self._now_us)
        opened = record if record.updated_at == now else record._replace(updated_at=now)
        self._layer.change(("action", record.id), Action(opened, {}, True))
        self._layer.set(("key", record.tenant, record.agent, record.conversation, record.key), record.id)

    def move(
        self, action_id: str, from_state: State, fence: int, to_state: State, **changes: Unpack[ActionChanges]
    ) -> None:
        """Move an action to its next state, if it is still where the caller thinks.

        Args:
            action_id: Which action.
            from_state: Where it is.
            fence: The fence it has; a new one goes into `changes` as `new_fence`.
            to_state: Where it goes; the table of moves must have it.
            changes: What else to write.

        Raises:
            StaleFenceError: Somebody else moved it, or it has another fence.
            UsageError: The table does not have this move, or the new fence is smaller.
        """
        if not may_move(from_state, to_state):
            raise UsageError(f"expected a move that the table has, got `{from_state}` to `{to_state}`")
        values: dict[str, Any] = {**changes}
        new_fence = values.pop("new_fence", fence)
        if new_fence < fence:
            raise UsageError(f"expected a fence of {fence} or more, got {new_fence}; a fence only grows")
        self._needs_entry = f"moved action `{action_id}`"
        found = self._lookups.action(action_id)
        if found is None or found.record.state is not from_state or found.record.fence != fence:
            state = "no such action" if found is None else f"it {found.record.state} with fence {found.record.fence}"
            raise StaleFenceError(f"expected action `{action_id}` {from_state} with fence {fence}, got {state}")
        now = from_microseconds(self._now_us)
        record = found.record._replace(**values, state=to_state, fence=new_fence, updated_at=now)
        self._layer.change(("action", action_id), Action(record, found.holds, found.is_open))

    def hold(self, action_id: str, account: str, unit: str, amount: int) -> None:
        """Set an amount aside; an account that several limits share is held once, with one amount.

        Raises:
            AmountTooLargeError: The amount is negative or past 10**15, or the account would pass its bound.
            UsageError: The action holds another amount there, or the account counts another unit.
        """
        self._needs_entry = f"held for action `{action_id}`"
        accounts.hold(self._lookups, action_id, {account: (unit, amount)})

    def hold_all(self, action_id: str, amounts: Mapping[str, tuple[str, int]]) -> None:
        """Set amounts with their units aside, by account: each as `hold` does, which says what is raised."""
        self._needs_entry = f"held for action `{action_id}`"
        accounts.hold(self._lookups, action_id, amounts)

    def settle(self, action_id: str, amounts: Mapping[str, int] | None = None) -> None:
        """Post what an action held, at the held amounts unless `amounts` (by account) says what really happened.

        Raises:
            AmountTooLargeError: An amount is negative or past 10**15, or an account would pass its bound.
            UsageError: An account was never used; `post` takes its unit.
        """
        self._needs_entry = f"settled action `{action_id}`"
        accounts.settle(self._lookups, action_id, amounts or {}, self._now_us, self._began_at_size)

    def release(self, action_id: str) -> None:
        """Give back everything that an action holds."""
        self._needs_entry = f"released action `{action_id}`"
        accounts.release(self._lookups, action_id)

    def hold_anew(self, action_id: str) -> None:
        """Give back everything that an action holds, so that it can hold something else."""
        self._needs_entry = f"released action `{action_id}`"
        accounts.hold_anew(self._lookups, action_id)

    def post(self, action_id: str, account: str, unit: str, amount: int) -> None:
        """Post what happened without a hold: done elsewhere, or known too late.

        Raises:
            AmountTooLargeError: As for `settle`.
            UsageError: The account counts another unit.
        """
        self._needs_entry = f"posted for action `{action_id}`"
        accounts.post(self._lookups, action_id, account, unit, amount, self._now_us, self._began_at_size)

    def give_back(self, action_id: str, original: str, account: str, most: int | None = None) -> int:
        """Give back what an earlier action counted on an account, as far as it was not, and return how much it was.

        It counts where the original counts: in the windows that the original's posting is in, and in no other.

        Args:
            action_id: The action that gives back.
            original: The action that counted.
            account: The account it counted on.
            most: At most so much; None for all of it.
        """
        self._needs_entry = f"gave back what action `{original}` counted"
        return reversals.give_back(self._lookups, action_id, original, account, most, self._began_at_size)

    def backfill(self, account: str, unit: str, movements: Sequence[Movement]) -> None:
        """Fill an account from the log with movements that were not counted on it, in the order of their times.

        What happened before the account's last posting is posted at that posting's time.

        Raises:
            AmountTooLargeError: As for `settle`.
            UsageError: The account counts another unit, or a movement is out of order or in the future.
        """
        self._needs_entry = "filled an account"
        accounts.backfill(self._lookups, account, unit, movements, self._now_us, self._began_at_size)

    def remember_values(
        self,
        action_id: str,
        tenant: str,
        action: str,
        values: Mapping[str, str],
        entry_pos: int,
        at: datetime | None = None,
    ) -> None:
        """Remember a settled action's values (keyed digests by name) for later requirements; `at` is now if None."""
        at_us = self._now_us if at is None else to_microseconds(at)
        for name, value in values.items():
            row = (action_id, name, tenant, action, value, entry_pos, at_us)
            self._layer.add(INSERT_VALUE, row)

    def store_policy(self, text_digest: str, name: str, version: int, text: str) -> None:
        """Store the exact text of a policy file; the same text again changes nothing.

        Raises:
            PolicyVersionError: This policy and version is stored with another text.
            UsageError: The digest is not the text's.
        """
        table = PolicyTextRow.__table__
        if digest(text.encode()) != text_digest:
            raise UsageError(f"expected the SHA-256 of policy `{name}`, got `{text_digest}`, which is another text's")
        if self.policy_text(text_digest) is not None:
            return
        same_version = select(table.c.digest).where(table.c.name == name, table.c.version == version)
        if self._first(same_version) is not None:
            raise PolicyVersionError(
                f"expected a new `version` for the changed text of policy `{name}`, got {version} again; write "
                f"`version: {version + 1}`"
            )
        values = {"digest": text_digest, "name": name, "version": version, "text": text, "stored_us": self._now_us}
        self.write(insert(table).values(values))

    def store_bundle(self, bundle_digest: str, policies: Sequence[str]) -> None:
        """Store which policy texts make a bundle; the same again changes nothing.

        Raises:
            NotFoundError: A policy text was not stored.
            UsageError: The bundle is stored with other policies.
        """
        for text_digest in policies:
            if self.policy_text(text_digest) is None:
                raise NotFoundError(f"expected policy text `{text_digest}` to be stored, got none; store it first")
        before = self.bundle(bundle_digest)
        if before is not None:
            if before.policies != tuple(policies):
                raise UsageError(f"expected the policies of bundle `{bundle_digest}` as stored, got others")
            return
        document = canonical_bytes(list(policies)).decode()
        values = {"digest": bundle_digest, "policies": document, "stored_us": self._now_us}
        self.write(insert(BundleRow.__table__).values(values))

    def activate(self, wanted: InForce, who: str, why: str) -> None:
        """Put a stored bundle into force, and beside it a canary if there is one.

        Raises:
            NotFoundError: A bundle was not stored.
        """
        for bundle_digest in wanted.bundles:
            if self.bundle(bundle_digest) is None:
                raise NotFoundError(f"expected bundle `{bundle_digest}` to be stored, got none; store it first")
        self._needs_entry = "activated a bundle"
        activations.put(self._lookups, self._first, wanted, who, why, self._now_us)
        self._layer.set(IN_FORCE, wanted)

    def halt(self, target: str, who: str, why: str) -> None:
        """Stop `all`, one `action:name` or one `agent:name`; a second stop replaces who and why."""
        self._needs_entry = f"halted `{target}`"
        table = HaltRow.__table__
        self.write(delete(table).where(table.c.target == target))
        self.write(insert(table).values({"target": target, "by": who, "why": why, "at_us": self._now_us}))
        stays = [halt for halt in self.halts() if halt.target != target]
        new = Halt(target, who, why, from_microseconds(self._now_us))
        self._layer.set(HALTS, tuple(sorted([*stays, new], key=lambda halt: halt.target)))

    def resume(self, target: str) -> bool:
        """Let go on what was stopped; False if it was not."""
        self._needs_entry = f"resumed `{target}`"
        table = HaltRow.__table__
        self._layer.set(HALTS, tuple(halt for halt in self.halts() if halt.target != target))
        return self.write(delete(table).where(table.c.target == target)) == 1

    def open_escalation(self, record: EscalationRecord) -> None:
        """Store what waits for people now."""
        self._needs_entry = f"opened escalation `{record.id}`"
        values = rows.escalation_values(record)
        self._layer.add(INSERT_ESCALATION, tuple(values[name] for name in INSERT_ESCALATION.order))

    def close_escalation(self, escalation_id: str, from_state: str, to_state: str) -> None:
        """Move an escalation to its end, if it is still where the caller thinks.

        Raises:
            StaleFenceError: Somebody else closed it.
        """
        self._needs_entry = f"closed escalation `{escalation_id}`"
        escalation_moves.close(self._lookups, escalation_id, from_state, to_state, self._now_us)

    def await_people(self, record: EscalationRecord, from_state: str) -> None:
        """Let an escalation that was approved, or is open, wait with its routes and times as they are now.

        Raises:
            StaleFenceError: It is in another state.
        """
        self._needs_entry = f"let escalation `{record.id}` wait"
        escalation_moves.wait(self._lookups, record, from_state)

    def reminded(self, escalation_id: str, remind_at: datetime, following: datetime | None) -> None:
        """Note that the people of an escalation were reminded, and when they will be again.

        Raises:
            StaleFenceError: Somebody else reminded them, or it is closed.
        """
        self._needs_entry = f"reminded of escalation `{escalation_id}`"
        escalation_moves.remind(self._lookups, escalation_id, remind_at, following)

    def move_cursor(self, before: CursorRecord | None, after: CursorRecord) -> bool:
        """Move a reader of the log on, or begin it where there was none; False if somebody else was first."""
        return cursors.move(self._lookups, before, after)

    def vote(self, vote: Vote) -> None:
        """Store one person's vote on an open escalation; one vote a person.

        Raises:
            StaleFenceError: The escalation is not open (any more).
            UsageError: This person has voted on it, or it has 100 votes.
        """
        found = self.escalation(vote.escalation)
        if found is None or found.state != "open":
            state = "none" if found is None else f"it {found.state}"
            raise StaleFenceError(f"expected escalation `{vote.escalation}` open, got {state}")
        voters = {earlier.voter for earlier in self.votes(vote.escalation)}
        if vote.voter in voters or len(voters) >= MOST_VOTES:
            raise UsageError(
                f"expected one vote of `{vote.voter}` on escalation `{vote.escalation}` and at most {MOST_VOTES} in "
                f"all, got another one"
            )
        self._needs_entry = f"voted on escalation `{vote.escalation}`"
        self.write(insert(VoteRow.__table__).values(rows.vote_values(vote)))

    def bind_vault(self, fingerprint: str) -> None:
        """Remember which vault the accounts are counted under; the first one stays."""
        table = LogRow.__table__
        self.write(update(table).where(table.c.vault.is_(None)).values(vault=fingerprint))

    def store_result(self, action_id: str, sealed: bytes) -> None:
        """Store the sealed result of an action, once."""
        self._layer.add(INSERT_RESULT, (action_id, sealed))

    def store_sealed(self, sealed: bytes) -> str:
        """Store a sealed value and return the digest that entries name it by; the same value again changes nothing."""
        name = digest(sealed)
        self._layer.add(INSERT_SEALED, (name, sealed, name))
        return name

    def finish(self) -> Head:
        """Return the log's head after this unit of work; the store calls it before it commits.

        Raises:
            UsageError: Something was moved without an entry (law 5), or what an action holds does not fit its state.
        """
        if self._head.size == self._began_at_size and self._needs_entry:
            raise UsageError(
                f"expected an audit entry beside what was stored, got none ({self._needs_entry}); append one"
            )
        for name in self._layer.touched:
            found = self._layer.known[name]
            if isinstance(found, Action) and found.holds and found.is_open is not (found.record.state in HOLDING):
                raise UsageError(
                    f"expected what action `{name[1]}` holds to be {'released' if found.is_open else 'kept'} as it is "
                    f"{found.record.state}, got it {'kept' if found.is_open else 'released'}; move and release together"
                )
        return self._head

    def write(self, clause: Insert | Update | Delete) -> int:
        """Write a statement of this package that runs seldom, after everything before it; return how many rows."""
        return self._lookups.change(clause)
