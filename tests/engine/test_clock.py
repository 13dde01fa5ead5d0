"""A guard whose machine's clock jumps: nothing is decided or begun, what happened is written, a person confirms."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentguard import Done, Idempotent, InDoubt, Money, NotDone, Queryable, Unavailable, UsageError
from agentguard.errors import ClockError
from agentguard.store import ledger_clock
from agentguard.testing.clock import START, ManualClock
from tests.engine.given import MACHINE, REFUNDS, shop

JUMP = timedelta(minutes=5, microseconds=1)
MICROSECOND = timedelta(microseconds=1)


class Machine:
    """The clock of this machine, as far as the ledger asks it."""

    def __init__(self, monkeypatch):
        self.wall, self.up = START, timedelta(hours=1)
        monkeypatch.setattr(time, "time_ns", lambda: (self.wall - datetime.fromtimestamp(0, UTC)) // MICROSECOND * 1000)
        monkeypatch.setattr(ledger_clock, "_is_simulated", lambda wall_us: False)
        monkeypatch.setattr(ledger_clock, "_uptime_us", lambda: self.up // MICROSECOND)

    def run(self, span):
        self.wall, self.up = self.wall + span, self.up + span

    def step(self, span):
        self.wall += span


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


@pytest.fixture
def open_own(machine, tmp_path):
    """Open shops over one file whose guards have no clock but the machine's."""
    opened = []

    def open_one(**options):
        opened.append(shop(f"sqlite:///{tmp_path / 'shop.db'}", clock=MACHINE, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()


def confirm(one):
    return one.guard.confirm_clock(by="maria", why="asked two time servers")


@pytest.mark.parametrize("jump", [JUMP, -JUMP])
def test_after_a_jump_nothing_is_decided_in_any_process_until_a_person_confirms(machine, open_own, jump):
    one, two = open_own(), open_own()
    assert isinstance(one.ask(key="1"), Done)
    two.guard.start()
    machine.step(jump)
    for shop_ in (one, two):
        refused = shop_.ask(key="2")
        assert isinstance(refused, Unavailable)
        assert (refused.cause, refused.reason_code, refused.executed) == ("clock", "clock", False)
    assert len(one.paid) == 1
    assert not two.paid
    assert confirm(two) is True
    assert isinstance(one.ask(key="2"), Done)
    assert isinstance(two.ask("20.00", key="3"), Done)
    (entry,) = one.guard.audit.list(kind="clock_confirmed")
    assert (entry.document["by"], entry.document["why"]) == ("maria", "asked two time servers")
    assert "jumped 0:05:00" in entry.document["doubt"]
    assert one.guard.audit.verify().ok


def test_a_step_of_five_minutes_is_no_jump(machine, open_own):
    one = open_own()
    one.guard.start()
    machine.step(-(JUMP - MICROSECOND))
    assert isinstance(one.ask(), Done)


def test_confirming_a_clock_that_nobody_doubts_writes_nothing_and_needs_a_name_and_a_reason(open_own):
    one = open_own()
    assert confirm(one) is False
    assert one.guard.audit.list(kind="clock_confirmed") == ()
    for by, why in (("", "x"), ("maria", "")):
        with pytest.raises(UsageError, match="who does this"):
            one.guard.confirm_clock(by=by, why=why)


@pytest.mark.law(6)
@pytest.mark.parametrize("jump", [JUMP, -JUMP])
def test_what_a_tool_did_is_settled_though_the_clock_jumped_meanwhile(machine, open_own, jump):
    one = open_own()

    def pay_and_jump(*about):
        machine.step(jump)
        return one.pay(*about)

    one.acts = pay_and_jump
    answer = one.ask()
    assert isinstance(answer, Done)
    assert one.usage(answer) == [(0, 4000), (0, 4000)]
    assert isinstance(one.ask(key="2"), Unavailable)
    assert one.guard.audit.verify().ok


@pytest.mark.law(2)
def test_an_action_that_was_decided_before_a_jump_is_not_begun_after_it(machine, open_own):
    one = open_own()
    ready = one.ask(run=one.guard.propose)
    machine.step(JUMP)
    assert isinstance(one.guard.execute(ready.decision_id), Unavailable)
    assert one.paid == []


def test_the_stop_button_and_a_persons_word_about_a_doubt_work_with_any_clock(machine, open_own):
    one = open_own()
    one.acts = lambda *_: 1 / 0
    doubt = one.ask()
    machine.step(-JUMP)
    one.guard.halt(by="maria", why="the clock is wrong")
    resolved = one.guard.resolve(doubt.decision_id, done=False, by="maria", why="not in the books")
    assert isinstance(resolved, NotDone)
    with pytest.raises(ClockError):
        one.guard.recover()


def test_a_guard_that_starts_while_nobody_relies_on_the_clock_waits_for_a_person(machine, open_own):
    open_own().ask()
    machine.step(-JUMP)
    late = open_own()
    assert isinstance(late.ask(key="2"), Unavailable)
    confirm(late)
    assert isinstance(late.ask(key="2"), Done)


@pytest.mark.law(3, 6)
def test_no_ttl_is_counted_over_a_time_that_nobody_measured(machine, open_own):
    """The clock went back a day and was confirmed: the ledger says seconds, the receiver may have forgotten the key."""
    one = open_own(effect=Idempotent(ttl=timedelta(hours=1)))
    one.acts = lambda *_: 1 / 0
    doubt = one.ask()
    machine.step(-timedelta(days=1))
    confirm(one)
    one.acts = None
    (answer,) = one.guard.recover()
    assert isinstance(answer, InDoubt)
    assert one.paid == []
    assert isinstance(one.ask(key="2"), Done), "what was first sent after it has its ttl"
    assert one.state(doubt) == "in_doubt"


def test_a_settling_lag_begins_anew_when_the_clock_was_confirmed(machine, open_own):
    one = open_own(effect=Queryable(lambda key: None, settle_lag=timedelta(minutes=5)))
    one.acts = lambda *_: 1 / 0
    one.ask()
    machine.step(timedelta(days=1))
    confirm(one)
    assert isinstance(one.guard.recover()[0], InDoubt), "a day by the clock, a second in truth"
    machine.run(timedelta(minutes=5))
    assert isinstance(one.guard.recover()[0], InDoubt)
    machine.run(MICROSECOND)
    assert isinstance(one.guard.recover()[0], NotDone)


WINDOWS = [
    line.replace("max: 300", "max: 100").replace("30 days", "1 hours") if "limits" not in line else line
    for line in REFUNDS.splitlines()
]


@pytest.mark.law(4)
@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from([0, 0, -4, -60, -600]), st.sampled_from([10, 25, 40])),
        min_size=3,
        max_size=14,
    )
)
@example([(0, 0, 40), (1, 0, 40), (59, -60, 40), (1, -60, 40), (5, 0, 40), (30, -4, 40), (30, 0, 40)])
def test_no_window_is_passed_however_the_clock_steps_if_people_only_confirm(moves):
    """Real minutes pass, the clock steps back, a person confirms it: any real hour holds at most its limit.

    A clock that was set forward and is confirmed slides windows too early, which only that person can know.
    """
    with pytest.MonkeyPatch.context() as patch:
        machine = Machine(patch)
        one = shop("sqlite://", text="\n".join(WINDOWS).replace("then: escalate to lead", "then: deny"), clock=MACHINE)
        one.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("100000", "USD")}
        granted = []
        for turn, (minutes, step, amount) in enumerate(moves):
            machine.run(timedelta(minutes=minutes))
            machine.step(timedelta(minutes=step))
            answer = one.ask(str(amount), key=f"k-{turn}")
            if isinstance(answer, Unavailable):
                assert answer.cause == "clock"
                confirm(one)
                answer = one.ask(str(amount), key=f"k-{turn}")
            if isinstance(answer, Done):
                granted.append((machine.up, amount))
            for at, _ in granted:
                inside = [sum_ for when, sum_ in granted if at <= when < at + timedelta(hours=1)]
                assert sum(inside) <= 100
        assert one.guard.audit.verify().ok
        one.guard.close()


