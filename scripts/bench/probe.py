"""What is measured in a process of its own: processor time, decisions, memory, and how often files are synced.

Each is run as `python probe.py NAME DATABASE` and prints one object; `syncs` is run under strace by this module.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bare import BareSQLite
from floor import Floor
from governed import Shop
from loads import one, percentile, tasks
from sqlalchemy import event
from sqlalchemy.pool import Pool

MARK = "-- an action begins or ends here --"
ACTIONS_UNDER_STRACE = 50
ACTIONS_FOR_MEMORY = int(os.environ.get("BENCH_MEMORY_ACTIONS", "100000"))
CALLERS = 64


def processor_time(path: Path) -> dict[str, float]:
    """Processor time of an action among 64 tasks, of all threads, and of a bare row: microseconds, medians."""
    shop = Shop(f"sqlite:///{path}", is_async=True)
    bare = BareSQLite(path.with_name("bare-cpu.db"))
    floor = Floor(f"sqlite:///{path.with_name('floor-cpu.db')}")
    found: dict[str, list[float]] = {"action": [], "rows alone": [], "bare row": []}
    with asyncio.Runner() as runner:
        shop.meet(runner)
        gc.collect()
        for _ in range(7):
            for name, run in (
                ("action", lambda: runner.run(tasks(shop.aact, 1.0, CALLERS))),
                ("rows alone", lambda: runner.run(tasks(floor.act, 0.3, CALLERS))),
                ("bare row", lambda: bare.run(0.1)),
            ):
                before = time.process_time()
                done = len(run().latencies)
                found[name].append((time.process_time() - before) / done * 1e6)
    floor.close()
    shop.guard.close()
    return {name: statistics.median(values) for name, values in found.items()}


def decisions(path: Path) -> dict[str, float]:
    """Microseconds of a decision that is denied, with its chained entry, without waiting for the disk (WAL NORMAL)."""
    event.listen(Pool, "checkout", without_waiting)
    shop = Shop(f"sqlite:///{path}")
    bare = BareSQLite(path.with_name("bare-normal.db"), synchronous="NORMAL")
    with asyncio.Runner() as runner:
        shop.meet(runner)
        one(shop.refuse, 0.5)
        gc.collect()
        single, rows = [], []
        for _ in range(7):
            single += one(shop.refuse, 0.5).latencies
            rows += bare.run(0.1).latencies
        among_others = runner.run(tasks(shop.arefuse, 2.0, CALLERS))
    shop.guard.close()
    return {
        "p50": percentile(single, 50) * 1e6,
        "p99": percentile(single, 99) * 1e6,
        "among 64": among_others.seconds / len(among_others.latencies) * 1e6,
        "bare p50": percentile(rows, 50) * 1e6,
    }


def without_waiting(connection: Any, record: Any, _proxy: Any) -> None:
    """Let a connection commit without a sync: durable when the process dies, not when the power does."""
    if "relaxed" not in record.info:
        connection.execute("PRAGMA synchronous = NORMAL")
        record.info["relaxed"] = True


def memory(path: Path) -> dict[str, float]:
    """Resident memory in MB after a tenth of the actions, and after all of them."""
    shop = Shop(f"sqlite:///{path}", is_async=True)
    sizes, done = [], 0
    with asyncio.Runner() as runner:
        shop.meet(runner)
        for goal in (ACTIONS_FOR_MEMORY // 10, ACTIONS_FOR_MEMORY):
            while done < goal:
                done += len(runner.run(tasks(shop.aact, 0.5, CALLERS)).latencies)
            gc.collect()
            sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
    shop.guard.close()
    return {"actions": done, "after a tenth": sizes[0], "after all": sizes[1], "grown": sizes[1] / sizes[0]}


def act(path: Path) -> dict[str, float]:
    """Run the actions whose syncs are counted, with a mark before and after each."""
    shop = Shop(f"sqlite:///{path}")
    with asyncio.Runner() as runner:
        shop.meet(runner)
    for _ in range(ACTIONS_UNDER_STRACE):
        shop.act()
        os.write(2, MARK.encode())
    shop.guard.close()
    return {}


def syncs(path: Path) -> dict[str, float]:
    """Syncs an action of one caller: of most actions, and on average, with those of SQLite's checkpoints."""
    if shutil.which("strace") is None:
        raise SystemExit("not measured: strace is not here")
    trace = path.with_name("syncs.txt")
    strace = ["strace", "-f", "-y", "-qq", "-s", "100", "-o", str(trace), "-e", "trace=fdatasync,fsync,write"]
    subprocess.run([*strace, sys.executable, __file__, "act", str(path)], check=True, capture_output=True)
    counts = [len(re.findall(r"(?:fdatasync|fsync)\(", between)) for between in trace.read_text().split(MARK)[1:-1]]
    return {"median": statistics.median(counts), "mean": statistics.mean(counts)}


PROBES: dict[str, Callable[[Path], dict[str, float]]] = {
    "cpu": processor_time,
    "decisions": decisions,
    "memory": memory,
    "syncs": syncs,
    "act": act,
}


def probe(name: str, path: Path) -> dict[str, float]:
    """Run one of the above in a process of its own."""
    done = subprocess.run([sys.executable, __file__, name, str(path)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the probe `{name}` ended with {done.returncode}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[1]](Path(sys.argv[2]))))
