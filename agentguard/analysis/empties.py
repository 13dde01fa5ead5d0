"""What is allowed because `all` holds for a list without items; needs the extra `prove` (SPEC P20.18)."""

from __future__ import annotations

from collections.abc import Iterator

from agentguard.analysis.finding import Finding
from agentguard.analysis.symbolic.lists import size
from agentguard.analysis.symbolic.logic import Truth, all_of, no, same
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.search import Search
from agentguard.analysis.symbolic.translation import Translation
from agentguard.analysis.symbolic.value import Result
from agentguard.core.language import Expression, Term, unparse
from agentguard.core.language.inside import terms_in
from agentguard.core.language.terms import Local, Macro
from agentguard.core.policy import Rule, Verdict

CODE = "all_of_maybe_empty"


def empty_lists(search: Search) -> Iterator[Finding]:
    """Yield the lists of an action that may be empty where that is why something is allowed, each once in a file."""
    for file in search.plan.enforced:
        told: set[str] = set()
        for planned in file.rules:
            for macro in _all_in(planned.rule):
                name = unparse(macro.over)
                if name not in told and _lets_through(search, planned.rule, macro):
                    told.add(name)
                    message = (
                        f"rule `{planned.rule.id}` lets requests through where `{name}` is empty, as `all` then holds: "
                        f"add `size({name}) > 0`, or write `not {name}.exists(…)` if an empty list is fine"
                    )
                    yield Finding(planned.rule.place, CODE, message)


def _all_in(rule: Rule) -> Iterator[Macro]:
    """Yield each `all` of a rule that is not about what is inside another list."""
    for term in terms_in(rule.when.tree) if rule.when is not None else ():
        if isinstance(term, Macro) and term.kind == "all" and not any(map(_is_local, terms_in(term.over))):
            yield term


def _is_local(term: Term) -> bool:
    return isinstance(term, Local)


def _lets_through(search: Search, rule: Rule, macro: Macro) -> bool:
    """Return whether some request is allowed with an empty list and would not be if this `all` did not hold for it."""

    def wanted(among: Requests) -> Truth:
        """Return that the list is empty, the verdict is allow, and the rule says otherwise without the `all`."""
        over = among.translation.value(macro.over)
        with_it = among.condition(rule.when)
        without = _Without(among, macro).condition(rule.when)
        empty = all_of((no(over.error), size(over.value) == 0))
        return all_of((empty, among.verdicts[Verdict.ALLOW], no(same(with_it, without))))

    return search.find(wanted, lambda example: example.decision.verdict is Verdict.ALLOW).example is not None


class _Without(Translation):
    """The formulas of a rule as if one `all` in it did not hold."""

    def __init__(self, among: Requests, macro: Macro) -> None:
        super().__init__(among.inputs, among.translation.environment, among.translation.slot)
        self._macro = macro

    def value(self, term: Term) -> Result:
        """Return what a term comes to."""
        return Result(False) if term is self._macro else super().value(term)

    def condition(self, expression: Expression | None) -> Truth:
        """Return whether a condition holds and can be evaluated."""
        if expression is None:
            return True
        found = self.expression(expression)
        return all_of((no(found.error), found.value))
