"""The life of an action: its states and the table of moves between them.

The manual's diagram is drawn from this table. A move that is not in it cannot be stored.
"""

from __future__ import annotations

import enum


class State(enum.StrEnum):
    """Where an action is on its walk."""

    PROPOSED = "proposed"
    DENIED = "denied"
    WAITING = "waiting"
    READY = "ready"
    EXECUTING = "executing"
    IN_DOUBT = "in_doubt"
    SETTLED = "settled"
    RELEASED = "released"


MOVES: dict[State, frozenset[State]] = {
    State.PROPOSED: frozenset({State.DENIED, State.WAITING, State.READY, State.EXECUTING}),
    State.WAITING: frozenset({State.WAITING, State.READY, State.EXECUTING, State.DENIED}),
    State.READY: frozenset({State.EXECUTING, State.DENIED}),
    State.EXECUTING: frozenset({State.SETTLED, State.RELEASED, State.IN_DOUBT}),
    State.IN_DOUBT: frozenset({State.IN_DOUBT, State.EXECUTING, State.SETTLED, State.RELEASED}),
    State.RELEASED: frozenset({State.SETTLED}),
    State.SETTLED: frozenset(),
    State.DENIED: frozenset(),
}

BEGINNINGS = frozenset({State.PROPOSED, *MOVES[State.PROPOSED], State.SETTLED})
"""Where a row may begin: proposed, as far as its first decision took it, or settled, if it was done elsewhere."""

FINAL = frozenset({State.DENIED, State.SETTLED, State.RELEASED})
HOLDING = frozenset({State.WAITING, State.READY, State.EXECUTING, State.IN_DOUBT})
"""States in which what an action holds counts; one that waits holds only where its route says `hold: yes`."""


def may_move(before: State, after: State) -> bool:
    """Return whether the table has this move."""
    return after in MOVES[before]


def diagram() -> str:
    """Return the table as a Mermaid state diagram, for the manual."""
    lines = ["stateDiagram-v2", "    [*] --> proposed", "    [*] --> settled: recorded"]
    lines += [f"    {before} --> {after}" for before, moves in MOVES.items() for after in State if after in moves]
    lines += [f"    {state} --> [*]" for state in State if state in FINAL]
    return "\n".join(lines)
