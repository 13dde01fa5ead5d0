"""From what a host and a model say to one canonical request, with what it takes to record it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from agentguard.core.arguments import Arguments, Fault, canonical_arguments
from agentguard.core.digest import canonical_bytes, encode
from agentguard.core.language import Declared, Text, Value, conform
from agentguard.core.plan import Plan
from agentguard.core.request import Actor, ActorKind, Fact, FactStatus, Request
from agentguard.engine.parts import Parts
from agentguard.errors import ConformError, UsageError
from agentguard.store.records import Sealed

CONVERSATION = "context.conversation"
CUSTOMARY_CONTEXT = frozenset({CONVERSATION, "context.channel", "context.language"})
MAX_NAME_CHARACTERS = 200
ACTOR_TEXTS = ("version", "model", "prompt_digest", "tools_digest")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the host passed to `run`, `propose` or `decide`, checked for the host's own mistakes only."""

    action: str
    arguments: Mapping[str, Any] | str | bytes
    actor: Actor
    on_behalf_of: str
    context: Mapping[str, Any]
    key: str | None
    tenant: str
    relates_to: str | None = None

    def __post_init__(self) -> None:
        named: dict[str, object] = {
            "action": self.action,
            "agent": self.actor.id,
            "on_behalf_of": self.on_behalf_of,
            "tenant": self.tenant,
            "key": "" if self.key is None else self.key,
            "relates_to": "" if self.relates_to is None else self.relates_to,
            **{f"agent.{name}": "" if (given := getattr(self.actor, name)) is None else given for name in ACTOR_TEXTS},
        }
        for name, value in named.items():
            if not isinstance(value, str) or len(value) > MAX_NAME_CHARACTERS or not value.isprintable():
                raise UsageError(f"expected `{name}` as printable text of at most {MAX_NAME_CHARACTERS} characters")
        for name in ("action", "agent", "tenant"):
            if not named[name]:
                raise UsageError(f"expected `{name}` as text, got nothing")
        if self.key == "":
            raise UsageError("expected `key` as text or None, got empty text; an empty key would name every action")
        if self.actor.kind not in frozenset(ActorKind):
            raise UsageError(f"expected `agent.kind` as one of {', '.join(ActorKind)}, got another one")
        if not isinstance(self.context, Mapping):
            raise UsageError(f"expected `context` as a mapping, got {type(self.context).__name__}")
        # One spelling for one name: the same customer or agent in two spellings would have two budgets and two stops.
        object.__setattr__(self, "on_behalf_of", unicodedata.normalize("NFC", self.on_behalf_of))
        object.__setattr__(self, "actor", replace(self.actor, id=unicodedata.normalize("NFC", self.actor.id)))

    @property
    def conversation(self) -> str:
        """The conversation this happens in, or empty."""
        given = self.context.get("conversation", "")
        return given if isinstance(given, str) else ""


@dataclass(frozen=True, slots=True)
class Ask:
    """One canonical request.

    Attributes:
        action_id: The id that its record has or will have.
        digest: Keyed digest of what was asked: the same key with another digest is a conflict (law 3).
        input_digest: Keyed digest of what the model sent, as it sent it.
        faults: What is wrong with the arguments; the request then has none.
        sealed: Personal arguments and context, encrypted, by place.
    """

    action_id: str
    request: Request
    pseudonym: str
    digest: str
    input_digest: str
    plan: Plan
    faults: tuple[Fault, ...] = ()
    sealed: Mapping[str, Sealed] = field(default_factory=dict)
    relates_to: str | None = None

    @property
    def conversation(self) -> str:
        """The conversation part of the key, or empty."""
        return str(self.request.context.get(CONVERSATION, ""))


def read_proposal(
    parts: Parts, proposal: Proposal, plan: Plan, known_context: frozenset[str]
) -> tuple[Request, Arguments]:
    """Return the request without key and time, and its arguments with their faults.

    Raises:
        UsageError: The host's context is not what the policies declare.
    """
    tool = parts.registry.tools.get(proposal.action)
    parsed = canonical_arguments(plan.asked, proposal.arguments, tool.signature.defaults if tool else None)
    request = Request(
        tenant=proposal.tenant,
        actor=proposal.actor,
        on_behalf_of=proposal.on_behalf_of,
        action=proposal.action,
        arguments=parsed.values,
        context=_context(proposal.context, plan.context, known_context),
        key=proposal.key or "",
        asked_at=parts.clock(),
    )
    return request, parsed


