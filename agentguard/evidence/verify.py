"""Check an evidence pack of agentguard without agentguard: Python 3.9 or later, this file, and nothing else.

    python3 -I -S verify.py PACK.zip --key KEY              check everything; say what holds and what does not
    python3 -I -S verify.py PACK.zip --key KEY list WORD    its entries; only those that have all the words
    python3 -I -S verify.py PACK.zip --key KEY show 17      one entry by position, or an action by id, in words
    python3 -I -S verify.py PACK.zip --key KEY policy 17    the policies that entry 17 was decided by, its rules marked

KEY is the log's public key, `name+hhhhhhhh+base64`, from the company by another way than this pack: whoever can make a
pack can write a key into it. `--witness KEY` asks for a witness's signature too, `--checkpoint FILE` for the log to
continue a checkpoint that you kept. Exit codes: 0 proven, 1 broken, 2 wrong usage, 3 no key was given, or none signed.
Nothing of a pack is executed, imported or unpacked. Below: RFC 8032, RFC 9162, C2SP notes, the ZIP, checks, words.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import signal
import sys
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

MOST_FILES, MOST_BYTES, FORMULAS = 20_000, 1 << 30, tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
NAMES = ("README.txt", "checkpoint.txt", "entries.csv", "entries.jsonl", "keys.txt", "manifest.json", "report.html",
         "proofs/consistency.jsonl", "proofs/inclusion.jsonl", "verify.py", "personal.jsonl")  # fmt: skip
BY_DIGEST = re.compile(r"policies/[0-9a-f]{64}\.yaml|bundles/[0-9a-f]{64}\.txt")
COLUMNS = ("position", "time", "kind", "verdict", "action", "reasons", "state", "customer", "agent", "model", "by",
           "action_id", "tenant", "leaf")  # fmt: skip

DIGITS = {0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 3: "BHD IQD JOD KWD LYD OMR TND",
          4: "CLF UYW"}  # ISO 4217; every other currency has two  # fmt: skip


class BadPackError(argparse.ArgumentTypeError, ValueError):
    """The pack, or a key, is not what it should be; the message says where and why."""


# Signatures: Ed25519 (RFC 8032, 5.1), without second spellings of a number and without points of small order.

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, ROOT_OF_MINUS_1 = -121665 * pow(121666, P - 2, P) % P, pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)  # a point is x, y, z, t: x/z and y/z are its coordinates, and t is x*y/z


def added(a: Sequence[int], b: Sequence[int]) -> tuple[int, int, int, int]:
    """Return the sum of two points."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    return (f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P


def times(number: int, point: Sequence[int]) -> tuple[int, int, int, int]:
    """Return a point added to itself so many times."""
    result = NEUTRAL
    for bit in f"{number:b}":
        result = added(added(result, result), point if bit == "1" else NEUTRAL)
    return result


def same(a: Sequence[int], b: Sequence[int]) -> bool:
    """Return whether two points are one."""
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point_of(data: bytes) -> tuple[int, int, int, int] | None:
    """Return the point that 32 bytes spell; None if they spell none, not in its one way, or one of small order."""
    number = int.from_bytes(data, "little")
    y, odd = number & ((1 << 255) - 1), number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * ROOT_OF_MINUS_1 % P
    if len(data) != 32 or y >= P or x * x % P != square:
        return None
    x = P - x if x & 1 != odd else x
    point = x, y, 1, x * y % P
    return None if same(times(8, point), NEUTRAL) else point


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")) or NEUTRAL


