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
from agentguard.core.limits import AccountNeed, applies, check, usage_values
from agentguard.core.needs import Needs, needs_of
from agentguard.core.plan import (
    Environment,
    Plan,
    PlannedLimit,
    PlannedPolicy,
    PlannedRequirement,
    PlannedRule,
    environment,
)
from agentguard.core.policy import Policy, Then, Verdict, Words
from agentguard.core.request import Evidence, Request
from agentguard.core.words import customer_words, render
from agentguard.errors import EvaluationError


def decide(plan: Plan, request: Request, evidence: Evidence) -> Decision:
    """Decide one request under everything that governs its action.

    Returns:
        A decision; never raises for what a policy, a fact or an argument says.
    """
    values = environment(plan, request, evidence.facts, evidence.now)
    if plan.has_accounts:
        wanted = needs_of(plan, request, values, evidence.now)
        values.update(usage_values(wanted.accounts, evidence.usage))
    else:
        wanted = NOTHING_NEEDED
    decision = _together(plan, plan.enforced, request, values, wanted, evidence)
    if plan.shadowed:
        shadow = _together(plan, plan.shadowed, request, values, wanted, evidence)
        decision = replace(decision, shadow=shadow)
    return decision


NOTHING_NEEDED = Needs({}, {})


def _together(
    plan: Plan,
    files: Sequence[PlannedPolicy],
    request: Request,
    values: Environment,
    wanted: Needs,
    evidence: Evidence,
) -> Decision:
    found = [_judge(file, values, wanted, evidence) for file in files]
    general = _general_reasons(plan, files, found, values)
    reasons = [*general, *(reason for findings in found for reason in findings.reasons)]
    verdict = max((reason.verdict for reason in reasons), default=Verdict.DENY)
    routes = _routes(found) if verdict is Verdict.ESCALATE else ()
    approved = bool(routes) and escalation.approved(routes, reasons, evidence.votes)
    unheld = [limit for findings in found for limit in findings.unheld]
    if approved and unheld:
        # what a person approved must still be counted; without an account it cannot be (law 4)
        reasons = [_cannot(limit, Verdict.DENY, None, "what it counts is not known") for limit in unheld] + reasons
        verdict, routes, approved = Verdict.DENY, (), False
    say, language = customer_words(found, verdict, request, values)
    return Decision(
        verdict=verdict,
        approved=approved,
        reasons=_ordered(reasons, verdict),
        matched=tuple(rule for findings in found for rule in findings.matched),
        routes=routes,
        limits=tuple(item for findings in found for item in findings.limits),
        requirements=tuple(item for findings in found for item in findings.requirements),
        say=say,
        language=language,
    )


def _general_reasons(
    plan: Plan, files: Sequence[PlannedPolicy], found: Sequence[Findings], values: Environment
) -> list[Reason]:
    """Reasons that no single file gives: no file at all, every file silent, an argument that could not be filled in."""
    if not files:
        return [Reason("action_unknown", plan.action, Verdict.DENY)]
    missing = [name for name in plan.computed if values[name] is UNKNOWN]
    if missing:
        return [_cannot(plan.action, Verdict.DENY, None, f"argument `{name}` could not be computed") for name in missing]
    if all(reason.verdict is Verdict.ABSTAIN for findings in found for reason in findings.reasons):
        return [Reason("all_abstained", plan.action, Verdict.DENY)]
    return []


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
        _say_then(findings, Reason("no_rule_matched", file.policy.qualified("otherwise"), Verdict.DENY), file.policy.otherwise)
    for limit in file.limits:
        _judge_limit(findings, limit, values, wanted.accounts.get(limit.id), evidence)
    for requirement in file.requires:
        _judge_requirement(findings, requirement, values, evidence)
    if findings.failed:
        _say_then(findings, Reason("cannot_evaluate", file.policy.qualified("on_error"), Verdict.DENY), file.policy.on_error)
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
    rule = planned.rule
    findings.matched.append(planned.id)
    because = planned.because
    if because is None and rule.words.because is not None:
        because = render(rule.words.because, values)
    findings.add(
        Reason(
            "rule_matched",
            planned.id,
            rule.then.verdict,
            _qualified_route(findings.file.policy, rule.then),
            because or "",
            rule.words.disclose,
        ),
        rule.words,
    )


