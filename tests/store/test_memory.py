"""What two processes remember of one database, beside plain sums: what the other one committed is never missed."""

import tempfile
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agentguard.errors import KeyConflictError, StaleFenceError
from agentguard.store import Store
from agentguard.store.memory import LARGEST_MEMORY, UNKNOWN, Layer, Memory
from agentguard.store.verification import verify
from tests.store.given import START, HandClock, action, begin, body, release, settle

ACCOUNTS = ("x", "y")


class TwoProcesses(RuleBasedStateMachine):
    """Two stores on one file, each with a memory of its own, and lists of what was held and posted when."""

    which = st.integers(0, 1)

    def __init__(self):
        super().__init__()
        self.clock = HandClock()
        self.folder = tempfile.TemporaryDirectory()
        self.stores = [Store.open(f"sqlite:///{self.folder.name}/guard.db", self.clock) for _ in range(2)]
        self.held, self.posted, self.entries, self.halted, self.now = {}, [], 0, frozenset(), START

    def teardown(self):
        for store in self.stores:
            store.close()
        self.folder.cleanup()

    def moved(self, entries=1):
        self.entries += entries
        self.now = max(self.now, self.clock.now)

    @rule(seconds=st.integers(-20, 60))
    def time_passes(self, seconds):
        self.clock.advance(seconds=seconds)

    @rule(which=which, account=st.sampled_from(ACCOUNTS), amount=st.integers(0, 50))
    def hold(self, which, account, amount):
        name = f"a{self.entries:04}"
        begin(self.stores[which], name, [(account, amount)])
        self.held[name] = (account, amount)
        self.moved()

    @precondition(lambda self: self.held)
    @rule(which=which, data=st.data(), real=st.none() | st.integers(0, 80))
    def settle(self, which, data, real):
        name = data.draw(st.sampled_from(sorted(self.held)))
        account, amount = self.held.pop(name)
        settle(self.stores[which], name, None if real is None else {account: real})
        self.moved()
        self.posted.append((account, self.now, amount if real is None else real))

    @precondition(lambda self: self.held)
    @rule(which=which, data=st.data())
    def release(self, which, data):
        name = data.draw(st.sampled_from(sorted(self.held)))
        del self.held[name]
        release(self.stores[which], name)
        self.moved()

    @rule(which=which, what=st.sampled_from(["all", "agent:a"]), stop=st.booleans())
    def stop_or_go_on(self, which, what, stop):
        def work(transaction):
            if stop:
                transaction.halt(what, "ann", "why")
            else:
                transaction.resume(what)
            transaction.append({"tenant": "acme", "kind": "halted" if stop else "resumed", "target": what})

        self.stores[which].transact(work)
        self.halted = self.halted | {what} if stop else self.halted - {what}
        self.moved()

    @rule(which=which, account=st.sampled_from(ACCOUNTS))
    def fail(self, which, account):
        """Whatever a unit that fails looked up or did is not remembered either."""

        def work(transaction):
            transaction.open_action(action("never"))
            transaction.hold("never", account, "USD", 5)
            transaction.append(body("never"))
            raise KeyConflictError("no")

        with pytest.raises(KeyConflictError):
            self.stores[which].transact(work)

    @precondition(lambda self: self.entries)
    @rule(which=which)
    def open_the_same_key_again(self, which):
        known = self.stores[1 - which].read(lambda r: r.actions(limit=1))
        if known:
            with pytest.raises(StaleFenceError):
                begin(self.stores[which], known[0].id)

    @rule(
        which=which,
        account=st.sampled_from(ACCOUNTS),
        back=st.integers(0, 90),
        inclusive=st.booleans(),
        write=st.booleans(),
    )
    def both_see_what_both_did(self, which, account, back, inclusive, write):
        start = self.now - timedelta(seconds=back)

        def look(reading):
            used = reading.usage(account, start, inclusive=inclusive)
            return used.held, used.settled, reading.position(), {halt.target for halt in reading.halts()}

        store = self.stores[which]
        found = store.transact(look) if write else store.read(look)
        held = sum(amount for name, amount in self.held.values() if name == account)
        inside = sum(
            amount
            for name, moment, amount in self.posted
            if name == account and (moment >= start if inclusive else moment > start)
        )
        assert found == (held, inside, self.entries, self.halted)

    @invariant()
    def the_log_verifies(self):
        if self.entries % 5 == 0:
            assert verify(self.stores[0]).findings == ()


TestTwoProcesses = pytest.mark.no_cover(TwoProcesses.TestCase)
TestTwoProcesses.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)


def test_a_reader_gets_nothing_of_a_version_that_a_commit_has_just_replaced():
    memory = Memory()
    one, two = (1, "leaf-1"), (2, "leaf-2")
    memory.begin(one)
    memory.learn({("account", "x"): 1}, one)
    old = memory.at(one)
    assert old(("account", "x"), UNKNOWN) == 1
    memory.learn({("account", "x"): 2}, two)
    assert old(("account", "x"), UNKNOWN) is UNKNOWN
    assert memory.at(two)(("account", "x"), UNKNOWN) == 2
    memory.begin((2, "another leaf"))
    assert memory.known(("account", "x"), UNKNOWN) is UNKNOWN


def test_a_unit_that_is_undone_leaves_what_was_known_changed_and_to_be_written_as_it_found_it():
    one, other, new, below = (("account", name) for name in ("one", "other", "new", "below"))
    posting, value = "posting", "value"  # any two statements
    layer = Layer({below: 0}.get)
    layer.change(one, 1)
    layer.set(other, 1)
    layer.add(posting, (1,))
    layer.begin_unit()
    for again in range(2, 4):
        for name in (one, other, new, below):
            layer.change(name, again)
        layer.add(posting, (again,))
        layer.add(value, (again,))
    assert set(layer.touched) == {one, other, new, below}
    layer.undo_unit()
    assert [layer.find(name) for name in (one, other, new, below)] == [1, 1, UNKNOWN, 0]
    assert (list(layer.changed), layer.rows) == ([one], {posting: [(1,)]})
    layer.begin_unit()
    layer.undo_unit()
    assert (layer.find(one), layer.pending(posting)) == (1, [(1,)])


@pytest.mark.law(12)
def test_what_is_remembered_has_a_bound():
    memory = Memory()
    for number in range(3 * LARGEST_MEMORY):
        memory.learn({("account", str(number)): number}, (number, ""))
    assert len(memory._known) <= LARGEST_MEMORY + 1
