"""What people may do beside voting: one stops, two let go, and nobody does what they have no power to."""

from datetime import timedelta

import pytest

from agentguard import ConfigurationError, Guard, Idempotent, UsageError
from agentguard.core.people import People, Power, User
from agentguard.engine.directory import Asked, Fixed
from agentguard.engine.powers import MOST_REFUSALS, TOGETHER
from agentguard.errors import PeopleUnavailableError, PowerRefusedError
from agentguard.testing.clock import ManualClock
from tests.at_once import at_once
from tests.engine.given import MACHINE, REFUNDS, bundle, shop
from tests.engine.test_clock import JUMP, Machine

MICROSECOND = timedelta(microseconds=1)
USERS = {
    "maria": User("maria", "Maria", frozenset({"mrossi"})),
    "tom": User("tom", "Tom", frozenset({"tom"})),
    "kim": User("kim", "Kim", frozenset({"kim"})),
    "eve": User("eve", "Eve", frozenset({"eve"})),
}
OPERATORS = frozenset({"maria", "tom", "kim"})


def staff(**more):
    return People(USERS, {"leads": frozenset({"maria"})}, **{"operators": OPERATORS, **more})


class Staff:
    """People that a test changes under a running guard."""

    def __init__(self, **more):
        self.now = staff(**more)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def open_guard(address, clock):
    def opened(people, text=REFUNDS, **more):
        return Guard(bundle(text), store=address, clock=clock, people=people, **more)

    return opened


def halt(guard, by="maria", target="all", authenticated="os_login"):
    guard.halt(target, by=by, why="twice the amount", authenticated=authenticated)


def resume(guard, by, target="all", authenticated="os_login"):
    return guard.resume(target, by=by, why="repaired", authenticated=authenticated)


def stopped(guard):
    return {item.target for item in guard.store.read(lambda reading: reading.halts())}


def entries(guard, kind):
    return [entry.document for entry in guard.audit.list(kind=kind, limit=1000)]


def refused(guard):
    return [(said["power"], said["by"], said["refused"]) for said in entries(guard, "power_refused")]


def test_one_person_stops_and_two_let_go_and_all_of_it_is_recorded(open_guard):
    guard = open_guard(staff())
    halt(guard, "MROSSI")
    assert (
        entries(guard, "halted")[0] | {"by": "maria", "power": "halt", "authenticated": "os_login", "with": []}
        == (entries(guard, "halted")[0])
    )
    first = resume(guard, "maria")
    assert not first
    assert (first.missing, stopped(guard)) == (1, {"all"})
    (asked,) = entries(guard, "resume_asked")
    assert (asked["by"], asked["subject"], asked["missing"]) == ("maria", "all", 1)
    assert asked["until"] == "2026-11-22T11:00:00.000000Z"
    second = resume(guard, "tom")
    assert second
    assert (second.missing, stopped(guard)) == (0, set())
    (resumed,) = entries(guard, "resumed")
    assert (resumed["by"], resumed["was_halted"]) == ("tom", True)
    assert resumed["with"] == [{"by": "maria", "authenticated": "os_login", "entry": first.entry}]
    assert guard.audit.verify().ok


@pytest.mark.parametrize("spelling", ["maria", "Maria", "MROSSI", "ｍａｒｉａ"])
def test_the_same_person_in_another_spelling_is_not_a_second_one(open_guard, spelling):
    guard = open_guard(staff())
    halt(guard)
    resume(guard, "maria")
    with pytest.raises(PowerRefusedError, match="`maria` has asked for this already; somebody else"):
        resume(guard, spelling)
    assert stopped(guard) == {"all"}
    assert refused(guard) == [("resume", spelling, "asked_already")]


@pytest.mark.parametrize("later, goes_on", [(TOGETHER, True), (TOGETHER + MICROSECOND, False)])
def test_an_asking_counts_for_an_hour(open_guard, clock, later, goes_on):
    guard = open_guard(staff())
    halt(guard)
    resume(guard, "maria")
    clock.advance(later)
    assert bool(resume(guard, "tom")) is goes_on


