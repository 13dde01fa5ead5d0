"""What can be written in one transaction: all of it is committed together, or nothing of it (law 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Unpack

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from agentguard.core.digest import canonical_bytes, digest
from agentguard.core.lifecycle import BEGINNINGS, State, may_move
from agentguard.core.request import Vote
from agentguard.errors import NotFoundError, PolicyVersionError, StaleFenceError, UsageError
from agentguard.store import accounts, reversals, rows
from agentguard.store.ledger_clock import LedgerClock
from agentguard.store.moment import from_microseconds, to_microseconds
from agentguard.store.reading import Reading
from agentguard.store.records import ActionChanges, ActionRecord, EntryRef, EscalationRecord, Movement
from agentguard.store.tables import (
    ActionRow,
    ActionValueRow,
    ActivationRow,
    BundleRow,
    EntryRow,
    EscalationRow,
    HaltRow,
    LogRow,
    PolicyTextRow,
    ResultRow,
    SealedRow,
    VoteRow,
)

ENTRY_VERSION = 1
LARGEST_ENTRY = 2**20
MOST_VOTES = 100
_ADDED_BY_STORE = ("v", "log", "stream", "seq", "prev", "ts_us")

_entry = EntryRow.__table__
_action = ActionRow.__table__
_escalation = EscalationRow.__table__
_activation = ActivationRow.__table__
_INSERT_ENTRY = insert(_entry)
_UPDATE_HEAD = update(LogRow.__table__).values(
    size=bindparam("new_size"),
    leaf=bindparam("new_leaf"),
    last_us=bindparam("new_us"),
    wall_us=bindparam("new_wall"),
    uptime_us=bindparam("new_uptime"),
    boot=bindparam("new_boot"),
)


def leaf_of(body: bytes) -> str:
    """Return an entry's leaf: SHA-256 over a zero byte and the body (RFC 9162, 2.1.1), in hex."""
    return hashlib.sha256(b"\x00" + body).hexdigest()


