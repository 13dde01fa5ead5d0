"""Judging a decision that was drawn: what would have been right, said by somebody who had no part in it.

Whoever judges says what they would have decided, before they see what was: right and wrong follow from that. Who has
seen it, or says `right` or `wrong` outright, is not blind, and the record says so. Nobody takes an opinion back; of
several the one of most people counts, and where they are even, `wrong`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentguard.core import entry, reviews
from agentguard.core.digest import time_text
from agentguard.core.people import People, User, one_spelling
from agentguard.core.reviews import OPINIONS, REVIEWED, RIGHT, SEVERITIES, WRONG, ReviewCase
from agentguard.engine import contesting, powers, recorded
from agentguard.engine.admission import Try
from agentguard.engine.notes import sealed_note
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Permit, Use
from agentguard.engine.tally import OWN_REQUEST, asked_for
from agentguard.errors import NotFoundError, PowerRefusedError, UsageError
from agentguard.store import Reading, Transaction, draws
from agentguard.store.records import ActionRecord, Entry

POWER = "review"
OPENED = "review_opened"
PLACE = "review.note"
JUDGED_ALREADY = "judged_already"
SHOULD = ("allow", "escalate", "deny")
MOST_OPINIONS = 10


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody says of a decision, checked for the host's own mistakes.

    Attributes:
        should: What would have been right: `allow`, `escalate` or `deny`.
        verdict: `right` or `wrong`, in place of it, by somebody who knows what was decided.
        severity: How bad it is if it was decided otherwise: `minor`, `major` or `critical`.
        said: Who says it and why.

    Raises:
        UsageError: Something of it is not what it must be.
    """

    should: str | None
    verdict: str | None
    severity: str
    said: Try

    def __post_init__(self) -> None:
        """Refuse what cannot be counted."""
        if (self.should is None) == (self.verdict is None):
            raise UsageError("expected either `should`, what would have been right, or `verdict`, right or wrong")
        if self.should is not None and self.should not in SHOULD:
            raise UsageError(f"expected one of {', '.join(SHOULD)} for `should`, got `{self.should!s:.40}`")
        if self.verdict is not None and self.verdict not in OPINIONS:
            raise UsageError(f"expected one of {', '.join(OPINIONS)} for `verdict`, got `{self.verdict!s:.40}`")
        if self.severity not in SEVERITIES:
            raise UsageError(f"expected one of {', '.join(SEVERITIES)} for `severity`, got `{self.severity!s:.40}`")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of an opinion.

    Attributes:
        decided: What the policies had decided.
        verdict: What this opinion says of it; `counts` is what counts of all opinions.
        severity: None where it was right.
        opinions: How many there are now.
        remedy: Where it was wrong: what can be done about it, in words.
    """

    review: str
    action_id: str
    decided: str
    verdict: str
    counts: str
    severity: str | None
    blind: bool
    opinions: int
    entry: int
    remedy: str


def judge(parts: Parts, case_id: str, opinion: Opinion) -> Judgement:
    """Write down what somebody says of a decision.

    Raises:
        NotFoundError: No case has this id.
        PowerRefusedError: They may not judge it, or have done so; the log says so.
        UsageError: Its record was purged, or it has as many opinions as it takes.
    """
    said = opinion.said
    tenant = parts.store.read(lambda reading: found(reading, case_id)[1].tenant)
    use = Use(POWER, case_id, tenant, said.by, said.reason_code or "", said.authenticated)

    def work(transaction: Transaction, permit: Permit) -> Judgement:
        """Write the opinion down, unless this person had a part in it."""
        case, action = found(transaction, case_id)
        before = opinions_on(transaction, case)
        decided = _decided(transaction, case)
        parts.require_keys(transaction)
        require_stranger(parts, action, permit.by)
        if one_spelling(permit.by) in [one_spelling(item.document["by"]) for item in before]:
            message = f"`{permit.by}` has judged `{case.id}` already; a second opinion is somebody else's"
            raise PowerRefusedError(JUDGED_ALREADY, message)
        if len(before) >= MOST_OPINIONS:
            raise UsageError(f"expected at most {MOST_OPINIONS} opinions on `{case.id}`, got another one")
        return _written(parts, transaction, permit, opinion, case=case, action=action, decided=decided, before=before)

    return powers.used(parts, use, work)


def found(reading: Reading, case_id: object) -> tuple[ReviewCase, ActionRecord]:
    """Return a case and its action.

    Raises:
        NotFoundError: No case has this id.
    """
    case = draws.found(reading, case_id) if isinstance(case_id, str) else None
    if case is None:
        raise NotFoundError(f"expected the id of a case, got `{case_id!s:.100}`; `agentguard reviews list` has them")
    return case, recorded.found(reading, case.action_id)


def opinions_on(reading: Reading, case: ReviewCase) -> list[Entry]:
    """Return the entries of the opinions on a case, the first one first."""
    return [item for item in reading.entries_of(case.action_id) if _is_about(item, REVIEWED, case)]


def has_opened(reading: Reading, case: ReviewCase, by: str) -> bool:
    """Return whether somebody looked at what was decided."""
    looks = [item for item in reading.entries_of(case.action_id) if _is_about(item, OPENED, case)]
    return one_spelling(by) in [one_spelling(item.document["by"]) for item in looks]


def require_stranger(parts: Parts, action: ActionRecord, by: str) -> None:
    """Refuse whoever had a part in an action: as who acts, as who runs the agent, or as the customer.

    Raises:
        PowerRefusedError: They had.
    """
    people: People | None = parts.directory.people()
    user = None if people is None else people.named(by)
    if asked_for(parts, action, user or User(by, by, frozenset({by}))):
        raise PowerRefusedError(
            OWN_REQUEST, f"`{by}` had a part in this action and may not judge it; somebody else has to"
        )


def _is_about(item: Entry, kind: str, case: ReviewCase) -> bool:
    return item.kind == kind and item.document.get("review") == case.id


def _decided(reading: Reading, case: ReviewCase) -> Mapping[str, Any]:
    item = reading.entry(case.entry)
    body = {} if item is None else item.document
    if "verdict" not in body:
        raise UsageError(f"expected a case whose record is there, got `{case.id}`: it was purged, as its time was over")
    return body


def _written(
    parts: Parts,
    transaction: Transaction,
    permit: Permit,
    opinion: Opinion,
    *,
    case: ReviewCase,
    action: ActionRecord,
    decided: Mapping[str, Any],
    before: list[Entry],
) -> Judgement:
    right = opinion.should == decided["verdict"] if opinion.should is not None else opinion.verdict == RIGHT
    verdict = RIGHT if right else WRONG
    blind = opinion.should is not None and not has_opened(transaction, case, permit.by)
    said = [*(item.document["verdict"] for item in before if "verdict" in item.document), verdict]
    counts = reviews.opinion(said) or WRONG
    severity = None if right else opinion.severity
    version = decided["policies"][case.policy]["version"]
    written = transaction.append(
        {
            "tenant": action.tenant,
            "kind": REVIEWED,
            "action_id": action.id,
            "action": action.action,
            "on_behalf_of": action.on_behalf_of,
            "review": case.id,
            "policy": case.policy,
            "version": version,
            "decision_entry": case.entry,
            "decided": decided["verdict"],
            "should": opinion.should,
            "verdict": verdict,
            "severity": severity,
            "blind": blind,
            "opinion": len(said),
            "counts": counts,
            "reason_code": opinion.said.reason_code,
            "note": sealed_note(parts, transaction, action, PLACE, opinion.said.note),
            "drawn_at": time_text(case.drawn_at),
            **permit.recorded(),
        }
    )
    draws.judge(transaction, case.id, counts)
    return Judgement(
        review=case.id,
        action_id=action.id,
        decided=decided["verdict"],
        verdict=verdict,
        counts=counts,
        severity=severity,
        blind=blind,
        opinions=len(said),
        entry=written.pos,
        remedy="" if right else _remedy(parts, transaction, action, decided),
    )


def _remedy(parts: Parts, reading: Reading, action: ActionRecord, decided: Mapping[str, Any]) -> str:
    """Return what can be done about a decision that was wrong."""
    if entry.is_observed(decided):
        return "it was only observed: correct the policy before it is enforced"
    if decided["verdict"] == "deny":
        until = contesting.contest_until(parts, reading, action)
        if until is None:
            return "nobody can contest the denial any more: let a person do what was asked, and record that"
        how = f"`agentguard escalations contest {action.id}`"
        return f"the customer may contest the denial until {time_text(until)}: {how}"
    state = "it was carried out" if action.state == "settled" else f"it is {action.state}"
    return f"{state}: undo it where that is possible, record that it relates to {action.id}, and correct the policy"
