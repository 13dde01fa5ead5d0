"""What is personal is seen by nobody without a record: who looked, why, at whom, where, and at which values.

The record is committed before anything is shown, so that a look that cannot be recorded is none. Looks of a walk, which
opens values to decide and to act, are not looks of a person and not recorded here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Unpack

from agentguard.core.digest import canonical_bytes, digest, time_text
from agentguard.engine import powers
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Agreement, Permit, Person, Use
from agentguard.errors import PowerRefusedError, UsageError
from agentguard.store import Reading, Transaction
from agentguard.store.records import Entry, EntryFilter

KIND = "personal_read"
IDENTITY = "on_behalf_of"
"""As a field of a look: who is behind the pseudonym."""

AGAIN = timedelta(minutes=15)
"""For so long the same look of the same person is one entry, so that nobody fills the log by turning pages."""

MOST_PEOPLE = 1_000
"""An entry names so many customers; a look at more is several entries."""

MOST_FIELDS = 1_000
_WHOSE = ("by", "why", "authenticated", "power")


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody is about to see.

    Attributes:
        where: The place in words that stay the same: `audit list`, `evidence pack`, `subject access`.
        about: The pseudonyms of the customers whose values are opened.
        fields: Places of the values, as entries name them (`facts.customer.email`); `on_behalf_of` for who it is.
        tenant: Whose records.
        action_id: The action, where it is about one.
    """

    where: str
    about: tuple[str, ...]
    fields: tuple[str, ...] = (IDENTITY,)
    tenant: str = "default"
    action_id: str | None = None


def personal_read(parts: Parts, look: Look, **person: Unpack[Person]) -> int:
    """Record that somebody is about to see personal values; show nothing before it has returned.

    The same look again within a quarter of an hour is the one that is recorded.

    Args:
        parts: The store and the people.
        look: What they are about to see; nothing is recorded where it is about nobody.
        person: Who looks (`by`), why (`why`) and how they are known (`authenticated`).

    Returns:
        The position of the entry that says so, of the last one where there are several; 0 where it is about nobody.

    Raises:
        PowerRefusedError: This person may not read what is personal, or somebody else has to ask for the same first.
        UsageError: Nobody or no reason is named, or there are too many fields.
    """
    if len(look.fields) > MOST_FIELDS:
        raise UsageError(f"expected at most {MOST_FIELDS} fields in one look, got {len(look.fields)}; ask for less")
    about = tuple(sorted(set(filter(None, look.about))))
    asked = Use("read_personal", _subject(look, about), look.tenant, **person)

    def work(transaction: Transaction, permit: Permit) -> int | Agreement:
        """Write the look down, unless it is the same one; return its entry, or how many people are missing."""
        position = 0
        agreement: Agreement | None = None
        for start in range(0, len(about), MOST_PEOPLE):
            body = _body(look, about[start : start + MOST_PEOPLE])
            before = _before(transaction, permit, body)
            if before is not None:
                position = before.pos
                continue
            agreement = agreement or permit.together(transaction)
            if agreement.missing:
                return agreement
            until = time_text(transaction.now() + AGAIN)
            position = transaction.append({**body, **permit.recorded(agreement), "until": until}).pos
        return position

    came = powers.used(parts, asked, work)
    if isinstance(came, Agreement):
        raise PowerRefusedError("more_people", f"nothing is shown yet: {powers.more_people(came.missing)}")
    return came


def looks_at(reading: Reading, pseudonym: str) -> Iterator[Entry]:
    """Yield the entries of every look at a customer's personal values, the first one first."""
    after = 0
    while page := reading.entries(after, 500, EntryFilter(kind=KIND)):
        yield from (item for item in page if pseudonym in item.document["about"])
        after = page[-1].pos


def _subject(look: Look, about: tuple[str, ...]) -> str:
    """Return what several people have to mean alike."""
    return f"{look.where} {digest(canonical_bytes([list(about), sorted(look.fields), look.action_id]))[:16]}"


def _body(look: Look, about: tuple[str, ...]) -> dict[str, Any]:
    return {
        "tenant": look.tenant,
        "kind": KIND,
        "where": look.where,
        "about": list(about),
        "fields": sorted(set(look.fields)),
        **({} if look.action_id is None else {"about_action": look.action_id}),
    }


def _before(transaction: Transaction, permit: Permit, body: dict[str, Any]) -> Entry | None:
    """Return the entry of the same look, made by the same person for the same reason a short while ago."""
    filters = EntryFilter(stream=body["tenant"], kind=KIND, since=transaction.now() - AGAIN)
    said = permit.recorded()
    same = {**{name: body.get(name) for name in ("where", "about_action")}, **{name: said[name] for name in _WHOSE}}
    for item in transaction.entries(0, 1_000, filters, newest_first=True):
        found = item.document
        covers = set(body["about"]) <= set(found["about"]) and set(body["fields"]) <= set(found["fields"])
        if covers and all(found.get(name) == value for name, value in same.items()):
            return item
    return None
