"""The audit log under other policies: what `guard.audit` can do to say what a change would have meant.

The log is read once, in its order, and little of it is held. Nothing is written.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from agentguard.analysis.replaying import Replay
from agentguard.analysis.simulating import Case, Simulating, Simulation
from agentguard.core.entry import is_observed
from agentguard.core.policy import Bundle, Verdict
from agentguard.engine.openings import opened
from agentguard.engine.parts import Parts
from agentguard.engine.past_lens import PERMITTED, Lens, deciding, instant, lens_of, names_needed
from agentguard.engine.past_log import Earlier, Plans, Progress, every, money_of
from agentguard.store.records import Entry, EntryFilter, Sealed

CUSTOMERS = 65_536

Tell = Callable[[Case], None]
_Reasons = list[Mapping[str, Any]]
_Verdicts = tuple[str, str, _Reasons, _Reasons]
"""The verdict that counted and the one beside it, each with its reasons."""

AS_ASKED = b'"real_values":{}'
PURGED = "the record of the request was purged, as its time was over"
REFUSED = "the request was refused before any rule, and what it asked for is not in the record"
NOT_THERE = "what it had counted by then is not known"

ASSUMED = (
    "what is allowed now and was not then would have been done at once, with the amount that was asked for",
    "what waits for people now would have ended as it did: done if it was done, and not if it was not",
    "facts stand as they were looked up then, and nothing would have been asked again in other words",
)


class Simulations:
    """The record of one guard's store under other policies."""

    _parts: Parts

    def simulate(
        self,
        bundle: Bundle,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        progress: Progress | None = None,
        tell: Tell | None = None,
    ) -> Simulation:
        """Decide everything recorded again under other policies, limits as they would have stood, and store nothing.

        Args:
            bundle: The other policies, all that would be in force together.
            since: Only what was decided from then on; what counts from before still counts.
            until: Only what was decided up to then.
            progress: Told (what is done, of how much) now and then.
            tell: Told each request whose verdict changes, in the log's order.

        Raises:
            TamperedError: A policy text that the log names is not there.
        """
        return _Reading(self._parts, bundle, since, tell).simulation(until, progress)

    def shadowed(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        progress: Progress | None = None,
        tell: Tell | None = None,
    ) -> Simulation:
        """Add up what files in shadow mode would have decided, from the verdicts recorded beside the enforced ones."""
        return self._beside(_shadow, since, until, progress, tell)

    def observed(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        progress: Progress | None = None,
        tell: Tell | None = None,
    ) -> Simulation:
        """Add up what would have been enforced while guards only observed: the old verdict is what was done."""
        return self._beside(_observed, since, until, progress, tell)

    def _beside(
        self,
        verdicts: Callable[[Mapping[str, Any]], _Verdicts | None],
        since: datetime | None,
        until: datetime | None,
        progress: Progress | None,
        tell: Tell | None,
    ) -> Simulation:
        """Add up two verdicts that stand in one entry."""
        adding, plans = Simulating(), Plans(self._parts)
        for item in every(self._parts, 0, EntryFilter(kind="decided", since=since, until=until), progress):
            if item.is_purged:
                adding.lost(PURGED)
                continue
            body = item.document
            found = verdicts(body)
            if found is None:
                continue
            old, new, why_old, why_new = found
            case = Case(
                item.pos,
                body["action_id"],
                body["action"],
                item.at,
                body["on_behalf_of"],
                money_of(plans.of(body["bundle"], body["action"]), body),
                Verdict[old.upper()],
                Verdict[new.upper()],
                deciding(why_old, old),
                deciding(why_new, new),
            )
            adding.add(case)
            if tell is not None and case.old is not case.new:
                tell(case)
        return adding.result()


def _shadow(body: Mapping[str, Any]) -> _Verdicts | None:
    shadow = body["shadow"]
    if not shadow or body["votes"]:
        return None
    return body["verdict"], shadow["verdict"], body["reasons"], shadow["reasons"]


def _observed(body: Mapping[str, Any]) -> _Verdicts | None:
    return (body["enforced"], body["verdict"], [], body["reasons"]) if is_observed(body) else None


