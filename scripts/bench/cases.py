"""What is measured: each case opens what it needs on a database of its own and gives the load that it runs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from crew import Crew
from floor import Floor
from governed import Shop
from loads import Run, one, tasks, threads

Load = Callable[[float], Run]
Opened = Callable[[str], AbstractContextManager[Load]]

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table.

    Attributes:
        goals: The ratio to reach where a bare commit is fast, and where it is slow.
    """

    engine: str
    name: str
    opened: Opened
    goals: tuple[float, float] | None = None

    def __str__(self) -> str:
        return f"{self.engine}, {self.name}"


@contextmanager
def one_caller(url: str) -> Iterator[Load]:
    """One thread, one action after the other."""
    shop = Shop(url)
    with asyncio.Runner() as runner:
        shop.meet(runner)
    yield lambda seconds: one(shop.act, seconds)
    shop.guard.close()


def many_threads(callers: int) -> Opened:
    """So many threads of one process."""

    @contextmanager
    def opened(url: str) -> Iterator[Load]:
        shop = Shop(url)
        with asyncio.Runner() as runner:
            shop.meet(runner)
        yield lambda seconds: threads(shop.act, seconds, callers)
        shop.guard.close()

    return opened


def many_tasks(callers: int) -> Opened:
    """So many tasks of one event loop."""

    @contextmanager
    def opened(url: str) -> Iterator[Load]:
        shop = Shop(url, is_async=True)
        with asyncio.Runner() as runner:
            shop.meet(runner)
            yield lambda seconds: runner.run(tasks(shop.aact, seconds, callers))
        shop.guard.close()

    return opened


def processes(count: int, callers: int) -> Opened:
    """So many processes with so many tasks each on one database."""

    @contextmanager
    def opened(url: str) -> Iterator[Load]:
        shop = Shop(url, is_async=True)
        with asyncio.Runner() as runner:
            shop.meet(runner)
        shop.guard.close()
        with Crew([[sys.executable, str(HERE / "crew.py"), url, str(callers)]] * count) as crew:
            yield crew.run

    return opened


def only_rows(callers: int) -> Opened:
    """So many tasks that write what an action writes, and do nothing else."""

    @contextmanager
    def opened(url: str) -> Iterator[Load]:
        floor = Floor(url)
        with asyncio.Runner() as runner:
            yield lambda seconds: runner.run(tasks(floor.act, seconds, callers))
        floor.close()

    return opened


def workflows(python: Path, callers: int) -> Opened:
    """DBOS, in its own environment: workflows of one step."""

    @contextmanager
    def opened(url: str) -> Iterator[Load]:
        with Crew([[str(python), str(HERE / "peers" / "dbos_workflow.py"), url, str(callers)]]) as crew:
            yield crew.run

    return opened


GOVERNED = [
    Case("sqlite", "1 caller", one_caller, (0.40, 0.40)),
    Case("sqlite", "64 threads", many_threads(64)),
    Case("sqlite", "64 tasks", many_tasks(64), (1.8, 9.0)),
    Case("sqlite", "rows alone, 64 tasks", only_rows(64)),
    Case("sqlite", "256 tasks", many_tasks(256)),
    Case("sqlite", "4 processes x 16", processes(4, 16), (1.2, 1.2)),
    Case("postgresql", "1 caller", one_caller),
    Case("postgresql", "64 threads", many_threads(64)),
    Case("postgresql", "64 tasks", many_tasks(64), (1.5, 1.5)),
    Case("postgresql", "4 processes x 16", processes(4, 16)),
]


def of_peers(python: Path, what: str) -> list[Case]:
    """Return the same cases of what others offer."""
    return [
        Case(engine, f"{what}, {callers} caller{'s' if callers > 1 else ''}", workflows(python, callers))
        for engine in ("sqlite", "postgresql")
        for callers in (1, 8, 64)
    ]