def test_whoever_asked_too_long_ago_may_ask_again(open_guard, clock):
    guard = open_guard(staff())
    halt(guard)
    resume(guard, "maria")
    clock.advance(TOGETHER + MICROSECOND)
    assert resume(guard, "maria").missing == 1


@pytest.mark.parametrize("target, goes_on", [("all", False), ("agent:bot", True)])
def test_another_stop_of_the_same_clears_what_was_asked(open_guard, target, goes_on):
    guard = open_guard(staff())
    halt(guard)
    resume(guard, "maria")
    halt(guard, "kim", target)
    assert bool(resume(guard, "tom")) is goes_on


def test_letting_go_of_one_thing_says_nothing_about_another(open_guard):
    guard = open_guard(staff())
    halt(guard)
    halt(guard, target="agent:bot")
    resume(guard, "maria")
    assert resume(guard, "tom", "agent:bot").missing == 1
    assert resume(guard, "tom")
    assert stopped(guard) == {"agent:bot"}


def test_what_was_let_go_and_stopped_again_takes_two_again(open_guard):
    guard = open_guard(staff())
    for _ in range(2):
        halt(guard)
        assert resume(guard, "maria").missing == 1
        assert resume(guard, "tom")


def test_what_is_not_stopped_takes_nobody_else(open_guard):
    guard = open_guard(staff())
    said = resume(guard, "maria")
    assert (bool(said), said.missing) == (False, 0)
    assert entries(guard, "resume_asked") == []


def test_whoever_lost_the_power_meanwhile_does_not_count(open_guard):
    people = Staff()
    guard = open_guard(people)
    halt(guard)
    resume(guard, "maria")
    people.now = staff(operators=frozenset({"tom", "kim"}))
    assert resume(guard, "tom").missing == 1
    assert resume(guard, "kim")


def test_three_people_where_the_file_says_three(open_guard):
    guard = open_guard(staff(powers={"resume": Power(OPERATORS, 3)}))
    halt(guard)
    assert [resume(guard, by).missing for by in ("maria", "tom")] == [2, 1]
    assert resume(guard, "kim")


@pytest.mark.parametrize("use", [halt, resume])
@pytest.mark.parametrize("who", ["eve", "nobody", "maria " * 300])
def test_whoever_has_no_power_changes_nothing_and_is_recorded(open_guard, use, who):
    guard = open_guard(staff())
    halt(guard)
    with pytest.raises(PowerRefusedError, match=f"may not {use.__name__}: .*`kim`, `maria`, `tom`") as raised:
        use(guard, who)
    assert (raised.value.code, raised.value.why) == ("power_refused", "no_such_power")
    assert refused(guard) == [(use.__name__, who[:100], "no_such_power")]
    assert stopped(guard) == {"all"}
    assert len(entries(guard, "halted")) == 1


def test_refusals_do_not_fill_the_log(open_guard):
    guard = open_guard(staff())
    for _ in range(MOST_REFUSALS + 2):
        with pytest.raises(PowerRefusedError):
            resume(guard, "eve")
    assert len(refused(guard)) == MOST_REFUSALS


def test_somebody_whom_nobody_checked_stops_and_does_not_let_go(open_guard):
    guard = open_guard(staff())
    halt(guard, authenticated="unverified")
    with pytest.raises(PowerRefusedError, match=r"nobody checked who wants to resume: .*`authenticated=`"):
        resume(guard, "tom", authenticated="unverified")
    assert refused(guard) == [("resume", "tom", "unverified")]
    trusting = open_guard(staff(allow_unverified=True))
    assert trusting.resume(by="tom", why="repaired").missing == 1
    assert resume(guard, "kim").missing == 1  # what nobody checked does not count for somebody who must not trust it
    assert trusting.resume(by="maria", why="repaired")


