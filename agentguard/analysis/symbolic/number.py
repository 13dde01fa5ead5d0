"""Exact numbers in formulas: whole units and a power of ten, so that everything stays linear over the integers."""

from __future__ import annotations

import operator as operators
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agentguard.analysis.symbolic.formula import comparison
from agentguard.analysis.symbolic.logic import Truth, Whole, all_of, any_of, choose
from agentguard.core.money import EXACT


@dataclass(frozen=True, slots=True)
class Number:
    """`units / 10**scale`; of an amount the value is in minor units."""

    units: Whole
    scale: int = 0

    @classmethod
    def of(cls, value: int | Decimal) -> Number:
        """Return a written number."""
        if isinstance(value, int):
            return cls(value)
        exponent = value.as_tuple().exponent
        scale = max(0, -exponent) if isinstance(exponent, int) else 0
        return cls(int(EXACT.scaleb(value, scale)), scale)

    @property
    def is_known(self) -> bool:
        """Whether it is one number whatever the request is."""
        return isinstance(self.units, int)

    def at(self, scale: int) -> Whole:
        """Return its units at a scale that is not smaller than its own."""
        factor = 10 ** (scale - self.scale)
        return self.units if factor == 1 else self.units * factor

    def plus(self, other: Number) -> Number:
        """Return the sum."""
        scale = max(self.scale, other.scale)
        return Number(self.at(scale) + other.at(scale), scale)

    def minus(self, other: Number) -> Number:
        """Return the difference."""
        scale = max(self.scale, other.scale)
        return Number(self.at(scale) - other.at(scale), scale)

    def times(self, other: Number) -> Number | None:
        """Return the product; None where neither is known, which is not linear."""
        if not self.is_known and not other.is_known:
            return None
        return Number(self.units * other.units, self.scale + other.scale)

    def negated(self) -> Number:
        """Return it with the other sign."""
        return Number(-self.units, self.scale)

    def compared(self, operator: str, other: Number) -> Truth:
        """Return the answer of a comparison."""
        scale = max(self.scale, other.scale)
        return compared(operator, self.at(scale), other.at(scale))

    def is_whole(self) -> Truth:
        """Return whether it has no fraction."""
        return True if self.scale == 0 else self.units % 10**self.scale == 0

    def rounded(self, mode: str) -> Number:
        """Return the whole number that a way of rounding gives."""
        if self.scale == 0:
            return self
        unit = 10**self.scale
        floor, rest = _floor(self.units, unit), self.units % unit
        return Number(choose(_ROUNDS_UP[mode](self.units, floor, rest, unit), floor + 1, floor))


def compared(operator: str, left: Any, right: Any) -> Truth:
    """Return the answer of a comparison of two whole numbers."""
    if isinstance(left, int) and isinstance(right, int):
        return _COMPARISONS[operator](left, right)
    return comparison(operator, left, right)


def _floor(units: Whole, unit: int) -> Whole:
    return units // unit if isinstance(units, int) else units / unit  # the solver's `/` of integers rounds down


_ROUNDS_UP: dict[str, Callable[[Whole, Whole, Whole, int], Truth]] = {
    "down": lambda units, _, rest, __: all_of((units < 0, rest != 0)),
    "up": lambda units, _, rest, __: all_of((units > 0, rest != 0)),
    "half_up": lambda units, _, rest, unit: any_of((2 * rest > unit, all_of((2 * rest == unit, units > 0)))),
    "half_even": lambda _, floor, rest, unit: any_of((2 * rest > unit, all_of((2 * rest == unit, floor % 2 == 1)))),
}
"""By the language's names: whether rounding goes to the next whole number above; `down` and `up` mean towards and away
from zero."""

_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    "==": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}