def signature_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the owner of a public key signed exactly this message."""
    key, commitment = point_of(public), point_of(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or commitment is None or scalar >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return same(times(scalar, BASE), added(commitment, times(challenge, key)))


# The tree (RFC 9162, 2.1): an entry's leaf is SHA-256(0x00 entry), a node over two of them SHA-256(0x01 left right).


def node_of(left: bytes, right: bytes) -> bytes:
    """Return the hash over two neighbours."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def climbed(node: int, last: int, start: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the old and the new root that a proof leads to from a node (2.1.3.2, 2.1.4.2); empty if it cannot."""
    old = new = start
    for other in proof:
        if last == 0:
            return b"", b""
        if node & 1 or node == last:
            old, new = node_of(other, old), node_of(other, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_of(new, other)
        node, last = node >> 1, last >> 1
    return (old, new) if last == 0 else (b"", b"")


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether a proof shows that a leaf stands at an index of the tree."""
    return 0 <= index < size and climbed(index, size - 1, leaf, proof)[1] == root


def is_continued(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether a proof shows that a tree continues an older one."""
    if not 0 < old < new:
        return old == new and old_root == new_root and not proof
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    hashes = proof if node else [old_root, *proof]  # the old root is left out of the proof where it is a node itself
    return bool(hashes) and climbed(node, last, hashes[0], hashes[1:]) == (old_root, new_root)


# Signed notes, checkpoints and cosignatures (C2SP signed-note, tlog-checkpoint, tlog-cosignature).


def unbase64(text: str) -> bytes:
    """Return the bytes of a text in base 64, which has to be their one spelling."""
    data = base64.b64decode(text.encode("ascii"), validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("expected base 64 in its one spelling")
    return data


class Key:
    """A public key that signs notes (kind 1) or cosigns them as a witness (kind 4), from `name+hhhhhhhh+base64`."""

    def __init__(self, text: str, kind: int = 1) -> None:
        try:
            self.name, digits, material = text.strip().split("+", 2)
            data = unbase64(material)
            self.id, self.kind, self.public = bytes.fromhex(digits), data[0], data[1:]
            right = self.kind == kind and len(data) == 33
            fits = right and hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4] == self.id
        except (ValueError, IndexError):
            fits = False
        if not fits:
            raise BadPackError(f"expected a key like `name+hhhhhhhh+base64`, as it was made, got {text!r:.200}")

    def signed(self, text: str, value: bytes) -> bool:
        """Return whether this key made what stands under a note's text."""
        if self.kind == 4:  # a witness signs the time as well, which stands before the signature
            text = f"cosignature/v1\ntime {int.from_bytes(value[:8], 'big')}\n{text}"
            value = value[8:]
        return signature_holds(self.public, text.encode(), value)


class Note:
    """A text and what was signed under it; without an empty line nobody signed."""

    def __init__(self, data: bytes, where: str) -> None:
        body, empty_line, below = data.decode().rpartition("\n\n")
        self.text = body + "\n" if empty_line else below
        lines = below[:-1].split("\n") if empty_line else []
        signed = [re.fullmatch("\u2014 ([^ +]+) ([^ ]+)", line) for line in lines]
        if None in signed or not below.endswith("\n"):
            raise BadPackError(f"{where}: expected a text, an empty line and signatures below")
        self.signatures = [(match[1], unbase64(match[2])) for match in signed if match]

    def by(self, key: Key) -> list[bytes]:
        """Return the signatures that say that they are of this key."""
        return [value[4:] for name, value in self.signatures if name == key.name and value[:4] == key.id]

    def signed_by(self, key: Key) -> bool:
        """Return whether this key signed; every signature that says so has to be true."""
        return bool(self.by(key)) and all(key.signed(self.text, value) for value in self.by(key))


class Checkpoint(Note):
    """A log's size and root, signed."""

    def __init__(self, data: bytes, where: str) -> None:
        super().__init__(data, where)
        found = re.fullmatch(r"(.+)\n([1-9][0-9]{0,18})\n(.{44})\n", self.text)
        if found is None:
            raise BadPackError(f"{where}: expected origin, size and root on a line each, and signatures below")
        self.origin, self.size, self.root = found[1], int(found[2]), unbase64(found[3])


# The ZIP: read in place, everything bounded, and no names but those of a pack.


class Pack:
    """The files of a pack."""

    def __init__(self, path: str) -> None:
        try:
            self.archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, UnicodeError) as error:
            raise BadPackError(f"{path}: not a ZIP file ({error})") from None
        infos = self.archive.infolist()
        self.names = {info.filename for info in infos if info.compress_type in (0, zipfile.ZIP_DEFLATED)}
        strange = sorted(name for name in self.names if name not in NAMES and not BY_DIGEST.fullmatch(name))
        if strange or len(infos) > len(self.names) or any(info.header_offset for info in infos[:1]):
            raise BadPackError(f"{path}: files that no pack has, twice, packed otherwise or behind: {strange!r:.100}")
        if len(infos) > MOST_FILES or sum(info.file_size for info in infos) > MOST_BYTES:
            raise BadPackError(f"{path}: over {MOST_FILES} files or {MOST_BYTES} bytes; nothing of it is read")

    def read(self, name: str) -> bytes:
        """Return a file."""
        if name not in self.names:
            raise BadPackError(f"{name}: it is missing")
        try:
            return self.archive.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise BadPackError(f"{name}: it cannot be read ({error})") from None

    def documents(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the lines of a file of canonical JSON."""
        for number, line in enumerate(self.read(name).splitlines(keepends=True), 1):
            yield parsed(line, f"{name} line {number}", end=b"\n")


def parsed(data: bytes, where: str, *, end: bytes = b"", indent: int | None = None) -> dict[str, Any]:
    """Return the JSON object that some bytes are, in the one way in which it can be written."""
    try:
        document = json.loads(data.decode())
        if not isinstance(document, dict) or canonical(document, indent) + end != data:
            raise ValueError("it is written in another way than its one")
    except (ValueError, RecursionError) as error:
        raise BadPackError(f"{where}: expected a JSON object ({error})") from None
    return document


def canonical(document: Any, indent: int | None = None) -> bytes:
    """Return the canonical bytes of JSON (RFC 8785, for names in ASCII and whole numbers), or laid out for people."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(document, sort_keys=True, indent=indent, separators=separators, ensure_ascii=False).encode()


# The checks: each goes on as far as it can, so that everything that is wrong is said at once.


class Entry:
    """One entry: its position, its leaf, its exact bytes and what they say; those of a purged one are gone."""

    def __init__(self, line: dict[str, Any]) -> None:
        self.pos, self.leaf = int(line["pos"]), bytes.fromhex(line["leaf"])
        self.data = None if line["body"] is None else unbase64(line["body"])
        read = None if self.data is None else parsed(self.data, f"entry {self.pos}")
        self.body, self.agrees = read or {"kind": "purged"}, read == line["entry"]


class Checked:
    """What was found: what holds, what is broken, and what nobody vouches for whom the caller named."""

    def __init__(self, pack: Pack, keys: list[Key], witnesses: list[Key], older: list[Checkpoint]) -> None:
        self.pack, self.keys, self.witnesses, self.older = pack, keys, witnesses, older
        self.held, self.broken, self.unproven = list[str](), list[str](), list[str]()
        self.entries: dict[int, Entry] = {}
        self.manifest = parsed(pack.read("manifest.json"), "manifest.json", end=b"\n", indent=2)
        self.checkpoint = Checkpoint(pack.read("checkpoint.txt"), "checkpoint.txt")
        for check in self.files, self.signatures, self.continuity, self.proofs, self.chains, self.people, self.policies:
            known, holds = len(self.broken), ""
            try:
                holds = check()
            except (KeyError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
                self.broken.append(
                    f"{error}" if isinstance(error, BadPackError) else f"{check.__name__}: {error!r:.200}"
                )
            self.held += [holds] if holds and known == len(self.broken) else []

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note what is broken unless something holds."""
        self.broken += [] if holds else [otherwise]

    def files(self) -> str:
        """Check every file against the manifest, and the manifest against itself and the checkpoint."""
        now, listed, about = self.checkpoint, self.manifest["files"], canonical({**self.manifest, "digest": None})
        self.expect(hashlib.sha256(about).hexdigest() == self.manifest["digest"], "manifest.json: it was changed")
        same_log = self.manifest["log"] == {"origin": now.origin, "size": now.size, "root": now.root.hex()}
        self.expect(same_log, "manifest.json: it speaks of another log or size than checkpoint.txt")
        for name in sorted({*listed, *NAMES[:-1], *self.pack.names} - {"manifest.json"}):
            found = hashlib.sha256(self.pack.read(name)).hexdigest() if name in self.pack.names else "missing"
            self.expect(listed.get(name) == found, f"{name!r:.100}: it was changed, added or taken away")
        return f"{len(listed)} files are those that the manifest lists"

    def signatures(self) -> str:
        """Check who signed the checkpoint: the keys and witnesses given, or else the keys that the pack names."""
        named, now = [Key(line) for line in self.pack.read("keys.txt").decode().splitlines()], self.checkpoint
        keys = [key for key in self.keys or named if now.by(key)]
        for key in [*keys, *self.witnesses]:
            self.expect(now.signed_by(key), f"checkpoint.txt: {key.name} ({key.id.hex()}) did not sign this text")
        if self.keys:
            self.expect(bool(keys), "checkpoint.txt: none of the keys that you gave signed it")
        else:
            self.unproven.append("no --key was given: nothing outside the pack vouches for it; it may all be made up")
            self.expect(bool(keys) or not now.signatures, "checkpoint.txt: signed by none of the keys of keys.txt")
        self.unproven += [] if now.signatures else ["nobody signed checkpoint.txt: the log was not sealed"]
        seen = [(key, int.from_bytes(value[:8], "big")) for key in self.witnesses for value in now.by(key)]
        for key, second in seen:
            self.expect(second <= time.time() + 300, f"{key.name} signed in the future, or the clock here is wrong")
        words = [f"seen by {key.name} at {moment(second * 10**6)}" for key, second in seen]
        return ", ".join([*(f"signed by {key.name} ({key.id.hex()})" for key in keys), *words])

    def continuity(self) -> str:
        """Check that the log continues the older checkpoints that were given."""
        now = self.checkpoint
        proofs: dict[int, bytes] = {}
        for item in self.pack.documents("proofs/consistency.jsonl"):
            root, proof = unbase64(item["root"]), [unbase64(text) for text in item["proof"]]
            continued = is_continued(item["size"], root, now.size, now.root, proof)
            self.expect(continued, f"proofs/consistency.jsonl: the log does not continue its own size {item['size']}")
            proofs[item["size"]] = root
        for old in self.older:
            trusted = not self.keys or any(old.signed_by(key) for key in self.keys)
            self.expect(trusted, f"the checkpoint of size {old.size}: none of the keys that you gave signed it")
            self.expect(old.origin == now.origin, f"the checkpoint of size {old.size} is of another log, {old.origin}")
            known, remedy = {**proofs, now.size: now.root}.get(old.size), "ask for an export with `--checkpoint`"
            self.expect(known is not None, f"no proof from size {old.size} is here: {remedy}")
            self.expect(
                known in (None, old.root), f"HISTORY WAS REWRITTEN: at size {old.size} the log has another root"
            )
        return ", ".join(f"continues your checkpoint of size {old.size}" for old in self.older)

    def proofs(self) -> str:
        """Check that every entry is what its leaf says, and stands in the log where the pack says."""
        now, proofs = self.checkpoint, self.pack.documents("proofs/inclusion.jsonl")
        for line in self.pack.documents("entries.jsonl"):
            entry, shown = Entry(line), next(proofs, {})
            where = f"entry {entry.pos}"
            self.expect(entry.pos > next(reversed(self.entries), 0), f"{where}: it is out of order")
            if entry.data is not None:
                leaf = hashlib.sha256(b"\x00" + entry.data).digest()
                self.expect(leaf == entry.leaf, f"{where}: it was changed: its bytes are not those of its leaf")
            self.expect(entry.agrees, f"{where}: its bytes say something else than the line that shows them")
            proof = [unbase64(text) for text in shown.get("proof", ())]
            included = is_included(entry.leaf, entry.pos - 1, now.size, proof, now.root)
            self.expect(
                included and shown.get("pos") == entry.pos, f"{where}: nothing proves that it is in the log there"
            )
            self.entries[entry.pos] = entry
        complete = next(proofs, None) is None and self.manifest["entries"] == len(self.entries) > 0
        self.expect(complete, "entries.jsonl: there are not as many entries as the manifest and the proofs say")
        rows = [COLUMNS, *(row_of(entry.pos, entry.leaf.hex(), entry.body) for entry in self.entries.values())]
        same_table = "".join(map(csv_line, rows)).encode() == self.pack.read("entries.csv")
        self.expect(same_table, "entries.csv: it does not say what the entries say")
        where = f"{stretches(self.entries)} (of a stretch none is left out)"
        return f"{len(self.entries)} entries are in the log, each at its place: {where}"

    def chains(self) -> str:
        """Check what entries say of the log and of each other: its name, their times, order and predecessors."""
        before: dict[str, Entry] = {}
        latest, origin = 0, self.checkpoint.origin.split("/restored-")[0]
        for entry in (item for item in self.entries.values() if item.data is not None):
            body, where = entry.body, f"entry {entry.pos}"
            self.expect(origin == f"agentguard/{body['log']}", f"{where}: it is of another log, {body['log']!r:.100}")
            self.expect(body["ts_us"] >= latest, f"{where}: backdated: it says that it is older than the one before it")
            last, latest = before.get(body["stream"]), body["ts_us"]
            if last is not None:
                self.expect(body["seq"] > last.body["seq"], f"{where}: its number in its stream is out of order")
                follows = body["seq"] != last.body["seq"] + 1 or body["prev"] == last.leaf.hex()
                self.expect(follows, f"{where}: it does not follow entry {last.pos}, and should")
            before[body["stream"]] = entry
        return "what the entries say of their order, times and predecessors agrees"

    def people(self) -> str:
        """Check that who signed a change of policies signed what its entry says; whose the key is, no pack proves."""
        names, origin = set[str](), self.checkpoint.origin.split("/restored-")[0]
        for entry in (item for item in self.entries.values() if item.body.get("signature")):
            body, where = entry.body, f"entry {entry.pos}: what {entry.body['by']} signed"
            key, note = Key(body["signature"]["key"]), Note(body["signature"]["note"].encode(), where)
            self.expect(note.signed_by(key), f"{where}: {key.name} ({key.id.hex()}) did not sign this text")
            title, of_log, replaced, *lines = note.text.splitlines()
            before = f"replaces bundle {body['before']} of entry " if body["before"] else "replaces nothing"
            said = [line for part in (body, body["canary"]) if part for line in changed(part)] + [f"by {body['by']}"]
            about = title, of_log.partition("/restored-")[0], replaced[: len(before)]
            fits = said == [line for line in lines if not line.startswith("canary ")]
            fits = fits and about == ("agentguard change of policies", f"log {origin}", before)
            self.expect(fits, f"{where} is another change, or of another log, than the entry says")
            names.add(f"{body['by']} with {key.name} ({key.id.hex()})")
        return f"changes of policies are signed by {', '.join(sorted(names))}" if names else ""

    def policies(self) -> str:
        """Check that every policy text is the one that its digest names, and that none is missing."""
        found, needed = {name: self.pack.read(name) for name in self.pack.names if BY_DIGEST.fullmatch(name)}, {}
        for name, data in found.items():
            self.expect(hashlib.sha256(data).hexdigest() in name, f"{name}: it is not the text that its name says")
            for line in data.decode().splitlines() if name.startswith("bundles/") else ():
                needed[f"policies/{line[-64:]}.yaml"] = name
        for entry in self.entries.values():
            for said in (entry.body, entry.body.get("canary") or {}):
                for used in (said.get("policies") or {}).values():
                    needed[f"policies/{used['digest']}.yaml"] = f"entry {entry.pos}"
                if said.get("bundle"):
                    needed[f"bundles/{said['bundle']}.txt"] = f"entry {entry.pos}"
        missing = sorted(needed.keys() - found)
        self.broken += [f"{name:.100}: it is missing, and {needed[name]} names it" for name in missing]
        return f"{len(found)} policy texts and lists of them are those that the entries name by digest"


def changed(part: dict[str, Any]) -> list[str]:
    """Return a bundle and its policies as whoever signs a change names them."""
    named = (f"policy {name} version {item['version']} {item['digest']}" for name, item in part["policies"].items())
    return [f"bundle {part['bundle']}", *named]


def stretches(there: dict[int, Entry]) -> str:
    """Return positions in words, `3-9, 12`: between the two ends of a stretch none is left out."""
    ends = [pos for pos in sorted(there) for beside in (pos - 1, pos + 1) if beside not in there]
    words = ["-".join(map(str, dict.fromkeys(ends[n : n + 2]))) for n in range(0, len(ends), 2)]
    return ", ".join(words[:20]) + (f" and {len(words) - 20} more stretches" if len(words) > 20 else "")


# The words: what entries say, for people. Nothing of a pack can steer a terminal.


def moment(microseconds: int) -> str:
    """Return a time to the second."""
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=microseconds)  # noqa: UP017 - Python 3.9
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write("".join(sign if sign.isprintable() else "?" for sign in text) + "\n")


def plain(value: Any) -> str:
    """Return a value on one line."""
    return value if isinstance(value, str) else "" if value is None else canonical(value).decode()


def amount(number: Any, unit: str) -> str:
    """Return smallest units of a currency as people write the amount, `25.00 USD`, and a count as it is."""
    if unit == "#" or not isinstance(number, int):
        return plain(number)
    digits = next((digits for digits, currencies in DIGITS.items() if unit in currencies), 2)
    whole = str(abs(number)).rjust(digits + 1, "0")
    shown = f"{whole[:-digits]}.{whole[-digits:]}" if digits else whole
    return f"{'-' if number < 0 else ''}{shown} {unit}"


def row_of(pos: int, leaf: str, body: dict[str, Any]) -> list[str]:
    """Return an entry as a row of entries.csv, by `COLUMNS`."""
    actor, vote = body.get("actor") or {}, body.get("vote") or {}
    given = {**body, "position": pos, "leaf": leaf, "time": moment(body["ts_us"]) if "ts_us" in body else ""}
    given.update(agent=actor.get("id"), model=actor.get("model"), customer=body.get("on_behalf_of"))
    word = "approved" if body.get("approved") else f"{body['verdict']}, observed" if body.get("enforced") else None
    given.update({"verdict": word} if word else {}, by=body.get("by") or vote.get("voter"))
    given.update(reasons=" ".join(f"{item['source']}:{item['code']}" for item in body.get("reasons") or ()))
    return [plain(given.get(column)) for column in COLUMNS]


def csv_line(cells: Iterable[str]) -> str:
    """Return a line of entries.csv, quoted; what a spreadsheet would take for a formula becomes text."""
    return ",".join('"' + "'" * cell.startswith(FORMULAS) + cell.replace('"', '""') + '"' for cell in cells) + "\r\n"


def told(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what there is to say about an entry: a name and its text at a time."""
    for reason in body.get("reasons") or ():
        words = "; ".join(reason[name] for name in ("because", "detail") if reason.get(name))
        yield "because", f"{reason['source']} says {reason['verdict']} ({reason['code']}) {words}"
    for item in body["limits"] if body["kind"] == "decided" else ():
        used, asked, most = (amount(item[name], item["unit"]) for name in ("used", "amount", "max"))
        of = f"{used} used, {asked} asked, of {most}"
        yield "limit", f"{item['limit']}: {of}: {'fits' if item['fits'] else 'DOES NOT FIT'}"
    for vote in [*(body.get("votes") or ()), *([body["vote"]] if "vote" in body else ())]:
        yield "vote", f"{vote['voter']}: {'yes' if vote['approve'] else 'no'}, known by {vote['authenticated']}"
    for place in ("arguments", "facts", "context"):
        for name, value in (body.get(place) or {}).items():
            shown = value.get("value", value["status"]) if place == "facts" else value
            yield place, f"{name}: {'(personal)' if isinstance(shown, dict) and 'sealed' in shown else plain(shown)}"
    for said in [body["signature"]] if body.get("signature") else ():
        yield "signed", f"with {said['key'].rpartition('+')[0]}; whose that is, says people file {body['people']}"
    for name in ("by", "why", "target", "outcome", "external_reference", "error", "say", "escalation", "state"):
        yield from [(name, plain(body[name]))] if body.get(name) else []


def show(checked: Checked, command: str, words: list[str]) -> bool:
    """Print entries as rows, in words, or with the policies that they were decided by; return if there are any."""
    found = False
    for entry in checked.entries.values():
        text = "  ".join(filter(None, row := row_of(entry.pos, "", entry.body)))
        if all(word in text for word in words) if command == "list" else {row[0], row[11]} & set(words):
            found = True
            say(text)
            for name, shown in told(entry.body) if command == "show" else ():
                say(f"    {name:10} {shown}")
            for title, used in (entry.body.get("policies") or {}).items() if command == "policy" else ():
                ids = [item["source"].partition("/")[2] for item in entry.body.get("reasons") or ()]
                rule = re.compile(r"\bid:\s*[\"']?(" + "|".join(map(re.escape, ids)) + r")[\"']?\s*(,|}|#|$)")
                say(f"policy {title}, version {used['version']}, SHA-256 {used['digest']}")
                lines = checked.pack.read(f"policies/{used['digest']}.yaml").decode().splitlines()
                for number, line in enumerate(lines, 1):
                    say(f"{'>>' if ids and rule.search(line) else '  '} {number:4} {line}")
    return found


def kept(path: str) -> Checkpoint:
    """Return the checkpoint in a file that the caller keeps."""
    try:
        return Checkpoint(Path(path).read_bytes(), path)
    except (ValueError, OSError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main(given: list[str] | None = None) -> int:
    """Check a pack, do what the command line says, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack")
    parser.add_argument("command", nargs="?", default="check", choices=("check", "list", "show", "policy"))
    parser.add_argument("words", nargs="*")
    for name, kind in (("--key", Key), ("--witness", lambda text: Key(text, 4)), ("--checkpoint", kept)):
        parser.add_argument(name, action="append", default=[], type=kind)
    options = parser.parse_intermixed_args(given)
    try:
        checked = Checked(Pack(options.pack), options.key, options.witness, options.checkpoint)
    except (ValueError, OSError) as error:
        say(f"wrong usage: {error.filename}: {error.strerror}" if isinstance(error, OSError) else f"BROKEN   {error}")
        return 2 if isinstance(error, OSError) else 1
    for mark, lines in (("ok      ", checked.held), ("UNPROVEN", checked.unproven), ("BROKEN  ", checked.broken)):
        for line in lines if options.command == "check" or mark != "ok      " else ():
            say(f"{mark} {line}")
    if checked.broken:
        return 1
    if options.command == "check":
        query = plain(checked.manifest["query"] or "everything")
        words = f"that {query} was asked for, by {plain(checked.manifest['asked'])}"
        say(f"nothing proves report.html, README.txt, personal.jsonl, and {words}")
        say(f"log {checked.checkpoint.origin}, {checked.checkpoint.size} entries, root {checked.checkpoint.root.hex()}")
        say("not broken, not proven" if checked.unproven else "proven: these entries are in the log that was signed")
    elif not show(checked, options.command, options.words):
        parser.error("no such entry: `list` shows those of this pack, `show` and `policy` take a position or an id")
    return 3 if checked.unproven else 0


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # whoever reads may stop: `verify.py … list | head`
    sys.exit(main())
