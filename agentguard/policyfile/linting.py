"""Warnings about policies that load: what is probably not meant, what is forgotten, what an agent could get around."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from agentguard.core.people import People
from agentguard.core.policy import Bundle, Limit, Place, Policy, Verdict
from agentguard.errors import Problem
from agentguard.policyfile.belonging import check_belonging
from agentguard.policyfile.deadlines import check_deadlines
from agentguard.policyfile.personal import check_personal
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.read import read
from agentguard.policyfile.reading import everything_said, expressions_of, used_names
from agentguard.policyfile.retention import check_retention
from agentguard.policyfile.reviews import check_review
from agentguard.policyfile.staffing import check_routes
from agentguard.policyfile.trust import check_trust

Found = Iterator[tuple[Place, str, str]]


def lint(bundle: Bundle, people: People | None = None, today: date | None = None) -> tuple[Problem, ...]:
    """Return the warnings about a bundle, in the order of their places.

    Args:
        bundle: The policies as they are in force together.
        people: Who may decide; routes are checked against them where they are given.
        today: The civil day on which dates are looked at; not looked at without it.
    """
    found: list[tuple[Place, str, str]] = []
    for policy in bundle.policies:
        found += check_trust(policy)
        found += check_belonging(policy, bundle)
        found += check_deadlines(policy, bundle)
        found += _words(policy)
        found += _unused(policy)
        found += _freeing(policy)
        found += _contest(policy)
        found += check_review(policy)
        found += check_retention(policy)
        found += check_personal(policy)
        found += check_routes(policy, people, today) if people is not None else ()
        found += _dates(policy, today) if today is not None else ()
    found += _actions(bundle)
    problems = [Problem(place.file, place.line, place.column, code, message) for place, code, message in found]
    return tuple(sorted(set(problems)))


def _top(policy: Policy) -> Place:
    return Place(policy.file, 1, 1)


def _words(policy: Policy) -> Found:
    if not policy.owner:
        yield _top(policy), "no_owner", f"policy `{policy.name}` has no `owner`: say who answers for it"
    if policy.otherwise.verdict is Verdict.ALLOW:
        yield (
            _top(policy),
            "otherwise_allows",
            "`otherwise: allow` lets through what nobody thought of: use rules",
        )
    for rule in policy.rules:
        if rule.then.verdict is Verdict.DENY and not rule.words.say:
            message = f"rule `{rule.id}` denies without words for the customer: add `say`"
            yield rule.place, "deny_without_say", message


def _unused(policy: Policy) -> Found:
    names, tables, calendars = used_names(list(expressions_of(policy)))
    calendars |= {route.within.calendar for route in policy.routes.values() if route.within.calendar}
    calendars |= {policy.contest.within.calendar or ""} if policy.contest and policy.contest.within else set()
    names |= {declared.computed for spec in policy.actions.values() for declared in spec.arguments.values()}
    unused = [("name", "names", name) for name in policy.names if name not in names]
    unused += [("table", "tables", name) for name in policy.tables if name not in tables]
    if "*" not in calendars:
        unused += [("calendar", "calendars", name) for name in policy.calendars if name not in calendars]
    root = read(policy.text, Problems(policy.file)) if unused else None
    for kind, section, name in unused:
        key = root.section(section).keys.get(name) if root is not None else None
        yield key.place if key else _top(policy), "unused", f"{kind} `{name}` is never used: remove it"
    asked = {policy.otherwise.route, policy.on_error.route}
    asked |= {rule.then.route for rule in policy.rules} | {limit.over.route for limit in policy.limits}
    asked |= {item.otherwise.route for item in policy.requires} | {route.if_late for route in policy.routes.values()}
    asked |= {policy.contest.to} if policy.contest is not None else set()
    for name, route in policy.routes.items():
        if name not in asked:
            yield route.place, "unused", f"route `{name}` is never asked for: remove it"


def _freeing(policy: Policy) -> Found:
    """A limit that is not `per` anything has one account: what counts on it and gives back comes to nothing."""
    for limit in policy.limits:
        both = sorted(limit.on & limit.freed_by.keys())
        if both and not limit.per:
            message = f"limit `{limit.id}`: `{both[0]}` counts and gives back on one account: say `on`, or add `per`"
            yield limit.place, "frees_itself", message


def _contest(policy: Policy) -> Found:
    """An upheld contest is an action by a person: where nothing reads who acts, it meets what the agent met."""
    if policy.contest is not None and not any(
        expression is not None and "agent.kind" in expression.reads
        for said in everything_said(policy)
        for expression in (said.when, *(said.max.values() if isinstance(said, Limit) else ()))
    ):
        message = (
            "`contest`: no rule reads `agent.kind`, so what people uphold meets the same refusal: let a rule read it"
        )
        yield policy.contest.place, "contest_in_vain", message


def _dates(policy: Policy, today: date) -> Found:
    dated: Sequence[tuple[str, Place, date | None, date | None]] = [
        (f"policy `{policy.name}`", _top(policy), policy.expires, policy.review_by),
        *((f"rule `{rule.id}`", rule.place, rule.expires, rule.review_by) for rule in policy.rules),
    ]
    for what, place, expires, review_by in dated:
        if review_by is not None and review_by <= today:
            yield place, "review_due", f"{what} was to be reviewed by {review_by}: review it and set another day"
        if expires is not None and expires <= today:
            yield (
                place,
                "expired",
                f"{what} has expired on {expires}: its allow is silent",
            )


def _actions(bundle: Bundle) -> Iterable[tuple[Place, str, str]]:
    """Actions that nothing can allow, and required actions that no file declares."""
    for action in bundle.actions():
        files = bundle.governing(action)
        allowing = [file for file in files if _may_allow(file, action)]
        place = files[0].actions[action].place
        if not allowing:
            yield place, "nothing_allows", f"nothing can allow `{action}`: write an allow rule, or remove the action"
    for policy in bundle.policies:
        for requirement in policy.requires:
            if requirement.action is None:
                continue
            if len(bundle.policies) > 1 and not bundle.governing(requirement.action):
                message = (
                    f"requirement `{requirement.id}`: no file declares `{requirement.action}`, so it may never happen"
                )
                yield requirement.place, "action_undeclared", message


def _may_allow(policy: Policy, action: str) -> bool:
    verdicts = {rule.then.verdict for rule in policy.rules if action in rule.on}
    verdicts.add(policy.otherwise.verdict)
    return bool(verdicts & {Verdict.ALLOW, Verdict.ESCALATE})
