"""Looking for a request: the solver's answer, made concrete and decided for real before anybody sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import z3

from agentguard.analysis.symbolic.inputs import EPOCH, microseconds, number_in, truth_in, value_in
from agentguard.analysis.symbolic.lexicon import Lexicon
from agentguard.analysis.symbolic.logic import Truth
from agentguard.analysis.symbolic.pasts import one_past
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.translation import Loose
from agentguard.analysis.symbolic.value import code, units
from agentguard.core.decide import decide
from agentguard.core.decision import Decision
from agentguard.core.language import Declared, conform, types
from agentguard.core.needs import needs
from agentguard.core.plan import Plan
from agentguard.core.request import Actor, ActorKind, Evidence, Fact, FactStatus, Request, Usage
from agentguard.errors import ConformError

ITEMS = 2
"""How many items lists have in a request that is looked for."""

MORE_ITEMS = 8
"""How many they may have where a shorter list would not do."""

MOST_REFINEMENTS = 20
MOST_MILLISECONDS = 20_000
SOURCE = "example"
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
FORTNIGHT = 14 * 48
YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Example:
    """A request that was found, with everything that its decision rests on, as `decide` decided it."""

    request: Request
    evidence: Evidence
    decision: Decision


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Attributes:
        examples: The request that was found, as each of the plans decides it; empty if there is none to show.
        proved: True if no request at all is like that.
        loose: What was said too broadly, in the policy's words, where that matters.
    """

    examples: tuple[Example, ...]
    proved: bool
    loose: tuple[str, ...] = ()

    @property
    def example(self) -> Example | None:
        """The request as the first plan decides it."""
        return self.examples[0] if self.examples else None


Wanted = Callable[..., Truth]
"""From the requests of each plan to what must hold of them."""

Confirm = Callable[..., bool]
"""From the request as each plan decided it to whether it is really like that."""


class Search:
    """Searches among the requests of one action under one plan or several: built once and asked many times."""

    def __init__(self, *plans: Plan) -> None:
        self.plans = plans
        self._lexicon = Lexicon()
        self._near = self._asked(ITEMS)
        self._wide: _Asked | None = None
        self._long: _Asked | None = None

    @property
    def plan(self) -> Plan:
        """The first plan."""
        return self.plans[0]

    @property
    def requests(self) -> Requests:
        """The requests of the first plan, whose lists have few items."""
        return self._near.requests[0]

    def find(self, wanted: Wanted, confirm: Confirm) -> Found:
        """Look for a request.

        Args:
            wanted: What must hold of it.
            confirm: Whether a request that was found and decided is really like that.
        """
        near = self._near
        found = self._search(near, wanted(*near.requests), confirm)
        if found.examples or not near.has_lists or not found.proved:
            return found
        wide = self._wide_asked()
        if wide.check([wanted(*wide.requests)]) == z3.unsat:
            return Found((), True)
        if self._long is None:
            self._long = self._asked(MORE_ITEMS)
        found = self._search(self._long, wanted(*self._long.requests), confirm)
        return found if found.examples else Found((), False, wide.loose)

    def never(self, wanted: Wanted) -> bool:
        """Return whether no request at all is like that; False as well where that is not known."""
        if self._near.check([wanted(*self._near.requests)]) != z3.unsat:
            return False
        if not self._near.has_lists:
            return True
        wide = self._wide_asked()
        return bool(wide.check([wanted(*wide.requests)]) == z3.unsat)

    def _asked(self, items: int | None) -> _Asked:
        numbered = enumerate(self.plans)
        return _Asked([Requests(plan, items, self._lexicon, f"{number}:") for number, plan in numbered], self._lexicon)

    def _wide_asked(self) -> _Asked:
        if self._wide is None:
            self._wide = self._asked(None)
        return self._wide

    def _search(self, asked: _Asked, wanted: Truth, confirm: Confirm) -> Found:
        lemmas: list[Truth] = []
        for turn in range(MOST_REFINEMENTS):
            answer = asked.check([wanted, *lemmas])
            if answer == z3.unsat:
                return Found((), True)
            if answer != z3.sat:
                return Found((), False, ("it takes the solver too long",))
            for usual in asked.usual() if turn == 0 else ():
                if asked.check([wanted, *usual]) == z3.sat:
                    break
            examples = asked.examples()
            if examples and confirm(*examples):
                return Found(examples, False)
            learned = asked.lemmas()
            if not learned:
                break
            lemmas += learned
            if turn == 0 and (examples := self._at_some_hour(asked, wanted)) and confirm(*examples):
                return Found(examples, False)
        return Found((), False, asked.loose)

    def _at_some_hour(self, asked: _Asked, wanted: Truth) -> tuple[Example, ...]:
        """Look among a fortnight's half hours, at which every calendar says what it really says."""
        pinned = list(_hours(asked.requests))
        if not pinned or asked.check([wanted, *pinned]) != z3.sat:
            return ()
        return asked.examples()


