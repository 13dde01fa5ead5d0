"""What an action counts under the version of a canary that does not decide it: both count on the same accounts.

An action that is permitted holds on every account that either version has, so that neither gives a second budget and
promoting or aborting the canary fills nothing. What the other version cannot evaluate is not guessed, and stands in no
one's way: an entry names it as not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from agentguard.core.beside import Beside
from agentguard.core.canary import InForce
from agentguard.core.counting import PastAction, counted, past_values
from agentguard.core.language import Value
from agentguard.core.limits import AccountNeed
from agentguard.core.request import Fact, Request
from agentguard.engine.asking import CUSTOMARY_CONTEXT
from agentguard.engine.freeing import about_action
from agentguard.engine.parts import Parts
from agentguard.errors import EvaluationError
from agentguard.store import Transaction
from agentguard.store.records import Movement


@dataclass(frozen=True, slots=True)
class CountedBeside:
    """What an action comes to on accounts that only the other version has.

    Attributes:
        bundle: The digest of the other version.
        needs: By the account's keyed digest.
        uncounted: By limit, why it cannot be said.
    """

    bundle: str = ""
    needs: Mapping[str, AccountNeed] = field(default_factory=dict)
    uncounted: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.needs or self.uncounted)

    def entry(self, about: Mapping[str, Any], how: str) -> dict[str, Any]:
        """Return the body of the entry beside the one that decides: what is `held` or `posted`, and what is neither."""
        told = [
            {"limit": need.limit, "account": account, "unit": need.unit, "amount": need.amount}
            for account, need in self.needs.items()
        ]
        return {**about, "kind": "counted", "bundle": self.bundle, how: told, "uncounted": dict(self.uncounted)}


class Sides(NamedTuple):
    """What a decision takes of both versions.

    Attributes:
        in_force: What decides for whom, as it was looked up.
        other: What the version that does not decide counts; None where it has no accounts of its own.
        facts: Everything that was looked up, what only the other version reads included.
    """

    in_force: InForce
    other: Beside | None
    facts: Mapping[str, Fact]

    def recorded(self, request: Request) -> dict[str, Any] | None:
        """Return what the entry of a decision says of the canary: both versions, and whom it decides for."""
        canary = self.in_force.canary
        if canary is None:
            return None
        side = self.in_force.side(request.tenant, request.on_behalf_of)
        return {
            "number": side.number,
            "share": canary.share,
            "bundle": canary.bundle,
            "rest": self.in_force.bundle,
        }

    def counted(self, parts: Parts, request: Request, now: datetime) -> CountedBeside:
        """Return what a request comes to on the accounts that only the other version has."""
        return counted_beside(parts, self.other, request, self.facts, now)


NOTHING = CountedBeside()


def counted_beside(
    parts: Parts,
    other: Beside | None,
    request: Request,
    facts: Mapping[str, Fact],
    now: datetime,
    real: Mapping[str, Value] | None = None,
) -> CountedBeside:
    """Return what a request comes to on the accounts that only the other version has."""
    if other is None:
        return NOTHING
    past = PastAction(other.looking, request, facts, now, real=real or {}, told=CUSTOMARY_CONTEXT)
    values = past_values(other.plan, past)
    needs: dict[str, AccountNeed] = {}
    uncounted: dict[str, str] = {}
    for planned in other.limits:
        try:
            need = counted(planned, past, values)
        except EvaluationError as error:
            uncounted[planned.id] = error.reason
            continue
        if need is not None:
            needs.setdefault(parts.account(need.account), need)
    return CountedBeside(other.plan.bundle_digest, needs, uncounted)


def post_beside(transaction: Transaction, found: CountedBeside, decided: Mapping[str, Any], at: datetime) -> None:
    """Post what was done elsewhere on the accounts that only the other version has, and say so in an entry."""
    for account, need in found.needs.items():
        transaction.backfill(account, need.unit, [Movement(at, need.amount, decided["action_id"])])
    if found:
        transaction.append(found.entry(about_action(decided), "posted"))


def hold_beside(transaction: Transaction, found: CountedBeside, decided: Mapping[str, Any]) -> None:
    """Hold on the accounts that only the other version has, and say so in an entry, unless that was done before."""
    action_id = decided["action_id"]
    held = transaction.held(action_id)
    new = replace(found, needs={account: need for account, need in found.needs.items() if account not in held})
    for account, need in new.needs.items():
        transaction.hold(action_id, account, need.unit, need.amount)
    if new:
        transaction.append(new.entry(about_action(decided), "held"))
