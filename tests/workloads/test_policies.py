"""The assistants' policies pass their own cases, and no rule or limit of theirs is left untried."""

import pytest

from agentguard.analysis import run_cases
from agentguard.policyfile import bundle_of, load_cases_text, load_text
from scripts.replays.workloads import POLICIES


@pytest.mark.parametrize("name", ["banking", "slack"])
def test_an_assistants_policy_passes_its_cases_and_every_rule_is_tried(name):
    policy, cases = POLICIES / f"{name}.yaml", POLICIES / f"{name}_test.yaml"
    report = run_cases(
        bundle_of([load_text(policy.read_text(encoding="utf-8"), policy.name)]),
        load_cases_text(cases.read_text(encoding="utf-8"), cases.name),
    )
    assert [f"{result.name}: {'; '.join(result.failures)}" for result in report.failed] == []
    assert [item.id for item in report.coverage.uncovered] == []
