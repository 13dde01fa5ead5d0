"""What limits count of a few requests, kept in memory: the ledger of a sequence that is looked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from agentguard.analysis.symbolic.search import Example
from agentguard.core.calendar import start_of
from agentguard.core.decide import decide
from agentguard.core.language import Value
from agentguard.core.limits import account_need, window_start
from agentguard.core.needs import needs
from agentguard.core.plan import Plan, PlannedLimit, environment
from agentguard.core.policy import WindowKind
from agentguard.core.request import Evidence, Request, Usage

_INTO_THE_NEXT = {
    "day": timedelta(hours=30),
    "week": timedelta(days=8),
    "month": timedelta(days=32),
    "year": timedelta(days=367),
}
"""So long after the start of a calendar unit it is the next one."""


@dataclass(slots=True)
class Account:
    """One account with what was counted on it.

    Attributes:
        identity: What its limits have in common.
        values: What picks it among those of its limit, the conversation last.
        postings: When, and how much.
    """

    identity: Mapping[str, Any]
    unit: str
    values: tuple[Value, ...]
    postings: list[tuple[datetime, int]] = field(default_factory=list)

    def since(self, start: datetime | None, *, inclusive: bool) -> int:
        """Return what counts from a window's start on."""
        if start is None:
            return sum(amount for _, amount in self.postings)
        return sum(amount for at, amount in self.postings if at > start or (inclusive and at == start))


class Counter:
    """Counts what was allowed, as a store does."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._ends: set[datetime] = set()

    def decided(self, plan: Plan, request: Request, evidence: Evidence) -> Example:
        """Return a request as it is decided with what is used now."""
        usage: dict[str, Usage] = {}
        wanted = needs(plan, request, evidence.facts, evidence.now)
        for name, need in wanted.accounts.items():
            account = self._accounts.get(need.account)
            used = 0 if account is None else account.since(need.window_start, inclusive=need.inclusive)
            usage[name] = Usage(0, used)
        counted = replace(evidence, usage=usage)
        return Example(request, counted, decide(plan, request, counted, wanted))

    def post(self, plan: Plan, example: Example) -> None:
        """Count a request that was allowed: once on each account, however many limits share it."""
        request, now = example.request, example.evidence.now
        read = environment(plan, request, example.evidence.facts, now)
        applied = {check.limit for check in example.decision.limits}
        posted: set[str] = set()
        for limit in (limit for file in plan.files for limit in file.limits if limit.id in applied):
            need = account_need(limit, request, read, now)
            self._ends.update(_end(limit, now))
            if need.account in posted:
                continue
            posted.add(need.account)
            if need.account not in self._accounts:
                values = [compute(read) for compute in limit.per]
                if limit.limit.window.kind is WindowKind.CONVERSATION:
                    values.append(read["context.conversation"])
                self._accounts[need.account] = Account(limit.identity, need.unit, tuple(values))
            self._accounts[need.account].postings.append((now, need.amount))

    def accounts(self, planned: PlannedLimit, now: datetime) -> Iterator[tuple[Account, int]]:
        """Yield the accounts of a limit on which something was counted, with how much of it counts now."""
        start, inclusive = window_start(planned.limit.window, now, planned)
        for account in self._accounts.values():
            if account.identity == planned.identity:
                yield account, account.since(start, inclusive=inclusive)

    def next_change(self, now: datetime) -> datetime | None:
        """Return when some window lets go of what was counted, next after now; None where none does."""
        return min((end for end in self._ends if end > now), default=None)


def _end(planned: PlannedLimit, at: datetime) -> Iterator[datetime]:
    """Yield when a limit's window lets go of what was counted at a moment; nothing where it never does."""
    window = planned.limit.window
    if window.size is not None:
        yield at + window.size
    elif window.unit is not None:
        start = start_of(window.unit, at, planned.policy.zone)
        yield start_of(window.unit, start + _INTO_THE_NEXT[window.unit], planned.policy.zone)
