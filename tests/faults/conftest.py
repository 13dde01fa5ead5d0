"""Faults of the machine and of others on it, brought about as they come: other processes, full disks, permissions."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from agentguard.store import Store
from agentguard.testing.clock import ManualClock
from tests.engine.given import shop

PATIENCE = 1.0
NOBODY = 65534


@contextlib.contextmanager
def held_by_another_program(database, statement="BEGIN EXCLUSIVE"):
    """Hold a SQLite database from another process for this block."""
    command = [sys.executable, str(Path(__file__).with_name("holder.py")), str(database), statement]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        yield
        holder.stdin.close()


@pytest.fixture
def folder():
    """A folder that a user without rights can reach, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="agentguard-fault-"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def open_shop(folder):
    """Open a shop on a file, with little patience."""
    opened = []

    def open_one(**options):
        clock = ManualClock()
        store = Store.open(f"sqlite:///{folder / 'shop.db'}", clock, patience=PATIENCE)
        made = shop(store, clock=clock, **options)
        opened.append(made)
        return made

    yield open_one
    for one in opened:
        one.guard.close()
        one.guard.store.close()


@contextlib.contextmanager
def without_rights():
    """Lose the right to write what is not one's own, as root too."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


# As a person runs it, but with as little patience as the tests have.
_COMMAND = f"""
from agentguard.store import Store
Store.open.__func__.__kwdefaults__["patience"] = {PATIENCE}
from agentguard.cli import main
main()
"""


def agentguard(*arguments):
    """Run the command line as a process, where there are no policies, so that nothing says who may do what."""
    command = [sys.executable, "-c", _COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=os.sep)


def assert_said_to_a_person(ended, *words):
    """Check that a command ended as one whose store cannot be used: in words, and in few."""
    assert ended.returncode == 4, ended
    assert all(word in ended.stderr for word in words), ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()) <= 3, ended.stderr
