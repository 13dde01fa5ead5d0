#!/usr/bin/env python3
"""Check an evidence pack of agentguard without agentguard: Python 3.9 or later, this file, and nothing else.

    python3 -I -S verify.py PACK.zip --key KEY              check everything, say what holds and what does not
    python3 -I -S verify.py PACK.zip --key KEY list WORD…   its entries; only those that have all the words
    python3 -I -S verify.py PACK.zip --key KEY show 17      one entry by position, or an action by id, in words
    python3 -I -S verify.py PACK.zip --key KEY policy 17    the policies in force at entry 17, the rule marked

KEY is the log's public key, `name+hhhhhhhh+base64`. Get it from the company by another way than this pack: whoever can
make a pack can also write a key into it. `--witness KEY` pins a witness, and `--checkpoint FILE` gives an older checkpoint
that you kept. Exit codes: 0 proven, 1 broken, 2 wrong usage, 3 it agrees with itself and no key was given to prove more.

Nothing of the pack is executed, imported or unpacked. What follows is, in this order: signatures (RFC 8032), the tree
(RFC 9162), signed notes (C2SP), the ZIP, the checks, the words, the command line.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import io
import json
import re
import sys
import time
import zipfile
import zlib
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Iterator, List, Optional, Tuple

MOST_FILES, MOST_BYTES, MOST_LINE = 20_000, 2 << 30, 16 << 20
FILES = (
    "README.txt", "checkpoint.txt", "entries.csv", "entries.jsonl", "keys.txt", "manifest.json", "personal.jsonl",
    "proofs/consistency.jsonl", "proofs/inclusion.jsonl", "report.html", "verify.py",
)  # fmt: skip
BY_DIGEST = re.compile(r"(policies/[0-9a-f]{64}\.yaml|bundles/[0-9a-f]{64}\.txt)")
COLUMNS = (
    "position", "at_utc", "kind", "tenant", "action_id", "action", "customer", "agent", "model", "verdict", "approved",
    "rules", "reasons", "state", "by", "why", "policies", "leaf",
)  # fmt: skip


class BadPackError(Exception):
    """The pack is not what it should be; the message says where and why."""


# Ed25519 (RFC 8032, 5.1), stricter than it has to be: no second spelling of a number and no point of small order.

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
Point = Tuple[int, int, int, int]  # x, y, z, t in extended coordinates: x/z, y/z, and x*y = t*z
NEUTRAL: Point = (0, 1, 1, 0)


def added(a: Point, b: Point) -> Point:
    """Return the sum of two points."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    return ((f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P)


def times(number: int, point: Point) -> Point:
    """Return a point added to itself so many times."""
    result = NEUTRAL
    for bit in bin(number)[2:]:
        result = added(result, result)
        result = added(result, point) if bit == "1" else result
    return result


def same(a: Point, b: Point) -> bool:
    """Return whether two points are one."""
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point_of(data: bytes) -> Optional[Point]:
    """Return the point that 32 bytes spell; None if they spell none, another way than its one, or of small order."""
    number = int.from_bytes(data, "little")
    y, odd = number & ((1 << 255) - 1), number >> 255
    if len(data) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * ROOT_OF_MINUS_1 % P
    if x * x % P != square or (x == 0 and odd):
        return None
    x = P - x if x & 1 != odd else x
    point = (x, y, 1, x * y % P)
    return None if same(times(8, point), NEUTRAL) else point


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signature_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether the owner of a public key signed exactly this message."""
    key, commitment = point_of(public), point_of(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or commitment is None or BASE is None or scalar >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return same(times(scalar, BASE), added(commitment, times(challenge, key)))


# The tree (RFC 9162, 2.1): an entry's leaf is SHA-256(0x00, body), a node SHA-256(0x01, left, right).


def leaf_of(body: bytes) -> bytes:
    """Return the leaf of an entry."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_of(left: bytes, right: bytes) -> bytes:
    """Return the hash over two neighbours."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def is_included(leaf: bytes, index: int, size: int, proof: List[bytes], root: bytes) -> bool:
    """Return whether a proof shows that a leaf is in the tree (2.1.3.2)."""
    node, last, found = index, size - 1, leaf
    for other in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_of(other, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_of(found, other)
        node, last = node >> 1, last >> 1
    return 0 <= index < size and last == 0 and found == root


def is_continued(old: int, old_root: bytes, new: int, new_root: bytes, proof: List[bytes]) -> bool:
    """Return whether a proof shows that a tree continues an older one (2.1.4.2)."""
    if old == new or not 0 < old < new:
        return old == new and old_root == new_root and not proof
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    hashes = proof if node else [old_root, *proof]
    if not hashes:
        return False
    before = after = hashes[0]
    for other in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            before, after = node_of(other, before), node_of(other, after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = node_of(after, other)
        node, last = node >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


# Signed notes, checkpoints and cosignatures (C2SP signed-note, tlog-checkpoint, tlog-cosignature).


def unbase64(text: str) -> bytes:
    """Return the bytes of a text in base 64, which has to be its only spelling."""
    data = base64.b64decode(text.encode("ascii"), validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("not the one spelling of any bytes")
    return data


class Key:
    """A public key that signs notes (kind 1) or cosigns them as a witness (kind 4), from `name+hhhhhhhh+base64`."""

    def __init__(self, text: str) -> None:
        name, digits, material = text.strip().split("+", 2)
        data = unbase64(material)
        self.name, self.id, self.kind, self.public = name, bytes.fromhex(digits), data[0], data[1:]
        if self.id != hashlib.sha256(name.encode() + b"\n" + data).digest()[:4] or len(data) != 33:
            raise ValueError("it was mistyped: its digits do not fit")

    def holds(self, text: str, value: bytes) -> bool:
        """Return whether this key made a signature under a note's text."""
        if self.kind == 4 and len(value) == 72:  # the time of it stands before the signature
            seconds = int.from_bytes(value[:8], "big")
            return signature_holds(self.public, f"cosignature/v1\ntime {seconds}\n{text}".encode(), value[8:])
        return self.kind == 1 and signature_holds(self.public, text.encode(), value)


