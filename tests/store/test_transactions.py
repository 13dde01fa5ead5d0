"""Everything or nothing, one at a time, in this process and across processes."""

import contextlib
import os
import signal
import threading
import time

import pytest

from agentguard.core.lifecycle import BEGINNINGS, MOVES, State
from agentguard.errors import KeyConflictError, StaleFenceError, StoreUnavailableError, TamperedError, UsageError
from agentguard.store import Store
from agentguard.store.verification import verify
from tests.forked import running
from tests.store.given import START, HandClock, action, begin, body, race, settle, usage


@pytest.mark.law(5)
def test_nothing_of_a_transaction_that_fails_is_kept(store):
    def work(transaction):
        transaction.open_action(action("a1"))
        transaction.hold("a1", "customer", "USD", 100)
        transaction.append(body("a1"))
        raise KeyConflictError("the same key came with another request")

    with pytest.raises(KeyConflictError):
        store.transact(work)
    assert store.read(lambda r: (r.action("a1"), r.position(), r.holds("a1"), r.entries())) == (None, 0, (), ())
    assert usage(store, "customer") == (0, 0)


@pytest.mark.law(5)
@pytest.mark.parametrize(
    "work",
    [
        lambda t: t.open_action(action("a2")),
        lambda t: t.move("a1", State.EXECUTING, 0, State.IN_DOUBT),
        lambda t: t.hold("a1", "customer", "USD", 1),
        lambda t: t.settle("a1"),
        lambda t: t.release("a1"),
        lambda t: t.post("a1", "customer", "USD", 1),
        lambda t: t.halt("all", "ann", "why"),
        lambda t: t.resume("all"),
    ],
)
def test_a_change_without_an_entry_is_refused_and_not_kept(store, work):
    begin(store, "a1")
    before = store.read(lambda r: (r.action("a1"), r.actions(), r.holds("a1"), r.halts()))
    with pytest.raises(UsageError, match="expected an audit entry beside what was stored, got none"):
        store.transact(work)
    assert store.read(lambda r: (r.action("a1"), r.actions(), r.holds("a1"), r.halts())) == before


@pytest.mark.law(3)
def test_one_key_names_one_action(store):
    begin(store, "a1")
    with pytest.raises(StaleFenceError, match="a second time"):
        begin(store, "a2", key="key-a1")
    begin(store, "a3", key="key-a1", tenant="other")
    begin(store, "a4", key="key-a1", agent="other")
    begin(store, "a5", key="key-a1", conversation="")


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
def test_only_moves_of_the_table_are_stored(store, before, after):
    if before not in BEGINNINGS:
        with pytest.raises(UsageError, match="a state that an action can begin in"):
            begin(store, "a1", state=before)
        return
    begin(store, "a1", state=before)

    def work(transaction):
        transaction.move("a1", before, 0, after, new_fence=1)
        transaction.append(body("a1", after.value, 1))

    if after in MOVES[before]:
        store.transact(work)
        assert store.read(lambda r: (r.action("a1").state, r.action("a1").fence)) == (after, 1)
    else:
        with pytest.raises(UsageError, match="a move that the table has"):
            store.transact(work)
        assert store.read(lambda r: r.action("a1").state) == before


@pytest.mark.parametrize("state,fence", [(State.EXECUTING, 1), (State.IN_DOUBT, 2)])
def test_a_worker_that_comes_late_with_an_old_fence_or_state_cannot_settle(store, state, fence):
    begin(store, "a1", [("customer", 100)], fence=2)

    def late(transaction):
        transaction.settle("a1")
        transaction.append(body("a1", "settled", fence))
        transaction.move("a1", state, fence, State.SETTLED)

    with pytest.raises(StaleFenceError, match="got it executing with fence 2"):
        store.transact(late)
    assert usage(store, "customer") == (100, 0)


def test_a_fence_only_grows(store):
    begin(store, "a1", fence=2)
    with pytest.raises(UsageError, match="a fence only grows"):
        store.transact(lambda t: t.move("a1", State.EXECUTING, 2, State.IN_DOUBT, new_fence=1))


def test_a_move_writes_what_it_is_given_and_leaves_the_rest(store):
    begin(store, "a1", external_reference="re_1", answer="{}")

    def work(transaction):
        transaction.move("a1", State.EXECUTING, 0, State.IN_DOUBT, attempt=3, answer=None, deadline=START)
        transaction.append(body("a1", "in_doubt"))

    store.transact(work)
    found = store.read(lambda r: r.action("a1"))
    assert (found.attempt, found.answer, found.deadline, found.external_reference) == (3, None, START, "re_1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "x"},
        {"tenant": "acme"},
        {"tenant": "", "kind": "x"},
        {"tenant": 1, "kind": "x"},
        {"tenant": "acme", "kind": "x", "seq": 9},
    ],
)
def test_an_entry_without_a_tenant_or_kind_or_with_what_the_store_adds_is_refused(store, wrong):
    with pytest.raises(UsageError):
        store.transact(lambda t: t.append(wrong))
    assert store.read(lambda r: r.position()) == 0


@pytest.mark.law(12)
@pytest.mark.parametrize("size,fits", [(2**20 - 300, True), (2**20, False)])
def test_an_entry_has_a_largest_size(store, size, fits):
    entry = {"tenant": "acme", "kind": "x", "words": "w" * size}
    if fits:
        store.transact(lambda t: t.append(entry))
    else:
        with pytest.raises(UsageError, match="expected an entry of at most 1048576 bytes"):
            store.transact(lambda t: t.append(entry))


