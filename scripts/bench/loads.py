"""Callers: one, many threads, many tasks of one event loop, several processes; each gives what it did and how long."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Run:
    """So many calls, one after the other or at once, and the seconds that each took."""

    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        """Calls a second."""
        return len(self.latencies) / self.seconds

    @classmethod
    def together(cls, runs: list[Self]) -> Self:
        """Return runs that happened at the same time as one."""
        return cls(max(run.seconds for run in runs), [seconds for run in runs for seconds in run.latencies])


def percentile(values: list[float], share: float) -> float:
    """Return the value that so many hundredths of all stay under."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return (values[0],) * 3
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def one(act: Callable[[], None], seconds: float) -> Run:
    """Call again and again for so long, from this thread."""
    latencies: list[float] = []
    started = now = time.perf_counter()
    while now < started + seconds:
        act()
        before, now = now, time.perf_counter()
        latencies.append(now - before)
    return Run(now - started, latencies)


def threads(act: Callable[[], None], seconds: float, callers: int) -> Run:
    """Call from so many threads at once."""
    runs: list[Run] = []
    failures: list[BaseException] = []
    together = threading.Barrier(callers)

    def work() -> None:
        try:
            together.wait()
            runs.append(one(act, seconds))
        except BaseException as error:  # noqa: BLE001 - the caller hears of it, whatever it is
            failures.append(error)

    crowd = [threading.Thread(target=work) for _ in range(callers)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    if failures:
        raise failures[0]
    return Run.together(runs)


async def tasks(act: Callable[[], Awaitable[None]], seconds: float, callers: int) -> Run:
    """Call from so many tasks of this event loop at once."""
    latencies: list[float] = []
    started = time.perf_counter()

    async def work() -> None:
        now = time.perf_counter()
        while now < started + seconds:
            await act()
            before, now = now, time.perf_counter()
            latencies.append(now - before)

    await asyncio.gather(*(work() for _ in range(callers)))
    return Run(time.perf_counter() - started, latencies)