class _Reading:
    """One reading of the log under other policies."""

    def __init__(self, parts: Parts, bundle: Bundle, since: datetime | None, tell: Tell | None) -> None:
        self._parts, self._bundle, self._since, self._tell = parts, bundle, since, tell
        self._plans = Plans(parts)
        self._customer_of = lru_cache(maxsize=CUSTOMERS)(parts.vault.customer_of)
        self._lenses: dict[tuple[str, str], Lens] = {}
        self._waiting: dict[str, datetime] = {}
        self._adding = Simulating()
        self._replay = Replay(bundle)
        self._earlier = Earlier(self._plans)

    def simulation(self, until: datetime | None, progress: Progress | None) -> Simulation:
        """Return what the whole log comes to."""
        self._replay = self._begun()
        for item in every(self._parts, self._first(), EntryFilter(until=until), progress):
            if item.kind == "decided":
                self._decided(item)
            elif item.kind == "recorded":
                self._recorded(item)
            elif item.kind == "refused":
                if self._counts(item.at):
                    self._adding.lost(PURGED if item.is_purged else REFUSED)
            elif item.kind == "voted":
                self._voted(item)
            elif item.action_id is not None and (
                item.action_id in self._waiting or self._replay.follows(item.action_id)
            ):
                self._moved(item)
        for sentence in filter(None, (self._earlier.sentence(), *ASSUMED)):
            self._adding.assume(sentence)
        return self._adding.result()

    def _begun(self) -> Replay:
        """Return the replay, which counts itself what some policies of then did not count."""
        limits: set[str] = set()
        required: set[str] = set()
        for item in every(self._parts, 0, EntryFilter(kind="activated"), None):
            put = () if item.is_purged else [bundle for bundle, _ in opened(item.document)]
            for bundle, action in itertools.product(put, self._bundle.actions()):
                then = self._plans.of(bundle, action)
                if then.files:
                    lens = self._lens(bundle, action)
                    plan = lens.now
                    limits |= {limit.id for file in plan.files for limit in file.limits} - lens.limits.keys()
                    required |= {one.id for file in plan.files for one in file.requires} - lens.requirements.keys()
        freed = sorted(
            policy.qualified(limit.id)
            for policy in self._bundle.policies
            for limit in policy.limits
            if limit.freed_by and policy.qualified(limit.id) in limits
        )
        for name in freed:
            self._adding.assume(
                f"nothing was given back on `{name}`: what undoes an action is not replayed on a new limit"
            )
        self._lenses.clear()
        return Replay(self._bundle, limits, required)

    def _first(self) -> int:
        """Return the position after which the log matters."""
        reach = self._replay.reach
        if self._since is None or reach is None:
            return 0
        first = EntryFilter(since=self._since - reach)
        found = self._parts.store.read(lambda reading: (reading.entries(0, 1, first), reading.position()))
        return found[0][0].pos - 1 if found[0] else found[1]

    def _counts(self, at: datetime) -> bool:
        return self._since is None or at >= self._since

    def _decided(self, item: Entry) -> None:
        if item.is_purged:
            if self._counts(item.at):
                self._adding.lost(PURGED)
            return
        body = item.document
        action_id = body["action_id"]
        known = body["votes"] or action_id in self._waiting or self._replay.follows(action_id)
        if known or self._is_again(item, body):
            self._again(item, body)
            return
        past = self._lens(body["bundle"], body["action"]).past(item.pos, body)
        if past.waits:
            self._waiting[action_id] = item.at
        if not self._counts(item.at):
            self._replay.merely(past)
            return
        self._earlier.see(body["bundle"], body["action"], item.at)
        replayed = self._replay.decide(past)
        self._replay.follow(past, replayed)
        if replayed.missing:
            self._adding.doubt(item.at, replayed.missing)
            return
        decision = replayed.decision
        new = decision.verdict
        changed = new is not past.verdict
        why = tuple([reason.source for reason in decision.reasons if reason.verdict is new]) if changed else ()
        case = Case(
            item.pos, action_id, body["action"], item.at, past.customer, replayed.worth, past.verdict, new,
            past.sources, why,
        )  # fmt: skip
        self._adding.add(case)
        if changed and self._tell is not None:
            self._tell(case)

    def _is_again(self, item: Entry, body: Mapping[str, Any]) -> bool:
        """Return whether an action that was asked for before the time that is looked at was decided before."""
        if self._since is None or instant(body["asked_at"]) >= self._since:
            return False
        decided = EntryFilter(kind="decided", action_id=body["action_id"])
        first = self._parts.store.read(lambda reading: reading.entries(0, 1, decided))
        return bool(first) and first[0].pos < item.pos

    def _again(self, item: Entry, body: Mapping[str, Any]) -> None:
        """Go on with an action that waited: it is counted once, as it was decided first."""
        if body["state"] != "waiting":
            opened = self._waiting.pop(body["action_id"], None)
            if opened is not None and body["approved"]:
                self._adding.waited(item.at - opened)
        if body["state"] in PERMITTED:
            self._replay.began(body["action_id"])
        elif body["state"] == "denied":
            self._replay.released(body["action_id"])

    def _recorded(self, item: Entry) -> None:
        if item.is_purged:
            return
        body = item.document
        past = self._lens(body["bundle"], body["action"]).past(item.pos, body)
        self._replay.recorded(past, min(past.now, item.at))

    def _voted(self, item: Entry) -> None:
        if item.is_purged or not self._counts(item.at):
            return
        vote = item.document["vote"]
        if vote["viewed_at"] is not None:
            self._adding.handled(instant(vote["voted_at"]) - instant(vote["viewed_at"]))

    def _moved(self, item: Entry) -> None:
        action_id = item.action_id or ""
        if item.kind == "settled":
            # Most settle as they were asked for: their text need not be read.
            real = {} if item.is_purged or AS_ASKED in item.body else self._real(item.document)
            self._replay.settled(action_id, item.ts_us, item.pos, real)
        elif not item.is_purged and item.document.get("state") in ("denied", "released"):
            opened = self._waiting.pop(action_id, None)
            if opened is not None and item.kind == "rejected":
                self._adding.waited(item.at - opened)
            self._replay.released(action_id)

    def _real(self, body: Mapping[str, Any]) -> dict[str, Any]:
        decided = self._parts.store.read(lambda reading: reading.entry(body["decision_entry"]))
        if decided is None or decided.is_purged:
            return {}
        return self._lens(decided.document["bundle"], body["action"]).real(body)

    def _lens(self, digest: str, action: str) -> Lens:
        found = self._lenses.get((digest, action))
        if found is None:
            then, now = self._plans.of(digest, action), self._replay.plan(action)
            needed = names_needed(self._bundle, action)
            found = lens_of(then, now, needed, self._unsealed, self._customer_of)
            lost = {
                limit.id: NOT_THERE
                for file in now.files
                for limit in file.limits
                if limit.id not in found.limits and limit.id not in self._replay.recomputed
            }
            if lost:
                found = replace(found, unknown={**found.unknown, **lost})
            self._lenses[digest, action] = found
        return found

    def _unsealed(self, action_id: str, place: str, digest: str) -> Any:
        packed = self._parts.store.read(lambda reading: reading.sealed(digest))
        if packed is None:
            return None
        opened = self._parts.vault.open_sealed(Sealed.unpack(packed), place, action_id)
        return None if opened is None else orjson.loads(opened)
