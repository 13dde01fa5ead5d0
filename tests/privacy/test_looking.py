"""Nobody sees what is personal without a record, and no page-turning fills the log."""

from datetime import timedelta

import pytest

from agentguard.engine.privacy import AGAIN, MOST_PEOPLE, Look, looks_at, personal_read
from agentguard.errors import PowerRefusedError, UsageError
from tests.privacy.conftest import people

LOOK = Look("audit list", ("p_1",), ("facts.customer.email", "on_behalf_of"))


def look(at, look=LOOK, by="ada", why="complaint 12", authenticated="os_login"):
    return personal_read(at.guard._parts, look, by=by, why=why, authenticated=authenticated)


def looks(at):
    return at.guard.audit.list(kind="personal_read", limit=1000)


def test_a_look_is_recorded_with_who_why_where_whom_and_what(opened):
    at = opened()
    position = look(at)
    body = at.guard.audit.show(position).document
    assert (body["by"], body["why"], body["authenticated"], body["power"]) == (
        "ada",
        "complaint 12",
        "os_login",
        "read_personal",
    )
    assert (body["where"], body["about"]) == ("audit list", ["p_1"])
    assert body["fields"] == ["facts.customer.email", "on_behalf_of"]


def test_the_same_look_is_one_entry_for_a_quarter_of_an_hour_and_no_longer(opened_here):
    at = opened_here()
    first = look(at)
    at.clock.advance(AGAIN)
    assert look(at) == first
    at.clock.advance(timedelta(microseconds=1))
    assert look(at) > first


def test_another_person_reason_place_customer_or_field_is_another_look(opened_here):
    at = opened_here()
    look(at)
    others = [
        Look("letter", LOOK.about, LOOK.fields),
        Look("audit list", ("p_1", "p_2"), LOOK.fields),
        Look("audit list", LOOK.about, (*LOOK.fields, "arguments.document")),
        Look("audit list", LOOK.about, LOOK.fields, action_id="act_1"),
        Look("audit list", LOOK.about, LOOK.fields, tenant="other"),
    ]
    for number, other in enumerate(others, 2):
        look(at, other)
        assert len(looks(at)) == number
    look(at, by="kim")
    look(at, why="something else")
    assert len(looks(at)) == len(others) + 3


def test_a_look_at_less_is_covered_by_the_look_at_more(opened_here):
    at = opened_here()
    more = Look("audit list", ("p_1", "p_2"), ("arguments.document", "on_behalf_of"))
    assert look(at, more) == look(at, Look("audit list", ("p_2",)))


def test_a_look_at_nobody_is_none(opened_here):
    at = opened_here()
    assert look(at, Look("audit list", ("",))) == 0
    assert looks(at) == ()


def test_a_look_at_very_many_names_all_of_them_in_entries_of_bounded_size(opened):
    at = opened()
    look(at, Look("evidence pack", tuple(f"p_{number:05}" for number in range(MOST_PEOPLE + 1))))
    assert [len(entry.document["about"]) for entry in looks(at)] == [MOST_PEOPLE, 1]
    found = at.guard.store.read(lambda reading: list(looks_at(reading, f"p_{MOST_PEOPLE:05}")))
    assert [len(entry.document["about"]) for entry in found] == [1]


def test_who_may_not_look_sees_nothing_and_the_refusal_is_recorded(opened_here):
    at = opened_here()
    with pytest.raises(PowerRefusedError):
        look(at, by="eve")
    assert looks(at) == ()
    assert at.guard.audit.list(kind="power_refused")[0].document["power"] == "read_personal"


def test_nobody_looks_without_a_reason(opened_here):
    with pytest.raises(UsageError, match="a reason"):
        look(opened_here(), why="")


def test_where_it_takes_two_the_first_one_sees_nothing_until_the_second_has_asked(opened_here):
    at = opened_here(people(read_personal=({"ada", "kim"}, 2)))
    with pytest.raises(PowerRefusedError) as refused:
        look(at)
    assert refused.value.why == "more_people"
    assert looks(at) == ()
    assert at.guard.audit.list(kind="read_personal_asked")[0].document["by"] == "ada"
    assert look(at, by="kim")
    assert looks(at)[0].document["with"][0]["by"] == "ada"
