"""Whom a mistake touched: the actions that a policy, a rule, a model, an agent or a fact's source decided, and to what.

Something was wrong from one day to another: a rule, a prompt, a system that a fact came from. What was decided with it
is on record, and so is what came of it; somebody has to look at each case, and at those that were refused first of all.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from agentguard.core.entry import is_observed
from agentguard.core.lifecycle import State
from agentguard.core.money import format_minor
from agentguard.engine import reconciling
from agentguard.errors import UsageError
from agentguard.store import Reading
from agentguard.store.records import ActionRecord, Entry, EntryFilter

DECISIONS = ("decided", "refused")
"""Kinds of entries that answer a request: by rules, or before any rule was asked."""
_PAGE = 500

REMEDIES: Mapping[State, str] = MappingProxyType(
    {
        State.SETTLED: "it was done: see whether it should have been, and take back or make good what should not",
        State.DENIED: "it was refused: see whether it should have been, and tell the customer",
        State.RELEASED: "it was allowed and not done: see whether it is still to be done",
        State.IN_DOUBT: "nobody knows whether it was done: find out in the other system first",
        State.EXECUTING: "it is under way: look again when it has ended",
        State.WAITING: "it waits for people: tell them before they decide",
        State.READY: "it is allowed and not begun: stop it if it should not be",
        State.PROPOSED: "it is not decided yet",
    }
)
"""By where an action stands: what is to be looked at."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """What is under suspicion; what is None does not narrow, and something has to.

    Attributes:
        policy: Like `refunds`, `refunds@14`, or `refunds@` and the beginning of its digest.
        rule: A rule, limit or requirement by its whole id, like `refunds/small-refund`.
        model: As the host said which model the agent used.
        agent: The agent's id.
        fact: Decisions that read it; with `source`, that had it from there.
        source: Decisions that had any fact from there.
        verdict: Only decisions that came out so.
    """

    policy: str | None = None
    rule: str | None = None
    model: str | None = None
    agent: str | None = None
    fact: str | None = None
    source: str | None = None
    verdict: str | None = None

    def __post_init__(self) -> None:
        if not any((self.policy, self.rule, self.model, self.agent, self.fact, self.source)):
            raise UsageError("expected what is under suspicion: a policy, rule, model, agent, fact or source, got none")

    def decided(self, body: Mapping[str, Any]) -> bool:
        """Return whether what is suspect had a part in a decision."""
        actor = body.get("actor") or {}
        named = (
            (self.model, actor.get("model")),
            (self.agent, actor.get("id")),
            (self.verdict, body.get("verdict")),
        )
        return (
            all(wanted is None or wanted == found for wanted, found in named)
            and (self.policy is None or _has_policy(body, self.policy))
            and (self.rule is None or _has_rule(body, self.rule))
            and ((self.fact, self.source) == (None, None) or self._has_fact(body.get("facts") or {}))
        )

    def _has_fact(self, facts: Mapping[str, Any]) -> bool:
        found = facts.values() if self.fact is None else [facts[self.fact]] if self.fact in facts else []
        return any(self.source is None or fact.get("source") == self.source for fact in found)


@dataclass(frozen=True, slots=True)
class Case:
    """One action that was touched.

    Attributes:
        entry: The first decision of it in which the suspect had a part.
        customer: A pseudonym; empty for nobody.
        approved: People said yes to it.
        amount: What was done or asked for, as people write it.
        look: What is to be looked at.
    """

    action_id: str
    action: str
    entry: int
    at: datetime
    tenant: str
    customer: str
    verdict: str
    approved: bool
    state: str
    amount: str
    reference: str
    rules: tuple[str, ...]
    look: str


@dataclass(slots=True)
class Affected:
    """How much was touched, added up.

    Attributes:
        verdicts: How many decisions came out how, of the first one of each action.
        states: Where the actions stand now.
        money: By state and currency, in minor units.
    """

    actions: int = 0
    customers: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    money: dict[str, Counter[str]] = field(default_factory=dict)

    def sums(self) -> dict[str, tuple[str, ...]]:
        """Return the money by state, as people write it."""
        return {
            state: tuple(format_minor(amount, currency) for currency, amount in sorted(found.items()))
            for state, found in sorted(self.money.items())
        }


def affected(
    reading: Reading,
    suspect: Suspect,
    tell: Callable[[Case], None],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    amount: str | None = None,
) -> Affected:
    """Find every action in whose decisions the suspect had a part, and tell each one once, in the log's order.

    Args:
        reading: The log.
        suspect: What is under suspicion.
        tell: Gets each case.
        since: Decisions from then on.
        until: Decisions until then.
        amount: The argument that is the amount, where an action has several; without it such an action has none here.
    """
    total, customers = Affected(), set[str]()
    found = (_entries(reading, EntryFilter(kind=kind, since=since, until=until)) for kind in DECISIONS)
    for entry in heapq.merge(*found, key=lambda item: item.pos):
        if not entry.body or not suspect.decided(entry.document) or entry.action_id is None:
            continue
        entries = reading.entries_of(entry.action_id)
        if entry.pos != _first(entries, suspect, since):
            continue  # told with an earlier decision of the same action
        record = reading.action(entry.action_id)
        if record is None:
            continue
        case = _case(record, entry, entries, amount, total)
        if case.customer:
            customers.add(case.customer)
        tell(case)
    total.customers = len(customers)
    return total


def _entries(reading: Reading, filters: EntryFilter) -> Iterator[Entry]:
    after = 0
    while page := reading.entries(after, _PAGE, filters):
        yield from page
        after = page[-1].pos


def _first(entries: tuple[Entry, ...], suspect: Suspect, since: datetime | None) -> int:
    """Return the first decision of an action, from `since` on, in which the suspect had a part."""
    return next(
        item.pos
        for item in entries
        if item.kind in DECISIONS and item.body and (since is None or item.at >= since)
        if suspect.decided(item.document)
    )


def _case(record: ActionRecord, entry: Entry, entries: tuple[Entry, ...], amount: str | None, total: Affected) -> Case:
    """Return one action as somebody has to look at it, added to the whole."""
    body, state = entry.document, record.state
    money = reconciling.amounts_of(record, entries)
    done = money.get(amount) if amount is not None else next(iter(money.values())) if len(money) == 1 else None
    total.actions += 1
    verdict = f"{body['verdict']}, observed" if is_observed(body) else str(body["verdict"])
    total.verdicts["approved" if body["approved"] else verdict] += 1
    total.states[str(state)] += 1
    if done is not None:
        total.money.setdefault(str(state), Counter())[done.currency] += done.minor
    return Case(
        action_id=record.id,
        action=record.action,
        entry=entry.pos,
        at=entry.at,
        tenant=record.tenant,
        customer=record.on_behalf_of,
        verdict=str(body["verdict"]),
        approved=bool(body["approved"]),
        state=str(state),
        amount="" if done is None else str(done),
        reference=record.external_reference or "",
        rules=tuple(dict.fromkeys(str(reason["source"]) for reason in body["reasons"])),
        look=REMEDIES[state],
    )


def _has_policy(body: Mapping[str, Any], wanted: str) -> bool:
    name, at, version = wanted.partition("@")
    found = (body.get("policies") or {}).get(name)
    if found is None:
        return False
    return not at or str(found["version"]) == version or (len(version) >= 6 and found["digest"].startswith(version))


def _has_rule(body: Mapping[str, Any], wanted: str) -> bool:
    return wanted in body.get("matched", ()) or any(reason["source"] == wanted for reason in body.get("reasons", ()))
