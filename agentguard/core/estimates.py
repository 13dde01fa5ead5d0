"""What a sample says about all: the interval of a rate, and how far two people agree; exact, without floats.

The interval is Wilson's score interval (1927) at 95 %, method 3 of Newcombe, Statistics in Medicine 17 (1998): it does
not leave 0 to 1, and says something even where nothing was wrong. The agreement is Cohen's kappa (1960).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

_Z = Decimal("1.959963984540054")
"""The 97.5 % point of the normal distribution."""

_PLACES = Decimal("0.0001")
_EXACTLY = Context(prec=40)


@dataclass(frozen=True, slots=True)
class Interval:
    """Between which shares the true one lies, in 95 of 100 samples; to hundredths of a percent."""

    low: Decimal
    high: Decimal


def wilson(found: int, of: int) -> Interval | None:
    """Return the interval of a rate of which so many were found; None of nothing."""
    if of == 0:
        return None
    context = _EXACTLY
    n, rate = Decimal(of), context.divide(Decimal(found), Decimal(of))
    square = context.multiply(_Z, _Z)
    middle = context.add(rate, context.divide(square, 2 * n))
    spread = context.add(
        context.divide(context.multiply(rate, context.subtract(Decimal(1), rate)), n),
        context.divide(square, context.multiply(4 * n, n)),
    )
    half = context.multiply(_Z, context.sqrt(spread))
    whole = context.add(Decimal(1), context.divide(square, n))
    low = Decimal(0) if found == 0 else context.divide(context.subtract(middle, half), whole)
    high = Decimal(1) if found == of else context.divide(context.add(middle, half), whole)
    return Interval(low.quantize(_PLACES), high.quantize(_PLACES))


def kappa(both: int, first: int, second: int, neither: int) -> Decimal | None:
    """Return how far two people agree beyond chance: 1 for always, 0 for as often as by chance.

    Args:
        both: Cases that both found wrong.
        first: That only the first did.
        second: That only the second did.
        neither: That none of them did.

    Returns:
        None of nothing, and where both always said one and the same, so that chance cannot be told from agreement.
    """
    of = both + first + second + neither
    if of == 0:
        return None
    agreed = Fraction(both + neither, of)
    by_chance = Fraction(
        (both + first) * (both + second) + (second + neither) * (first + neither),
        of * of,
    )
    if by_chance == 1:
        return None
    exact = (agreed - by_chance) / (1 - by_chance)
    return _EXACTLY.divide(Decimal(exact.numerator), Decimal(exact.denominator)).quantize(_PLACES)
