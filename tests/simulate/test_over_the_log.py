"""Policies over the record of a real guard: the same ones change nothing, however their budgets are counted."""

import pytest

from agentguard import Verdict
from tests.engine.given import bundle
from tests.simulate.past import TEXT, live


@pytest.mark.no_cover
def test_the_policies_in_force_change_nothing_in_their_own_past(shop, monkeypatch):
    live(shop, 250)
    told = []
    found = shop.guard.audit.simulate(bundle(TEXT), tell=told.append)
    assert told == []
    assert found.changed == found.uncertain == 0
    assert {old for old, _ in found.matrix} == {Verdict.ALLOW, Verdict.ESCALATE, Verdict.DENY}
    assert found.sentence == "would have changed no verdict"
    # Once more as if no limit and no requirement had been there: everything is counted from the log alone.
    monkeypatch.setattr("agentguard.engine.past_lens._same_limit", lambda mine, theirs: False)
    monkeypatch.setattr("agentguard.engine.past_lens._same_required", lambda mine, theirs: False)
    found = shop.guard.audit.simulate(bundle(TEXT), tell=told.append)
    assert told == []
    assert found.changed == found.uncertain == 0
