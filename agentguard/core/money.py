"""Money as an integer of minor units with an ISO 4217 currency, and the exact arithmetic it needs.

Nothing here rounds unless a mode is named, and nothing here accepts a float. Exchange rates are deliberately absent:
two currencies never compare or add (law 11).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import (
    ROUND_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
    Underflow,
)

from agentguard.errors import MoneyError

MAX_INTEGER_DIGITS = 18
MAX_FRACTION_DIGITS = 9

EXACT = Context(
    prec=1_000,
    Emin=-10_000,
    Emax=10_000,
    traps=[Inexact, Overflow, Underflow, InvalidOperation, DivisionByZero, FloatOperation],
)
"""Every decimal operation of the language runs in this context: a digit that would be lost is an error instead."""

ROUNDING = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "up": ROUND_UP, "down": ROUND_DOWN}
"""Rounding modes by name; `half_up` and `up` go away from zero, `down` goes towards it."""

_TWO_DIGITS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
    "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR "
    "ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV "
    "MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD "
    "SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG"
)
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"

EXPONENTS: dict[str, int] = {
    code: digits
    for digits, codes in ((2, _TWO_DIGITS), (0, _NO_DIGITS), (3, _THREE_DIGITS), (4, _FOUR_DIGITS))
    for code in codes.split()
}
"""Digits of the minor unit of every current ISO 4217 currency."""

BOUNDS: dict[str, int] = {code: 10 ** (MAX_INTEGER_DIGITS + digits) for code, digits in EXPONENTS.items()}
"""Minor units that no amount of a currency reaches."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,9})?")


def minor_units(amount: str | int | Decimal, currency: str) -> int:
    """Return an amount of major units as a whole number of minor units.

    Raises:
        MoneyError: The currency is unknown, or the amount is not an exact number of its minor units.
    """
    digits = EXPONENTS.get(currency)
    if digits is None:
        raise MoneyError(f"`{currency}` is not a current ISO 4217 currency; write a code like `USD`")
    if isinstance(amount, str):
        if not _NUMBER.fullmatch(amount):
            raise MoneyError(f"an amount must be digits like `40.00`, got `{amount[:40]}`")
        whole, _, part = amount.partition(".")
        if len(part) > digits:
            raise MoneyError(f"{currency} has {digits} decimals, got `{amount}`")
        return int(whole + part.ljust(digits, "0"))
    if type(amount) is not int and not isinstance(amount, Decimal):
        raise MoneyError(f"an amount must be text, an integer or a Decimal, got {type(amount).__name__}")
    number = Decimal(amount)
    if not number.is_finite() or number.copy_abs() >= 10**MAX_INTEGER_DIGITS:
        raise MoneyError(f"an amount must be finite with at most {MAX_INTEGER_DIGITS} digits before the point")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > digits:
        raise MoneyError(f"{currency} has {digits} decimals, got `{number}`")
    return int(EXACT.scaleb(number, digits))


def canonical_number(number: Decimal) -> Decimal:
    """Return the one form of a number: no zeros behind it, no exponent, no sign of zero; `1.50` is `1.5`."""
    short = EXACT.plus(EXACT.normalize(number))
    exponent = short.as_tuple().exponent
    return EXACT.quantize(short, Decimal(1)) if isinstance(exponent, int) and exponent > 0 else short


def round_number(number: int | Decimal, mode: str) -> int:
    """Return the whole number that the mode gives; a number that is whole already stays as it is."""
    if mode not in ROUNDING:
        raise MoneyError(f"a rounding mode must be one of {', '.join(ROUNDING)}, got `{mode}`")
    if isinstance(number, int):
        return number
    return int(number.to_integral_value(rounding=ROUNDING[mode], context=EXACT))


def format_minor(minor: int | Decimal, currency: str) -> str:
    """Return minor units as people write the amount, `40.00 USD`; parts of a minor unit are shown as they are."""
    digits = EXPONENTS[currency]
    if isinstance(minor, int):
        sign, units = ("-", -minor) if minor < 0 else ("", minor)
        if digits == 0:
            return f"{sign}{units} {currency}"
        whole, part = divmod(units, 10**digits)
        return f"{sign}{whole}.{part:0{digits}d} {currency}"
    major = EXACT.scaleb(minor, -digits)
    shown = (
        EXACT.quantize(major, Decimal(1).scaleb(-digits))
        if minor == minor.to_integral_value()
        else major.normalize(EXACT)
    )
    return f"{shown:f} {currency}"


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: `minor` units of a `currency`; `Money.of("40.00", "USD")` is `Money(4000, "USD")`."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise MoneyError(f"minor units must be an integer, got {type(self.minor).__name__}")
        if self.currency not in EXPONENTS:
            raise MoneyError(f"`{self.currency}` is not a current ISO 4217 currency; write a code like `USD`")

    @classmethod
    def of(cls, amount: str | int | Decimal, currency: str) -> Money:
        """Return money from an amount of major units and a currency."""
        return cls(minor_units(amount, currency), currency)

    @classmethod
    def parse(cls, text: str) -> Money:
        """Return money from text like `40.00 USD`."""
        amount, _, currency = text.partition(" ")
        if not currency:
            raise MoneyError(f"money must be an amount and a currency like `40.00 USD`, got `{text[:40]}`")
        return cls(minor_units(amount, currency), currency)

    @property
    def amount(self) -> Decimal:
        """The amount in major units."""
        return EXACT.scaleb(Decimal(self.minor), -EXPONENTS[self.currency])

    def __str__(self) -> str:
        return format_minor(self.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __add__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        same_currency(self, other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        same_currency(self, other)
        return Money(self.minor - other.minor, self.currency)

    def __mul__(self, factor: int) -> Money:
        if type(factor) is not int:
            return NotImplemented
        return Money(self.minor * factor, self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: Money) -> bool:
        same_currency(self, other)
        return self.minor < other.minor

    def __le__(self, other: Money) -> bool:
        same_currency(self, other)
        return self.minor <= other.minor

    def __gt__(self, other: Money) -> bool:
        same_currency(self, other)
        return self.minor > other.minor

    def __ge__(self, other: Money) -> bool:
        same_currency(self, other)
        return self.minor >= other.minor


@dataclass(frozen=True, slots=True)
class UnroundedMoney:
    """An exact amount that may hold parts of a minor unit: to compare and add, never to pay or store."""

    minor: Decimal
    currency: str

    def rounded(self, mode: str) -> Money:
        """Return whole minor units by `half_up`, `half_even`, `up` or `down`."""
        return Money(round_number(self.minor, mode), self.currency)

    def __str__(self) -> str:
        return format_minor(self.minor, self.currency)


def same_currency(left: Money | UnroundedMoney, right: Money | UnroundedMoney) -> None:
    """Raise MoneyError unless both amounts are of one currency."""
    if not isinstance(right, Money | UnroundedMoney):
        raise MoneyError(f"money goes only with money, got {type(right).__name__}")
    if left.currency != right.currency:
        raise MoneyError(f"{left.currency} and {right.currency} never compare or add; convert one of them first")
