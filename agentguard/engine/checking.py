"""What became of an action, for whoever asked for it: only looked up, nothing is decided, run or stored."""

from __future__ import annotations

from dataclasses import replace

from agentguard.core.lifecycle import FINAL, State
from agentguard.engine import escalating, recorded
from agentguard.engine.answers import Answer, Denied, InDoubt
from agentguard.engine.contesting import upheld_as
from agentguard.engine.parts import Parts
from agentguard.engine.results import read_result
from agentguard.store import Reading
from agentguard.store.records import ActionRecord

MOST_PENDING = 100


class Checking:
    """Looks up the answers of one guard's actions."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def check(self, decision_id: str, *, on_behalf_of: str | None = None, tenant: str | None = None) -> Answer:
        """Return how an action stands, by the `decision_id` of an earlier answer; stores nothing and runs nothing.

        An action that is being decided or carried out right now is `InDoubt` with the error `in_progress`. What an
        approver changed answers as the action that took its place.

        Args:
            decision_id: Of which action.
            on_behalf_of: Only if it is this customer's; None for anybody's.
            tenant: Only if it is of these records; None for any.

        Raises:
            NotFoundError: No action has this id, or it is another customer's.
        """
        return self._parts.store.read(lambda reading: self._found(reading, decision_id, on_behalf_of, tenant))

    def pending(self, on_behalf_of: str, tenant: str) -> tuple[Answer, ...]:
        """Return how each action of a customer stands that has not come to its end, the newest first.

        Raises:
            StoreUnavailableError: The keys by which customers are found are not at hand.
        """

        def read(reading: Reading) -> tuple[Answer, ...]:
            """Look them up in one state of the store."""
            self._parts.require_keys(reading)
            customer = self._parts.vault.name_of(tenant, on_behalf_of)
            found = reading.actions_for(customer, MOST_PENDING, states=frozenset(State) - FINAL)
            return tuple(self._found(reading, record.id, None, tenant) for record in found)

        return self._parts.store.read(read) if on_behalf_of else ()

    def _found(self, reading: Reading, decision_id: str, on_behalf_of: str | None, tenant: str | None) -> Answer:
        record = recorded.found(reading, decision_id)
        if not self._is_of(record, on_behalf_of, tenant):
            raise recorded.not_found(decision_id)
        match record.state:
            case State.WAITING:
                return self._waiting(reading, record)
            case State.READY:
                return recorded.ready_again(record)
            case State.EXECUTING | State.PROPOSED:
                return InDoubt(**recorded.common(record), replayed=True, error="in_progress")
            case State.DENIED if instead := recorded.kept(record).get("amended"):
                return self._found(reading, instead, on_behalf_of, tenant)
            case State.SETTLED:
                tool = self._parts.registry.tools.get(record.action)
                result = read_result(self._parts, tool, reading.result(record.id), record.id)
                return recorded.ended(record, result, replayed=True)
            case State.DENIED:
                return self._denied(reading, record)
            case _:
                return recorded.ended(record, replayed=True)

    def _denied(self, reading: Reading, record: ActionRecord) -> Answer:
        """Return the denial, which stands, with what people made of it where the customer contested it."""
        answer = recorded.ended(record, replayed=True)
        return replace(answer, upheld_as=upheld_as(reading, record.id)) if isinstance(answer, Denied) else answer

    def _is_of(self, record: ActionRecord, on_behalf_of: str | None, tenant: str | None) -> bool:
        if tenant is not None and record.tenant != tenant:
            return False
        if on_behalf_of is None:
            return True
        return record.on_behalf_of == (on_behalf_of and self._parts.vault.name_of(record.tenant, on_behalf_of))

    def _waiting(self, reading: Reading, record: ActionRecord) -> Answer:
        escalated = reading.escalation(record.escalation or "")
        if escalated is None:
            return recorded.not_now(record.id, record.action, "in_progress")
        return escalating.still_waiting(record, escalated)
