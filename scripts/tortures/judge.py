"""The verdict: the provider's books against the record, what workers were told against the log, and the limits anew.

The limits are counted here from the books alone, over every window that ends with a payment: nothing of the guard's own
arithmetic is used. A payment falls between its hold and its settlement, so what held and settled never passes at one
moment, the books cannot pass in any window.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson
from sqlalchemy import create_engine, text

from agentguard import Guard
from agentguard.core.digest import encode
from agentguard.core.lifecycle import FINAL, State
from agentguard.store.records import ActionRecord, Entry
from agentguard.testing.payment_books import Booking, read_books
from scripts.tortures.shop import CAPS, SEPARATOR, STOPPED, Cap, Place

PAGE = 500
ENDED = {"done": State.SETTLED, "denied": State.DENIED, "not_done": State.RELEASED}


@dataclass(frozen=True, slots=True)
class Fullest:
    """How near a limit came, and how often it refused."""

    limit: str
    max: int
    most: int
    refused: int


@dataclass(slots=True)
class Judgement:
    """Counts of what must be 0, each with a few examples, and counts that say how much was tried."""

    wrong: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    limits: list[Fullest] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether everything that must be 0 is 0."""
        return not any(self.wrong.values())

    def demand(self, what: str, examples: Iterable[str]) -> None:
        """Count what must not be."""
        self.wrong[what] = list(examples)


@dataclass(frozen=True, slots=True)
class Told:
    """One answer that a worker wrote down before it went on."""

    job: int
    status: str
    action: str
    entry: int | None
    code: str


@dataclass(frozen=True, slots=True)
class Record:
    """All that the guard has, read whole."""

    actions: Mapping[str, ActionRecord]
    entries: Mapping[int, Entry]


def judge(guard: Guard, place: Place) -> Judgement:
    """Return what is wrong, and how much was looked at."""
    books, told, record = read_books(place.books), list(read_told(place.journals)), read_record(guard)
    judgement = Judgement()
    judgement.demand("payments without an intent", without_intent(books, record))
    judgement.demand("doubled payments", doubled(books))
    judgement.demand("payments begun while stopped", begun_while_stopped(books, record))
    judgement.demand("limits passed", (words for cap in CAPS for words in passed(cap, books)))
    judgement.demand("audit entries lost", lost(told, record))
    judgement.demand("faults in the audit log", faults(guard))
    judgement.demand("actions stuck", stuck(record))
    judgement.demand("holds left open", open_holds(place))
    judgement.demand("record and books disagree", disagreements(books, record))
    judgement.demand("told what is not so", untrue(told, record))
    judgement.demand("one key, two actions", two_actions(told))
    judgement.demand("workers' errors", errors(place))
    states = Counter(str(action.state) for action in record.actions.values())
    judgement.counts = {
        "actions": len(record.actions),
        "payments": len(books),
        "audit entries": len(record.entries),
        "answers told": len(told),
        "stops of everything": sum(entry.kind == "halted" for entry in record.entries.values()),
        "keys sent again": len(told) - len({one.job for one in told}),
        **{f"actions {state}": count for state, count in sorted(states.items())},
        **{f"answers {status}": count for status, count in sorted(Counter(one.status for one in told).items())},
    }
    judgement.limits = [fullest(cap, books, record) for cap in CAPS]
    return judgement


def read_told(journals: Path) -> Iterator[Told]:
    """Read what every worker was told; a line that its writer did not live to end was not told."""
    for file in sorted(journals.iterdir()):
        for line in file.read_bytes().split(b"\n")[:-1]:
            yield Told(**orjson.loads(line))


def read_record(guard: Guard) -> Record:
    """Read every action and every entry."""
    actions: dict[str, ActionRecord] = {}
    entries: dict[int, Entry] = {}
    after = ""
    while page := guard.store.read(lambda reading: reading.actions(limit=PAGE, after=after)):  # noqa: B023
        actions.update({action.id: action for action in page})
        after = page[-1].id
    position = 0
    while found := guard.audit.list(after=position, limit=PAGE):
        entries.update({entry.pos: entry for entry in found})
        position = found[-1].pos
    return Record(actions, entries)


def without_intent(books: Iterable[Booking], record: Record) -> Iterator[str]:
    """Yield payments that no entry announced before they were made (law 2)."""
    announced: dict[str, datetime] = {}
    for entry in record.entries.values():
        if entry.action_id and entry.document.get("state") == State.EXECUTING:
            announced.setdefault(entry.action_id, entry.at)
    for booking in books:
        action = booking.metadata["action"]
        if action not in announced or announced[action] > booking.at:
            yield f"{booking.receipt.id} of action {action} at {booking.at.isoformat()}"


def doubled(books: Iterable[Booking]) -> Iterator[str]:
    """Yield jobs that were paid more than once (law 3)."""
    paid = Counter(booking.metadata["job"] for booking in books)
    for job, count in paid.items():
        if count > 1:
            yield f"job {job}: {count} times"


