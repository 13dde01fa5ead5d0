"""The ledger: holds, postings and windows, exact to the microsecond."""

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agentguard.core.lifecycle import State
from agentguard.errors import AmountTooLargeError, UsageError
from agentguard.store import Store
from agentguard.store.records import Movement
from agentguard.store.verification import verify
from tests.store.given import MICROSECOND, START, HandClock, action, begin, body, release, settle, usage


def test_an_account_that_nobody_used_is_empty(store):
    assert usage(store, "nobody") == (0, 0)
    assert store.read(lambda r: r.account("nobody")) is None


def test_a_hold_counts_until_it_is_settled_or_given_back(store):
    begin(store, "a1", [("customer", 4000)])
    begin(store, "a2", [("customer", 500)])
    assert usage(store, "customer") == (4500, 0)
    settle(store, "a1")
    assert usage(store, "customer") == (500, 4000)
    release(store, "a2")
    assert usage(store, "customer") == (0, 4000)


def test_an_actions_own_hold_and_postings_can_be_left_out(store):
    begin(store, "a1", [("customer", 4000)])
    begin(store, "a2", [("customer", 500)])
    assert usage(store, "customer", exclude="a1") == (500, 0)
    settle(store, "a1")
    assert usage(store, "customer", exclude="a1") == (500, 0)
    assert usage(store, "customer", exclude="a2") == (0, 4000)


@pytest.mark.law(4)
@pytest.mark.parametrize("real", [0, 1, 3999, 4000, 4001, 9000])
def test_what_really_happened_is_posted_below_at_and_above_the_hold(store, real):
    begin(store, "a1", [("customer", 4000)])
    settle(store, "a1", {"customer": real})
    assert usage(store, "customer") == (0, real)
    assert [hold.state for hold in store.read(lambda r: r.holds("a1"))] == ["settled"]


def test_an_account_that_settle_does_not_name_is_posted_as_it_was_held(store):
    begin(store, "a1", [("customer", 4000), ("everyone", 4000)])
    settle(store, "a1", {"customer": 3000})
    assert usage(store, "customer") == (0, 3000)
    assert usage(store, "everyone") == (0, 4000)


@pytest.mark.law(4)
def test_a_truth_that_comes_after_the_release_is_posted(store):
    begin(store, "a1", [("customer", 4000)])
    release(store, "a1")

    def late(transaction):
        transaction.move("a1", State.RELEASED, 0, State.SETTLED)
        transaction.settle("a1", {"customer": 4000})
        transaction.append(body("a1", "settled", kind="settled_late"))

    store.transact(late)
    assert usage(store, "customer") == (0, 4000)


def test_two_limits_that_share_an_account_hold_once(store):
    begin(store, "a1", [("customer", 4000), ("customer", 4000)])
    assert usage(store, "customer") == (4000, 0)


@pytest.mark.parametrize("spoilt", [("EUR", 4000), ("USD", -1)])
def test_several_accounts_are_held_together_or_none_of_them(store, spoilt):
    begin(store, "a0", [("everyone", 0)])
    wanted = {"customer": ("USD", 4000), "everyone": ("USD", 4000)}

    def work(transaction):
        transaction.append(body("a1"))
        transaction.open_action(action("a1"))
        with pytest.raises((UsageError, AmountTooLargeError)):
            transaction.hold_all("a1", {**wanted, "everyone": spoilt})
        before = transaction.held("a1"), transaction.account("customer")
        transaction.hold_all("a1", wanted)
        return before

    assert store.transact(work) == ({}, None)
    assert store.read(lambda r: r.held("a1")) == wanted
    assert (usage(store, "customer"), usage(store, "everyone")) == ((4000, 0), (4000, 0))


def test_two_holds_with_different_amounts_on_one_account_are_refused(store):
    with pytest.raises(UsageError, match="hold once, with one amount"):
        begin(store, "a1", [("customer", 4000), ("customer", 4001)])
    assert usage(store, "customer") == (0, 0)


def test_an_account_counts_one_currency(store):
    begin(store, "a1", [("customer", 4000)])

    def euros(transaction):
        transaction.post("a2", "customer", "EUR", 1)
        transaction.append(body("a2"))

    with pytest.raises(UsageError, match="expected the account's unit `USD`, got `EUR`"):
        store.transact(euros)


@pytest.mark.parametrize("amount", [10**15, 0, 1])
def test_an_amount_up_to_the_bound_is_held_and_posted(store, amount):
    begin(store, "a1", [("customer", amount)])
    settle(store, "a1")
    assert usage(store, "customer") == (0, amount)


