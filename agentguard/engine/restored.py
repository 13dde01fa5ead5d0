"""A person says that an older database was put back on purpose: the log goes on under a name of its own.

What was lost stays visible: the entry has the checkpoints that the witnesses have of the log as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

from agentguard.engine import powers
from agentguard.engine.comparing import Comparison, compared
from agentguard.engine.origin import RESTORED, origin, origin_of
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Permit, Person, Use
from agentguard.engine.witness import generation
from agentguard.errors import UsageError
from agentguard.store import Reading, Transaction


@dataclass(frozen=True, slots=True)
class Restoration:
    """What came of saying that a backup was restored; true once it is recorded.

    Attributes:
        origin: What the log is called from here on.
        missing: How many more people have to say so.
        entry: Position of the entry about it.
        found: What the witnesses have.
    """

    origin: str
    missing: int
    entry: int
    found: Comparison

    def __bool__(self) -> bool:
        return not self.missing


def record_restore(parts: Parts, tenant: str, *, anyway: bool = False, **person: Unpack[Person]) -> Restoration:
    """Record that an older database was put back on purpose, once enough people say so.

    Args:
        parts: Of a guard with the log's witnesses.
        tenant: In whose records the entry is.
        anyway: Record it though no witness says that anything is missing.
        person: Who says so, and why.

    Raises:
        PowerRefusedError: This person may not, or has said so already and somebody else has to.
        UsageError: No witness has anything that is not here; or nobody or no reason is named.
    """
    powers.require_person(**person)
    found = compared(parts.store, parts.witnessing, parts.waits.witness.total_seconds())
    if not found.differences and not anyway:
        unasked = "".join(f"; witness `{name}` cannot be asked: {why}" for name, why in found.unasked.items())
        raise UsageError(
            f"expected a log that is older than its witnesses have it, got the {found.here} entries of "
            f"`{found.origin}`, which none of them contradicts{unasked}; to record a restore all the same, say `anyway`"
        )
    following = parts.store.read(_following)

    def work(transaction: Transaction, permit: Permit) -> Restoration:
        """Record it under the name that follows, unless somebody did meanwhile."""
        if _following(transaction) != following:
            raise UsageError(f"expected `{found.origin}` to be restored, but somebody recorded that meanwhile")
        agreement = permit.together(transaction)
        if agreement.missing:
            return Restoration(following, agreement.missing, agreement.entry, found)
        body = {
            "tenant": tenant,
            "kind": RESTORED,
            "origin": following,
            "continues": found.origin,
            "here": transaction.position(),
            "sealed": found.sealed,
            "lost": found.lost,
            "witnessed": {
                item.witness: {"size": item.size, "note": item.note, "why": item.why} for item in found.differences
            },
            **permit.recorded(agreement),
        }
        return Restoration(following, 0, transaction.append(body).pos, found)

    return powers.used(parts, Use("restore", following, tenant, **person), work)


def _following(reading: Reading) -> str:
    _, restores = generation(origin(reading))
    return origin_of(reading.log_name(), restores + 1)
