"""Puts together what somebody has to know who judges a decision afterwards, from its entry, as things were then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agentguard.core.casefile import CaseFile, Judged, Outcome
from agentguard.core.dossier import Budget, Conversation, Known, Named, Said
from agentguard.core.prose import ERASED, listed, masked, named_policy
from agentguard.core.request import FOR_PEOPLE, LINK, SUMMARY
from agentguard.core.reviews import ReviewCase
from agentguard.engine import judging
from agentguard.engine.asking import CUSTOMARY_CONTEXT
from agentguard.engine.causes import causes
from agentguard.engine.explaining import rebuilt
from agentguard.engine.parts import Parts
from agentguard.engine.restoring import unsealer
from agentguard.engine.told import PLACE, told
from agentguard.store import Reading
from agentguard.store.records import ActionRecord, Entry


def case_file(
    parts: Parts, reading: Reading, case_id: str, *, outcome: bool = False, personal: bool = False
) -> CaseFile:
    """Return a case with what was known then.

    Args:
        parts: The store, the vault and the policies.
        reading: One consistent view.
        case_id: What was drawn.
        outcome: With what was decided, and what others say of it; the caller sees to it that this is recorded.
        personal: Open personal values; likewise.

    Raises:
        NotFoundError: No case has this id.
        StoreUnavailableError: Personal values are asked for, and the keys are not at hand.
    """
    case, action = judging.found(reading, case_id)
    if personal:
        parts.require_keys(reading)
    opinions = judging.opinions_on(reading, case)
    decided = reading.entry(case.entry)
    if decided is None or "arguments" not in decided.document:
        return CaseFile(case, len(opinions), purged=True)
    return _Filing(parts, reading, case, action, decided, personal=personal).filed(opinions, with_outcome=outcome)


@dataclass(slots=True)
class _Filing:
    """One case in the making; `opened` and `closed` collect the places of personal values."""

    parts: Parts
    reading: Reading
    case: ReviewCase
    action: ActionRecord
    decided: Entry
    personal: bool
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def filed(self, opinions: list[Entry], *, with_outcome: bool) -> CaseFile:
        """Return what was put together."""
        body = self.decided.document
        bundle = self.parts.force.bundle(self.reading, body["bundle"])
        arguments = tuple(
            Named(name, self._open(f"arguments.{name}", item)) for name, item in body["arguments"].items()
        )
        facts = tuple(self._known(name, item, body["now"]) for name, item in body["facts"].items())
        conversation = self._conversation(body["context"])
        outcome = self._outcome(body, opinions) if with_outcome else None
        return CaseFile(
            case=self.case,
            opinions=len(opinions),
            action=body["action"],
            agent=body["actor"]["id"],
            model=body["actor"]["model"] or "",
            customer=self._customer(body["on_behalf_of"]),
            asked_at=datetime.fromisoformat(body["asked_at"]),
            decided_at=datetime.fromisoformat(body["now"]),
            arguments=arguments,
            conversation=conversation,
            policies=tuple(named_policy(policy) for policy in bundle.governing(body["action"]) if not policy.shadow),
            facts=facts,
            budgets=tuple(_budgets(body)),
            opened=tuple(self.opened),
            closed=tuple(self.closed),
            outcome=outcome,
        )

    def _customer(self, pseudonym: str) -> str:
        has_keys = self.parts.has_keys(self.reading)
        known = self.parts.vault.customer_of(pseudonym) if pseudonym and has_keys else None
        if known is None:
            return pseudonym
        return known if self.personal else masked(known)

    def _open(self, place: str, value: Any) -> str | None:
        """Return a recorded value as words; None where it is personal and stays closed."""
        if not (isinstance(value, Mapping) and set(value) == {"sealed"}):
            return listed(value)
        (self.opened if self.personal else self.closed).append(place)
        if not self.personal:
            return None
        found = unsealer(self.parts, self.reading, self.action.id)(place, value["sealed"])
        return ERASED if found is None else listed(found)

    def _known(self, name: str, fact: Mapping[str, Any], now: str) -> Known:
        read_at = None if fact["read_at"] is None else datetime.fromisoformat(fact["read_at"])
        age = 0.0 if read_at is None else (datetime.fromisoformat(now) - read_at).total_seconds()
        value = self._open(f"facts.{name}", fact["value"]) if "value" in fact else None
        return Known(name, fact["status"], value, fact["source"], read_at, age)

    def _conversation(self, context: Mapping[str, Any]) -> Conversation:
        said = {name: self._open(name, value) for name, value in context.items()}
        return Conversation(
            id=said.get("context.conversation") or "",
            channel=said.get("context.channel") or "",
            language=said.get("context.language") or "",
            summary=said.get(SUMMARY),
            link=said.get(LINK),
            sealed=tuple(name for name, value in said.items() if value is None),
            signals=tuple(
                Named(name, value) for name, value in said.items() if name not in CUSTOMARY_CONTEXT | FOR_PEOPLE
            ),
        )

    def _outcome(self, body: Mapping[str, Any], opinions: list[Entry]) -> Outcome:
        has_keys = self.parts.has_keys(self.reading)
        about = rebuilt(self.parts, self.reading, body) if has_keys else None
        bundle = self.parts.force.bundle(self.reading, body["bundle"])
        return Outcome(
            verdict=body["verdict"],
            state=str(self.action.state),
            causes=tuple(causes(body, bundle, None if about is None else about.explained())),
            told=tuple(self._told(body)),
            opinions=tuple(self._judged(item) for item in opinions if "verdict" in item.document),
            counts=self.case.verdict,
        )

    def _told(self, body: Mapping[str, Any]) -> Iterator[Said]:
        if body["say"]:
            yield Said(self.decided.at, body["say"], "", "")
        for item in told(self.parts, self.reading, self.action.id):
            (self.opened if self.personal else self.closed).append(f"{PLACE} of entry {item.entry}")
            yield Said(item.at, (item.words or ERASED) if self.personal else None, item.by, item.channel)

    def _judged(self, item: Entry) -> Judged:
        body = item.document
        return Judged(
            by=body["by"],
            authenticated=body["authenticated"],
            at=item.at,
            should=body["should"],
            verdict=body["verdict"],
            severity=body["severity"],
            blind=body["blind"],
            reason_code=body["reason_code"],
            note=None if body["note"] is None else self._open(judging.PLACE, body["note"]),
        )


def _budgets(body: Mapping[str, Any]) -> Iterator[Budget]:
    for check in body["limits"]:
        if check["account"] is not None:
            most = None if check["max"] is None else int(check["max"])
            used, held, this = int(check["used"]), int(check["held"]), int(check["amount"])
            yield Budget(check["limit"], "", check["unit"], used, held, this, used, most)
