"""Who the people are now: a file that changes under a running guard, or a function of the host's."""

import pytest

from agentguard.core.people import People, User
from agentguard.core.policy import Bundle
from agentguard.engine.directory import directory
from agentguard.errors import ConfigurationError, PeopleUnavailableError, PolicyError

ONE = "people: 1\nusers: {maria: {}}\ngroups: {leads: [maria]}\n"
NONE = "people: 1\nusers: {maria: {}}\ngroups: {leads: []}\n"
MARIA = People({"maria": User("maria", "Maria", frozenset({"maria"}))}, {"leads": frozenset({"maria"})})


def leads(found):
    return found.people().groups["leads"]


def test_a_file_that_changes_counts_at_once(tmp_path):
    file = tmp_path / "people.yaml"
    file.write_text(ONE)
    for found in (directory(file, Bundle((), "")), directory(str(file), "unused"), directory(None, tmp_path)):
        assert leads(found) == {"maria"}
        assert found.people() is found.people()  # read, and not understood again
        file.write_text(NONE)
        assert leads(found) == frozenset()
        file.write_text(ONE)
        assert leads(found) == {"maria"}


def test_a_file_that_breaks_lets_nobody_act_until_it_is_repaired(tmp_path):
    file = tmp_path / "people.yaml"
    file.write_text(ONE)
    found = directory(file, tmp_path)
    file.write_text(ONE.replace("maria]", "mario]"))
    with pytest.raises(PeopleUnavailableError, match=r"nobody may act .*people.yaml:3:18 person_unknown"):
        found.people()
    file.write_text(ONE)
    assert leads(found) == {"maria"}


@pytest.mark.parametrize("named", [True, False])
def test_a_file_that_vanishes_lets_nobody_act(tmp_path, named):
    file = tmp_path / "people.yaml"
    file.write_text(ONE)
    found = directory(file if named else None, tmp_path)
    file.unlink()
    with pytest.raises(PeopleUnavailableError, match="cannot be read: no such file"):
        found.people()


def test_a_file_beside_the_policies_that_appears_later_counts_from_then_on(tmp_path):
    found = directory(None, tmp_path)
    assert found.people() is None
    (tmp_path / "people.yaml").write_text(ONE)
    assert leads(found) == {"maria"}


def test_a_second_file_that_appears_beside_the_policies_lets_nobody_act(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    found = directory(None, folders)
    for folder in folders:
        (folder / "people.yaml").write_text(ONE)
    with pytest.raises(PeopleUnavailableError, match="say which with `people=`"):
        found.people()


def test_a_file_that_is_wrong_from_the_beginning_stops_the_guard_from_being_made(tmp_path):
    (tmp_path / "people.yaml").write_text("people: 2\n")
    with pytest.raises(PolicyError):
        directory(None, tmp_path)
    with pytest.raises(PolicyError, match="no such file"):
        directory(tmp_path / "none.yaml", tmp_path)


def test_people_who_are_handed_over_stay_and_a_bundle_has_none():
    assert directory(MARIA, Bundle((), "")).people() is MARIA
    assert directory(None, Bundle((), "")).people() is None


def test_a_function_of_the_host_is_asked_each_time():
    answers = [MARIA, People()]
    found = directory(lambda: answers.pop(0), "unused")
    assert found.people() is MARIA
    assert found.people() == People()
    with pytest.raises(PeopleUnavailableError, match=r"nobody may act: the host's function .* raised IndexError"):
        found.people()


async def later():
    return MARIA


@pytest.mark.parametrize("wrong", [lambda: None, lambda: "people.yaml"])
def test_a_function_that_returns_no_people_lets_nobody_act(wrong):
    with pytest.raises(PeopleUnavailableError, match="expected a `People` from the host's function"):
        directory(wrong, "unused").people()


def test_a_function_that_would_have_to_be_awaited_is_refused_at_once():
    with pytest.raises(ConfigurationError, match=r"`people` .* not an `async def`"):
        directory(later, "unused")


def test_what_says_nothing_about_people_is_refused():
    with pytest.raises(ConfigurationError, match="expected `people` to be a file, a `People` or a function"):
        directory(7, "unused")