class _Asked:
    """Requests with a solver beside them."""

    def __init__(self, requests: Sequence[Requests], lexicon: Lexicon) -> None:
        self.requests = requests
        self._lexicon = lexicon
        self._solver = z3.SolverFor("QF_UFLIA" if lexicon.has_functions else "QF_LIA")
        self._solver.set("timeout", MOST_MILLISECONDS)
        self._solver.add([item for item in one_past(requests) if item is not True])
        self._told = [0] * len(requests)
        self._extent = (0, 0, False)

    @property
    def has_lists(self) -> bool:
        """Whether something is asked about lists."""
        return any(requests.inputs.lists for requests in self.requests)

    @property
    def loose(self) -> tuple[str, ...]:
        """What was said too broadly."""
        return tuple(sorted({name for requests in self.requests for name in requests.translation.loose}))

    def check(self, wanted: Sequence[Truth]) -> Any:
        """Return whether something like this can be."""
        if any(item is False for item in wanted):
            return z3.unsat
        for place, requests in enumerate(self.requests):
            always = requests.inputs.always
            self._solver.add([item for item in always[self._told[place] :] if item is not True])
            self._told[place] = len(always)
        if self._extent != self._lexicon.extent:
            self._extent = self._lexicon.extent
            self._solver.add([item for item in self._lexicon.facts() if not isinstance(item, bool)])
        named = [self._named(item) for item in wanted if item is not True]
        return self._solver.check(*named)

    def usual(self) -> Iterator[list[Truth]]:
        """Yield what makes a request look usual, the most usual first: an agent's of these days, and in the end any."""
        first, last = microseconds(MONDAY), microseconds(MONDAY + YEAR)
        times = (
            getattr(slot.value, "units", None)
            for name, slot in self.requests[0].translation.environment.items()
            if name in ("now", "asked_at") or isinstance(self.requests[0].kind(name), types.Time)
        )
        now = [z3.And(time >= first, time <= last) for time in times if time is not None]
        environment = self.requests[0].translation.environment
        agent = code(environment["agent.kind"].value).code == self._lexicon.code(ActorKind.AGENT)
        yield [*now, agent, units(environment["now"].value).units == units(environment["asked_at"].value).units]
        yield [*now, agent]
        yield now
        yield []

    def examples(self) -> tuple[Example, ...]:
        """Return the solver's example as each plan decides it; empty where it cannot be a request."""
        model = self._solver.model()
        found = [shown(requests, model) for requests in self.requests]
        return tuple(example for example in found if example is not None) if None not in found else ()

    def lemmas(self) -> list[Truth]:
        """Return what the solver's example shows to be said too broadly."""
        model = self._solver.model()
        return [lemma for requests in self.requests for lemma in _lemmas(requests, model)]

    def _named(self, truth: Truth) -> Any:
        """Return a name for a formula: the solver assumes names, and forgets them after the question."""
        if z3.is_const(truth):
            return truth
        name = z3.FreshBool("asked")
        self._solver.add(z3.Implies(name, truth))
        return name


def shown(requests: Requests, model: Any) -> Example | None:
    """Return the request of a model, decided for real; None where it cannot be one."""
    try:
        request = _request(requests, model)
        facts = _facts(requests, model, request.asked_at)
    except (ConformError, OverflowError, ValueError):
        return None
    now = _moment(requests, model, "now")
    wanted = needs(requests.plan, request, facts, now)
    usage = {
        name: Usage(number_in(model, requests.counted[name].held), number_in(model, requests.counted[name].settled))
        for name in wanted.accounts
    }
    history = {name: 1 if truth_in(model, requests.happened.get(name, False)) else None for name in wanted.requirements}
    evidence = Evidence(facts, usage, history, now)
    return Example(request, evidence, decide(requests.plan, request, evidence))


