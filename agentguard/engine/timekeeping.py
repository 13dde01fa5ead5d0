"""What a person does about the ledger's clock: look at it, and say that it can be relied on again."""

from __future__ import annotations

from agentguard.core.digest import time_text
from agentguard.engine.stopping import require_person
from agentguard.store import Store, Transaction


def confirm(store: Store, *, by: str, why: str, tenant: str = "default") -> bool:
    """Say that the clock is right as it is now, for every process on this store; false if nobody doubted it.

    Where it was set back, the ledger's time goes on at half its speed until the clock has caught up.

    Raises:
        ClockError: This machine's clock is not the database server's, which saying so does not change.
        UsageError: Nobody, or no reason, is named.
    """
    require_person(by, why)
    doubted = store.read(lambda reading: reading.clock())
    if not doubted.fault:
        return False

    def work(transaction: Transaction) -> None:
        clock = transaction.clock()
        body = {
            "tenant": tenant,
            "kind": "clock_confirmed",
            "by": by,
            "why": why,
            "doubt": doubted.fault,
            "now": time_text(transaction.now()),
            "clock": time_text(clock.wall),
            "clock_before": time_text(clock.last_wall),
        }
        transaction.append(body)

    with store.clock.trusted():
        store.transact(work)
    return True
