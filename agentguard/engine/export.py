"""Evidence packs: entries, the policies they were decided by, and the proofs that both are what they were.

The same question about the same log gives the same bytes. That is why nothing of the moment stands in a pack, why it
rests on the first checkpoint that covers all of its entries and not on the newest one, and why entries about reading
the log, those of earlier packs among them, are in it only where they are asked for. The entry that records a pack comes
after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from agentguard.core.digest import digest
from agentguard.core.narration.narrator import Narrator
from agentguard.core.people import UNVERIFIED
from agentguard.engine import opening, pack, pack_report, privacy
from agentguard.engine.export_query import KIND, WHERE, Listed, Wanted, by_pseudonym, chosen, query_of
from agentguard.engine.opening import Opened
from agentguard.engine.origin import origin
from agentguard.engine.pack import Seal
from agentguard.engine.pack_readme import readme
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Person, require_person
from agentguard.engine.privacy import Look
from agentguard.engine.seals import Seals
from agentguard.engine.seals_keys import introduced, key_of_log
from agentguard.errors import UsageError
from agentguard.evidence import verify
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.keys import VerifierKey
from agentguard.evidence.note import read_note
from agentguard.evidence.tree import tree_root
from agentguard.store import Reading, seals
from agentguard.store.records import Entry, EntryFilter
from agentguard.store.tiles import StoredTree

MOST_OLDER = 100
"""How many earlier packs the log is shown to continue."""

WITHIN = timedelta(seconds=10)
"""How long a checkpoint is waited for, where the log is sealed."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A pack that was written.

    Attributes:
        sha256: Of the ZIP.
        entries: How many are in it; `last` is the position of the last one.
        seal: What it rests on; `is_signed` is False for a log that is not sealed, or not yet.
        entry: The position of the entry that records it.
    """

    path: Path
    sha256: str
    entries: int
    last: int
    seal: Seal
    entry: int


def export(
    parts: Parts,
    listed: Listed,
    sealing: Seals,
    wanted: Wanted,
    path: Path,
    within: timedelta,
    **person: Unpack[Person],
) -> Exported:
    """Write an evidence pack, and record it.

    Args:
        parts: The store, the vault and the people.
        listed: Lists entries, as `guard.audit.list` does.
        sealing: The seals of the log, as `guard.seals`.
        wanted: Which entries.
        path: A file that is not there yet.
        within: How long to wait for a checkpoint that covers the entries, where the log is sealed.
        person: Who asks, and why.

    Raises:
        UsageError: The file is there already, nobody and no reason is named, or there are too many entries.
        NotFoundError: No entry is what was asked for.
        PowerRefusedError: Personal values are asked for, and this person may not see them.
        TamperedError: The log is not the one that was signed, or a policy text is missing: nothing is written.
    """
    require_person(person["by"], person["why"], person.get("authenticated", UNVERIFIED))
    _require_new(path)
    wanted = by_pseudonym(parts, wanted, person)
    entries = chosen(parts, listed, wanted)
    last, tenant = entries[-1].pos, _tenant(entries)
    if wanted.size is None:
        _await_seal(parts, sealing, last, within)
    opened = parts.store.read(lambda reading: _opened(parts, reading, entries)) if wanted.personal else {}
    if wanted.personal:
        privacy.personal_read(parts, _look(entries, opened, tenant), **person)
    query = query_of(wanted)

    def pack_of(reading: Reading) -> _Packed:
        """Return the pack, as one state of the log has it."""
        return _packed(parts, reading, wanted, entries, opened, query, person)

    packed = parts.store.read(pack_of)
    data = pack.archive(packed.files)
    recorded = {"query": query, "entries": len(entries), "personal": wanted.personal, "sha256": digest(data)}
    now = packed.seal.checkpoint
    about = {"checkpoint": {"origin": now.origin, "size": now.size, "root": now.root.hex()}, **recorded}
    with _unfinished(path, data) as finish:
        entry = parts.store.transact(lambda it: it.append({"tenant": tenant, "kind": KIND, **_who(person), **about}))
        finish()
    return Exported(path, digest(data), len(entries), last, packed.seal, entry.pos)


def _require_new(path: Path) -> None:
    if path.exists():
        raise UsageError(f"expected a new file, got `{path}`, which is there already; evidence is not overwritten")
    if not path.parent.is_dir():
        raise UsageError(f"expected a folder at `{path.parent}` to write the pack into, got none")


@contextmanager
def _unfinished(path: Path, data: bytes) -> Iterator[Callable[[], object]]:
    """Write a file beside its place, and give what moves it there: no pack is there that is half written or unrecorded.

    Raises:
        UsageError: It cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.part")
    try:
        unfinished.write_bytes(data)
        yield lambda: unfinished.replace(path)
    except OSError as error:
        raise UsageError(f"expected to write `{path}`: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _await_seal(parts: Parts, sealing: Seals, last: int, within: timedelta) -> None:
    """See to it that a checkpoint covers an entry, at once where this guard has the key; else wait for somebody's."""
    if sealing.covering(last) is not None:
        return
    if sealing.signs_here:
        sealing.seal()
    elif parts.store.read(key_of_log) is not None:
        sealing.covering(last, within)


def _who(person: Person) -> dict[str, str]:
    return {"by": person["by"], "why": person["why"], "authenticated": person.get("authenticated", UNVERIFIED)}


def _opened(parts: Parts, reading: Reading, entries: Sequence[Entry]) -> dict[int, Opened]:
    """Return entries with their personal values in the clear, by position."""
    return {entry.pos: opening.opened(parts, reading, entry) for entry in entries if entry.body}


def _tenant(entries: Sequence[Entry]) -> str:
    """Return in whose records the pack is recorded: those of the one tenant that it is about, else the host's own."""
    tenants = {entry.stream for entry in entries}
    return tenants.pop() if len(tenants) == 1 else "default"


def _look(entries: Sequence[Entry], opened: Mapping[int, Opened], tenant: str) -> Look:
    """Return which personal values are about to be handed out."""
    about = {str(entry.document.get("on_behalf_of") or "") for entry in entries if entry.body}
    places = {privacy.IDENTITY, *(place for item in opened.values() for place in item.places)}
    return Look(WHERE, tuple(sorted(about)), tuple(sorted(places)), tenant)


@dataclass(frozen=True, slots=True)
class _Packed:
    """A pack that was put together and is not written yet."""

    files: Mapping[str, bytes]
    seal: Seal


def _packed(
    parts: Parts,
    reading: Reading,
    wanted: Wanted,
    entries: Sequence[Entry],
    opened: Mapping[int, Opened],
    query: Mapping[str, Any],
    person: Person,
) -> _Packed:
    """Return the files of a pack in their order, and what they rest on."""
    tree, name = StoredTree(reading), origin(reading)
    seal = _seal(reading, tree, name, wanted.size, entries[-1].pos)
    checkpoint, size = seal.checkpoint, seal.checkpoint.size
    pack.require_sealed(tree, checkpoint)
    keys = [item.key for item in introduced(reading)]
    texts = pack.texts_of(reading, entries)
    about = {
        "agentguard": parts.versions.engine,
        "pack": 1,
        "log": {"origin": name, "size": size, "root": checkpoint.root.hex()},
        "query": dict(query),
        "asked": _who(person),
        "entries": len(entries),
        "personal": wanted.personal,
    }
    known_as = _names(parts, personal=wanted.personal)
    documents = {pos: item.document for pos, item in opened.items()}
    told = [(entry, documents.get(entry.pos) or entry.document) for entry in entries]
    narrator = Narrator((body for _, body in told), partial(parts.force.bundle, reading), known_as)
    files = {
        "README.txt": readme(about, seal, signers(seal, keys)),
        "report.html": pack_report.report(about, seal, told, narrator, texts),
        "entries.csv": pack.table(entries),
        "entries.jsonl": pack.entry_lines(entries),
        "checkpoint.txt": seal.note.encode(),
        "proofs/inclusion.jsonl": pack.inclusion_lines(tree, entries, checkpoint),
        "proofs/consistency.jsonl": pack.consistency_lines(tree, [*_earlier(reading, name, size), *wanted.older], size),
        "keys.txt": pack.key_lines(keys),
        pack.VERIFIER: pack.verifier(),
        **pack.files_of_texts(texts),
    }
    if wanted.personal:
        files["personal.jsonl"] = b"".join(
            verify.canonical({"pos": pos, "customer": known_as(str(item.get("on_behalf_of") or "")), "entry": item})
            + b"\n"
            for pos, item in documents.items()
        )
    return _Packed({**files, "manifest.json": pack.manifest(about, files)}, seal)


def _names(parts: Parts, *, personal: bool) -> Callable[[str], str]:
    def named(pseudonym: str) -> str:
        """Return what a customer is called here; by pseudonym where that stays closed or the key was destroyed."""
        known = parts.vault.customer_of(pseudonym) if personal and pseudonym else None
        return known or pseudonym or "–"

    return named


def _seal(reading: Reading, tree: StoredTree, name: str, size: int | None, last: int) -> Seal:
    """Return what a pack rests on: the first checkpoint that covers its entries, a witnessed one if there is one.

    Raises:
        UsageError: A size is asked for at which no checkpoint was taken.
    """
    found = seals.covering(reading, name, size or last)
    if found is not None and not found.witnesses and size is None:
        newest = seals.newest_witnessed(reading, name)
        found = newest if newest is not None and newest.size >= last else found
    if found is not None and size is not None and found.size != size and key_of_log(reading) is not None:
        raise UsageError(f"expected the size of a checkpoint, got {size}; the next one has {found.size} entries")
    if found is not None:
        return Seal(found.checkpoint, found.note, is_signed=True, witnesses=found.witnesses)
    checkpoint = Checkpoint(name, size or last, tree_root(tree, size or last))
    return Seal(checkpoint, checkpoint.text, is_signed=False)


def signers(seal: Seal, keys: Sequence[VerifierKey]) -> str:
    """Return which of the log's keys signed, in words."""
    if not seal.is_signed:
        return ""
    signatures = read_note(seal.note).signatures
    signed = [key for key in keys if any(item.is_of(key) for item in signatures)]
    return ", ".join(f"{key.name} ({key.id.hex()})" for key in dict.fromkeys(signed))


def _earlier(reading: Reading, name: str, size: int) -> Iterator[Checkpoint]:
    """Yield the checkpoints of the packs that were handed out before, the newest ones."""
    for entry in reading.entries(size + 1, MOST_OLDER, EntryFilter(kind=KIND), newest_first=True):
        found = entry.document.get("checkpoint")
        if found and found["origin"] == name:
            yield Checkpoint(name, int(found["size"]), bytes.fromhex(found["root"]))
