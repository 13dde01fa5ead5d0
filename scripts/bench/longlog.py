"""A log of a million entries that is sealed and verifies, from a few thousand that were run; and how it is verified.

As a program it verifies such a log in a process of its own: `python longlog.py DATABASE` prints how long that took and
how much memory all its processes had together at their largest.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from governed import CUSTOMERS, Shop
from multiply import multiply

from agentguard.engine.sealing import Sealer
from agentguard.evidence.keys import SigningKey
from agentguard.store import Store
from agentguard.store.verification import verify

KEY = SigningKey("bench.example/log", bytes(range(32)))
ENTRIES_OF_AN_ACTION = 2
MOST_RUN = 8 * CUSTOMERS
ALONE = "--alone"
"""Without the rows that the log speaks of."""

WHOSE = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def long_log(path: Path, entries: int) -> int:
    """Make a SQLite file whose log has so many entries or a few more, sealed, and return how many it has."""
    url = f"sqlite:///{path}"
    rounds = max(1, min(MOST_RUN, entries // ENTRIES_OF_AN_ACTION) // CUSTOMERS)
    shop = Shop(url, is_async=True)
    with asyncio.Runner() as runner:
        for _ in range(rounds):
            shop.meet(runner)
    shop.guard.close()
    multiply(path, math.ceil(entries / (rounds * CUSTOMERS * ENTRIES_OF_AN_ACTION)))
    store = Store.open(url)
    sealed = Sealer(store, KEY, "default").seal()
    store.close()
    assert sealed is not None
    return sealed.size


def verified(path: Path, *, rows: bool = True) -> dict[str, float]:
    """Verify a log in a process of its own: entries, seconds, those of processors, and megabytes at their largest."""
    command = [sys.executable, __file__, str(path), *([] if rows else [ALONE])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Verify the log that is named, and print what came out."""
    peaks: dict[str, float] = {}

    def measure(_done: int, _total: int) -> None:
        for process in [str(os.getpid()), *_children()]:
            peaks[process] = max(_peak(process), peaks.get(process, 0))

    store = Store.open(f"sqlite:///{sys.argv[1]}")
    spent = sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, WHOSE))
    began = time.perf_counter()
    result = verify(store, measure, rows=ALONE not in sys.argv)
    seconds = time.perf_counter() - began
    measure(0, 0)
    spent = sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, WHOSE)) - spent
    if not result.ok:
        raise SystemExit(f"expected the log to verify, got {result.findings[:3]}")
    found = {"entries": result.entries, "seconds": seconds, "processor": spent, "megabytes": sum(peaks.values())}
    print(json.dumps(found))


def _children() -> list[str]:
    tasks = Path("/proc/self/task").glob("*/children")
    return [process for task in tasks for process in task.read_text().split()]


def _peak(process: str) -> float:
    """Return the largest resident memory that a process had since it began its program, in megabytes."""
    try:
        status = Path("/proc", process, "status").read_text()
    except FileNotFoundError:  # it has ended
        return 0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(sizes[0]) * 1024 / 1e6 if sizes else 0


if __name__ == "__main__":
    main()
