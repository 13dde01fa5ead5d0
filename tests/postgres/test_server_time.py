"""On PostgreSQL the server's clock is the ledger's; a host that disagrees with it decides nothing."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from agentguard import Done, Unavailable
from agentguard.errors import ClockError
from agentguard.store import Store, ledger_clock
from tests.engine.given import MACHINE, shop


@pytest.fixture
def address(request, tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTGUARD_KEYS", str(tmp_path / "keys"))
    return request.getfixturevalue("spare_database").emptied()


@pytest.fixture
def off_by(monkeypatch):
    """Set this host's clock, and not the server's, so many seconds off."""
    real = time.time_ns

    def set_off(seconds):
        monkeypatch.setattr(time, "time_ns", lambda: real() + int(seconds * 1e9))
        monkeypatch.setattr(ledger_clock, "_is_simulated", lambda wall_us: False)

    return set_off


def test_the_servers_time_is_the_ledgers_and_moves_within_a_second(address):
    store = Store.open(address)
    entry = store.transact(lambda transaction: transaction.append({"tenant": "t", "kind": "noted"}))
    at = store.read(lambda reading: reading.entry(entry.pos)).at
    assert abs(at.timestamp() - time.time()) < 5
    time.sleep(0.01)
    assert timedelta(0) < store.read(lambda reading: reading.now()) - at < timedelta(seconds=5)
    assert store.read(lambda reading: reading.clock()).fault == ""
    store.close()


def test_who_waited_for_the_head_of_the_log_reads_the_time_after_it_waited(address):
    one, two = Store.open(address), Store.open(address)
    holding = threading.Event()

    def slow(transaction):
        holding.set()
        time.sleep(1)
        return transaction.append({"tenant": "t", "kind": "noted"})

    def at(store, entry):
        return store.read(lambda reading: reading.entry(entry.pos)).at

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(one.transact, slow)
        holding.wait(10)
        second = two.transact(lambda transaction: transaction.append({"tenant": "t", "kind": "noted"}))
        assert at(two, second) - at(one, first.result()) > timedelta(seconds=0.8)
    one.close()
    two.close()


@pytest.mark.parametrize("seconds", [29, -29])
def test_a_host_that_is_a_little_off_works_by_the_servers_time(address, off_by, seconds):
    made = shop(address, clock=MACHINE)
    off_by(seconds)
    assert isinstance(made.ask(), Done)
    made.guard.close()


@pytest.mark.parametrize("seconds", [32, -32, 86_400])
def test_a_host_that_is_further_off_decides_nothing_until_its_clock_is_right(address, off_by, seconds):
    made, other = shop(address, clock=MACHINE), shop(address, clock=MACHINE)
    made.guard.start()
    off_by(seconds)
    refused = made.ask()
    assert isinstance(refused, Unavailable)
    assert refused.cause == "clock"
    assert made.paid == []
    with pytest.raises(ClockError, match="set it right"):
        made.guard.confirm_clock(by="maria", why="I believe it")
    off_by(0)
    assert isinstance(other.ask(), Done)
    assert isinstance(made.ask(key="2"), Done)
    for one in (made, other):
        one.guard.close()
