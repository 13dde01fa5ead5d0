"""Whether the log still says what it said: every entry, every chain, and every row that entries speak about.

It finds what was changed, removed, inserted or reordered by somebody who did not rewrite everything after it. Whoever
owns the database can rewrite all of it consistently; only a copy of the head kept elsewhere shows that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import func, select

from agentguard.core.digest import digest
from agentguard.core.lifecycle import HOLDING
from agentguard.store.agreement import check_rows
from agentguard.store.reading import Reading
from agentguard.store.records import Entry
from agentguard.store.rows import holds_of
from agentguard.store.tables import (
    AccountRow,
    ActionRow,
    PolicyTextRow,
    PostingRow,
    ReversalRow,
)
from agentguard.store.transaction import leaf_of

MOST_FINDINGS = 100
_EVERY = 1000
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        pos: The entry, or None where it is about a row that is not an entry.
        code: `gap`, `sequence`, `chain`, `leaf`, `body`, `column`, `time`, `policy`, `sealed`, `action`, `hold`,
            `posting`, `reversal`, `escalation`, `vote`, `activation`, `halt`, `account` or `head`.
    """

    pos: int | None
    code: str
    message: str

    def __str__(self) -> str:
        return self.message if self.pos is None else f"entry {self.pos}: {self.message}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Attributes:
        entries: How many were read.
        intact: Entries 1 to this one join from the first on; what is said after it may be somebody else's.
        erased: Sealed values whose ciphertext was deleted, as a person's right to be forgotten asks.
        findings: At most 100; `truncated` says if there were more.
    """

    entries: int
    streams: int
    intact: int
    erased: int
    findings: tuple[Finding, ...]
    truncated: bool
    head: str

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


@dataclass(slots=True)
class _Walk:
    """Where the check is: the last entry of each stream, and what was found so far."""

    log: str
    expected: int = 1
    last_us: int = 0
    leaf: str = ""
    read: int = 0
    intact: int = 0
    erased: int = 0
    truncated: bool = False
    streams: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    def report(self, pos: int | None, code: str, message: str) -> None:
        """Keep a finding, or say that there are more."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(pos, code, message))
        else:
            self.truncated = True


def verify(reading: Reading, progress: Callable[[int, int], None] | None = None) -> Verification:
    """Check the whole log against itself, a page at a time.

    Args:
        reading: One consistent view.
        progress: Told (entries read, entries in all) now and then.
    """
    walk = _Walk(reading.log_name())
    total = reading.position()
    for entry in reading.all_entries():
        sound_before = not walk.findings
        _check_entry(reading, walk, entry)
        walk.read += 1
        if sound_before and not walk.findings:
            walk.intact = entry.pos
        if progress is not None and walk.read % _EVERY == 0:
            progress(walk.read, total)
    _check_head(reading, walk)
    _check_policies(reading, walk)
    check_rows(reading, _read, walk.report)
    _check_accounts(reading, walk)
    _check_reversals(reading, walk)
    if progress is not None:
        progress(walk.read, total)
    return Verification(
        entries=walk.read,
        streams=len(walk.streams),
        intact=walk.intact,
        erased=walk.erased,
        findings=tuple(walk.findings),
        truncated=walk.truncated,
        head=walk.leaf,
    )


def _check_entry(reading: Reading, walk: _Walk, entry: Entry) -> None:
    if entry.pos != walk.expected:
        walk.report(entry.pos, "gap", f"expected position {walk.expected} next, got {entry.pos}: entries are missing")
    walk.expected = entry.pos + 1
    if leaf_of(entry.body) != entry.leaf:
        walk.report(entry.pos, "leaf", "expected the body that the leaf was made of, got another: it was changed")
    body = _read(entry.body)
    if body is None:
        walk.report(entry.pos, "body", "expected a canonical JSON object as the body, got something else")
    else:
        _check_columns(walk, entry, body)
        _check_chain(walk, entry, body)
        _check_references(reading, walk, entry, body)
    walk.streams[entry.stream] = entry.seq, leaf_of(entry.body)
    walk.leaf = entry.leaf


def _read(data: bytes) -> dict[str, Any] | None:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(body, dict) or orjson.dumps(body, option=orjson.OPT_SORT_KEYS) != data:
        return None
    return body


def _check_columns(walk: _Walk, entry: Entry, body: dict[str, Any]) -> None:
    columns = {
        "log": walk.log,
        "stream": entry.stream,
        "seq": entry.seq,
        "ts_us": entry.ts_us,
        "kind": entry.kind,
        "action_id": entry.action_id,
    }
    for name, column in columns.items():
        if body.get(name) != column:
            walk.report(entry.pos, "column", f"expected `{name}` as the body says, `{body.get(name)}`, got `{column}`")


def _check_chain(walk: _Walk, entry: Entry, body: dict[str, Any]) -> None:
    seq, leaf = walk.streams.get(entry.stream, (0, None))
    if entry.seq != seq + 1:
        walk.report(
            entry.pos, "sequence", f"expected number {seq + 1} of stream `{entry.stream}` next, got {entry.seq}"
        )
    if body.get("prev") != leaf:
        walk.report(entry.pos, "chain", f"expected to follow `{leaf}` in its stream, got `{body.get('prev')}`")
    moment = body.get("ts_us")
    if not isinstance(moment, int) or moment < walk.last_us:
        walk.report(entry.pos, "time", f"expected a time of {walk.last_us} µs or later, got `{moment}`: time went back")
    else:
        walk.last_us = moment


