"""Whether accounts still add up: their postings, what is held on them now, and what was given back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from operator import itemgetter

from sqlalchemy import func, select

from agentguard.core.lifecycle import HOLDING
from agentguard.errors import TamperedError
from agentguard.store.reading import Reading
from agentguard.store.rows import holds_of
from agentguard.store.tables import AccountRow, ActionRow, PostingRow, ReversalRow
from agentguard.store.verification.agreement import FIRST, Report
from agentguard.store.verification.merging import LAST, Beside, InOrder

_account = AccountRow.__table__
_posting = PostingRow.__table__
_ACCOUNTS = InOrder(
    select(*(_account.c[name] for name in ("id", "pending", "posted", "n", "last_us"))),
    _account.c.id,
)
_POSTINGS = InOrder(
    select(*(_posting.c[name] for name in ("account", "ts_us", "n", "amount", "cum"))),
    *(_posting.c[name] for name in ("account", "ts_us", "n")),
)


def check_accounts(reading: Reading, report: Report) -> None:
    """Compare what accounts say with their postings and with what actions hold now."""
    held = _held(reading, report)
    totals = Beside(_totals(reading, report))
    for name, pending, posted, n, last_us in _ACCOUNTS.rows(reading, ("",), LAST):
        holds = held.pop(name, 0)
        _, number, total, newest_us = next(iter(totals.of(name)), (name, 0, 0, None))
        if pending != holds or posted != total:
            words = f"expected account `{name}` to hold {holds} and have {total} posted as its movements say, got "
            report(None, "account", f"{words}{pending} and {posted}")
        elif n != number or newest_us not in (None, last_us):
            words = f"expected account `{name}` to end with posting {number} at its time, got {n} or another time"
            report(None, "account", words)
    for name in sorted(held):
        report(None, "account", f"expected account `{name}`, on which actions hold, got none: it was removed")


def _totals(reading: Reading, report: Report) -> Iterator[tuple[str, int, int, int]]:
    """Yield what the postings of each account come to: their number, their total, and the time of the last."""
    rows = _POSTINGS.rows(reading, ("", FIRST, FIRST), LAST)
    for account, postings in itertools.groupby(rows, key=itemgetter(0)):
        number = total = last_us = 0
        for _, at_us, n, amount, cum in postings:
            if n != number + 1 or cum != total + amount:
                report(None, "account", f"expected posting {number + 1} of account `{account}` to add up, it does not")
            number, total, last_us = n, cum, at_us
        yield account, number, total, last_us


def _held(reading: Reading, report: Report) -> dict[str, int]:
    """Return what actions hold now, by account."""
    action = ActionRow.__table__
    held: dict[str, int] = {}
    holding = action.c.state.in_(sorted(state.value for state in HOLDING))
    for row in reading.rows(select(action.c.id, action.c.holds).where(holding)):
        try:
            holds = holds_of(row["id"], row["holds"])
        except TamperedError as error:
            report(None, "hold", str(error))
            continue
        for account, (_, amount) in holds.items():
            held[account] = held.get(account, 0) + amount
    return held


def check_reversals(reading: Reading, report: Report) -> None:
    """Compare what was given back with what was counted, original by original, and with what the accounts say."""
    reversal, posting, account = ReversalRow.__table__, PostingRow.__table__, AccountRow.__table__
    of = (posting.c.account == reversal.c.account, posting.c.action_id == reversal.c.original)
    counted = select(func.coalesce(func.sum(posting.c.amount), 0)).where(*of).scalar_subquery()
    first_us = select(func.coalesce(func.min(posting.c.ts_us), 0)).where(*of).scalar_subquery()
    query = select(
        reversal.c.account,
        reversal.c.original,
        func.sum(reversal.c.amount).label("amount"),
        func.min(reversal.c.amount).label("least"),
        func.min(reversal.c.ts_us).label("first_us"),
        func.max(reversal.c.ts_us).label("last_us"),
        counted.label("counted"),
        first_us.label("counted_us"),
    ).group_by(reversal.c.account, reversal.c.original)
    for row in reading.rows(query):
        at_its_time = row["first_us"] == row["last_us"] == row["counted_us"]
        if row["least"] <= 0 or row["amount"] > row["counted"] or not at_its_time:
            report(
                None,
                "reversal",
                f"expected at most the {row['counted']} that action `{row['original']}` counted on account "
                f"`{row['account']}` to be given back, at its time, got {row['amount']} or another time",
            )
    given = (
        select(func.coalesce(func.sum(reversal.c.amount), 0))
        .where(reversal.c.account == account.c.id)
        .scalar_subquery()
    )
    sums = select(account.c.id, account.c.reversed, given.label("given"))
    for row in reading.rows(sums.where(account.c.reversed != given)):
        report(
            None,
            "account",
            f"expected account `{row['id']}` to have {row['given']} given back as its reversals say, got "
            f"{row['reversed']}",
        )
