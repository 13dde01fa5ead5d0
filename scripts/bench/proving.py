"""Proofs from a log at rest, made and checked; and the tree part beside pymerkle, which keeps one in SQLite as well."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loads import percentile
from pymerkle import InmemoryTree, SqliteTree

from agentguard.evidence.tree import Frontier, check_inclusion, inclusion_proof, leaf_hash, tree_root
from agentguard.store import Store
from agentguard.store.tiles import StoredTree, leaves

MOST_LEAVES = 100_000


def proofs(url: str, count: int) -> dict[str, float]:
    """Make and check proofs of entries drawn anywhere in a log: milliseconds of each step, median and 99th."""
    store = Store.open(url)
    size = store.read(lambda reading: reading.position())
    root = store.read(lambda reading: tree_root(StoredTree(reading), size))
    draw = random.Random(size)
    made, checked = [], []
    for index in draw.choices(range(size), k=count):
        leaf = store.read(lambda reading, index=index: leaves(reading, index, 1))[0]
        began = time.perf_counter()
        proof = store.read(lambda reading, index=index: inclusion_proof(StoredTree(reading), index, size))
        between = time.perf_counter()
        check_inclusion(leaf, index, size, proof, root)
        made.append(between - began)
        checked.append(time.perf_counter() - between)
    store.close()
    both = [make + check for make, check in zip(made, checked, strict=True)]
    named = {"make": made, "check": checked, "both": both}
    found = {f"{name} p{share}": percentile(times, share) * 1e3 for name, times in named.items() for share in (50, 99)}
    return {"entries": size, **found}


def beside_pymerkle(path: Path, folder: Path, rounds: int, count: int) -> dict[str, float]:
    """Hash the same entries into both trees in turn, and prove the same entries from both at rest.

    Microseconds an entry in memory, and of a proof of one of them, made and checked, from SQLite: medians.
    """
    store = Store.open(f"sqlite:///{path}")
    entries = [entry.body for entry in _first(store, MOST_LEAVES)]
    times: dict[str, list[float]] = {"ours": [], "pymerkle": []}
    roots = set()
    for _ in range(rounds):
        for name, work in (("ours", _our_root), ("pymerkle", _their_root)):
            began = time.process_time()
            roots.add(work(entries))
            times[name].append((time.process_time() - began) / len(entries) * 1e6)
    if len(roots) != 1:
        raise SystemExit("expected the same root of both trees, got two")
    peer = SqliteTree(str(folder / "pymerkle.db"), algorithm="sha256")
    peer.append_entries(entries)
    [root] = roots
    proving = {
        "our proof": lambda index: _our_proof(store, index, len(entries), root),
        "their proof": lambda index: _their_proof(peer, index, len(entries), root),
    }
    draw = random.Random(len(entries))
    proofs_of: dict[str, list[float]] = {name: [] for name in proving}
    for index in draw.choices(range(len(entries)), k=count):
        for name, prove in proving.items():
            proofs_of[name].append(_timed(prove, index))
    peer.close()
    store.close()
    medians = {name: statistics.median(found) for name, found in (times | proofs_of).items()}
    return {"entries": len(entries), **medians}


def _first(store: Store, most: int) -> list[Any]:
    """Return the first entries of a log."""
    found: list[Any] = []
    while len(found) < most:
        page = store.read(lambda reading: reading.entries(after=len(found), limit=min(1000, most - len(found))))
        if not page:
            break
        found.extend(page)
    return found


def _our_root(entries: list[bytes]) -> bytes:
    frontier = Frontier()
    frontier.extend(map(leaf_hash, entries))
    return frontier.root()


def _their_root(entries: list[bytes]) -> bytes:
    tree = InmemoryTree(algorithm="sha256")
    tree.append_entries(entries)
    root: bytes = tree.get_root()
    return root


def _our_proof(store: Store, index: int, size: int, root: bytes) -> None:
    leaf, proof = store.read(
        lambda reading: (leaves(reading, index, 1)[0], inclusion_proof(StoredTree(reading), index, size))
    )
    check_inclusion(leaf, index, size, proof, root)


def _their_proof(tree: SqliteTree, index: int, size: int, root: bytes) -> None:
    tree.cache_clear()  # ours begins with nothing each time as well
    tree.prove_inclusion(index + 1, size).verify(tree.get_leaf(index + 1), root)


def _timed(work: Callable[[int], None], index: int) -> float:
    began = time.perf_counter()
    work(index)
    return (time.perf_counter() - began) * 1e6