@pytest.mark.law(12)
@pytest.mark.parametrize("amount", [10**15 + 1, -1, 10**400, True, 1.0])
def test_an_amount_past_the_bound_is_refused(store, amount):
    with pytest.raises(AmountTooLargeError, match="expected a whole amount from 0 to 1000000000000000"):
        begin(store, "a1", [("customer", amount)])
    begin(store, "a1", [("customer", 1)])
    with pytest.raises(AmountTooLargeError):
        settle(store, "a1", {"customer": amount})
    assert usage(store, "customer") == (1, 0)


@pytest.mark.law(12)
def test_an_account_never_grows_past_what_a_database_can_count(store):
    def fill(transaction):
        for _ in range(9000):
            transaction.post("a1", "customer", "USD", 10**15)
        transaction.append(body("a1"))

    store.transact(fill)
    assert usage(store, "customer") == (0, 9 * 10**18)
    with pytest.raises(AmountTooLargeError, match="start a new account"):
        begin(store, "a2", [("customer", 1)])


@pytest.mark.law(4)
def test_a_sliding_window_leaves_out_its_very_start_and_a_calendar_window_counts_it(store, clock):
    begin(store, "a1", [("customer", 4000)])
    settle(store, "a1")
    clock.advance(days=40)
    posted_at = START
    assert usage(store, "customer", posted_at - MICROSECOND, inclusive=False) == (0, 4000)
    assert usage(store, "customer", posted_at, inclusive=False) == (0, 0)
    assert usage(store, "customer", posted_at + MICROSECOND, inclusive=False) == (0, 0)
    assert usage(store, "customer", posted_at - MICROSECOND, inclusive=True) == (0, 4000)
    assert usage(store, "customer", posted_at, inclusive=True) == (0, 4000)
    assert usage(store, "customer", posted_at + MICROSECOND, inclusive=True) == (0, 0)


def test_several_postings_in_one_microsecond_count_together(store):
    for name, amount in (("a1", 1), ("a2", 10), ("a3", 100)):
        begin(store, name, [("customer", amount)])
        settle(store, name)
    assert usage(store, "customer", START, inclusive=True) == (0, 111)
    assert usage(store, "customer", START, inclusive=False) == (0, 0)


def test_a_hold_counts_in_every_window_however_old_it_is(store, clock):
    begin(store, "a1", [("customer", 4000)])
    clock.advance(days=400)
    assert usage(store, "customer", clock.now, inclusive=False) == (4000, 0)


@pytest.mark.law(4)
def test_a_clock_that_steps_back_does_not_bring_money_back_into_a_window(store, clock):
    begin(store, "a1", [("customer", 1000)])
    settle(store, "a1")
    clock.advance(minutes=31)
    begin(store, "a2", [("customer", 1000)])
    later = clock.now
    clock.advance(minutes=-31)
    assert store.read(lambda r: r.now()) == later
    settle(store, "a2")
    assert usage(store, "customer", later - MICROSECOND, inclusive=False) == (0, 1000)


def test_the_ledgers_time_is_read_once_in_a_transaction(store, clock):
    def work(transaction):
        first = transaction.now()
        clock.advance(hours=1)
        return first, transaction.now()

    first, second = store.transact(work)
    assert first == second == START


def test_postings_since_a_position_of_the_log_are_noticed_even_if_no_time_passes(store):
    begin(store, "a1", [("order", 6000)])
    position = store.read(lambda r: r.position())
    begin(store, "a2", [("order", 100)])
    assert not store.read(lambda r: r.posted_since(["order", "other"], position))
    before = store.read(lambda r: r.position())
    settle(store, "a1")
    assert store.read(lambda r: r.posted_since(["order", "other"], position))
    assert store.read(lambda r: r.posted_since(["order"], before))
    assert not store.read(lambda r: r.posted_since(["other"], position))
    assert not store.read(lambda r: r.posted_since([], position))
    assert not store.read(lambda r: r.posted_since(["order"], r.position()))


def test_a_new_account_can_be_filled_from_the_past_and_is_exact_at_once(store, clock):
    clock.advance(days=30)
    movements = [
        Movement(START, 100, "old-1"),
        Movement(START, 20, "old-2"),
        Movement(START + timedelta(days=1), 3, "old-3"),
    ]

    def fill(transaction):
        transaction.backfill("fresh", "USD", movements)
        transaction.append({"tenant": "acme", "kind": "backfilled"})

    store.transact(fill)
    assert usage(store, "fresh") == (0, 123)
    assert usage(store, "fresh", START, inclusive=False) == (0, 3)


def test_what_is_filled_in_before_the_last_posting_counts_a_little_longer_and_never_too_short(store, clock):
    begin(store, "a1", [("gap", 100)])
    clock.advance(days=2)
    settle(store, "a1")
    clock.advance(days=2)

    def fill(transaction):
        movements = [
            Movement(START + timedelta(days=days), amount, f"old-{days}") for days, amount in ((1, 20), (3, 3))
        ]
        transaction.backfill("gap", "USD", movements)
        transaction.append({"tenant": "acme", "kind": "backfilled"})

    store.transact(fill)
    assert usage(store, "gap") == (0, 123)
    assert usage(store, "gap", START + timedelta(days=2), inclusive=True) == (0, 123)
    assert usage(store, "gap", START + timedelta(days=2), inclusive=False) == (0, 3)
    assert store.read(lambda r: r.accounts_posted("old-1")) == {"gap"}
    begin(store, "a2", [("gap", 7)])
    settle(store, "a2")
    assert usage(store, "gap") == (0, 130)
    assert verify(store).ok


