"""Several processes that act on one database at once: each is this file, run with the database and its callers.

A process says `ready`, then answers every line with seconds by what it did in them, until its input ends.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Self

from governed import Shop
from loads import Run, tasks


class Crew:
    """So many processes with so many callers each; a context manager that ends them."""

    def __init__(self, url: str, *, processes: int, callers: int) -> None:
        command = [sys.executable, __file__, url, str(callers)]
        self._processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
        for process in self._processes:
            _line(process)

    def run(self, seconds: float) -> Run:
        """Let all processes act for so long at once."""
        for process in self._processes:
            assert process.stdin is not None
            print(seconds, file=process.stdin, flush=True)
        return Run.together([Run(*json.loads(_line(process))) for process in self._processes])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"expected a line from process {process.pid}, got its end with {process.wait()}")
    return line


def main() -> None:
    """Act when told to, as long as told to."""
    shop = Shop(sys.argv[1], is_async=True)
    with asyncio.Runner() as runner:
        print("ready", flush=True)
        for line in sys.stdin:
            run = runner.run(tasks(shop.aact, float(line), int(sys.argv[2])))
            print(json.dumps([run.seconds, run.latencies]), flush=True)
    shop.guard.close()


if __name__ == "__main__":
    main()
