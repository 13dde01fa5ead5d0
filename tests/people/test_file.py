"""Who may decide and who has which power: people.yaml, read as strictly as a policy."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from agentguard.core.people import Absence, Power
from agentguard.errors import PolicyError, UsageError
from agentguard.evidence.keys import WITNESS, SigningKey
from agentguard.policyfile import load_people, load_people_text, people_beside

SEED = b"\x01" * 32
SECRET = SigningKey("tom", SEED)
KEY = SECRET.key.text
OTHER_NAME = SigningKey("eve", SEED).key.text
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
    assert people.members(("group:support-leads", "user:ines")) == {"maria", "tom", "ines"}
    assert people.members(("group:nobody", "group:unknown", "user:unknown")) == frozenset()
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
        ("tom: {}", "Maria: {logins: [m]}", [(4, 3, "duplicate_id"), (7, 26, "person_unknown")]),
        ("tom: {}", "tom: {logins: [MALVAREZ]}", [(4, 18, "login_shared")]),
        ("tom: {}", "tom: {logins: [ｍａｒｉａ]}", [(4, 18, "login_shared")]),
        ("[i.duarte@acme.example]", "[Tom]", [(5, 19, "login_shared")]),  # tom has his own id as login
        ("tom: {}", "tom: {email: tom at acme}", [(4, 16, "name_malformed")]),
        ("tom: {}", "tom: {absences: {from: 2026-01-01}}", [(4, 19, "wrong_shape")]),
        ("tom: {}", "tom: {absences: [{from: 2026-01-01}]}", [(4, 20, "missing_key")]),
        ("tom: {}", "tom: {absences: [{from: 2026-02-30, to: 2026-03-01}]}", [(4, 27, "date_malformed")]),
        ("tom: {}", "tom: {absences: [{from: 2026-01-02, to: 2026-01-01}]}", [(4, 43, "absence_malformed")]),
        (
            "tom: {}",
            "tom: {absences: [{from: 2026-01-02, to: 2026-01-02, delegate: tom}]}",
            [(4, 65, "absence_malformed")],
        ),
        (
            "tom: {}",
            "tom: {absences: [{from: 2026-01-02, to: 2026-01-02, delegate: tim}]}",
            [(4, 65, "person_unknown")],
        ),
        (
            "tom: {}",
            "tom: {absences: [{from: 2026-01-01, to: 2026-01-02}, {from: 2026-01-02, to: 2026-01-03}]}",
            [(4, 63, "absence_malformed")],
        ),
        ("people: 1", "people: 1\ntimezone: Berlin", [(2, 11, "zone_unknown")]),
        ("operators:", "powers: {halt: [maria, tim]}\noperators:", [(9, 24, "person_unknown")]),
        ("operators:", "powers: {hallt: [maria]}\noperators:", [(9, 10, "unknown_key")]),
        ("operators:", "powers: {resume: {people: 2}}\noperators:", [(9, 18, "missing_key")]),
        ("operators:", "powers: {resume: {who: [maria], people: 0}}\noperators:", [(9, 41, "number_malformed")]),
        ("operators:", "powers: {halt: {who: [maria], people: 2}}\noperators:", [(9, 39, "number_malformed")]),
        ("operators:", "powers: {resume: {who: [maria], peple: 2}}\noperators:", [(9, 33, "unknown_key")]),
        ("operators:", "powers: {activate: {who: [maria], signed: maybe}}\noperators:", [(9, 43, "word_unknown")]),
        ("operators:", "powers: {resume: {who: [maria], signed: yes}}\noperators:", [(9, 41, "word_unknown")]),
        ("tom: {}", "tom: {key: tom}", [(4, 14, "key_malformed")]),
        ("tom: {}", f"tom: {{key: {SECRET.key.text[:-1]}}}", [(4, 14, "key_malformed")]),
        ("tom: {}", f"tom: {{key: {SECRET.text}}}", [(4, 14, "key_malformed")]),  # the private one
        ("tom: {}", f"tom: {{key: {SigningKey('tom', SEED, WITNESS).key.text}}}", [(4, 14, "key_malformed")]),
        (
            "tom: {}",
            f"tom: {{key: {KEY}}}\n  eve: {{key: {OTHER_NAME}}}",
            [(5, 14, "key_shared")],
        ),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(old, new, found):
    got = problems_of(old, new)
    assert got[: len(found)] == found


def test_whoever_signs_changes_has_a_key_and_the_power_may_ask_for_one():
    text = TEXT.replace("tom: {}", f"tom: {{key: {KEY}}}") + "powers: {activate: {who: [tom], signed: yes}}\n"
    people = load_people_text(text, "people.yaml")
    assert (people.users["tom"].key, people.users["maria"].key) == (KEY, "")
    assert people.power("activate") == Power(frozenset({"tom"}), signed=True)
    assert load_people_text(text.replace("signed: yes", "signed: no"), "people.yaml").power("activate").signed is False


def test_an_unknown_key_of_an_absence_or_a_power_is_told_with_the_nearest_one():
    absence = "tom: {absences: [{from: 2026-01-01, to: 2026-01-02, delegat: maria}]}"
    with pytest.raises(PolicyError, match=r"person `tom`: unknown key `delegat`; did you mean `delegate`"):
        load_people_text(TEXT.replace("tom: {}", absence), "people.yaml")
    with pytest.raises(PolicyError, match=r"unknown key `resum`; did you mean `resume`"):
        load_people_text(TEXT + "powers: {resum: [maria]}\n", "people.yaml")


def test_absences_are_read_in_the_zone_of_the_file():
    said = "tom: {absences: [{from: 2027-01-02, to: 2027-01-02}, {from: 2026-12-20, to: 2026-12-24, delegate: maria}]}"
    people = load_people_text(TEXT.replace("tom: {}", said) + "timezone: Europe/Berlin\n", "people.yaml")
    assert people.users["tom"].absences == (
        Absence(date(2026, 12, 20), date(2026, 12, 24), "maria"),
        Absence(date(2027, 1, 2), date(2027, 1, 2)),
    )
    assert people.absence_of("tom", datetime(2026, 12, 19, 22, 59, 59, tzinfo=UTC)) is None
    assert people.absence_of("tom", datetime(2026, 12, 19, 23, 0, tzinfo=UTC)).delegate == "maria"
    assert people.absence_of("tom", datetime(2026, 12, 24, 22, 59, 59, tzinfo=UTC)).delegate == "maria"
    assert people.absence_of("tom", datetime(2026, 12, 24, 23, 0, tzinfo=UTC)) is None


def test_powers_are_a_list_or_say_how_many_people_they_take():
    said = "{halt: ['group:support-leads'], resume: 'user:ines', erase: {who: [maria, tom], people: 2}, activate: []}"
    people = load_people_text(f"{TEXT}powers: {said}\n", "people.yaml")
    assert people.power("halt") == Power(frozenset({"maria", "tom"}), 1)
    assert people.power("resume") == Power(frozenset({"ines"}), 2)
    assert people.power("erase") == Power(frozenset({"maria", "tom"}), 2)
    assert people.power("activate") == Power(frozenset(), 1)
    assert people.power("resolve") == Power(frozenset({"maria", "tom", "ines"}), 1)  # the operators


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
