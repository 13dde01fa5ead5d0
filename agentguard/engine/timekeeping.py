"""What a person does about the ledger's clock: look at it, and say that it can be relied on again."""

from __future__ import annotations

from typing import Unpack

from agentguard.core.digest import time_text
from agentguard.engine import powers
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Person, Use
from agentguard.store import Transaction


def confirm(parts: Parts, tenant: str, **person: Unpack[Person]) -> bool:
    """Say that the clock is right as it is now, for every process on this store; false if nobody doubted it.

    Where it was set back, the ledger's time goes on at half its speed until the clock has caught up.

    Raises:
        ClockError: This machine's clock is not the database server's, which saying so does not change.
        PowerRefusedError: This person may not.
        UsageError: Nobody, or no reason, is named.
    """
    powers.require_person(**person)
    store = parts.store
    doubted = store.read(lambda reading: reading.clock())
    if not doubted.fault:
        return False

    # Before the clock is trusted: a refusal that is written down must not be what makes it right.
    permit = powers.permitted(parts, Use("confirm_clock", "clock", tenant, **person))

    def work(transaction: Transaction) -> None:
        """Write down who says so, and rely on the clock again."""
        clock = transaction.clock()
        body = {
            "tenant": tenant,
            "kind": "clock_confirmed",
            **permit.recorded(),
            "doubt": doubted.fault,
            "now": time_text(transaction.now()),
            "clock": time_text(clock.wall),
            "clock_before": time_text(clock.last_wall),
        }
        transaction.append(body)

    with store.clock.trusted():
        store.transact(work)
    return True
