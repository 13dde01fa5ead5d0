"""What was drawn for a review: rows that are added once, judged, and never taken away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Select, or_, select, update

from agentguard.core.digest import canonical_bytes
from agentguard.core.reviews import ReviewCase
from agentguard.store.evidence_tables import ReviewRow
from agentguard.store.moment import from_microseconds, to_microseconds
from agentguard.store.reading import LARGEST_PAGE, Reading
from agentguard.store.statement import inserting
from agentguard.store.tables import ActionRow
from agentguard.store.transaction import Transaction

_review = ReviewRow.__table__
_action = ActionRow.__table__

_INSERT = inserting(_review)

WAITING = "waiting"
JUDGED = "judged"
STATES = (WAITING, JUDGED)


def add(transaction: Transaction, case: ReviewCase) -> None:
    """Add a case; its entry has to be appended in the same transaction."""
    stratum = canonical_bytes(list(case.stratum)).decode()
    about = case.id, case.policy, case.action_id, case.entry, stratum, case.period, case.how, case.verdict
    # With what else the transaction comes to: a statement of its own would write all of that before its time.
    transaction._layer.add(_INSERT, (*about, to_microseconds(case.drawn_at)))  # noqa: SLF001


def judge(transaction: Transaction, case_id: str, verdict: str) -> None:
    """Write down what counts of the opinions on a case."""
    transaction.write(update(_review).where(_review.c.id == case_id).values(verdict=verdict))


def found(reading: Reading, case_id: str) -> ReviewCase | None:
    """Return a case by its id."""
    return next((_case(row) for row in reading.rows(select(_review).where(_review.c.id == case_id))), None)


def cases(
    reading: Reading,
    state: str | None = None,
    *,
    policy: str | None = None,
    tenant: str | None = None,
    limit: int = LARGEST_PAGE,
    after: ReviewCase | None = None,
) -> tuple[ReviewCase, ...]:
    """Return cases a page at a time, those that were drawn first come first; `after` is the last of the page before."""
    query: Select[Any] = select(_review).order_by(_review.c.drawn_us, _review.c.id)
    query = query.limit(max(1, min(limit, LARGEST_PAGE)))
    if state is not None:
        query = query.where(_review.c.verdict.is_(None) if state == WAITING else _review.c.verdict.is_not(None))
    if policy is not None:
        query = query.where(_review.c.policy == policy)
    if tenant is not None:
        query = query.join(_action, _action.c.id == _review.c.action_id).where(_action.c.tenant == tenant)
    if after is not None:
        drawn_us = to_microseconds(after.drawn_at)
        same = (_review.c.drawn_us == drawn_us) & (_review.c.id > after.id)
        query = query.where(or_(_review.c.drawn_us > drawn_us, same))
    return tuple(map(_case, reading.rows(query)))


def _case(row: Mapping[str, Any]) -> ReviewCase:
    return ReviewCase(
        id=row["id"],
        policy=row["policy"],
        action_id=row["action_id"],
        entry=row["entry"],
        stratum=tuple(orjson.loads(row["stratum"])),
        period=row["week"],
        how=row["how"],
        drawn_at=from_microseconds(row["drawn_us"]),
        verdict=row["verdict"],
    )
