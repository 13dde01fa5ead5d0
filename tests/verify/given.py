"""A shop whose log is signed, and the owner of its database, who may do anything behind its back."""

import sqlite3

import orjson
import psycopg

from agentguard.evidence.checkpoint import Checkpoint, signed
from agentguard.evidence.cosignature import cosigned
from agentguard.evidence.keys import WITNESS, SigningKey
from agentguard.evidence.tree import Frontier, tree_root
from agentguard.store import seals
from agentguard.store.tiles import StoredTree, add_tile, missing_tiles
from agentguard.store.transaction import leaf_of

KEY = SigningKey("shop", b"k" * 32)
THIEF = SigningKey("shop", b"t" * 32)
WITNESS_KEY = SigningKey("witness", b"w" * 32, WITNESS)
TRIGGERS = "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"


class Owner:
    """Who owns the database, and has seen to it that no trigger refuses anything."""

    def __init__(self, address, *, drops=False):
        self._is_file = address.startswith("sqlite")
        if self._is_file:
            self._connection = sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)
            for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
                self.do(f"DROP TRIGGER {name}")
            return
        self._connection = psycopg.connect(address.replace("+psycopg", ""), autocommit=True)
        self._dropped = drops
        for name, table in self.rows(TRIGGERS):
            self.do(f"DROP TRIGGER {name} ON {table}" if drops else f"ALTER TABLE {table} DISABLE TRIGGER {name}")

    def do(self, statement, *values):
        """Change something; how many rows it was."""
        return self._connection.execute(self._placed(statement), values).rowcount

    def rows(self, query, *values):
        return self._connection.execute(self._placed(query), values).fetchall()

    def body(self, pos):
        ((data,),) = self.rows("SELECT body FROM agentguard_entry WHERE pos = ?", pos)
        return orjson.loads(bytes(data))

    def write(self, pos, body, *, leaf=True):
        """Put another body into an entry's place, with the leaf that goes with it."""
        data = body if isinstance(body, bytes) else canonical(body)
        assert self.do("UPDATE agentguard_entry SET body = ? WHERE pos = ?", data, pos)
        if leaf:
            self.do("UPDATE agentguard_entry SET leaf = ? WHERE pos = ?", leaf_of(data), pos)

    def rewrite(self, first=1, change=lambda pos, body: body):
        """Write everything from an entry on anew so that it agrees with itself: leaves, chains, columns and head."""
        last = {}
        for pos, stream, data in self.rows("SELECT pos, stream, body FROM agentguard_entry ORDER BY pos"):
            body = orjson.loads(bytes(data))
            if pos >= first:
                body = change(pos, {**body, "prev": last.get(stream)})
                self.write(pos, body)
                self.do(
                    "UPDATE agentguard_entry SET ts_us = ?, kind = ? WHERE pos = ?", body["ts_us"], body["kind"], pos
                )
            last[stream] = leaf_of(canonical(body))
            head = last[stream], pos
        self.do("UPDATE agentguard_log SET leaf = ?, size = ?", *head)
        self.do("DELETE FROM agentguard_tile")

    def close(self):
        if not self._is_file and not self._dropped:  # the next test has them back
            for name, table in self.rows(TRIGGERS):
                self.do(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
        self._connection.close()

    def _placed(self, statement):
        return statement if self._is_file else statement.replace("?", "%s")


def canonical(body):
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def introduce(store, key=KEY, **more):
    """Let a key introduce itself, as the first one does."""
    body = {"tenant": "acme", "kind": "key_introduced", "key": key.key.text, "replaces": None, "stolen": False, **more}
    return store.transact(lambda transaction: transaction.append(body))


def seal(store, key=KEY, *, witness_at=None, origin=None):
    """Sign the log as it stands, and store tiles and checkpoint; the note."""

    def work(transaction):
        for tile in missing_tiles(transaction):
            add_tile(transaction, tile)
        name = origin or f"agentguard/{transaction.log_name()}"
        size = transaction.position()
        checkpoint = Checkpoint(name, size, tree_root(StoredTree(transaction), size))
        note = signed(checkpoint, key)
        last = seals.last_promise(transaction, name)
        assert seals.promise(transaction, checkpoint, last)
        assert seals.add_checkpoint(transaction, name, size, note)
        if witness_at is not None:
            line = cosigned(checkpoint.text, WITNESS_KEY, int(witness_at.timestamp())).line
            assert seals.add_cosignature(transaction, name, size, WITNESS_KEY.name, line)
        return note

    return store.transact(work)


def forged_note(owner, key, origin, size):
    """What somebody signs about the log as the database has it."""
    tree = Frontier()
    leaves = owner.rows("SELECT leaf FROM agentguard_entry WHERE pos <= ? ORDER BY pos", size)
    tree.extend(bytes.fromhex(leaf) for (leaf,) in leaves)
    return signed(Checkpoint(origin, size, tree.root()), key), tree.root()


def leaves_of(value, path=()):
    """Return the path of each value in a body that has none inside."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [inner for name, item in items for inner in leaves_of(item, (*path, name))]
    return found or [path]


def changed(body, path):
    """Return a body in which one value is another one of its kind."""
    copy = orjson.loads(canonical(body))
    place = copy
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = _other(place[path[-1]])
    return copy


def _other(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    return "x" if value is None else {"x": 1} if isinstance(value, dict) else ["x"]
