"""Which pseudonyms a customer has in the log: one for each tenant whose records know them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from agentguard.core.prose import masked
from agentguard.engine.parts import Parts
from agentguard.errors import NotFoundError, UsageError
from agentguard.store import Reading
from agentguard.store.forgetting import streams
from agentguard.store.records import ActionRecord

_PSEUDONYM = re.compile(r"p_[0-9a-f]{32}")
_PAGE = 500


class Subject(NamedTuple):
    """A customer as one tenant's records call them."""

    tenant: str
    pseudonym: str


def is_pseudonym(customer: str) -> bool:
    """Return whether a customer is named as the log calls them, and not as the host does."""
    return _PSEUDONYM.fullmatch(customer) is not None


def subjects(parts: Parts, reading: Reading, customer: str, tenant: str | None = None) -> tuple[Subject, ...]:
    """Return whom a customer's id, or a pseudonym, means.

    Args:
        parts: The store and the vault.
        reading: One consistent view.
        customer: The customer's id as the host knows it, or a pseudonym.
        tenant: Whose records; None for everybody's.

    Raises:
        NotFoundError: No record is about this customer.
        StoreUnavailableError: The keys are not those of this database.
    """
    if not customer:
        raise UsageError("expected `customer` as text: an id, or a pseudonym from the log")
    parts.require_keys(reading)
    if is_pseudonym(customer):
        known = reading.actions_for(customer, 1)
        found = [Subject(known[0].tenant, customer)] if known else []
        found = [item for item in found if tenant in (None, item.tenant)]
    else:
        tenants = streams(reading) if tenant is None else iter([tenant])
        named = [Subject(name, parts.vault.name_of(name, customer)) for name in tenants]
        found = [item for item in named if _is_known(parts, reading, item)]
    if not found:
        raise NotFoundError(f"expected a customer whom the log knows, got `{masked(customer)}`, of whom it has nothing")
    return tuple(found)


def _is_known(parts: Parts, reading: Reading, subject: Subject) -> bool:
    return parts.vault.customer_of(subject.pseudonym) is not None or bool(reading.actions_for(subject.pseudonym, 1))


def actions_of(reading: Reading, pseudonym: str) -> Iterator[ActionRecord]:
    """Yield every action of a customer, the newest first."""
    before = ""
    while page := reading.actions_for(pseudonym, _PAGE, before):
        yield from page
        before = page[-1].id
