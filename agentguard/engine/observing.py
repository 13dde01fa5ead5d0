"""Guards that only observe: everything is decided and recorded, nothing is enforced, and the log says since when.

An entry `started` stands where such a guard starts, and where the first one starts after it that enforces again.
"""

from __future__ import annotations

from agentguard.core.entry import ENFORCE, OBSERVE
from agentguard.engine import machine
from agentguard.engine.parts import Parts
from agentguard.log import get_logger
from agentguard.store import Reading, Transaction
from agentguard.store.records import EntryFilter

STARTED = "started"

log = get_logger("guard")


def note_start(parts: Parts, tenant: str) -> None:
    """Write down that a guard starts which only observes, or the first one that enforces after such a one."""
    if parts.observe:
        log.warning("guard.observes", where=machine.process())
    elif not parts.store.read(_was_observed):
        return

    def work(transaction: Transaction) -> None:
        """Write it down, unless another process did meanwhile."""
        if parts.observe or _was_observed(transaction):
            transaction.append(
                {
                    "tenant": tenant,
                    "kind": STARTED,
                    "mode": OBSERVE if parts.observe else ENFORCE,
                    "process": machine.process(),
                    "bundle": transaction.digest_in_force(),
                    "engine": parts.versions.engine,
                }
            )

    parts.store.transact(work)


def _was_observed(reading: Reading) -> bool:
    """Return whether the guard that the log names last only observed."""
    last = reading.entries(0, 1, EntryFilter(kind=STARTED), newest_first=True)
    return bool(last) and last[0].document.get("mode") == OBSERVE
