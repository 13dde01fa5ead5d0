"""Rows of actions and the answers kept in them, so that the same key gets the first outcome again (law 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from agentguard.core import entry
from agentguard.core.decision import Decision, Reason
from agentguard.core.digest import canonical_bytes
from agentguard.core.lifecycle import State
from agentguard.core.policy import Disclose, Verdict
from agentguard.core.request import Actor
from agentguard.engine.answers import Answer, Denied, Done, InDoubt, NotDone, Ready, Unavailable
from agentguard.engine.asking import Ask, raw_text
from agentguard.engine.parts import Parts
from agentguard.errors import ClockError, NotFoundError, StoreUnavailableError, UsageError
from agentguard.log import get_logger
from agentguard.store import Reading
from agentguard.store.records import ActionRecord, EntryRef

log = get_logger("guard")

UNBOUNDED = timedelta(hours=1)
"""The deadline of a tool that is run without a timeout: after it, a process that has died is found out."""

VERDICTS = {str(verdict): verdict for verdict in Verdict}
DISCLOSURES = {str(disclose): disclose for disclose in Disclose}


def new_record(asked: Ask, effect: str, **more: Any) -> ActionRecord:
    """Return the row of an action that was not seen before, with what its first decision made of it."""
    request = asked.request
    sealed = {place.removeprefix("arguments."): item.digest for place, item in asked.sealed.items()}
    arguments = {name: {"sealed": sealed[name]} if name in sealed else value for name, value in asked.encoded.items()}
    return ActionRecord(
        id=asked.action_id,
        tenant=request.tenant,
        agent=request.actor.id,
        conversation=asked.conversation,
        key=request.key,
        action=request.action,
        request_digest=asked.digest,
        request=_actor_text(request.actor),
        arguments=canonical_bytes(arguments).decode(),
        on_behalf_of=asked.pseudonym,
        asked_at=request.asked_at,
        effect=effect,
        relates_to=asked.relates_to,
        **more,
    )


@lru_cache(maxsize=256)
def _actor_text(who: Actor) -> str:
    return canonical_bytes(entry.actor(who)).decode()


def answer_text(decision: Decision, answer: Answer | None, written: EntryRef, *, observed: bool = False) -> str:
    """Return what to answer again under the same key, as canonical JSON."""
    return document_text(
        say=heard(decision, observed=observed),
        language=decision.language,
        reasons=decision.reasons,
        written=written,
        problems=answer.problems if isinstance(answer, Denied) else (),
        would_be=str(decision.verdict) if observed else "",
    )


def heard(decision: Decision, *, observed: bool) -> str:
    """Return the words for the customer that are true: those for a refusal are not, where nothing is refused."""
    return "" if observed and not decision.permits else decision.heard


def document_text(
    *,
    reasons: Sequence[Reason],
    written: EntryRef,
    say: str = "",
    language: str = "",
    problems: Sequence[str] = (),
    error: str = "",
    result_kept: bool = True,
    amended: str = "",
    would_be: str = "",
) -> str:
    """Return the kept part of an answer as canonical JSON.

    `amended` is the action that took this one's place, `would_be` a verdict that was not enforced.
    """
    document = {
        "say": say,
        "language": language,
        "reasons": [
            {
                "code": reason.code,
                "source": reason.source,
                "verdict": str(reason.verdict),
                "route": reason.route,
                "because": reason.because,
                "disclose": str(reason.disclose),
                "detail": reason.detail,
            }
            for reason in reasons
        ],
        "entry": written.pos,
        "leaf": written.leaf,
        "problems": list(problems),
        "error": error,
        "result_kept": result_kept,
    }
    rest = {"amended": amended, "would_be": would_be}
    return text_of({**document, **{name: value for name, value in rest.items() if value}})


def changed_text(record: ActionRecord, written: EntryRef, **changes: Any) -> str:
    """Return a kept answer after one more entry."""
    return text_of(changed(record, written, **changes))


def changed(record: ActionRecord, written: EntryRef, **changes: Any) -> dict[str, Any]:
    """Return the kept part of a row's answer after one more entry."""
    return {**kept(record), "entry": written.pos, "leaf": written.leaf, **changes}


def text_of(document: dict[str, Any]) -> str:
    """Return the kept part of an answer as canonical JSON."""
    return canonical_bytes(document).decode()


def kept(record: ActionRecord) -> dict[str, Any]:
    """Return the kept part of a row's answer."""
    document = orjson.loads(record.answer) if record.answer else {}
    return document if isinstance(document, dict) else {}


def reasons_of(document: dict[str, Any]) -> tuple[Reason, ...]:
    """Return the reasons that a kept answer or an entry holds."""
    return tuple(
        Reason(
            code=item["code"],
            source=item["source"],
            verdict=VERDICTS[item["verdict"]],
            route=item["route"],
            because=item["because"],
            disclose=DISCLOSURES[item["disclose"]],
            detail=item["detail"],
        )
        for item in document.get("reasons", ())
    )


