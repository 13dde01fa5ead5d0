"""Units of work that share a commit: together where they can, each by itself where they must, and never half."""

import asyncio
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from agentguard.core.lifecycle import State
from agentguard.errors import KeyConflictError, StaleFenceError, StoreError, StoreUnavailableError, UsageError
from agentguard.store import Store, committer
from agentguard.store.records import ActionKey
from agentguard.store.verification import verify
from tests.forked import running
from tests.store.given import HandClock, action, begin, body, race, settle, usage


@contextmanager
def held_up(store):
    """Keep the committer inside a unit of work, so that what is handed in meanwhile shares the next commit."""
    inside, go_on = threading.Event(), threading.Event()

    def wait(transaction):
        inside.set()
        go_on.wait(20)

    thread = threading.Thread(target=store.transact, args=(wait,))
    thread.start()
    assert inside.wait(10)
    try:
        yield
    finally:
        go_on.set()
        thread.join()


def together(store, works):
    """Hand in units of work from a thread each, in their order, for one commit; return what each came to."""
    outcomes = [None] * len(works)

    def run(number, work):
        try:
            outcomes[number] = store.transact(work)
        except BaseException as error:  # whatever a unit raises is its outcome
            outcomes[number] = error

    threads = []
    with held_up(store):
        for number, work in enumerate(works):
            threads.append(threading.Thread(target=run, args=(number, work)))
            threads[-1].start()
            until = time.monotonic() + 10
            while len(store._committer._waiting) <= number and time.monotonic() < until:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    return outcomes


def opening(name, account="customer", amount=100):
    def work(transaction):
        transaction.open_action(action(name))
        transaction.hold(name, account, "USD", amount)
        return transaction.append(body(name)).pos

    return work


def commits(store, monkeypatch):
    """Return a list to which the number of units of every transaction is added."""
    counted = []
    attempt = store._writer._attempt

    def count(units):
        counted.append(len(units))
        return attempt(units)

    monkeypatch.setattr(store._writer, "_attempt", count)
    return counted


def test_units_that_wait_share_one_commit_in_the_order_in_which_they_came(store, monkeypatch):
    counted = commits(store, monkeypatch)
    assert together(store, [opening(f"a{number}") for number in range(5)]) == [1, 2, 3, 4, 5]
    assert counted == [1, 5]
    assert usage(store, "customer") == (500, 0)
    assert verify(store).ok


@pytest.mark.law(5)
def test_a_unit_that_fails_in_the_midst_of_others_leaves_nothing_and_harms_none(store, monkeypatch):
    def fails(transaction):
        opening("bad")(transaction)
        transaction.settle("bad")
        raise KeyConflictError("the same key came with another request")

    counted = commits(store, monkeypatch)
    first, failed, last = together(store, [opening("a1"), fails, opening("a2")])
    assert (first, last) == (1, 2)
    assert isinstance(failed, KeyConflictError)
    assert counted == [1, 3]
    assert store.read(lambda r: (r.action("bad"), r.position())) == (None, 2)
    assert usage(store, "customer") == (200, 0)
    assert verify(store).ok


@pytest.mark.law(5)
@pytest.mark.parametrize(
    "reach",
    [
        lambda t: t.halt("all", "ann", "why"),
        lambda t: t.entries(),
        lambda t: t._lookups.channel.driver.execute("SELECT no_such_column FROM agentguard_log"),
    ],
)
def test_a_unit_that_fails_after_it_reached_the_database_makes_the_others_go_by_themselves(store, monkeypatch, reach):
    def fails(transaction):
        opening("bad")(transaction)
        reach(transaction)
        raise KeyConflictError("too late to forget it")

    counted = commits(store, monkeypatch)
    first, failed, last = together(store, [opening("a1"), fails, opening("a2")])
    assert (first, last) == (1, 2)
    assert isinstance(failed, (KeyConflictError, StoreError))
    assert counted[:2] == [1, 3]
    assert counted[2:] == [1, 1, 1]
    assert store.read(lambda r: (r.action("bad"), r.halts(), r.position())) == (None, (), 2)
    assert verify(store).ok


def test_a_unit_with_what_no_database_can_keep_fails_alone(store):
    first, failed, last = together(store, [opening("a1"), lambda t: begin_with(t, request="\udcff"), opening("a2")])
    assert (first, last) == (1, 2)
    assert isinstance(failed, UsageError)
    assert store.read(lambda r: [found.id for found in r.actions()]) == ["a1", "a2"]