def test_where_nothing_is_said_about_powers_anybody_has_them_and_the_record_says_so(open_guard):
    for people in (None, People(USERS)):
        guard = open_guard(people)
        guard.halt(by="anybody", why="twice the amount")
        assert guard.resume(by="anybody", why="repaired")
        assert {said["power"] for kind in ("halted", "resumed") for said in entries(guard, kind)} == {"undeclared"}


@pytest.mark.law(9)
def test_where_the_people_cannot_be_told_everybody_stops_and_nobody_lets_go(open_guard):
    def broken():
        raise RuntimeError

    guard = open_guard(broken)
    halt(guard, "whoever")
    assert entries(guard, "halted")[0]["power"] == "unchecked"
    with pytest.raises(PeopleUnavailableError, match="nobody may act"):
        resume(guard, "maria")
    assert stopped(guard) == {"all"}


@pytest.mark.parametrize("authenticated", ["password", "", None])
def test_how_somebody_is_known_is_one_of_four_words(open_guard, authenticated):
    guard = open_guard(None)
    with pytest.raises(UsageError, match="for `authenticated`, got"):
        halt(guard, authenticated=authenticated)
    assert stopped(guard) == set()


def test_two_who_let_go_at_once_are_two_and_one_who_does_twice_is_one(open_guard):
    guards = [open_guard(staff()), open_guard(staff())]
    for _ in range(5):
        halt(guards[0])
        came = at_once(lambda: resume(guards[0], "maria"), lambda: resume(guards[1], "mrossi"))
        assert {getattr(item, "missing", item) for item in came} == {1, "asked_already"}
        assert stopped(guards[0]) == {"all"}
        assert resume(guards[1], "tom")
        halt(guards[0])
        came = at_once(lambda: resume(guards[0], "maria"), lambda: resume(guards[1], "tom"))
        assert sorted((item.missing, item.changed) for item in came) == [(0, True), (1, False)]


NEXT = REFUNDS.replace("version: 1\nowner", "version: 2\nowner").replace("amount <= 50\n", "amount <= 40\n")


def test_policies_come_into_force_by_whoever_may_and_two_where_it_takes_two(open_guard, address, clock):
    people = staff(powers={"activate": Power(frozenset({"tom", "kim"}), 2)})
    assert open_guard(people).activate(by="tom", why="first", authenticated="oidc").missing == 1
    with pytest.raises(PowerRefusedError, match="may not activate"):
        open_guard(people).activate(by="maria", why="first", authenticated="oidc")
    first = open_guard(people).activate(by="kim", why="first", authenticated="oidc")
    assert first
    following = open_guard(people, NEXT)
    assert following.activate(by="kim", why="tighter", authenticated="oidc").missing == 1
    assert following.store.read(lambda reading: reading.digest_in_force()) == first.bundle
    assert following.activate(by="tom", why="tighter", authenticated="oidc")
    assert [said["with"][0]["by"] for said in entries(following, "activated")] == ["tom", "kim"]
    assert open_guard(people).activate(by="kim", why="back", authenticated="oidc").missing == 1  # asked anew
    assert following.audit.verify().ok


def test_a_guard_that_starts_puts_nothing_into_force_over_the_heads_of_those_who_may(open_guard):
    open_guard(staff(), activate=True).start()  # the first policies of all
    open_guard(staff(), activate=True).start()  # the same again
    with pytest.raises(ConfigurationError, match="run `agentguard policy activate`"):
        open_guard(staff(), NEXT, activate=True).start()
    open_guard(People(USERS), NEXT, activate=True).start()  # nothing is said about powers


