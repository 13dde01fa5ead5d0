"""What settled actions are remembered by, so that a requirement finds them: the values that some requirement asks for.

Nothing else is remembered. When policies come into force that ask for more, what was settled before is remembered from
the log, in the same transaction; values that were erased are not, and no requirement finds an action by them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from agentguard.core.digest import encode
from agentguard.core.language import Value
from agentguard.core.policy import Bundle
from agentguard.core.reader import time_of
from agentguard.core.request import Request
from agentguard.engine.filling import decision_of
from agentguard.engine.openings import remembered_until
from agentguard.engine.parts import Parts
from agentguard.engine.restoring import reader_of
from agentguard.store import Reading, Transaction
from agentguard.store.records import Entry, EntryFilter

CUSTOMER = "on_behalf_of"
PAGE = 500

_DONE = ("settled", "recorded")


def remember(
    parts: Parts,
    transaction: Transaction,
    action_id: str,
    request: Request,
    position: int,
    at: datetime | None = None,
) -> None:
    """Remember an action that was done by what the policies in force ask for, those of a canary included.

    Args:
        parts: What is in force.
        transaction: The one that settles it.
        action_id: The action's id.
        request: What was asked for.
        position: Position of the entry that says it was done.
        at: When, if not now.
    """
    names = parts.force.remembered(transaction, request.action)
    if names:
        values = _digests(parts, _told(request), names)
        transaction.remember_values(action_id, request.tenant, request.action, values, position, at)


def remember_before(parts: Parts, transaction: Transaction, bundle: Bundle) -> dict[str, list[str]]:
    """Remember what was done before a bundle comes into force, and return by action what is remembered from now on.

    Raises:
        StoreUnavailableError: Something is to be remembered, and the keys file is not the one of this database.
        TamperedError: The log names policies or entries that the store does not have.
    """
    asked = parts.force.asked_later(bundle)
    wanted = frozenset((action, name) for action, names in asked.items() for name in names)
    known = remembered_until(transaction, wanted)
    missing = {pair: known.get(pair) or 0 for pair in wanted if known.get(pair, 0) is not None}
    if missing and transaction.digest_in_force() is not None:
        parts.require_keys(transaction)
        for item in _done_after(transaction, min(missing.values())):
            if item.is_purged:
                continue  # what it was is gone; a requirement that asks for it is not met
            action = item.document["action"]
            names = frozenset(name for (of, name), after in missing.items() if of == action and item.pos > after)
            if names:
                _remember_one(parts, transaction, item, names)
    return {action: sorted(names) for action, names in sorted(asked.items())}


def _done_after(reading: Reading, position: int) -> Iterator[Entry]:
    return itertools.chain.from_iterable(_entries(reading, position, EntryFilter(kind=kind)) for kind in _DONE)


def _entries(reading: Reading, after: int, wanted: EntryFilter) -> Iterator[Entry]:
    while page := reading.entries(after, PAGE, wanted):
        yield from page
        after = page[-1].pos


def _remember_one(parts: Parts, transaction: Transaction, item: Entry, names: frozenset[str]) -> None:
    body = item.document
    decided = decision_of(transaction, body)
    plan = parts.force.plan(parts.force.bundle(transaction, decided["bundle"]), decided["action"])
    narrowed = {
        **decided,
        "arguments": {name: value for name, value in decided["arguments"].items() if name in names},
        "context": {name: value for name, value in decided["context"].items() if name in names},
    }
    pseudonym = decided[CUSTOMER]
    customer = parts.vault.customer_of(pseudonym) if pseudonym and CUSTOMER in names else pseudonym
    values = _told(reader_of(parts, transaction, narrowed, plan).request(customer))
    if customer is None:
        del values[CUSTOMER]
    at = min(time_of(body["happened_at"]), item.at) if item.kind == "recorded" else item.at
    digests = _digests(parts, values, names)
    transaction.remember_values(body["action_id"], body["tenant"], body["action"], digests, item.pos, at)


def _told(request: Request) -> dict[str, Value]:
    """Return what a later requirement can ask to be the same."""
    return {
        **request.arguments,
        **request.context,
        CUSTOMER: request.on_behalf_of,
        "agent.id": request.actor.id,
    }


def _digests(parts: Parts, values: Mapping[str, Any], names: frozenset[str]) -> dict[str, str]:
    return {name: parts.keyed_value(encode(values[name])) for name in sorted(names) if name in values}
