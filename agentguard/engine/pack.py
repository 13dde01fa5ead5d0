"""What an evidence pack is made of: its files, each the same bytes for the same entries, and the ZIP around them.

`agentguard/evidence/verify.py` says what the files look like, since it is what reads them; rows and JSON are written by
its functions, so that there is one definition of each.
"""

from __future__ import annotations

import io
import zipfile
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentguard.core.digest import digest
from agentguard.errors import ProofError, TamperedError
from agentguard.evidence import verify
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.keys import VerifierKey
from agentguard.evidence.tree import (
    Subtrees,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    tree_root,
)
from agentguard.store import Reading
from agentguard.store.records import Entry

VERIFIER = "verify.py"
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""The only time that stands in a pack's ZIP."""

_PLAIN_FILE = 0o100644 << 16
_UNIX = 3


@dataclass(frozen=True, slots=True)
class Seal:
    """The statement of the log's size and root that a pack rests on.

    Attributes:
        note: The signed note; the bare text of the checkpoint where nobody signed.
        witnesses: Who signed it beside the log's own key.
    """

    checkpoint: Checkpoint
    note: str
    is_signed: bool
    witnesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Texts:
    """Policy texts by digest, with their names and versions; and bundles by digest: the list that the digest is of."""

    policies: Mapping[str, tuple[str, int, str]]
    bundles: Mapping[str, str]


def entry_lines(entries: Iterable[Entry]) -> bytes:
    """Return entries.jsonl: each entry's place, leaf and exact bytes, and beside them what the bytes say."""
    return b"".join(verify.canonical(_line(entry)) + b"\n" for entry in entries)


def _line(entry: Entry) -> dict[str, Any]:
    about: dict[str, Any] = {"pos": entry.pos, "leaf": entry.leaf}
    if not entry.body:
        return {**about, "body": None, "entry": None}
    return {**about, "body": b64encode(entry.body).decode(), "entry": entry.document}


def table(entries: Iterable[Entry]) -> bytes:
    """Return entries.csv."""
    rows = (verify.row_of(entry.pos, entry.leaf, _said(entry)) for entry in entries)
    return "".join(verify.csv_line(row) for row in (verify.COLUMNS, *rows)).encode()


def _said(entry: Entry) -> dict[str, Any]:
    return entry.document if entry.body else {"kind": "purged"}


def inclusion_lines(tree: Subtrees, entries: Iterable[Entry], checkpoint: Checkpoint) -> bytes:
    """Return proofs/inclusion.jsonl: for each entry what proves that it is in the log that was signed.

    Raises:
        TamperedError: One of them is not what stands in it.
    """
    return b"".join(_hashes({"pos": entry.pos}, _proof(tree, entry, checkpoint)) for entry in entries)


def _proof(tree: Subtrees, entry: Entry, checkpoint: Checkpoint) -> tuple[bytes, ...]:
    proof = inclusion_proof(tree, entry.pos - 1, checkpoint.size)
    leaf = leaf_hash(entry.body) if entry.body else bytes.fromhex(entry.leaf)
    try:
        check_inclusion(leaf, entry.pos - 1, checkpoint.size, proof, checkpoint.root)
    except ProofError as error:
        raise TamperedError(
            f"expected entry {entry.pos} as it was signed, got another: it was changed; run `agentguard audit verify`"
        ) from error
    return proof


def consistency_lines(tree: Subtrees, older: Iterable[Checkpoint], size: int) -> bytes:
    """Return proofs/consistency.jsonl: for each older checkpoint what proves that the log continues it."""
    sizes = {checkpoint.size: checkpoint for checkpoint in older if 0 < checkpoint.size < size}
    for checkpoint in sizes.values():
        require_sealed(tree, checkpoint)
    return b"".join(
        _hashes({"size": old, "root": b64encode(sizes[old].root).decode()}, consistency_proof(tree, old, size))
        for old in sorted(sizes)
    )


def _hashes(about: dict[str, Any], proof: Iterable[bytes]) -> bytes:
    return verify.canonical({**about, "proof": [b64encode(hash_).decode() for hash_ in proof]}) + b"\n"


def require_sealed(tree: Subtrees, checkpoint: Checkpoint) -> None:
    """Refuse to hand out entries of a log that is not the one that was signed.

    Raises:
        TamperedError: It has another root at that size.
    """
    if tree_root(tree, checkpoint.size) != checkpoint.root:
        raise TamperedError(
            f"expected the log of {checkpoint.size} entries that was signed, got another root: it was rewritten; "
            f"run `agentguard audit verify`"
        )


def texts_of(reading: Reading, entries: Sequence[Entry]) -> Texts:
    """Return every policy text and bundle that entries name.

    Raises:
        TamperedError: The store does not have one of them, or it is another text.
    """
    bodies = [entry.document for entry in entries if entry.body]
    said = [*bodies, *(body["canary"] for body in bodies if body.get("canary"))]
    records = {
        name: reading.bundle(name) for name in sorted({str(body["bundle"]) for body in said if body.get("bundle")})
    }
    members = {name: record.policies if record is not None else () for name, record in records.items()}
    digests = {str(used["digest"]) for body in said for used in (body.get("policies") or {}).values()}
    digests.update(item for items in members.values() for item in items)
    policies = {name: _text(reading, name) for name in sorted(digests)}
    return Texts(policies, {name: _listed(name, members[name], policies) for name in sorted(members)})


def _listed(name: str, members: Sequence[str], policies: Mapping[str, tuple[str, int, str]]) -> str:
    """Return the list of policies that the digest of a bundle is of."""
    listed = "".join(f"{policy} {item}\n" for policy, item in sorted((policies[item][0], item) for item in members))
    if digest(listed.encode()) != name:
        raise TamperedError(f"expected the policies of bundle `{name}` in the store, got others")
    return listed


def _text(reading: Reading, name: str) -> tuple[str, int, str]:
    found = reading.policy_text(name)
    if found is None or digest(found.text.encode()) != name:
        raise TamperedError(f"expected the policy text `{name}` in the store, got none or another one")
    return found.name, found.version, found.text


def files_of_texts(texts: Texts) -> dict[str, bytes]:
    """Return the files of policy texts and bundles."""
    bundles = {f"bundles/{name}.txt": text.encode() for name, text in texts.bundles.items()}
    return bundles | {f"policies/{name}.yaml": text.encode() for name, (_, _, text) in texts.policies.items()}


def key_lines(keys: Iterable[VerifierKey]) -> bytes:
    """Return keys.txt: the keys that the log itself says it was signed with."""
    return "".join(f"{key.text}\n" for key in dict.fromkeys(keys)).encode()


def verifier() -> bytes:
    """Return verify.py, as it is shipped."""
    return Path(verify.__file__).read_bytes()


def manifest(about: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """Return manifest.json: what was asked for and by whom, the log, and the digest of every other file."""
    document = {**about, "files": {name: digest(data) for name, data in files.items()}, "digest": None}
    return verify.canonical({**document, "digest": digest(verify.canonical(document))}, 2) + b"\n"


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return the ZIP of some files: in their order, without times, owners or anything else of this machine."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, _FIRST_DAY)
            info.external_attr, info.create_system, info.compress_type = _PLAIN_FILE, _UNIX, zipfile.ZIP_DEFLATED
            packed.writestr(info, data, compresslevel=9)
    return stream.getvalue()
