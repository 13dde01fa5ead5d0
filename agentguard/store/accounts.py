"""The ledger: what is held and what was posted on each account, exact in every window.

An account has one row with what it says now, and append-only postings with running totals, so that what a window used
is

    used(window) = held + posted - total before the window's start - what was given back since (`reversals`)

at the same cost after a thousand movements or a million. Whether something fits is decided elsewhere; what really
happened is always posted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, literal, select, update

from agentguard.core.request import Usage
from agentguard.errors import AmountTooLargeError, UsageError
from agentguard.store import reversals
from agentguard.store.moment import to_microseconds
from agentguard.store.records import Movement
from agentguard.store.tables import AccountRow, HoldRow, PostingRow

LARGEST_MOVEMENT = 10**15
LARGEST_TOTAL = 9 * 10**18
_BEFORE_ALL = -(2**62)

_account = AccountRow.__table__
_posting = PostingRow.__table__
_hold = HoldRow.__table__

_total_before = (
    select(_posting.c.cum)
    .where(_posting.c.account == bindparam("account"), _posting.c.ts_us < bindparam("start"))
    .order_by(_posting.c.ts_us.desc(), _posting.c.n.desc())
    .limit(1)
    .scalar_subquery()
)
_own_hold = (
    select(_hold.c.amount)
    .where(_hold.c.action_id == bindparam("action"), _hold.c.account == bindparam("account"), _hold.c.state == "open")
    .scalar_subquery()
)
_own_postings = (
    select(func.sum(_posting.c.amount))
    .where(
        _posting.c.action_id == bindparam("action"),
        _posting.c.account == bindparam("account"),
        _posting.c.ts_us >= bindparam("start"),
    )
    .scalar_subquery()
)
_USAGE = select(
    _account.c.pending,
    _account.c.posted,
    func.coalesce(_total_before, 0),
    func.coalesce(_own_hold, 0),
    func.coalesce(_own_postings, 0),
    _account.c.reversed,
).where(_account.c.id == bindparam("account"))

_POSTED_SINCE = (
    select(literal(1))
    .where(
        _account.c.id.in_(bindparam("accounts", expanding=True)),
        _account.c.n > 0,
        _account.c.last_position >= bindparam("position"),
    )
    .limit(1)
)
_POSTED_BY = select(_posting.c.account).where(_posting.c.action_id == bindparam("action"))
_LOCK_ACCOUNT = select(_account).where(_account.c.id == bindparam("account")).with_for_update()
_ADD_PENDING = (
    update(_account)
    .where(_account.c.id == bindparam("account"))
    .values(pending=_account.c.pending + bindparam("amount"))
)
_SET_POSTED = (
    update(_account)
    .where(_account.c.id == bindparam("account"))
    .values(
        posted=bindparam("total"), n=bindparam("number"), last_us=bindparam("now"), last_position=bindparam("position")
    )
)
_OPEN_HOLDS = (
    select(_hold.c.account, _hold.c.unit, _hold.c.amount)
    .where(_hold.c.action_id == bindparam("action"), _hold.c.state == "open")
    .order_by(_hold.c.account)
)
_CLOSE_HOLD = (
    update(_hold)
    .where(
        _hold.c.action_id == bindparam("action"), _hold.c.account == bindparam("on_account"), _hold.c.state == "open"
    )
    .values(state=bindparam("to_state"), closed_us=bindparam("now"))
)


def usage(connection: Connection, account: str, start_us: int | None, action: str | None) -> Usage:
    """Return what an account says for a window, one action left out.

    Args:
        connection: Inside a transaction.
        account: The account's keyed digest; one that nobody used yet is empty.
        start_us: The first microsecond inside the window; None for all time.
        action: The action to leave out.
    """
    parameters = {
        "account": account,
        "start": _BEFORE_ALL if start_us is None else start_us,
        "action": "" if action is None else action,
    }
    row = connection.execute(_USAGE, parameters).one_or_none()
    if row is None:
        return Usage(held=0, settled=0)
    pending, posted, before, own_hold, own_postings, given_back = map(int, row)
    if given_back:
        own_postings -= reversals.given_back_of(connection, account, parameters["action"]) if own_postings else 0
        posted -= reversals.given_back_since(connection, account, parameters["start"])
    return Usage(held=pending - own_hold, settled=posted - before - own_postings)


def posted_since(connection: Connection, accounts: Sequence[str], position: int) -> bool:
    """Return whether a transaction posted to one of the accounts after the log had `position` entries."""
    if not accounts:
        return False
    parameters = {"accounts": list(accounts), "position": position}
    return connection.execute(_POSTED_SINCE, parameters).first() is not None


def posted_by(connection: Connection, action: str) -> frozenset[str]:
    """Return the accounts that an action was posted to."""
    return frozenset(connection.execute(_POSTED_BY, {"action": action}).scalars())


def hold(connection: Connection, action: str, account: str, unit: str, amount: int, now_us: int) -> None:
    """Set an amount aside on an account for an action.

    An account that several limits share is held once: the same amount again changes nothing.

    Raises:
        AmountTooLargeError: The amount is negative or past the bound.
        UsageError: The action holds another amount there, or the account counts another unit.
    """
    _bounded(amount)
    before = connection.execute(
        select(_hold.c.amount, _hold.c.state).where(_hold.c.action_id == action, _hold.c.account == account)
    ).one_or_none()
    if before is not None:
        if before.state == "open" and before.amount == amount:
            return
        raise UsageError(
            f"expected one hold of action `{action}` on an account, got `{amount}` after a hold of `{before.amount}` "
            f"that is {before.state}; hold once, with one amount"
        )
    row = _locked(connection, account, unit)
    if row["pending"] + amount + row["posted"] > LARGEST_TOTAL:
        raise AmountTooLargeError(
            f"expected an account to stay within {LARGEST_TOTAL}, got {amount} more; start a new account"
        )
    connection.execute(_ADD_PENDING, {"account": account, "amount": amount})
    connection.execute(
        insert(_hold),
        {
            "action_id": action,
            "account": account,
            "unit": unit,
            "amount": amount,
            "state": "open",
            "opened_us": now_us,
            "closed_us": None,
        },
    )


def settle(connection: Connection, action: str, amounts: Mapping[str, int], now_us: int, position: int) -> None:
    """Turn an action's open holds into postings.

    Args:
        connection: Inside a writing transaction.
        action: The action's id.
        amounts: What really happened, by account, where it differs from what was held; above the hold too. Accounts
            without an open hold are posted as well: a truth that comes late counts.
        now_us: The ledger's time.
        position: How many entries the log had when the transaction began.

    Raises:
        AmountTooLargeError: An amount is negative or past the bound.
        UsageError: An account in `amounts` was never held on or posted to.
    """
    remaining = dict(amounts)
    for row in connection.execute(_OPEN_HOLDS, {"action": action}).all():
        _close(connection, action, row.account, row.amount, "settled", now_us)
        real = remaining.pop(row.account, row.amount)
        post(connection, action, row.account, row.unit, real, now_us, position)
    for account, real in sorted(remaining.items()):
        post(connection, action, account, None, real, now_us, position)


def release(connection: Connection, action: str, now_us: int) -> None:
    """Give back everything that an action holds."""
    for row in connection.execute(_OPEN_HOLDS, {"action": action}).all():
        _close(connection, action, row.account, row.amount, "released", now_us)


def post(
    connection: Connection, action: str, account: str, unit: str | None, amount: int, now_us: int, position: int
) -> None:
    """Post a movement, with the account's total after it.

    Raises:
        AmountTooLargeError: The amount is negative or past the bound, or the account's total would be.
        UsageError: The account counts another unit, or is new and no unit is given.
    """
    _bounded(amount)
    row = _locked(connection, account, unit)
    total = row["posted"] + amount
    if total > LARGEST_TOTAL:
        raise AmountTooLargeError(
            f"expected an account to stay within {LARGEST_TOTAL}, got {total}; start a new account"
        )
    number = row["n"] + 1
    connection.execute(
        insert(_posting),
        {
            "account": account,
            "n": number,
            "ts_us": now_us,
            "amount": amount,
            "cum": total,
            "action_id": action,
            "position": position,
        },
    )
    connection.execute(
        _SET_POSTED, {"account": account, "total": total, "number": number, "now": now_us, "position": position}
    )


def backfill(
    connection: Connection, account: str, unit: str, movements: Sequence[Movement], now_us: int, position: int
) -> None:
    """Fill an account from the log with movements that were not counted on it, in the order of their times.

    What happened before the account's last posting is posted at that posting's time, since totals only run on: it then
    counts a little longer than it should, never too short.

    Raises:
        AmountTooLargeError: An amount is negative or past the bound, or the account's total would be.
        UsageError: The account counts another unit, or a movement is out of order or in the future.
    """
    row = _locked(connection, account, unit)
    number, total, last_us = row["n"], row["posted"], _BEFORE_ALL
    filled: list[dict[str, Any]] = []
    for movement in movements:
        _bounded(movement.amount)
        moment = to_microseconds(movement.at)
        if not last_us <= moment <= now_us:
            raise UsageError(
                f"expected past movements in the order of their times, got `{movement.at.isoformat()}`; sort them"
            )
        number, total, last_us = number + 1, total + movement.amount, moment
        filled.append(
            {
                "account": account,
                "n": number,
                "ts_us": max(moment, row["last_us"]),
                "amount": movement.amount,
                "cum": total,
                "action_id": movement.action_id,
                "position": position,
            }
        )
    if total > LARGEST_TOTAL:
        raise AmountTooLargeError(
            f"expected an account to stay within {LARGEST_TOTAL}, got {total}; start a new account"
        )
    if filled:
        connection.execute(insert(_posting), filled)
        last_us = filled[-1]["ts_us"]
        new = {"account": account, "total": total, "number": number, "now": last_us, "position": position}
        connection.execute(_SET_POSTED, new)


def _bounded(amount: int) -> None:
    if type(amount) is not int or not 0 <= amount <= LARGEST_MOVEMENT:
        raise AmountTooLargeError(
            f"expected a whole amount from 0 to {LARGEST_MOVEMENT} minor units, got `{amount!r:.40}`; split it"
        )


def _locked(connection: Connection, account: str, unit: str | None) -> Mapping[str, Any]:
    row = connection.execute(_LOCK_ACCOUNT, {"account": account}).mappings().one_or_none()
    if row is not None:
        if unit is not None and unit != row["unit"]:
            raise UsageError(
                f"expected the account's unit `{row['unit']}`, got `{unit}`; each currency has its own account"
            )
        return dict(row)
    if unit is None:
        raise UsageError("expected an account that was held on or posted to, got a new one; use `post` with its unit")
    fresh = {
        "id": account,
        "unit": unit,
        "pending": 0,
        "posted": 0,
        "n": 0,
        "last_us": 0,
        "last_position": 0,
        "reversed": 0,
    }
    connection.execute(insert(_account), fresh)
    return fresh


def _close(connection: Connection, action: str, account: str, amount: int, state: str, now_us: int) -> None:
    _locked(connection, account, None)
    connection.execute(_CLOSE_HOLD, {"action": action, "on_account": account, "to_state": state, "now": now_us})
    connection.execute(_ADD_PENDING, {"account": account, "amount": -amount})
