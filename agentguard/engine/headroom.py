"""Where limits stand now, key by key: what is used and held at this moment, of how much.

Accounts stand in the store under keyed digests, so that nobody can list them by customer. What can be known is read out
of the newest decisions: the request and the facts of each name the keys that it counted on. For those the account is
read as it is now, in the window as it lies now, under the policies now in force. The max is worked out from the facts
of the newest decision, since nothing is looked up here. A key that no recent decision touched is not in the answer.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentguard.core.language import Expression
from agentguard.core.limits import account_need, applies, maximum, usage_values
from agentguard.core.plan import Environment, Plan, PlannedLimit, account_values, environment
from agentguard.engine.parts import Parts
from agentguard.engine.restoring import reader_of
from agentguard.errors import EvaluationError
from agentguard.store import Reading
from agentguard.store.records import Entry, EntryFilter

RECENT = 1000
CUSTOMER = "on_behalf_of"

_PAGE = 500
_TOUCHING = (EntryFilter(kind="decided"), EntryFilter(kind="recorded"))


@dataclass(frozen=True, slots=True)
class Key:
    """One value that picks an account of a limit.

    Attributes:
        name: As `per` has it.
        value: Encoded; the pseudonym for `on_behalf_of`, and None where it is personal.
    """

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Headroom:
    """One limit for one key, in minor units or a count.

    Attributes:
        limit: Qualified id.
        window: As the file says it, `30 days` or `calendar day`.
        keys: What picks the account, in the order of `per`; empty where everybody shares it.
        settled, held: As they are now, in the window as it lies now.
        max: As the facts of `entry` say; None where it cannot be worked out from them.
        entry: The newest decision that counted on this account, and `decided_at` when that was.
    """

    limit: str
    window: str
    keys: tuple[Key, ...]
    unit: str
    settled: int
    held: int
    max: int | None
    entry: int
    decided_at: datetime

    @property
    def used(self) -> int:
        """Settled and held together: what a decision compares with the max."""
        return self.settled + self.held

    @property
    def left(self) -> int | None:
        """What is left, or None where the max is not known."""
        return None if self.max is None else max(self.max - self.used, 0)


def headrooms(parts: Parts, decisions: int = RECENT) -> tuple[Headroom, ...]:
    """Return where every limit stands now whose key occurs in so many of the newest decisions, the fullest first.

    Beside a canary a limit of both versions is shown as the policies in force say it.

    Raises:
        ConfigurationError: No policies are in force.
        StoreUnavailableError: The keys file is not the one that the database was made with.
    """

    def read(reading: Reading) -> tuple[Headroom, ...]:
        """Return where the limits stand in one state of the store."""
        parts.require_keys(reading)
        found: dict[tuple[str, str], Headroom] = {}
        parts.force.standing(reading)
        bundles = parts.force.every(reading)
        for entry in itertools.islice(_newest(reading), decisions):
            if entry.is_purged:
                continue
            for bundle in bundles:
                plan = parts.force.plan(bundle, entry.document["action"])
                for account, headroom in _of_entry(parts, reading, plan, entry):
                    found.setdefault((headroom.limit, account), headroom)
        return tuple(sorted(found.values(), key=lambda item: (item.limit, -_share(item), item.entry)))

    return parts.store.read(read)


def _newest(reading: Reading) -> Iterator[Entry]:
    """Yield decisions and what was recorded, the newest first."""
    return heapq.merge(*(_pages(reading, wanted) for wanted in _TOUCHING), key=lambda entry: -entry.pos)


def _pages(reading: Reading, wanted: EntryFilter) -> Iterator[Entry]:
    after = 0
    while page := reading.entries(after, _PAGE, wanted, newest_first=True):
        yield from page
        after = page[-1].pos


def _share(headroom: Headroom) -> float:
    return headroom.used / headroom.max if headroom.max else float(headroom.used)


def _of_entry(parts: Parts, reading: Reading, plan: Plan, entry: Entry) -> Iterator[tuple[str, Headroom]]:
    """Yield what one decision's limits say now, as if the same were asked again under the plan in force."""
    body = entry.document
    then = parts.force.plan(parts.force.bundle(reading, body["bundle"]), body["action"])
    reader = reader_of(parts, reading, body, then)
    request = reader.request(parts.vault.customer_of(body[CUSTOMER]) if body[CUSTOMER] else "")
    values = environment(plan, request, reader.facts(), reading.now())
    recorded = {item["limit"]: item["account"] for item in body["limits"]}
    for file in plan.enforced:
        for planned in file.limits:
            try:
                if not applies(planned, values):
                    continue
                need = account_need(planned, request, values, reading.now())
                keys = _keys(planned, plan, values, body[CUSTOMER])
            except EvaluationError:
                continue  # what the record no longer says cannot be counted
            account = parts.keyed(need.account)
            if reader.erased and body["bundle"] == plan.bundle_digest:
                account = recorded.get(planned.id) or account
            usage = reading.usage(account, need.window_start, inclusive=need.inclusive)
            values.update(usage_values({planned.id: need}, {planned.id: usage}))
            yield (
                account,
                Headroom(
                    limit=planned.id,
                    window=str(planned.limit.window),
                    keys=keys,
                    unit=need.unit,
                    settled=usage.settled,
                    held=usage.held,
                    max=_maximum(planned, need.unit, values),
                    entry=entry.pos,
                    decided_at=entry.at,
                ),
            )


def _keys(planned: PlannedLimit, plan: Plan, values: Environment, pseudonym: str) -> tuple[Key, ...]:
    names = [expression.source for expression in planned.limit.per]
    encoded = account_values(planned, values)
    personal = [_is_personal(expression, plan) for expression in planned.limit.per]
    names += ["context.conversation"] * (len(encoded) - len(names))
    personal += [False] * (len(encoded) - len(personal))
    return tuple(
        Key(name, pseudonym if name == CUSTOMER else None if hidden else value)
        for name, value, hidden in zip(names, encoded, personal, strict=True)
    )


def _is_personal(expression: Expression, plan: Plan) -> bool:
    declared = {**plan.facts, **plan.context, **plan.arguments}
    return CUSTOMER in expression.reads or any(
        name in declared and declared[name].personal for name in expression.reads
    )


def _maximum(planned: PlannedLimit, unit: str, values: Environment) -> int | None:
    try:
        return maximum(planned, unit, values)
    except EvaluationError:
        return None  # it depends on something that the record does not have
