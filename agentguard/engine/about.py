"""A customer's copy of everything that is recorded about them (GDPR Art. 15): as text to read, and as JSON.

Complete: every entry of every action of theirs with what is personal in the clear, the results, their own words, the
reasons and the policies that gave them, and when somebody looked. Of the people who decided it says that it was a
person, and not who: their names are their own data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Unpack

import orjson

from agentguard.core.digest import time_text
from agentguard.core.narration.narrator import Narrator
from agentguard.core.policy import Bundle
from agentguard.core.prose import moment, numbered
from agentguard.core.sheet import Sheet
from agentguard.engine import erasing, privacy, results
from agentguard.engine.opening import opened
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Person
from agentguard.engine.privacy import IDENTITY, Look
from agentguard.engine.subjects import Subject, actions_of, subjects
from agentguard.store import Reading
from agentguard.store.records import ActionRecord, Entry, EntryFilter, Sealed

WHERE = "subject access"
A_PERSON = "a person"
_STAFF = frozenset({"voter", "stands_for", "by"})
_ABOUT_THEM = (erasing.BEGUN, erasing.DONE, erasing.DEFERRED)


class Line(NamedTuple):
    """One entry of the log, opened."""

    position: int
    at: datetime
    says: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """One action, or one yes beside the actions.

    Attributes:
        id: The action's; empty for a yes.
        result: What the tool gave back, as JSON; None where there is none.
    """

    id: str
    action: str
    state: str
    asked_at: datetime
    lines: tuple[Line, ...]
    result: Any = None


@dataclass(frozen=True, slots=True)
class About:
    """What one tenant's records have of a customer.

    Attributes:
        customer: Their id; None where they were erased.
        actions: The oldest first, then what they said yes to.
        policies: Name, version and description of each file that decided something, by digest.
        looks: When somebody looked at what is personal, where and at which values.
        erasures: What became of wishes to be erased.
        erased: Places of values that nobody can open any more.
    """

    made_at: datetime
    tenant: str
    pseudonym: str
    customer: str | None
    actions: tuple[Kept, ...]
    policies: Mapping[str, Mapping[str, Any]]
    looks: tuple[Mapping[str, Any], ...]
    erasures: tuple[Mapping[str, Any], ...]
    erased: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the copy as JSON, in the order of a form."""
        return {
            "made_at": time_text(self.made_at),
            "tenant": self.tenant,
            "pseudonym": self.pseudonym,
            "customer": self.customer,
            "records": [
                {
                    "id": item.id or None,
                    "action": item.action,
                    "state": item.state,
                    "asked_at": time_text(item.asked_at),
                    "result": item.result,
                    "entries": [
                        {"entry": line.position, "at": time_text(line.at), "says": line.says} for line in item.lines
                    ],
                }
                for item in self.actions
            ],
            "policies": {digest: dict(policy) for digest, policy in sorted(self.policies.items())},
            "looks": [dict(look) for look in self.looks],
            "erasures": [dict(erasure) for erasure in self.erasures],
            "erased": list(self.erased),
        }

    def as_text(self, width: int = 100) -> str:
        """Return the copy as text to read."""
        sheet = Sheet(width)
        sheet.heading("What is recorded about you")
        known = [("customer", self.customer)] if self.customer else []
        sheet.pairs([*known, ("called here", self.pseudonym), ("in the records of", self.tenant)])
        sheet.prose(
            f"As of {moment(self.made_at)} UTC this is what is recorded, for {numbered(len(self.actions), 'request')}."
        )
        if self.erased:
            sheet.prose("What was erased cannot be shown by anybody any more, and stands as (erased).")
        for item in self.actions:
            self._tell(sheet, item)
        sheet.heading("The rules that decided")
        sheet.pairs(
            (f"{policy['name']} {policy['version']}", str(policy["description"] or "no description"))
            for _, policy in sorted(self.policies.items())
        )
        sheet.heading("Who looked at what is personal")
        if not self.looks:
            sheet.prose("Nobody before this copy was made.")
        sheet.pairs((moment(look["at"]), f"{look['where']}: {', '.join(look['fields'])}") for look in self.looks)
        if self.erasures:
            sheet.heading("What became of wishes to be erased")
            sheet.pairs((moment(item["at"]), str(item["kind"]).replace("_", " ")) for item in self.erasures)
        return str(sheet)

    def _tell(self, sheet: Sheet, item: Kept) -> None:
        narrator = Narrator((line.says for line in item.lines), _without_places, lambda _: self.customer or "you")
        sheet.heading(f"{item.action}, {moment(item.asked_at)} UTC")
        known = [("number", item.id)] if item.id else []
        sheet.pairs([*known, ("state", item.state), *_request(item)])
        for line in item.lines:
            told = narrator.tell(line.says)
            sheet.prose(f"{moment(line.at)}  {told.title}")
            words = [("words", str(line.says["words"]))] if isinstance(line.says.get("words"), str) else []
            sheet.pairs([*(pair for pair in told.details if pair[0] != "words"), *words], indent=4)
        if item.result is not None:
            sheet.pairs([("result", orjson.dumps(item.result).decode())])


