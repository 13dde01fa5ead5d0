"""What lets an agent do more takes two people; what lets it do less takes one, at once."""

import pytest

from agentguard.core.people import Power
from agentguard.engine import activation
from agentguard.errors import PeopleUnavailableError, PowerRefusedError
from tests.changecontrol.given import LOOSER, SAME, TIGHTER, entries, in_force, make, refused, version
from tests.engine.given import bundle

SHADOW = version(6, ("currency: USD", "currency: USD\nmode: shadow"))
ENFORCED = version(7)


@pytest.mark.parametrize(
    "text, direction, people",
    [(LOOSER, "looser", 2), (TIGHTER, "tighter", 1), (SAME, "same", 1)],
    ids=["looser", "tighter", "same"],
)
def test_which_way_a_change_goes_says_how_many_people_it_takes(shop, text, direction, people):
    first = make(shop, "maria", text)
    assert (bool(first), first.missing) == (people == 1, people - 1)
    if people == 2:
        (asked,) = (said for said in entries(shop, "activate_asked") if said["bundle"] == bundle(text).digest)
        assert (asked["change"]["direction"], asked["by"], asked["missing"]) == (direction, "maria", 1)
        assert in_force(shop) == shop.bundle.digest
        assert make(shop, "tom", text)
    newest = entries(shop, "activated")[-1]
    assert newest["change"]["direction"] == direction
    assert [newest["by"], *(other["by"] for other in newest["with"])] == ["tom", "maria"][2 - people :]
    assert in_force(shop) == bundle(text).digest
    assert shop.audit.verify().ok


def test_the_entry_says_in_words_what_changes(shop):
    make(shop, "maria", LOOSER)
    said = entries(shop, "activate_asked")[-1]["change"]
    assert "rises from 50.00 USD to 60.00 USD" in said["summary"]
    assert any("small" in sentence for sentence in said["said"])
    assert (said["tests"], said["proofs"], said["simulation"]) == (None, None, None)


def test_the_first_policies_of_all_take_two_people_too(open_guard):
    guard = open_guard()
    assert make(guard, "maria").missing == 1
    assert in_force(guard) is None
    assert make(guard, "tom")
    assert entries(guard, "activated")[0]["change"]["direction"] == "first"


def test_one_person_is_enough_for_a_tightening_only_where_the_people_file_says_no_more(shop, staff):
    staff.powers = {"activate": Power(frozenset({"maria", "tom", "kim"}), 3)}
    assert make(shop, "maria", TIGHTER).missing == 2
    assert make(shop, "tom", LOOSER).missing == 2
    assert make(shop, "kim", TIGHTER).missing == 1
    assert make(shop, "tom", TIGHTER)


@pytest.mark.parametrize("spelling", ["maria", "MROSSI", "ｍａｒｉａ"])
def test_one_person_under_another_login_or_spelling_is_no_second_one(shop, spelling):
    make(shop, "maria", LOOSER)
    with pytest.raises(PowerRefusedError, match="`maria` has asked for this already"):
        make(shop, spelling, LOOSER)
    assert refused(shop) == [(spelling, "asked_already")]
    assert in_force(shop) == shop.bundle.digest


@pytest.mark.law(9)
def test_without_the_solver_whatever_differs_takes_two_people(shop, monkeypatch):
    for place in ("diffing", "solver"):
        monkeypatch.setattr(f"agentguard.analysis.{place}.has_solver", lambda: False)
    assert make(shop, "maria", TIGHTER).missing == 1
    assert make(shop, "tom", SAME).missing == 1


def test_policies_that_were_in_shadow_and_are_enforced_take_two_people(open_guard):
    guard = open_guard(SHADOW)
    make(guard, "maria")
    make(guard, "tom")
    assert make(guard, "maria", ENFORCED).missing == 1
    assert entries(guard, "activate_asked")[-1]["change"]["direction"] in ("looser", "mixed", "unknown")


def test_where_nothing_is_said_about_powers_one_person_does_it_and_the_record_says_so(open_guard):
    guard = open_guard(people=None)
    assert make(guard, "anybody")
    assert make(guard, "anybody", LOOSER)
    (first, second) = entries(guard, "activated")
    assert {first["power"], second["power"]} == {"undeclared"}
    assert second["change"]["direction"] == "unexamined"


def test_a_direction_is_worked_out_where_somebody_looked_though_nothing_is_said_about_powers(open_guard):
    guard = open_guard(people=None)
    make(guard, "anybody")
    meant = bundle(LOOSER)
    assert guard.changes.make(meant, guard.changes.look(meant), by="anybody", why="more")
    assert entries(guard, "activated")[-1]["change"]["direction"] == "looser"


def test_whoever_has_no_power_is_refused_before_anything_is_worked_out(shop, monkeypatch):
    monkeypatch.setattr(activation, "directed", lambda *_: pytest.fail("worked out for somebody who may not"))
    with pytest.raises(PowerRefusedError, match="may not activate"):
        make(shop, "eve", LOOSER)
    assert refused(shop) == [("eve", "no_such_power")]


