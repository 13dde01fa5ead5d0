"""From what a host and a model say to one canonical request, with what it takes to record it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from agentguard.core.arguments import Arguments, Fault, canonical_arguments
from agentguard.core.digest import canonical_bytes, encode
from agentguard.core.language import Declared, Text, Value, conform
from agentguard.core.needs import what_is_asked
from agentguard.core.plan import Plan
from agentguard.core.request import FOR_PEOPLE, SUMMARY, Actor, ActorKind, Fact, FactStatus, Request
from agentguard.engine.parts import Parts
from agentguard.errors import ConformError, UsageError
from agentguard.store.records import ActionKey, Sealed

Given = Mapping[str, Any] | str | bytes
"""What a model or a host gives as arguments: by name, or as raw JSON text."""

NOTHING: Mapping[str, Any] = MappingProxyType({})

CONVERSATION = "context.conversation"
CUSTOMARY_CONTEXT = frozenset({CONVERSATION, "context.channel", "context.language"})
MAX_SUMMARY_CHARACTERS = 8_000
MAX_LINK_CHARACTERS = 2_000
MAX_NAME_CHARACTERS = 200
ACTOR_KINDS = frozenset(ActorKind)
MAY_BE_NONE = frozenset(
    ("key", "relates_to", "agent.version", "agent.model", "agent.prompt_digest", "agent.tools_digest", "agent.operator")
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the host passed to `run`, `propose` or `decide`, checked for the host's own mistakes only."""

    action: str
    arguments: Given
    actor: Actor
    on_behalf_of: str
    context: Mapping[str, Any]
    key: str | None
    tenant: str
    relates_to: str | None = None

    def __post_init__(self) -> None:
        actor = self.actor
        if not isinstance(self.context, Mapping):
            raise UsageError(f"expected `context` as a mapping, got {type(self.context).__name__}")
        for name, value in (
            ("action", self.action),
            ("context.conversation", self.conversation),
            ("agent", actor.id),
            ("on_behalf_of", self.on_behalf_of),
            ("tenant", self.tenant),
            ("key", self.key),
            ("relates_to", self.relates_to),
            ("agent.version", actor.version),
            ("agent.model", actor.model),
            ("agent.prompt_digest", actor.prompt_digest),
            ("agent.tools_digest", actor.tools_digest),
            ("agent.operator", actor.operator),
        ):
            if value is None and name in MAY_BE_NONE:
                continue
            if not isinstance(value, str) or len(value) > MAX_NAME_CHARACTERS or not value.isprintable():
                raise UsageError(f"expected `{name}` as printable text of at most {MAX_NAME_CHARACTERS} characters")
        for name, value in (("action", self.action), ("agent", actor.id), ("tenant", self.tenant)):
            if not value:
                raise UsageError(f"expected `{name}` as text, got nothing")
        if self.key == "":
            raise UsageError("expected `key` as text or None, got empty text; an empty key would name every action")
        if self.actor.kind not in ACTOR_KINDS:
            raise UsageError(f"expected `agent.kind` as one of {', '.join(ActorKind)}, got another one")
        # One spelling for one name: the same customer or agent in two spellings would have two budgets and two stops.
        if not (self.on_behalf_of.isascii() and actor.id.isascii()):
            object.__setattr__(self, "on_behalf_of", unicodedata.normalize("NFC", self.on_behalf_of))
            object.__setattr__(self, "actor", replace(actor, id=unicodedata.normalize("NFC", actor.id)))

    @property
    def keys(self) -> tuple[ActionKey, ...]:
        """What its action is looked up by, if it was given."""
        return () if self.key is None else (ActionKey(self.tenant, self.actor.id, self.conversation, self.key),)

    @property
    def conversation(self) -> str:
        """The conversation this happens in, or empty."""
        given = self.context.get("conversation", "")
        return given if isinstance(given, str) else ""


def proposed(
    action: str,
    arguments: Given,
    agent: str | Actor,
    on_behalf_of: str,
    context: Mapping[str, Any] | None,
    key: str | None,
    tenant: str,
    relates_to: str | None = None,
) -> Proposal:
    """Return what a host passed to the guard as a proposal.

    Raises:
        UsageError: The host's own part of it is wrong.
    """
    who = agent if isinstance(agent, Actor) else Actor(agent)
    return Proposal(action, arguments, who, on_behalf_of, context or {}, key, tenant, relates_to)


class Ask(NamedTuple):
    """One canonical request.

    Attributes:
        action_id: The id that its record has or will have.
        digest: Keyed digest of what was asked: the same key with another digest is a conflict (law 3).
        given: What the model sent, as it sent it.
        encoded: The canonical arguments as JSON.
        faults: What is wrong with the arguments; the request then has none.
        sealed: Personal arguments and context, encrypted, by place.
    """

    action_id: str
    request: Request
    pseudonym: str
    digest: str
    given: Mapping[str, Any] | str | bytes
    plan: Plan
    encoded: Mapping[str, Any] = NOTHING
    faults: tuple[Fault, ...] = ()
    sealed: Mapping[str, Sealed] = NOTHING
    relates_to: str | None = None

    @property
    def conversation(self) -> str:
        """The conversation part of the key, or empty."""
        return str(self.request.context.get(CONVERSATION, ""))