def ask(
    parts: Parts,
    proposal: Proposal,
    plan: Plan,
    known_context: frozenset[str],
    *,
    now: datetime,
    action_id: str | None = None,
    asked_at: datetime | None = None,
) -> Ask:
    """Return the canonical form of a proposal.

    Raises:
        UsageError: The context is not what the policies declare, or there is neither a key nor a conversation.
    """
    request, parsed = read_proposal(parts, proposal, plan, known_context)
    raw = _raw_text(proposal.arguments)
    asked: dict[str, Any] = {"action": request.action, "on_behalf_of": request.on_behalf_of}
    if parsed.faults:
        asked["input"] = raw
    else:
        asked["arguments"] = {name: encode(value) for name, value in request.arguments.items()}
    digest = parts.keyed_value(asked)
    request = replace(request, key=proposal.key or _derived_key(proposal, digest), asked_at=asked_at or now)
    pseudonym = parts.vault.pseudonym(request.tenant, request.on_behalf_of)
    identity = action_id or parts.new_id("act", now)
    return Ask(
        action_id=identity,
        request=request,
        pseudonym=pseudonym,
        digest=digest,
        input_digest=parts.keyed(raw),
        plan=plan,
        faults=parsed.faults,
        sealed=seal_request(parts, plan, request, pseudonym, identity),
        relates_to=proposal.relates_to,
    )


def seal_request(parts: Parts, plan: Plan, request: Request, pseudonym: str, action_id: str) -> dict[str, Sealed]:
    """Return the personal arguments and context of a request, encrypted under the customer's key, by place."""
    given = {f"arguments.{name}": value for name, value in request.arguments.items() if plan.arguments[name].personal}
    known = {name for name, declared in plan.context.items() if declared.personal}
    personal = given | {name: value for name, value in request.context.items() if name in known}
    return {place: _seal(parts, pseudonym, place, value, action_id) for place, value in personal.items()}


def seal_facts(parts: Parts, asked: Ask, facts: Mapping[str, Fact]) -> dict[str, Sealed]:
    """Return the personal facts that were read, encrypted under the customer's key, by place."""
    return {
        f"facts.{name}": _seal(parts, asked.pseudonym, f"facts.{name}", fact.value, asked.action_id)
        for name, fact in facts.items()
        if fact.status is FactStatus.VALUE and fact.value is not None and asked.plan.facts[name].personal
    }


def _seal(parts: Parts, pseudonym: str, place: str, value: Value, action_id: str) -> Sealed:
    return parts.vault.seal(pseudonym, place, canonical_bytes(encode(value)), action_id)


def _raw_text(arguments: Mapping[str, Any] | str | bytes) -> str:
    if isinstance(arguments, bytes):
        return arguments.decode(errors="backslashreplace")
    text = arguments if isinstance(arguments, str) else _shown(arguments)
    return text.encode(errors="backslashreplace").decode()  # half characters have no bytes to make a digest of


def _shown(arguments: Any) -> str:
    try:
        return repr(arguments)
    except Exception:  # noqa: BLE001 - too deep, too many digits, or an object that cannot say what it is
        return f"an unreadable {type(arguments).__name__}"


def _derived_key(proposal: Proposal, digest: str) -> str:
    if not proposal.conversation:
        raise UsageError(
            'expected a `key`, or `context={"conversation": …}` to derive one from, got neither; '
            "without a key nobody could tell a repeated call from a second action"
        )
    return f"derived:{digest[:40]}"


def _context(given: Mapping[str, Any], declared: Mapping[str, Declared], known: frozenset[str]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for short, value in given.items():
        name = f"context.{short}"
        if value is None:
            continue
        if name in declared:
            try:
                values[name] = conform(declared[name].type, value)
            except ConformError as error:
                raise UsageError(f"context `{short}`: {error}; it is the host that fills it in") from error
        elif name in CUSTOMARY_CONTEXT:
            values[name] = _text(short, value)
        elif name not in known:
            shown = ", ".join(sorted(item.removeprefix("context.") for item in known | CUSTOMARY_CONTEXT))
            raise UsageError(f"no policy in force declares context `{short}`; what is known: {shown}")
    return values


def _text(short: str, value: object) -> Value:
    try:
        return conform(Text(), value)
    except ConformError as error:
        raise UsageError(f"expected context `{short}` as text, got {type(value).__name__}: {error}") from error
