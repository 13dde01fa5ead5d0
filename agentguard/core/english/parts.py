"""The parts of a policy file as sentences: verdicts, limits, what has to happen first, routes, promises."""

from __future__ import annotations

from agentguard.core.english.names import read_noun
from agentguard.core.english.speaker import condition_words, noun_words
from agentguard.core.english.values import list_words, within_words
from agentguard.core.language import Expression, YesNo
from agentguard.core.language.types import TEXT
from agentguard.core.policy import (
    Contest,
    Guarantee,
    Limit,
    Requirement,
    Route,
    Then,
    Total,
    Verdict,
    Window,
    WindowKind,
)
from agentguard.core.prose import action_words
from agentguard.core.values import counted, duration_words

_NEVER = {
    frozenset({Verdict.ALLOW}): "the agent never does it alone",
    frozenset({Verdict.ESCALATE}): "people are never asked",
    frozenset({Verdict.DENY}): "it is never refused",
    frozenset(
        {Verdict.ALLOW, Verdict.ESCALATE}
    ): "it is never done, neither by the agent alone nor with people's approval,",
}
_POSSIBLE = {
    Verdict.ALLOW: "the agent can do it alone",
    Verdict.ESCALATE: "people can be asked",
    Verdict.DENY: "it can be refused",
}


def then_words(then: Then) -> str:
    """Return what a rule does when it speaks."""
    return f"escalate to {then.route}" if then.route else str(then.verdict)


def expression_words(expression: Expression | None) -> str:
    """Return any expression: what a value is called, or what a condition asks for; `always` for none."""
    if expression is None:
        return "always"
    return condition_words(expression) if isinstance(expression.type, YesNo) else noun_words(expression)


def limit_words(limit: Limit) -> str:
    """Return a whole limit."""
    when = f", when {expression_words(limit.when)}" if limit.when else ""
    what = f"at most {most_words(limit)} of {measure_words(limit)}"
    return f"{what} {per_words(limit)}, {window_words(limit.window)}{when}; else {then_words(limit.over)}"


def most_words(limit: Limit | Total) -> str:
    """Return how much a limit lets through: `300.00 USD`, by currency where it says so."""
    by_currency = ((code, expression_words(item)) for code, item in limit.max.items())
    return list_words(text if text.endswith(code) else f"{code} {text}" for code, text in by_currency)


def measure_words(limit: Limit | Total) -> str:
    """Return what a limit counts."""
    said = {name: "actions" if item is None else expression_words(item) for name, item in limit.measure.items()}
    if len(set(said.values())) == 1:
        return next(iter(said.values()))
    return list_words(f"{text} of {name}" for name, text in sorted(said.items()))


def per_words(limit: Limit | Total) -> str:
    """Return whose a limit's account is."""
    shared = [_each(expression_words(item)) for item in limit.per]
    return f"for each {list_words(shared)}" if shared else "for everybody"


def _each(noun: str) -> str:
    return "customer" if noun == "the customer of this request" else noun.removeprefix("the ").removesuffix("'s id")


def window_words(window: Window) -> str:
    """Return over which time a limit counts."""
    match window.kind:
        case WindowKind.SLIDING if window.size is not None:
            return f"in {duration_words(window.size)}"
        case WindowKind.CALENDAR:
            return f"in a calendar {window.unit}"
        case WindowKind.CONVERSATION:
            return "in a conversation"
        case _:
            return "for ever"


def requirement_words(item: Requirement) -> str:
    """Return everything about what has to happen first."""
    when = f", when {expression_words(item.when)}" if item.when else ""
    return f"{required_words(item)} {ago_words(item)}{when}; else {then_words(item.otherwise)}"


def required_words(item: Requirement) -> str:
    """Return what has to happen first."""
    if item.action is None:
        return "the customer's yes to exactly this request"
    same = list_words(_each(read_noun(name, TEXT).text) for name in item.same)
    return f"{action_words(item.action)} (`{item.action}`) with the same {same}"


def ago_words(item: Requirement) -> str:
    """Return how long ago it may have happened."""
    return "ever before" if item.within is None else f"at most {duration_words(item.within)} before"


def route_words(route: Route) -> str:
    """Return who decides, in what time, and what becomes of it else."""
    people = counted(route.people, "person") if route.people == 1 else f"{route.people} people"
    return f"{people} of {list_words(route.who, 'or')} within {within_words(route.within)}, then {late_words(route)}"


def late_words(route: Route) -> str:
    """Return what becomes of an escalation that nobody decides in time."""
    return route.if_late or "deny"


def contest_words(contest: Contest | None) -> str:
    """Return how a denial can be contested."""
    if contest is None:
        return "a denial cannot be contested"
    within = f" within {within_words(contest.within)}" if contest.within else ""
    return f"a denial can be contested for {duration_words(contest.open_for)}, and {contest.to} decides{within}"


def guarantee_words(guarantee: Guarantee) -> str:
    """Return what a guarantee promises."""
    total = guarantee.total
    if total is not None:
        when = f", when {expression_words(guarantee.when)}" if guarantee.when else ""
        most, measure = most_words(total), measure_words(total)
        what = f"never more than {most} {'' if measure == 'actions' else 'of '}{measure} {per_words(total)}"
        return f"{what}, {window_words(total.window)}, without a person, in however many requests{when}"
    what = f"possible {guarantee.possible}"
    if guarantee.possible is None:
        what = f"never {list_words(map(str, sorted(guarantee.never)), 'or')}"
    return f"{what} when {expression_words(guarantee.when)}"


def promise_words(guarantee: Guarantee) -> str:
    """Return what a guarantee promises as a sentence for people who never saw a policy file."""
    if guarantee.total is not None:
        return guarantee_words(guarantee)
    when = f" when {expression_words(guarantee.when)}" if guarantee.when else ""
    if guarantee.possible is not None:
        return f"there are requests with which {_POSSIBLE[guarantee.possible]}{when}"
    default = f"it never comes out as {list_words(map(str, sorted(guarantee.never)), 'or')}"
    return f"{_NEVER.get(guarantee.never, default)}{when}"
