"""Recording what was done elsewhere: it counts in limits and log, without a decision and without calling a tool.

What really happened is always counted, even above a max, and what follows is refused until there is room again. It
counts from the time at which it happened, or from the account's last movement where that is later, since running totals
only run on: a little longer than it should, never too short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from agentguard.core import entry
from agentguard.core.decision import LimitCheck
from agentguard.core.digest import encode, time_text
from agentguard.core.lifecycle import State
from agentguard.core.limits import window_start
from agentguard.engine import recorded
from agentguard.engine.counting_beside import post_beside
from agentguard.engine.deeds import Deed, Recorded, recorded_from
from agentguard.engine.freeing import free
from agentguard.engine.parts import Parts
from agentguard.engine.remembering import remember
from agentguard.engine.telling import NOBODY, Told, recorded_before, understood
from agentguard.errors import RecordingError, UsageError
from agentguard.log import get_logger
from agentguard.store import Transaction
from agentguard.store.records import Movement

log = get_logger("record")

RECORDED = "recorded"
"""The kind of effect in the row of a recorded action, which has no tool."""
CHUNK = 50
"""How many deeds are recorded in one transaction."""
MOST_DEEDS = 100_000
MOST_ATTEMPTS = 5

Progress = Callable[[int, int], None]
"""Told how many are recorded, and of how many, after each commit."""


def record(parts: Parts, deed: Deed, tenant: str) -> Recorded:
    """Record one deed.

    Raises:
        KeyConflictError: The source told something else under this key before.
        UsageError: It cannot be understood, or a limit cannot count it; nothing is stored.
    """
    for _ in range(MOST_ATTEMPTS):
        told = understood(parts, deed, tenant)
        if told.before is not None:
            return told.before
        found = parts.store.transact(lambda transaction: _written(parts, told, transaction))  # noqa: B023
        if found is not None:
            return found
    raise UsageError("expected policies that stay in force for a moment, got other ones each time; try again")


def record_all(
    parts: Parts,
    deeds: Sequence[Deed],
    tenant: str,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> tuple[Recorded, ...]:
    """Record many deeds: all are understood before anything is written, then many are written in one commit.

    What was recorded stays, whatever comes after it: the same deeds again store only what is missing.

    Args:
        parts: The store and what is registered.
        deeds: In any order; one that gives something back comes after what it relates to.
        tenant: Whose, where a deed does not say.
        dry_run: Write nothing.
        progress: Told how far it is.

    Raises:
        RecordingError: Some cannot be understood, all of them with their numbers; nothing is stored.
    """
    if len(deeds) > MOST_DEEDS:
        raise UsageError(f"expected at most {MOST_DEEDS} deeds at once, got {len(deeds)}; record them in parts")
    told = _all_understood(parts, deeds, tenant)
    if dry_run:
        return tuple(item.before or _would_be(item) for item in told)
    found: list[Recorded] = []
    for start in range(0, len(told), CHUNK):
        found += _chunk_written(parts, told[start : start + CHUNK], tenant)
        if progress is not None:
            progress(len(found), len(told))
    return tuple(found)


def _all_understood(parts: Parts, deeds: Sequence[Deed], tenant: str) -> list[Told]:
    every: list[Told] = []
    problems: list[tuple[int, str]] = []
    known: dict[tuple[str, str, str], tuple[int, str]] = {}
    for number, deed in enumerate(deeds, 1):
        try:
            told = understood(parts, deed, tenant)
        except UsageError as error:
            problems.append((number, str(error)))
            continue
        first, digest = known.setdefault((told.ask.request.tenant, deed.source, deed.key), (number, told.digest))
        if digest != told.digest:
            problems.append((number, f"expected a key of its own, got `{deed.key}` of number {first} again"))
        every.append(told)
    if problems:
        raise RecordingError(problems)
    return every


def _would_be(told: Told) -> Recorded:
    """Return what a dry run says of a deed that is not recorded yet."""
    uncounted = tuple(f"{limit}: {why}" for limit, why in told.uncounted.items())
    return Recorded("", told.deed.action, None, uncounted=uncounted)


def _chunk_written(parts: Parts, chunk: Sequence[Told], tenant: str) -> Sequence[Recorded]:
    """Write deeds in one transaction; one by one where other policies have come into force meanwhile."""

    def work(transaction: Transaction) -> list[Recorded] | None:
        """Write every deed of the chunk; None if other policies came into force meanwhile."""
        if any(_overtaken(told, transaction) for told in chunk):
            return None
        return [told.before or _write(parts, told, transaction) for told in chunk]

    found = parts.store.transact(work)
    return [record(parts, told.deed, tenant) for told in chunk] if found is None else found


def _overtaken(told: Told, transaction: Transaction) -> bool:
    return transaction.in_force() != told.in_force


def _written(parts: Parts, told: Told, transaction: Transaction) -> Recorded | None:
    return None if _overtaken(told, transaction) else _write(parts, told, transaction)


def _write(parts: Parts, told: Told, transaction: Transaction) -> Recorded:
    """Count a deed and write its entry, unless that was done before."""
    deed, asked = told.deed, told.ask
    before = recorded_before(transaction, asked, deed, told.digest)
    if before is not None:
        return before
    moment = min(deed.moment, transaction.now())
    row = recorded.new_record(asked, RECORDED)._replace(
        agent=NOBODY,
        conversation=deed.source,
        request_digest=told.digest,
        state=State.SETTLED,
        bundle=told.plan.bundle_digest,
        external_reference=deed.external_reference,
    )
    limits = list(_post(parts, told, moment, transaction))
    freed = free(parts, transaction, row, lambda: told.values)
    body = _entry(parts, told, transaction, {"limits": limits, "freed": freed})
    written = transaction.append(body)
    answer = recorded.document_text(reasons=(), written=written, result_kept=False)
    transaction.open_action(row._replace(decision_entry=written.pos, answer=answer))
    post_beside(transaction, told.beside, body, moment)
    remember(parts, transaction, row.id, asked.request, written.pos, moment)
    found = recorded_from(body, written.pos, replayed=False)
    passed = [item.limit for item in found.over if item.used - item.amount <= (item.max or 0)]
    if passed:  # those that were over before have been told of
        log.warning("limit.over", action=row.action, action_id=row.id, limits=passed)
    return found


def _post(parts: Parts, told: Told, moment: datetime, transaction: Transaction) -> Iterator[dict[str, Any]]:
    """Post what each limit counts, once an account, and yield where it stands then, as the entry says it."""
    action_id, now = told.ask.action_id, transaction.now()
    posted: set[str] = set()
    for item in told.counts:
        start, inclusive = window_start(item.planned.limit.window, now, item.planned)
        before = transaction.usage(item.account, start, inclusive=inclusive, exclude_action=action_id)
        if item.account not in posted:
            movement = Movement(moment, item.need.amount, action_id)
            transaction.backfill(item.account, item.need.unit, [movement])
            posted.add(item.account)
        after = transaction.usage(item.account, start, inclusive=inclusive)
        check = LimitCheck(
            limit=item.planned.id,
            account=item.need.account,
            unit=item.need.unit,
            window_start=start,
            used=before.used,
            held=before.held,
            amount=item.need.amount,
            max=item.most,
            fits=item.most is not None and after.used <= item.most,
        )
        yield {**entry.limit(check, parts.keyed), "after": encode(after.used)}


def _entry(parts: Parts, told: Told, transaction: Transaction, counted: Mapping[str, Any]) -> dict[str, Any]:
    deed, asked = told.deed, told.ask
    sealed = {place: transaction.store_sealed(item.packed) for place, item in told.sealed.items()}
    body = entry.recorded(
        asked.action_id,
        asked.request,
        asked.pseudonym,
        told.plan,
        told.facts,
        standing=entry.Standing(State.SETTLED, 0, 0),
        sealed=sealed,
        versions=parts.versions,
        by=deed.teller.id,
        by_kind=str(deed.teller.kind),
        source=deed.source,
        happened_at=time_text(deed.moment),
        relates_to=deed.relates_to,
        external_reference=deed.external_reference,
        request_digest=told.digest,
        uncounted=dict(told.uncounted),
        settled={item["account"]: int(item["amount"]) for item in counted["limits"]},
        **counted,
    )
    return {**body, "real_values": {name: body["arguments"][name] for name in told.real}}
