"""Who may vote when, and who has which power."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard.core.people import POWERS, Absence, Membership, People, Power, User
from agentguard.errors import UsageError

AWAY = datetime(2026, 12, 24, 12, tzinfo=UTC)
HERE = datetime(2026, 12, 1, 12, tzinfo=UTC)
LEADS = ("group:leads",)


def user(name, *absences, logins=()):
    return User(name, name.title(), frozenset(logins or {name}), absences=absences)


def away(delegate=None):
    return Absence(date(2026, 12, 20), date(2027, 1, 3), delegate)


def people(*users, leads=(), **more):
    return People({item.id: item for item in users}, {"leads": frozenset(leads)}, **more)


def test_a_login_is_the_same_in_every_spelling():
    found = people(user("maria", logins={"m.Rossi@acme.example", "Maria"}))
    for login in ("MARIA", "maria", "ｍａｒｉａ", "M.ROSSI@ACME.EXAMPLE"):
        assert found.user_of(login).id == "maria"
        assert found.named(login).id == "maria"
    assert found.user_of("mаria") is None  # a Cyrillic letter is another name


def test_an_id_that_is_no_login_names_its_user_and_logs_nobody_in():
    found = people(user("maria", logins={"mrossi"}))
    assert found.named("Maria").id == "maria"
    assert found.user_of("maria") is None


@pytest.mark.parametrize(
    "users",
    [
        {"maria": user("maria"), "Maria": user("Maria", logins={"other"})},
        {"maria": user("maria"), "tom": user("tom", logins={"MARIA"})},
        {"maria": user("maria", logins={"m"}), "tom": user("tom", logins={"Maria"})},
        {"tom": user("maria")},
    ],
)
def test_people_of_a_host_who_could_be_taken_for_each_other_are_refused(users):
    with pytest.raises(UsageError, match="expected"):
        People(users)


def test_somebody_absent_does_not_vote_and_is_a_member_all_the_same():
    found = people(user("maria", away()), user("tom"), leads={"maria", "tom"})
    assert found.admitted(LEADS, HERE) == {"maria", "tom"}
    assert found.admitted(LEADS, AWAY) == {"tom"}
    assert found.members(LEADS) == {"maria", "tom"}


def test_a_delegate_votes_in_the_place_of_the_absent_one_and_only_then():
    found = people(user("maria", away("kim")), user("kim"), leads={"maria"})
    assert found.membership("kim", LEADS, HERE) is None
    assert found.membership("kim", LEADS, AWAY) == Membership("kim", frozenset(LEADS), "maria")
    assert found.membership("kim", LEADS, AWAY).seat == "maria"
    assert found.membership("maria", LEADS, AWAY) is None
    assert found.membership("kim", ("user:maria", "group:leads"), AWAY).groups == {"user:maria", "group:leads"}


def test_a_delegate_who_is_a_member_has_one_voice_and_it_is_their_own():
    found = people(user("maria", away("tom")), user("tom"), leads={"maria", "tom"})
    assert found.membership("tom", LEADS, AWAY) == Membership("tom", frozenset(LEADS))


def test_a_place_that_has_a_vote_is_not_taken_twice():
    found = people(user("ada", away("kim")), user("maria", away("kim")), user("kim"), leads={"maria", "ada"})
    assert found.membership("kim", LEADS, AWAY).stands_for == "ada"
    assert found.membership("kim", LEADS, AWAY, frozenset({"ada"})).stands_for == "maria"
    assert found.membership("kim", LEADS, AWAY, frozenset({"ada", "maria"})) is None
    assert found.membership("ada", LEADS, HERE, frozenset({"ada"})) is None


def test_a_delegate_of_a_delegate_is_not_followed():
    found = people(user("maria", away("tom")), user("tom", away("kim")), user("kim"), leads={"maria"})
    assert found.admitted(LEADS, AWAY) == frozenset()


NAMES = ("ada", "kim", "maria", "tom")


@given(
    st.fixed_dictionaries({name: st.none() | st.sampled_from([None, *NAMES, "ghost"]).map(away) for name in NAMES}),
    st.sets(st.sampled_from([*NAMES, "ghost"])),
    st.sets(st.sampled_from(["group:leads", "group:none", "user:ada", "user:ghost", "ada", "leads"])),
)
def test_whoever_is_admitted_has_a_membership_and_nobody_else_and_each_place_is_taken_once(absences, leads, who):
    found = people(*(user(name, *([said] if said else [])) for name, said in absences.items()), leads=leads)
    seats = {name: found.membership(name, who, AWAY) for name in (*NAMES, "ghost")}
    assert found.admitted(who, AWAY) == {name for name, seat in seats.items() if seat is not None}
    for name, seat in seats.items():
        if seat is not None:
            assert absences[name] is None
            assert seat.groups <= who
            assert seat.seat in found.members(who)
            assert (seat.stands_for == "") is (name in found.members(who))
            assert not seat.stands_for or absences[seat.stands_for].delegate == name
            again = found.membership(name, who, AWAY, frozenset({seat.seat}))
            assert again is None or again.seat != seat.seat


def test_a_group_that_names_somebody_unknown_admits_nobody_by_it():
    assert people(user("maria"), leads={"maria", "ghost"}).admitted(LEADS, HERE) == {"maria"}
    assert people(user("maria")).membership("ghost", ("user:ghost",), HERE) is None


def test_where_nothing_is_said_about_powers_anybody_has_them():
    nothing = people(user("maria"))
    assert not nothing.declares_powers
    assert all(nothing.power(power) is None and nothing.may(power, "anybody") for power in POWERS)


def test_operators_have_every_power_that_is_not_named_and_two_of_them_let_go():
    found = people(
        user("maria"), user("tom"), operators=frozenset({"maria"}), powers={"erase": Power(frozenset({"tom"}))}
    )
    assert found.power("halt") == Power(frozenset({"maria"}), 1)
    assert found.power("resume") == Power(frozenset({"maria"}), 2)
    assert found.may("halt", "MARIA")
    assert not found.may("halt", "tom")
    assert found.may("erase", "tom")
    assert not found.may("erase", "maria")
    assert not found.may("halt", "nobody")


@pytest.mark.law(9)
@pytest.mark.parametrize("said", [{"operators": frozenset()}, {"powers": {}}, {"powers": {"halt": Power(frozenset())}}])
def test_a_power_that_nobody_is_given_is_nobodys(said):
    found = people(user("maria"), **said)
    assert not any(found.may(power, "maria") for power in POWERS)
