"""A bundle prepared for one action: what applies to it, compiled once, so that cost does not grow with other rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agentguard.core.account import account_identity
from agentguard.core.decision import Decision, Reason
from agentguard.core.digest import encode
from agentguard.core.language import (
    UNKNOWN,
    Declared,
    Expression,
    Value,
    compile_conditions,
    compile_expression,
    conform,
)
from agentguard.core.policy import Bundle, Disclose, Limit, Policy, Requirement, Rule, Template, Then, WindowKind
from agentguard.core.request import Fact, FactStatus, Request
from agentguard.errors import ConformError, EvaluationError

Environment = dict[str, Any]
Compiled = Callable[[Mapping[str, Any]], Any]

_VALUE, _FAILED = FactStatus.VALUE, FactStatus.FAILED
_UNGATHERED = Fact(FactStatus.FAILED)

BUILT_IN = frozenset({"on_behalf_of", "tenant", "agent.id", "agent.kind", "agent.version", "now", "asked_at"})


@dataclass(frozen=True, slots=True)
class PlannedLimit:
    """A limit as one action meets it.

    Attributes:
        measure: None where actions are counted.
        freed_by: By action: how much of this one it gives back, or None for all of it.
        identity: What makes its account, without the values: see `account_identity`.
    """

    id: str
    policy: Policy
    limit: Limit
    when: Compiled | None
    measure: Compiled | None
    per: tuple[Compiled, ...]
    max: Mapping[str, Compiled]
    freed_by: Mapping[str, Compiled | None]
    identity: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedRequirement:
    """A requirement as one action meets it."""

    id: str
    policy: Policy
    requirement: Requirement
    when: Compiled | None


@dataclass(frozen=True, slots=True)
class PlannedRule:
    """A rule with its qualified id and the reason it gives when it matches.

    Attributes:
        varies: True if the reason's words hold values, which are filled in each time.
    """

    id: str
    rule: Rule
    reason: Reason
    varies: bool


@dataclass(frozen=True, slots=True)
class PlannedPolicy:
    """One file as one action meets it; `fire` evaluates the conditions of all `rules` at once, in their order.

    Attributes:
        otherwise, on_error: The reasons given when no rule matched, and when something could not be evaluated.
        dated: True if some rule, or the file, expires.
        witness: Whether its effect waits for a witness; None where none ever does.
    """

    policy: Policy
    rules: tuple[PlannedRule, ...]
    fire: Callable[[Mapping[str, Any]], list[bool | EvaluationError]]
    limits: tuple[PlannedLimit, ...]
    requires: tuple[PlannedRequirement, ...]
    otherwise: Reason
    on_error: Reason
    dated: bool
    witness: Compiled | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that governs one action.

    Attributes:
        enforced, shadowed: The files by mode, in order of name.
        arguments: The declared type of each argument, computed ones too.
        asked: The same of those that the agent gives.
        computed: Arguments that the policy fills in, compiled.
        facts: Declared facts by full name that something here reads, segments included; nothing else is looked up.
        roots: The same by the first name that their lookup has, in order of name.
        context: Declared context by full name.
        limits_read: Limits that a condition or a text names with `used` or `held`.
        personal: Places of what is kept encrypted: `arguments.email`, `facts.customer.email`, `context.phone`.
        segments: Facts that are recorded for reports, in order of name.
        described: What every entry of a decision says of the policies: which they are, and in which mode.
        counts: True if some limit or requirement applies, so that deciding needs the store.
        speaks: True if some file has words for the customer.
        witnessed: True if some file lets an effect wait for a witness.
        files: Every file that governs the action, enforced ones first.
        tabular: True if a decision rests on nothing but which rules matched; `table` then remembers each case.
    """

    action: str
    bundle_digest: str
    enforced: tuple[PlannedPolicy, ...]
    shadowed: tuple[PlannedPolicy, ...]
    arguments: Mapping[str, Declared]
    asked: Mapping[str, Declared]
    computed: Mapping[str, Compiled]
    facts: Mapping[str, Declared]
    context: Mapping[str, Declared]
    limits_read: frozenset[str]
    personal: frozenset[str]
    segments: tuple[str, ...]
    described: Mapping[str, Any]
    roots: Mapping[str, Mapping[str, Declared]]
    counts: bool
    speaks: bool
    witnessed: bool
    files: tuple[PlannedPolicy, ...]
    tabular: bool
    table: dict[Any, Decision] = field(default_factory=dict, compare=False, repr=False)


