"""The same at the command line, as a reviewer meets it."""

import csv
import io
from datetime import timedelta

import pytest

from tests.cli.conftest import command  # noqa: F401 - a fixture
from tests.reviews.conftest import refund

PEOPLE = """\
people: 1
users:
  maria: {logins: [mrossi]}
  tom: {}
  zoe: {}
powers:
  review: [maria, tom]
  read_personal: [maria]
"""


@pytest.fixture
def shop(in_memory, tmp_path, monkeypatch):
    made = in_memory("100%", store=f"sqlite:///{tmp_path / 'shop.db'}")
    for number in range(2):
        refund(made, number, who="somebody else" if number else "c-0")
        made.clock.advance(timedelta(seconds=1))
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "people.yaml").write_text(PEOPLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTGUARD_STORE", f"sqlite:///{tmp_path / 'shop.db'}")
    log_in(monkeypatch, "mrossi")
    return made


def log_in(monkeypatch, name):
    monkeypatch.setattr("agentguard.engine.machine.login", lambda: name)


def test_a_reviewer_lists_shows_judges_and_reads_the_report(shop, command, monkeypatch):  # noqa: F811
    first, second = command("reviews", "list", "--json").json
    assert (first["policy"], first["how"], first["judged"]) == ("refunds", "share", False)
    listed = command("reviews", "list", "--limit", "1")
    assert first["id"] in listed.out
    assert f"more may be there: --after {first['id']}" in listed.out
    shown = command("reviews", "show", second["id"])
    assert "WHAT WAS ASKED" in shown.out
    assert "Not shown before you have said what would have been right." in shown.out
    assert "not-theirs" not in shown.out + command("reviews", "show", second["id"], "--json").out
    right = command("reviews", "judge", first["id"], "--should", "allow", "-r", "within_policy")
    assert (right.code, right.out) == (0, "it was decided to allow: right, says maria\n")
    log_in(monkeypatch, "tom")
    wrong = command(
        "reviews", "judge", second["id"], "--should", "allow", "-r", "is_theirs", "--severity", "minor", "--json"
    )
    assert (wrong.json["verdict"], wrong.json["severity"], wrong.json["by"]) == ("wrong", "minor", "tom")
    assert command("reviews", "list").out == "nothing waits to be judged\n"
    assert [item["id"] for item in command("reviews", "list", "--state", "judged", "--json").json] == [
        first["id"],
        second["id"],
    ]
    assert "1 wrong of 2 judged, 2 drawn; 1 minor" in " ".join(command("reviews", "report").out.split())
    rows = list(csv.DictReader(io.StringIO(command("reviews", "report", "--csv", "--enough", "2").out)))
    assert [(row["group"], row["rate"]) for row in rows] == [("all", "0.5000"), ("version", "0.5000")]
    assert command("reviews", "report", "--days", "1", "--json").json["policies"][0]["all"]["judged"] == 2
    assert command("reviews", "verify").out == "2 decisions, 2 cases drawn as they must be\n"


def test_what_was_decided_is_told_to_who_says_why_they_look_and_it_is_recorded(shop, command):  # noqa: F811
    case = command("reviews", "list", "--json").json[1]["id"]
    silent = command("reviews", "show", case, "--outcome")
    assert (silent.code, "expected --why" in silent.err) == (2, True)
    seen = command("reviews", "show", case, "--outcome", "--personal", "--why", "training")
    assert "It was denied" in seen.out
    assert "rule not-theirs" in seen.out or "refunds/not-theirs" in seen.out
    assert "somebody else@mail.example" in seen.out
    told = command("reviews", "judge", case, "--verdict", "right", "-r", "seen").out
    assert told == "it was decided to deny: right, says maria, known before it was judged\n"
    kinds = [item["entry"]["kind"] for item in command("audit", "list", "--json").json][:3]
    assert kinds == ["reviewed", "personal_read", "review_opened"]
    for kind, words in (
        ("review_drawn", "drawn for a review"),
        ("review_opened", "somebody who may judge it saw what was decided"),
        ("reviewed", "judged afterwards: right"),
    ):
        position = command("audit", "list", "--kind", kind, "--json").json[0]["pos"]
        assert words in command("audit", "show", position).out


@pytest.mark.parametrize("login, words", [("zoe", "may not review"), ("nobody", "no user with the login")])
def test_who_may_not_judge_is_told_so(shop, command, monkeypatch, login, words):  # noqa: F811
    case = command("reviews", "list", "--json").json[0]["id"]
    log_in(monkeypatch, login)
    refused = command("reviews", "judge", case, "--should", "allow", "-r", "fine")
    assert (refused.code, words in refused.err) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ("reviews", "list", "--state", "open"),
        ("reviews", "show", "rev_0"),
        ("reviews", "judge", "rev_0", "--should", "allow", "-r", "fine"),
        ("reviews", "judge", "rev_0", "-r", "fine"),
    ],
)
def test_what_cannot_be_understood_is_an_error_of_use(shop, command, words):  # noqa: F811
    said = command(*words)
    assert (said.code, said.err.startswith("error: expected")) == (2, True)
