"""Policies over the record of a real guard: the same ones change nothing, and others change what they should."""


from agentguard import Verdict
from tests.engine.given import bundle
from tests.simulate.past import TEXT, live


def test_the_policies_in_force_change_nothing_in_their_own_past(shop):
    live(shop, 250)
    told = []
    found = shop.guard.audit.simulate(bundle(TEXT), tell=told.append)
    assert told == []
    assert found.changed == 0
    assert found.uncertain == 0
    assert {old for old, _ in found.matrix} == set(Verdict) - {Verdict.ABSTAIN}
    assert found.sentence == "would have changed no verdict"


def test_limits_that_are_counted_from_the_log_alone_stand_as_they_did(shop, monkeypatch):
    live(shop, 250)
    monkeypatch.setattr("agentguard.engine.past_lens._same_limit", lambda mine, theirs: False)
    monkeypatch.setattr("agentguard.engine.past_lens._same_required", lambda mine, theirs: False)
    told = []
    found = shop.guard.audit.simulate(bundle(TEXT), tell=told.append)
    assert told == []
    assert found.uncertain == 0
