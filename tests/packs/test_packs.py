"""The policies that come with agentguard: each passes its own cases, leaves nothing uncovered and has no warning."""

from datetime import date
from functools import cache
from pathlib import Path

import pytest

from agentguard.analysis import run_cases
from agentguard.core.policy import Verdict
from agentguard.policyfile import lint, load, load_cases_text, load_people_text, load_text

pytestmark = pytest.mark.no_cover  # what it runs again and again is run by other tests too

POLICIES = Path(__file__).parents[2] / "policies"
PACKS = sorted(folder for folder in POLICIES.iterdir() if folder.is_dir())
WRITTEN_HERE = ["account", "appointments", "orders", "outreach", "refunds", "returns", "triage"]


def policy_of(folder):
    path = folder / f"{folder.name}.yaml"
    return load_text(path.read_text(encoding="utf-8"), str(path))


def cases_of(folder):
    path = folder / f"{folder.name}_test.yaml"
    return load_cases_text(path.read_text(encoding="utf-8"), str(path))


@cache
def report_of(folder):
    return run_cases(load([folder]), cases_of(folder))


@pytest.fixture(scope="module", params=PACKS, ids=lambda folder: folder.name)
def pack(request):
    return request.param


def test_the_packs_that_are_promised_are_there():
    assert {folder.name for folder in PACKS} >= set(WRITTEN_HERE)


def test_every_case_of_a_pack_passes(pack):
    report = report_of(pack)
    wrong = [f"{result.place} {result.name}: {'; '.join(result.failures)}" for result in report.failed]
    assert report.passed, "\n".join(wrong)


def test_every_rule_limit_and_requirement_of_a_pack_is_seen_to_decide_and_to_be_silent(pack):
    coverage = report_of(pack).coverage
    assert [item.id for item in coverage.uncovered] == []
    assert coverage.share[0] == coverage.share[1] > 0


@pytest.mark.parametrize("name", WRITTEN_HERE)
def test_every_limit_of_a_pack_is_used_up_exactly_and_passed_by_the_least_possible(name):
    coverage = report_of(POLICIES / name).coverage
    assert [item.id for item in coverage.without_boundary] == []


@pytest.mark.parametrize("name", WRITTEN_HERE)
def test_every_guarantee_of_a_pack_has_an_example_that_keeps_it(name):
    assert [item.id for item in report_of(POLICIES / name).coverage.without_example] == []


@pytest.mark.parametrize("name", ["account", "appointments", "orders", "outreach", "refunds", "triage"])
def test_what_happens_when_something_cannot_be_evaluated_is_tried(name):
    tried = {item.kind: item.decided for item in report_of(POLICIES / name).coverage.items}
    assert tried["on_error"] > 0


def test_a_pack_has_no_warning(pack):
    people = load_people_text((POLICIES / "people.yaml").read_text(encoding="utf-8"), "people.yaml")
    with_identity = {POLICIES / "account", pack}  # where `identity.verify`, which others require, is declared
    warnings = lint(load(with_identity), people=people, today=date(2026, 11, 22))
    assert [str(warning) for warning in warnings] == []


@pytest.mark.parametrize("name", WRITTEN_HERE)
def test_every_rule_gives_its_reason_and_every_refusal_its_words(name):
    policy = policy_of(POLICIES / name)
    for rule in policy.rules:
        assert rule.words.because is not None, rule.id
        assert rule.words.say or rule.then.verdict is Verdict.ALLOW, rule.id
    for item in (*policy.limits, *policy.requires):
        assert item.words.because is not None, item.id
        assert item.words.say, item.id
    assert policy.guarantees
    assert policy.owner
    assert policy.description


@pytest.mark.parametrize("name", WRITTEN_HERE)
def test_every_pack_speaks_english_and_one_more_language_somewhere(name):
    policy = policy_of(POLICIES / name)
    words = [policy.say_otherwise, *(rule.words.say for rule in policy.rules)]
    assert any(len(say) >= 2 and "en" in say for say in words)


def test_all_packs_load_together():
    bundle = load([POLICIES])
    assert {policy.name for policy in bundle.policies} >= set(WRITTEN_HERE)