def test_only_whoever_may_says_how_a_doubt_ended_and_two_where_it_takes_two(address, clock):
    made = shop(address, clock=clock)

    def lost(*_):
        raise TimeoutError

    made.acts = lost
    doubt = made.ask()
    people = Staff(powers={"resolve": Power(OPERATORS, 2)})
    made.guard._parts.directory = Asked(people)
    known = {"why": "seen in the books", "authenticated": "token"}
    with pytest.raises(PowerRefusedError, match="may not resolve"):
        made.guard.resolve(doubt.decision_id, done=True, by="eve", **known)
    asked = made.guard.resolve(doubt.decision_id, done=True, by="maria", **known)
    assert (asked.status, asked.replayed) == ("in_doubt", True)
    assert made.guard.resolve(doubt.decision_id, done=False, by="tom", **known).replayed  # not the same
    assert made.guard.resolve(doubt.decision_id, done=True, by="kim", **known).executed
    (settled,) = entries(made.guard, "settled")
    assert (settled["by"], settled["power"], settled["with"][0]["by"]) == ("kim", "resolve", "maria")
    made.guard.close()


def test_what_was_said_of_an_earlier_attempt_says_nothing_of_a_later_one(address, clock):
    made = shop(address, clock=clock, effect=Idempotent(ttl=timedelta(days=1)))

    def lost(*_):
        raise TimeoutError

    made.acts = lost
    doubt = made.ask()
    made.guard._parts.directory = Fixed(staff(powers={"resolve": Power(OPERATORS, 2)}))
    known = {"done": False, "why": "not in the books", "authenticated": "token"}
    assert made.guard.resolve(doubt.decision_id, by="maria", **known).replayed
    clock.advance(timedelta(minutes=1))
    made.guard.recover()
    assert made.guard.audit.action(doubt.decision_id).attempt == 2
    assert made.guard.resolve(doubt.decision_id, by="tom", **known).replayed
    assert str(made.guard.audit.action(doubt.decision_id).state) == "in_doubt"
    made.guard.close()


def test_only_whoever_may_takes_back_what_waits(address, clock):
    made = shop(address, clock=clock)
    waiting = made.ask("60").escalation.id
    made.guard._parts.directory = Fixed(staff(powers={"withdraw": Power(frozenset({"tom", "kim"}), 2)}))
    known = {"why": "the customer called", "authenticated": "token"}
    with pytest.raises(PowerRefusedError, match="may not withdraw"):
        made.guard.escalations.withdraw(waiting, by="maria", **known)
    asked = made.guard.escalations.withdraw(waiting, by="tom", **known)
    assert (asked.state, asked.missing) == ("open", 1)
    assert made.guard.escalations.withdraw(waiting, by="kim", **known).state == "withdrawn"
    (entry,) = entries(made.guard, "withdrawn")
    assert (entry["by"], entry["power"], entry["with"][0]["by"]) == ("kim", "withdraw", "tom")
    made.guard.close()


def test_only_whoever_may_confirms_the_clock(tmp_path, monkeypatch):
    machine = Machine(monkeypatch)
    guard = shop(f"sqlite:///{tmp_path / 'shop.db'}", clock=MACHINE).guard
    guard.start()
    guard._parts.directory = Fixed(staff(powers={"confirm_clock": Power(frozenset({"tom"}))}))
    machine.step(JUMP)
    with pytest.raises(PowerRefusedError, match="may not confirm clock"):
        guard.confirm_clock(by="maria", why="checked", authenticated="os_login")
    assert guard.store.read(lambda reading: reading.clock()).fault
    assert guard.confirm_clock(by="tom", why="checked", authenticated="os_login")
    (entry,) = entries(guard, "clock_confirmed")
    assert (entry["by"], entry["power"]) == ("tom", "confirm_clock")
    guard.close()


@pytest.mark.parametrize("power", [{"halt": Power(OPERATORS, 2)}, {"confirm_clock": Power(OPERATORS, 2)},
                                   {"resume": Power(OPERATORS, 0)}, {"fly": Power(OPERATORS)}])  # fmt: skip
def test_a_power_that_is_none_is_refused(power):
    with pytest.raises(UsageError, match="expected a power of halt, "):
        staff(powers=power)