def _check_references(reading: Reading, walk: _Walk, entry: Entry, body: dict[str, Any]) -> None:
    named = body.get("policies")
    policies = named.values() if isinstance(named, dict) else named if isinstance(named, list) else []
    digests = [item.get("digest") if isinstance(item, dict) else item for item in policies]
    for name in digests:
        if not _is_stored(walk, str(name), reading.policy_text):
            walk.report(entry.pos, "policy", f"expected the text of policy `{name}`, got none stored")
    bundle = body.get("bundle")
    if bundle and not _is_stored(walk, str(bundle), reading.bundle):
        walk.report(entry.pos, "policy", f"expected bundle `{bundle}`, got none stored")
    for name in _sealed_names(body):
        packed = reading.sealed(name)
        if packed is None:
            walk.erased += 1
        elif digest(packed) != name:
            walk.report(entry.pos, "sealed", f"expected the sealed value `{name}`, got other bytes: it was changed")


def _is_stored(walk: _Walk, name: str, find: Callable[[str], object]) -> bool:
    if name in walk.known:
        return True
    if find(name) is None:
        return False
    if len(walk.known) < _MOST_REMEMBERED:
        walk.known.add(name)
    return True


def _sealed_names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(value.get("sealed"), str):
            yield value["sealed"]
        else:
            for item in value.values():
                yield from _sealed_names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _sealed_names(item)


def _check_head(reading: Reading, walk: _Walk) -> None:
    size = reading.position()
    if size != walk.expected - 1:
        walk.report(
            None, "head", f"expected {size} entries as the head says, got {walk.expected - 1}: the end was cut off"
        )
    elif walk.leaf != reading.head_leaf():
        walk.report(None, "head", f"expected the last entry to be `{reading.head_leaf()}`, got `{walk.leaf}`")


def _check_policies(reading: Reading, walk: _Walk) -> None:
    table = PolicyTextRow.__table__
    for row in reading.rows(select(table.c.digest, table.c.name, table.c.version, table.c.text)):
        if digest(row["text"].encode()) != row["digest"]:
            walk.report(
                None, "policy", f"expected the text of policy `{row['name']}` {row['version']} as stored, got another"
            )


def _check_accounts(reading: Reading, walk: _Walk) -> None:
    posting, account = PostingRow.__table__, AccountRow.__table__
    last: tuple[str, int, int] = ("", 0, 0)
    ordered = select(posting.c.account, posting.c.n, posting.c.amount, posting.c.cum)
    for row in reading.rows(ordered.order_by(posting.c.account, posting.c.ts_us, posting.c.n)):
        number, total = last[1:] if row["account"] == last[0] else (0, 0)
        if row["n"] != number + 1 or row["cum"] != total + row["amount"]:
            walk.report(
                None, "account", f"expected posting {number + 1} of account `{row['account']}` to add up, it does not"
            )
        last = row["account"], row["n"], row["cum"]
    held = _held(reading)
    newest = select(posting.c.cum).where(posting.c.account == account.c.id)
    newest = newest.order_by(posting.c.ts_us.desc(), posting.c.n.desc()).limit(1)
    total_now = func.coalesce(newest.scalar_subquery(), 0).label("total")
    for row in reading.rows(select(account.c.id, account.c.pending, account.c.posted, total_now)):
        holds = held.pop(row["id"], 0)
        if row["pending"] != holds or row["posted"] != row["total"]:
            walk.report(
                None,
                "account",
                f"expected account `{row['id']}` to hold {holds} and have {row['total']} posted as its movements "
                f"say, got {row['pending']} and {row['posted']}",
            )
    for name in sorted(held):
        walk.report(None, "account", f"expected account `{name}`, on which actions hold, got none: it was removed")


def _held(reading: Reading) -> dict[str, int]:
    """Return what actions hold now, by account."""
    action = ActionRow.__table__
    held: dict[str, int] = {}
    holding = action.c.state.in_(sorted(state.value for state in HOLDING))
    for row in reading.rows(select(action.c.id, action.c.holds).where(holding)):
        for account, (_, amount) in holds_of(row["id"], row["holds"]).items():
            held[account] = held.get(account, 0) + amount
    return held


def _check_reversals(reading: Reading, walk: _Walk) -> None:
    """Compare what was given back with what was counted, original by original, and with what the accounts say."""
    reversal, posting, account = ReversalRow.__table__, PostingRow.__table__, AccountRow.__table__
    of = (posting.c.account == reversal.c.account, posting.c.action_id == reversal.c.original)
    counted = select(func.coalesce(func.sum(posting.c.amount), 0)).where(*of).scalar_subquery()
    first_us = select(func.coalesce(func.min(posting.c.ts_us), 0)).where(*of).scalar_subquery()
    query = select(
        reversal.c.account,
        reversal.c.original,
        func.sum(reversal.c.amount).label("amount"),
        func.min(reversal.c.amount).label("least"),
        func.min(reversal.c.ts_us).label("first_us"),
        func.max(reversal.c.ts_us).label("last_us"),
        counted.label("counted"),
        first_us.label("counted_us"),
    ).group_by(reversal.c.account, reversal.c.original)
    for row in reading.rows(query):
        at_its_time = row["first_us"] == row["last_us"] == row["counted_us"]
        if row["least"] <= 0 or row["amount"] > row["counted"] or not at_its_time:
            walk.report(
                None,
                "reversal",
                f"expected at most the {row['counted']} that action `{row['original']}` counted on account "
                f"`{row['account']}` to be given back, at its time, got {row['amount']} or another time",
            )
    given = (
        select(func.coalesce(func.sum(reversal.c.amount), 0))
        .where(reversal.c.account == account.c.id)
        .scalar_subquery()
    )
    sums = select(account.c.id, account.c.reversed, given.label("given"))
    for row in reading.rows(sums.where(account.c.reversed != given)):
        walk.report(
            None,
            "account",
            f"expected account `{row['id']}` to have {row['given']} given back as its reversals say, got "
            f"{row['reversed']}",
        )
