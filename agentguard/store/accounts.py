"""The ledger: what is held and what was posted on each account, exact in every window.

An account has one row with what it says now, and append-only postings with running totals, so that what a window used
is

    used(window) = held + posted - total before the window's start - what was given back since (`reversals`)

at the same cost after a thousand movements or a million. What an action holds stands in the action's own row and counts
as long as its state holds. Whether something fits is decided elsewhere; what really happened is always posted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, func, select

from agentguard.core.request import Usage
from agentguard.errors import AmountTooLargeError, UsageError
from agentguard.store import reversals
from agentguard.store.channel import Channel
from agentguard.store.lookups import Lookups
from agentguard.store.memory import Account, Action, Name, Stretch
from agentguard.store.moment import to_microseconds
from agentguard.store.records import Movement
from agentguard.store.statement import Statement, inserting
from agentguard.store.tables import PostingRow

LARGEST_MOVEMENT = 10**15
LARGEST_TOTAL = 9 * 10**18
_BEFORE_ALL = -(2**62)

_posting = PostingRow.__table__

INSERT_POSTING = inserting(_posting)
_OWN_POSTINGS = Statement(
    select(func.sum(_posting.c.amount)).where(
        _posting.c.action_id == bindparam("action"),
        _posting.c.account == bindparam("account"),
        _posting.c.ts_us >= bindparam("start"),
    ),
    ["action", "account", "start"],
)
_POSTED_BY = Statement(select(_posting.c.account).where(_posting.c.action_id == bindparam("action")), ["action"])


def usage(lookups: Lookups, account: str, start_us: int | None, action: str | None) -> Usage:
    """Return what an account says for a window, one action left out.

    Args:
        lookups: Of the transaction.
        account: The account's keyed digest; one that nobody used yet is empty.
        start_us: The first microsecond inside the window; None for all time.
        action: The action to leave out.
    """
    said = lookups.account(account)
    if said is None:
        return Usage(held=0, settled=0)
    held, settled = said.pending, said.posted
    if start_us is not None:
        settled -= lookups.total_before(account, said, start_us)
    if said.reversed:
        settled -= reversals.given_back_since(lookups, account, _BEFORE_ALL if start_us is None else start_us)
    if action is not None:
        held -= _own_hold(lookups, action, account)
        settled -= _own_postings(lookups, action, account, start_us)
    return Usage(held=held, settled=settled)


def _own_hold(lookups: Lookups, action: str, account: str) -> int:
    found = lookups.action(action)
    if found is None or not found.is_open:
        return 0
    return found.holds.get(account, ("", 0))[1]


def _own_postings(lookups: Lookups, action: str, account: str, start_us: int | None) -> int:
    written = _written(lookups, action)
    if written is None:
        return 0
    row = written.row(_OWN_POSTINGS, (action, account, _BEFORE_ALL if start_us is None else start_us))
    if row is None or not row[0]:
        return 0
    return int(row[0]) - reversals.given_back_of(lookups, account, action)


def _written(lookups: Lookups, action: str) -> Channel | None:
    """Return where an action's postings are found, or None if it can have none."""
    if any(row[_ACTION_OF_POSTING] == action for row in lookups.layer.pending(INSERT_POSTING)):
        return lookups.cold
    found = lookups.action(action)
    return None if found is None else lookups.channel


_ACTION_OF_POSTING = INSERT_POSTING.order.index("action_id")


def posted_since(lookups: Lookups, accounts: Sequence[str], position: int) -> bool:
    """Return whether somebody posted to one of the accounts after the log had `position` entries."""
    found = (lookups.account(account) for account in accounts)
    return any(said is not None and said.n > 0 and said.last_position >= position for said in found)


def posted_by(lookups: Lookups, action: str) -> frozenset[str]:
    """Return the accounts that an action was posted to."""
    return frozenset(row[0] for row in lookups.cold.rows(_POSTED_BY, (action,)))


def hold(lookups: Lookups, action: str, amounts: Mapping[str, tuple[str, int]]) -> None:
    """Set amounts with their units aside for an action, by account: all of them or none.

    An account that several limits share is held once: the same amount again changes nothing.

    Raises:
        AmountTooLargeError: An amount is negative or past the bound.
        UsageError: The action holds another amount there, an account counts another unit, or there is no such action.
    """
    holder = lookups.action(action)
    if holder is None:
        raise UsageError(f"expected an action that holds, got `{action}`, which was not opened; open it first")
    more: dict[Name, Account] = {}
    for account, wanted in amounts.items():
        unit, amount = wanted
        _bounded(amount)
        before = holder.holds.get(account)
        if before == wanted and holder.is_open:
            continue
        if before is not None or (holder.holds and not holder.is_open):
            raise UsageError(
                f"expected one hold of action `{action}` on an account, got `{amount}` after a hold that is "
                f"{'another' if holder.is_open else 'over'}; hold once, with one amount"
            )
        said = _found(lookups, account, unit)
        if said.pending + amount + said.posted > LARGEST_TOTAL:
            raise AmountTooLargeError(
                f"expected an account to stay within {LARGEST_TOTAL}, got {amount} more; start a new account"
            )
        more["account", account] = _pending(said, amount)
    if not more:
        return
    for name, said in more.items():
        lookups.layer.change(name, said)
    lookups.layer.change(("action", action), Action(holder.record, {**holder.holds, **amounts}, True))


