"""What new or changed limits find on their accounts when their policies come into force: what the log says was done.

A limit whose accounts were counted until now keeps them. For the others, the settled actions of the log are counted as
if the limit had been there, and what is under way holds on the new accounts too. What a record does not say, because
nobody looked it up then or because it was erased, is not guessed: it is counted as not countable, and reported.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from agentguard.core.counting import PastAction, counted, identity_of, names_read, past_values
from agentguard.core.digest import decode
from agentguard.core.language import Value
from agentguard.core.lifecycle import State
from agentguard.core.limits import AccountNeed
from agentguard.core.plan import Environment, Plan, PlannedLimit
from agentguard.core.policy import Bundle
from agentguard.core.reader import Reader, time_of
from agentguard.engine.asking import CUSTOMARY_CONTEXT
from agentguard.engine.freeing import about_action, free, was_known
from agentguard.engine.openings import Beginning, Opening, counted_until
from agentguard.engine.parts import Parts
from agentguard.engine.restoring import reader_of
from agentguard.errors import EvaluationError, TamperedError
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionRecord, Entry, EntryFilter, Movement

PAGE = 500
CUSTOMER = "on_behalf_of"
UNDER_WAY = (State.READY, State.EXECUTING, State.IN_DOUBT)


@dataclass(slots=True)
class _Gap:
    """Accounts to fill.

    Attributes:
        after: The position in the log from which on they were not counted.
    """

    after: int
    movements: int = 0
    holds: int = 0
    uncounted: int = 0
    erased: int = 0


_Limits: TypeAlias = tuple[tuple[PlannedLimit, _Gap], ...]
_Counted: TypeAlias = tuple[AccountNeed, _Gap]


@dataclass
class _Filling:
    """One filling of the accounts of a bundle, inside the transaction that puts it into force."""

    parts: Parts
    transaction: Transaction
    bundle: Bundle
    gaps: Mapping[str, _Gap]
    limits: dict[str, _Limits] = field(default_factory=dict)

    @cached_property
    def freeing(self) -> frozenset[str]:
        """The actions that give back what limits to fill count."""
        limits = [limit for policy in self.bundle.policies for limit in policy.limits if not policy.shadow]
        return frozenset(name for limit in limits if identity_of(limit) in self.gaps for name in limit.freed_by)

    def of(self, action: str) -> _Limits:
        """Return the limits to fill that count an action, those that share their accounts once."""
        if action not in self.limits:
            plan = self.parts.force.plan(self.bundle, action)
            found: dict[str, PlannedLimit] = {}
            for planned in (planned for file in plan.enforced for planned in file.limits):
                found.setdefault(identity_of(planned.limit), planned)
            self.limits[action] = tuple(
                (planned, self.gaps[identity]) for identity, planned in found.items() if identity in self.gaps
            )
        return self.limits[action]

    def count_settled(self) -> None:
        """Post what was done, page after page of the log."""
        done = self._done()
        while page := list(itertools.islice(done, PAGE)):
            movements: dict[tuple[str, str], list[Movement]] = {}
            for item in page:
                for unit, account, moved in self._movements(item):
                    movements.setdefault((account, unit), []).append(moved)
            for (account, unit), found in movements.items():
                self.transaction.backfill(account, unit, sorted(found, key=lambda moved: moved.at))

    def _done(self) -> Iterator[Entry]:
        """Yield the entries of what was settled and of what was recorded, in the order of the log."""
        after = min(gap.after for gap in self.gaps.values())
        kinds = (self._entries(after, EntryFilter(kind=kind)) for kind in ("settled", "recorded"))
        return heapq.merge(*kinds, key=lambda item: item.pos)

    def _entries(self, after: int, wanted: EntryFilter) -> Iterator[Entry]:
        while page := self.transaction.entries(after, PAGE, wanted):
            yield from page
            after = page[-1].pos

    def _movements(self, item: Entry) -> Iterator[tuple[str, str, Movement]]:
        """Yield what one action that was done comes to, by unit and account."""
        if item.is_purged:
            self._miss(item)
            return
        body = item.document
        limits = tuple((planned, gap) for planned, gap in self.of(body["action"]) if item.pos > gap.after)
        if not limits:
            return
        decided = decision_of(self.transaction, body)
        known = self.transaction.accounts_posted(body["action_id"])
        counted_now = self._count(decided, limits, known, body.get("real_values") or {})
        at = min(time_of(body["happened_at"]), item.at) if item.kind == "recorded" else item.at
        for account, (need, gap) in counted_now.items():
            gap.movements += 1
            yield need.unit, account, Movement(at, need.amount, body["action_id"])
        self._record(decided, "posted", counted_now)

    def _miss(self, item: Entry) -> None:
        """Report what was done and purged since as not countable: how much it was is gone."""
        record = self.transaction.action(item.action_id or "")
        for _, gap in () if record is None else self.of(record.action):
            gap.uncounted += item.pos > gap.after

    def give_back(self) -> None:
        """Give back what was undone, when all that was done, or is under way, is counted."""
        for item in self._done() if self.freeing else ():
            self._give_back(item)

    def _give_back(self, item: Entry) -> None:
        """Give back on the new accounts what an action of the past gave back: once more on an old one does nothing."""
        body = item.document
        if item.is_purged or body["action"] not in self.freeing:
            return
        record = self.transaction.action(body["action_id"])
        if record is None or record.relates_to is None:
            return
        if not was_known(self.transaction.entries_of(record.relates_to), item.pos):
            return
        decided = decision_of(self.transaction, body)
        real = body.get("real_values") or {}
        freed = free(self.parts, self.transaction, record, lambda: self._values(decided, real))
        if freed:
            self.transaction.append({**self._about(decided), "freed": freed})

    def _values(self, decided: dict[str, Any], real: Mapping[str, Any]) -> Environment:
        """Return what the amounts that an action gives back are read from."""
        plan = self.parts.force.plan(self.bundle, decided["action"])
        then = self.parts.force.plan(self.parts.force.bundle(self.transaction, decided["bundle"]), decided["action"])
        names = frozenset({*then.arguments, *then.facts, *then.context, CUSTOMER})
        return past_values(plan, _past(self.parts, self.transaction, decided, then, names, real))

    def count_under_way(self) -> None:
        """Hold for what is allowed, was sent, or is in doubt, so that it settles on the new accounts too."""
        for state in UNDER_WAY:
            after = ""
            while page := self.transaction.actions(state, limit=PAGE, after=after):
                for record in page:
                    if self.of(record.action):
                        self._hold(record)
                after = page[-1].id

    def _hold(self, record: ActionRecord) -> None:
        entry = self.transaction.entry(record.decision_entry or 0)
        if entry is None:
            raise TamperedError(f"expected the entry that decided action `{record.id}`, got none")
        known = frozenset(item.account for item in self.transaction.holds(record.id))
        counted_now = self._count(entry.document, self.of(record.action), known, {})
        for account, (need, gap) in counted_now.items():
            gap.holds += 1
            self.transaction.hold(record.id, account, need.unit, need.amount)
        self._record(entry.document, "held", counted_now)

    def _record(self, decided: dict[str, Any], how: str, counted_now: Mapping[str, _Counted]) -> None:
        """Say in an entry what was counted for an action, so that no movement is without one (law 5)."""
        if not counted_now:
            return
        told = [
            {"limit": need.limit, "account": account, "unit": need.unit, "amount": need.amount}
            for account, (need, _) in counted_now.items()
        ]
        self.transaction.append({**self._about(decided), how: told})

    def _about(self, decided: Mapping[str, Any]) -> dict[str, Any]:
        return {**about_action(decided), "kind": "counted", "bundle": self.bundle.digest}

    def _count(
        self, decided: dict[str, Any], limits: _Limits, known: frozenset[str], real: Mapping[str, Any]
    ) -> dict[str, _Counted]:
        """Return what one action comes to by account, without the accounts that know it already."""
        found = {self.parts.keyed(need.account): (need, gap) for need, gap in self._needs(decided, limits, real)}
        return {account: item for account, item in found.items() if account not in known}

    def _needs(
        self, body: dict[str, Any], limits: _Limits, real: Mapping[str, Any]
    ) -> Iterator[tuple[AccountNeed, _Gap]]:
        plan = self.parts.force.plan(self.bundle, body["action"])
        then = self.parts.force.plan(self.parts.force.bundle(self.transaction, body["bundle"]), body["action"])
        reads = {planned.id: names_read(planned, then) for planned, _ in limits}
        past = _past(self.parts, self.transaction, body, then, frozenset[str]().union(*reads.values()), real)
        values = past_values(plan, past)
        for planned, gap in limits:
            try:
                need = counted(planned, past, values)
            except EvaluationError:
                gap.uncounted += 1
                gap.erased += bool(reads[planned.id] & past.erased)
                continue
            if need is not None:
                yield need, gap


def fill(parts: Parts, transaction: Transaction, bundle: Bundle) -> tuple[Opening, ...]:
    """Fill the accounts of a bundle that comes into force, and return what each of its enforced limits found.

    Raises:
        StoreUnavailableError: Something is to be filled, and the keys file is not the one of this database.
        TamperedError: The log names policies or entries that the store does not have.
    """
    limits = [(policy, limit) for policy in bundle.policies if not policy.shadow for limit in policy.limits]
    identities = {policy.qualified(limit.id): identity_of(limit) for policy, limit in limits}
    known = counted_until(transaction, frozenset(identities.values()))
    wanted = {identities[policy.qualified(limit.id)] for policy, limit in limits if not limit.starts_now}
    gaps = {
        identity: _Gap(known.get(identity) or 0)
        for identity in sorted(wanted)
        if identity not in known or known[identity] is not None
    }
    if gaps and transaction.digest_in_force() is not None:
        parts.require_keys(transaction)
        filling = _Filling(parts, transaction, bundle, gaps)
        filling.count_settled()
        filling.count_under_way()
        filling.give_back()
    return tuple(_opening(name, identity, known, gaps.get(identity)) for name, identity in identities.items())


def _opening(limit: str, identity: str, known: Mapping[str, int | None], gap: _Gap | None) -> Opening:
    if gap is not None:
        return Opening(limit, identity, Beginning.FILLED, gap.movements, gap.holds, gap.uncounted, gap.erased)
    kept = identity in known and known[identity] is None
    return Opening(limit, identity, Beginning.KEPT if kept else Beginning.STARTS_NOW)


def decision_of(reading: Reading, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry that decided what another entry of the same action settles; what was recorded says it all."""
    if body["kind"] == "recorded":
        return dict(body)
    position = body["decision_entry"]
    while (found := reading.entry(position)) is not None:
        if found.kind == "decided":
            return found.document
        position = found.document.get("decision_entry") or 0
    raise TamperedError(f"expected the entry that decided action `{body['action_id']}`, got none")


