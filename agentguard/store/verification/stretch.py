"""One stretch of the log, checked by itself: its bodies, leaves, columns, chains and what its entries refer to.

What only the stretches before it can say (does it follow?) is left to whoever joins them; `Checked` has what it takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from sqlalchemy import bindparam, select

from agentguard.core.digest import digest
from agentguard.evidence.tree import leaf_hash
from agentguard.store.channel import Row
from agentguard.store.reading import Reading
from agentguard.store.statement import Statement
from agentguard.store.tables import BundleRow, EntryRow, PolicyTextRow, SealedRow
from agentguard.store.verification.erasures import Erasures
from agentguard.store.verification.finding import Findings
from agentguard.store.verification.piece import Piece, Pieces

PAGE = 512
FIRST = -(2**62)
LAST = 2**62
"""Before and after every position that a row can have."""

_bundle = BundleRow.__table__
_entry = EntryRow.__table__
_text = PolicyTextRow.__table__
_sealed = SealedRow.__table__
_READ = Statement(
    select(
        _entry.c.pos,
        _entry.c.stream,
        _entry.c.seq,
        _entry.c.ts_us,
        _entry.c.kind,
        _entry.c.action_id,
        _entry.c.leaf,
        _entry.c.body,
    )
    .where(_entry.c.pos > bindparam("after"), _entry.c.pos <= bindparam("last"))
    .order_by(_entry.c.pos)
    .limit(PAGE),
    ["after", "last"],
)
_POLICY = Statement(select(_text.c.name).where(_text.c.digest == bindparam("digest")), ["digest"])
_BUNDLE = Statement(select(_bundle.c.digest).where(_bundle.c.digest == bindparam("digest")), ["digest"])
_SEALED = Statement(select(_sealed.c.sealed).where(_sealed.c.digest == bindparam("digest")), ["digest"])
# In canonical bytes this cannot be a part of any text, whose quotes are escaped.
_SEALED_NAME = re.compile(rb'\{"sealed":"([0-9a-f]{64})"\}')
_COLUMNS = ("log", "stream", "seq", "ts_us", "kind", "action_id")
_MOST_REMEMBERED = 10_000
_LEAF = re.compile(r"[0-9a-f]{64}")


class Begun(NamedTuple):
    """The first entry that a stretch has of a stream, whose predecessor it does not know.

    Attributes:
        before: The last entry of the stretch before it.
        prev: What it says its predecessor's leaf is; `UNTOLD` where its body is gone.
    """

    pos: int
    before: int
    seq: int
    prev: Any


UNTOLD = False


class Moment(NamedTuple):
    """When the first readable entry of a stretch was written."""

    pos: int
    before: int
    ts_us: int


class _Named(NamedTuple):
    """A sealed value that an entry names, and whose the entry is."""

    name: str
    pos: int
    before: int
    customer: str | None
    action_id: str | None


@dataclass(slots=True)
class Checked:
    """What one stretch came to.

    Attributes:
        first, last: The positions of its first and last entry; None where it has none.
        begun: By stream, the first entry; None where nothing of it can be read.
        ended: By stream, number and leaf of the last entry.
        began: When its first readable entry was written.
        ended_us: When its last one was.
        erased: Sealed values that are gone, of customers who were erased.
        purged: Entries without a body, as (first, last).
        pieces: Its tree, in pieces that end where somebody signed.
    """

    read: int = 0
    first: int | None = None
    last: int | None = None
    begun: dict[str, Begun | None] = field(default_factory=dict)
    ended: dict[str, tuple[int, str]] = field(default_factory=dict)
    began: Moment | None = None
    ended_us: int = 0
    leaf: str = ""
    erased: int = 0
    purged: list[tuple[int, int]] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)


class Known:
    """Policies and bundles that are stored, so that each is looked up once."""

    def __init__(self) -> None:
        self._found: set[str] = set()

    def missing(self, reading: Reading, policies: Iterable[str], bundle: str | None) -> list[str]:
        """Return the words for each of those that are not stored."""
        words = [
            f"expected the text of policy `{name}`, got none stored"
            for name in policies
            if name not in self._found and not self._keep(name, bool(reading.found(_POLICY, name)))
        ]
        if bundle and bundle not in self._found and not self._keep(bundle, bool(reading.found(_BUNDLE, bundle))):
            words.append(f"expected bundle `{bundle}`, got none stored")
        return words

    def _keep(self, name: str, found: bool) -> bool:
        if found and len(self._found) < _MOST_REMEMBERED:
            self._found.add(name)
        return found


def check_stretch(reading: Reading, after: int, last: int, sizes: Sequence[int], known: Known) -> Checked:
    """Check the entries after a position up to another one, a page at a time.

    Args:
        reading: One consistent view.
        after: The last position of the stretch before; `FIRST` for the first stretch.
        last: Its last position; `LAST` for the last stretch.
        sizes: Where the tree's pieces are to end, beside those of stored checkpoints; in order.
        known: Policies and bundles that were found before.
    """
    scan = _Scan(reading, after, known, sizes)
    while page := reading.found(_READ, after, last):
        scan.take(page)
        after = page[-1][0]
    return scan.end()


def read_body(data: bytes) -> dict[str, Any] | None:
    """Return what an entry's bytes say, or None unless they are the canonical bytes of a JSON object."""
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(body, dict) or orjson.dumps(body, option=orjson.OPT_SORT_KEYS) != data:
        return None
    return body


