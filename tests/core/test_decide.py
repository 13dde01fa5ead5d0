"""The laws of a decision as properties, and its agreement with a naive second one."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from agentguard.core.decide import decide
from agentguard.core.decision import Decision
from agentguard.core.money import Money
from agentguard.core.plan import Plan, plan_action
from agentguard.core.policy import Verdict
from agentguard.core.request import Actor, Evidence, Fact, FactStatus, Request, Usage
from agentguard.policyfile import bundle_of, load_text
from tests.core.reference import (
    ABSENT,
    FAILED,
    Atom,
    PolicyData,
    RuleData,
    World,
    policy_text,
    random_atom,
    random_policy,
    random_world,
    reference,
)

pytestmark = pytest.mark.no_cover  # what it runs again and again is run by other tests too

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
BUNDLES = 150
WORLDS = 40


def bundle(policies: list[PolicyData]) -> Plan:
    loaded = bundle_of([load_text(policy_text(policy), f"{policy.name}.yaml") for policy in policies])
    return plan_action(loaded, "thing.do")


def decided(plan: Plan, world: World) -> Decision:
    facts = {name: fact(name, value) for name, value in world.values.items() if name != "amount"}
    usage = {limit: Usage(held, settled) for limit, (held, settled) in world.used.items()}
    history = {requirement: 1 if happened else None for requirement, happened in world.happened.items()}
    amount = Money(world.values["amount"], "USD")
    request = Request("default", Actor("bot"), "cus_1", "thing.do", {"amount": amount}, {}, "k", NOW)
    return decide(plan, request, Evidence(facts, usage, history, NOW))


def fact(name: str, value: object) -> Fact:
    if value in (ABSENT, FAILED):
        return Fact(FactStatus(value))
    return Fact(FactStatus.VALUE, Money(value, "USD") if name == "order.total" else value, "test", NOW)


def seen(decision: Decision) -> tuple[str, set[tuple[str, str, str]], set[str]]:
    reasons = set()
    for reason in decision.reasons:
        then = str(reason.verdict)
        if reason.route:
            then = f"escalate to {reason.route.split('/')[1]}"
        reasons.add((reason.code, reason.source, then))
    return str(decision.verdict), reasons, {asked.id for asked in decision.routes}


def worlds(seed: int) -> tuple[random.Random, list[PolicyData], list[World]]:
    source = random.Random(seed)
    policies = [random_policy(source, name) for name in ("first", "second")[: source.randint(1, 2)]]
    return source, policies, [random_world(source, policies) for _ in range(WORLDS)]


@pytest.mark.parametrize("block", range(5))
def test_decide_agrees_with_the_naive_reference_on_random_policies_and_worlds(block):
    verdicts = set()
    for seed in range(block * BUNDLES // 5, (block + 1) * BUNDLES // 5):
        _, policies, situations = worlds(seed)
        loaded = bundle(policies)
        for world in situations:
            expected = reference(policies, world)
            verdicts.add(expected[0])
            assert seen(decided(loaded, world)) == expected, f"seed {seed}: {world}"
    assert verdicts == {"allow", "escalate", "deny"}


@pytest.mark.no_cover  # a long loop over what shorter tests cover
def test_the_order_of_rules_and_files_and_a_rule_said_twice_mean_nothing():
    for seed in range(40):
        source, policies, situations = worlds(seed)
        loaded = bundle(policies)
        for policy in policies:
            source.shuffle(policy.rules)
            policy.rules.append(RuleData("again", policy.rules[0].then, policy.rules[0].atoms))
        changed = bundle(list(reversed(policies)))
        for world in situations:
            before, after = decided(loaded, world), decided(changed, world)
            assert (before.verdict, before.routes) == (after.verdict, after.routes)


def test_adding_a_deny_rule_never_loosens_and_adding_an_allow_rule_never_tightens_a_matched_request():
    for seed in range(40):
        source, policies, situations = worlds(seed)
        loaded = bundle(policies)
        atoms = [random_atom(source)]
        policies[0].rules.append(RuleData("added", "deny", atoms))
        stricter = bundle(policies)
        policies[0].rules[-1] = RuleData("added", "allow", atoms)
        looser = bundle(policies)
        for world in situations:
            before = decided(loaded, world)
            assert decided(stricter, world).verdict >= before.verdict or is_only_otherwise(before)
            failed = atoms[0].holds(world) is None
            if not is_only_otherwise(before) and not failed:
                assert decided(looser, world).verdict <= before.verdict


def is_only_otherwise(decision: Decision) -> bool:
    """A rule that matches silences `otherwise`, so it may be stricter or looser than silence was."""
    return any(reason.code in ("no_rule_matched", "all_abstained") for reason in decision.reasons)


def test_the_same_inputs_give_the_same_answer():
    for seed in range(10):
        _, policies, situations = worlds(seed)
        first, second = bundle(policies), bundle(policies)
        for world in situations:
            assert decided(first, world) == decided(second, world) == decided(first, world)


def test_what_cannot_be_evaluated_never_loosens():
    for seed in range(60):
        source, policies, situations = worlds(seed)
        loaded = bundle(policies)
        for world in situations:
            before = decided(loaded, world)
            broken = World({**world.values, source.choice(list(world.values)[1:]): FAILED}, world.used, world.happened)
            after = decided(loaded, broken)
            if any(reason.code == "cannot_evaluate" for reason in after.reasons):
                assert after.verdict > Verdict.ALLOW
            else:
                assert after.verdict == before.verdict


def test_silence_is_a_denial():
    silent = PolicyData("first", [RuleData("r", "allow", [Atom("amount", "<", 1)])], [], {}, "deny", "deny")
    world = World({"amount": 5000, "order.total": 1, "customer.score": 1, "customer.level": 1, "customer.tier": "vip"})
    assert seen(decided(bundle([silent]), world))[:2] == ("deny", {("no_rule_matched", "first/otherwise", "deny")})


def test_an_action_that_no_file_governs_is_denied():
    silent = PolicyData(
        "first", [RuleData("r", "allow", [Atom("amount", ">", 1)])], [], {}, "deny", "deny", shadow=True
    )
    world = World({"amount": 5000, "order.total": 1, "customer.score": 1, "customer.level": 1, "customer.tier": "vip"})
    decision = decided(bundle([silent]), world)
    assert [reason.code for reason in decision.reasons] == ["action_unknown"]
    assert decision.shadow is not None
    assert decision.shadow.verdict is Verdict.ALLOW