def _rule_failed(findings: Findings, planned: PlannedRule, error: object) -> None:
    findings.failed = True
    then = planned.rule.then
    if then.verdict is not Verdict.ALLOW:  # an allow rule that cannot be evaluated is silent
        findings.add(_cannot(planned.id, then.verdict, _qualified_route(findings.file.policy, then), str(error)))


def _judge_limit(
    findings: Findings, limit: PlannedLimit, values: Environment, need: AccountNeed | None, evidence: Evidence
) -> None:
    over, policy = limit.limit.over, limit.policy
    usage = evidence.usage.get(limit.id)
    try:
        if not applies(limit, values):
            return
        if need is None or usage is None:
            findings.unheld.append(limit.id)
            raise EvaluationError("missing", "what it counts is not known")
        checked = check(limit, need, usage, values)
    except EvaluationError as error:
        findings.failed = True
        if limit.id not in findings.unheld:
            findings.limits.append(_unchecked(limit, need, usage.used if usage else 0, usage.held if usage else 0))
        findings.add(_cannot(limit.id, over.verdict, _qualified_route(policy, over), str(error)))
        return
    findings.limits.append(checked)
    if not checked.fits:
        words = limit.limit.words
        because = render(words.because, values) if words.because else ""
        reason = Reason("limit_exceeded", limit.id, over.verdict, None, because, words.disclose)
        _say_then(findings, reason, over, words)


def _unchecked(limit: PlannedLimit, need: AccountNeed | None, used: int, held: int) -> LimitCheck:
    """A limit whose max or `when` could not be evaluated: still held on, if a person lets the action pass."""
    if need is None:
        return LimitCheck(limit.id, "", "", None, used, held, 0, None, fits=False)
    return LimitCheck(limit.id, need.account, need.unit, need.window_start, used, held, need.amount, None, fits=False)


def _judge_requirement(
    findings: Findings, planned: PlannedRequirement, values: Environment, evidence: Evidence
) -> None:
    requirement = planned.requirement
    try:
        if planned.when is not None and planned.when(values) is not True:
            return
        if planned.id not in evidence.history:
            raise EvaluationError("missing", "the values that must be the same are not known")
    except EvaluationError as error:
        findings.failed = True
        then = requirement.otherwise
        findings.add(_cannot(planned.id, then.verdict, _qualified_route(planned.policy, then), str(error)))
        return
    entry = evidence.history[planned.id]
    findings.requirements.append(RequirementCheck(planned.id, entry))
    if entry is None:
        because = render(requirement.words.because, values) if requirement.words.because else ""
        reason = Reason("requirement_missing", planned.id, Verdict.DENY, None, because, requirement.words.disclose)
        _say_then(findings, reason, requirement.otherwise, requirement.words)


def _say_then(findings: Findings, reason: Reason, then: Then, words: Words | None = None) -> None:
    route = _qualified_route(findings.file.policy, then)
    findings.add(replace(reason, verdict=then.verdict, route=route), words)


def _cannot(source: str, verdict: Verdict, route: str | None, detail: str) -> Reason:
    return Reason("cannot_evaluate", source, verdict, route, detail=detail)


def _qualified_route(policy: Policy, then: Then) -> str | None:
    return None if then.route is None else policy.qualified(then.route)


def _routes(found: Iterable[Findings]) -> tuple[AskedRoute, ...]:
    """Return the strongest route that each file asks for; different files' routes must all be satisfied."""
    asked = []
    for findings in found:
        policy = findings.file.policy
        wanted = {reason.route for reason in findings.reasons if reason.verdict is Verdict.ESCALATE}
        own = [route for route in policy.routes.values() if policy.qualified(route.id) in wanted]
        if own:
            strongest = max(own, key=lambda route: route.strength)
            asked.append(AskedRoute(policy.qualified(strongest.id), strongest))
    return tuple(asked)


def _ordered(reasons: Sequence[Reason], verdict: Verdict) -> tuple[Reason, ...]:
    """Return the deciding reasons first, then the rest that spoke, each in the order of the files."""
    deciding = [reason for reason in reasons if reason.verdict is verdict]
    return tuple(deciding + [reason for reason in reasons if reason.verdict is not verdict])
