"""A canary under change control: whose customers are drawn is part of what people sign and agree to."""

import pytest

from agentguard.core.people import Power
from agentguard.engine.canary import Canaries
from agentguard.engine.change_note import is_signed_as_said
from agentguard.errors import NotFoundError, UsageError
from tests.changecontrol.given import LOOSER, TIGHTER, entries, in_force, make
from tests.engine.given import bundle

SALT = "a salt of somebody's own"
ANOTHER = TIGHTER.replace("version: 3", "version: 12")


def begin(guard, by, text=LOOSER, share="10%", **more):
    trial = Canaries(guard._parts, bundle(text), "default")
    return trial.begin(share, by=by, why="a try", authenticated="os_login", **more)


def test_a_signature_of_a_canary_names_its_share_and_both_bundles(shop, staff):
    keys = staff.sign("maria", "tom")
    assert begin(shop, "maria", signer=keys["maria"]).missing == 1
    assert begin(shop, "tom", signer=keys["tom"])
    said = entries(shop, "activated")[-1]
    assert is_signed_as_said(said)
    trial, now = bundle(LOOSER).digest, in_force(shop)
    assert f"canary {trial} for 10%\nby tom\n" in said["signature"]["note"]
    assert said["signature"]["note"].count(f"\nbundle {now}\n") == 1
    for forged in ({"share": 9999}, {"bundle": now}, {"policies": said["policies"]}):
        assert not is_signed_as_said(said | {"canary": said["canary"] | forged})
    assert not is_signed_as_said(said | {"canary": None})


def test_a_canary_with_a_salt_of_somebodys_own_is_agreed_to_by_whoever_names_that_salt(shop):
    asked = begin(shop, "maria", salt=SALT)
    proposal = shop.changes.proposal(str(asked.entry))
    shown = shop.changes.look(bundle(LOOSER), share=1000)
    with pytest.raises(UsageError, match="a salt of somebody's own"):
        shop.changes.agree(proposal, shown, by="tom", why="read", authenticated="os_login")
    assert begin(shop, "tom", salt=f"{SALT}, another").missing == 1
    assert begin(shop, "tom", salt=SALT).canary.salt == SALT


def test_a_share_that_was_not_agreed_to_is_another_proposal(shop):
    begin(shop, "maria")
    assert begin(shop, "tom", share="10.01%").missing == 1
    assert begin(shop, "tom", share="10.00%")


def test_a_canary_that_was_aborted_while_it_was_promoted_is_not_promoted(shop, open_guard, monkeypatch):
    trial, other = Canaries(shop._parts, bundle(TIGHTER), "default"), Canaries(open_guard()._parts, shop.bundle, "x")
    begin(shop, "maria", TIGHTER)
    running = trial.running()
    other.abort(by="kim", why="complaints", authenticated="os_login")
    monkeypatch.setattr(trial, "running", lambda: running)
    with pytest.raises(UsageError, match="look at it again"):
        trial.promote(by="maria", why="it went well", authenticated="os_login")
    begin(shop, "maria", ANOTHER)
    with pytest.raises(UsageError, match="look at it again"):
        trial.promote(by="maria", why="it went well", authenticated="os_login")
    assert trial.groups().trial.bundle == bundle(ANOTHER).digest
    assert in_force(shop) == shop.bundle.digest


def test_what_two_take_back_at_once_is_taken_back_once(shop, open_guard, monkeypatch):
    first = make(shop, "maria", LOOSER)
    proposal = shop.changes.proposal(str(first.entry))
    open_guard().changes.withdraw(str(first.entry), by="kim", why="no", authenticated="os_login")
    monkeypatch.setattr(shop.changes, "proposal", lambda _: proposal)
    with pytest.raises(NotFoundError, match="which has just ended"):
        shop.changes.withdraw(str(first.entry), by="tom", why="no", authenticated="os_login")
    assert len(entries(shop, "activate_withdrawn")) == 1


def test_everything_that_was_asked_for_the_same_is_taken_back_together(shop, staff):
    staff.powers = {"activate": Power(frozenset({"maria", "tom", "kim"}), 3)}
    asked = [make(shop, name, LOOSER).entry for name in ("maria", "tom")]
    shop.changes.withdraw(str(asked[0]), by="kim", why="no", authenticated="os_login")
    assert entries(shop, "activate_withdrawn")[0]["asked"] == asked
    assert shop.changes.pending() == ()
