"""Ways around the second person, each tried: other files, old approvals, other keys, races, forged rows."""

import sqlite3
from datetime import timedelta

import pytest

from agentguard import ConfigurationError
from agentguard.core.people import People, Power, User
from agentguard.engine import activation
from agentguard.engine.canary import Canaries
from agentguard.engine.change import standing_of
from agentguard.engine.change_note import is_signed, is_signed_as_said
from agentguard.engine.powers import LONGER
from agentguard.errors import NotFoundError, PolicyVersionError, PowerRefusedError, UsageError
from agentguard.evidence.keys import SigningKey
from tests.at_once import at_once
from tests.changecontrol.given import BEGIN, LOOSER, TIGHTER, entries, in_force, make, refused, version
from tests.engine.given import bundle

MICROSECOND = timedelta(microseconds=1)
FURTHER = version(8, ("allow, when: amount <= 50}", "allow, when: amount <= 90}"), ("amount > 50}", "amount > 90}"))


def test_files_that_changed_since_the_first_asking_are_another_proposal(shop):
    make(shop, "maria", LOOSER)
    assert make(shop, "tom", FURTHER).missing == 1
    assert in_force(shop) == shop.bundle.digest
    assert [proposal.bundle for proposal in shop.changes.pending()] == [bundle(FURTHER).digest, bundle(LOOSER).digest]


def test_another_text_under_the_version_that_was_proposed_is_refused(shop):
    make(shop, "maria", LOOSER)
    with pytest.raises(PolicyVersionError, match="version: 3"):
        make(shop, "tom", LOOSER.replace("amount <= 60", "amount <= 90"))
    assert in_force(shop) == shop.bundle.digest


def test_an_approval_for_what_was_undone_since_is_asked_for_anew(shop):
    make(shop, "maria", LOOSER)
    make(shop, "tom", LOOSER)
    assert make(shop, "kim", BEGIN)  # back, and tighter: at once
    assert make(shop, "tom", LOOSER).missing == 1
    assert in_force(shop) == shop.bundle.digest


def test_an_approval_counts_only_against_what_was_in_force_when_it_was_given(shop):
    make(shop, "maria", LOOSER)
    make(shop, "kim", TIGHTER)
    assert shop.changes.pending() == ()
    assert make(shop, "tom", LOOSER).missing == 1
    assert in_force(shop) == bundle(TIGHTER).digest


def test_what_was_tighter_when_it_was_shown_is_not_made_over_something_tighter_still(shop):
    tight = version(9, ("allow, when: amount <= 50}", "allow, when: amount <= 45}"), ("amount > 50}", "amount > 45}"))
    shown = shop.changes.look(bundle(tight))
    assert shown.direction == "tighter"
    make(shop, "kim", TIGHTER)
    with pytest.raises(UsageError, match="look at it again"):
        make(shop, "maria", tight, shown=shown)
    assert make(shop, "maria", tight).missing == 1  # looser than what is in force by now


def test_what_was_shown_of_one_change_says_nothing_about_another(shop):
    shown = shop.changes.look(bundle(TIGHTER))
    with pytest.raises(UsageError, match="look at it again"):
        make(shop, "maria", LOOSER, shown=shown)
    assert in_force(shop) == shop.bundle.digest


@pytest.mark.parametrize("later, there", [(timedelta(days=7), True), (timedelta(days=7) + MICROSECOND, False)])
def test_a_proposal_waits_for_a_week(shop, clock, later, there):
    assert LONGER["activate"] == timedelta(days=7)
    make(shop, "maria", LOOSER)
    clock.advance(later)
    assert bool(shop.changes.pending()) is there
    assert bool(make(shop, "tom", LOOSER)) is there


def test_whoever_lost_the_power_since_does_not_count(shop, staff):
    make(shop, "maria", LOOSER)
    staff.powers = {"activate": Power(frozenset({"tom", "kim"}))}
    assert make(shop, "tom", LOOSER).missing == 1
    assert make(shop, "kim", LOOSER)


def test_a_proposal_that_was_taken_back_does_not_count_and_anybody_who_may_takes_it_back(shop):
    first = make(shop, "maria", LOOSER)
    with pytest.raises(PowerRefusedError, match="may not activate"):
        shop.changes.withdraw(str(first.entry), by="eve", why="no", authenticated="os_login")
    shop.changes.withdraw(bundle(LOOSER).digest[:12], by="tom", why="too much", authenticated="os_login")
    assert shop.changes.pending() == ()
    (said,) = entries(shop, "activate_withdrawn")
    assert (said["by"], said["target"], said["asked"]) == ("tom", bundle(LOOSER).digest, [first.entry])
    assert make(shop, "tom", LOOSER).missing == 1
    with pytest.raises(NotFoundError, match="expected the entry or bundle of an open proposal"):
        shop.changes.withdraw(str(first.entry), by="tom", why="again", authenticated="os_login")
    assert shop.audit.verify().ok


