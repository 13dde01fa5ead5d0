"""Processes that act when they are told to: several of ours on one database, or one of a peer in its own environment.

A process says `ready`, then answers every line with seconds by what it did in them, until its input ends.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Self

from loads import Run


class Crew:
    """Processes that act together; a context manager that ends them."""

    def __init__(self, commands: Sequence[Sequence[str]]) -> None:
        self._processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for command in commands
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


def obey(act: Callable[[float], Run]) -> None:
    """Be a process of a crew: act whenever told to, for as long as told to."""
    print("ready", flush=True)
    for line in sys.stdin:
        run = act(float(line))
        print(json.dumps([run.seconds, run.latencies]), flush=True)


def main() -> None:
    """Be so many tasks that run governed actions on a database."""
    from governed import Shop
    from loads import tasks

    shop = Shop(sys.argv[1], is_async=True)
    with asyncio.Runner() as runner:
        obey(lambda seconds: runner.run(tasks(shop.aact, seconds, int(sys.argv[2]))))
    shop.guard.close()


if __name__ == "__main__":
    main()
