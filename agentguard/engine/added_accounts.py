"""Accounts that an action counts on though its decision did not know them: limits that came into force meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from agentguard.core.counting import PastAction, past_values
from agentguard.core.language import Value
from agentguard.core.lifecycle import State
from agentguard.core.limits import AccountNeed, account_need, applies, measured
from agentguard.engine.asking import CUSTOMARY_CONTEXT
from agentguard.engine.openings import Beginning, activations_since, opened
from agentguard.engine.parts import Parts
from agentguard.engine.undertaking import Undertaking
from agentguard.errors import ConformError, EvaluationError
from agentguard.store import Reading
from agentguard.store.records import ActionRecord


@dataclass(frozen=True, slots=True)
class AddedAccounts:
    """What an action that is done comes to on them.

    Attributes:
        held: By account, where it holds.
        unheld: By account, unit and amount where it does not hold any more: given back, and done all the same.
    """

    held: Mapping[str, int] = field(default_factory=dict)
    unheld: Mapping[str, tuple[str, int]] = field(default_factory=dict)


def added_accounts(
    parts: Parts, reading: Reading, begun: Undertaking, record: ActionRecord, real: Mapping[str, Value]
) -> AddedAccounts:
    """Return what really happened on the accounts that an action did not hold on when it was decided.

    Where that cannot be said, because something was erased since, what is held is what is settled.
    """
    own = {account for account, _ in begun.holds.values()}
    held = {account: amount for account, (_, amount) in reading.held(record.id).items() if account not in own}
    late = record.state is State.RELEASED
    if not late and not (held and real):
        return AddedAccounts(held)
    unheld: dict[str, tuple[str, int]] = {}
    for account, unit, amount in _beside(parts, reading, begun, record, real):
        if account in held:
            held[account] = amount
        elif late and amount > 0 and account not in own:
            unheld[account] = unit, amount
    for need, counts in _needs_since(parts, reading, begun, record, real):
        account = parts.keyed(need.account)
        if account in held:
            held[account] = need.amount
        elif late and counts and need.amount > 0 and account not in own:
            unheld[account] = need.unit, need.amount
    return AddedAccounts(held, unheld)


def _needs_since(
    parts: Parts, reading: Reading, begun: Undertaking, record: ActionRecord, real: Mapping[str, Value]
) -> Iterator[tuple[AccountNeed, bool]]:
    """Yield what each limit needs that was filled since the decision, and whether it counts this action."""
    past = _past(begun, real)
    put = (each for body in activations_since(reading, record.decision_entry or 0) for each in opened(body))
    for bundle, limits in put:
        filled = {name for name, limit in limits.items() if limit["account"] == Beginning.FILLED}
        plan = parts.force.plan(parts.force.bundle(reading, bundle), record.action)
        values = past_values(plan, past)
        for planned in (planned for file in plan.enforced for planned in file.limits if planned.id in filled):
            try:
                yield account_need(planned, begun.request, values, begun.decided_at), applies(planned, values)
            except (EvaluationError, ConformError):
                continue  # it was not counted when its limit came into force either, and the entry of that says so


def _beside(
    parts: Parts, reading: Reading, begun: Undertaking, record: ActionRecord, real: Mapping[str, Value]
) -> Iterator[tuple[str, str, int]]:
    """Yield what the other version of a canary counts of it: the accounts are those that were held on then."""
    past = _past(begun, real)
    entries = reading.entries_of(record.id)
    decided = max((item.pos for item in entries if item.kind == "decided"), default=0)
    for item in entries:
        if item.kind != "counted" or item.pos < decided:
            continue
        body = item.document
        plan = parts.force.plan(parts.force.bundle(reading, body["bundle"]), record.action)
        limits = {planned.id: planned for file in plan.enforced for planned in file.limits}
        values = past_values(plan, past)
        for held in body.get("held", ()):
            try:
                amount, unit = measured(limits[held["limit"]], values)
            except EvaluationError:
                amount, unit = held["amount"], held["unit"]  # what it reads is not in the record
            yield held["account"], held["unit"], amount if unit == held["unit"] else held["amount"]


def _past(begun: Undertaking, real: Mapping[str, Value]) -> PastAction:
    return PastAction(
        plan=begun.plan,
        request=begun.request,
        facts=begun.facts,
        now=begun.decided_at,
        real=real,
        told=CUSTOMARY_CONTEXT,
        erased=_erased(begun),
    )


def _erased(begun: Undertaking) -> frozenset[str]:
    """Return what a restored request does not say any more: an erased customer stands as the pseudonym."""
    if not begun.pseudonym or begun.request.on_behalf_of != begun.pseudonym:
        return frozenset()
    declared = {**begun.plan.arguments, **begun.plan.context}
    return frozenset({"on_behalf_of", *(name for name, kind in declared.items() if kind.personal)})