def found(reading: Reading, action_id: object) -> ActionRecord:
    """Return an action.

    Raises:
        NotFoundError: None has this id.
    """
    record = reading.action(action_id) if isinstance(action_id, str) else None
    if record is None:
        raise not_found(action_id)
    return record


def whole(reading: Reading, action_id: object) -> ActionRecord:
    """Return an action whose record is still there.

    Raises:
        NotFoundError: None has this id.
        UsageError: Its record was purged.
    """
    record = found(reading, action_id)
    if kept(record).get("purged"):
        raise UsageError(f"expected an action whose record is there, got `{record.id}`, which was purged in its time")
    return record


def not_found(action_id: object) -> NotFoundError:
    """Return what is raised where no action has an id, or it is somebody else's."""
    return NotFoundError(f"expected the id of an action, got `{action_id!s:.100}`, which none has")


def common(record: ActionRecord) -> dict[str, Any]:
    """Return what every answer about a row says."""
    return _common(record, kept(record))


def _common(record: ActionRecord, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "decision_id": record.id,
        "action": record.action,
        "say": document.get("say", ""),
        "language": document.get("language", ""),
        "reasons": reasons_of(document),
        "entry": document.get("entry"),
        "leaf": document.get("leaf", ""),
        "would_be": VERDICTS.get(document.get("would_be", "")),
    }


def ended(record: ActionRecord, result: Any = None, *, replayed: bool) -> Answer:
    """Return the answer of an action whose effect came to an end, or is in doubt.

    Raises:
        ValueError: The action is not there yet.
    """
    return came_to(record, record.state, kept(record), result, replayed=replayed)


def came_to(
    record: ActionRecord, state: State, document: dict[str, Any], result: Any = None, *, replayed: bool
) -> Answer:
    """Return the answer of an action that is about to come to an end, from what is kept of its answer.

    Raises:
        ValueError: The action is not there yet.
    """
    shared = {**_common(record, document), "replayed": replayed}
    match state:
        case State.SETTLED:
            return Done(result=result, result_kept=document.get("result_kept", True), **shared)
        case State.RELEASED:
            return NotDone(error=document.get("error", ""), **shared)
        case State.IN_DOUBT:
            return InDoubt(error=document.get("error", ""), **shared)
        case State.DENIED:
            return Denied(problems=tuple(document.get("problems", ())), **shared)
        case _:
            raise ValueError(state)


def ready(asked: Ask, decision: Decision, written: EntryRef, until: datetime, *, observed: bool = False) -> Ready:
    """Return the answer of an action that is allowed and held, not begun."""
    return Ready(
        decision_id=asked.action_id,
        action=asked.request.action,
        say=heard(decision, observed=observed),
        language=decision.language,
        reasons=decision.reasons,
        entry=written.pos,
        leaf=written.leaf,
        would_be=decision.verdict if observed else None,
        until=until,
    )


def refused_entry(
    parts: Parts,
    asked: Ask,
    reasons: tuple[Reason, ...],
    before: ActionRecord | None,
    *,
    say: str = "",
    language: str = "",
) -> dict[str, Any]:
    """Return the entry of a request that was refused before any rule looked at it."""
    fence = 0 if before is None else before.fence
    state = State.DENIED if before is None else before.state
    attempt = 0 if before is None else before.attempt
    return entry.refused(
        asked.action_id,
        asked.request,
        asked.pseudonym,
        reasons,
        standing=entry.Standing(state, fence, attempt),
        bundle=asked.plan.bundle_digest,
        versions=parts.versions,
        input_digest=parts.keyed(raw_text(asked.given)),
        say=say,
        language=language,
    )


def with_entry(answer: Answer, written: EntryRef) -> Answer:
    """Return an answer that names its entry."""
    return replace(answer, entry=written.pos, leaf=written.leaf)


def not_now(action_id: str, action: str, cause: str) -> Unavailable:
    """Return the answer of an action about which nothing could be decided or stored now."""
    return Unavailable(decision_id=action_id, action=action, cause=cause)


def unavailable(action_id: str, action: str, error: StoreUnavailableError) -> Unavailable:
    """Return the answer of an action that the store, or its clock, let nobody decide or begin."""
    log.warning("guard.unavailable", action=action, error=error.code, reason=str(error))
    if isinstance(error, ClockError):
        return not_now(action_id, action, "clock")
    return not_now(action_id, action, "store")


def ready_again(record: ActionRecord) -> Ready:
    """Return the answer of an action that was allowed before and still is held."""
    return Ready(**common(record), replayed=True, until=record.lease_until or record.asked_at)


def about(record: ActionRecord, standing: entry.Standing) -> dict[str, Any]:
    """Return what every entry of an action says, from its row."""
    return {
        "tenant": record.tenant,
        "action_id": record.id,
        "action": record.action,
        "key": record.key,
        "actor": orjson.loads(record.request),
        "on_behalf_of": record.on_behalf_of,
        **entry.stands(standing),
    }