def test_taking_back_one_proposal_leaves_the_others(shop):
    first = make(shop, "maria", LOOSER)
    make(shop, "maria", FURTHER)
    shop.changes.withdraw(str(first.entry), by="maria", why="no", authenticated="os_login")
    assert make(shop, "tom", FURTHER)


def test_a_guard_that_starts_with_other_files_does_not_go_around_it(shop, open_guard):
    with pytest.raises(ConfigurationError, match="run `agentguard policy activate`"):
        open_guard(TIGHTER, activate=True).start()
    assert in_force(shop) == shop.bundle.digest


@pytest.mark.parametrize("nobody", [None, People({"eve": User("eve", "Eve", frozenset({"eve"}))})])
def test_whoever_leaves_the_people_out_does_not_go_around_them(shop, open_guard, nobody):
    guard = open_guard(LOOSER, people=nobody)
    with pytest.raises(PowerRefusedError, match="nothing here says who has it"):
        make(guard, "eve", LOOSER)
    with pytest.raises(ConfigurationError, match="run `agentguard policy activate`"):
        open_guard(LOOSER, people=nobody, activate=True).start()
    assert refused(shop) == [("eve", "undeclared")]
    assert in_force(shop) == shop.bundle.digest


def test_whoever_leaves_the_people_out_ends_no_canary_either_and_opens_no_way_by_that(shop, open_guard):
    for who in ("maria", "tom"):
        Canaries(shop._parts, bundle(LOOSER), "default").begin("10%", by=who, why="tried", authenticated="os_login")
    guard = open_guard(LOOSER, people=None)
    with pytest.raises(PowerRefusedError, match="nothing here says who has it"):
        guard.canary.abort(by="eve", why="mine")
    with pytest.raises(PowerRefusedError, match="nothing here says who has it"):
        make(guard, "eve", LOOSER)
    assert shop.canary.running().share == 1000
    assert shop.canary.abort(by="kim", why="complaints", authenticated="os_login")


def test_an_approval_that_races_with_another_change_is_not_made_over_it(shop, open_guard):
    other = open_guard()
    make(shop, "maria", LOOSER)
    came = at_once(lambda: make(shop, "tom", LOOSER), lambda: make(other, "kim", TIGHTER))
    activated = [said["bundle"] for said in entries(shop, "activated")][1:]
    if activated[0] == bundle(TIGHTER).digest:
        assert activated == [bundle(TIGHTER).digest]
        assert sorted(item.missing for item in came) == [0, 1]  # what was to be looser has to be asked for anew
    else:
        assert activated == [bundle(LOOSER).digest, bundle(TIGHTER).digest]
    assert shop.audit.verify().ok


def test_two_who_ask_at_once_are_two_and_one_who_asks_twice_is_one(shop, open_guard):
    other = open_guard()
    came = at_once(lambda: make(shop, "maria", LOOSER), lambda: make(other, "mrossi", LOOSER))
    assert {getattr(item, "missing", item) for item in came} == {1, "asked_already"}
    came = at_once(lambda: make(shop, "tom", LOOSER), lambda: make(other, "kim", LOOSER))
    assert [bool(item) for item in came].count(True) == 1
    assert in_force(shop) == bundle(LOOSER).digest


def test_a_clock_that_jumped_ahead_ends_proposals_and_none_comes_back_to_life(shop, clock):
    make(shop, "maria", LOOSER)
    clock.advance(timedelta(days=8))
    assert make(shop, "tom", LOOSER).missing == 1
    assert make(shop, "kim", LOOSER)
    assert [other["by"] for other in entries(shop, "activated")[-1]["with"]] == ["tom"]


def test_a_row_that_somebody_wrote_past_the_log_is_found(shop, tmp_path):
    make(shop, "maria", LOOSER)
    with sqlite3.connect(tmp_path / "shop.db") as forged:
        copied = forged.execute("SELECT * FROM agentguard_activation LIMIT 0").description
        names = [column[0] for column in copied]
        chosen = ", ".join(
            {"n": "n + 1", "bundle": f"'{bundle(LOOSER).digest}'"}.get(name, f'"{name}"') for name in names
        )
        forged.execute(f"INSERT INTO agentguard_activation SELECT {chosen} FROM agentguard_activation")
    assert "activation" in {finding.code for finding in shop.audit.verify().findings}


def test_people_who_sign_have_to_and_with_their_own_key(shop, staff):
    keys = staff.sign("maria", "tom")
    with pytest.raises(
        PowerRefusedError, match="expected `maria` to sign this, got no signature; sign it with your key"
    ):
        make(shop, "maria", LOOSER)
    with pytest.raises(PowerRefusedError, match="expected the key of `maria`"):
        make(shop, "maria", LOOSER, signer=keys["tom"])
    with pytest.raises(PowerRefusedError, match="which says none"):
        make(shop, "kim", TIGHTER, signer=SigningKey("kim", b"\x09" * 32))
    assert refused(shop) == [("maria", "unsigned"), ("maria", "not_their_key"), ("kim", "not_their_key")]
    make(shop, "maria", LOOSER, signer=keys["maria"])
    assert make(shop, "tom", LOOSER, signer=keys["tom"])
    (asked, activated) = entries(shop, "activate_asked")[-1], entries(shop, "activated")[-1]
    for said, name in ((asked, "maria"), (activated, "tom")):
        note = said["signature"]["note"]
        assert said["signature"]["key"] == keys[name].key.text
        assert f"bundle {bundle(LOOSER).digest}\npolicy refunds version 2 {bundle(LOOSER).policies[0].digest}" in note
        assert f"by {name}\n" in note


