"""What an application registers: tools that act, and lookups of facts; frozen when the guard starts."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter

from agentguard.engine.effect import Effect, Idempotent, Queryable, Read, Retry
from agentguard.errors import ConfigurationError, UsageError

Registering = TypeVar("Registering", bound=Callable[..., Any])

INJECTED = frozenset({"key", "deadline", "intent", "on_behalf_of", "tenant"})
"""Parameters that a tool may have beside the action's arguments; the guard fills them in."""


_YIELDS = (inspect.isgeneratorfunction, inspect.isasyncgenfunction)


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a registered callable, as the guard calls it: by name.

    Attributes:
        required: Names without a default; `defaults` has the others.
        hints: Annotations that could be resolved, `return` too.
        takes_any: It has `**parameters`.
        problem: Why it cannot be called, by name and to its end, or empty.
    """

    parameters: Mapping[str, inspect.Parameter]
    required: frozenset[str]
    defaults: Mapping[str, Any]
    hints: Mapping[str, Any]
    takes_any: bool
    is_async: bool
    problem: str

    def by_name(self, values: Sequence[Any], more: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a call gave by position and by name, all of it by name.

        Raises:
            UsageError: More values than parameters, or a parameter given twice.
        """
        names = [name for name, item in self.parameters.items() if item.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
        if len(values) > len(names):
            raise UsageError(f"expected at most {len(names)} values by position, got {len(values)}; give them by name")
        given = dict(zip(names, values, strict=False))
        twice = ", ".join(f"`{name}`" for name in given if name in more)
        if twice:
            raise UsageError(
                f"expected each parameter once, got {twice} by position and by name; leave one of them out"
            )
        return {**given, **more}

    def accepts(self, name: str) -> bool:
        """Return whether a keyword of this name can be passed."""
        return self.takes_any or name in self.parameters


def signature_of(function: Callable[..., Any]) -> Signature:
    """Return the signature of a function, a bound method or an object with `__call__`."""
    declared = inspect.signature(function)
    try:
        hints = get_type_hints(function if inspect.isroutine(function) else type(function).__call__)
    except (NameError, TypeError, AttributeError):
        hints = {}  # annotations that name what only a type checker sees; they are not checked then
    kinds = inspect.Parameter
    by_name = {
        name: item
        for name, item in declared.parameters.items()
        if item.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    }
    positional = [name for name, item in declared.parameters.items() if item.kind is kinds.POSITIONAL_ONLY]
    absent = kinds.empty
    return Signature(
        parameters=by_name,
        required=frozenset(name for name, item in by_name.items() if item.default is absent),
        defaults={name: item.default for name, item in by_name.items() if item.default is not absent},
        hints=hints,
        takes_any=any(item.kind is kinds.VAR_KEYWORD for item in declared.parameters.values()),
        is_async=inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__),
        problem=_problem(function, positional),
    )


def _problem(function: Callable[..., Any], positional: Sequence[str]) -> str:
    called = function if inspect.isroutine(function) else type(function).__call__
    if any(is_one(each) for is_one in _YIELDS for each in (function, called)):
        return "yields, so that a call runs nothing of it; return a value instead"
    return f"takes `{positional[0]}` by position only; the guard calls by name" if positional else ""


def named(name: object, register: Registering, example: str) -> Registering:
    """Return what registers a function under a name.

    Raises:
        UsageError: The name is none, as when a decorator is written without its brackets.
    """
    if not isinstance(name, str):
        raise UsageError(f"expected a name, like `{example}`, got {type(name).__name__}; write the name in brackets")
    return register


@dataclass(frozen=True)
class Tool:
    """A callable that acts, and what the guard must know of it.

    Attributes:
        timeout: How long it may take; after it the outcome is unknown. None: in the caller's thread, without a bound.
        settles: From what it returned to the real amounts, by argument name.
        reference: From what it returned to the other system's own name for the deed (a refund's id).
        retry: Only for tools that may be sent again.
    """

    action: str
    function: Callable[..., Any]
    signature: Signature
    effect: Effect
    timeout: timedelta | None
    settles: Callable[[Any], Mapping[str, Any]] | None = None
    reference: Callable[[Any], str] | None = None
    retry: Retry | None = None

    @property
    def description(self) -> str:
        """The first paragraph of the function's docstring: what a model is told the tool does."""
        return (inspect.getdoc(self.function) or "").split("\n\n")[0].replace("\n", " ")

    @functools.cached_property
    def results(self) -> TypeAdapter[Any]:
        """How its results become JSON and back: by its return annotation, or as plain JSON without one.

        Raises:
            PydanticSchemaGenerationError, PydanticUserError: The annotation is of a type that JSON cannot say.
        """
        return TypeAdapter(self.signature.hints.get("return", Any))

    @property
    def may_repeat(self) -> bool:
        """True if calling it again with the same key does nothing new."""
        return isinstance(self.effect, Read | Idempotent)