def begin_with(transaction, **changes):
    transaction.open_action(action("bad", **changes))
    transaction.append(body("bad"))


def test_a_unit_sees_what_the_units_before_it_did_in_the_same_commit(store):
    def fits(transaction):
        return transaction.usage("customer", None, inclusive=True).used

    def settles(transaction):
        transaction.move("a1", State.EXECUTING, 0, State.SETTLED)
        transaction.settle("a1", {"customer": 70})
        return transaction.append(body("a1", "settled", kind="settled")).pos

    outcomes = together(store, [opening("a1"), fits, settles, fits, opening("a1")])
    assert outcomes[:4] == [1, 100, 2, 70]
    assert isinstance(outcomes[4], StaleFenceError)
    assert usage(store, "customer") == (0, 70)


def test_the_log_is_read_with_what_the_same_commit_appended(store):
    outcomes = together(store, [opening("a1"), lambda t: [entry.pos for entry in t.entries()], opening("a2")])
    assert outcomes == [1, [1], 2]


@pytest.mark.law(5)
def test_a_row_that_was_changed_behind_the_stores_back_is_not_written_over(store, monkeypatch):
    begin(store, "a1", [("customer", 100)])
    store.read(lambda r: r.action("a1"))
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE agentguard_account SET pending = 40")
    counted = commits(store, monkeypatch)
    begin(store, "a2", [("customer", 7)])
    assert len(counted) == 2, "the first try rested on what was remembered"
    assert usage(store, "customer") == (47, 0)
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE agentguard_action SET fence = 3 WHERE id = 'a1'")
    with pytest.raises(StaleFenceError, match="got it executing with fence 3"):
        settle(store, "a1")


@pytest.mark.law(5)
def test_a_unit_that_is_withdrawn_leaves_nothing(store):
    async def main():
        with held_up(store):
            submitted = store.submit(opening("a1"))
            assert submitted.withdraw()
            assert submitted.withdraw(), "it stays withdrawn"
            task = asyncio.create_task(store.atransact(opening("a2")))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        late = store.submit(opening("a3"))
        assert await late.future == 1
        assert not late.withdraw()

    asyncio.run(main())
    assert store.read(lambda r: ([found.id for found in r.actions()], r.position())) == (["a3"], 1)


def test_a_unit_that_was_begun_is_committed_though_nobody_waits_any_more(store):
    inside, go_on = threading.Event(), threading.Event()

    def slow(transaction):
        inside.set()
        go_on.wait(10)
        return opening("a1")(transaction)

    async def main():
        submitted = store.submit(slow)
        await asyncio.to_thread(inside.wait, 10)
        assert not submitted.withdraw()
        go_on.set()
        assert await asyncio.shield(submitted.future) == 1

    asyncio.run(main())
    assert store.read(lambda r: r.position()) == 1


def test_tasks_of_an_event_loop_share_commits_and_the_loop_goes_on_meanwhile(store, monkeypatch):
    counted = commits(store, monkeypatch)

    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        positions = await asyncio.gather(*(store.atransact(opening(f"a{number:02}")) for number in range(64)))
        ticking.cancel()
        return positions, ticks

    positions, ticks = asyncio.run(main())
    assert sorted(positions) == list(range(1, 65))
    assert ticks > 0
    assert sum(counted) == 64
    assert len(counted) <= 8
    assert usage(store, "customer") == (6400, 0)


def test_tasks_that_one_commit_woke_share_the_next_one(store, monkeypatch):
    counted = commits(store, monkeypatch)

    async def two(number):
        for round_ in ("a", "b"):
            time.sleep(0.01)  # noqa: ASYNC251 - a task that works while the committer could begin
            await store.atransact(opening(f"{round_}{number}"))

    async def main():
        await asyncio.gather(*(two(number) for number in range(5)))

    asyncio.run(main())
    assert counted == [5, 5]


def test_a_unit_of_an_event_loop_that_stops_at_once_goes_with_the_next_one_of_any_thread(store):
    async def leave_it():
        store.submit(opening("a1"))

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave_it())
    assert store.transact(opening("a2")) == 2
    assert store.read(lambda reading: reading.action("a1")) is not None
    loop.close()


def test_a_store_that_is_closed_within_an_event_loop_commits_what_the_loop_handed_in(store, monkeypatch):
    counted = commits(store, monkeypatch)

    async def main():
        submitted = store.submit(opening("a1"))
        store.close()
        return await submitted.future

    assert asyncio.run(main()) == 1
    assert counted == [1]


