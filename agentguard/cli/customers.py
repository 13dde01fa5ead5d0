"""Customers as the command line names them: masked where the keys know them, by pseudonym where they do not."""

from __future__ import annotations

from agentguard.core.prose import masked
from agentguard.engine.guard import Guard


def customer_text(guard: Guard, pseudonym: str | None) -> str:
    """Return a customer as a table may show them; `–` for nobody."""
    if not pseudonym:
        return "–"
    known = guard.audit.customer(pseudonym)
    return pseudonym if known is None else masked(known)
