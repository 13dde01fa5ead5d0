"""Customers as the command line names them: masked where the keys know them, by pseudonym where they do not."""

from __future__ import annotations

from agentguard.engine.guard import Guard

_SHORT = 6


def customer_text(guard: Guard, pseudonym: str | None) -> str:
    """Return a customer as a table may show them; `–` for nobody."""
    if not pseudonym:
        return "–"
    known = guard.audit.customer(pseudonym)
    return pseudonym if known is None else masked(known)


def masked(customer: str) -> str:
    """Return enough of a customer's id to tell two apart, and not enough to write to them."""
    name, at, domain = customer.partition("@")
    if at:
        return f"{name[:1]}…@{domain}"
    if len(customer) <= _SHORT:
        return f"{customer[:1]}…{customer[-1:]}"
    return f"{customer[:3]}…{customer[-2:]}"
