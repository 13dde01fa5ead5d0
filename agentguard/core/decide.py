"""The heart: a pure function from policies, a request and evidence to a decision.

The strictest verdict wins: deny, then the strongest escalation, then allow; the order of rules and files means nothing.
What cannot be evaluated counts against the request (law 9), and silence is a denial.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from agentguard.core import escalation
from agentguard.core.decision import AskedRoute, Decision, LimitCheck, Reason, RequirementCheck
from agentguard.core.findings import Findings
from agentguard.core.language import UNKNOWN
from agentguard.core.limits import AccountNeed, applies, checked, maximum, usage_values
from agentguard.core.needs import Needs, needs
from agentguard.core.plan import (
    Environment,
    Plan,
    PlannedLimit,
    PlannedPolicy,
    PlannedRequirement,
    PlannedRule,
    environment,
    reason_of,
)
from agentguard.core.policy import Policy, Requirement, Route, Then, Verdict, Words
from agentguard.core.request import Evidence, Request
from agentguard.core.words import customer_words, render, wanted_language
from agentguard.errors import EvaluationError

MAX_TABLE = 1024


def decide(plan: Plan, request: Request, evidence: Evidence, wanted: Needs | None = None) -> Decision:
    """Decide one request under everything that governs its action.

    Args:
        plan: What governs it.
        request: What is asked for.
        evidence: Everything that the decision rests on beside them.
        wanted: What `needs` gave for the same request, facts and moment; worked out here if None.

    Returns:
        A decision; never raises for what a policy, a fact or an argument says.
    """
    if not plan.tabular or evidence.votes:
        return _decided(plan, request, evidence, wanted or _needs(plan, request, evidence))
    values = wanted.values if wanted else environment(plan, request, evidence.facts, evidence.now)
    fired = tuple([tuple(file.fire(values)) for file in plan.files])
    case = (wanted_language(request) if plan.speaks else "", fired)
    known = plan.table.get(case)
    if known is not None:
        return known
    decision = _decided(plan, request, evidence, Needs({}, {}, values))
    if len(plan.table) < MAX_TABLE and all(type(result) is bool for results in fired for result in results):
        plan.table[case] = decision
    return decision


def _needs(plan: Plan, request: Request, evidence: Evidence) -> Needs:
    if plan.counts:
        return needs(plan, request, evidence.facts, evidence.now)
    return Needs({}, {}, environment(plan, request, evidence.facts, evidence.now))


def _decided(plan: Plan, request: Request, evidence: Evidence, wanted: Needs) -> Decision:
    values = wanted.values
    if plan.limits_read:
        values = {**values, **usage_values(wanted.accounts, evidence.usage)}
    decision = _together(plan, plan.enforced, request, values, wanted, evidence)
    if not plan.shadowed:
        return decision
    return replace(decision, shadow=_together(plan, plan.shadowed, request, values, wanted, evidence))


def _together(
    plan: Plan,
    files: Sequence[PlannedPolicy],
    request: Request,
    values: Environment,
    wanted: Needs,
    evidence: Evidence,
) -> Decision:
    if not files:
        return _refused(Reason("action_unknown", plan.action, Verdict.DENY))
    found = [_judge(file, values, wanted, evidence) for file in files]
    reasons: list[Reason] = []
    matched: list[str] = []
    limits: list[LimitCheck] = []
    requirements: list[RequirementCheck] = []
    for findings in found:
        reasons += findings.reasons
        matched += findings.matched
        limits += findings.limits
        requirements += findings.requirements
    if plan.computed and (missing := [name for name in plan.computed if values[name] is UNKNOWN]):
        reasons.insert(0, _uncomputed(plan, missing))
    verdict = max([reason.verdict for reason in reasons])
    if verdict is Verdict.ABSTAIN:
        reasons.insert(0, Reason("all_abstained", plan.action, Verdict.DENY))
        verdict = Verdict.DENY
    routes = _routes(found) if verdict is Verdict.ESCALATE else ()
    approved = bool(evidence.votes) and escalation.approved(routes, reasons, evidence.votes)
    if approved and (unheld := _uncounted(found)):
        reasons = unheld + reasons
        verdict, routes, approved = Verdict.DENY, (), False
    say, language = customer_words(found, verdict, request, values) if plan.speaks else ("", "")
    return Decision(
        verdict=verdict,
        approved=approved,
        reasons=_ordered(reasons, verdict),
        matched=tuple(matched),
        routes=routes,
        limits=tuple(limits),
        requirements=tuple(requirements),
        say=say,
        language=language,
        witness=plan.witnessed and any(_takes_witness(file, values) for file in files),
    )


def _takes_witness(file: PlannedPolicy, values: Environment) -> bool:
    """Return whether a file wants a witness before the effect; what cannot be evaluated counts as yes (law 9)."""
    try:
        return file.witness is not None and file.witness(values) is not False
    except EvaluationError:
        return True


def _refused(reason: Reason) -> Decision:
    return Decision(reason.verdict, False, (reason,), (), (), (), (), "", "")


def _uncomputed(plan: Plan, missing: Sequence[str]) -> Reason:
    detail = f"these arguments could not be computed: {', '.join(missing)}"
    return Reason("cannot_evaluate", plan.action, Verdict.DENY, detail=detail)


def _uncounted(found: Sequence[Findings]) -> list[Reason]:
    """Denials for limits whose account is not known: what a person approved must still be counted (law 4)."""
    return [
        _cannot(findings.file.policy, limit.id, Then(Verdict.DENY), "what it counts is not known")
        for findings in found
        for limit in findings.unheld
    ]


def _judge(file: PlannedPolicy, values: Environment, wanted: Needs, evidence: Evidence) -> Findings:
    """Return what one file says: its rules, or its `otherwise`; its limits and requirements; `on_error` if it must."""
    findings = Findings(file)
    silent = _expired(file, evidence) if file.dated else frozenset()
    for planned, result in zip(file.rules, file.fire(values), strict=True):
        if result is False or planned.id in silent:
            continue
        if result is True:
            _rule_matched(findings, planned, values)
        else:
            _rule_failed(findings, planned, result)
    if not findings.reasons:
        findings.add(file.otherwise)
    for limit in file.limits:
        _judge_limit(findings, limit, values, wanted.accounts.get(limit.id), evidence)
    for requirement in file.requires:
        _judge_requirement(findings, requirement, values, evidence)
    if findings.failed:
        findings.add(file.on_error)
    return findings


def _expired(file: PlannedPolicy, evidence: Evidence) -> frozenset[str]:
    """Return the rules that loosen and whose day, or whose file's day, has come; those that tighten keep speaking."""
    today = evidence.now.astimezone(file.policy.zone).date()
    return frozenset(
        planned.id
        for planned in file.rules
        if planned.rule.then.verdict is Verdict.ALLOW
        and any(day is not None and day <= today for day in (planned.rule.expires, file.policy.expires))
    )