def test_an_event_loop_that_is_busy_does_not_hold_up_what_another_one_handed_in(store):
    handed_in, go_on = threading.Event(), threading.Event()

    async def busy():
        submitted = store.submit(opening("a1"))
        handed_in.set()
        assert go_on.wait(10)
        return await submitted.future

    def other():
        assert handed_in.wait(10)
        try:
            return asyncio.run(store.atransact(opening("a2")))
        finally:
            go_on.set()

    with ThreadPoolExecutor(2) as threads:
        assert [future.result() for future in (threads.submit(asyncio.run, busy()), threads.submit(other))] == [1, 2]


def test_what_a_unit_raises_reaches_the_task_that_waits(store):
    def fails(transaction):
        raise KeyConflictError("no")

    def stops(transaction):
        raise StopIteration

    async def main():
        with pytest.raises(KeyConflictError):
            await store.atransact(fails)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await store.atransact(stops)
        return await store.alook(lambda reading: reading.position())

    assert asyncio.run(main()) == 0


def test_whoever_waits_too_long_is_told_and_nothing_of_it_is_stored(address):
    store = Store.open(address, HandClock(), patience=0.2)

    async def main():
        with pytest.raises(StoreUnavailableError, match=r"for more than 0\.2 s; nothing was stored"):
            await store.atransact(opening("a1"))

    with held_up(store):
        asyncio.run(main())
        with pytest.raises(StoreUnavailableError, match=r"for more than 0\.2 s; nothing was stored"):
            store.transact(opening("a2"))
    assert store.transact(opening("a3")) == 1
    assert store.read(lambda r: [found.id for found in r.actions()]) == ["a3"]
    store.close()


def test_a_store_with_too_much_waiting_says_so_at_once(store, monkeypatch):
    monkeypatch.setattr(committer, "MOST_WAITING", 2)

    async def main():
        with held_up(store):
            waiting = [store.submit(opening(f"a{number}")) for number in range(2)]
            with pytest.raises(StoreUnavailableError, match="at most 2 units of work waiting"):
                store.submit(opening("a3"))
        return [await submitted.future for submitted in waiting]

    assert asyncio.run(main()) == [1, 2]


class Ending:
    """A unit of work that says how something ended."""

    goes_first = True

    def __call__(self, transaction):
        return opening("ended")(transaction)


def test_how_something_ended_waits_for_nothing_that_wants_to_begin_and_is_taken_though_too_much_waits(
    store, monkeypatch
):
    monkeypatch.setattr(committer, "MOST_WAITING", 3)
    assert together(store, [opening("a1"), opening("a2"), opening("a3"), Ending()]) == [2, 3, 4, 1]


def test_a_closed_store_takes_nothing_and_what_was_handed_in_before_is_committed(store):
    outcome = []
    with held_up(store):
        thread = threading.Thread(target=lambda: outcome.append(store.transact(opening("a1"))))
        thread.start()
        while not store._committer._waiting:
            time.sleep(0.001)
        closing = threading.Thread(target=store.close)
        closing.start()
        time.sleep(0.05)
    closing.join()
    thread.join()
    assert outcome == [1]
    for use in (lambda: store.transact(opening("a2")), lambda: store.read(lambda r: r.position())):
        with pytest.raises(StoreUnavailableError, match="which is closed; nothing was stored"):
            use()
    store.close()


def test_a_thread_that_is_interrupted_at_the_commit_of_others_leaves_them_to_the_next(store, monkeypatch):
    attempt = store._writer._attempt
    interrupted = []

    def interrupt(units):
        if len(units) > 1 and not interrupted:
            interrupted.append(len(units))
            raise KeyboardInterrupt
        return attempt(units)

    monkeypatch.setattr(store._writer, "_attempt", interrupt)
    outcomes = together(store, [opening("a1"), opening("a2"), opening("a3")])
    assert isinstance(outcomes[0], KeyboardInterrupt)
    assert outcomes[1:] == [1, 2]
    assert interrupted == [3]


@pytest.mark.law(4)
def test_64_threads_hold_exactly_what_fits_on_one_account(store):
    assert race(store, "customer", 10_000, 100, threads=64, tries=3) == 100
    assert usage(store, "customer") == (10_000, 0)
    assert verify(store).ok