def test_what_was_just_looked_up_is_not_old_because_the_ledger_is_ahead_of_the_clock(machine, open_own):
    one = open_own(text=REFUNDS.replace("order.total: money", "order.total: money, max_age 1 hour"))
    assert isinstance(one.ask("20", key="1"), Done)
    machine.step(-timedelta(days=1))
    confirm(one)
    assert isinstance(one.ask("20", key="2"), Done)
    machine.run(timedelta(hours=3))
    assert isinstance(one.ask("20", key="3"), Done)


def test_users_may_freeze_time_in_tests_of_their_own(tmp_path):
    with freeze_time("2026-03-01 12:00:00") as frozen:
        one = shop(f"sqlite:///{tmp_path / 'frozen.db'}", clock=MACHINE)
        assert isinstance(one.ask("50", key="1", run=one.guard.run), Done)
        for key, moved in (("2", "2026-03-20"), ("3", "2027-03-20"), ("4", "2027-03-01")):
            frozen.move_to(moved)
            assert not isinstance(one.ask("50", key=key), Unavailable)
        one.guard.close()


def test_a_clock_of_ones_own_is_believed_and_a_step_back_slides_no_window(open_shop):
    made = open_shop(clock=ManualClock())
    made.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("1000", "USD")}
    for key in range(6):
        assert isinstance(made.ask("50", key=str(key)), Done)
    made.clock.advance(timedelta(days=30) - MICROSECOND)
    assert not isinstance(made.ask("50", key="over"), Done)
    made.clock.advance(-timedelta(days=300))
    assert not isinstance(made.ask("50", key="back"), Done | Unavailable)
    made.clock.advance(timedelta(days=300) + MICROSECOND)
    assert isinstance(made.ask("50", key="again"), Done)