def test_streams_of_tenants_are_numbered_apart_in_one_log(store):
    def work(transaction):
        return [transaction.append({"tenant": tenant, "kind": "x"}) for tenant in ("acme", "beta", "acme")]

    first, second = store.transact(work), store.transact(work)
    assert [(entry.pos, entry.stream, entry.seq) for entry in [*first, *second]] == [
        (1, "acme", 1),
        (2, "beta", 1),
        (3, "acme", 2),
        (4, "acme", 3),
        (5, "beta", 2),
        (6, "acme", 4),
    ]
    assert store.read(lambda r: r.head("acme")) == second[2]
    assert store.read(lambda r: r.entry(6).document["prev"]) == second[0].leaf
    assert store.read(lambda r: r.entry(1).document["prev"]) is None


def test_a_transaction_inside_another_of_the_same_thread_is_an_error_and_not_a_deadlock(store):
    with pytest.raises(UsageError, match="one transaction at a time"):
        store.transact(lambda t: store.read(lambda r: r.position()))
    assert store.read(lambda r: r.position()) == 0


@pytest.mark.parametrize("url", ["sqlite:///{path}", "sqlite://"])
def test_exactly_what_fits_is_held_when_eight_threads_race_for_one_account(path, url):
    store = Store.open(url.format(path=path), HandClock())
    assert race(store, "customer", 10_000, 100, threads=8, tries=20) == 100
    assert usage(store, "customer") == (10_000, 0)
    assert verify(store).ok
    store.close()


RACER = """
    import sys
    from agentguard.store import Store
    from tests.store.given import HandClock, race
    store = Store.open(sys.argv[1], HandClock())
    print(race(store, "customer", 5_000, 100, threads=2, tries=20))
"""


@pytest.mark.law(4)
def test_exactly_what_fits_is_held_when_three_processes_make_and_use_one_database(address):
    with contextlib.ExitStack() as racers:
        racing = [racers.enter_context(running(RACER, address)) for _ in range(3)]
        assert sum(int(printed.read()) for _, printed in racing) == 50
    store = Store.open(address, HandClock())
    assert usage(store, "customer") == (5_000, 0)
    assert verify(store).ok
    store.close()


KILLED = """
    import sys, time
    from agentguard.store import Store
    from tests.store.given import HandClock, action, body
    store = Store.open(sys.argv[1], HandClock())

    def work(transaction):
        transaction.open_action(action("a2"))
        transaction.hold("a2", "customer", "USD", 100)
        transaction.append(body("a2"))
        print("inside", flush=True)
        time.sleep(60)

    store.transact(work)
"""


@pytest.mark.law(5)
def test_nothing_half_done_is_left_by_a_process_killed_inside_a_transaction(store, address):
    begin(store, "a1", [("customer", 100)])
    with running(KILLED, address) as (process, printed):
        assert printed.readline() == "inside\n"
        os.kill(process.pid, signal.SIGKILL)
    assert store.read(lambda r: (r.action("a2"), r.position())) == (None, 1)
    assert usage(store, "customer") == (100, 0)
    settle(store, "a1")
    assert verify(store).ok


FORKING = """
    import os, sys
    from agentguard.store import Store, Vault
    from tests.store.given import HandClock, begin
    store = Store.open(sys.argv[1], HandClock())
    vault = Vault.beside(sys.argv[1], os.urandom)
    begin(store, "a1")
    child = os.fork()
    if child == 0:
        begin(store, "a2")
        vault.pseudonym("acme", "cus_2")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    begin(store, "a3")
    print(store.read(lambda r: r.position()), vault.customer_of(vault.pseudonym("acme", "cus_2")))
"""


def test_a_forked_child_uses_connections_of_its_own(address):
    with running(FORKING, address) as (_, printed):
        assert printed.read() == "3 cus_2\n"


def test_a_reader_of_a_database_in_memory_sees_only_what_is_committed():
    store = Store.open("sqlite://", HandClock())
    inside, found = threading.Event(), []

    def work(transaction):
        transaction.append({"tenant": "acme", "kind": "x"})
        inside.set()
        time.sleep(0.1)
        transaction.append({"tenant": "acme", "kind": "x"})

    writer = threading.Thread(target=store.transact, args=(work,))
    writer.start()
    inside.wait(10)
    found.append(store.read(lambda r: (r.position(), len(r.entries()))))
    writer.join()
    assert found == [(2, 2)]
    store.close()


@pytest.mark.parametrize(
    "query",
    [
        lambda r: r.entry(2**63),
        lambda r: r.entries(10**30),
        lambda r: r.action("\udcff"),
    ],
)
def test_numbers_and_text_that_no_database_can_keep_are_an_error_of_ours(store, query):
    with pytest.raises(UsageError, match="what no database can keep"):
        store.read(query)


def test_a_broken_record_is_not_taken_for_a_second_key(store):
    with pytest.raises(TamperedError, match="would contradict itself"):
        begin(store, "a1", request=None)


def test_a_thread_that_stays_inside_a_transaction_makes_others_wait_a_bounded_time(path):
    store = Store.open(f"sqlite:///{path}", HandClock(), patience=0.2)
    inside, done = threading.Event(), threading.Event()

    def work(transaction):
        inside.set()
        done.wait(10)

    thread = threading.Thread(target=store.transact, args=(work,))
    thread.start()
    inside.wait(10)
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError, match="another thread has been writing"):
        store.transact(lambda t: t.append({"tenant": "acme", "kind": "x"}))
    assert time.monotonic() - began < 5
    assert store.read(lambda r: r.position()) == 0
    done.set()
    thread.join()
    store.close()
