"""Whose turn it is among processes that write to one file."""

import fcntl
import os
import signal
import threading
from pathlib import Path

import pytest

from agentguard.errors import StoreUnavailableError
from agentguard.store import Store
from agentguard.store.turn import LockFile, OneConnection
from tests.forked import running


def test_a_turn_is_handed_on_when_it_is_over(tmp_path):
    one, two = (LockFile(str(tmp_path / "guard.db.lock"), 10.0) for _ in range(2))
    order, begun = [], threading.Event()

    def second():
        begun.set()
        with two.taken():
            order.append("second")

    thread = threading.Thread(target=second)
    with one.taken():
        thread.start()
        begun.wait(10)
        thread.join(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    one.close()
    two.close()


def test_whoever_waits_too_long_goes_on_and_leaves_it_to_the_databases_own_lock(tmp_path):
    one, two = (LockFile(str(tmp_path / "guard.db.lock"), 0.02) for _ in range(2))
    with one.taken(), two.taken():
        pass
    with two.taken():
        pass
    one.close()
    two.close()


def test_a_folder_without_room_for_the_lock_file_is_no_hindrance(tmp_path):
    turns = LockFile(str(tmp_path / "no such folder" / "guard.db.lock"), 10.0)
    with turns.taken():
        pass
    turns.close()


HOLDER = """
import sys, time
from agentguard.store.turn import LockFile
with LockFile(sys.argv[1], 10.0).taken():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_process_that_is_killed_gives_its_turn_away(tmp_path):
    path = str(tmp_path / "guard.db.lock")
    with running(HOLDER, path) as (process, printed):
        assert printed.readline() == "held\n"
        os.kill(process.pid, signal.SIGKILL)
    turns = LockFile(path, 60.0)
    with turns.taken(), Path(path).open() as another, pytest.raises(BlockingIOError):
        fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)
    turns.close()


def test_readers_and_writers_of_a_database_in_memory_wait_a_bounded_time_for_each_other():
    turns = OneConnection("sqlite://", 0.02)
    refused = []

    def second():
        try:
            with turns.taken():
                pass
        except StoreUnavailableError as error:
            refused.append(str(error))

    with turns.taken():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert "for more than 0.02 s; nothing was stored" in refused[0]
    with turns.taken():
        pass


def test_a_database_in_memory_is_closed_when_nobody_reads_it_any_more():
    store = Store.open("sqlite://")
    reading, go_on, closed = threading.Event(), threading.Event(), threading.Event()
    reader = threading.Thread(target=lambda: store.read(lambda view: (reading.set(), go_on.wait(10), view.position())))
    closer = threading.Thread(target=lambda: (store.close(), closed.set()))
    reader.start()
    assert reading.wait(10)
    closer.start()
    assert not closed.wait(0.05)
    go_on.set()
    reader.join(10)
    assert closed.wait(10)


def test_the_lock_file_lies_beside_the_database_and_is_the_owners_alone(store, address, tmp_path):
    name = "guard.db.lock"
    if not address.startswith("sqlite"):
        assert not (tmp_path / name).exists()
        return
    store.transact(lambda transaction: transaction.append({"tenant": "acme", "kind": "noted"}))
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