def read_arguments(parts: Parts, proposal: Proposal, plan: Plan) -> Arguments:
    """Return the canonical arguments of a proposal, or what is wrong with them."""
    tool = parts.registry.tools.get(proposal.action)
    return canonical_arguments(plan.asked, proposal.arguments, tool.signature.defaults if tool else None)


def request_of(
    proposal: Proposal,
    plan: Plan,
    known_context: frozenset[str],
    arguments: Mapping[str, Value],
    *,
    key: str,
    asked_at: datetime,
) -> Request:
    """Return the request that a proposal makes with its canonical arguments.

    Raises:
        UsageError: The host's context is not what the policies declare.
    """
    return Request(
        tenant=proposal.tenant,
        actor=proposal.actor,
        on_behalf_of=proposal.on_behalf_of,
        action=proposal.action,
        arguments=arguments,
        context=_context(proposal.context, plan.context, known_context),
        key=key,
        asked_at=asked_at,
    )


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
    parsed = read_arguments(parts, proposal, plan)
    encoded = {name: encode(value) for name, value in parsed.values.items()}
    asked = what_is_asked(proposal.action, proposal.on_behalf_of, encoded)
    if parsed.faults:
        del asked["arguments"]
        asked["input"] = raw_text(proposal.arguments)
    digest = parts.keyed_value(asked)
    key = proposal.key or _derived_key(proposal, digest)
    request = request_of(proposal, plan, known_context, parsed.values, key=key, asked_at=asked_at or now)
    pseudonym = parts.vault.pseudonym(request.tenant, request.on_behalf_of)
    identity = action_id or parts.new_id("act", now)
    return Ask(
        action_id=identity,
        request=request,
        pseudonym=pseudonym,
        digest=digest,
        given=proposal.arguments,
        plan=plan,
        encoded=encoded,
        faults=parsed.faults,
        sealed=seal_request(parts, plan, request, pseudonym, identity),
        relates_to=proposal.relates_to,
    )


def seal_request(parts: Parts, plan: Plan, request: Request, pseudonym: str, action_id: str) -> dict[str, Sealed]:
    """Return the personal arguments and context of a request, encrypted under the customer's key, by place."""
    if not plan.personal and FOR_PEOPLE.isdisjoint(request.context):
        return {}
    given = {**{f"arguments.{name}": value for name, value in request.arguments.items()}, **request.context}
    personal = {place: value for place, value in given.items() if place in plan.personal or place in FOR_PEOPLE}
    return {place: _seal(parts, pseudonym, place, value, action_id) for place, value in personal.items()}


def seal_facts(parts: Parts, asked: Ask, facts: Mapping[str, Fact]) -> dict[str, Sealed]:
    """Return the personal facts that were read, encrypted under the customer's key, by place."""
    personal = asked.plan.personal
    return {
        place: _seal(parts, asked.pseudonym, place, fact.value, asked.action_id)
        for name, fact in facts.items()
        if (place := f"facts.{name}") in personal and fact.status is FactStatus.VALUE and fact.value is not None
    }


def _seal(parts: Parts, pseudonym: str, place: str, value: Value, action_id: str) -> Sealed:
    return parts.vault.seal(pseudonym, place, canonical_bytes(encode(value)), action_id)


def raw_text(arguments: Mapping[str, Any] | str | bytes) -> str:
    """Return what a model sent as text that a digest can be made of."""
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
        elif name in FOR_PEOPLE:
            values[name] = _for_people(name, value)
        elif name in CUSTOMARY_CONTEXT:
            values[name] = _text(short, value)
        elif name not in known:
            shown = ", ".join(sorted(item.removeprefix("context.") for item in known | CUSTOMARY_CONTEXT | FOR_PEOPLE))
            raise UsageError(f"no policy in force declares context `{short}`; what is known: {shown}")
    return values


def _for_people(name: str, given: object) -> str:
    """Return a summary, cut where it is too long for a person to read, or a link that a page may show as one."""
    if name == SUMMARY:
        if isinstance(given, str) and len(given) > MAX_SUMMARY_CHARACTERS:
            given = f"{given[:MAX_SUMMARY_CHARACTERS]} […]"
        return _text("summary", given)
    link = _text("link", given)
    if not link.startswith(("https://", "http://")) or not link.isprintable() or len(link) > MAX_LINK_CHARACTERS:
        raise UsageError(
            f"expected context `link` as an address like `https://…` of at most {MAX_LINK_CHARACTERS} characters, "
            f"got `{link[:60]}`"
        )
    return link


def _text(short: str, value: object) -> str:
    try:
        return str(conform(Text(), value))
    except ConformError as error:
        raise UsageError(f"expected context `{short}` as text, got {type(value).__name__}: {error}") from error
