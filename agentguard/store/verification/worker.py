"""The other end of `crew`: opens the database that it is told, does one job after another, and ends with its parent."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
from functools import partial

from agentguard.errors import AgentGuardError
from agentguard.store.database import Store
from agentguard.store.reading import Reading
from agentguard.store.verification.job import Done, Job
from agentguard.store.verification.stretch import Known


def _do(job: Job, known: Known, reading: Reading) -> Done | None:
    return job.do(reading, known)


def main() -> None:
    """Do what comes on standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever interrupts the parent is answered by the parent
    given = sys.stdin.buffer
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints must not stand among the answers
    address, patience = pickle.load(given)  # noqa: S301 -- our own parent wrote it
    gc.disable()  # what a check makes has no cycles, and looking for some takes a tenth of the time
    store = Store.open(address, patience=patience)
    known = Known()
    try:
        while True:
            try:
                job = pickle.load(given)  # noqa: S301
            except EOFError:
                return
            try:
                done = store.read(partial(_do, job, known))
            except AgentGuardError:
                done = None  # the parent does it again, and meets the same error where somebody reads it
            pickle.dump(done, answers)
            answers.flush()
    finally:
        store.close()
