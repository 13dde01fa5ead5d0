"""Steps 6 and 7 in one transaction: settle, release, or keep the hold, with the state and the entry (laws 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from agentguard.core import entry
from agentguard.core.digest import encode
from agentguard.core.language import Value
from agentguard.core.lifecycle import State
from agentguard.engine import recorded
from agentguard.engine.added_accounts import added_accounts
from agentguard.engine.answers import Answer, InDoubt
from agentguard.engine.asking import seal_request
from agentguard.engine.effect import Outcome, OutcomeKind
from agentguard.engine.freeing import free, free_what_waited
from agentguard.engine.parts import Parts
from agentguard.engine.remembering import remember
from agentguard.engine.results import KeptResult, keep_result
from agentguard.engine.undertaking import Undertaking
from agentguard.errors import AgentGuardError
from agentguard.log import get_logger
from agentguard.store import Transaction
from agentguard.store.records import ActionRecord, EntryRef, Sealed

log = get_logger("finish")

MAX_REFERENCE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Report:
    """What became of an undertaking, prepared outside the transaction: amounts, reference and the sealed result.

    Attributes:
        amounts: What really happened by account; accounts that are not here settle at what was held.
        real: Arguments that really had another value, as the tool's `settles` told; personal ones are in `sealed` too.
        problems: What the tool's `settles` or `reference` got wrong; the effect has happened all the same.
        by, why: The person who settled a doubt, where it was one; `power` is by which power, and who else said so.
    """

    outcome: Outcome
    amounts: Mapping[str, int] = field(default_factory=dict)
    real: Mapping[str, Value] = field(default_factory=dict)
    sealed: Mapping[str, Sealed] = field(default_factory=dict)
    reference: str | None = None
    result: KeptResult = field(default_factory=KeptResult)
    problems: tuple[str, ...] = ()
    by: str | None = None
    why: str | None = None
    power: Mapping[str, Any] = field(default_factory=dict)


def report(parts: Parts, begun: Undertaking, outcome: Outcome, **more: Any) -> Report:
    """Return a report of an outcome; mistakes in the host's own functions never hide that something was done."""
    if outcome.kind is not OutcomeKind.DONE:
        return Report(outcome, **more)
    problems: list[str] = []
    settled: dict[str, Any] = {}
    reference = None
    if begun.tool.settles is not None and outcome.result is not None:
        try:
            settled = _settled(parts, begun, begun.tool.settles(outcome.result))
        except Exception as error:  # noqa: BLE001 - it is done: what was held is what is posted, and an alarm says so
            problems.append(f"settles: {type(error).__name__}")
    if begun.tool.reference is not None and outcome.result is not None:
        try:
            reference = _storable(str(begun.tool.reference(outcome.result))[:MAX_REFERENCE_CHARACTERS])
        except Exception as error:  # noqa: BLE001 - the same
            problems.append(f"reference: {type(error).__name__}")
    for problem in problems:
        log.error("action.report_incomplete", action=begun.request.action, action_id=begun.action_id, problem=problem)
    kept = keep_result(parts, begun, outcome.result)
    return Report(outcome, reference=reference, result=kept, problems=tuple(problems), **settled, **more)


def _storable(text: str) -> str:
    # What was done must be written down, and not every database keeps every character.
    return text if text.isprintable() else "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def _settled(parts: Parts, begun: Undertaking, given: Mapping[str, Any]) -> dict[str, Any]:
    real = begun.real_values(given)
    amounts = begun.settled_amounts(parts, real)
    told = replace(begun.request, arguments=real, context={})
    sealed = seal_request(parts, begun.plan, told, begun.pseudonym, begun.action_id)
    return {"amounts": amounts, "real": real, "sealed": sealed}


