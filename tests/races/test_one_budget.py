"""Many at once want what only a hundred can have: exactly a hundred get it, and nobody is told to come back (law 4)."""

import asyncio
from collections import Counter

import pytest

from tests.forked import FORKSERVER, forked
from tests.races.given import BUDGET, GRANTED, TRIES, Vouchers, counted, pool_of_threads, race_of_tasks, race_of_threads
from tests.races.racer import racing

pytestmark = pytest.mark.no_cover  # what it runs again and again is run by other tests too

ROUNDS = 50
PROCESSES = 4


@pytest.mark.law(4)
def test_of_64_threads_racing_for_a_hundred_units_exactly_a_hundred_are_granted_fifty_times(address):
    vouchers = Vouchers(address)
    with pool_of_threads() as pool:
        rounds = [counted(race_of_threads(pool, vouchers, tenant=f"round-{number}")) for number in range(ROUNDS)]
    assert rounds == [GRANTED] * ROUNDS
    assert len(vouchers.issued) == len(set(vouchers.issued)) == BUDGET * ROUNDS
    vouchers.guard.close()


@pytest.mark.law(4)
def test_of_64_tasks_racing_for_a_hundred_units_exactly_a_hundred_are_granted_fifty_times(address):
    vouchers = Vouchers(address, is_async=True)

    async def race():
        return [counted(await race_of_tasks(vouchers, f"round-{number}")) for number in range(ROUNDS)]

    assert asyncio.run(race()) == [GRANTED] * ROUNDS
    assert len(vouchers.issued) == len(set(vouchers.issued)) == BUDGET * ROUNDS
    vouchers.guard.close()


@pytest.mark.law(4)
def test_two_guards_of_one_process_share_one_budget(address):
    guards = [Vouchers(address), Vouchers(address)]
    with pool_of_threads() as pool:
        rounds = [counted(race_of_threads(pool, *guards, tenant=f"round-{number}")) for number in range(5)]
    assert rounds == [GRANTED] * 5
    assert sum(len(one.issued) for one in guards) == BUDGET * 5
    for one in guards:
        one.guard.close()


@pytest.mark.law(4)
def test_four_processes_share_one_budget(address):
    starters, processes = [], []
    for number in range(PROCESSES):
        mine, theirs = FORKSERVER.Pipe()
        processes.append(forked(racing, address, number * 1000, theirs))
        processes[-1].start()
        theirs.close()
        starters.append(mine)
    assert {starter.recv() for starter in starters} == {"ready"}
    for number in range(5):
        for starter in starters:
            starter.send(f"round-{number}")
        granted = Counter()
        for starter in starters:
            granted.update(starter.recv())
        assert granted == {"Done": BUDGET, "Denied": PROCESSES * 16 * TRIES - BUDGET}
    for starter, process in zip(starters, processes, strict=True):
        starter.send(None)
        process.join(30)
        assert process.exitcode == 0
        starter.close()
