"""Who does the parts of a check: this process, or several that open the database themselves.

They are neither forked, since the application may have threads, nor started by `multiprocessing`, which would run the
application's main module once more. Each is Python with one module of ours, and is told where the database is by a
pipe, since everybody can read a command line.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any, Self

from agentguard.store.database import Store
from agentguard.store.verification.job import Done, Job
from agentguard.store.verification.stretch import Known

MOST = 8
WORTH_IT = 40_000
"""Entries below which starting Python again takes longer than what it would save."""

MOST_UNDER_WAY = 64
"""Parts that may be done before one that takes long; what they came to is little."""

_CODE = "from agentguard.store.verification.worker import main; main()"


def how_many(entries: int) -> int:
    """Return how many processes are worth starting for a log."""
    if entries < WORTH_IT or not sys.executable:
        return 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST, usable)


class Crew:
    """Does jobs and gives what they came to in order, with few of them under way."""

    def __init__(self, store: Store, processes: int) -> None:
        self._store = store
        self._known = Known()
        self._here = threading.Lock()
        self._idle = [_Process(store) for _ in range(processes if processes > 1 else 0)]
        self._all = tuple(self._idle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._all:
            process.end()

    def do(self, jobs: Iterable[Job]) -> Iterator[Done]:
        """Yield what each of the jobs came to, in their order."""
        if not self._all:
            yield from map(self._do_here, jobs)
            return
        with ThreadPoolExecutor(len(self._all)) as threads:
            under_way: deque[Future[Done]] = deque()
            try:
                for job in jobs:
                    under_way.append(threads.submit(self._do, job))
                    if len(under_way) >= MOST_UNDER_WAY:
                        yield under_way.popleft().result()
                while under_way:
                    yield under_way.popleft().result()
            finally:
                for future in under_way:
                    future.cancel()

    def _do(self, job: Job) -> Done:
        process = self._idle.pop()  # there are as many as threads
        try:
            done = process.do(job)
        finally:
            self._idle.append(process)
        return self._do_here(job) if done is None else done

    def _do_here(self, job: Job) -> Done:
        with self._here:
            return self._store.read(lambda reading: job.do(reading, self._known))


class _Process:
    """One process that checks what it is told to."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: subprocess.Popen[bytes] | None = None
        self._broken = False

    def do(self, job: Job) -> Done | None:
        """Have a job done; None where it cannot: whoever asks does it, and sees what is wrong."""
        if self._broken:
            return None
        try:
            running = self._running or self._start()
            _send(running.stdin, job)
            found = pickle.load(running.stdout)  # type: ignore[arg-type] # noqa: S301 -- our own process wrote it
        except (OSError, EOFError, pickle.UnpicklingError):
            found = None
        self._broken = not isinstance(found, Done)
        return found if isinstance(found, Done) else None

    def end(self) -> None:
        """Let it end; it does so by itself when nobody talks to it any more."""
        if self._running is not None:
            with suppress(BrokenPipeError):  # what it was told last, and died of, is still on its way
                self._running.stdin.close()  # type: ignore[union-attr]
            self._running.stdout.close()  # type: ignore[union-attr]
            self._running.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)  # noqa: PTH100 -- names as they are given
        self._running = subprocess.Popen(  # noqa: S603 -- Python and code of ours
            [sys.executable, "-P", "-c", _CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
        _send(self._running.stdin, (self._store.address, self._store.patience))
        return self._running


def _send(pipe: IO[bytes] | None, what: Any) -> None:
    if pipe is None:
        raise OSError("expected a pipe to the process, got none")
    pickle.dump(what, pipe)
    pipe.flush()
