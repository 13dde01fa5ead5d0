"""Many at once want the same action, or to end it: it happens once and is counted once (laws 3, 5 and 6)."""

import asyncio
import threading
from datetime import timedelta

import pytest

from agentguard import Done
from agentguard.testing.clock import ManualClock
from tests.races.given import BUDGET, CALLERS, Vouchers, counted, pool_of_threads

pytestmark = pytest.mark.no_cover  # what it runs again and again is run by other tests too

ROUNDS = 5


@pytest.mark.law(3)
def test_64_threads_with_one_key_act_once_and_all_hear_the_same(address):
    vouchers = Vouchers(address)
    together = threading.Barrier(CALLERS)

    def work(number):
        together.wait(30)
        return vouchers.try_it("default", number)

    with pool_of_threads() as pool:
        rounds = [list(pool.map(work, [number] * CALLERS)) for number in range(ROUNDS)]
    for answers in rounds:
        assert counted(answers) == {"Done": CALLERS}
        assert sum(not answer.replayed for answer in answers) == 1
        assert len({str(answer.result) for answer in answers}) == 1
    assert len(vouchers.issued) == ROUNDS
    vouchers.guard.close()


@pytest.mark.law(3)
def test_64_tasks_with_one_key_act_once_and_all_hear_the_same(address):
    vouchers = Vouchers(address, is_async=True)

    async def race(number):
        return await asyncio.gather(*(vouchers.atry_it("default", number) for _ in range(CALLERS)))

    for number in range(ROUNDS):
        answers = asyncio.run(race(number))
        assert counted(answers) == {"Done": CALLERS}
        assert sum(not answer.replayed for answer in answers) == 1
    assert len(vouchers.issued) == ROUNDS
    vouchers.guard.close()


@pytest.mark.law(5, 6)
def test_of_one_that_settles_and_many_that_recover_it_exactly_one_ends_it(address):
    clock = ManualClock()
    guards = [Vouchers(address, clock=clock), Vouchers(address, clock=clock)]
    for number in range(ROUNDS):
        begun, abandoned = threading.Event(), threading.Barrier(9)

        def slow(begun=begun, abandoned=abandoned):
            guards[0].meanwhile = lambda: None  # whoever sends it again is not kept
            begun.set()
            abandoned.wait(30)

        guards[0].meanwhile = slow

        def recover(which, abandoned=abandoned):
            abandoned.wait(30)
            return guards[which % 2].guard.recover()

        with pool_of_threads() as pool:
            first = pool.submit(guards[0].try_it, "default", number)
            begun.wait(30)
            clock.advance(timedelta(minutes=5))
            list(pool.map(recover, range(8)))
            first.result()
        again = guards[1].try_it("default", number)
        assert isinstance(again, Done)
        assert again.replayed
        kinds = [entry.kind for entry in guards[0].guard.audit.of(again.decision_id)]
        assert kinds.count("settled") == 1
        assert kinds.count("sent_again") <= 1
    assert len({*guards[0].issued, *guards[1].issued}) == ROUNDS
    [limit] = guards[0].guard.limits()
    assert (limit.settled, limit.held, limit.max) == (ROUNDS * 100, 0, BUDGET * 100)
    assert guards[0].guard.audit.verify().ok
    for one in guards:
        one.guard.close()
