"""The assistants' policies pass their own cases, leave no rule untried, and give lint nothing to say."""

from datetime import date

import pytest

from agentguard.analysis import run_cases
from agentguard.policyfile import bundle_of, lint, load_cases_text, load_text
from scripts.replays.workloads import POLICIES


@pytest.mark.parametrize("name", ["banking", "slack"])
def test_an_assistants_policy_passes_its_cases_and_every_rule_is_tried(name):
    policy, cases = POLICIES / f"{name}.yaml", POLICIES / f"{name}_test.yaml"
    bundle = bundle_of([load_text(policy.read_text(encoding="utf-8"), policy.name)])
    report = run_cases(bundle, load_cases_text(cases.read_text(encoding="utf-8"), cases.name))
    assert [f"{result.name}: {'; '.join(result.failures)}" for result in report.failed] == []
    assert [item.id for item in report.coverage.uncovered] == []
    assert [str(warning) for warning in lint(bundle, today=date(2026, 11, 22))] == []
