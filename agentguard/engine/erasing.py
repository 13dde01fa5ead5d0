"""Erasing a customer: the keys of everything personal about them are destroyed, and the log keeps what it proved.

In an order that survives a crash at any point: the entry that says it begins, the keys, the ciphertexts, the entry that
says it is done. Asked again, it goes on where it stopped. Nothing is erased under a legal hold, or while something of
the customer's is still under way: what was asked for could neither be decided nor sent nor undone afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Unpack

from agentguard.core.lifecycle import FINAL
from agentguard.engine import confirming, escalating, holding_back, powers
from agentguard.engine.in_the_clear import Clear
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Permit, Person, Use
from agentguard.engine.subjects import Subject, actions_of, subjects
from agentguard.store import Reading, Transaction, forgetting
from agentguard.store.legal_holds import Matter
from agentguard.store.records import Entry, EntryFilter

BEGUN, DONE, DEFERRED = "erasing", "erased", "erasure_deferred"
_PAGE = 100
_MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class Erasure:
    """What became of a customer's erasure in one tenant's records; true if nothing can be opened any more.

    Attributes:
        status: `erased`, `already`, `deferred`, or `asked` where more people have to ask for the same.
        entry: Position of the entry about it.
        actions: How many actions of theirs the log has; `values` and `results` are how many ciphertexts are deleted.
        holds: Ids of the legal holds that are in the way.
        under_way: Ids of the actions that have to end first.
        missing: How many more people it takes.
        in_the_clear: Where the customer's id still stands in what is recorded, since policies do not mark it personal.
    """

    subject: Subject
    status: str
    entry: int = 0
    actions: int = 0
    values: int = 0
    results: int = 0
    holds: tuple[str, ...] = ()
    under_way: tuple[str, ...] = ()
    missing: int = 0
    in_the_clear: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.status in ("erased", "already")


def erase(parts: Parts, customer: str, tenant: str | None = None, **person: Unpack[Person]) -> tuple[Erasure, ...]:
    """Destroy what identifies a customer and opens their personal values, in the records of one tenant or of all.

    Raises:
        NotFoundError: No record is about this customer.
        PowerRefusedError: This person may not, or has asked for it already and somebody else has to.
        StoreUnavailableError: The keys are not those of this database.
    """
    found = parts.store.read(lambda reading: subjects(parts, reading, customer, tenant))
    return tuple(_erased(parts, subject, customer, **person) for subject in found)


def _erased(parts: Parts, subject: Subject, customer: str, **person: Unpack[Person]) -> Erasure:
    use = Use("erase", subject.pseudonym, subject.tenant, **person)
    permits: list[Permit] = []

    def begin(transaction: Transaction, permit: Permit) -> Erasure:
        """Write down that it begins, or why it does not."""
        permits[:] = [permit]
        return _begun(parts, transaction, permit, subject)

    came = powers.used(parts, use, begin)
    if came.status != BEGUN:
        return came
    clear = Clear(parts.vault.customer_of(subject.pseudonym) or customer)

    def destroy(transaction: Transaction) -> Erasure:
        """Destroy the keys where nobody can set a hold meanwhile, unless somebody did since it began."""
        holds, _ = _in_the_way(transaction, subject)
        if holds:
            return _deferred(transaction, permits[0], subject, holds)
        parts.vault.erase(subject.pseudonym)
        return came

    came = parts.store.transact(destroy)
    if came.status != BEGUN:
        return came
    values, results, actions = _forgotten(parts, subject, came.entry, clear)
    places = sorted(clear.places)
    body = {"values": values, "results": results, "actions": actions, "begun": came.entry, "in_the_clear": places}
    written = parts.store.transact(lambda transaction: transaction.append(_entry(DONE, subject, permits[0], **body)))
    parts.store.scrub()
    done = replace(came, status="erased", entry=written.pos, in_the_clear=tuple(places))
    return replace(done, actions=actions, values=values, results=results)


def _begun(parts: Parts, transaction: Transaction, permit: Permit, subject: Subject) -> Erasure:
    last = _last(transaction, subject)
    if last is not None and last.kind == DONE and not _is_readable(parts, transaction, subject, last.pos):
        return Erasure(subject, "already", last.pos)
    holds, under_way = _in_the_way(transaction, subject)
    if holds or under_way:
        return _deferred(transaction, permit, subject, holds, under_way)
    agreement = permit.together(transaction)
    if agreement.missing:
        return Erasure(subject, "asked", agreement.entry, missing=agreement.missing)
    written = transaction.append({**_entry(BEGUN, subject, permit), **permit.recorded(agreement)})
    return Erasure(subject, BEGUN, written.pos)


def _deferred(
    transaction: Transaction, permit: Permit, subject: Subject, holds: tuple[str, ...], under_way: tuple[str, ...] = ()
) -> Erasure:
    because = "legal_hold" if holds else "under_way"
    body = {"because": because, "holds": list(holds), "actions": list(under_way)}
    written = transaction.append(_entry(DEFERRED, subject, permit, **body))
    return Erasure(subject, "deferred", written.pos, holds=holds, under_way=under_way)


def _entry(kind: str, subject: Subject, permit: Permit, **more: Any) -> dict[str, Any]:
    about = {"tenant": subject.tenant, "kind": kind, "on_behalf_of": subject.pseudonym}
    return {**about, **permit.recorded(), **more}


def _last(reading: Reading, subject: Subject) -> Entry | None:
    """Return the last entry that says an erasure of this customer began or was done."""
    found = [
        item
        for kind in (BEGUN, DONE)
        for item in reading.entries(0, 1_000, EntryFilter(stream=subject.tenant, kind=kind), newest_first=True)
        if item.document["on_behalf_of"] == subject.pseudonym
    ]
    return max(found, key=lambda item: item.pos, default=None)


def _is_readable(parts: Parts, reading: Reading, subject: Subject, since: int) -> bool:
    """Return whether the customer came back after they were erased."""
    newest = next(actions_of(reading, subject.pseudonym), None)
    back = newest is not None and (newest.decision_entry or 0) > since
    return back or parts.vault.customer_of(subject.pseudonym) is not None


def _in_the_way(reading: Reading, subject: Subject) -> tuple[tuple[str, ...], tuple[str, ...]]:
    standing = holding_back.standing(reading)
    holds = set(holding_back.held_customer(standing, subject))
    under_way: list[str] = []
    for record in actions_of(reading, subject.pseudonym):
        holds.update(holding_back.held_by(standing, Matter.of(record)))
        waits = any(item.state == escalating.OPEN for item in reading.escalations_of(record.id))
        if (waits or record.state not in FINAL) and len(under_way) < _MOST_NAMED:
            under_way.append(record.id)
    return tuple(sorted(holds)), tuple(under_way)


def _forgotten(parts: Parts, subject: Subject, until: int, clear: Clear) -> tuple[int, int, int]:
    """Delete what was sealed before an entry, a page of actions at a time; return how many values, results, actions."""
    # What they asked for since then, if they came back at once, is sealed under a key of its own.
    found = parts.store.read(lambda reading: list(actions_of(reading, subject.pseudonym)))
    action_ids = (record.id for record in found if (record.decision_entry or 0) < until)
    values = results = actions = 0
    while page := list(islice(action_ids, _PAGE)):

        def work(transaction: Transaction, page: list[str] = page) -> tuple[int, int]:
            """Delete the sealed values and results of a page of actions."""
            bodies = [item.document for name in page for item in transaction.entries_of(name) if item.pos < until]
            clear.look(bodies)
            names = {digest for body in bodies for digest in forgetting.sealed_names(body)}
            return forgetting.forget_sealed(transaction, names), forgetting.forget_results(transaction, page)

        forgotten = parts.store.transact(work)
        values, results, actions = values + forgotten[0], results + forgotten[1], actions + len(page)
    spoken = parts.store.transact(lambda transaction: _forget_confirmations(transaction, subject, until))
    return values + spoken, results, actions


def _forget_confirmations(transaction: Transaction, subject: Subject, until: int) -> int:
    said = (item.document for item in confirmations(transaction, subject, until))
    names = {digest for body in said for digest in forgetting.sealed_names(body)}
    return forgetting.forget_sealed(transaction, names)


def confirmations(reading: Reading, subject: Subject, until: int | None = None) -> Iterator[Entry]:
    """Yield the entries of each yes of a customer: they stand beside their actions, and not under them."""
    after = 0
    while page := reading.entries(after, 500, EntryFilter(stream=subject.tenant, kind=confirming.KIND)):
        for item in page:
            if (until is None or item.pos < until) and item.document.get("on_behalf_of") == subject.pseudonym:
                yield item
        after = page[-1].pos
