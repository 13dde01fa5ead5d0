"""The tree at rest: proofs from tiles and leaves are those of the entries, on each engine, and damage is told."""

import sqlite3
from contextlib import closing

import pytest

from agentguard.errors import TamperedError
from agentguard.evidence.tree import (
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    tree_root,
)
from agentguard.store import Store
from agentguard.store import tiles as tiles_module
from agentguard.store.tiles import MOST_TILES, StoredTree, Tile, add_tile, leaves, missing_tiles


def fill(store, count):
    def work(transaction):
        for number in range(count):
            transaction.append({"tenant": "acme", "kind": "noted", "number": number})

    store.transact(work)


def tile_all(store, most=MOST_TILES):
    stored = []
    while tiles := store.read(lambda reading: missing_tiles(reading, most=most)):
        stored.extend((tile.level, tile.number) for tile in tiles)
        store.transact(lambda transaction, tiles=tiles: [add_tile(transaction, tile) for tile in tiles])
    return stored


def check_everything(store):
    """Check the root at some sizes, and proofs between them, against the leaves themselves."""
    every = store.read(lambda reading: leaves(reading, 0, 10_000))
    frontier, roots = Frontier(), {}
    for leaf in every:
        frontier.append(leaf)
        roots[frontier.size] = frontier.root()
    sizes = sorted({size for size in (1, 2, 255, 256, 257, 511, 512, 600, len(every)) if size <= len(every)})

    def work(reading):
        tree = StoredTree(reading)
        for size in sizes:
            assert tree_root(tree, size) == roots[size]
            for index in {0, size // 2, size - 1}:
                check_inclusion(every[index], index, size, inclusion_proof(tree, index, size), roots[size])
            for old in sizes:
                if old <= size:
                    check_consistency(old, roots[old], size, roots[size], consistency_proof(tree, old, size))

    store.read(work)


def test_proofs_are_right_without_tiles_with_some_and_with_all(store):
    fill(store, 700)
    check_everything(store)
    first, second = store.read(missing_tiles)
    assert store.transact(lambda transaction: add_tile(transaction, first))
    assert not store.transact(lambda transaction: add_tile(transaction, first))
    check_everything(store)
    assert tile_all(store) == [(0, second.number)]
    check_everything(store)
    fill(store, 100)
    assert tile_all(store) == [(0, 2)]
    check_everything(store)


def test_tiles_of_tiles_are_right_at_every_height(store, monkeypatch):
    monkeypatch.setattr(tiles_module, "HEIGHT", 2)
    monkeypatch.setattr(tiles_module, "WIDTH", 4)
    fill(store, 611)
    check_everything(store)
    stored = tile_all(store, most=70)
    assert store.read(missing_tiles) == []
    assert [sum(1 for level, _ in stored if level == wanted) for wanted in range(5)] == [152, 38, 9, 2, 0]
    check_everything(store)


def test_what_a_new_tile_completes_above_it_comes_with_it(store, monkeypatch):
    monkeypatch.setattr(tiles_module, "HEIGHT", 2)
    monkeypatch.setattr(tiles_module, "WIDTH", 4)
    fill(store, 64)
    found = [(tile.level, tile.number) for tile in store.read(missing_tiles)]
    assert found == [*((0, number) for number in range(16)), *((1, number) for number in range(4)), (2, 0)]
    check_everything(store)


def test_no_more_tiles_are_made_than_asked_for_nor_of_entries_after_a_size(store):
    fill(store, 768)
    assert [tile.number for tile in store.read(lambda reading: missing_tiles(reading, most=2))] == [0, 1]
    assert [tile.number for tile in store.read(lambda reading: missing_tiles(reading, size=511))] == [0]
    assert [tile.number for tile in store.read(lambda reading: missing_tiles(reading, size=512))] == [0, 1]
    assert tile_all(store, most=1) == [(0, 0), (0, 1), (0, 2)]


def test_a_tile_that_says_otherwise_is_not_taken_for_the_one_that_is_stored(store):
    fill(store, 256)
    tile_all(store)
    other = Tile(0, 0, bytes(8192), bytes(32))
    with pytest.raises(TamperedError, match="expected tile 0 of level 0 as the log says, got other hashes"):
        store.transact(lambda transaction: add_tile(transaction, other))


@pytest.fixture
def filled(path):
    opened = Store.open(f"sqlite:///{path}")
    fill(opened, 300)
    tile_all(opened)
    yield opened
    opened.close()


def damage(path, *statements):
    """Change the file behind the store's back, as its owner."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    "statement, words",
    [
        ("DELETE FROM agentguard_entry WHERE pos = 3", "expected entries 1 to 256 in the log, got 255 of them"),
        ("UPDATE agentguard_entry SET leaf = 'x' WHERE pos = 3", "expected the leaves of entries 1 to 256 as hex"),
        ("UPDATE agentguard_entry SET leaf = 'ff' WHERE pos = 3", "expected the leaves of entries 1 to 256 as hex"),
    ],
)
def test_an_entry_that_is_gone_or_has_no_leaf_is_no_part_of_a_tree(filled, path, statement, words):
    damage(path, "DELETE FROM agentguard_tile", statement)
    with pytest.raises(TamperedError, match=words):
        filled.read(lambda reading: StoredTree(reading).root(0, 0))


def test_a_tile_that_is_not_whole_is_no_part_of_a_tree(filled, path):
    damage(path, "UPDATE agentguard_tile SET hashes = substr(hashes, 1, 8160)")
    with pytest.raises(TamperedError, match="expected 256 hashes in tile 0 of level 0, got 8160 bytes"):
        filled.read(lambda reading: StoredTree(reading).root(0, 0))


def test_a_leaf_that_the_log_does_not_have_has_no_hash(store):
    fill(store, 3)
    for level, index in ((0, 3), (1, 1), (2, 0), (8, 0), (9, 1)):
        with pytest.raises(TamperedError, match="got fewer entries"):
            store.read(lambda reading, level=level, index=index: StoredTree(reading).root(level, index))
    assert len(store.read(lambda reading: leaves(reading, 1, 10))) == 2
    assert store.read(lambda reading: leaves(reading, 3, 10)) == []
