"""Sealed values that are gone, or are not: each as the entries about erasures say, or somebody was at them."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from agentguard.store.reading import Reading
from agentguard.store.statement import Statement
from agentguard.store.tables import SELDOM, ActionRow, EntryRow
from agentguard.store.verification.agreement import said_by
from agentguard.store.verification.finding import Findings

ERASING, ERASED = "erasing", "erased"

_action = ActionRow.__table__
_entry = EntryRow.__table__
_CUSTOMER = Statement(select(_action.c.on_behalf_of).where(_action.c.id == bindparam("id")), ["id"])


class Erasures:
    """What the log says of the customers that were erased, in one view.

    Attributes:
        unfounded: The entries that say that an erasure was done which no entry says was begun, with the customer.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._begun: dict[str, set[int]] = {}
        self._done: dict[str, int] = {}
        self.unfounded: list[tuple[int, str]] = []
        kinds = _entry.c.kind.in_((ERASING, ERASED))
        query = select(_entry.c.pos, _entry.c.kind, _entry.c.body).where(kinds, SELDOM).order_by(_entry.c.pos)
        for row in reading.rows(query):
            body = said_by(bytes(row["body"])) or {}
            customer, begun = str(body.get("on_behalf_of")), body.get("begun")
            if row["kind"] == ERASING:
                self._begun.setdefault(customer, set()).add(row["pos"])
            elif isinstance(begun, int) and begun in self._begun.get(customer, ()):
                self._done[customer] = max(self._done.get(customer, 0), begun)
            elif row["body"]:
                self.unfounded.append((row["pos"], customer))

    def lost(self, pos: int, customer: str | None, action_id: str | None) -> str:
        """Return what is wrong with it that a sealed value is gone; empty if its entry's customer was erased."""
        who = self._who(customer, action_id)
        if any(begun > pos for begun in self._begun.get(who, ())):
            return ""
        return "expected a sealed value, or an entry that its customer is erased, got neither: it was taken away"

    def left(self, pos: int, customer: str | None, action_id: str | None) -> str:
        """Return what is wrong with it that a sealed value is there; empty if its entry's customer is not erased."""
        begun = self._done.get(self._who(customer, action_id), 0) if self._done else 0
        if begun <= pos:
            return ""
        return f"expected no sealed value of a customer whom entry {begun} began to erase, got one: it was put back"

    def _who(self, customer: str | None, action_id: str | None) -> str:
        """Return whose an entry is: some stand under an action and do not say it themselves."""
        found = self._reading.found(_CUSTOMER, action_id) if customer is None and action_id is not None else ()
        return str(found[0][0]) if found else str(customer)


def check_erasures(reading: Reading, findings: Findings) -> None:
    """Report each entry that says that somebody is erased, of whom none says that it was begun."""
    for pos, customer in Erasures(reading).unfounded:
        words = f"expected an earlier entry that erasing `{customer:.100}` began, got none: it was never done so"
        findings.report(pos, "sealed", words)
