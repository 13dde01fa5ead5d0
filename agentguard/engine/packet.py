"""Puts together what somebody has to know who decides an escalation, from the record and what stands now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any

import orjson

from agentguard.core import escalation
from agentguard.core.dossier import Alternative, Budget, Cast, Conversation, Desk, Known, Named, Other, Said
from agentguard.core.english.comparison import comparison_words
from agentguard.core.explain import Explanation, allowed_choices
from agentguard.core.lifecycle import State
from agentguard.core.limits import window_start
from agentguard.core.packet import Packet
from agentguard.core.people import People, User
from agentguard.core.plan import Plan
from agentguard.core.policy import Verdict
from agentguard.core.prose import ERASED, listed, masked, name_words, named_policy
from agentguard.core.request import FOR_PEOPLE, LINK, SUMMARY, Vote
from agentguard.core.values import value_text
from agentguard.engine import admission, escalating, pausing, recorded
from agentguard.engine.amending import changeable
from agentguard.engine.asking import CUSTOMARY_CONTEXT
from agentguard.engine.causes import causes, per_words
from agentguard.engine.contesting import PLACE as CONTEST_WORDS
from agentguard.engine.contesting import contest_entry
from agentguard.engine.electorate import electorate
from agentguard.engine.explaining import Rebuilt, rebuilt
from agentguard.engine.parts import Parts
from agentguard.engine.restoring import unsealer
from agentguard.engine.tally import Tally, route_of, tally
from agentguard.engine.told import PLACE, told
from agentguard.engine.voting import PLACE as NOTE
from agentguard.engine.voting import note_of, noted_votes
from agentguard.errors import PeopleUnavailableError, TamperedError
from agentguard.store import Reading
from agentguard.store.records import ActionRecord, Entry, EscalationRecord

MOST_OTHERS = 10
NOTHING_LOST: Mapping[str, str] = MappingProxyType({})


def packet(parts: Parts, reading: Reading, escalation_id: str, *, personal: bool = False) -> Packet:
    """Return everything that somebody has to know who decides an escalation.

    Args:
        parts: The store, the vault and the people.
        reading: One consistent view.
        escalation_id: What waits.
        personal: Open personal values; the caller has to see to it that this is recorded.

    Raises:
        NotFoundError: No escalation has this id.
        StoreUnavailableError: Personal values are asked for, and the keys are not at hand.
    """
    found, action = admission.found(reading, escalation_id)
    if personal:
        parts.require_keys(reading)
    return _Packing(parts, reading, found, action, _people_now(parts), personal=personal).packet()


@dataclass
class _Packing:
    """One packet in the making; `opened` and `closed` collect the places of personal values."""

    parts: Parts
    reading: Reading
    record: EscalationRecord
    action: ActionRecord
    people: People | None
    personal: bool
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def packet(self) -> Packet:
        """Return what was put together."""
        parts, reading, action = self.parts, self.reading, self.action
        now = reading.clock().ledger
        record = self.record
        if record.state == escalating.OPEN:
            record = self.record = pausing.due_at(reading, record, action, now)
        asked = self._asked()
        body = asked.document
        bundle = parts.force.bundle(reading, body["bundle"])
        has_keys = parts.has_keys(reading)
        about = rebuilt(parts, reading, body) if has_keys else None
        explanation = None if about is None else about.explained()
        actor = body["actor"]
        customer = parts.vault.customer_of(action.on_behalf_of) if has_keys and action.on_behalf_of else None
        files = [policy for policy in bundle.governing(action.action) if not policy.shadow]
        return Packet(
            escalation=record.id,
            state=record.state,
            opened_at=record.opened_at,
            due_at=record.due_at,
            now=now,
            action=action.action,
            action_id=action.id,
            action_state=str(action.state),
            relates_to=action.relates_to,
            amended=recorded.kept(action).get("amended", ""),
            agent=actor["id"],
            model=actor["model"] or "",
            customer=action.on_behalf_of if customer is None else masked(customer),
            customer_id=customer if self.personal else None,
            asked_at=action.asked_at,
            arguments=tuple(
                Named(name, self._open(f"arguments.{name}", value)) for name, value in body["arguments"].items()
            ),
            conversation=self._conversation(body["context"]),
            policies=tuple(map(named_policy, files)),
            causes=tuple(causes(body, bundle, explanation)),
            facts=tuple(self._known(name, fact, body["now"]) for name, fact in body["facts"].items()),
            told=tuple(sorted(self._told(asked, body), key=lambda item: item.at)),
            contest=self._contest(),
            ended=self._ended(body),
            budgets=() if about is None else tuple(self._budgets(body, about.plan, now)),
            automatic=() if explanation is None else tuple(_automatic(explanation)),
            alternatives=()
            if about is None or explanation is None
            else tuple(_alternatives(about, explanation, record)),
            changeable=() if about is None else tuple(self._changeable(about.plan)),
            earlier=tuple(map(_other, self._actions(before=action.id))),
            later=tuple(_other(item) for item in self._actions() if item.id > action.id),
            desks=tuple(self._desks()),
            votes=tuple(self._cast(reading.votes(record.id), dict(self._tally.lost))),
            before=self._votes_before(),
            explained=about is not None,
            opened=tuple(self.opened),
            closed=tuple(self.closed),
        )

    def _asked(self) -> Entry:
        """Return the decision that asked for this escalation, or for the one that it took over from."""
        decided = [item for item in self.reading.entries_of(self.action.id) if item.kind == "decided"]
        before = [item for item in decided if item.at <= self.record.opened_at]
        if not before:
            raise TamperedError(f"expected the entry that asked for escalation `{self.record.id}`, got none")
        return before[-1]

    def _open(self, place: str, value: Any) -> str | None:
        """Return a recorded value as words; None where it is personal and stays closed."""
        if not (isinstance(value, Mapping) and set(value) == {"sealed"}):
            return listed(value)
        if not self._may_open(place):
            return None
        found = unsealer(self.parts, self.reading, self.action.id)(place, value["sealed"])
        return ERASED if found is None else listed(found)

    def _may_open(self, place: str) -> bool:
        (self.opened if self.personal else self.closed).append(place)
        return self.personal

    def _conversation(self, context: Mapping[str, Any]) -> Conversation:
        told = {name: self._open(name, value) for name, value in context.items()}
        return Conversation(
            id=told.get("context.conversation") or "",
            channel=told.get("context.channel") or "",
            language=told.get("context.language") or "",
            summary=told.get(SUMMARY),
            link=told.get(LINK),
            sealed=tuple(name for name, value in told.items() if value is None),
            signals=tuple(
                Named(name, value) for name, value in told.items() if name not in CUSTOMARY_CONTEXT | FOR_PEOPLE
            ),
        )

    def _known(self, name: str, fact: Mapping[str, Any], now: str) -> Known:
        read_at = None if fact["read_at"] is None else datetime.fromisoformat(fact["read_at"])
        age = 0.0 if read_at is None else (datetime.fromisoformat(now) - read_at).total_seconds()
        value = self._open(f"facts.{name}", fact["value"]) if "value" in fact else None
        return Known(name, fact["status"], value, fact["source"], read_at, age)

    def _told(self, asked: Entry, body: Mapping[str, Any]) -> Iterator[Said]:
        if body["say"]:
            yield Said(asked.at, body["say"], "", "")
        for item in told(self.parts, self.reading, self.action.id):
            words = (item.words or ERASED) if self._may_open(f"{PLACE} of entry {item.entry}") else None
            yield Said(item.at, words, item.by, item.channel)

    def _contest(self) -> Said | None:
        """Return what the customer says against a refusal, where this is about that."""
        made = contest_entry(self.reading, self.action.id) if self.record.kind == escalating.CONTEST else None
        if made is None:
            return None
        body = made.document
        return Said(made.at, self._open(CONTEST_WORDS, body["words"]), body["by"], body["channel"])

    def _ended(self, body: Mapping[str, Any]) -> str:
        """Return how people, or the want of them, ended what is contested, as a code; empty where the rules refused."""
        reasons = recorded.reasons_of(recorded.kept(self.action))
        is_contest = self.record.kind == escalating.CONTEST
        return reasons[0].code if is_contest and body["verdict"] == str(Verdict.ESCALATE) and reasons else ""

    def _budgets(self, body: Mapping[str, Any], plan: Plan, now: datetime) -> Iterator[Budget]:
        limits = {planned.id: planned for file in plan.enforced for planned in file.limits}
        for check in body["limits"]:
            planned = limits.get(check["limit"])
            if planned is None or check["account"] is None:
                continue
            start, inclusive = window_start(planned.limit.window, now, planned)
            usage = self.reading.usage(check["account"], start, inclusive=inclusive, exclude_action=self.action.id)
            yield Budget(
                limit=planned.id,
                window=f"{planned.limit.window}{per_words(planned.limit)}",
                unit=check["unit"],
                used=usage.used,
                held=usage.held,
                this=int(check["amount"]),
                then=int(check["used"]),
                max=None if check["max"] is None else int(check["max"]),
            )

    def _changeable(self, plan: Plan) -> Iterator[str]:
        """Yield the arguments that an approver may change."""
        if self.record.state == escalating.OPEN and self.record.kind != escalating.CONTEST:
            yield from changeable(self.record, plan, self.action.action)

    def _actions(self, before: str = "") -> tuple[ActionRecord, ...]:
        """Return the customer's newest actions, or the newest before one."""
        customer = self.action.on_behalf_of
        return self.reading.actions_for(customer, MOST_OTHERS, before) if customer else ()

    def _electorate(self, people: People, who: tuple[str, ...]) -> list[User]:
        return list(electorate(self.parts, self.reading, people, self.record, self.action, who))

    def _desks(self) -> Iterator[Desk]:
        for item in escalating.routes_of(self.record):
            who = tuple(item["who"])
            known = None if self.people is None else self._electorate(self.people, who)
            yield Desk(
                route=item["id"],
                who=who,
                people=None if known is None else tuple(user.name or user.id for user in known),
                needed=item["people"],
                missing=escalation.missing(route_of(item), self._tally.votes),
                due=datetime.fromisoformat(item["due"]),
                if_late=item["if_late"],
                reason_codes=tuple(item["reason_codes"]),
            )

    @cached_property
    def _tally(self) -> Tally:
        """Return the votes as they count now; all of them once it is over, or where nobody knows who the people are."""
        votes = self.reading.votes(self.record.id)
        if self.people is None or self.record.state != escalating.OPEN:
            return Tally(votes)
        return tally(self.parts, self.people, self.record, self.action, votes)

    def _votes_before(self) -> tuple[Cast, ...]:
        """Return the votes on escalations that the action had before this one."""
        others = (item for item in self.reading.escalations_of(self.action.id) if item.id != self.record.id)
        before = {item.id for item in others if item.opened_at <= self.record.opened_at}
        return tuple(self._cast(vote for vote in self.reading.votes_of(self.action.id) if vote.escalation in before))

    def _cast(self, votes: Iterable[Vote], lost: Mapping[str, str] = NOTHING_LOST) -> Iterator[Cast]:
        noted = noted_votes(self.reading, self.action.id)
        for vote in votes:
            item = noted.get((vote.escalation, vote.voter))
            yield Cast(
                voter=vote.voter,
                approve=vote.approve,
                authenticated=vote.authenticated,
                reason_code=vote.reason_code,
                note="" if item is None else self._note(vote, item),
                at=vote.voted_at,
                stands_for=vote.stands_for,
                lost=lost.get(vote.voter, ""),
            )

    def _note(self, vote: Vote, item: Entry) -> str | None:
        if not self._may_open(f"{NOTE} of entry {item.pos}"):
            return None
        return note_of(self.parts, self.reading, vote, self.action.id) or ERASED


