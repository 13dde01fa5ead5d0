"""What an action gives back: limits that name it under `freed_by` get back what an earlier action counted on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from agentguard.core.money import Money
from agentguard.core.plan import Compiled, Environment, PlannedLimit
from agentguard.engine.parts import Parts
from agentguard.errors import EvaluationError, PolicyError, TamperedError
from agentguard.log import get_logger
from agentguard.store import Transaction
from agentguard.store.records import ActionRecord

log = get_logger("free")

_COUNTING = {"decided": ("limits",), "recorded": ("limits",), "counted": ("posted", "held")}


def free(
    parts: Parts, transaction: Transaction, freeing: ActionRecord, values: Callable[[], Environment]
) -> list[dict[str, Any]]:
    """Give back what the action that another one relates to counted, and return it as the entry says it.

    Only an action of the same tenant is undone, and only one of the same customer where both are known: what was done
    for somebody else stays counted. What was not done has counted nothing that could be given back.

    Args:
        parts: What is in force, and was.
        transaction: The one in which the action is done.
        freeing: The action that is done now, as it stands.
        values: What its amounts are read from, asked for only where a limit says how much.
    """
    original = None if freeing.relates_to is None else transaction.action(freeing.relates_to)
    if original is None or original.tenant != freeing.tenant:
        return []
    if freeing.on_behalf_of and original.on_behalf_of and freeing.on_behalf_of != original.on_behalf_of:
        return []
    freed: list[dict[str, Any]] = []
    seen: set[str] = set()
    for planned, account, unit in _accounts(parts, transaction, original):
        if freeing.action not in planned.freed_by or account in seen:
            continue
        seen.add(account)
        most = _most(planned.freed_by[freeing.action], unit, values)
        amount = transaction.give_back(freeing.id, original.id, account, most)
        if amount:
            told = {"limit": planned.id, "account": account, "unit": unit, "amount": amount}
            freed.append({**told, "action_id": original.id})
    return freed


def _accounts(
    parts: Parts, transaction: Transaction, original: ActionRecord
) -> Iterator[tuple[PlannedLimit, str, str]]:
    """Yield each limit that counts an action, as it was when it began to, with the account."""
    for entry in transaction.entries_of(original.id):
        if entry.kind not in _COUNTING or (entry.kind == "decided" and entry.pos != original.decision_entry):
            continue
        body = entry.document
        try:
            plan = parts.force.plan(parts.force.bundle(transaction, body["bundle"]), original.action)
        except (PolicyError, TamperedError) as error:
            # What is done now has to be written down all the same; what cannot be told to be free stays counted.
            log.error("action.not_given_back", action=original.action, action_id=original.id, error=error.code)  # noqa: TRY400
            continue
        limits = {planned.id: planned for file in plan.enforced for planned in file.limits}
        for item in (item for name in _COUNTING[entry.kind] for item in body.get(name) or ()):
            if item["account"] and item["limit"] in limits:
                yield limits[item["limit"]], item["account"], item["unit"]


def _most(how: Compiled | None, unit: str, values: Callable[[], Environment]) -> int | None:
    """Return at most how much is given back; None for all, and nothing where it cannot be said."""
    if how is None:
        return None
    try:
        value = how(values())
    except EvaluationError:
        return 0  # what cannot be evaluated counts against the request: nothing is given back (law 9)
    if isinstance(value, Money):
        return value.minor if value.currency == unit else 0
    return value if type(value) is int else 0