def _rule_matched(findings: Findings, planned: PlannedRule, values: Environment) -> None:
    findings.matched.append(planned.id)
    words = planned.rule.words
    reason = planned.reason
    if planned.varies and words.because is not None:
        reason = replace(reason, because=render(words.because, values, findings.file.policy.zone))
    findings.add(reason, words)


def _rule_failed(findings: Findings, planned: PlannedRule, error: object) -> None:
    findings.failed = True
    if planned.rule.then.verdict is not Verdict.ALLOW:  # an allow rule that cannot be evaluated is silent
        findings.add(_cannot(findings.file.policy, planned.rule.id, planned.rule.then, error))


def _judge_limit(
    findings: Findings, planned: PlannedLimit, values: Environment, need: AccountNeed | None, evidence: Evidence
) -> None:
    limit, policy = planned.limit, planned.policy
    usage = evidence.usage.get(planned.id)
    try:
        if not applies(planned, values):
            return
        if need is None or usage is None:
            findings.unheld.append(limit)
            raise EvaluationError("missing", "what it counts is not known")
        found = checked(need, usage, maximum(planned, need.unit, values))
    except EvaluationError as error:
        findings.failed = True
        if need is not None and usage is not None:
            findings.limits.append(checked(need, usage, None))
        findings.add(_cannot(policy, limit.id, limit.over, error))
        return
    findings.limits.append(found)
    if not found.fits:
        because = _filled(policy, limit.words, values)
        findings.add(
            reason_of(policy, "limit_exceeded", limit.id, limit.over, because, limit.words.disclose), limit.words
        )


def _judge_requirement(
    findings: Findings, planned: PlannedRequirement, values: Environment, evidence: Evidence
) -> None:
    requirement, policy = planned.requirement, planned.policy
    try:
        if planned.when is not None and planned.when(values) is not True:
            return
        if planned.id not in evidence.history:
            raise EvaluationError("missing", "the values that must be the same are not known")
    except EvaluationError as error:
        findings.failed = True
        findings.add(_cannot(policy, requirement.id, requirement.otherwise, error))
        return
    entry = evidence.history[planned.id]
    findings.requirements.append(RequirementCheck(planned.id, entry))
    if entry is None:
        findings.add(_missing(policy, requirement, values), requirement.words)


def _missing(policy: Policy, requirement: Requirement, values: Environment) -> Reason:
    otherwise, words = requirement.otherwise, requirement.words
    because = _filled(policy, words, values)
    if requirement.action is None:
        return reason_of(policy, "not_confirmed", requirement.id, otherwise, because, words.disclose)
    return reason_of(policy, "requirement_missing", requirement.id, otherwise, because, words.disclose)


def _filled(policy: Policy, words: Words, values: Environment) -> str:
    return "" if words.because is None else render(words.because, values, policy.zone)


def _cannot(policy: Policy, source: str, then: Then, error: object) -> Reason:
    return reason_of(policy, "cannot_evaluate", source, then, detail=str(error))


def _routes(found: Iterable[Findings]) -> tuple[AskedRoute, ...]:
    """Return the strongest route that each file asks for; different files' routes must all be satisfied."""
    asked = []
    for findings in found:
        policy = findings.file.policy
        wanted = {reason.route for reason in findings.reasons if reason.verdict is Verdict.ESCALATE}
        own = [route for route in policy.routes.values() if policy.qualified(route.id) in wanted]
        if own:
            strongest = max(own, key=lambda route: route.strength)
            asked.append(_asked(policy, strongest))
    return tuple(asked)


def _asked(policy: Policy, route: Route) -> AskedRoute:
    following = None if route.if_late is None else policy.routes.get(route.if_late)
    return AskedRoute(policy.qualified(route.id), route, None if following is None else _asked(policy, following))


def _ordered(reasons: Sequence[Reason], verdict: Verdict) -> tuple[Reason, ...]:
    """Return the deciding reasons first, then the rest that spoke, each in the order of the files."""
    if len(reasons) == 1:
        return (reasons[0],)
    deciding = [reason for reason in reasons if reason.verdict is verdict]
    return tuple(deciding + [reason for reason in reasons if reason.verdict is not verdict])
