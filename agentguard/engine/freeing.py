"""What an action gives back: limits that name it under `freed_by` get back what an earlier action counted on them.

What undoes an action in doubt cannot give back what nobody knows was counted. An entry keeps it, and it is given back
when the action turns out to have been done, unless it was sent again meanwhile: then it may have been done after it
had been undone, and stays counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from agentguard.core.lifecycle import State
from agentguard.core.money import Money
from agentguard.core.plan import Compiled, Environment, PlannedLimit
from agentguard.engine.parts import Parts
from agentguard.errors import EvaluationError, PolicyError, TamperedError
from agentguard.log import get_logger
from agentguard.store import Transaction
from agentguard.store.records import ActionRecord, Entry

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
    amounts: dict[str, tuple[PlannedLimit, str, int | None]] = {}
    for planned, account, unit in _accounts(parts, transaction, original):
        if freeing.action in planned.freed_by and account not in amounts:
            amounts[account] = planned, unit, _most(planned.freed_by[freeing.action], unit, values)
    wanted = [
        {"limit": planned.id, "account": account, "unit": unit, "most": most}
        for account, (planned, unit, most) in amounts.items()
    ]
    if original.state is not State.IN_DOUBT:
        return _given_back(transaction, freeing.id, original.id, wanted)
    if wanted:
        about = about_action(_decision(transaction, original))
        transaction.append({**about, "kind": "undone", "undone_by": freeing.id, "gives_back": wanted})
    return []


def free_what_waited(transaction: Transaction, original: ActionRecord) -> None:
    """Give back what an action counts that is done after all, and was undone while it was in doubt."""
    entries = transaction.entries_of(original.id)
    for item in entries:
        if item.kind != "undone" or not was_known(entries, item.pos):
            continue
        undone_by = item.document["undone_by"]
        freed = _given_back(transaction, undone_by, original.id, item.document["gives_back"])
        undoing = transaction.action(undone_by)
        if freed and undoing is not None:
            decided = _decision(transaction, undoing)
            transaction.append(
                {**about_action(decided), "kind": "counted", "bundle": decided["bundle"], "freed": freed}
            )


def was_known(entries: Sequence[Entry], position: int) -> bool:
    """Return whether what was done at a position of the log could undo an action, of which these are all the entries.

    It had been done by then, or it was in doubt and has not been sent again since.
    """
    known = False
    for item in entries:
        if item.kind in ("settled", "recorded") and item.pos < position:
            return True
        if item.kind == "in_doubt" and item.pos < position:
            known = True
        elif item.kind == "sent_again":
            known = False
    return known


def about_action(decided: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every entry says of an action, from the entry that decided it."""
    return {name: decided[name] for name in ("tenant", "action_id", "action", "key", "actor", "on_behalf_of")}


def _decision(transaction: Transaction, record: ActionRecord) -> Mapping[str, Any]:
    found = transaction.entry(record.decision_entry or 0)
    if found is None:
        raise TamperedError(f"expected the entry that decided action `{record.id}`, got none")
    return found.document


def _given_back(
    transaction: Transaction, action_id: str, original: str, wanted: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    freed: list[dict[str, Any]] = []
    for item in wanted:
        amount = transaction.give_back(action_id, original, item["account"], item["most"])
        if amount:
            told = {name: item[name] for name in ("limit", "account", "unit")}
            freed.append({**told, "amount": amount, "action_id": original})
    return freed


def _accounts(
    parts: Parts, transaction: Transaction, original: ActionRecord
) -> Iterator[tuple[PlannedLimit, str, str]]:
    """Yield each limit that counts an action, as it was when it began to, with the account."""
    for entry in transaction.entries_of(original.id):
        if entry.kind not in _COUNTING or (entry.kind == "decided" and entry.pos != original.decision_entry):
            continue
        if entry.is_purged:
            continue  # what cannot be told to be free stays counted
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