def _people_now(parts: Parts) -> People | None:
    try:
        return parts.directory.people()
    except PeopleUnavailableError:  # what waits can be read all the same: only who may decide it is not known
        return None


def _other(item: ActionRecord) -> Other:
    """Return another action of the customer with what came of it."""
    reasons = recorded.kept(item).get("reasons") or [{}]
    why = str(reasons[0].get("because") or reasons[0].get("code", "")) if item.state is State.DENIED else ""
    arguments = ", ".join(f"{name_words(name)} {listed(value)}" for name, value in orjson.loads(item.arguments).items())
    return Other(item.id, item.action, arguments, item.asked_at, str(item.state), why.replace("_", " "))


def _automatic(explanation: Explanation | None) -> Iterator[str]:
    if explanation is None:
        return
    if explanation.automatic_up_to is not None:
        name, value = explanation.automatic_up_to
        yield f"the same with {name_words(name)} up to {value_text(value)}"
    if explanation.closest is not None:
        yield f"the rule {explanation.closest.id} would have allowed it, but: " + "; ".join(
            comparison_words(item) for item in explanation.closest.blocking
        )
    else:
        allowing = [rule.id for rule in explanation.rules if rule.holds and rule.then.verdict is Verdict.ALLOW]
        if allowing:
            yield f"the rule {' and '.join(allowing)} allows it; only the reasons above ask for a person"


def _alternatives(
    about: Rebuilt | None, explanation: Explanation | None, record: EscalationRecord
) -> Iterator[Alternative]:
    """Yield what an approver may change that the policy would then have allowed by itself."""
    if about is None or explanation is None:
        return
    names = list(changeable(record, about.plan, about.request.action))
    if explanation.automatic_up_to is not None and explanation.automatic_up_to[0] in names:
        name, value = explanation.automatic_up_to
        yield Alternative(name, value_text(value), at_most=True)
    for name, value in allowed_choices(about.plan, about.request, about.evidence, names):
        yield Alternative(name, value_text(value), at_most=False)
