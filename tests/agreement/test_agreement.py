"""Generated code, tree walker, reference and formulas read policies alike; `scripts/agree` tries many more."""

import re
import runpy
from dataclasses import replace

import pytest

from agentguard.analysis.symbolic import requests as symbolic
from agentguard.core.plan import PlannedPolicy
from tests.agreement import readers
from tests.project.tree import ROOT

pytestmark = pytest.mark.no_cover  # a long loop over what shorter tests cover

SEEDS, WORLDS = 40, 25


def test_four_readers_agree_on_random_policies_and_requests():
    found = [item for seed in range(SEEDS) for item in readers.disagreements(seed, WORLDS)]
    assert len(found) == SEEDS * WORLDS
    assert [str(item) for item in found if item is not None] == []


def test_the_random_requests_get_every_verdict_and_lack_facts_often():
    verdicts, lacking = set(), 0
    for seed in range(20):
        policies, worlds = readers.cases(seed, WORLDS)
        for world in worlds:
            verdicts.add(readers.reference(policies, world)[0])
            lacking += "failed" in world.values.values() or "absent" in world.values.values()
    assert verdicts == {"allow", "escalate", "deny"}
    assert lacking > 20 * WORLDS / 4


def first_disagreement():
    return next((item for seed in range(40) for item in readers.disagreements(seed, WORLDS) if item is not None), None)


def test_a_formula_that_takes_unknown_for_no_is_found(monkeypatch):
    whole = symbolic.Requests._say

    def lax(self, name, policy, then, speaks, fails):
        whole(self, name, policy, then, speaks, False)

    monkeypatch.setattr(symbolic.Requests, "_say", lax)
    found = first_disagreement()
    assert found is not None
    assert "formulas: " in str(found)
    assert f"seed {found.seed}" in str(found)


def test_a_walker_that_drops_a_rule_is_found(monkeypatch):
    whole = readers._walking_file

    def forgetful(file: PlannedPolicy) -> PlannedPolicy:
        made = whole(file)
        return replace(made, fire=lambda values: [False, *made.fire(values)[1:]])

    monkeypatch.setattr(readers, "_walking_file", forgetful)
    assert first_disagreement() is not None


def test_the_script_counts_what_it_tried(capsys):
    script = runpy.run_path(str(ROOT / "scripts" / "agree"))
    assert script["main"](["--pairs", "20", "--expressions", "9", "--jobs", "1"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert re.match(r"20 pairs of a policy and a request: 0 disagreements", first)
    assert re.match(r"[0-9,]+ pairs of an expression and a request: 0 disagreements", second)