def test_a_name_that_nobody_checked_is_no_second_person(shop):
    make(shop, "maria", LOOSER)
    with pytest.raises(PowerRefusedError, match="nobody checked"):
        make(shop, "tom", LOOSER, authenticated="unverified")
    assert in_force(shop) == shop.bundle.digest


def test_on_either_engine_two_say_yes_one_goes_back_and_what_nobody_said_is_not_there(address, open_guard):
    guard = open_guard(store=address)
    make(guard, "maria")
    make(guard, "tom")
    assert make(guard, "maria", LOOSER).missing == 1
    meant = guard.changes.proposed(guard.changes.proposal(bundle(LOOSER).digest[:8]))
    assert guard.changes.make(
        meant, guard.changes.look(meant), by="kim", why="read", authenticated="oidc"
    )  # from the store's texts alone
    assert guard.changes.earlier().digest == guard.bundle.digest
    assert guard.changes.earlier("2").digest == guard.bundle.digest
    assert guard.changes.make(guard.changes.earlier(), by="kim", why="back", authenticated="oidc")
    assert in_force(guard) == guard.bundle.digest
    assert guard.audit.verify().ok


def people_said(shop, text):
    """Return what whoever looks is told of the people, and what the entry of making it says of them."""
    shown = shop.changes.look(bundle(text), simulate=False)
    make(shop, "maria", text, shown=shown)
    entry = entries(shop, "activated")[-1]
    told = [line for line in shown.said if line.startswith("who may change")]
    assert told == [line for line in entry["change"]["said"] if line.startswith("who may change")]
    return told, entry["may"]


def test_the_record_says_who_could_have_said_yes(shop):
    assert entries(shop, "activated")[-1]["may"] == {"who": ["kim", "maria", "tom"], "people": 1, "signed": False}
    told, may = people_said(shop, TIGHTER)
    assert (told, may["who"]) == ([], ["kim", "maria", "tom"])


@pytest.mark.parametrize(
    "power, words",
    [
        (Power(frozenset({"maria", "tom", "kim", "eve"})), "now also `eve`"),
        (Power(frozenset({"maria", "eve"})), "now also `eve`; no longer `kim` and `tom`"),
        (Power(frozenset({"maria", "tom", "kim"}), signed=True), "each has to sign it"),
    ],
)
def test_who_got_the_power_since_is_said_to_whoever_looks_and_in_the_record(shop, staff, power, words):
    staff.powers = {"activate": power}
    key = staff.sign("maria")["maria"]
    shown = shop.changes.look(bundle(TIGHTER), simulate=False)
    assert shown.said[0] == f"who may change what is in force, since entry 2: {words}"
    shop.changes.make(bundle(TIGHTER), shown, key, by="maria", why="less", authenticated="os_login")
    entry = entries(shop, "activated")[-1]
    assert entry["change"]["said"][0] == shown.said[0]
    assert entry["may"]["who"] == sorted(power.who)
    assert shop.changes.look(bundle(LOOSER), simulate=False).said[0].startswith("refunds:")  # it was said once


def test_fewer_people_than_it_took_before_are_said_too(open_guard, staff):
    staff.powers = {"activate": Power(frozenset({"maria", "tom", "kim"}), 2)}
    guard = open_guard()
    make(guard, "maria")
    make(guard, "tom")
    staff.powers = {"activate": Power(frozenset({"maria", "tom", "kim"}))}
    told, may = people_said(guard, TIGHTER)
    assert told == ["who may change what is in force, since entry 2: it takes 1 of them, was 2"]
    assert may["people"] == 1


def test_a_people_file_that_says_something_else_is_noticed_though_the_same_people_have_the_power(open_guard, tmp_path):
    file = tmp_path / "people.yaml"
    text = "people: 1\nusers: {maria: {name: Maria}, tom: {name: Tom}}\npowers: {activate: [maria, tom]}\n"
    file.write_text(text)
    guard = open_guard(people=file)
    make(guard, "maria")
    make(guard, "tom")
    file.write_text(text.replace("name: Tom}", "name: Tom, logins: [eve]}"))
    told, _ = people_said(open_guard(people=file), TIGHTER)
    same = "the same people, but the people file says something else (logins, keys or groups)"
    assert told == [f"who may change what is in force, since entry 2: {same}"]


def test_where_nobody_can_tell_who_the_people_are_whoever_looks_hears_that(shop, staff, monkeypatch):
    def away(_self):
        raise PeopleUnavailableError("the directory is away")

    monkeypatch.setattr(type(staff), "__call__", away)
    assert shop.changes.look(bundle(TIGHTER), simulate=False).said[0] == (
        "who may change what is in force: cannot be told now"
    )
