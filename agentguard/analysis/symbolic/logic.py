"""Yes and no in formulas: connectives that know the constants, so that formulas stay small."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import z3

from agentguard.analysis.symbolic.formula import conjunction, disjunction, equality, negation

Truth: TypeAlias = Any
"""A Python `bool`, or a formula of the solver."""

Whole: TypeAlias = Any
"""A Python `int`, or a whole-number term of the solver."""


def all_of(items: Iterable[Truth]) -> Truth:
    """Return that all of these hold."""
    left: list[Truth] = []
    for item in items:
        if item is False:
            return False
        if item is not True:
            left.append(item)
    if not left:
        return True
    return left[0] if len(left) == 1 else conjunction(left)


def any_of(items: Iterable[Truth]) -> Truth:
    """Return that at least one of these holds."""
    left: list[Truth] = []
    for item in items:
        if item is True:
            return True
        if item is not False:
            left.append(item)
    if not left:
        return False
    return left[0] if len(left) == 1 else disjunction(left)


def no(item: Truth) -> Truth:
    """Return that this does not hold."""
    return (not item) if isinstance(item, bool) else negation(item)


def follows(cause: Truth, effect: Truth) -> Truth:
    """Return that the second holds wherever the first does."""
    return any_of((no(cause), effect))


def same(left: Truth, right: Truth) -> Truth:
    """Return that both hold or neither."""
    if isinstance(left, bool):
        return right if left else no(right)
    if isinstance(right, bool):
        return left if right else no(left)
    return equality(left, right)


def choose(condition: Truth, yes: Any, other: Any) -> Any:
    """Return one of two terms of the same kind."""
    if condition is True:
        return yes
    if condition is False:
        return other
    if isinstance(yes, bool) or isinstance(other, bool) or z3.is_bool(yes) or z3.is_bool(other):
        return all_of((follows(condition, yes), follows(no(condition), other)))
    return z3.If(condition, yes, other)


def total(items: Iterable[Whole]) -> Whole:
    """Return the sum of some whole numbers."""
    known, open_ = 0, []
    for item in items:
        if isinstance(item, int):
            known += item
        else:
            open_.append(item)
    if not open_:
        return known
    return z3.Sum([*open_, known] if known else open_)
