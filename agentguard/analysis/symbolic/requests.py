"""Every possible request of one action at once: what rules, limits and requirements say of it, and the verdict.

It says what `decide` says, without votes: those lift reasons and change no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import orjson
import z3

from agentguard.analysis.symbolic.inputs import Inputs, microseconds
from agentguard.analysis.symbolic.lexicon import Lexicon
from agentguard.analysis.symbolic.logic import Truth, all_of, any_of, choose, no, same
from agentguard.analysis.symbolic.number import Number
from agentguard.analysis.symbolic.translation import Translation
from agentguard.analysis.symbolic.value import Amount, Code, Result, Slot, units
from agentguard.core import money
from agentguard.core.language import Declared, Expression, types
from agentguard.core.limits import LARGEST_AMOUNT
from agentguard.core.plan import Plan, PlannedLimit, PlannedPolicy, PlannedRequirement, PlannedRule
from agentguard.core.policy import Policy, Requirement, Then, Verdict, WindowKind
from agentguard.core.request import ActorKind

_BUILT_IN: Mapping[str, Declared] = {
    "tenant": Declared(types.TEXT),
    "agent.id": Declared(types.TEXT),
    "agent.kind": Declared(types.OneOf(tuple(ActorKind))),
    "agent.version": Declared(types.TEXT, optional=True),
    "now": Declared(types.TIME),
    "asked_at": Declared(types.TIME),
}


@dataclass(frozen=True, slots=True)
class Says:
    """When a rule, a limit or a requirement speaks, and when it cannot be evaluated.

    Attributes:
        then: What it then asks for, by the file's own route.
    """

    id: str
    policy: Policy
    then: Then
    speaks: Truth
    fails: Truth


@dataclass(frozen=True, slots=True)
class Asks:
    """What asks for a verdict, and when: a rule, a limit, a requirement, or a file's `otherwise` or `on_error`.

    Attributes:
        is_fallback: For `otherwise` and `on_error`, which speak where the rules do not.
    """

    source: str
    policy: Policy
    then: Then
    when: Truth
    is_fallback: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """A limit as a formula.

    Attributes:
        applies: Whether it counts the request.
        unknown: Whether nobody knows what it counts, or on which account.
        amount, held, settled, most: In minor units, or a count.
    """

    planned: PlannedLimit
    applies: Truth
    unknown: Truth
    amount: Number
    currency: Any
    held: Any
    settled: Any
    most: Number | None


@dataclass(slots=True)
class Requests:
    """The requests of one plan.

    Attributes:
        items: How many items lists have at most; None where they are left open.
        prefix: Tells the formulas of two versions apart; what can be asked for has the same variables in both.
        apart: Whether each limit and requirement has its own past, as the evidence of one request says it of each;
            else those on one account, or for one event, share it.
        said: By qualified id, what each rule, limit and requirement says.
        counted: By qualified id, the limits.
        happened: By qualified id, whether a requirement's event is found.
        asks: Everything that asks for a verdict; the strictest comes out.
        verdicts: When each verdict comes out; exactly one does.
    """

    plan: Plan
    items: int | None
    lexicon: Lexicon
    prefix: str = ""
    apart: bool = False
    inputs: Inputs = field(init=False)
    translation: Translation = field(init=False)
    said: dict[str, Says] = field(default_factory=dict)
    counted: dict[str, Counts] = field(default_factory=dict)
    happened: dict[str, Truth] = field(default_factory=dict)
    asks: list[Asks] = field(default_factory=list)
    verdicts: dict[Verdict, Truth] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.inputs = Inputs(self.lexicon, self.items)
        self.translation = Translation(self.inputs, self._environment(), self._fact)
        for name, expression in self._computed().items():
            self._compute(name, expression)
        for file in self.plan.files:
            for limit in file.limits:
                self._count(limit)
        self._judge()

    def condition(self, expression: Expression | None) -> Truth:
        """Return whether a condition holds and can be evaluated."""
        if expression is None:
            return True
        found = self.translation.expression(expression)
        return all_of((no(found.error), found.value))

    def define(self, name: str, truth: Truth) -> Truth:
        """Return a name for a formula, so that what rests on it stays small."""
        if isinstance(truth, bool):
            return truth
        variable = z3.Bool(f"{self.prefix}{name}")
        self.inputs.always.append(same(variable, truth))
        return variable

    def _environment(self) -> dict[str, Slot]:
        plan, make = self.plan, self.inputs.slot
        found = {name: make(name, declared, may_fail=False) for name, declared in _BUILT_IN.items()}
        found["on_behalf_of"] = make("on_behalf_of", Declared(types.TEXT), may_fail=True)
        found |= {name: make(name, declared, may_fail=False) for name, declared in plan.asked.items()}
        found |= {name: make(name, declared, may_fail=False) for name, declared in plan.context.items()}
        self.inputs.always.append(units(found["asked_at"].value).units <= units(found["now"].value).units)
        return found

    def _fact(self, name: str) -> Slot:
        declared = next(file.policy.facts[name] for file in self.plan.files if name in file.policy.facts)
        return self.inputs.slot(name, declared, may_fail=True)

    def _computed(self) -> Mapping[str, Expression]:
        specs = (file.policy.actions[self.plan.action] for file in self.plan.files)
        return {name: expression for spec in specs for name, expression in spec.computed.items()}

    def _compute(self, name: str, expression: Expression) -> None:
        found, kind = self.translation.expression(expression), self.plan.arguments[name].type
        fits = no(found.error)
        if isinstance(found.value, Amount) and isinstance(kind, types.Money):
            bound = max(money.BOUNDS[code] for code in kind.currencies)
            least = -bound + 1 if kind.any_sign else 1
            minor = found.value.minor.units
            codes = [found.value.currency == self.lexicon.code(code) for code in kind.currencies]
            fits = all_of((fits, least <= minor, minor < bound, any_of(codes)))
        elif isinstance(found.value, Code) and isinstance(kind, types.OneOf):
            fits = all_of((fits, any_of([found.value.code == self.lexicon.code(value) for value in kind.values])))
        self.translation.environment[name] = Slot(found.value, True, self.define(f"{name} is computed", fits))

    def _count(self, planned: PlannedLimit) -> None:
        limit, account = planned.limit, planned.id if self.apart else _account(planned)
        amount, currency, unmeasured = self.measured(limit.measure[self.plan.action])
        unpicked = [self.translation.expression(expression).error for expression in limit.per]
        if limit.window.kind is WindowKind.CONVERSATION:
            conversation = self.translation.environment.get("context.conversation")
            unpicked.append(True if conversation is None else no(conversation.present))
        unknown = self.define(f"account of {planned.id} unknown", any_of((unmeasured, *unpicked)))
        held = self.inputs.whole(f"held on {account}", 0, LARGEST_AMOUNT)
        settled = self.inputs.whole(f"settled on {account} in {_window(planned)}", 0, LARGEST_AMOUNT)
        for name, counted in (("used", held + settled), ("held", held)):
            value = Number(counted) if currency is None else Amount(Number(counted), currency)
            self.translation.environment[f"{name}:{planned.id}"] = Slot(value, no(unknown))
        applies = True if limit.when is None else self.translation.expression(limit.when).value
        most, no_most = self.maximum(limit.max, currency)
        over = True if most is None else no(Number(held + settled).plus(amount).compared("<=", most))
        undecided = Result(False) if limit.when is None else self.translation.expression(limit.when)
        counts = all_of((no(undecided.error), applies))
        self.counted[planned.id] = Counts(planned, counts, unknown, amount, currency, held, settled, most)
        fails = any_of((undecided.error, all_of((applies, any_of((unknown, no_most))))))
        self._say(planned.id, planned.policy, limit.over, all_of((counts, no(fails), over)), fails)

    def measured(self, measure: Expression | None) -> tuple[Number, Any, Truth]:
        """Return what a request adds to a limit, in which currency, and when nobody knows."""
        if measure is None:
            return Number(1), None, False
        found = self.translation.expression(measure)
        amount = units(found.value)
        outside = any_of((amount.compared("<", Number(0)), amount.compared(">", Number(LARGEST_AMOUNT))))
        currency = found.value.currency if isinstance(found.value, Amount) else None
        return amount, currency, any_of((found.error, outside, no(amount.is_whole())))

    def maximum(self, by_currency: Mapping[str, Expression], currency: Any) -> tuple[Number | None, Truth]:
        """Return the most that may be counted in a currency, and when nobody knows."""
        most: Number | None = None
        missing: Truth = True
        for code, expression in by_currency.items():
            found = self.translation.expression(expression)
            number = units(found.value)
            here = True if code == "" or currency is None else currency == self.lexicon.code(code)
            other = isinstance(found.value, Amount) and currency is not None
            wrong = no(found.value.currency == currency) if isinstance(found.value, Amount) and other else False
            failed = any_of((found.error, wrong, no(number.is_whole())))
            scale = number.scale if most is None else max(number.scale, most.scale)
            most = number if most is None else Number(choose(here, number.at(scale), most.at(scale)), scale)
            missing = any_of((all_of((here, failed)), all_of((no(here), missing))))
        return most, missing

    def _judge(self) -> None:
        for file in self.plan.enforced:
            self._judge_file(file)
        deny, escalate, allow = (
            self.define(f"some {verdict}", any_of(asks.when for asks in self.asks if asks.then.verdict is verdict))
            for verdict in (Verdict.DENY, Verdict.ESCALATE, Verdict.ALLOW)
        )
        slots = [self.translation.environment[name] for name in self._computed()]
        deny = any_of((deny, *(no(slot.known) for slot in slots)))
        self.verdicts = {
            Verdict.DENY: self.define("verdict deny", any_of((deny, no(any_of((escalate, allow)))))),
            Verdict.ESCALATE: self.define("verdict escalate", all_of((no(deny), escalate))),
            Verdict.ALLOW: self.define("verdict allow", all_of((no(deny), no(escalate), allow))),
        }

    def _judge_file(self, file: PlannedPolicy) -> None:
        policy = file.policy
        for rule in file.rules:
            self._judge_rule(rule, policy)
        for requirement in file.requires:
            self._judge_requirement(requirement)
        rules = [self.said[rule.id] for rule in file.rules]
        others = [self.said[name] for name in (*(one.id for one in file.limits), *(one.id for one in file.requires))]
        spoken: list[Truth] = []
        for says in rules:
            allows = says.then.verdict is Verdict.ALLOW  # then it is silent where it cannot be evaluated
            spoken.append(says.speaks if allows else any_of((says.speaks, says.fails)))
            self.asks.append(Asks(says.id, policy, says.then, spoken[-1]))
        self._fall_back("otherwise", policy, policy.otherwise, no(any_of(spoken)))
        self.asks += [Asks(says.id, policy, says.then, any_of((says.speaks, says.fails))) for says in others]
        self._fall_back("on_error", policy, policy.on_error, any_of(says.fails for says in (*rules, *others)))

    def _fall_back(self, name: str, policy: Policy, then: Then, when: Truth) -> None:
        self.asks.append(Asks(policy.qualified(name), policy, then, when, is_fallback=True))

    def _judge_rule(self, planned: PlannedRule, policy: Policy) -> None:
        rule = planned.rule
        found = Result(True) if rule.when is None else self.translation.expression(rule.when)
        heard: Truth = True
        if rule.then.verdict is Verdict.ALLOW:
            days = [day for day in (rule.expires, policy.expires) if day is not None]
            heard = no(any_of(self._is_from(day, policy) for day in days))
        self._say(
            planned.id, policy, rule.then, all_of((heard, no(found.error), found.value)), all_of((heard, found.error))
        )

    def _is_from(self, day: date, policy: Policy) -> Truth:
        return units(self.translation.environment["now"].value).units >= microseconds(
            datetime.combine(day, time(), policy.zone)
        )

    def _judge_requirement(self, planned: PlannedRequirement) -> None:
        requirement = planned.requirement
        when = Result(True) if requirement.when is None else self.translation.expression(requirement.when)
        slots = [self.translation.slot(name) for name in requirement.same]
        unread = any_of(any_of((no(slot.present), no(slot.known))) for slot in slots)
        if requirement.action is None:
            unread = no(self.translation.environment["on_behalf_of"].known)
        event = planned.id if self.apart else _event(requirement)
        happened = self.happened[planned.id] = z3.Bool(f"{event} happened")
        fails = any_of((when.error, all_of((when.value, unread))))
        missing = all_of((no(fails), when.value, no(happened)))
        self._say(planned.id, planned.policy, requirement.otherwise, missing, fails)

    def _say(self, name: str, policy: Policy, then: Then, speaks: Truth, fails: Truth) -> None:
        self.said[name] = Says(
            name, policy, then, self.define(f"{name} speaks", speaks), self.define(f"{name} fails", fails)
        )

    def kind(self, name: str) -> types.Type | None:
        """Return the type of something that can be asked or known."""
        plan = self.plan
        facts = (file.policy.facts.get(name) for file in plan.files)
        found = plan.arguments.get(name) or plan.context.get(name) or next(filter(None, facts), None)
        return None if found is None else found.type

    def facts(self) -> list[Truth]:
        """Return everything that is true of all requests."""
        return [*self.inputs.always, *self.lexicon.facts()]


def _account(planned: PlannedLimit) -> str:
    """Return what limits share that read the same postings, over whatever time."""
    return orjson.dumps(planned.identity, option=orjson.OPT_SORT_KEYS).decode()


def _window(planned: PlannedLimit) -> str:
    """Return what limits share that read the same time."""
    window = planned.limit.window
    return f"{window} of {planned.policy.zone_name}" if window.kind is WindowKind.CALENDAR else str(window)


def _event(requirement: Requirement) -> str:
    """Return what requirements share that look for the same."""
    return f"{requirement.action} same {sorted(requirement.same)} within {requirement.within}"
