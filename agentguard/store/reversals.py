"""What is given back: effects that were undone, each keyed by the time at which the original counts.

A running total cannot take a movement out of its order, so reversals stand beside the postings:

    used(window) = held + posted - total before the window's start - what was given back of postings since then

A reversal counts in exactly the windows in which its original counts. A compensating movement at the present would not:
the original leaves a sliding window before its compensation does, and the account would say less than nothing. The sum
costs as much as the account has reversals in the window; an account that has none pays nothing.
"""

from __future__ import annotations

from sqlalchemy import bindparam, func, select

from agentguard.store.lookups import Lookups
from agentguard.store.statement import Statement, inserting
from agentguard.store.tables import PostingRow, ReversalRow

_posting = PostingRow.__table__
_reversal = ReversalRow.__table__

INSERT_REVERSAL = inserting(_reversal)
_SINCE = Statement(
    select(func.sum(_reversal.c.amount)).where(
        _reversal.c.account == bindparam("account"), _reversal.c.ts_us >= bindparam("start")
    ),
    ["account", "start"],
)
_OF = Statement(
    select(func.sum(_reversal.c.amount)).where(
        _reversal.c.account == bindparam("account"), _reversal.c.original == bindparam("original")
    ),
    ["account", "original"],
)
_BY = Statement(
    select(func.sum(_reversal.c.amount)).where(
        _reversal.c.account == bindparam("account"),
        _reversal.c.original == bindparam("original"),
        _reversal.c.action_id == bindparam("action_id"),
    ),
    ["account", "original", "action_id"],
)
_POSTED = Statement(
    select(func.sum(_posting.c.amount), func.min(_posting.c.ts_us)).where(
        _posting.c.action_id == bindparam("original"), _posting.c.account == bindparam("account")
    ),
    ["original", "account"],
)


def given_back_since(lookups: Lookups, account: str, start_us: int) -> int:
    """Return what was given back of an account's postings since an instant, itself included."""
    return _sum(lookups, _SINCE, account, start_us)


def given_back_of(lookups: Lookups, account: str, original: str) -> int:
    """Return what was given back of one action's postings on an account."""
    return _sum(lookups, _OF, account, original)


def give_back(lookups: Lookups, action: str, original: str, account: str, most: int | None, position: int) -> int:
    """Give back what an action counted on an account, as far as that was not done before, and return how much it was.

    Args:
        lookups: Of a writing transaction.
        action: The action that gives back.
        original: The action that counted.
        account: The account it counted on.
        most: At most so much; None for all of it.
        position: How many entries the log had when the transaction began.
    """
    found = lookups.cold.row(_POSTED, (original, account))
    if found is None or found[0] is None or _sum(lookups, _BY, account, original, action):
        return 0  # one action gives back once: told again when accounts are filled, it changes nothing
    left = int(found[0]) - given_back_of(lookups, account, original)
    amount = left if most is None else min(left, most)
    said = lookups.account(account)  # asked last, since what was in memory only may have been written meanwhile
    if amount <= 0 or said is None:
        return 0
    lookups.layer.add(INSERT_REVERSAL, (account, original, action, int(found[1]), amount, position))
    lookups.layer.change(("account", account), said._replace(reversed=said.reversed + amount))
    return amount


def _sum(lookups: Lookups, statement: Statement, *parameters: object) -> int:
    unwritten = any(row[0] == parameters[0] for row in lookups.layer.pending(INSERT_REVERSAL))
    found = (lookups.cold if unwritten else lookups.channel).row(statement, parameters)
    return 0 if found is None or found[0] is None else int(found[0])