class Transaction(Reading):
    """One unit of work. Whatever moves money or an action must append an entry before it ends."""

    def __init__(self, connection: Connection, clock: LedgerClock) -> None:
        super().__init__(connection, clock)
        self._began_at_size = self._head.size
        self._needs_entry = ""
        self._streams: dict[str, tuple[int, str | None]] = {}

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
        taken = [name for name in _ADDED_BY_STORE if name in body]
        if taken:
            raise UsageError(f"expected the store to add `{taken[0]}` to an entry, got it in the body; leave it out")
        seq, prev = self._stream_head(stream)
        added = (ENTRY_VERSION, self._head.log, stream, seq + 1, prev, self._now_us)
        data = canonical_bytes({**body, **dict(zip(_ADDED_BY_STORE, added, strict=True))})
        if len(data) > LARGEST_ENTRY:
            raise UsageError(f"expected an entry of at most {LARGEST_ENTRY} bytes, got {len(data)}; keep less in it")
        reference = EntryRef(self._head.size + 1, stream, seq + 1, leaf_of(data))
        values = {
            "pos": reference.pos,
            "stream": stream,
            "seq": reference.seq,
            "ts_us": self._now_us,
            "kind": kind,
            "action_id": body.get("action_id"),
            "leaf": reference.leaf,
            "body": data,
        }
        self._connection.execute(_INSERT_ENTRY, values)
        self._streams[stream] = (reference.seq, reference.leaf)
        self._head.size, self._head.leaf = reference.pos, reference.leaf
        return reference

    def _stream_head(self, stream: str) -> tuple[int, str | None]:
        if stream not in self._streams:
            head = self.head(stream)
            self._streams[stream] = (0, None) if head is None else (head.seq, head.leaf)
        return self._streams[stream]

    def open_action(self, record: ActionRecord) -> None:
        """Store a new action, as proposed or as far as its first decision took it.

        Raises:
            StaleFenceError: Somebody opened the same key first; look it up in a new transaction.
            UsageError: No action begins in this state.
        """
        if record.state not in BEGINNINGS:
            raise UsageError(f"expected a state that an action can begin in, got `{record.state}`")
        self._needs_entry = f"opened action `{record.id}`"
        values = rows.action_values(asdict(record) | {"updated_at": from_microseconds(self._now_us)})
        try:
            self._connection.execute(insert(_action), values)
        except IntegrityError as error:
            if "unique" not in str(error.orig).lower():
                raise
            raise StaleFenceError(
                f"expected a new action, got the key `{record.key}` or the id a second time"
            ) from error

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
        updated_at = from_microseconds(self._now_us)
        values = rows.action_values(values | {"state": to_state, "fence": new_fence, "updated_at": updated_at})
        guarded = update(_action).where(
            _action.c.id == action_id, _action.c.state == from_state.value, _action.c.fence == fence
        )
        if self._connection.execute(guarded.values(**values)).rowcount != 1:
            raise StaleFenceError(
                f"expected action `{action_id}` {from_state} with fence {fence}, got {self._found(action_id)}"
            )

    def _found(self, action_id: str) -> str:
        record = self.action(action_id)
        return "no such action" if record is None else f"it {record.state} with fence {record.fence}"

    def hold(self, action_id: str, account: str, unit: str, amount: int) -> None:
        """Set an amount aside; an account that several limits share is held once, with one amount.

        Raises:
            AmountTooLargeError: The amount is negative or past 10**15, or the account would pass its bound.
            UsageError: The action holds another amount there, or the account counts another unit.
        """
        self._needs_entry = f"held for action `{action_id}`"
        accounts.hold(self._connection, action_id, account, unit, amount, self._now_us)

    def settle(self, action_id: str, amounts: Mapping[str, int] | None = None) -> None:
        """Post what an action held, at the held amounts unless `amounts` (by account) says what really happened.

        Raises:
            AmountTooLargeError: An amount is negative or past 10**15, or an account would pass its bound.
            UsageError: An account was never used; `post` takes its unit.
        """
        self._needs_entry = f"settled action `{action_id}`"
        accounts.settle(self._connection, action_id, amounts or {}, self._now_us, self._began_at_size)

    def release(self, action_id: str) -> None:
        """Give back everything that an action holds."""
        self._needs_entry = f"released action `{action_id}`"
        accounts.release(self._connection, action_id, self._now_us)

    def post(self, action_id: str, account: str, unit: str, amount: int) -> None:
        """Post what happened without a hold: done elsewhere, or known too late.

        Raises:
            AmountTooLargeError: As for `settle`.
            UsageError: The account counts another unit.
        """
        self._needs_entry = f"posted for action `{action_id}`"
        accounts.post(self._connection, action_id, account, unit, amount, self._now_us, self._began_at_size)

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
        return reversals.give_back(self._connection, action_id, original, account, most, self._began_at_size)

    def backfill(self, account: str, unit: str, movements: Sequence[Movement]) -> None:
        """Fill an account from the log with movements that were not counted on it, in the order of their times.

        What happened before the account's last posting is posted at that posting's time.

        Raises:
            AmountTooLargeError: As for `settle`.
            UsageError: The account counts another unit, or a movement is out of order or in the future.
        """
        self._needs_entry = "filled an account"
        accounts.backfill(self._connection, account, unit, movements, self._now_us, self._began_at_size)

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
        common = {
            "action_id": action_id,
            "tenant": tenant,
            "action": action,
            "entry": entry_pos,
            "at_us": self._now_us if at is None else to_microseconds(at),
        }
        found = [common | {"name": name, "value": value} for name, value in {"": "", **values}.items()]
        self._connection.execute(insert(ActionValueRow.__table__), found)

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
        if self._connection.execute(same_version).first() is not None:
            raise PolicyVersionError(
                f"expected a new `version` for the changed text of policy `{name}`, got {version} again; write "
                f"`version: {version + 1}`"
            )
        values = {"digest": text_digest, "name": name, "version": version, "text": text, "stored_us": self._now_us}
        self._connection.execute(insert(table), values)

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
        self._connection.execute(insert(BundleRow.__table__), values)

    def activate(self, bundle_digest: str, who: str, why: str) -> None:
        """Put a stored bundle into force.

        Raises:
            NotFoundError: The bundle was not stored.
        """
        if self.bundle(bundle_digest) is None:
            raise NotFoundError(f"expected bundle `{bundle_digest}` to be stored, got none; store it first")
        self._needs_entry = "activated a bundle"
        last = self._connection.execute(select(func.coalesce(func.max(_activation.c.n), 0))).scalar_one()
        values = {"n": last + 1, "bundle": bundle_digest, "by": who, "why": why, "at_us": self._now_us}
        self._connection.execute(insert(_activation), values)

    def halt(self, target: str, who: str, why: str) -> None:
        """Stop `all`, one `action:name` or one `agent:name`; a second stop replaces who and why."""
        self._needs_entry = f"halted `{target}`"
        table = HaltRow.__table__
        self._connection.execute(delete(table).where(table.c.target == target))
        self._connection.execute(insert(table), {"target": target, "by": who, "why": why, "at_us": self._now_us})

    def resume(self, target: str) -> bool:
        """Let go on what was stopped; False if it was not."""
        self._needs_entry = f"resumed `{target}`"
        table = HaltRow.__table__
        return self._connection.execute(delete(table).where(table.c.target == target)).rowcount == 1

    def open_escalation(self, record: EscalationRecord) -> None:
        """Store what waits for people now."""
        self._needs_entry = f"opened escalation `{record.id}`"
        self._connection.execute(insert(_escalation), rows.escalation_values(record))

    def close_escalation(self, escalation_id: str, from_state: str, to_state: str) -> None:
        """Move an escalation to its end, if it is still where the caller thinks.

        Raises:
            StaleFenceError: Somebody else closed it.
        """
        self._needs_entry = f"closed escalation `{escalation_id}`"
        guarded = update(_escalation).where(_escalation.c.id == escalation_id, _escalation.c.state == from_state)
        if self._connection.execute(guarded.values(state=to_state, closed_us=self._now_us)).rowcount != 1:
            found = self.escalation(escalation_id)
            state = "no such escalation" if found is None else f"it {found.state}"
            raise StaleFenceError(f"expected escalation `{escalation_id}` {from_state}, got {state}")

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
        self._connection.execute(insert(VoteRow.__table__), rows.vote_values(vote))

    def bind_vault(self, fingerprint: str) -> None:
        """Remember which vault the accounts are counted under; the first one stays."""
        table = LogRow.__table__
        self._connection.execute(update(table).where(table.c.vault.is_(None)).values(vault=fingerprint))

    def store_result(self, action_id: str, sealed: bytes) -> None:
        """Store the sealed result of an action, once."""
        self._connection.execute(insert(ResultRow.__table__), {"action_id": action_id, "sealed": sealed})

    def store_sealed(self, sealed: bytes) -> str:
        """Store a sealed value and return the digest that entries name it by; the same value again changes nothing."""
        name = digest(sealed)
        if self.sealed(name) is None:
            self._connection.execute(insert(SealedRow.__table__), {"digest": name, "sealed": sealed})
        return name

    def finish(self) -> None:
        """Write the log's head and the ledger's clock; the store calls it before it commits.

        Raises:
            UsageError: Something was moved without an entry (law 5).
        """
        if self._head.size == self._began_at_size:
            if self._needs_entry:
                raise UsageError(
                    f"expected an audit entry beside what was stored, got none ({self._needs_entry}); append one"
                )
            return
        values = {"new_size": self._head.size, "new_leaf": self._head.leaf, "new_us": self._now_us}
        values |= {f"new_{name.removesuffix('_us')}": value for name, value in self._moment.kept._asdict().items()}
        self._connection.execute(_UPDATE_HEAD, values)
