"""The ledger's clock: jumps, restarts, hosts that disagree, and time that a test moves itself."""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from agentguard.errors import ClockError, UsageError
from agentguard.store import Store, ledger_clock
from agentguard.store.ledger_clock import JUMP_US, SKEW_US, LedgerClock, Moment, Tick

SECOND = 1_000_000
NOON = 1_700_000_000 * SECOND


class Machine:
    """A machine whose clock and uptime a test sets."""

    def __init__(self, monkeypatch):
        self.wall_us, self.uptime_us = NOON, 3_600 * SECOND
        monkeypatch.setattr(time, "time_ns", lambda: self.wall_us * 1000)
        monkeypatch.setattr(ledger_clock, "_is_simulated", lambda wall_us: False)
        monkeypatch.setattr(ledger_clock, "_uptime_us", lambda: self.uptime_us)
        self.boots = lambda name: monkeypatch.setattr(ledger_clock, "_BOOT", name)
        self.boots("first boot")

    def run(self, seconds):
        self.wall_us += int(seconds * SECOND)
        self.uptime_us += int(seconds * SECOND)

    def step(self, microseconds):
        self.wall_us += microseconds


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


@pytest.fixture
def open_store(machine, tmp_path):
    opened = []

    def open_one():
        opened.append(Store.open(f"sqlite:///{tmp_path / 'clock.db'}"))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def note(store):
    return store.transact(lambda transaction: transaction.append({"tenant": "t", "kind": "noted"}))


def now(store):
    return store.read(lambda reading: reading.now())


def fault(store):
    return store.read(lambda reading: reading.clock()).fault


@pytest.mark.parametrize("direction", [1, -1])
def test_a_clock_that_jumps_more_than_five_minutes_is_not_relied_on(machine, open_store, direction):
    store = open_store()
    machine.run(100_000)
    machine.step(direction * JUMP_US)
    assert not fault(store)
    machine.step(direction)
    assert f"jumped 0:05:00 {'forward' if direction > 0 else 'back'}" in fault(store)
    with pytest.raises(ClockError, match="agentguard clock confirm"):
        now(store)


def test_a_machine_that_slept_did_not_jump(machine, open_store):
    store = open_store()
    machine.run(9 * 3_600)
    assert now(store) == datetime.fromtimestamp(machine.wall_us / SECOND, UTC)


def test_what_happened_is_written_down_at_the_last_time_while_nobody_relies_on_the_clock(machine, open_store):
    store = open_store()
    before = note(store)
    machine.step(2 * JUMP_US)
    after = note(store)
    first, second = (store.read(lambda r, n=n: r.entry(n.pos)) for n in (before, after))
    assert first.ts_us == second.ts_us
    assert fault(store), "to write something down does not make the clock right"


def test_every_process_sees_a_jump_and_goes_on_when_one_of_them_has_confirmed_it(machine, open_store):
    one, two = open_store(), open_store()
    note(one)
    machine.step(2 * JUMP_US)
    assert all(fault(store) for store in (one, two, open_store())), "one that starts after the jump sees it too"
    with one.clock.trusted():
        note(one)
    assert now(one) == now(two) == datetime.fromtimestamp(machine.wall_us / SECOND, UTC)
    machine.step(-2 * JUMP_US)
    assert fault(two), "the next jump is another one"


def test_small_steps_are_not_jumps_and_large_ones_are_seen_after_a_long_idle_time(machine, open_store):
    store = open_store()
    for _ in range(5):
        machine.step(JUMP_US - SECOND)
        note(store)
    machine.run(86_400)
    machine.step(-JUMP_US - 1)
    assert "back" in fault(store)


def test_after_a_restart_of_the_machine_only_a_step_back_can_be_seen(machine, open_store):
    note(open_store())
    machine.boots("second boot")
    machine.uptime_us = 10 * SECOND
    machine.step(86_400 * SECOND)
    assert not fault(open_store()), "how long it was off, nobody knows"
    machine.step(-86_400 * SECOND - JUMP_US)
    assert not fault(open_store())
    machine.step(-1)
    assert "back" in fault(open_store())


def test_a_clock_that_was_set_back_is_caught_up_with_at_half_speed(machine, open_store):
    store = open_store()
    machine.run(10)
    note(store)
    top = machine.wall_us
    machine.step(-86_400 * SECOND)
    with store.clock.trusted():
        note(store)
    seen = []
    for _ in range(9):
        machine.run(6 * 3_600)
        note(store)
        seen.append(int(now(store).timestamp() * SECOND) - top)
    half = [3 * 3_600 * SECOND * turn for turn in range(1, 9)]
    assert seen[:8] == half, "24 hours ahead are caught up with in 48"
    assert seen[8] == machine.wall_us - top == 30 * 3_600 * SECOND