@pytest.mark.law(4)
def test_64_tasks_hold_exactly_what_fits_on_one_account(store):
    def fitting(number):
        def work(transaction):
            if transaction.usage("customer", None, inclusive=True).used + 100 > 5_000:
                return False
            opening(f"a{number}")(transaction)
            return True

        return work

    async def main():
        return await asyncio.gather(*(store.atransact(fitting(number)) for number in range(64)))

    assert sum(asyncio.run(main())) == 50
    assert usage(store, "customer") == (5_000, 0)


TOLD = """
    import sys, threading
    from agentguard.store import Store
    from tests.store.given import HandClock, begin
    store = Store.open("sqlite:///" + sys.argv[1], HandClock())

    def run(thread):
        for number in range(10_000):
            begin(store, f"a-{thread}-{number}", [("customer", 1)])
            sys.stdout.write(f"a-{thread}-{number}\\n")
            sys.stdout.flush()

    for thread in range(8):
        threading.Thread(target=run, args=(thread,), daemon=True).start()
    threading.Event().wait()
"""


@pytest.mark.law(5)
def test_whoever_was_answered_finds_it_committed_though_the_process_was_killed(tmp_path):
    path = tmp_path / "guard.db"
    with running(TOLD, path) as (process, printed):
        told = [printed.readline().strip() for _ in range(100)]
        os.kill(process.pid, signal.SIGKILL)
        told += [line.strip() for line in printed if line.endswith("\n")]
    store = Store.open(f"sqlite:///{path}", HandClock())
    assert [name for name in told if store.read(lambda r, name=name: r.action(name)) is None] == []
    assert usage(store, "customer")[0] >= len(told)
    assert verify(store).ok
    store.close()


FORKING = """
    import os, sys, threading
    from agentguard.store import Store
    from tests.store.given import HandClock, begin
    store = Store.open("sqlite:///" + sys.argv[1], HandClock())
    begin(store, "a1", [("customer", 1)])
    inside, go_on = threading.Event(), threading.Event()

    def slow(transaction):
        inside.set()
        go_on.wait(10)
        transaction.append({"tenant": "acme", "kind": "noted"})

    thread = threading.Thread(target=store.transact, args=(slow,))
    thread.start()
    inside.wait(10)
    threading.Timer(0.2, go_on.set).start()
    child = os.fork()
    if child == 0:
        begin(store, "a2", [("customer", 1)])
        os._exit(0)
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    begin(store, "a3", [("customer", 1)])
    print(store.read(lambda r: (r.position(), r.account("customer").held)))
"""


def test_a_child_that_is_forked_in_the_midst_of_a_commit_has_a_committer_of_its_own(tmp_path):
    with running(FORKING, tmp_path / "guard.db") as (_, printed):
        assert printed.read() == "(4, 3)\n"


def test_what_many_queries_ask_for_is_asked_at_once_and_found_as_it_stands(store):
    begin(store, "a1")
    begin(store, "a2")
    keys = [ActionKey("acme", "support-bot", "c-91", f"key-a{number}") for number in range(1, 6)]

    def look(key):
        return lambda reading: reading.action_by_key(*key)

    async def main():
        with held_up(store):
            asked = [asyncio.create_task(store.alook(look(key), [key])) for key in keys]
            opened = store.submit(opening("a5"))
            await asyncio.sleep(0.05)
        return [await task for task in asked], await opened.future

    found, position = asyncio.run(main())
    assert [None if record is None else record.id for record in found[:4]] == ["a1", "a2", None, None]
    assert position == 3
    assert store.read(look(keys[4])).id == "a5"


def test_short_looks_of_many_threads_go_one_after_the_other_and_hold_up_no_other_query(tmp_path):
    store = Store.open(f"sqlite:///{tmp_path / 'guard.db'}")
    inside, most, mutex = [], [], threading.Lock()

    def look(reading):
        with mutex:
            inside.append(1)
            most.append(len(inside))
        time.sleep(0.005)
        with mutex:
            inside.pop()
        return reading.position()

    threads = [threading.Thread(target=store.look, args=(look,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert store.look(lambda _: until_answered(lambda: store.read(lambda reading: reading.position()))) == 0
    for thread in threads:
        thread.join()
    assert most == [1] * 8
    store.close()


def until_answered(function):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(function()))
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "expected a query beside a look to be answered"
    return answers[0]


def test_a_look_inside_a_look_is_refused_and_leaves_the_turn_free(store):
    with pytest.raises(UsageError, match="one inside another"):
        store.look(lambda _: store.look(lambda reading: reading.position()))
    assert store.look(lambda reading: reading.position()) == 0