def plan_action(bundle: Bundle, action: str) -> Plan:
    """Prepare a bundle for one action; an action that no file governs gives a plan without files."""
    policies = bundle.governing(action)
    arguments: dict[str, Declared] = {}
    computed: dict[str, Compiled] = {}
    context: dict[str, Declared] = {}
    read: dict[str, Declared] = {}
    for policy in policies:
        spec = policy.actions[action]
        arguments.update(spec.arguments)
        computed.update({name: compile_expression(value) for name, value in spec.computed.items()})
        context.update(policy.context)
        names = set(policy.segments).union(*(expression.reads for expression in _expressions(policy, action)))
        read.update({name: policy.facts[name] for name in sorted(names) if name in policy.facts})
    files = tuple(_plan_policy(policy, action) for policy in policies)
    enforced = tuple(file for file in files if not file.policy.shadow)
    shadowed = tuple(file for file in files if file.policy.shadow)
    return Plan(
        action=action,
        bundle_digest=bundle.digest,
        enforced=enforced,
        shadowed=shadowed,
        arguments=arguments,
        asked={name: declared for name, declared in arguments.items() if name not in computed},
        computed=computed,
        facts=read,
        context=context,
        limits_read=frozenset(
            limit for policy in policies for expression in _expressions(policy, action) for limit in expression.limits
        ),
        personal=frozenset(
            [f"arguments.{name}" for name, declared in arguments.items() if declared.personal]
            + [f"facts.{name}" for name, declared in read.items() if declared.personal]
            + [name for name, declared in context.items() if declared.personal]
        ),
        described={"bundle": bundle.digest, "policies": _described(files), "mode": "enforce" if enforced else "shadow"},
        roots={root: _below(root, read) for root in sorted({name.partition(".")[0] for name in read})},
        segments=tuple(sorted({name for policy in policies for name in policy.segments})),
        counts=any(file.limits or file.requires for file in files),
        speaks=any(_speaks(policy) for policy in policies),
        witnessed=any(file.witness is not None for file in files),
        files=(*enforced, *shadowed),
        tabular=not computed and not any(_varies(file) for file in files),
    )


def _described(files: Iterable[PlannedPolicy]) -> dict[str, Any]:
    return {
        file.policy.name: {
            "digest": file.policy.digest,
            "version": file.policy.version,
            "mode": "shadow" if file.policy.shadow else "enforce",
        }
        for file in files
    }


def _below(root: str, facts: Mapping[str, Declared]) -> dict[str, Declared]:
    return {name: declared for name, declared in facts.items() if name.partition(".")[0] == root}


def environment(
    plan: Plan, request: Request, facts: Mapping[str, Fact], now: datetime, unknown: Iterable[str] = ()
) -> Environment:
    """Return what conditions can read: a failed or ungathered fact is `UNKNOWN`, an absent one is not there (law 9).

    Args:
        plan: What governs the action.
        request: What is asked for.
        facts: What was looked up.
        now: The ledger's time.
        unknown: Full names of whatever else cannot be known, because a record does not say it any more.
    """
    actor = request.actor
    values: Environment = {
        **request.arguments,
        **request.context,
        "on_behalf_of": request.on_behalf_of or UNKNOWN,  # nobody is not a customer that a fact could equal
        "tenant": request.tenant,
        "agent.id": actor.id,
        "agent.kind": str(actor.kind),
        "now": now,
        "asked_at": request.asked_at,
    }
    if actor.version is not None:
        values["agent.version"] = actor.version
    for name in plan.facts:
        fact = facts.get(name, _UNGATHERED)
        status = fact.status
        if status is _VALUE:
            values[name] = fact.value
        elif status is _FAILED:
            values[name] = UNKNOWN
    for name in unknown:
        values[name] = UNKNOWN
    for name, compute in plan.computed.items():
        values[name] = _computed(plan.arguments[name], compute, values)
    return values


def computed_arguments(plan: Plan, values: Environment) -> dict[str, Value]:
    """Return the arguments that the policy filled in; those that could not be evaluated are left out."""
    return {name: values[name] for name in plan.computed if values[name] is not UNKNOWN}


def _computed(declared: Declared, compute: Compiled, values: Environment) -> Any:
    try:
        return conform(declared.type, compute(values))
    except (EvaluationError, ConformError):
        return UNKNOWN  # whatever reads it cannot be evaluated, and `decide` denies for want of the argument


def _plan_policy(policy: Policy, action: str) -> PlannedPolicy:
    rules = tuple(_plan_rule(policy, rule) for rule in policy.rules if action in rule.on)
    return PlannedPolicy(
        policy=policy,
        rules=rules,
        fire=_fire(rules),
        limits=tuple(_plan_limit(policy, limit, action) for limit in policy.limits if action in limit.on),
        requires=tuple(
            PlannedRequirement(policy.qualified(item.id), policy, item, _compiled(item.when))
            for item in policy.requires
            if action in item.on
        ),
        otherwise=reason_of(policy, "no_rule_matched", "otherwise", policy.otherwise),
        on_error=reason_of(policy, "cannot_evaluate", "on_error", policy.on_error),
        dated=policy.expires is not None or any(planned.rule.expires is not None for planned in rules),
        witness=_compiled(_before_effect(policy, action)),
    )


def _before_effect(policy: Policy, action: str) -> Expression | None:
    return policy.witness.when if policy.witness is not None and action in policy.witness.on else None


