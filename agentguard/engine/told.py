"""What a customer was really told about an action, word for word; the words are sealed under the customer's key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from agentguard.core import entry
from agentguard.core.digest import canonical_bytes
from agentguard.core.language import Text, conform
from agentguard.core.request import Actor, ActorKind
from agentguard.engine import recorded
from agentguard.engine.asking import ACTOR_KINDS, MAX_NAME_CHARACTERS
from agentguard.engine.parts import Parts
from agentguard.engine.restoring import unsealer
from agentguard.errors import ConformError, KeyConflictError, UsageError
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionRecord, Sealed

TOLD = "told"
PLACE = "told.words"


@dataclass(frozen=True, slots=True)
class Telling:
    """Words that were said to a customer.

    Attributes:
        words: None where the customer's key was destroyed.
        by: Who said them, of the kind `by_kind`: `agent` or `person`.
        channel: Where: `chat`, `letter`; empty if nobody said.
    """

    entry: int
    at: datetime
    words: str | None
    by: str
    by_kind: str
    channel: str


def tell(
    parts: Parts, action_id: str, words: str, *, by: str | Actor, channel: str = "", key: str | None = None
) -> Telling:
    """Record what a customer was told; the same again, or anything again under its key, is recorded once.

    Raises:
        NotFoundError: No action has this id.
        KeyConflictError: Something else was told under this key.
        UsageError: Nothing was said, too much, or by nobody.
    """
    said = spoken(words, by, channel, key)
    digest = parts.keyed_value([said, channel, "" if key is None else key])

    def work(transaction: Transaction) -> Telling:
        """Write down what the customer was told, unless that was done before."""
        action = recorded.whole(transaction, action_id)
        parts.require_keys(transaction)
        before = _before(transaction, action, digest, key)
        if before is not None:
            return next(item for item in told(parts, transaction, action_id) if item.entry == before)
        return _written(parts, transaction, action, said, digest, who=_who(by, action), channel=channel, key=key)

    return parts.store.transact(work)


def told(parts: Parts, reading: Reading, action_id: str) -> Iterator[Telling]:
    """Yield what a customer was told about an action, the first first; without the keys, without the words."""
    unseal = unsealer(parts, reading, action_id) if parts.has_keys(reading) else None
    for item in reading.entries_of(action_id):
        if item.kind == TOLD:
            body = item.document
            words = None if unseal is None else unseal(PLACE, body["words"]["sealed"])
            said = words if isinstance(words, str) else None
            yield Telling(item.pos, item.at, said, body["by"], body["by_kind"], body["channel"])


def _written(
    parts: Parts,
    transaction: Transaction,
    action: ActionRecord,
    words: str,
    digest: str,
    *,
    who: Actor,
    channel: str,
    key: str | None,
) -> Telling:
    sealed: Sealed = parts.vault.seal(action.on_behalf_of, PLACE, canonical_bytes(words), action.id)
    body = entry.moved(
        TOLD,
        recorded.about(action, entry.Standing(action.state, action.fence, action.attempt, action.deadline)),
        by=who.id,
        by_kind=str(who.kind),
        channel=channel,
        telling_key=key,
        words={"sealed": transaction.store_sealed(sealed.packed)},
        words_digest=digest,
        decision_entry=action.decision_entry,
    )
    written = transaction.append(body)
    return Telling(written.pos, transaction.clock().ledger, words, who.id, str(who.kind), channel)


def _before(reading: Reading, action: ActionRecord, digest: str, key: str | None) -> int | None:
    """Return the entry that told the same before."""
    for item in reading.entries_of(action.id):
        if item.kind != TOLD:
            continue
        body = item.document
        if body["words_digest"] == digest:
            return item.pos
        if key is not None and body["telling_key"] == key:
            raise KeyConflictError(
                f"expected the words that were told under the key `{key}` before, got others; what was said stays so"
            )
    return None


def _who(by: str | Actor, action: ActionRecord) -> Actor:
    if isinstance(by, Actor):
        return by
    return Actor(by, kind=ActorKind.AGENT if by == action.agent else ActorKind.PERSON)


def spoken(words: object, by: str | Actor, channel: str, key: str | None) -> str:
    """Return what was said to or by a customer in its normal form.

    Raises:
        UsageError: Nothing was said, too much, by nobody, or the channel or key is no name.
    """
    who = by.id if isinstance(by, Actor) else by
    named: dict[str, object] = {"by": who, "channel": channel or "-", "key": "-" if key is None else key}
    for name, value in named.items():
        if not isinstance(value, str) or not value or len(value) > MAX_NAME_CHARACTERS or not value.isprintable():
            raise UsageError(f"expected `{name}` as printable text of 1 to {MAX_NAME_CHARACTERS} characters")
    if isinstance(by, Actor) and by.kind not in ACTOR_KINDS:
        raise UsageError(f"expected the kind of `by` as one of {', '.join(ActorKind)}, got another one")
    try:
        said = str(conform(Text(), words))
    except ConformError as error:
        raise UsageError(f"expected `words` as what was said, word for word: {error}") from error
    if not said.strip():
        raise UsageError("expected `words` as what was said, word for word, got nothing")
    return said
