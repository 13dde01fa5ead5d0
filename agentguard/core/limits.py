"""Limits as arithmetic: whose account, from when it counts, how much this action adds, and whether it fits.

Amounts are whole numbers: minor units of one currency, or a count under the unit `#`. Where the numbers are kept is the
store's business; what a window's edge means is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import orjson

from agentguard.core.calendar import start_of
from agentguard.core.decision import LimitCheck
from agentguard.core.money import Money
from agentguard.core.plan import Environment, PlannedLimit, account_values
from agentguard.core.policy import Window, WindowKind
from agentguard.core.request import Request, Usage
from agentguard.errors import EvaluationError

COUNT = "#"
LARGEST_AMOUNT = 10**15


class AccountNeed(NamedTuple):
    """The account that one limit reads and holds on, and what this action would add to it.

    A tuple, as everything is that each action makes several of: a frozen dataclass takes four times as long to make.

    Attributes:
        account: Preimage of the account; equal for limits that share what they count.
        window_start: None where everything counts; inside the window if `inclusive`, the last instant outside if not.
    """

    limit: str
    account: str
    unit: str
    window_start: datetime | None
    inclusive: bool
    amount: int


def applies(planned: PlannedLimit, values: Environment) -> bool:
    """Return whether a limit counts this request.

    Raises:
        EvaluationError: Its `when` cannot be evaluated.
    """
    return planned.when is None or planned.when(values) is True


def account_need(planned: PlannedLimit, request: Request, values: Environment, now: datetime) -> AccountNeed:
    """Return whose account a limit touches and with how much.

    Raises:
        EvaluationError: The amount or a value that picks the account cannot be evaluated, or is negative or too large.
    """
    amount, unit = measured(planned, values)
    identity = {**planned.identity, "tenant": request.tenant, "unit": unit, "values": account_values(planned, values)}
    start, inclusive = window_start(planned.limit.window, now, planned)
    account = orjson.dumps(identity, option=orjson.OPT_SORT_KEYS).decode()
    return AccountNeed(planned.id, account, unit, start, inclusive, amount)


def measured(planned: PlannedLimit, values: Environment) -> tuple[int, str]:
    """Return what this action adds to a limit, and in which unit.

    Raises:
        EvaluationError: The amount cannot be evaluated, is negative, or is larger than `LARGEST_AMOUNT`.
    """
    if planned.measure is None:
        return 1, COUNT
    value = planned.measure(values)
    amount, unit = (value.minor, value.currency) if isinstance(value, Money) else (value, COUNT)
    if type(amount) is not int or not 0 <= amount <= LARGEST_AMOUNT:
        raise EvaluationError("bound", f"expected an amount from 0 to {LARGEST_AMOUNT} minor units, got `{value}`")
    return amount, unit


def window_start(window: Window, now: datetime, planned: PlannedLimit) -> tuple[datetime | None, bool]:
    """Return where a window starts and whether that instant is inside: `(now - W, now]` slides, civil days begin."""
    if window.kind is WindowKind.SLIDING and window.size is not None:
        return now - window.size, False
    if window.kind is WindowKind.CALENDAR and window.unit is not None:
        return start_of(window.unit, now, planned.policy.zone), True
    return None, True


def maximum(planned: PlannedLimit, unit: str, values: Environment) -> int:
    """Return a limit's max in the unit of its account.

    Raises:
        EvaluationError: It cannot be evaluated, or the file gives none for this currency.
    """
    compute = planned.max.get(unit) or planned.max.get("")
    if compute is None:
        raise EvaluationError("currency", f"the limit has no max in {unit}")
    value = compute(values)
    if isinstance(value, Money):
        if value.currency != unit:
            raise EvaluationError("currency", f"the limit counts {unit} but its max is {value}")
        return value.minor
    if type(value) is not int:
        raise EvaluationError("inexact", f"expected a whole max, got `{value}`")
    return value


def checked(need: AccountNeed, usage: Usage, ceiling: int | None) -> LimitCheck:
    """Return a limit held against its max.

    Args:
        need: Whose account, and how much this action adds.
        usage: What the account says.
        ceiling: The max; None if it is not known: then nothing fits, and what a person lets pass is still held.
    """
    used = usage.used
    fits = ceiling is not None and used + need.amount <= ceiling
    about = need.limit, need.account, need.unit, need.window_start
    return LimitCheck(*about, used, usage.held, need.amount, ceiling, fits)


def usage_values(needs: Mapping[str, AccountNeed], usage: Mapping[str, Usage]) -> Environment:
    """Return what `used()` and `held()` read, by environment name; limits without usage are left out."""
    values: Environment = {}
    for limit, need in needs.items():
        found = usage.get(limit)
        if found is not None:
            values[f"used:{limit}"] = in_unit(found.used, need.unit)
            values[f"held:{limit}"] = in_unit(found.held, need.unit)
    return values


def in_unit(amount: int, unit: str) -> Money | int:
    """Return a whole number as what it counts: money, or itself under `#`."""
    return amount if unit == COUNT else Money(amount, unit)
