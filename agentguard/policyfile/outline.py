"""What a file declares, as its conditions see it: scopes for any set of its actions, with names checked in each.

A rule may read only what each of its actions has; a name is checked where it is used, and told about where it stands
only if no action can use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo

from agentguard.core.calendar import Calendar
from agentguard.core.language import Declared, Expression, Record, Scope, Table, Type, check
from agentguard.core.language import tree as syntax
from agentguard.core.language.parse import children
from agentguard.core.language.types import INTEGER, TEXT, TIME, Money, OneOf
from agentguard.core.policy import Route
from agentguard.core.request import ActorKind
from agentguard.errors import LanguageError
from agentguard.policyfile.condition import Text
from agentguard.policyfile.node import shortened
from agentguard.policyfile.problems import Problems

BUILT_IN: Mapping[str, Declared] = {
    "agent.id": Declared(TEXT),
    "agent.kind": Declared(OneOf(tuple(kind.value for kind in ActorKind))),
    "agent.version": Declared(TEXT, optional=True),
    "on_behalf_of": Declared(TEXT),
    "tenant": Declared(TEXT),
    "now": Declared(TIME),
    "asked_at": Declared(TIME),
}


@dataclass(frozen=True, slots=True)
class Countable:
    """A limit as `used` and `held` see it; `type` is None if the limit itself is wrong."""

    on: frozenset[str]
    type: Type | None


@dataclass(slots=True)
class Outline:
    """The declarations of one file while it is built; scopes are made from what is there when they are asked for."""

    problems: Problems
    policy: str = ""
    zone: tzinfo = UTC
    currencies: tuple[str, ...] = ()
    records: dict[str, Record] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)
    arguments: dict[str, dict[str, Declared]] = field(default_factory=dict)
    facts: dict[str, Declared] = field(default_factory=dict)
    context: dict[str, Declared] = field(default_factory=dict)
    segments: tuple[str, ...] = ()
    limits: dict[str, Countable] = field(default_factory=dict)
    names: dict[str, Text] = field(default_factory=dict)
    _checked: dict[str, tuple[Expression, dict[str, Declared]]] = field(default_factory=dict)
    _scopes: dict[tuple[frozenset[str], str], Scope] = field(default_factory=dict)

    @property
    def actions(self) -> frozenset[str]:
        """Every action of the file."""
        return frozenset(self.arguments)

    def scope(self, on: frozenset[str], purpose: str = "") -> Scope:
        """Return what can be read where all of these actions may come.

        Args:
            on: The actions.
            purpose: Empty for rules; `counting` where no limit can be read; `computing` where computed arguments
                cannot either; `bounding` where arguments of the agent cannot be read.
        """
        known = (on, purpose)
        if known not in self._scopes:
            self._scopes[known] = self._made(on, purpose)
        return self._scopes[known]

    def _made(self, on: frozenset[str], purpose: str) -> Scope:
        values = dict(BUILT_IN)
        values |= self.context
        values |= {name: declared for name, declared in self.facts.items() if name not in self.segments}
        refused = dict.fromkeys(self.segments, "it is a segment, recorded for reports and not for rules")
        for name in sorted({name for arguments in self.arguments.values() for name in arguments}):
            declared, reason = self._argument(name, on, purpose)
            if declared is not None:
                values[name] = declared
            else:
                refused[name] = reason
        limits: dict[str, tuple[str, Type]] = {}
        if not purpose:
            for name, limit in self.limits.items():
                if limit.type is not None and on <= limit.on:
                    limits[name] = (f"{self.policy}/{name}", limit.type)
        scope = Scope(values, {}, self.tables, self.calendars, limits, self.zone, self.currencies, refused)
        return self._with_names(scope)

    def _argument(self, name: str, on: frozenset[str], purpose: str) -> tuple[Declared | None, str]:
        """Return an argument if all the actions have it alike, or why it cannot be read."""
        found = {action: self.arguments[action].get(name) for action in sorted(on)}
        lacking = next((action for action, declared in found.items() if declared is None), None)
        if lacking is not None:
            return None, f"the action `{lacking}` does not have it; say with `on:` which actions this is for"
        kinds = [declared for declared in found.values() if declared is not None]
        if any((kind.type, kind.optional) != (kinds[0].type, kinds[0].optional) for kind in kinds):
            return None, "the actions have it with different types; say with `on:` which actions this is for"
        if purpose == "computing" and any(kind.computed for kind in kinds):
            return None, "it is computed itself"
        if purpose == "bounding" and not all(kind.computed for kind in kinds):
            return None, "it is an argument, and the agent could raise its own limit; use a fact"
        return kinds[0], ""

    def _with_names(self, scope: Scope) -> Scope:
        """Return the scope with the names that can be made in it; the others are refused with their first problem."""
        names: dict[str, Expression] = {}
        refused = dict(scope.refused)
        for name, text in self.names.items():
            if (known := self._known(name, scope)) is not None:
                names[name] = known
                continue
            inner = replace(scope, names=names, refused=refused)
            try:
                names[name] = check(text.tree, inner, text.scalar.text)
                self._remember(name, names[name], scope)
            except LanguageError as error:
                refused[name] = (
                    f"it is `{shortened(text.scalar.text, 40)}`, and there {shortened(error.problems[0][2], 200)}"
                )
        return replace(scope, names=names, refused=refused)

    def _remember(self, name: str, expression: Expression, scope: Scope) -> None:
        """Keep a name's expression with the types it was checked with."""
        read = {value: scope.values[value] for value in expression.reads if value in scope.values}
        self._checked[name] = expression, read

    def _known(self, name: str, scope: Scope) -> Expression | None:
        """Return a name as it was checked before, if this scope has all that it reads, of the same types."""
        if name not in self._checked:
            return None
        expression, read = self._checked[name]
        limits = {qualified for qualified, _ in scope.limits.values()} if expression.limits else frozenset()
        alike = all(scope.values.get(value) == declared for value, declared in read.items())
        return expression if alike and expression.limits <= limits else None


def written_names(node: syntax.Node) -> set[str]:
    """Return every word at the start of a dotted name in a written condition."""
    found: set[str] = set()
    waiting: list[syntax.Node] = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, syntax.Name):
            found.add(current.name)
        waiting.extend(children(current))
    return found


def counted_type(measured: Type | None, currencies: tuple[str, ...]) -> Type:
    """Return the type of `used` and `held` for what a limit measures."""
    if isinstance(measured, Money):
        return Money(measured.currencies or currencies, any_sign=True)
    return INTEGER