def _varies(file: PlannedPolicy) -> bool:
    """Return whether two requests that match the same rules can be answered differently."""
    says = [file.policy.say_otherwise, file.policy.say_on_error, *(planned.rule.words.say for planned in file.rules)]
    worded = any(static_text(template) is None for said in says for template in said.values())
    counted = bool(file.limits or file.requires or file.witness)
    return counted or worded or file.dated or any(planned.varies for planned in file.rules)


def _speaks(policy: Policy) -> bool:
    words = [item.words for items in (policy.rules, policy.limits, policy.requires) for item in items]
    return bool(policy.say_otherwise or policy.say_on_error) or any(said.say for said in words)


def _plan_rule(policy: Policy, rule: Rule) -> PlannedRule:
    because = static_text(rule.words.because)
    reason = reason_of(policy, "rule_matched", rule.id, rule.then, because or "", rule.words.disclose)
    return PlannedRule(policy.qualified(rule.id), rule, reason, because is None)


def reason_of(
    policy: Policy,
    code: str,
    source: str,
    then: Then,
    because: str = "",
    disclose: Disclose = Disclose.CODE,
    detail: str = "",
) -> Reason:
    """Return a reason that one file gives; `source` and the route are short ids of that file."""
    route = None if then.route is None else policy.qualified(then.route)
    return Reason(code, policy.qualified(source), then.verdict, route, because, disclose, detail)


def _fire(rules: tuple[PlannedRule, ...]) -> Callable[[Mapping[str, Any]], list[bool | EvaluationError]]:
    conditions = [planned.rule.when for planned in rules if planned.rule.when is not None]
    evaluate = compile_conditions(conditions)
    if len(conditions) == len(rules):
        return evaluate
    unconditional = [position for position, planned in enumerate(rules) if planned.rule.when is None]

    def fire(values: Mapping[str, Any]) -> list[bool | EvaluationError]:
        """Return what each rule comes to, those without a condition included."""
        results = evaluate(values)
        for position in unconditional:
            results.insert(position, True)
        return results

    return fire


def _plan_limit(policy: Policy, limit: Limit, action: str) -> PlannedLimit:
    return PlannedLimit(
        id=policy.qualified(limit.id),
        policy=policy,
        limit=limit,
        when=_compiled(limit.when),
        measure=_compiled(limit.measure[action]),
        per=tuple(compile_expression(expression) for expression in limit.per),
        max={currency: compile_expression(expression) for currency, expression in limit.max.items()},
        freed_by={name: _compiled(expression) for name, expression in limit.freed_by.items()},
        identity=account_identity(limit),
    )


def account_values(planned: PlannedLimit, values: Environment) -> list[Any]:
    """Return the values that pick one account of a limit, encoded.

    Raises:
        EvaluationError: One of them cannot be read.
    """
    keys = [encode(read(values)) for read in planned.per]
    if planned.limit.window.kind is WindowKind.CONVERSATION:
        conversation = values.get("context.conversation")
        if not isinstance(conversation, str):
            raise EvaluationError("missing", "`context.conversation` is missing", "context.conversation")
        keys.append(conversation)
    return keys


def _compiled(expression: Expression | None) -> Compiled | None:
    return None if expression is None else compile_expression(expression)


def static_text(template: Template | None) -> str | None:
    """Return a template's words if no values are in them, else None."""
    if template is None:
        return ""
    if all(isinstance(part, str) for part in template.parts):
        return "".join(part for part in template.parts if isinstance(part, str))
    return None


def names_read(policy: Policy, action: str) -> frozenset[str]:
    """Return the full names of everything that deciding an action in one file can depend on."""
    same = [requirement.same for requirement in policy.requires if action in requirement.on]
    return frozenset().union(*same, *(expression.reads for expression in _expressions(policy, action)))


def _expressions(policy: Policy, action: str) -> list[Expression]:
    """Everything that deciding this action evaluates in one file."""
    found: list[Expression | None] = [*policy.actions[action].computed.values(), _before_effect(policy, action)]
    templates: list[Template] = [*policy.say_otherwise.values(), *policy.say_on_error.values()]
    for rule in policy.rules:
        if action in rule.on:
            found.append(rule.when)
            templates += [*rule.words.say.values(), *([rule.words.because] if rule.words.because else [])]
    for limit in policy.limits:
        if action in limit.on:
            found += [limit.when, limit.measure[action], *limit.per, *limit.max.values()]
            templates += [*limit.words.say.values(), *([limit.words.because] if limit.words.because else [])]
        found.append(limit.freed_by.get(action))
    for requirement in policy.requires:
        if action in requirement.on:
            found.append(requirement.when)
            templates += [*requirement.words.say.values()]
            templates += [requirement.words.because] if requirement.words.because else []
    found += [part for template in templates for part in template.parts if not isinstance(part, str)]
    return [expression for expression in found if expression is not None]