def test_where_the_people_file_wants_it_whoever_has_no_key_may_not(shop, staff):
    staff.powers = {"activate": Power(frozenset({"maria", "tom", "kim"}), signed=True)}
    keys = staff.sign("maria")
    with pytest.raises(PowerRefusedError, match="the people file says no `key` of theirs: add it"):
        make(shop, "kim", TIGHTER)
    assert make(shop, "maria", TIGHTER, signer=keys["maria"])


def test_an_asking_that_was_signed_with_a_key_that_was_replaced_since_does_not_count(shop, staff):
    keys = staff.sign("maria", "tom")
    make(shop, "maria", LOOSER, signer=keys["maria"])
    staff.sign("maria", numbers=[7])
    assert make(shop, "tom", LOOSER, signer=keys["tom"]).missing == 1


def test_an_asking_without_a_signature_does_not_count_once_they_have_to_sign(shop, staff):
    make(shop, "maria", LOOSER)
    staff.sign("maria")
    assert make(shop, "tom", LOOSER).missing == 1


def test_a_signature_names_the_log_and_the_entry_that_it_replaces(shop, staff):
    keys = staff.sign("maria")
    make(shop, "maria", TIGHTER, signer=keys["maria"])
    note = entries(shop, "activated")[-1]["signature"]["note"]
    first = entries(shop, "activated")[0]
    log = shop.store.read(lambda reading: reading.log_name())
    assert note.startswith(
        f"agentguard change of policies\nlog agentguard/{log}\nreplaces bundle {first['bundle']} of entry 2"
    )
    assert shop.store.read(standing_of).entry == 3


def test_a_key_that_is_two_peoples_is_refused(staff):
    shared = staff.sign("maria")["maria"]
    staff.keys["tom"] = SigningKey("tom", shared.seed).key.text
    with pytest.raises(UsageError, match="expected a key of one person"):
        staff()


def test_the_second_person_gets_the_texts_that_were_proposed(shop):
    proposal = shop.changes.proposal(str(make(shop, "maria", LOOSER).entry))
    meant = shop.changes.proposed(proposal)
    assert [policy.text for policy in meant.policies] == [LOOSER]
    assert make(shop, "tom", LOOSER, shown=shop.changes.look(meant))


def test_a_change_that_another_one_overtakes_is_worked_out_anew(shop, open_guard, monkeypatch):
    tight = version(9, ("allow, when: amount <= 50}", "allow, when: amount <= 45}"), ("amount > 50}", "amount > 45}"))
    other, worked_out = open_guard(), activation.directed

    def overtaken(*given):
        monkeypatch.setattr(activation, "directed", worked_out)
        make(other, "kim", TIGHTER)
        return worked_out(*given)

    monkeypatch.setattr(activation, "directed", overtaken)
    assert make(shop, "maria", tight).missing == 1  # tighter when it began, and looser when it would have been made
    assert in_force(shop) == bundle(TIGHTER).digest


def test_a_signature_of_something_else_is_none_of_this(shop, staff):
    keys = staff.sign("maria", "tom")
    make(shop, "maria", TIGHTER, signer=keys["maria"])
    make(shop, "maria", LOOSER, signer=keys["maria"])
    (asked,) = (entry for entry in shop.audit.list(kind="activate_asked") if entry.document["signature"])
    (signed,) = (entry.document for entry in shop.audit.list(kind="activated") if entry.document["signature"])
    assert is_signed_as_said(signed)
    assert shop.changes.is_signed(asked)
    note, key = signed["signature"]["note"], signed["signature"]["key"]
    text = note.rpartition("\n\n")[0] + "\n"
    assert is_signed(text, signed["signature"], key)
    assert not is_signed(text.replace("version 3", "version 4"), signed["signature"], key)
    other = asked.document["signature"]
    policies = {"refunds": {"version": 3, "digest": "0" * 64}}
    for forged in ({"signature": other}, {"policies": policies}, {"by": "tom"}, {"before": None}, {"signature": None}):
        assert not is_signed_as_said(signed | forged)
    for torn in (f"{note}x", note.replace("refunds", "returns"), ""):
        assert not is_signed_as_said(signed | {"signature": {"key": key, "note": torn}})
    assert not is_signed_as_said(signed | {"signature": {"key": keys["tom"].key.text, "note": note}})