@pytest.mark.parametrize("times", [(1, 0), (31 * 24 * 60,)])
def test_an_account_is_not_filled_out_of_order_or_from_the_future(store, clock, times):
    clock.advance(days=30)
    movements = [Movement(START + timedelta(minutes=minutes), 1, "old") for minutes in times]

    def fill(transaction):
        transaction.backfill("fresh", "USD", movements)
        transaction.append({"tenant": "acme", "kind": "backfilled"})

    with pytest.raises(UsageError, match="in the order of their times"):
        store.transact(fill)


class Ledger(RuleBasedStateMachine):
    """The store's accounts beside plain lists."""

    accounts = st.sampled_from(["x", "y"])

    def __init__(self):
        super().__init__()
        self.clock = HandClock()
        self.store = Store.open("sqlite://", self.clock)
        self.floor = START
        self.held = {}
        self.posted = []
        self.count = 0

    def teardown(self):
        self.store.close()

    @rule(seconds=st.integers(-30, 60))
    def time_passes(self, seconds):
        self.clock.advance(seconds=seconds)

    def now(self):
        self.floor = max(self.floor, self.clock.now)
        return self.floor

    @rule(account=accounts, amount=st.integers(0, 50))
    def hold(self, account, amount):
        self.count += 1
        begin(self.store, f"a{self.count}", [(account, amount)])
        self.held[f"a{self.count}"] = (account, amount)
        self.now()

    @precondition(lambda self: self.held)
    @rule(data=st.data(), real=st.none() | st.integers(0, 80))
    def settle(self, data, real):
        name = data.draw(st.sampled_from(sorted(self.held)))
        account, amount = self.held.pop(name)
        settle(self.store, name, None if real is None else {account: real})
        self.posted.append((account, self.now(), amount if real is None else real))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data):
        name = data.draw(st.sampled_from(sorted(self.held)))
        del self.held[name]
        release(self.store, name)
        self.now()

    @rule(account=accounts, back=st.integers(0, 90), inclusive=st.booleans())
    def windows_agree(self, account, back, inclusive):
        start = self.floor - timedelta(seconds=back)
        inside = [
            amount
            for name, moment, amount in self.posted
            if name == account and (moment >= start if inclusive else moment > start)
        ]
        assert usage(self.store, account, start, inclusive)[1] == sum(inside)

    @invariant()
    def holds_agree(self):
        for account in ("x", "y"):
            held = sum(amount for name, amount in self.held.values() if name == account)
            assert usage(self.store, account)[0] == held

    @invariant()
    def the_log_verifies(self):
        assert verify(self.store).ok


TestLedger = pytest.mark.no_cover(Ledger.TestCase)
TestLedger.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
def test_usage_costs_the_same_after_many_movements(address, store, clock):
    begin(store, "a1")

    def fill(transaction):
        for number in range(3000):
            transaction.post(f"a{number % 7}", "customer", "USD", 1)
        transaction.append({"tenant": "acme", "kind": "filled"})

    store.transact(fill)
    another = Store.open(address, clock)
    plans = another.read(_plans_of_usage)
    another.close()
    assert len(plans) == 5
    assert all(plan.startswith("SEARCH") for plan in plans)


def _plans_of_usage(reading):
    driver = reading._lookups.channel.driver
    ran = []
    driver.set_trace_callback(ran.append)
    reading.action("a1")
    ran.clear()
    reading.usage("customer", START, inclusive=True, exclude_action="a1")
    driver.set_trace_callback(None)
    return [row[-1] for text in ran for row in driver.execute(f"EXPLAIN QUERY PLAN {text}")]


def test_an_action_record_comes_back_as_it_was_stored(store):
    record = action(
        "a9", relates_to="a1", deadline=START + timedelta(seconds=20), answer="{}", bundle="b", effect="read"
    )

    def work(transaction):
        transaction.open_action(record)
        transaction.append(body("a9"))

    store.transact(work)
    found = store.read(lambda r: r.action("a9"))
    assert found == store.read(lambda r: r.action_by_key("acme", "support-bot", "c-91", "key-a9"))
    assert found.updated_at == START
    assert {name: getattr(found, name) for name in ("deadline", "relates_to", "state", "asked_at", "bundle")} == {
        name: getattr(record, name) for name in ("deadline", "relates_to", "state", "asked_at", "bundle")
    }