def _past(
    parts: Parts, reading: Reading, body: dict[str, Any], plan: Plan, names: frozenset[str], real: Mapping[str, Any]
) -> PastAction:
    """Return an action as its entry describes it, as far as some names are concerned: nothing else is unsealed."""
    narrowed = {
        **body,
        "arguments": {name: value for name, value in body["arguments"].items() if name in names},
        "context": {name: value for name, value in body["context"].items() if name in names | CUSTOMARY_CONTEXT},
        "facts": {name: value for name, value in body["facts"].items() if name in names},
    }
    reader = reader_of(parts, reading, narrowed, plan)
    pseudonym = body[CUSTOMER]
    request = reader.request(parts.vault.customer_of(pseudonym) if pseudonym and CUSTOMER in names else pseudonym)
    return PastAction(
        plan=plan,
        request=request,
        facts=reader.facts(),
        now=time_of(body["happened_at"] if body["kind"] == "recorded" else body["now"]),
        real=_real_values(reader, real, names),
        told=CUSTOMARY_CONTEXT,
        erased=frozenset(place.removeprefix("arguments.").removeprefix("facts.") for place in reader.erased),
    )


def _real_values(reader: Reader, real: Mapping[str, Any], names: frozenset[str]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name in real.keys() & names:
        item: Any = real[name]
        if isinstance(item, Mapping) and set(item) == {"sealed"}:
            place = f"arguments.{name}"
            item = reader.unseal(place, item["sealed"])
            if item is None:
                reader.erased.append(place)
                continue
        values[name] = decode(reader.plan.arguments[name].type, item)
    return values
