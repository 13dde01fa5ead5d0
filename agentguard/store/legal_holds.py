"""What a person keeps from being purged and erased: a row each, as long as it holds; the history is in the entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import delete, insert, select

from agentguard.core.digest import canonical_bytes, time_text
from agentguard.store.evidence_tables import LegalHoldRow
from agentguard.store.moment import from_microseconds, to_microseconds
from agentguard.store.reading import Reading
from agentguard.store.records import ActionRecord
from agentguard.store.tables import SELDOM, EntryRow
from agentguard.store.transaction import Transaction

SET, LIFTED = "legal_hold_set", "legal_hold_lifted"

_entry = EntryRow.__table__
_hold = LegalHoldRow.__table__


class Matter(NamedTuple):
    """What may be held: an action, or a yes that stands beside the actions; `customer` is a pseudonym."""

    tenant: str
    customer: str
    action: str
    action_id: str | None
    begun: datetime
    ended: datetime

    @classmethod
    def of(cls, record: ActionRecord) -> Matter:
        """Return what there is to hold of an action."""
        ended = record.updated_at or record.asked_at
        return cls(record.tenant, record.on_behalf_of, record.action, record.id, record.asked_at, ended)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a hold covers: everything that fits all of what it names.

    Attributes:
        customers: Pseudonyms; empty for everybody.
        action: A kind of action, like `refund.issue`.
        action_id: One action.
        since, until: What was asked for or moved in this time, both ends included.
        tenant: Whose records; None for everybody's.
    """

    customers: tuple[str, ...] = ()
    action: str | None = None
    action_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    tenant: str | None = None

    def covers(self, matter: Matter) -> bool:
        """Return whether something is held."""
        names = ((self.action, matter.action), (self.action_id, matter.action_id), (self.tenant, matter.tenant))
        if any(wanted is not None and wanted != found for wanted, found in names):
            return False
        if self.customers and matter.customer not in self.customers:
            return False
        begun_late = self.until is not None and matter.begun > self.until
        ended_early = self.since is not None and matter.ended < self.since
        return not begun_late and not ended_early

    def covers_customer(self, tenant: str, pseudonym: str) -> bool:
        """Return whether everything about a customer is held, whatever they asked for."""
        of_all = self.action is None and self.action_id is None and self.since is None and self.until is None
        return of_all and pseudonym in self.customers and self.tenant in (None, tenant)

    def document(self) -> dict[str, Any]:
        """Return the scope as JSON."""
        return {
            "customers": list(self.customers),
            "action": self.action,
            "action_id": self.action_id,
            "since": None if self.since is None else time_text(self.since),
            "until": None if self.until is None else time_text(self.until),
            "tenant": self.tenant,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Scope:
        """Return the scope that JSON says."""
        return cls(
            customers=tuple(document["customers"]),
            action=document["action"],
            action_id=document["action_id"],
            since=_time(document["since"]),
            until=_time(document["until"]),
            tenant=document["tenant"],
        )


@dataclass(frozen=True, slots=True)
class LegalHold:
    """Somebody's word that something has to stay."""

    id: str
    scope: Scope
    by: str
    why: str
    at: datetime


def legal_holds(reading: Reading) -> tuple[LegalHold, ...]:
    """Return every hold that stands now, the oldest first."""
    return tuple(
        LegalHold(
            row["id"], Scope.of(orjson.loads(row["scope"])), row["by"], row["why"], from_microseconds(row["at_us"])
        )
        for row in reading.rows(select(_hold).order_by(_hold.c.at_us, _hold.c.id))
    )


def contradicted(reading: Reading) -> tuple[str, ...]:
    """Return the ids of holds that stand otherwise than the log says: set, lifted or changed behind its back."""
    said: dict[str, Any] = {}
    kinds = _entry.c.kind.in_((SET, LIFTED))
    for row in reading.rows(select(_entry.c.kind, _entry.c.body).where(kinds, SELDOM).order_by(_entry.c.pos)):
        body = _read(bytes(row["body"]))
        if row["kind"] == SET:
            said[str(body.get("hold"))] = body.get("scope")
        else:
            said.pop(str(body.get("hold")), None)
    rows = reading.rows(select(_hold.c.id, _hold.c.scope))
    stands = {row["id"]: orjson.loads(row["scope"]) for row in rows}
    return tuple(sorted(name for name in said.keys() | stands.keys() if said.get(name) != stands.get(name)))


def add(transaction: Transaction, hold: LegalHold) -> None:
    """Store a hold; the caller appends the entry that says so."""
    scope = canonical_bytes(hold.scope.document()).decode()
    values = {"id": hold.id, "scope": scope, "by": hold.by, "why": hold.why, "at_us": to_microseconds(hold.at)}
    transaction.write(insert(_hold).values(values))


def lift(transaction: Transaction, hold_id: str) -> bool:
    """Take a hold away; False if there is none."""
    return transaction.write(delete(_hold).where(_hold.c.id == hold_id)) == 1


def _read(data: bytes) -> Mapping[str, Any]:
    """Return what an entry says; nothing where it cannot be read, which is found elsewhere."""
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
