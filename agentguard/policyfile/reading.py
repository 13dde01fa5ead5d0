"""What a checked policy reads where: every expression of a file with what it is part of, for lint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentguard.core.language import Expression, Term
from agentguard.core.language.inside import terms_in
from agentguard.core.language.terms import Compare, Constant, During, Lookup, Part
from agentguard.core.policy import Limit, Policy, Requirement, Rule, Template, Words

Said = Rule | Limit | Requirement


def everything_said(policy: Policy) -> tuple[Said, ...]:
    """Return the rules, limits and requirements of a file."""
    return (*policy.rules, *policy.limits, *policy.requires)


def terms_of(expression: Expression) -> Iterator[Term]:
    """Yield every term of an expression, those of its named parts too."""
    return terms_in(expression.tree)


def comparisons_of(expression: Expression) -> Iterator[Compare]:
    """Yield every comparison of an expression."""
    return (term for term in terms_of(expression) if isinstance(term, Compare))


def templates_of(words: Words) -> list[Template]:
    """Return every text that a rule, limit or requirement may say."""
    return [*words.say.values(), *([words.because] if words.because is not None else [])]


def expressions_of(policy: Policy) -> Iterator[Expression]:
    """Yield every expression that something in a file evaluates; a name that nothing uses is not among them."""
    found: list[Expression | None] = []
    templates = [*policy.say_otherwise.values(), *policy.say_on_error.values()]
    for said in everything_said(policy):
        found.append(said.when)
        templates += templates_of(said.words)
    for limit in policy.limits:
        found += [*limit.measure.values(), *limit.per, *limit.max.values(), *limit.freed_by.values()]
    for guarantee in policy.guarantees:
        found.append(guarantee.when)
        if guarantee.total is not None:
            found += [*guarantee.total.measure.values(), *guarantee.total.per, *guarantee.total.max.values()]
    found += [policy.witness.when] if policy.witness is not None else []
    found += [item for spec in policy.actions.values() for item in spec.computed.values()]
    found += [part for template in templates for part in template.parts if not isinstance(part, str)]
    yield from (expression for expression in found if expression is not None)


def used_names(expressions: Sequence[Expression]) -> tuple[set[str | None], set[str], set[str]]:
    """Return the names, tables and calendars that expressions use.

    A calendar whose name comes from a value may be any of them; then `*` is among the calendars.
    """
    names: set[str | None] = set()
    tables: set[str] = set()
    calendars: set[str] = set()
    for expression in expressions:
        for term in terms_of(expression):
            if isinstance(term, Part):
                names.add(term.name)
            elif isinstance(term, Lookup):
                tables.add(term.table.name)
            elif isinstance(term, During):
                calendars.add(str(term.calendar.value) if isinstance(term.calendar, Constant) else "*")
    return names, tables, calendars
