"""Whatever fails in the midst of sealing: nothing wrong is ever signed, and the next sealer goes on."""

import contextlib
import os
import signal
import threading
import time

import pytest

from agentguard.engine.signing import SigningKeyFile, make_key
from agentguard.errors import StoreUnavailableError
from agentguard.store import Store, ledger_clock, seals
from agentguard.testing.crashing_store import Crash, CrashingStore, Moment
from agentguard.testing.postgres_server import PostgresServer
from tests.forked import forked
from tests.sealing.given import RecordingSigner, add, assert_sound, sealer


@pytest.fixture
def crashing(address, monkeypatch):
    """A store that loses what it is told to lose, on each engine."""
    # What closes the stores of a test has `open` give plain ones; this one closes itself.
    monkeypatch.undo()
    opened = CrashingStore.open(address)
    yield opened
    opened.close()


@pytest.mark.parametrize("moment,commit", [(Moment.BEFORE, 1), *((moment, n) for n in (2, 3) for moment in Moment)])
def test_a_crash_around_any_commit_of_sealing_leaves_nothing_that_contradicts_what_was_signed(
    crashing, address, moment, commit
):
    signer = RecordingSigner()
    add(crashing, 260)
    crashing.crash_next(moment, commit)
    with pytest.raises(Crash):
        sealer(crashing, signer).seal()
    after = Store.open(address)
    assert sealer(after, signer).seal().size == 261
    add(after)
    assert sealer(after, signer).seal().size == 262
    assert all(len(roots) == 1 for roots in signer.roots().values())
    assert_sound(after)
    after.close()


@pytest.mark.parametrize("moment,commit", [(Moment.INSIDE, 2), (Moment.AFTER, 2), (Moment.AFTER, 3)])
def test_a_connection_that_goes_in_the_midst_of_a_commit_of_sealing_leaves_the_same(crashing, moment, commit):
    signer = RecordingSigner()
    add(crashing, 5)
    commits = iter(range(2, 9))
    crashing.after_commit = lambda: crashing.cut_next(moment) if next(commits) == commit else None
    with contextlib.suppress(StoreUnavailableError):
        sealer(crashing, signer).seal()
    crashing.after_commit = None
    crashing.disarm()
    assert sealer(crashing, signer).seal().size == 6
    assert all(len(roots) == 1 for roots in signer.roots().values())
    assert_sound(crashing)


def test_a_database_that_cannot_be_written_has_nothing_signed_of_it(tmp_path):
    path = tmp_path / "guard.db"
    store = Store.open(f"sqlite:///{path}")
    add(store, 3)
    reader = Store.open(f"sqlite:///file:{path}?mode=ro&uri=true")
    signer = RecordingSigner()
    with pytest.raises(StoreUnavailableError, match="read-only"):
        sealer(reader, signer).seal()
    assert signer.messages == []
    reader.close()
    store.close()


def test_a_full_disk_has_nothing_signed_and_sealing_goes_on_when_there_is_room(tmp_path):
    store = Store.open(f"sqlite:///{tmp_path / 'guard.db'}")
    signer = RecordingSigner()
    add(store, 3)
    sealer(store, signer).seal()
    add(store, 600)
    channel = store._connections.take()
    (pages,) = channel.driver.execute("PRAGMA page_count").fetchone()
    channel.driver.execute(f"PRAGMA max_page_count = {pages}")
    store._connections.give(channel)
    with pytest.raises(StoreUnavailableError, match="is full"):
        sealer(store, signer).seal()
    assert signer.sizes() == [4]
    channel.driver.execute("PRAGMA max_page_count = 1000000")
    assert sealer(store, signer).seal().size == 604
    assert_sound(store)
    store.close()


def test_a_clock_that_jumped_stops_walks_and_not_the_sealing(address, monkeypatch):
    store = Store.open(address)
    add(store, 2)
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 7_200 * 10**9)
    monkeypatch.setattr(ledger_clock, "_is_simulated", lambda wall_us: False)
    before = sealer(store).seal()
    assert before.size == 3
    monkeypatch.setattr(time, "time_ns", real)
    add(store)
    assert sealer(store).seal().at >= before.at
    assert_sound(store)


def seal_on(address, key_file):
    store = Store.open(address)
    one = sealer(store, SigningKeyFile(key_file))
    while True:
        add(store, 3)
        one.seal()
        time.sleep(0.004)


def test_processes_that_are_killed_in_the_midst_of_sealing_leave_a_log_that_others_go_on_with(address, tmp_path):
    make_key(tmp_path / "seal.key", "acme-log")
    store = Store.open(address)
    for number in range(3):
        before = store.read(lambda reading: reading.position())
        process = forked(seal_on, address, str(tmp_path / "seal.key"))
        process.start()
        until(lambda: newest(store) > before)  # noqa: B023 - asked at once
        time.sleep(0.011 * number)
        os.kill(process.pid, signal.SIGKILL)
        process.join(60)
    signer = SigningKeyFile(tmp_path / "seal.key")
    last = sealer(store, signer).seal()
    assert last.size == store.read(lambda reading: reading.position())
    assert_sound(store, signer._signing)


def newest(store):
    found = store.read(lambda reading: seals.newest(reading, "agentguard/" + reading.log_name()))
    return 0 if found is None else found.size


def until(met, seconds=20.0):
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.law(5)
def test_only_what_the_synchronous_standby_has_as_well_is_signed(closed_stores):
    signer = RecordingSigner()
    with PostgresServer.start() as primary, primary.standby() as follower:
        store = Store.open(primary.url, patience=2.0)
        add(store, 3)
        assert sealer(store, signer).seal().size == 4
        add(store)
        other = Store.open(follower.url, patience=2.0)
        until(lambda: other.read(lambda reading: reading.position()) == 5)
        with pytest.raises(StoreUnavailableError, match="is read-only, as a standby is"):
            sealer(other, signer).seal()
        follower.kill()
        lost = threading.Thread(target=lambda: quietly(lambda: add(store, 2)))
        lost.start()
        waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        until(lambda: primary.execute(f"SELECT pid {waiting}"))
        primary.execute(f"SELECT pg_terminate_backend(pid, 10000) {waiting}")  # they are committed, here alone
        sealing = threading.Thread(target=lambda: quietly(sealer(store, signer).seal))
        sealing.start()
        time.sleep(0.5)
        primary.kill()
        lost.join(30)
        sealing.join(30)
        assert signer.sizes() == [4]
        follower.restart()
        follower.promote()
        after = Store.open(follower.url)
        add(after, 2)  # others in their places
        assert sealer(after, signer).seal().size == 7
        assert all(len(roots) == 1 for roots in signer.roots().values())
        assert_sound(after)


def quietly(work):
    """Do something that fails when its server does."""
    with contextlib.suppress(StoreUnavailableError):
        work()