@dataclass(frozen=True, slots=True)
class Finishing:
    """The end of an undertaking, as a unit of work that may be run again; gives the answer for the caller."""

    parts: Parts
    begun: Undertaking
    report: Report

    def __call__(self, transaction: Transaction) -> Answer:
        """Write what became of it; a report under an old fence is written down and moves nothing that is newer."""
        record = transaction.action(self.begun.action_id)
        if record is None:
            raise AgentGuardError(f"action `{self.begun.action_id}` has begun but is not in the store")
        if record.state is State.EXECUTING and record.fence != self.begun.standing.fence:
            return self._late(transaction, record)
        kind = self._known(record)
        if kind is OutcomeKind.DONE and record.state in (State.EXECUTING, State.IN_DOUBT, State.RELEASED):
            return self._settle(transaction, record)
        if kind is OutcomeKind.NOT_DONE and record.state in (State.EXECUTING, State.IN_DOUBT):
            return self._release(transaction, record)
        if kind is OutcomeKind.UNKNOWN and record.state is State.EXECUTING:
            return self._doubt(transaction, record)
        return self._late(transaction, record)

    def _known(self, record: ActionRecord) -> OutcomeKind:
        """Return what a report says of the action: of several attempts one can only say that it did nothing itself."""
        kind = self.report.outcome.kind
        alone = record.attempt <= 1 or self.report.by is not None
        return OutcomeKind.UNKNOWN if kind is OutcomeKind.NOT_DONE and not alone else kind

    def _settle(self, transaction: Transaction, record: ActionRecord) -> Answer:
        alarm = record.state is State.RELEASED
        if alarm:
            log.error("action.done_after_release", action=record.action, action_id=record.id)
        added = added_accounts(self.parts, transaction, self.begun, record, self.report.real)
        amounts = {**dict(self.begun.holds.values()), **self.report.amounts, **added.held}
        freed = free(self.parts, transaction, record, partial(self.begun.values, self.report.real))
        written = transaction.append(
            self._entry(
                record,
                State.SETTLED,
                "settled",
                settled={**amounts, **{account: amount for account, (_, amount) in added.unheld.items()}},
                real_values=self._real_values(transaction),
                external_reference=self.report.reference,
                result=self.report.result.digest,
                result_kept=self.report.result.kept,
                alarm=alarm or bool(self.report.problems),
                problems=list(self.report.problems),
                **({"freed": freed} if freed else {}),
            )
        )
        transaction.settle(record.id, amounts)
        for account, (unit, amount) in added.unheld.items():
            transaction.post(record.id, account, unit, amount)
        if record.state is State.IN_DOUBT:
            free_what_waited(transaction, record)
        answer = recorded.changed(record, written, result_kept=self.report.result.kept, error="")
        transaction.move(
            record.id,
            record.state,
            record.fence,
            State.SETTLED,
            answer=recorded.text_of(answer),
            external_reference=self.report.reference,
        )
        remember(self.parts, transaction, record.id, self.begun.request, written.pos)
        if self.report.result.sealed is not None:
            transaction.store_result(record.id, self.report.result.sealed)
        return recorded.came_to(record, State.SETTLED, answer, self.report.outcome.result, replayed=False)

    def _real_values(self, transaction: Transaction) -> dict[str, Any]:
        """Return the real values as the entry keeps them: what a later limit would have counted."""
        names = {place: transaction.store_sealed(item.packed) for place, item in self.report.sealed.items()}
        places = {name: f"arguments.{name}" for name in self.report.real}
        return {
            name: {"sealed": names[places[name]]} if places[name] in names else encode(value)
            for name, value in self.report.real.items()
        }

    def _release(self, transaction: Transaction, record: ActionRecord) -> Answer:
        if record.attempt > 1 and self._was_reported_done(transaction, record):
            return self._late(transaction, record)
        written = transaction.append(self._entry(record, State.RELEASED, "released"))
        transaction.release(record.id)
        return self._moved(transaction, record, State.RELEASED, written)

    def _doubt(self, transaction: Transaction, record: ActionRecord) -> Answer:
        written = transaction.append(self._entry(record, State.IN_DOUBT, "in_doubt"))
        return self._moved(transaction, record, State.IN_DOUBT, written)

    def _moved(self, transaction: Transaction, record: ActionRecord, state: State, written: EntryRef) -> Answer:
        answer = recorded.changed(record, written, error=self.report.outcome.error)
        transaction.move(
            record.id, record.state, record.fence, state, answer=recorded.text_of(answer), lease_until=None
        )
        return recorded.came_to(record, state, answer, replayed=False)

    def _late(self, transaction: Transaction, record: ActionRecord) -> Answer:
        alarm = self.report.outcome.kind is OutcomeKind.DONE and record.state is not State.SETTLED
        log.warning("action.late_report", action=record.action, action_id=record.id, alarm=alarm)
        body = self._entry(record, record.state, "late_report", alarm=alarm)
        written = transaction.append({**body, "reported_fence": self.begun.standing.fence})
        if record.state is State.EXECUTING:
            return recorded.with_entry(InDoubt(**recorded.common(record)), written)
        return recorded.with_entry(recorded.ended(record, replayed=False), written)

    def _was_reported_done(self, transaction: Transaction, record: ActionRecord) -> bool:
        documents = (item.document for item in transaction.entries_of(record.id) if item.kind == "late_report")
        return any(document.get("outcome") == OutcomeKind.DONE for document in documents)

    def _entry(self, record: ActionRecord, state: State, kind: str, **more: Any) -> dict[str, Any]:
        standing = entry.Standing(state, record.fence, record.attempt, record.deadline)
        return entry.moved(
            kind,
            self.begun.about(standing),
            outcome=str(self.report.outcome.kind),
            error=self.report.outcome.error,
            by=self.report.by,
            why=self.report.why,
            **self.report.power,
            decision_entry=self.begun.position,
            **more,
        )
