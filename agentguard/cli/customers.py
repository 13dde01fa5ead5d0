"""Customers as the command line names them: masked where the keys know them, by pseudonym where they do not."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from agentguard.core.narration.narrator import Narrator
from agentguard.core.prose import masked
from agentguard.engine.guard import Guard
from agentguard.store.records import Entry


def customer_text(guard: Guard, pseudonym: str | None) -> str:
    """Return a customer as a table may show them; `–` for nobody."""
    if not pseudonym:
        return "–"
    known = guard.audit.customer(pseudonym)
    return pseudonym if known is None else masked(known)


def narrator(guard: Guard, entries: Iterable[Entry]) -> Narrator:
    """Return who tells entries, with customers as the command line names them."""
    return Narrator((entry.document for entry in entries), guard.audit.bundle, partial(customer_text, guard))