class _Scan:
    """Where the check of a stretch is."""

    def __init__(self, reading: Reading, after: int, known: Known, sizes: Sequence[int]) -> None:
        self._reading = reading
        self._known = known
        self._log = reading.log_name()
        self._before = max(after, 0)
        self._checked = Checked()
        self._report = self._checked.findings.report_entry
        self._pieces = Pieces(reading, self._before, sizes)
        self._customer: str | None = None
        self._erasures: Erasures | None = None

    def take(self, page: Sequence[Row]) -> None:
        """Check the next entries."""
        leaves: list[bytes] = []
        sealed: list[_Named] = []
        for row in page:
            pos, body = row[0], bytes(row[-1])
            if self._checked.first is None:
                self._checked.first = pos
            elif pos != self._before + 1:
                self._report(pos, self._before, "gap", gap(self._before + 1, pos))
            leaves.append(self._entry(row, body) if body else self._purged(row))
            names = _SEALED_NAME.findall(body)
            sealed += [_Named(name.decode(), pos, self._before, self._customer, row[5]) for name in names]
            self._before = pos
        self._checked.read += len(page)
        self._pieces.take(leaves, whole=page[-1][0] - page[0][0] == len(page) - 1, first=page[0][0])
        self._check_sealed(sealed)

    def end(self) -> Checked:
        """Return what the stretch came to."""
        checked = self._checked
        if checked.read:
            checked.last = self._before
        checked.pieces = self._pieces.end(checked.findings)
        return checked

    def _entry(self, row: Row, data: bytes) -> bytes:
        pos, stream, seq, ts_us, kind, action_id, leaf, _ = row
        own = leaf_hash(data)
        name = own.hex()
        if name != leaf:
            words = "expected the body that the leaf was made of, got another: it was changed"
            self._report(pos, self._before, "leaf", words)
        body = read_body(data)
        self._customer = None if body is None else body.get("on_behalf_of")
        if body is None:
            words = "expected a canonical JSON object as the body, got something else"
            self._report(pos, self._before, "body", words)
            self._checked.begun.setdefault(stream, None)
        else:
            get = body.get
            columns = (self._log, stream, seq, ts_us, kind, action_id)
            said = (get("log"), get("stream"), get("seq"), get("ts_us"), get("kind"), get("action_id"))
            if said != columns:
                self._report_columns(pos, said, columns)
            self._follow(pos, stream, seq, get("prev"))
            self._time(pos, said[3])
            self._refer(pos, body)
        self._checked.ended[stream] = seq, name
        self._checked.leaf = leaf
        return own

    def _purged(self, row: Row) -> bytes:
        """Take an entry of which only the leaf is left; whether it may be so is asked later."""
        pos, stream, seq, ts_us, _, _, leaf, _ = row
        purged = self._checked.purged
        if purged and purged[-1][1] == pos - 1:
            purged[-1] = purged[-1][0], pos
        else:
            purged.append((pos, pos))
        self._follow(pos, stream, seq, UNTOLD)
        self._time(pos, ts_us)
        self._checked.ended[stream] = seq, leaf
        self._checked.leaf = leaf
        if not _LEAF.fullmatch(leaf):
            self._report(pos, self._before, "leaf", f"expected a leaf of 64 hexadecimal digits, got `{leaf:.100}`")
            return leaf_hash(b"")
        return bytes.fromhex(leaf)

    def _report_columns(self, pos: int, said: Row, columns: Row) -> None:
        for name, column, value in zip(_COLUMNS, columns, said, strict=True):
            if value != column:
                words = f"expected `{name}` as the body says, `{value}`, got `{column}`"
                self._report(pos, self._before, "column", words)

    def _follow(self, pos: int, stream: str, seq: int, prev: Any) -> None:
        ended = self._checked.ended.get(stream)
        if ended is None:
            self._checked.begun.setdefault(stream, Begun(pos, self._before, seq, prev))
            return
        if seq != ended[0] + 1 or (prev != ended[1] and prev is not UNTOLD):
            follow(self._checked.findings, stream, Begun(pos, self._before, seq, prev), ended)

    def _time(self, pos: int, moment: Any) -> None:
        checked = self._checked
        if type(moment) is not int or moment < checked.ended_us:
            self._report(pos, self._before, "time", went_back(checked.ended_us, moment))
            return
        if checked.began is None:
            checked.began = Moment(pos, self._before, moment)
        checked.ended_us = moment

    def _refer(self, pos: int, body: dict[str, Any]) -> None:
        named, bundle = body.get("policies"), body.get("bundle")
        if not named and not bundle:
            return
        policies = named.values() if isinstance(named, dict) else named if isinstance(named, list) else []
        digests = [str(item.get("digest") if isinstance(item, dict) else item) for item in policies]
        for words in self._known.missing(self._reading, digests, str(bundle) if bundle else None):
            self._report(pos, self._before, "policy", words)

    def _check_sealed(self, named: list[_Named]) -> None:
        if not named:
            return
        if self._erasures is None:
            self._erasures = Erasures(self._reading)
        found = self._reading.found_each(_SEALED, [(item.name,) for item in named])
        for item, row in zip(named, found, strict=True):
            about = item.pos, item.customer, item.action_id
            if row is None:
                words = self._erasures.lost(*about)
                self._checked.erased += not words
            elif digest(bytes(row[0])) != item.name:
                words = f"expected the sealed value `{item.name}`, got other bytes: it was changed"
            else:
                words = self._erasures.left(*about)
            if words:
                self._report(item.pos, item.before, "sealed", words)


def follow(findings: Findings, stream: str, entry: Begun, ended: tuple[int, str | None]) -> None:
    """Report where an entry does not follow the last one of its stream, given as number and leaf."""
    seq, leaf = ended
    if entry.seq != seq + 1:
        words = f"expected number {seq + 1} of stream `{stream}` next, got {entry.seq}"
        findings.report_entry(entry.pos, entry.before, "sequence", words)
    if entry.prev is not UNTOLD and entry.prev != leaf:
        words = f"expected to follow `{leaf}` in its stream, got `{entry.prev}`"
        findings.report_entry(entry.pos, entry.before, "chain", words)


def gap(expected: int, pos: int) -> str:
    """Return the words for an entry that is not the next one."""
    return f"expected position {expected} next, got {pos}: entries are missing"


def went_back(last_us: int, moment: Any) -> str:
    """Return the words for an entry that says it is older than the one before."""
    return f"expected a time of {last_us} µs or later, got `{moment}`: time went back"
