"""The payment provider as a process of its own, with moods of its own; it is killed and started again as well."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from agentguard.testing.payment_server import Mood, PaymentServer
from scripts.tortures.shop import LATE

CHANCES = (
    (Mood.REFUSES, 0.03),
    (Mood.LOSES_REQUEST, 0.02),
    (Mood.LOSES_ANSWER, 0.02),
    (Mood.FAILS_AFTER, 0.02),
    (Mood.ANSWERS_LATE, 0.02),
    (Mood.ACTS_LATE, 0.04),
)

_context = multiprocessing.get_context("fork")


def _serve(books: Path, calm: Path, port: int, seed: str, told: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    dice, alone, parent = random.Random(seed), threading.Lock(), os.getppid()

    def draw() -> Mood:
        if calm.exists():
            return Mood.WILLING
        with alone:
            number = dice.random()
        for mood, chance in CHANCES:
            if number < chance:
                return mood
            number -= chance
        return Mood.WILLING

    with PaymentServer(patience=LATE, port=port, books=books, draw=draw) as server:
        told.send(server.port)
        while os.getppid() == parent:
            time.sleep(0.2)


class Provider:
    """The provider's process; what it booked outlives it.

    Attributes:
        kills: How often it was killed.
    """

    def __init__(self, folder: Path, seed: str) -> None:
        self.books = folder / "books.jsonl"
        self.kills = 0
        self._calm = folder / "calm"
        self._seed = seed
        self.port = 0
        self._start()

    def _start(self) -> None:
        here, there = _context.Pipe()
        seed = f"{self._seed}-provider-{self.kills}"
        self._process = _context.Process(target=_serve, args=(self.books, self._calm, self.port, seed, there))
        self._process.daemon = True
        self._process.start()
        if not here.poll(30):
            raise RuntimeError("expected the payment server to start within 30 s, got nothing")
        self.port = here.recv()

    def kill(self) -> None:
        """End it with SIGKILL and start it again on the same port and books."""
        self._process.kill()
        self._process.join()
        self.kills += 1
        self._start()

    def calm(self) -> None:
        """Let it be willing from now on."""
        self._calm.touch()

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.join()
