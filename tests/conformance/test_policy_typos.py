"""A mistake in a policy file never becomes a policy: it does not load, and the message says where and what."""

import pytest

from agentguard import policyfile
from agentguard.errors import PolicyError
from tests.conformance.corpus import POLICY, named, probes


def test_the_policy_without_a_mistake_loads():
    assert policyfile.load_text(POLICY.read_text(), "payments.yaml").name == "payments"


@pytest.mark.parametrize("probe", probes("policy_typos"), ids=named)
def test_a_policy_with_a_mistake_does_not_load_and_says_where(probe):
    text = POLICY.read_text()
    before = text.index(probe["change"])
    broken = text[:before] + probe["mistake"] + text[before + len(probe["change"]) :]
    first = text[:before].count("\n") + 1
    lines = range(first, first + probe["mistake"].count("\n") + 2)
    with pytest.raises(PolicyError) as caught:
        policyfile.load_text(broken, "payments.yaml")
    at_the_place = [problem for problem in caught.value.problems if problem.line in lines]
    assert any(probe["says"] in problem.message for problem in at_the_place), caught.value
