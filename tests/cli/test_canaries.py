"""`agentguard policy activate --canary | --promote | --abort`, and `policy canary`, which says who is in."""

import pytest

from agentguard.core.canary import InForce
from tests.cli.shop import guard_of

SALT = "a salt that only tests know"
BEGIN = ("policy", "activate", "--canary", "10%", "--salt", SALT, "--why", "carefully")


@pytest.fixture
def second(shop, command):
    """The shop with a second version of its policies in the folder, and the first one in force."""
    path = shop.folder / "policies" / "refunds.yaml"
    path.write_text(path.read_text().replace("version: 1", "version: 2").replace("max: 300", "max: 200"))
    return shop


def test_a_canary_is_begun_widened_and_promoted_and_history_tells_it(second, command):
    said = command(*BEGIN)
    assert said.code == 0, said.err
    assert "a canary begins: other policies decide for 10% of the customers" in said.out
    assert SALT not in said.out
    wider = command("policy", "activate", "--canary", "50%", "--why", "it goes well", "--json").json
    assert wider["canary"]["share"] == "50%"
    assert wider["changes"][0] == "the canary is widened from 10% to 50% of the customers"
    again = command("policy", "activate", "--canary", "50%", "--why", "it goes well")
    assert "nothing has changed" in again.out
    assert command("policy", "activate", "--promote", "--why", "good").code == 0
    history = command("policy", "history").out
    assert "refunds 1; refunds 2 for 10%" in " ".join(history.split())
    assert [item["canary"] and item["canary"]["share"] for item in command("policy", "history", "--json").json] == [
        None, 5000, 1000, None,
    ]  # fmt: skip
    assert "no canary runs" in command("policy", "canary").out


def test_it_is_aborted_by_one_command(second, command):
    command(*BEGIN)
    said = command("policy", "activate", "--abort", "--why", "complaints")
    assert said.code == 0
    assert "the canary was aborted" in said.out
    none = command("policy", "activate", "--abort", "--why", "again")
    assert none.code == 2
    assert "expected a canary" in none.err


def test_who_is_in_is_told_and_the_salt_only_to_whoever_asks_for_it(second, command):
    command(*BEGIN)
    shown = command("policy", "canary")
    assert "10% of the customers try out refunds version 2" in shown.out
    assert SALT not in shown.out
    assert SALT in command("policy", "canary", "--salt").out
    guard = guard_of(second.folder)
    standing = guard.store.read(lambda reading: reading.in_force())
    assert isinstance(standing, InForce)
    sides = {name: standing.side("default", name) for name in (f"cus_{number}" for number in range(100))}
    for within in (True, False):
        name = next(name for name, side in sides.items() if (side.bundle != standing.bundle) is within)
        told = command("policy", "canary", "--who", name, "--json").json["who"]
        assert told == {"bundle": sides[name].bundle, "number": sides[name].number, "in": within}
    words = command("policy", "canary", "--who", "cus_1").out
    assert f"cus_1 (number {sides['cus_1'].number} of 0 to 9999): refunds version" in words
    guard.close()


@pytest.mark.parametrize(
    "options, wrong",
    [
        (["--canary", "10%", "--abort"], "got more than one"),
        (["--promote", "--abort"], "got more than one"),
        (["--salt", SALT], "expected --salt with --canary"),
        (["--canary", "0%"], "above 0%"),
        (["--canary", "10%", "--salt", "short"], "a salt of 16"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(second, command, options, wrong):
    said = command("policy", "activate", "--why", "w", *options)
    assert said.code == 2
    assert wrong in said.err


def test_policies_that_are_in_force_are_no_canary(shop, command):
    said = command(*BEGIN)
    assert said.code == 2
    assert "got the same ones" in said.err


def test_both_groups_are_shown_side_by_side(second, command):
    none = command("policy", "compare", "--canary")
    assert none.code == 2
    assert "expected a canary that runs or ran" in none.err
    command(*BEGIN)
    guard = guard_of(second.folder)
    for number in range(30):
        arguments = {"order_id": f"B{number}", "amount": "20.00"}
        guard.run("refund.issue", arguments, agent="bot", on_behalf_of=f"cus_{number}", key=f"c-{number}")
    both = guard.canary.groups()
    guard.close()
    said = command("policy", "compare", "--canary")
    assert said.out.split("\n")[0].split()[-3:] == ["allow", "escalate", "deny"]
    assert "abstain" not in said.out
    assert said.code == 0
    for name, group in (("canary", both.trial), ("the others", both.rest)):
        line = next(line for line in said.out.splitlines() if line.startswith(name))
        assert f" {group.requests} " in line
    document = command("policy", "compare", "--canary", "--json").json
    assert document["canary"]["requests"] + document["rest"]["requests"] == 30
    assert sum(document["rest"][verdict]["requests"] for verdict in ("allow", "escalate", "deny")) == both.rest.requests
    assert command("policy", "compare", "--canary", "--observed").code == 2
