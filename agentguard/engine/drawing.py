"""Drawing decisions that people look at afterwards, in the transaction that decides: each policy draws by itself.

Drawn from is what was decided without a person and for good: the first decision about an action, to allow it or to deny
it by rules, where no person asked. What leaves its key free (a lookup failed, the customer has not said yes) is decided
when it is asked again. A draw goes by the action's id, which no agent chooses, under a key that it does not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentguard.core.decision import Decision
from agentguard.core.policy import Policy
from agentguard.core.request import ActorKind
from agentguard.core.reviews import DRAWN, SHARE, VERDICTS, Draw, ReviewCase, Sampling, draw, period_of, stratum_of
from agentguard.engine.asking import Ask
from agentguard.engine.parts import Parts
from agentguard.store import Transaction, draws


@dataclass(frozen=True, slots=True)
class Drawn:
    """A draw that a policy's share took."""

    draw: Draw
    policy: Policy
    sampling: Sampling


def drawn_by_share(parts: Parts, asked: Ask, decision: Decision) -> list[Drawn] | None:
    """Return which policies draw the first decision about an action; None where none of them draws at all."""
    asking = [file.policy for file in asked.plan.enforced if file.policy.review is not None]
    if not asking or str(decision.verdict) not in VERDICTS or asked.request.actor.kind is ActorKind.PERSON:
        return None
    return list(taken(parts, asking, asked.action_id))


def taken(parts: Parts, asking: list[Policy], action_id: str) -> Iterator[Drawn]:
    """Yield the draws that the shares of policies take of an action."""
    for policy in asking:
        sampling = policy.review
        if sampling is not None:
            made = draw(parts.vault.draw, policy.name, action_id)
            if made.takes(sampling.share):
                yield Drawn(made, policy, sampling)


def write(
    transaction: Transaction, found: Drawn, body: Mapping[str, Any], position: int, at: datetime, how: str = SHARE
) -> str:
    """Write down that a decision was drawn, and return the id of the case.

    Args:
        transaction: The one that decides, or that ends a period.
        found: The draw, with what asks for it.
        body: The entry of the decision.
        position: Where that entry is.
        at: When it was decided, which says to which period it belongs.
        how: `share` or `least`.
    """
    sampling, made = found.sampling, found.draw
    stratum = stratum_of(sampling.by, body)
    start, _ = period_of(sampling.period, at, found.policy.zone)
    period = start.astimezone(found.policy.zone).date().isoformat()
    transaction.append(
        {
            "tenant": body["tenant"],
            "kind": DRAWN,
            "action_id": body["action_id"],
            "action": body["action"],
            "on_behalf_of": body["on_behalf_of"],
            "review": made.case,
            "policy": found.policy.name,
            "version": found.policy.version,
            "decision_entry": position,
            "how": how,
            "draw": made.value,
            "stratum": dict(zip(sampling.by, stratum, strict=True)),
            "period": {"unit": sampling.period, "from": period},
        }
    )
    case = ReviewCase(made.case, made.policy, body["action_id"], position, stratum, period, how, transaction.now())
    draws.add(transaction, case)
    return made.case
