"""What is given back: effects that were undone, each keyed by the time at which the original counts.

A running total cannot take a movement out of its order, so reversals stand beside the postings:

    used(window) = held + posted - total before the window's start - what was given back of postings since then

A reversal counts in exactly the windows in which its original counts. A compensating movement at the present would not:
the original leaves a sliding window before its compensation does, and the account would say less than nothing. The sum
costs as much as the account has reversals in the window; an account that has none pays nothing.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, func, insert, select, update

from agentguard.store.tables import AccountRow, PostingRow, ReversalRow

_account = AccountRow.__table__
_posting = PostingRow.__table__
_reversal = ReversalRow.__table__

_SINCE = select(func.coalesce(func.sum(_reversal.c.amount), 0)).where(
    _reversal.c.account == bindparam("account"), _reversal.c.ts_us >= bindparam("start")
)
_OF = select(func.coalesce(func.sum(_reversal.c.amount), 0)).where(
    _reversal.c.account == bindparam("account"), _reversal.c.original == bindparam("original")
)
_POSTED = select(func.coalesce(func.sum(_posting.c.amount), 0), func.min(_posting.c.ts_us)).where(
    _posting.c.action_id == bindparam("original"), _posting.c.account == bindparam("account")
)
_ADD = (
    update(_account)
    .where(_account.c.id == bindparam("account"))
    .values(reversed=_account.c.reversed + bindparam("amount"))
)


def given_back_since(connection: Connection, account: str, start_us: int) -> int:
    """Return what was given back of an account's postings since an instant, itself included."""
    return int(connection.execute(_SINCE, {"account": account, "start": start_us}).scalar_one())


def given_back_of(connection: Connection, account: str, original: str) -> int:
    """Return what was given back of one action's postings on an account."""
    return int(connection.execute(_OF, {"account": account, "original": original}).scalar_one())


def give_back(connection: Connection, action: str, original: str, account: str, most: int | None, position: int) -> int:
    """Give back what an action counted on an account, as far as that was not done before, and return how much it was.

    Args:
        connection: Inside a writing transaction.
        action: The action that gives back.
        original: The action that counted.
        account: The account it counted on.
        most: At most so much; None for all of it.
        position: How many entries the log had when the transaction began.
    """
    posted, first_us = connection.execute(_POSTED, {"account": account, "original": original}).one()
    left = int(posted) - given_back_of(connection, account, original)
    amount = left if most is None else min(left, most)
    if amount <= 0:
        return 0
    values = {
        "account": account,
        "original": original,
        "action_id": action,
        "ts_us": int(first_us),
        "amount": amount,
        "position": position,
    }
    connection.execute(insert(_reversal), values)
    connection.execute(_ADD, {"account": account, "amount": amount})
    return amount
