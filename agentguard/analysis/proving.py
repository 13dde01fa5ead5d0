"""Whether a policy keeps what it promises, for every request that there can be; needs the extra `prove`.

A promise is broken by one request, which is shown as `decide` decided it. What the proof had to leave open (calendars,
the items of lists, products of two values) is said with every answer that rests on it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from collections.abc import Sequence as Several
from dataclasses import dataclass
from typing import Any

from agentguard.analysis.climbing import climb
from agentguard.analysis.sequences import Sequence
from agentguard.analysis.splitting import split
from agentguard.analysis.symbolic.logic import all_of, any_of
from agentguard.analysis.symbolic.number import Number
from agentguard.analysis.symbolic.requests import Requests
from agentguard.analysis.symbolic.search import Example, Found, Search
from agentguard.analysis.symbolic.value import Amount
from agentguard.core.english.parts import guarantee_words
from agentguard.core.language import Value
from agentguard.core.money import Money
from agentguard.core.plan import Plan, plan_action
from agentguard.core.policy import Bundle, Guarantee, Policy, Verdict
from agentguard.errors import UsageError


class Outcome(enum.StrEnum):
    """What became of a promise."""

    HOLDS = "holds"
    BROKEN = "broken"
    SHOWN = "shown"
    IMPOSSIBLE = "impossible"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Proof:
    """One promise about one action, and what became of it.

    Attributes:
        id: Qualified id of the guarantee.
        text: What it promises, in the file's words.
        example: Of a broken promise the request that breaks it, of a possible verdict one that gets it.
        open: What the proof left open, in the policy's words.
        sequence: Of a broken promise about many requests, these requests.
        because: Of a kept one, what keeps it.
    """

    id: str
    action: str
    text: str
    outcome: Outcome
    example: Example | None = None
    open: tuple[str, ...] = ()
    sequence: Sequence | None = None
    because: str = ""

    @property
    def kept(self) -> bool:
        """Whether the promise is kept, for sure."""
        return self.outcome in (Outcome.HOLDS, Outcome.SHOWN)


def prove(bundle: Bundle, actions: Several[str] = ()) -> Iterator[Proof]:
    """Yield what becomes of every guarantee of some files, of all actions unless some are named.

    A promise is about all the files that govern an action together, as they decide together.
    """
    split_already: list[Guarantee] = []
    for action in actions or bundle.actions():
        promised = list(_promised(bundle, action))
        if promised:
            prover = Prover(plan_action(bundle, action))
            for policy, guarantee in promised:
                if guarantee.total is None:
                    yield prover.proof(policy, guarantee)
                elif guarantee not in split_already:
                    split_already.append(guarantee)
                    yield _split(bundle, policy, guarantee)


def _promised(bundle: Bundle, action: str) -> Iterator[tuple[Policy, Guarantee]]:
    for policy in bundle.governing(action):
        if not policy.shadow:
            yield from ((policy, guarantee) for guarantee in policy.guarantees if action in guarantee.on)


class Prover:
    """Proves promises about one action: its formulas are built once."""

    def __init__(self, plan: Plan) -> None:
        self.search = Search(plan)

    def proof(self, policy: Policy, guarantee: Guarantee) -> Proof:
        """Return what becomes of a promise of one of the files."""
        verdicts = guarantee.never if guarantee.possible is None else frozenset({guarantee.possible})

        def wanted(requests: Requests) -> Any:
            """Return that the promise speaks of a request and one of the verdicts comes out."""
            spoken = requests.condition(guarantee.when)
            return all_of((spoken, any_of(requests.verdicts[verdict] for verdict in verdicts)))

        found = self.search.find(wanted, lambda example: example.decision.verdict in verdicts)
        outcome = _outcome(found, never=guarantee.possible is None)
        name, action = policy.qualified(guarantee.id), self.search.plan.action
        return Proof(name, action, promise_text(guarantee), outcome, found.example, found.loose)


def _split(bundle: Bundle, policy: Policy, guarantee: Guarantee) -> Proof:
    """Return what becomes of a promise about many requests, of all its actions together."""
    found = split(bundle, policy, guarantee)
    outcome = Outcome.BROKEN if found.sequence is not None else Outcome.HOLDS if found.because else Outcome.UNDECIDED
    about = policy.qualified(guarantee.id), ", ".join(sorted(guarantee.on)), promise_text(guarantee), outcome
    return Proof(*about, open=found.open, sequence=found.sequence, because=found.because)


def _outcome(found: Found, *, never: bool) -> Outcome:
    if found.example is not None:
        return Outcome.BROKEN if never else Outcome.SHOWN
    if found.proved:
        return Outcome.HOLDS if never else Outcome.IMPOSSIBLE
    return Outcome.UNDECIDED


def promise_text(guarantee: Guarantee) -> str:
    """Return a promise as its file says it."""
    if guarantee.total is not None:
        return guarantee_words(guarantee)
    what = f"possible: {guarantee.possible}"
    if guarantee.possible is None:
        what = f"never: {', '.join(str(verdict) for verdict in sorted(guarantee.never))}"
    return what if guarantee.when is None else f"{what} when {guarantee.when.source}"


@dataclass(frozen=True, slots=True)
class Largest:
    """The largest value of an argument or a fact with which a verdict can come out.

    Attributes:
        value: None if it never comes out.
        example: A request with this value.
        exact: False if something was left open, so that a larger one could not be ruled out.
    """

    name: str
    verdict: Verdict
    value: Value | None
    example: Example | None
    exact: bool


def largest(bundle: Bundle, action: str, name: str, verdict: Verdict) -> Largest:
    """Return the largest value of an argument or a fact with which a verdict can come out.

    Raises:
        UsageError: The action has nothing of this name, or it is no number and no amount.
    """
    return largest_of(plan_action(bundle, action), name, verdict)


def largest_of(plan: Plan, name: str, verdict: Verdict) -> Largest:
    """Return the same for a plan that is already there."""
    declared = {**plan.arguments, **plan.facts}.get(name)
    if declared is None:
        known = ", ".join(sorted({**plan.arguments, **plan.facts}))
        raise UsageError(f"expected an argument or a fact of `{plan.action}` ({known}), got `{name}`")
    search = Search(plan)
    slot = search.requests.translation.slot(name)
    if not isinstance(slot.value, Number | Amount):
        raise UsageError(f"expected a number or an amount to be the largest, got `{name}`, which is {declared.type}")
    top = climb(
        search,
        lambda requests: _units(requests, name),
        lambda example: _units_of(example, name, search),
        lambda requests: requests.verdicts[verdict],
        lambda example: example.decision.verdict is verdict,
    )
    value = None if top.example is None else _value(top.example, name)
    return Largest(name, verdict, value, top.example, top.exact)


def _units(requests: Requests, name: str) -> Any:
    value = requests.translation.slot(name).value
    return value.minor.units if isinstance(value, Amount) else getattr(value, "units", 0)


def _units_of(example: Example, name: str, search: Search) -> int:
    value = _value(example, name)
    if isinstance(value, Money):
        return value.minor
    symbolic = search.requests.translation.slot(name).value
    assert isinstance(symbolic, Number)  # noqa: S101 - whoever asks for the largest saw to it
    constant = search.requests.translation.constant(value if value is not None else 0)
    return int(constant.at(symbolic.scale)) if isinstance(constant, Number) else 0


def _value(example: Example, name: str) -> Value | None:
    if name in example.request.arguments:
        return example.request.arguments[name]
    fact = example.evidence.facts.get(name)
    return None if fact is None else fact.value