def settle(lookups: Lookups, action: str, amounts: Mapping[str, int], now_us: int, position: int) -> None:
    """Turn an action's open holds into postings.

    Args:
        lookups: Of a writing transaction.
        action: The action's id.
        amounts: What really happened, by account, where it differs from what was held; above the hold too. Accounts
            without an open hold are posted as well: a truth that comes late counts.
        now_us: The ledger's time.
        position: How many entries the log had when the unit of work began.

    Raises:
        AmountTooLargeError: An amount is negative or past the bound.
        UsageError: An account in `amounts` was never held on or posted to.
    """
    remaining = dict(amounts)
    for account, (unit, amount) in _close(lookups, action).items():
        real = remaining.pop(account, amount)
        post(lookups, action, account, unit, real, now_us, position, given_back=amount)
    for account, real in sorted(remaining.items()):
        post(lookups, action, account, None, real, now_us, position)


def release(lookups: Lookups, action: str) -> None:
    """Give back everything that an action holds."""
    for account, (_, amount) in _close(lookups, action).items():
        said = _found(lookups, account, None)
        lookups.layer.change(("account", account), _pending(said, -amount))


def hold_anew(lookups: Lookups, action: str) -> None:
    """Give back everything that an action holds, as if it had held nothing, so that it can hold something else."""
    release(lookups, action)
    holder = lookups.action(action)
    if holder is not None and holder.holds:
        lookups.layer.change(("action", action), Action(holder.record, {}, True))


def post(
    lookups: Lookups,
    action: str,
    account: str,
    unit: str | None,
    amount: int,
    now_us: int,
    position: int,
    *,
    given_back: int = 0,
) -> None:
    """Post a movement, with the account's total after it.

    Raises:
        AmountTooLargeError: The amount is negative or past the bound, or the account's total would be.
        UsageError: The account counts another unit, or is new and no unit is given.
    """
    _bounded(amount)
    said = _found(lookups, account, unit)
    total = said.posted + amount
    if total > LARGEST_TOTAL:
        raise AmountTooLargeError(
            f"expected an account to stay within {LARGEST_TOTAL}, got {total}; start a new account"
        )
    moment = max(now_us, said.last_us)
    if not said.n:
        lookups.layer.set(("stretches", account), (Stretch(_BEFORE_ALL, moment, 0),))
    lookups.layer.add(INSERT_POSTING, (account, moment, said.n + 1, amount, total, action))
    lookups.layer.change(
        ("account", account),
        Account(said.unit, said.pending - given_back, total, said.n + 1, moment, position, said.reversed),
    )


def backfill(
    lookups: Lookups, account: str, unit: str, movements: Sequence[Movement], now_us: int, position: int
) -> None:
    """Fill an account from the log with movements that were not counted on it, in the order of their times.

    What happened before the account's last posting is posted at that posting's time, since totals only run on: it then
    counts a little longer than it should, never too short.

    Raises:
        AmountTooLargeError: An amount is negative or past the bound, or the account's total would be.
        UsageError: The account counts another unit, or a movement is out of order or in the future.
    """
    last_us = _BEFORE_ALL
    for movement in movements:
        moment = to_microseconds(movement.at)
        if not last_us <= moment <= now_us:
            raise UsageError(
                f"expected past movements in the order of their times, got `{movement.at.isoformat()}`; sort them"
            )
        last_us = moment
        post(lookups, movement.action_id, account, unit, movement.amount, moment, position)


def _bounded(amount: int) -> None:
    if type(amount) is not int or not 0 <= amount <= LARGEST_MOVEMENT:
        raise AmountTooLargeError(
            f"expected a whole amount from 0 to {LARGEST_MOVEMENT} minor units, got `{amount!r:.40}`; split it"
        )


def _found(lookups: Lookups, account: str, unit: str | None) -> Account:
    said = lookups.account(account)
    if said is not None:
        if unit is not None and unit != said.unit:
            raise UsageError(
                f"expected the account's unit `{said.unit}`, got `{unit}`; each currency has its own account"
            )
        return said
    if unit is None:
        raise UsageError("expected an account that was held on or posted to, got a new one; use `post` with its unit")
    return Account(unit, 0, 0, 0, 0, 0, 0)


def _pending(said: Account, more: int) -> Account:
    # Every field by its place: `_replace` takes four times as long, and this runs six times an action.
    return Account(said.unit, said.pending + more, *said[2:])


def _close(lookups: Lookups, action: str) -> Mapping[str, tuple[str, int]]:
    """Take back an action's holds and return them; what it held stays written in its row."""
    holder = lookups.action(action)
    if holder is None or not holder.is_open:
        return {}
    lookups.layer.change(("action", action), Action(holder.record, holder.holds, False))
    return holder.holds
