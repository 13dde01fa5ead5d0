"""Who may decide: people.yaml, read as strictly as a policy."""

from pathlib import Path

import pytest

from agentguard.errors import PolicyError, UsageError
from agentguard.policyfile import load_people, load_people_text, people_beside

TEXT = """people: 1
users:
  maria: {name: Maria Alvarez, logins: [maria, malvarez]}
  tom: {}
  ines: {logins: [i.duarte@acme.example]}
groups:
  support-leads: [maria, tom]
  nobody: []
operators: [ines, group:support-leads]
"""


def problems_of(old, new):
    assert old in TEXT
    with pytest.raises(PolicyError) as raised:
        load_people_text(TEXT.replace(old, new), "people.yaml")
    return [(problem.line, problem.column, problem.code) for problem in raised.value.problems]


def test_people_are_known_by_their_logins_and_groups():
    people = load_people_text(TEXT, "people.yaml")
    assert people.user_of("malvarez").id == "maria"
    assert people.user_of("tom").name == "tom"
    assert people.user_of("root") is None
    assert people.user_of("ines") is None  # the logins that are said replace the id
    assert people.groups_of("maria") == {"group:support-leads"}
    assert people.admitted(("group:support-leads", "user:ines")) == {"maria", "tom", "ines"}
    assert people.admitted(("group:nobody", "group:unknown", "user:unknown")) == frozenset()
    assert people.operators == {"maria", "tom", "ines"}
    assert people.allow_unverified is False


def test_voters_without_a_login_are_allowed_only_where_the_file_says_so():
    assert load_people_text(TEXT + "allow_unverified: yes\n", "people.yaml").allow_unverified is True
    assert load_people_text(TEXT + "allow_unverified: no\n", "people.yaml").allow_unverified is False


@pytest.mark.parametrize(
    "old, new, found",
    [
        ("people: 1", "people: 2", [(1, 9, "format_unknown")]),
        ("people: 1\n", "", [(1, 1, "missing_key")]),
        ("[maria, tom]", "[maria, tomm]", [(7, 26, "person_unknown")]),
        ("logins: [maria, malvarez]", "login: [maria]", [(3, 32, "unknown_key")]),
        ("  tom: {}", "  tom: {logins: [maria]}", [(4, 18, "login_shared")]),
        ("  tom: {}", "  tom: tom", [(4, 8, "wrong_shape")]),
        ("tom: {}", "tom b: {}", [(4, 3, "name_malformed"), (7, 26, "person_unknown")]),
        ("group:support-leads]", "group:leads]", [(9, 19, "person_unknown")]),
        ("operators: [ines", "operators: [inez", [(9, 13, "person_unknown")]),
        ("  nobody: []", "  nobody: maria", [(8, 11, "wrong_shape")]),
        ("operators:", "allow_unverified: maybe\noperators:", [(9, 19, "word_unknown")]),
        ("groups:", "grups:", [(6, 1, "unknown_key")]),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(old, new, found):
    got = problems_of(old, new)
    assert got[: len(found)] == found


def test_people_are_found_beside_a_folder_a_file_or_several_of_them(tmp_path):
    shop, clinic = tmp_path / "shop", tmp_path / "clinic"
    for folder in (shop, clinic):
        folder.mkdir()
        (folder / "rules.yaml").touch()
    assert people_beside(shop) is None
    (shop / "people.yaml").touch()
    for policies in (shop, str(shop), shop / "rules.yaml", [shop], [shop / "rules.yaml", shop], [clinic, str(shop)]):
        assert people_beside(policies) == shop / "people.yaml"
    (clinic / "people.yaml").touch()
    with pytest.raises(UsageError, match=r"expected one `people.yaml` beside .*clinic.*shop.*`people=`"):
        people_beside([clinic, shop])


def test_the_people_of_the_packs_load():
    people = load_people(Path(__file__).resolve().parents[2] / "policies" / "people.yaml")
    assert people.groups
    assert all(people.groups.values())