@dataclass(frozen=True, slots=True)
class Lookup:
    """A callable that reads facts: everything under one first name, `order` for `order.total` and `order.refunded`."""

    root: str
    function: Callable[..., Any]
    signature: Signature
    source: str


@dataclass(slots=True)
class Registry:
    """The tools and lookups of one guard; frozen when the guard starts."""

    tools: dict[str, Tool] = field(default_factory=dict)
    lookups: dict[str, Lookup] = field(default_factory=dict)
    frozen: bool = False

    def add_tool(self, tool: Tool) -> None:
        """Register a tool.

        Raises:
            UsageError: The guard has started, or the action has a tool already.
            ConfigurationError: The tool's own settings contradict each other.
        """
        self._still_open(tool.action)
        if tool.action in self.tools:
            raise UsageError(f"action `{tool.action}` has a tool already; register each action once")
        problems = [*([tool.signature.problem] if tool.signature.problem else []), *_misfits(tool)]
        if tool.retry is not None and not tool.may_repeat:
            problems.append(
                "has `retry` but its effect is neither `Read` nor `Idempotent`; a repeated call could act twice"
            )
        if isinstance(tool.effect, Idempotent) and not tool.signature.accepts("key"):
            problems.append("is `Idempotent` but takes no `key`; add the parameter `key: str` and send it along")
        if problems:
            raise ConfigurationError([f"tool of `{tool.action}` {problem}" for problem in problems])
        self.tools[tool.action] = tool

    def add_lookup(self, lookup: Lookup) -> None:
        """Register a lookup.

        Raises:
            UsageError: The guard has started, or the name has a lookup already, or is not a fact's first name.
        """
        self._still_open(lookup.root)
        if lookup.root in self.lookups:
            raise UsageError(f"fact `{lookup.root}` has a lookup already; register each one once")
        if "." in lookup.root or not lookup.root.isidentifier():
            first = lookup.root.partition(".")[0]
            raise UsageError(f"expected the first name of facts, like `{first}`, got `{lookup.root}`")
        if lookup.signature.problem:
            raise ConfigurationError([f"lookup of `{lookup.root}` {lookup.signature.problem}"])
        self.lookups[lookup.root] = lookup

    def _still_open(self, name: str) -> None:
        if self.frozen:
            raise UsageError(f"`{name}` comes after the guard has started; register everything before the first action")


def _misfits(tool: Tool) -> Iterator[str]:
    """Yield which settings are not of their kind; a host that checks no types would learn it amid a deed."""
    effect: object = tool.effect
    if not isinstance(effect, Effect):
        shown = effect.__name__ if isinstance(effect, type) else type(effect).__name__
        yield f"has no effect: expected one like `Read()` or `Idempotent(ttl=timedelta(hours=24))`, got `{shown}`"
    lengths: dict[str, object] = {"timeout": timedelta() if tool.timeout is None else tool.timeout}
    given = {"settles": tool.settles, "reference": tool.reference}
    functions: dict[str, object] = {name: function for name, function in given.items() if function is not None}
    match effect:
        case Idempotent(ttl=ttl):
            lengths["ttl"] = ttl
        case Queryable(lookup=lookup, settle_lag=lag):
            lengths["settle_lag"] = lag
            functions["lookup"] = lookup
    for name, length in lengths.items():
        if not isinstance(length, timedelta):
            yield f"has a `{name}` that is no length of time: expected a `timedelta`, got {type(length).__name__}"
    for name, function in functions.items():
        if not callable(function):
            yield f"has a `{name}` that cannot be called: expected a function, got {type(function).__name__}"