def begun_while_stopped(books: Iterable[Booking], record: Record) -> Iterator[str]:
    """Yield payments whose last announcement stands in the log between a stop of everything and its end."""
    stopped, announced = False, defaultdict[str | None, list[tuple[datetime, bool]]](list)
    for position in sorted(record.entries):
        entry = record.entries[position]
        if entry.kind in ("halted", "resumed"):
            stopped = entry.kind == "halted"
        elif entry.document.get("state") == State.EXECUTING:
            announced[entry.action_id].append((entry.at, stopped))
    for booking in books:
        before = [was_stopped for at, was_stopped in announced[booking.metadata["action"]] if at <= booking.at]
        if before and before[-1]:
            yield f"{booking.receipt.id} of action {booking.metadata['action']} at {booking.at.isoformat()}"


def passed(cap: Cap, books: Iterable[Booking]) -> Iterator[str]:
    """Yield windows in which a limit was passed (law 4)."""
    for key, total, at in _windows(cap, books):
        if total > cap.max:
            yield f"{cap.limit} {key}: {total} of {cap.max} at {at.isoformat()}"


def _windows(cap: Cap, books: Iterable[Booking]) -> Iterator[tuple[str, int, datetime]]:
    by_key: dict[str, list[Booking]] = defaultdict(list)
    for booking in books:
        by_key[cap.key(booking)].append(booking)
    for key, bookings in by_key.items():
        bookings.sort(key=lambda booking: booking.at)
        total = first = 0
        for booking in bookings:
            total += cap.amount(booking)
            while cap.window is not None and bookings[first].at <= booking.at - cap.window:
                total -= cap.amount(bookings[first])
                first += 1
            yield key, total, booking.at


def fullest(cap: Cap, books: list[Booking], record: Record) -> Fullest:
    """Return how near a limit came by the books, and how many actions it refused."""
    most = max((total for _, total, _ in _windows(cap, books)), default=0)
    name = f"torture/{cap.limit}"
    refused = 0
    for entry in record.entries.values():
        if entry.kind == "decided":
            reasons = entry.document["reasons"]
            refused += any(reason["source"] == name and reason["code"] == "limit_exceeded" for reason in reasons)
    return Fullest(cap.limit, cap.max, most, refused)


def lost(told: Iterable[Told], record: Record) -> Iterator[str]:
    """Yield answers whose entry is not in the log (laws 5 and 14)."""
    for one in told:
        if one.entry is None:
            if one.status not in ("unavailable", "in_doubt"):
                yield f"job {one.job}: {one.status} without an entry"
            continue
        entry = record.entries.get(one.entry)
        if entry is None or entry.action_id != one.action:
            yield f"job {one.job}: {one.status} with entry {one.entry} of {one.action}"


def faults(guard: Guard) -> Iterator[str]:
    """Yield what a check of the whole log finds."""
    checked = guard.audit.verify()
    if not checked.ok:
        yield from (str(finding) for finding in checked.findings)


def stuck(record: Record) -> Iterator[str]:
    """Yield actions that stayed where none may after recovery, with the last that the log says of them."""
    last = {entry.action_id: entry.document for _, entry in sorted(record.entries.items())}
    for action in record.actions.values():
        if action.state not in FINAL:
            said = last.get(action.id, {})
            words = f"{action.action} {action.id}: {action.state}, attempt {action.attempt}, fence {action.fence}"
            yield f"{words}, {said.get('kind')} {said.get('error')}"


def open_holds(place: Place) -> Iterator[str]:
    """Yield accounts on which something is still set aside though no action goes on."""
    engine = create_engine(place.address())
    with engine.connect() as connection:
        for row in connection.execute(text("SELECT id, pending FROM agentguard_account WHERE pending <> 0")):
            yield f"account {row.id}: {row.pending}"
    engine.dispose()


def disagreements(books: Iterable[Booking], record: Record) -> Iterator[str]:
    """Yield payments that are not settled as they were made, and settled actions that were not paid."""
    paid = {booking.metadata["action"]: booking for booking in books}
    settled = {entry.action_id for entry in record.entries.values() if entry.kind == "settled"}
    for action, booking in paid.items():
        found = record.actions.get(action)
        if found is None or found.state is not State.SETTLED or action not in settled:
            yield f"paid {booking.receipt.id}, but action {action} is {found and found.state}"
        elif orjson.loads(found.arguments)["amount"] != encode(booking.receipt.amount):
            yield f"paid {booking.receipt.amount} for action {action}, which asked {found.arguments}"
    for action in record.actions.values():
        if action.state is State.SETTLED and action.id not in paid:
            yield f"action {action.id} is settled, but was never paid"


def untrue(told: Iterable[Told], record: Record) -> Iterator[str]:
    """Yield answers that said how an action ended, where it ended otherwise."""
    for one in told:
        if one.status in ENDED and one.code != STOPPED:
            action = record.actions.get(one.action)
            if action is None or action.state is not ENDED[one.status]:
                yield f"job {one.job} was told {one.status}, and {one.action} is {action and action.state}"


def two_actions(told: Iterable[Told]) -> Iterator[str]:
    """Yield jobs whose one key gave more than one action (law 3)."""
    actions: dict[int, set[str]] = defaultdict(set)
    for one in told:
        if one.action and one.code != STOPPED:
            actions[one.job].add(one.action)
    for job, found in actions.items():
        if len(found) > 1:
            yield f"job {job}: {', '.join(sorted(found))}"


def errors(place: Place) -> Iterator[str]:
    """Yield what workers wrote down as errors that no host should see."""
    if place.errors.exists():
        for words in place.errors.read_text().split(SEPARATOR):
            if words.strip():
                yield words.strip()
