"""What somebody signs who changes what is in force: a note that names the log, what is replaced, and every file.

    agentguard change of policies
    log agentguard/…
    replaces bundle … of entry 12
    bundle …
    policy refunds version 14 …
    by maria

It names the entry that it replaces, so that it says nothing about any other moment, and nothing in another log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentguard.core.canary import share_text
from agentguard.core.policy import Bundle
from agentguard.engine.change import Change
from agentguard.engine.powers import Permit
from agentguard.errors import NoteError, PowerRefusedError
from agentguard.evidence.keys import Signer, VerifierKey
from agentguard.evidence.note import read_note, sign_note, verified
from agentguard.store.records import Entry

TITLE = "agentguard change of policies"


def statement(origin: str, change: Change, bundles: Sequence[Bundle], by: str) -> str:
    """Return what somebody signs who makes a change.

    Args:
        origin: What the log is called.
        change: From what to what.
        bundles: Everything that would be in force.
        by: Who, by id.
    """
    return "\n".join([TITLE, *_lines(origin, change, bundles, by), ""])


def _lines(origin: str, change: Change, bundles: Sequence[Bundle], by: str) -> Iterator[str]:
    before, after = change.before, change.after
    yield f"log {origin}"
    yield _replaces(None if before.in_force is None else before.in_force.bundle, before.entry)
    for bundle in bundles:
        yield f"bundle {bundle.digest}"
        for policy in bundle.policies:
            yield _policy(policy.name, policy.version, policy.digest)
    if after.canary is not None:
        yield _canary(after.canary.bundle, after.canary.share)
    yield f"by {by}"


def _replaces(bundle: str | None, entry: int | str) -> str:
    return "replaces nothing" if bundle is None else f"replaces bundle {bundle} of entry {entry}"


def _policy(name: str, version: int, digest: str) -> str:
    return f"policy {name} version {version} {digest}"


def _canary(bundle: str, share: int) -> str:
    return f"canary {bundle} for {share_text(share)}"


def is_signed_as_said(said: Mapping[str, Any]) -> bool:
    """Return whether the signature of an entry is one of what the entry says was changed, and by whom.

    Of which log and entry the change was is only in what was signed; the entry says by its place.
    """
    try:
        signature = said["signature"]
        note = read_note(signature["note"])
        verified(note, [VerifierKey.read(signature["key"])])
        title, of_log, replaces, *rest = note.text.splitlines()
    except (NoteError, KeyError, TypeError, ValueError):  # whatever it is, it is no signature of a change
        return False
    entry = replaces.rpartition(" ")[2]
    expected = (TITLE, _replaces(said["before"], entry), [*_said_lines(said)])
    return of_log.startswith("log ") and (title, replaces, rest) == expected


def _said_lines(said: Mapping[str, Any]) -> Iterator[str]:
    canary = said["canary"]
    for named in (said,) if canary is None else (said, canary):
        yield f"bundle {named['bundle']}"
        for name, item in named["policies"].items():
            yield _policy(name, item["version"], item["digest"])
    if canary is not None:
        yield _canary(canary["bundle"], canary["share"])
    yield f"by {said['by']}"


@dataclass(frozen=True, slots=True)
class Notes:
    """What people sign of one change.

    Attributes:
        log: What the log is called.
        bundles: Everything that would be in force.
        signer: Has the key of whoever makes it now; None for somebody who signs nothing.
        signature: What the entry says of it: the public key, and the signed note.
    """

    log: str
    change: Change
    bundles: Sequence[Bundle]
    signer: Signer | None = None
    signature: Mapping[str, str] | None = None

    def signed_by(self, permit: Permit) -> Notes:
        """Return the same, signed, if anything signs."""
        if self.signer is None:
            return self
        note = sign_note(self.text(permit.by), self.signer)
        return replace(self, signature={"key": self.signer.key.text, "note": note})

    def text(self, by: str) -> str:
        """Return what somebody signs."""
        return statement(self.log, self.change, self.bundles, by)

    def require(self, permit: Permit) -> None:
        """Refuse what somebody did not sign who has to, and what was signed with another key.

        Raises:
            PowerRefusedError: It is not signed and has to be, or not with this person's key.
        """
        key = permit.keys.get(permit.by) if permit.is_declared else None
        if self.signature is None:
            if key is None and not (permit.is_declared and permit.signed):
                return
            fix = (
                "the people file says no `key` of theirs: add it" if key is None else "sign it with your key (`--key`)"
            )
            raise PowerRefusedError("unsigned", f"expected `{permit.by}` to sign this, got no signature; {fix}")
        if key is None or not is_signed(self.text(permit.by), self.signature, key):
            known = "which says none" if key is None else f"`{key}`"
            message = (
                f"expected the key of `{permit.by}` in the people file, {known}, got `{self.signature['key'][:200]}`"
            )
            raise PowerRefusedError("not_their_key", message)

    def still_signed(self, permit: Permit, asked: Entry) -> bool:
        """Return whether what somebody asked for earlier is signed as it would have to be now."""
        by = asked.document["by"]
        key = permit.keys.get(by)
        return not permit.signed if key is None else is_signed(self.text(by), asked.document.get("signature"), key)


def is_signed(text: str, signature: Any, key: str) -> bool:
    """Return whether a signature of an entry is one of this text, made with this public key."""
    try:
        note = read_note(signature["note"])
        verified(note, [VerifierKey.read(key)])
    except (NoteError, KeyError, TypeError):  # whatever it is, it is no signature of theirs
        return False
    return note.text == text
