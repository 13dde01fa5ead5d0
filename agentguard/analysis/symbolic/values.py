"""What can be asked of any two values in formulas: which is greater, and one or the other."""

from __future__ import annotations

from agentguard.analysis.symbolic.logic import Truth, Whole, all_of, any_of, choose, no, same
from agentguard.analysis.symbolic.number import Number, compared
from agentguard.analysis.symbolic.value import Amount, Code, Fields, Slot, Symbolic


def compare(operator: str, left: Symbolic, right: Symbolic) -> tuple[Truth, Truth]:
    """Return the answer of a comparison, and whether it has none because the currencies differ."""
    match left, right:
        case Amount(), Amount():
            return left.minor.compared(operator, right.minor), no(_is(left.currency, right.currency))
        case Number(), Number():
            return left.compared(operator, right), False
        case Code(one), Code(other):
            equal = _is(one, other)
        case Fields(slots), Fields(others):
            equal = all_of(_same_slot(slot, others[name]) for name, slot in slots.items())
        case _:
            equal = same(left, right)
    return (equal if operator == "==" else no(equal)), False


def _is(one: Whole, other: Whole) -> Truth:
    return compared("==", one, other)


def _same_slot(slot: Slot, other: Slot) -> Truth:
    equal, _ = compare("==", slot.value, other.value)
    both = all_of((slot.present, other.present, equal))
    return any_of((both, all_of((no(slot.present), no(other.present)))))


def choose_value(condition: Truth, yes: Symbolic, other: Symbolic) -> Symbolic:
    """Return one of two values of one type."""
    match yes, other:
        case Amount(), Amount():
            scale = max(yes.minor.scale, other.minor.scale)
            minor = Number(choose(condition, yes.minor.at(scale), other.minor.at(scale)), scale)
            return Amount(minor, choose(condition, yes.currency, other.currency))
        case Number(), Number():
            scale = max(yes.scale, other.scale)
            return Number(choose(condition, yes.at(scale), other.at(scale)), scale)
        case Code(one), Code(another):
            return Code(choose(condition, one, another))
        case _:
            return choose(condition, yes, other)
