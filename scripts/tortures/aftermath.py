"""After the storm: what was abandoned is recovered, and a person looks into what nobody can ask about."""

from __future__ import annotations

import time

from agentguard import Guard
from agentguard.core.lifecycle import State
from scripts.tortures.shop import GRACE, LAG, TIMEOUT, Place
from scripts.tortures.worker import let_go_on, look_into_doubts

PATIENCE = 60.0
OPEN = (State.PROPOSED, State.WAITING, State.READY, State.EXECUTING)


def recover(guard: Guard, place: Place) -> int:
    """Recover until nothing more comes of it; returns how many doubts a person had to look into."""
    let_go_on(guard, "auditor")
    time.sleep((TIMEOUT + GRACE + LAG).total_seconds())
    until = time.monotonic() + PATIENCE
    asked = 0
    while time.monotonic() < until:
        guard.recover()
        asked += look_into_doubts(guard, place, by="auditor")
        if not unfinished(guard):
            break
        time.sleep(0.2)
    return asked


def unfinished(guard: Guard) -> dict[State, int]:
    """Return how many actions stand where none may stay, by state."""
    counts = guard.store.read(lambda reading: reading.count_actions())
    return {state: counts[state] for state in (*OPEN, State.IN_DOUBT) if counts.get(state)}
