"""The formulas of one expression at one request, beside what the tree walker makes of it: values, errors and all."""

import random
from collections.abc import Iterator
from decimal import Decimal

import z3

from agentguard.analysis.symbolic.inputs import Inputs, number_in, truth_in, value_in
from agentguard.analysis.symbolic.lexicon import Lexicon
from agentguard.analysis.symbolic.number import Number
from agentguard.analysis.symbolic.translation import Translation
from agentguard.analysis.symbolic.value import Amount, Code, Fields, Item, Listed, Slot
from agentguard.core.language import UNKNOWN, Date, Declared, ListOf, Record, Time, evaluate
from agentguard.core.money import EXACT, Money, UnroundedMoney
from agentguard.errors import EvaluationError
from tests.language.expressions import LIMITS, VALUES, environment, expressions, scope_with_names

KINDS = ["condition"] * 9 + ["number", "money", "duration", "time", "day"]
TYPES = {name: declared.type for name, declared in VALUES.items()} | {
    f"{word}:{qualified}": kind for qualified, kind in LIMITS.values() for word in ("used", "held")
}


def folded(seed: int, environments: int, each: int) -> Iterator[tuple[str, str | None]]:
    """Yield for each random expression and request what the walker says, and how the folded formula differs."""
    source, scope = random.Random(seed), scope_with_names()
    made = list(expressions(source, scope, KINDS, 5 * each))
    for _ in range(environments):
        values = environment(source)
        translation = fixed(values, scope)
        for expression in source.sample(made, each):
            yield _compared(expression, values, said(translation, expression))


def asked(seed: int, count: int) -> Iterator[tuple[str, str | None]]:
    """Yield the same of expressions whose formula the solver works out, with variables that have these values."""
    source, scope = random.Random(seed), scope_with_names()
    for expression in expressions(source, scope, KINDS, count):
        values = environment(source)
        if expression.type not in (Time(), Date()):  # of these a request's own values are bounded more narrowly
            yield _compared(expression, values, solved(expression, values))


def _compared(expression, values, found):
    expected = walked(expression, values)
    return expected, None if found == expected else f"{expression.source}: {found} and not {expected}, {values}"


def walked(expression, values):
    try:
        value = evaluate(expression, values)
    except EvaluationError:
        return "error"
    if isinstance(value, Money | UnroundedMoney):
        return Decimal(value.minor), value.currency
    return value


def fixed(values, scope):
    """A translation whose environment is one request's, so that every formula comes out as a constant."""
    inputs = Inputs(Lexicon(), 2)

    def slot(name):
        value = values.get(name)
        if value is None or value is UNKNOWN:
            return Slot(inputs.value(name, TYPES[name]), value is UNKNOWN, value is not UNKNOWN)
        return Slot(symbolic(translation, TYPES[name], value))

    translation = Translation(inputs, {}, slot)
    return translation


def symbolic(translation, kind, value):
    if isinstance(kind, ListOf):
        return Listed(tuple(Item(True, symbolic(translation, kind.item, item)) for item in value))
    if isinstance(kind, Record):
        return Fields(
            {
                name: Slot(symbolic(translation, declared.type, value[name]))
                if name in value
                else Slot(translation.inputs.value(name, declared.type), False)
                for name, declared in kind.fields.items()
            }
        )
    return translation.constant(value)


def said(translation, expression):
    found = translation.expression(expression)
    assert isinstance(found.error, bool), found.error
    if found.error:
        return "error"
    if isinstance(found.value, Amount):
        minor = found.value.minor
        return EXACT.scaleb(Decimal(minor.units), -minor.scale), translation.lexicon.text(found.value.currency, None)
    if isinstance(found.value, bool):
        return found.value
    return value_in(None, translation.lexicon, expression.type, found.value)


def pinned(lexicon, symbolic, kind, value):
    """What makes a variable have a value."""
    if isinstance(symbolic, Listed):
        for place, item in enumerate(symbolic.items):
            there = place < len(value)
            assert len(value) <= len(symbolic.items)
            yield item.there == there
            if there:
                yield from pinned(lexicon, item.value, kind.item, value[place])
    elif isinstance(symbolic, Fields):
        for name, slot in symbolic.slots.items():
            yield slot.present == (name in value)
            if name in value:
                yield from pinned(lexicon, slot.value, kind.fields[name].type, value[name])
    elif isinstance(symbolic, Amount):
        yield symbolic.minor.units == value.minor
        yield symbolic.currency == lexicon.code(value.currency)
    elif isinstance(symbolic, Code):
        yield symbolic.code == lexicon.code(value)
    elif isinstance(symbolic, Number):
        yield symbolic.units == Translation(Inputs(lexicon, 2), {}, None).constant(value).at(symbolic.scale)
    else:
        yield symbolic == value


def lemma(loose, model):
    """What is true of what a formula says too broadly, at the inputs that a model has."""
    inputs = [number_in(model, item) for item in loose.inputs]
    actual = loose.actual(*inputs) if loose.actual else None
    if actual is None:
        return None
    chosen = [item == value for item, value in zip(loose.inputs, inputs, strict=True)]
    return z3.Implies(z3.And(chosen), getattr(loose.variable, "units", loose.variable) == actual)


def solved(expression, values):
    """What the solver says of an expression whose variables have the values of one request."""
    inputs = Inputs(Lexicon(), 3)
    pins = []

    def slot(name):
        value = values.get(name)
        made = inputs.slot(name, Declared(TYPES[name], optional=True), may_fail=True)
        pins.extend((made.present == (name in values), made.known == (value is not UNKNOWN)))
        if name in values and value is not UNKNOWN:
            pins.extend(pinned(inputs.lexicon, made.value, TYPES[name], value))
        return made

    translation = Translation(inputs, {}, slot)
    found = translation.expression(expression)
    solver = z3.Solver()
    solver.add([fact for fact in (*pins, *inputs.lexicon.facts()) if not isinstance(fact, bool)])
    for _ in range(10):
        assert solver.check() == z3.sat
        model = solver.model()
        real = [fact for loose in translation.loose.values() if (fact := lemma(loose, model)) is not None]
        if all(truth_in(model, fact) for fact in real):
            break
        solver.add(real)
    if truth_in(model, found.error):
        return "error"
    if isinstance(found.value, Amount):
        minor = found.value.minor
        units = EXACT.scaleb(Decimal(number_in(model, minor.units)), -minor.scale)
        return units, inputs.lexicon.text(number_in(model, found.value.currency), model)
    return value_in(model, inputs.lexicon, expression.type, found.value)
