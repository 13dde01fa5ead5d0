"""Whether accounts still add up: their postings, what is held on them now, and what was given back."""

from __future__ import annotations

from sqlalchemy import func, select

from agentguard.core.lifecycle import HOLDING
from agentguard.store.reading import Reading
from agentguard.store.rows import holds_of
from agentguard.store.tables import AccountRow, ActionRow, PostingRow, ReversalRow
from agentguard.store.verification.agreement import Report


def check_accounts(reading: Reading, report: Report) -> None:
    """Compare what accounts say with their postings and with what actions hold now."""
    posting, account = PostingRow.__table__, AccountRow.__table__
    last: tuple[str, int, int] = ("", 0, 0)
    ordered = select(posting.c.account, posting.c.n, posting.c.amount, posting.c.cum)
    for row in reading.rows(ordered.order_by(posting.c.account, posting.c.ts_us, posting.c.n)):
        number, total = last[1:] if row["account"] == last[0] else (0, 0)
        if row["n"] != number + 1 or row["cum"] != total + row["amount"]:
            report(
                None, "account", f"expected posting {number + 1} of account `{row['account']}` to add up, it does not"
            )
        last = row["account"], row["n"], row["cum"]
    held = _held(reading)
    newest = select(posting.c.cum).where(posting.c.account == account.c.id)
    newest = newest.order_by(posting.c.ts_us.desc(), posting.c.n.desc()).limit(1)
    total_now = func.coalesce(newest.scalar_subquery(), 0).label("total")
    for row in reading.rows(select(account.c.id, account.c.pending, account.c.posted, total_now)):
        holds = held.pop(row["id"], 0)
        if row["pending"] != holds or row["posted"] != row["total"]:
            report(
                None,
                "account",
                f"expected account `{row['id']}` to hold {holds} and have {row['total']} posted as its movements "
                f"say, got {row['pending']} and {row['posted']}",
            )
    for name in sorted(held):
        report(None, "account", f"expected account `{name}`, on which actions hold, got none: it was removed")


def _held(reading: Reading) -> dict[str, int]:
    """Return what actions hold now, by account."""
    action = ActionRow.__table__
    held: dict[str, int] = {}
    holding = action.c.state.in_(sorted(state.value for state in HOLDING))
    for row in reading.rows(select(action.c.id, action.c.holds).where(holding)):
        for account, (_, amount) in holds_of(row["id"], row["holds"]).items():
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