def about(parts: Parts, customer: str, tenant: str | None = None, **person: Unpack[Person]) -> tuple[About, ...]:
    """Return everything that is recorded about a customer, a copy for each tenant; that it was made is recorded first.

    Raises:
        NotFoundError: No record is about this customer.
        PowerRefusedError: This person may not read what is personal.
        StoreUnavailableError: The keys are not those of this database.
    """
    found = parts.store.read(lambda reading: subjects(parts, reading, customer, tenant))
    return tuple(_recorded(parts, subject, person) for subject in found)


def _recorded(parts: Parts, subject: Subject, person: Person) -> About:
    copying, copy = parts.store.read(lambda reading: _copied(parts, reading, subject))
    fields = (IDENTITY, *sorted(copying.places))
    privacy.personal_read(parts, Look(WHERE, (subject.pseudonym,), fields, subject.tenant), **person)
    return copy


@dataclass(slots=True)
class _Copying:
    """One copy in the making."""

    parts: Parts
    reading: Reading
    subject: Subject
    places: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)

    def kept(self, record: ActionRecord) -> Kept:
        """Return one action with everything that is recorded of it."""
        lines = tuple(self.line(item) for item in self.reading.entries_of(record.id))
        return Kept(record.id, record.action, str(record.state), record.asked_at, lines, self._result(record.id))

    def line(self, item: Entry) -> Line:
        """Return one entry in the clear, without the names of the people who work here."""
        found = opened(self.parts, self.reading, item)
        self.places.update(found.places)
        self.erased.update(found.erased)
        body = found.document
        bundle = body.get("bundle")
        if bundle and self.reading.bundle(str(bundle)) is not None:
            for policy in self.parts.force.bundle(self.reading, str(bundle)).governing(str(body.get("action"))):
                said = {"name": policy.name, "version": policy.version, "description": policy.description}
                self.policies[policy.digest] = {**said, "owner": policy.owner}
        return Line(item.pos, item.at, _without_staff(body, _agent(body)))

    def _result(self, action_id: str) -> Any:
        packed = self.reading.result(action_id)
        if packed is None:
            return None
        plain = self.parts.vault.open_sealed(Sealed.unpack(packed), results.FIELD, action_id)
        if plain is None:
            self.erased.add(results.FIELD)
            return None
        self.places.add(results.FIELD)
        return orjson.loads(plain)

    def looks(self) -> Iterator[dict[str, Any]]:
        """Yield when somebody looked: at pages of this customer, and at escalations of their actions."""
        for item in privacy.looks_at(self.reading, self.subject.pseudonym):
            body = item.document
            yield {"at": time_text(item.at), "where": body["where"], "fields": body["fields"]}

    def erasures(self) -> Iterator[dict[str, Any]]:
        """Yield what became of wishes to be erased."""
        for kind in _ABOUT_THEM:
            for item in _every(self.reading, EntryFilter(stream=self.subject.tenant, kind=kind)):
                if item.document["on_behalf_of"] == self.subject.pseudonym:
                    yield {"at": time_text(item.at), "kind": kind}


def _copied(parts: Parts, reading: Reading, subject: Subject) -> tuple[_Copying, About]:
    copying = _Copying(parts, reading, subject)
    actions = [copying.kept(record) for record in actions_of(reading, subject.pseudonym)]
    actions.sort(key=lambda item: (item.asked_at, item.lines[0].position if item.lines else 0))
    for item in erasing.confirmations(reading, subject):
        line = copying.line(item)
        actions.append(Kept("", str(line.says["action"]), "confirmed", item.at, (line,)))
    copy = About(
        made_at=reading.now(),
        tenant=subject.tenant,
        pseudonym=subject.pseudonym,
        customer=parts.vault.customer_of(subject.pseudonym),
        actions=tuple(actions),
        policies=copying.policies,
        looks=tuple(copying.looks()),
        erasures=tuple(sorted(copying.erasures(), key=lambda item: str(item["at"]))),
        erased=tuple(sorted(copying.erased)),
    )
    return copying, copy


def _every(reading: Reading, filters: EntryFilter) -> Iterator[Entry]:
    after = 0
    while page := reading.entries(after, 500, filters):
        yield from page
        after = page[-1].pos


def _agent(body: Mapping[str, Any]) -> str:
    actor = body.get("actor") or {}
    return str(actor.get("id", "")) if actor.get("kind") == "agent" else ""


def _without_staff(value: Any, agent: str) -> Any:
    """Return a body without the names of people who decided or operated; agents and customers stay."""
    if isinstance(value, Mapping):
        return {
            name: _name(item, agent) if name in _STAFF else [] if name == "with" else _without_staff(item, agent)
            for name, item in value.items()
        }
    return [_without_staff(item, agent) for item in value] if isinstance(value, list) else value


def _name(item: Any, agent: str) -> Any:
    return A_PERSON if isinstance(item, str) and item and item != agent and not item.startswith("p_") else item


def _request(item: Kept) -> Iterator[tuple[str, str]]:
    """Yield what was asked for, and what was known of the situation."""
    first = next((line.says for line in item.lines if "arguments" in line.says), {})
    for section in ("arguments", "context"):
        for name, value in first.get(section, {}).items():
            yield name, value if isinstance(value, str) else orjson.dumps(value).decode()


def _without_places(digest: str) -> Bundle:
    """Return no files: where a rule stands in which file is nothing to a customer."""
    return Bundle((), digest)