class Checkpoint:
    """A log's size and root, and who signed that: read from a note, or from three lines that nobody signed."""

    def __init__(self, data: bytes, what: str) -> None:
        try:
            whole = data.decode()
            body, between, below = whole.rpartition("\n\n")
            self.text = body + "\n" if between else whole
            lines = self.text.split("\n")
            self.origin, size, root = lines[:3]
            self.size, self.root = int(size), unbase64(root)
            self.signatures = [self.signature(line) for line in below.split("\n")[:-1]] if between else []
        except ValueError as error:
            raise BadPackError(f"{what}: not a checkpoint ({error})") from None
        spelled = [self.origin, str(self.size), root, ""] == lines and (not between or below.endswith("\n"))
        if not spelled or not self.origin or len(self.root) != 32 or self.size < 1:
            raise BadPackError(f"{what}: a checkpoint has three lines: origin, size and root")

    @staticmethod
    def signature(line: str) -> Tuple[str, bytes, bytes]:
        """Return whose signature a line says it has, and the signature."""
        dash, name, value = line.split(" ")
        data = unbase64(value)
        if dash != "\u2014" or len(data) < 5:
            raise ValueError("a signature looks like `— name base64`")
        return name, data[:4], data[4:]

    def of(self, key: Key) -> List[bytes]:
        """Return the signatures that say they are of this key."""
        return [value for name, digits, value in self.signatures if (name, digits) == (key.name, key.id)]

    def signed_by(self, key: Key) -> bool:
        """Return whether this key signed; whatever says so has to be true."""
        made = self.of(key)
        return bool(made) and all(key.holds(self.text, value) for value in made)


# The ZIP: read in place, its names known beforehand, everything bounded.


class Pack:
    """The files of a pack."""

    def __init__(self, path: str) -> None:
        try:
            self.archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise BadPackError(f"{path}: not a ZIP file ({error})") from None
        self.infos: Dict[str, zipfile.ZipInfo] = {}
        for info in self.archive.infolist():
            if info.filename in self.infos:
                raise BadPackError(f"{info.filename!r:.100}: it is in the pack twice")
            if info.filename not in FILES and not BY_DIGEST.fullmatch(info.filename):
                raise BadPackError(f"{info.filename!r:.100}: no pack has such a file")
            self.infos[info.filename] = info
        if len(self.infos) > MOST_FILES or sum(info.file_size for info in self.infos.values()) > MOST_BYTES:
            raise BadPackError(f"{path}: larger than {MOST_FILES} files or {MOST_BYTES} bytes: nothing of it is read")
        for name in set(FILES) - {"personal.jsonl"} - set(self.infos):
            raise BadPackError(f"{name}: it is missing")

    def pieces(self, name: str, lines: bool = False) -> Iterator[bytes]:
        """Yield a file in pieces, or in lines."""
        try:
            with self.archive.open(self.infos[name]) as stream:
                while piece := stream.readline(MOST_LINE) if lines else stream.read(1 << 20):
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise BadPackError(f"{name}: it cannot be read ({error})") from None

    def read(self, name: str) -> bytes:
        """Return a file."""
        if name not in self.infos:
            raise BadPackError(f"{name}: it is missing")
        return b"".join(self.pieces(name))

    def documents(self, name: str) -> Iterator[Dict[str, Any]]:
        """Yield the lines of a file, each of which is JSON in its canonical form."""
        for number, line in enumerate(self.pieces(name, lines=True), 1):
            document = parsed(line[:-1], f"{name} line {number}")
            if canonical(document) + b"\n" != line:
                raise BadPackError(f"{name} line {number}: not JSON in its canonical form")
            yield document


def parsed(data: bytes, what: str) -> Dict[str, Any]:
    """Return the JSON object of some bytes; a name that occurs twice is refused, and so is a float."""

    def pairs(items: List[Tuple[str, Any]]) -> Dict[str, Any]:
        """Return an object without two values under one name."""
        if len({name for name, _ in items}) != len(items):
            raise ValueError("a name occurs twice")
        return dict(items)

    def refused(text: str) -> Any:
        """Refuse a number that is not whole."""
        raise ValueError(f"{text} is not a whole number")

    try:
        document = json.loads(data.decode(), object_pairs_hook=pairs, parse_float=refused, parse_constant=refused)
    except (ValueError, RecursionError) as error:
        raise BadPackError(f"{what}: not JSON ({error})") from None
    if not isinstance(document, dict):
        raise BadPackError(f"{what}: expected an object")
    return document


def canonical(document: Any) -> bytes:
    """Return the canonical bytes of JSON (RFC 8785), for names in ASCII and whole numbers."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def pretty(document: Any) -> bytes:
    """Return JSON laid out for people, in the one way in which manifest.json is written."""
    return json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False).encode() + b"\n"
