"""Formulas as the solver's library makes them, without its Python front, which looks at the kind of every operand anew.

A policy of many rules is mostly `and`, `or`, `not` and comparisons, and building them takes longer than proving.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import z3
from z3 import z3core

_CONTEXT = z3.main_ctx()
_INSIDE = _CONTEXT.ref()
_WHOLE = z3.IntSort()
_MOST_NUMERALS = 4096


def conjunction(items: Sequence[Any]) -> Any:
    """Return that all formulas hold."""
    return z3.BoolRef(z3core.Z3_mk_and(_INSIDE, len(items), _array(items)), _CONTEXT)


def disjunction(items: Sequence[Any]) -> Any:
    """Return that some formula holds."""
    return z3.BoolRef(z3core.Z3_mk_or(_INSIDE, len(items), _array(items)), _CONTEXT)


def negation(item: Any) -> Any:
    """Return that a formula does not hold."""
    return z3.BoolRef(z3core.Z3_mk_not(_INSIDE, item.ast), _CONTEXT)


def equality(one: Any, other: Any) -> Any:
    """Return that two formulas, or two whole-number terms, come to the same."""
    return z3.BoolRef(z3core.Z3_mk_eq(_INSIDE, one.ast, other.ast), _CONTEXT)


def comparison(operator: str, one: Any, other: Any) -> Any:
    """Return a comparison of two whole numbers, at least one of which is a term."""
    left, right = (numeral(item) if isinstance(item, int) else item for item in (one, other))
    if operator == "!=":
        return negation(equality(left, right))
    return z3.BoolRef(_COMPARISONS[operator](_INSIDE, left.ast, right.ast), _CONTEXT)


@lru_cache(_MOST_NUMERALS)
def numeral(value: int) -> Any:
    """Return a whole number as a term."""
    return z3.IntNumRef(z3core.Z3_mk_numeral(_INSIDE, str(value), _WHOLE.ast), _CONTEXT)


def _array(items: Sequence[Any]) -> Any:
    return (z3.Ast * len(items))(*[item.ast for item in items])


_COMPARISONS: Mapping[str, Callable[..., Any]] = {
    "==": z3core.Z3_mk_eq,
    "<": z3core.Z3_mk_lt,
    "<=": z3core.Z3_mk_le,
    ">": z3core.Z3_mk_gt,
    ">=": z3core.Z3_mk_ge,
}