def test_a_time_that_a_test_freezes_and_moves_is_believed(tmp_path):
    address = f"sqlite:///{tmp_path / 'frozen.db'}"
    with freeze_time("2026-03-01 12:00:00") as frozen:
        store = Store.open(address)
        note(store)
        for moved in ("2026-04-01 12:00:00", "2027-04-01 12:00:00"):
            frozen.move_to(moved)
            assert now(store) == datetime.fromisoformat(f"{moved}+00:00")
            note(store)
        frozen.move_to("2026-03-15 12:00:00")
        assert now(store) == datetime(2027, 4, 1, 12, tzinfo=UTC)
        store.close()


def test_a_library_that_moves_the_clock_of_the_day_in_its_every_shape_is_believed(tmp_path, monkeypatch):
    real, real_ns, moved = time.clock_gettime_ns, time.time_ns, 86_400 * 10**9  # a day
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + moved)
    monkeypatch.setattr(time, "clock_gettime_ns", lambda clock: real(clock) + moved * (clock == time.CLOCK_REALTIME))
    store = Store.open(f"sqlite:///{tmp_path / 'moved.db'}")
    note(store)
    moved *= 2
    assert fault(store) == ""
    assert now(store).timestamp() > real_ns() / 1e9 + 170_000
    store.close()


def test_the_clock_of_this_machine_is_relied_on_and_runs(tmp_path):
    store = Store.open(f"sqlite:///{tmp_path / 'real.db'}")
    note(store)
    assert abs(now(store).timestamp() - time.time()) < 5
    tick = store.clock.tick()
    assert tick.boot
    assert tick.uptime_us > 0
    store.close()


@pytest.mark.parametrize(
    "off, doubted", [(SKEW_US, False), (SKEW_US + 1, True), (-SKEW_US, False), (-SKEW_US - 1, True)]
)
def test_a_host_that_is_more_than_thirty_seconds_off_the_server_is_not_relied_on(machine, off, doubted):
    clock = LedgerClock()
    last = clock.tick(machine.wall_us)
    machine.run(60)
    server_us = machine.wall_us
    machine.step(off)
    found = clock.reckon(NOON, last, server_us)
    assert bool(found.fault) is doubted
    with clock.trusted():
        assert bool(clock.reckon(NOON, last, server_us).fault) is doubted, "nobody can confirm two clocks at once"
    if not doubted:
        assert found == Moment(server_us, Tick(server_us, 0, "server"), Tick(server_us, 0, "server"))


def test_a_server_that_goes_back_is_not_relied_on(machine):
    clock = LedgerClock()
    last = clock.tick(machine.wall_us)
    for step, doubted in ((-JUMP_US, False), (-1, True)):
        machine.step(step)
        assert bool(clock.reckon(NOON, last, machine.wall_us).fault) is doubted


@given(st.lists(st.tuples(st.integers(-(10**9), 10**9), st.booleans()), max_size=30))
def test_the_ledgers_time_never_goes_back_and_never_runs_faster_than_the_clock(steps):
    """Each step of a believed clock moves the ledger on by at most as much, or to the clock's own time."""
    clock = LedgerClock(lambda: datetime.fromtimestamp(wall[0] / SECOND, UTC))
    wall = [NOON]
    last, last_us = Tick(NOON), NOON
    for step, commits in steps:
        wall[0] += step
        found = clock.reckon(last_us, last)
        assert last_us <= found.us <= max(wall[0], last_us + max(0, wall[0] - last.wall_us))
        if commits:
            last, last_us = found.kept, found.us


def test_the_present_is_about_the_ledgers_without_asking_the_store(machine, open_store):
    store = open_store()
    note(store)
    machine.step(-3_600 * SECOND)
    with store.clock.trusted():
        note(store)
    for seconds in (0, 10, 7_000, 10_000):
        machine.run(seconds)
        assert store.clock.present() == now(store), "an hour ahead, then caught up"
    clock = LedgerClock()
    assert clock.present() == datetime.fromtimestamp(machine.wall_us / SECOND, UTC), "before the first look at a store"
    server_us = machine.wall_us + 20 * SECOND
    clock.reckon(server_us, clock.tick(server_us), server_us)
    machine.run(5)
    assert clock.present() == datetime.fromtimestamp(server_us / SECOND + 5, UTC), "by the server's clock"


def test_a_clock_must_give_a_time_with_a_zone(tmp_path):
    with pytest.raises(UsageError, match="gives the present"):
        Store.open("sqlite://", "now")
    with pytest.raises(UsageError, match="time zone"):
        Store.open("sqlite://", lambda: datetime(2026, 1, 1))


def test_a_child_process_reads_the_same_clock(open_store):
    store = open_store()
    note(store)
    child = os.fork()
    if child == 0:
        os._exit(1 if fault(store) else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert timedelta(0) <= now(store) - datetime.fromtimestamp(NOON / SECOND, UTC)
