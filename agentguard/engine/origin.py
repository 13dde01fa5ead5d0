"""What the log is called in its checkpoints: its own name, and another one after each time that a backup was restored.

A witness that has seen the log longer than its backup would never sign the shorter one; whoever restores it says so in
an entry, and goes on under a name of its own.
"""

from __future__ import annotations

from agentguard.store import Reading
from agentguard.store.seals import count_of

RESTORED = "restored"


def origin(reading: Reading) -> str:
    """Return the origin of the log as it stands: `agentguard/NAME`, or `agentguard/NAME/restored-N`."""
    return origin_of(reading.log_name(), count_of(reading, RESTORED))


def origin_of(log: str, restores: int) -> str:
    """Return the origin of a log that was restored so often."""
    return f"agentguard/{log}/restored-{restores}" if restores else f"agentguard/{log}"


def log_of(name: str) -> str:
    """Return what an origin's log was called before any restore."""
    return name.partition(f"/{RESTORED}-")[0]


def is_restored(name: str) -> bool:
    """Return whether an origin is of a log whose backup was restored."""
    return "/restored-" in name
