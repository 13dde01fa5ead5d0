"""Runs the cases of a policy's test file and says, in words, what came instead of what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from agentguard.analysis.compared import compared
from agentguard.analysis.coverage import deciding, measure
from agentguard.analysis.promises import promises
from agentguard.analysis.report import CaseReport
from agentguard.analysis.result import CaseResult
from agentguard.analysis.situation import Staging, layered
from agentguard.analysis.told import short
from agentguard.core.cases import Case, CaseFile, Expectation, Row, Situation
from agentguard.core.decide import decide
from agentguard.core.decision import Decision
from agentguard.core.digest import digest
from agentguard.core.language.suggest import did_you_mean
from agentguard.core.plan import Plan, plan_action
from agentguard.core.policy import Bundle, Place, Policy, Verdict
from agentguard.errors import UsageError

ARGUMENTS_INVALID = "arguments_invalid"
"""What `by` says where the arguments are so wrong that no rule is asked."""


def run_cases(bundle: Bundle, cases: CaseFile) -> CaseReport:
    """Run every case against the policies that the test file names, alone, as if they were enforced.

    Raises:
        UsageError: The bundle has no policy of a name under `test:`.
    """
    tested = under_test(bundle, cases)
    results = tuple(results_of(tested, cases, traced=True))
    return CaseReport(cases.file, results, measure(tested.policies, results))


def results_of(
    tested: Bundle, cases: CaseFile, plans: Mapping[str, Plan] | None = None, *, traced: bool = False
) -> Iterator[CaseResult]:
    """Yield what comes of each case, one by one, in the order of the file.

    Args:
        tested: The policies that the file names, and no others.
        cases: The test file.
        plans: The policies' plans by action, where they were made before.
        traced: Each result says how the parts of the conditions came out, which takes as long again.
    """
    plans = plans_of(tested) if plans is None else plans
    for case in cases.cases:
        for row in case.rows or (Row(Situation(), Expectation(), case.place),):
            yield _run(tested.policies, plans, cases, case, row, traced=traced)


def plans_of(tested: Bundle) -> dict[str, Plan]:
    """Return the plan of each action that policies govern."""
    return {action: plan_action(tested, action) for action in tested.actions()}


def under_test(bundle: Bundle, cases: CaseFile) -> Bundle:
    """Return the policies that a test file names, alone, as if they were enforced.

    Raises:
        UsageError: The bundle has no policy of a name under `test:`.
    """
    by_name = {policy.name: policy for policy in bundle.policies}
    unknown = [name for name in cases.policies if name not in by_name]
    if unknown or not cases.policies:
        named = unknown[0] if unknown else ""
        hint = did_you_mean(named, sorted(by_name))
        raise UsageError(f"{cases.file}: expected the name of a policy under `test`, got `{named}`{hint}")
    policies = tuple(replace(by_name[name], shadow=False) for name in sorted(set(cases.policies)))
    return Bundle(policies, digest("\n".join(policy.digest for policy in policies).encode()))


def _run(
    policies: tuple[Policy, ...], plans: Mapping[str, Plan], cases: CaseFile, case: Case, row: Row, *, traced: bool
) -> CaseResult:
    name = f"{case.name}: {_row_text(row.situation)}" if case.rows else case.name
    place = row.place if case.rows else case.place
    expected = Expectation(
        verdict=row.expectation.verdict or case.expectation.verdict,
        by=row.expectation.by if row.expectation.by is not None else case.expectation.by,
        say=row.expectation.say if row.expectation.say is not None else case.expectation.say,
    )
    plan = plans.get(case.action)
    if plan is None:
        hint = did_you_mean(case.action, sorted(plans))
        return _broken(name, case, place, [f"`do` names `{case.action}`, which the policy does not have{hint}"])
    own = frozenset({*case.situation.values, *row.situation.values})
    staging = Staging(plan, policies, layered(cases.given, case.situation, row.situation), own)
    staged = staging.stage()
    mistakes = staging.mistakes + _expectation_mistakes(expected, policies)
    if mistakes:
        return _broken(name, case, place, mistakes)
    if staged is None:
        return _refused(name, case, place, expected, staging.invalid)
    decision = decide(plan, *staged)
    verdict = _verdict_text(decision, policies)
    by = tuple(short(source, policies) for source in deciding(decision))
    failures = _failures(expected, verdict, by, decision)
    promised = promises(plan, *staged, decision)
    for promise in promised:
        if not promise.kept:
            failures.append(f"breaks the guarantee `{short(promise.id, policies)}` ({promise.text}): got {verdict}")
    parts = compared(plan, *staged) if traced else ()
    return CaseResult(name, case.action, place, verdict, by, decision.say, _told(failures), decision, promised, parts)


def _told(failures: Iterable[str]) -> tuple[str, ...]:
    """Return each on one line: what a test file quotes begins no line of its own in the log of a build."""
    return tuple(" ".join(failure.split()) for failure in failures)


def _broken(name: str, case: Case, place: Place, mistakes: Sequence[str]) -> CaseResult:
    return CaseResult(name, case.action, place, "", (), "", _told(dict.fromkeys(mistakes)), None)


def _refused(name: str, case: Case, place: Place, expected: Expectation, invalid: Sequence[str]) -> CaseResult:
    """A case whose arguments are wrong: the guard denies without asking a rule, which the case must say it expects."""
    failures = []
    if expected.verdict != "deny":
        failures.append(f"expected {expected.verdict}, but the arguments are refused: {'; '.join(invalid)}")
    elif expected.by is None or set(expected.by) != {ARGUMENTS_INVALID}:
        wrong = "; ".join(invalid)
        failures.append(f"no rule was asked: {wrong}; if that is the case's point, say `by: [{ARGUMENTS_INVALID}]`")
    return CaseResult(name, case.action, place, "deny", (ARGUMENTS_INVALID,), "", _told(failures), None)


def _expectation_mistakes(expected: Expectation, policies: tuple[Policy, ...]) -> list[str]:
    if expected.verdict is None and expected.by is None and expected.say is None:
        return ["the case expects nothing; add `expect: allow`, `expect: deny` or `expect: escalate to …`"]
    mistakes = []
    routes = {route for policy in policies for short in policy.routes for route in (short, policy.qualified(short))}
    if expected.verdict is not None and expected.verdict not in ("allow", "deny"):
        named = expected.verdict.removeprefix("escalate to ").split(" and ")
        unknown = [route for route in named if route not in routes]
        if not expected.verdict.startswith("escalate to "):
            mistakes.append(f"expected `allow`, `deny` or `escalate to …` under `expect`, got `{expected.verdict}`")
        elif unknown:
            hint = did_you_mean(unknown[0], sorted(routes))
            mistakes.append(f"there is no route called `{unknown[0]}`{hint}")
    known = {"otherwise", "on_error", ARGUMENTS_INVALID}
    for policy in policies:
        ids = [rule.id for rule in policy.rules] + [limit.id for limit in policy.limits]
        ids += [requirement.id for requirement in policy.requires] + ["otherwise", "on_error"]
        known |= {*ids, *map(policy.qualified, ids), *policy.actions}
    return mistakes + [
        f"no rule, limit or requirement is called `{name}`{did_you_mean(name, sorted(known))}"
        for name in expected.by or ()
        if name not in known
    ]


def _failures(expected: Expectation, verdict: str, by: tuple[str, ...], decision: Decision) -> list[str]:
    failures = []
    came = f"by {_listed(by)}{_why(decision)}"
    if expected.verdict is not None and not _same_verdict(expected.verdict, verdict):
        failures.append(f"expected {expected.verdict}, got {verdict} {came}")
    elif expected.by is not None and not _same_names(expected.by, by):
        failures.append(f"expected {verdict} by {_listed(expected.by)}, got it {came}")
    if expected.say is not None and expected.say != decision.say:
        failures.append(f"expected the customer to hear `{expected.say}`, but it was `{decision.say}`")
    return failures


def _same_verdict(expected: str, got: str) -> bool:
    if expected.startswith("escalate to ") and got.startswith("escalate to "):
        wanted, came = (text.removeprefix("escalate to ").split(" and ") for text in (expected, got))
        return _same_names(wanted, came)
    return expected == got


def _same_names(expected: Sequence[str], got: Sequence[str]) -> bool:
    """Return whether two lists mean the same ids; a short id stands for the full one."""
    return all(any(_same_name(name, other) for other in got) for name in expected) and all(
        any(_same_name(name, other) for name in expected) for other in got
    )


def _same_name(expected: str, got: str) -> bool:
    return expected == got or expected == got.partition("/")[2] or expected.partition("/")[2] == got


def _why(decision: Decision) -> str:
    """What could not be evaluated, since that is what surprises the writer of a case."""
    details = dict.fromkeys(reason.detail for reason in decision.reasons if reason.detail)
    return f" ({'; '.join(details)})" if details else ""


def _verdict_text(decision: Decision, policies: tuple[Policy, ...]) -> str:
    if decision.verdict is not Verdict.ESCALATE:
        return str(decision.verdict)
    return "escalate to " + " and ".join(short(asked.id, policies) for asked in decision.routes)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def _row_text(situation: Situation) -> str:
    parts = [f"{name} {value if isinstance(value, str) else '…'}" for name, value in situation.values.items()]
    parts += [f"used {name} {value}" for name, value in situation.used.items()]
    parts += [f"held {name} {value}" for name, value in situation.held.items()]
    parts += [f"without {name}" for name in situation.without] + [f"{name} failed" for name in situation.failed]
    if situation.happened is not None:
        parts.append(f"happened {', '.join(situation.happened) or 'nothing'}")
    return ", ".join([*([f"at {situation.now}"] if situation.now else []), *parts])
