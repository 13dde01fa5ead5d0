"""Notes about incidents: something outside was found about entries or actions, and the record says so for good."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Unpack

from agentguard.engine import powers, recorded
from agentguard.engine.asking import MAX_NAME_CHARACTERS
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Person
from agentguard.errors import NotFoundError, UsageError
from agentguard.store import Reading, Transaction
from agentguard.store.records import Entry, EntryFilter

KIND = "incident_noted"
MOST_ABOUT = 1_000


@dataclass(frozen=True, slots=True)
class Note:
    """A note about an incident.

    Attributes:
        entries: Positions of the entries that it is about.
        actions: Ids of the actions that it is about.
    """

    incident: str
    entry: int
    at: datetime
    by: str
    why: str
    entries: tuple[int, ...] = ()
    actions: tuple[str, ...] = ()


def note(parts: Parts, incident: str, about: Iterable[int | str], tenant: str, **person: Unpack[Person]) -> Note:
    """Write down that an incident is about entries or actions.

    Args:
        parts: The store.
        incident: What it is called where incidents are kept, like `INC-1042`.
        about: Positions of entries and ids of actions; none for the log as a whole.
        tenant: Whose record.
        person: Who says so (`by`), what it is (`why`) and how they are known (`authenticated`).

    Raises:
        NotFoundError: The log has no such entry or action.
        UsageError: The incident has no name, it is about too much, or nobody and no reason is named.
    """
    if not 0 < len(incident) <= MAX_NAME_CHARACTERS or not incident.isprintable():
        raise UsageError(f"expected an incident's name of 1 to {MAX_NAME_CHARACTERS} printable characters")
    powers.require_person(**person)
    given = list(dict.fromkeys(about))
    if len(given) > MOST_ABOUT:
        raise UsageError(f"expected at most {MOST_ABOUT} entries and actions in one note, got {len(given)}")
    entries = tuple(sorted(item for item in given if isinstance(item, int)))
    actions = tuple(sorted(item for item in given if isinstance(item, str)))

    def work(transaction: Transaction) -> Note:
        """Write the note, if everything that it is about is there."""
        for position in entries:
            if not 0 < position <= transaction.position():
                raise NotFoundError(f"expected the position of an entry, got `{position}`, which none has")
        for action_id in actions:
            recorded.found(transaction, action_id)
        body = {
            "tenant": tenant,
            "kind": KIND,
            "incident": incident,
            **person,
            "about": {"entries": list(entries), "actions": list(actions)},
        }
        return noted(transaction.append(body).pos, transaction.now(), body)

    return parts.store.transact(work)


def noted(position: int, at: datetime, body: dict[str, object]) -> Note:
    """Return a note as its entry tells it."""
    about = body["about"]
    return Note(
        incident=str(body["incident"]),
        entry=position,
        at=at,
        by=str(body["by"]),
        why=str(body["why"]),
        entries=tuple(about["entries"]) if isinstance(about, dict) else (),
        actions=tuple(about["actions"]) if isinstance(about, dict) else (),
    )


def notes_about(reading: Reading, entries: Iterable[int], actions: Iterable[str]) -> tuple[Note, ...]:
    """Return the notes about any of these entries or actions, the first one first; incidents are few."""
    wanted_entries, wanted_actions = frozenset(entries), frozenset(actions)
    return tuple(
        found
        for item in _noted(reading)
        if wanted_entries & {*(found := noted(item.pos, item.at, item.document)).entries}
        or wanted_actions & {*found.actions}
    )


def _noted(reading: Reading) -> Iterable[Entry]:
    after = 0
    while page := reading.entries(after, 500, EntryFilter(kind=KIND)):
        yield from (item for item in page if item.body)
        after = page[-1].pos
