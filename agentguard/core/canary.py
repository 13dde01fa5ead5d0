"""Policies that a share of customers tries out: who is in it is drawn once, from their name and a salt nobody guesses.

A customer's number, from 0 to 9,999, is HMAC-SHA256 under the salt over the JSON text of [tenant, customer], its first
eight bytes modulo 10,000. The canary decides for the numbers below its share, so that whoever was in stays in when it
is widened, and whoever has the salt can say who is in.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from agentguard.core.digest import canonical_bytes, digest
from agentguard.errors import UsageError

NUMBERS = 10_000
LEAST_SALT = 16
LONGEST_SALT = 200


@dataclass(frozen=True, slots=True)
class Canary:
    """A bundle that decides for some customers while another one is in force for the rest.

    Attributes:
        bundle: Its digest.
        share: For how many of 10,000 numbers it decides.
        salt: What the numbers are drawn with; whoever knows it can choose a customer's name that is in, or out.
    """

    bundle: str
    share: int
    salt: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a share of nobody or of everybody, and a salt that could be guessed."""
        if not 0 < self.share < NUMBERS:
            raise UsageError(f"expected a share above 0% and below 100%, got {share_text(self.share)}")
        if not (LEAST_SALT <= len(self.salt) <= LONGEST_SALT and self.salt.isprintable()):
            raise UsageError(
                f"expected a salt of {LEAST_SALT} to {LONGEST_SALT} printable characters, got {len(self.salt)}; "
                "leave it out to have one drawn"
            )

    @property
    def salt_digest(self) -> str:
        """SHA-256 of the salt, by which entries name it."""
        return digest(self.salt.encode())

    def number(self, tenant: str, customer: str) -> int:
        """Return the number of a customer, the same each time."""
        drawn = hmac.digest(self.salt.encode(), canonical_bytes([tenant, customer]), hashlib.sha256)
        return int.from_bytes(drawn[:8]) % NUMBERS


@dataclass(frozen=True, slots=True)
class Side:
    """On which side of a canary a customer is.

    Attributes:
        bundle: The digest of what decides for them.
        other: The digest of what decides for the others; None without a canary.
        number: Their number; None without a canary, and for nobody in particular.
    """

    bundle: str
    other: str | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class InForce:
    """What decides: a bundle for everybody, or for everybody whom its canary does not have."""

    bundle: str
    canary: Canary | None = None

    @property
    def bundles(self) -> tuple[str, ...]:
        """The digests of all that decides for somebody."""
        return (self.bundle,) if self.canary is None else (self.bundle, self.canary.bundle)

    def side(self, tenant: str, customer: str) -> Side:
        """Return what decides for a customer; for nobody in particular it is the bundle in force."""
        if self.canary is None:
            return Side(self.bundle)
        if not customer:
            return Side(self.bundle, self.canary.bundle)
        number = self.canary.number(tenant, customer)
        if number < self.canary.share:
            return Side(self.canary.bundle, self.bundle, number)
        return Side(self.bundle, self.canary.bundle, number)


def share_of(text: str) -> int:
    """Return how many of 10,000 numbers a share is: `10%`, `0.25%`.

    Raises:
        UsageError: It is no such share.
    """
    wanted = f"expected a share like `10%` or `0.25%`, above 0% and below 100%, got `{text[:40]}`"
    written = text.strip().removesuffix("%").strip()
    try:
        share = Decimal(written) * NUMBERS / 100
    except InvalidOperation:
        raise UsageError(wanted) from None
    if not (text.strip().endswith("%") and share.is_finite() and 0 < share < NUMBERS and share == int(share)):
        raise UsageError(wanted)
    return int(share)


def share_text(share: int) -> str:
    """Return a share as people write it."""
    whole, rest = divmod(share, NUMBERS // 100)
    return f"{whole}.{rest:02}".rstrip("0") + "%" if rest else f"{whole}%"