def _request(requests: Requests, model: Any) -> Request:
    plan, environment = requests.plan, requests.translation.environment

    def value(name: str, declared: Declared) -> Any:
        """Return a value, in the normal form of its type."""
        return conform(declared.type, value_in(model, requests.lexicon, declared.type, environment[name].value))

    def there(name: str) -> bool:
        """Return whether a value is there."""
        return truth_in(model, environment[name].present)

    text = Declared(types.TEXT)
    version = str(value("agent.version", text)) if there("agent.version") else None
    kind = ActorKind(str(value("agent.kind", text)))
    known = truth_in(model, environment["on_behalf_of"].known)
    return Request(
        tenant=str(value("tenant", text)),
        actor=Actor(str(value("agent.id", text)), version, kind=kind),
        on_behalf_of=str(value("on_behalf_of", text)) if known else "",
        action=plan.action,
        arguments={name: value(name, declared) for name, declared in plan.asked.items() if there(name)},
        context={name: value(name, declared) for name, declared in plan.context.items() if there(name)},
        key=SOURCE,
        asked_at=_moment(requests, model, "asked_at"),
    )


def _facts(requests: Requests, model: Any, read_at: datetime) -> dict[str, Fact]:
    found: dict[str, Fact] = {}
    for name, declared in requests.plan.facts.items():
        slot = requests.translation.environment.get(name)
        if slot is None:  # nothing asks for it here
            found[name] = Fact(FactStatus.ABSENT, source=SOURCE, read_at=read_at)
        elif not truth_in(model, slot.known):
            found[name] = Fact(FactStatus.FAILED, source=SOURCE, read_at=read_at)
        elif not truth_in(model, slot.present):
            found[name] = Fact(FactStatus.ABSENT, source=SOURCE, read_at=read_at)
        else:
            value = conform(declared.type, value_in(model, requests.lexicon, declared.type, slot.value))
            found[name] = Fact(FactStatus.VALUE, value, SOURCE, read_at)
    return found


def _moment(requests: Requests, model: Any, name: str) -> datetime:
    units = getattr(requests.translation.environment[name].value, "units", 0)
    return EPOCH + timedelta(microseconds=number_in(model, units))


def _hours(asked: Sequence[Requests]) -> Iterator[Truth]:
    """Yield, for each instant that calendars are asked about, that it is one of few, one for each thing they say."""
    about: dict[str, list[Loose]] = {}
    for loose in (loose for requests in asked for loose in requests.translation.loose.values()):
        if loose.kind in ("calendar", "day") and loose.actual is not None:
            about.setdefault(str(loose.inputs[0]), []).append(loose)
    for together in about.values():
        if all(loose.kind == "day" for loose in together):
            continue
        patterns: dict[tuple[Any, ...], int] = {}
        for step in range(FORTNIGHT):
            instant = microseconds(MONDAY + step * HALF_HOUR)
            said = tuple(loose.actual(instant) for loose in together if loose.kind == "calendar" and loose.actual)
            patterns.setdefault(said, instant)
        yield z3.Or([z3.And(list(_at(together, instant))) for instant in patterns.values()])


def _at(together: Sequence[Loose], instant: int) -> Iterator[Truth]:
    """Yield what holds at one instant."""
    yield together[0].inputs[0] == instant
    for loose in together:
        if loose.actual is not None:
            yield getattr(loose.variable, "units", loose.variable) == loose.actual(instant)


def _lemmas(requests: Requests, model: Any) -> Iterator[Truth]:
    """Yield what is true of what was said too broadly, for the values that the solver chose."""
    for loose in requests.translation.loose.values():
        if loose.actual is None:
            continue
        inputs = [number_in(model, item) for item in loose.inputs]
        chosen = [item == value for item, value in zip(loose.inputs, inputs, strict=True) if not isinstance(item, int)]
        if loose.kind == "product":
            yield z3.Implies(loose.inputs[0] == inputs[0], loose.variable == inputs[0] * loose.inputs[1])
            continue
        actual = loose.actual(*inputs)
        variable = getattr(loose.variable, "units", loose.variable)
        said: Any = number_in(model, variable) if type(actual) is int else truth_in(model, variable)
        if actual is not None and said != actual and chosen:
            yield z3.Implies(z3.And(chosen), variable == actual)
