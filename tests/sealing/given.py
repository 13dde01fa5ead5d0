"""Logs to be sealed, what signs them, and the database's owner, who can change anything behind our back."""

import sqlite3
from contextlib import contextmanager
from hashlib import sha256

import psycopg

from agentguard.engine.sealing import Sealer
from agentguard.evidence.checkpoint import opened
from agentguard.evidence.keys import SigningKey
from agentguard.store import seals
from agentguard.store.evidence_tables import metadata
from agentguard.store.transaction import leaf_of

KEY = SigningKey("acme-log", b"k" * 32)
OTHER_KEY = SigningKey("acme-log", b"o" * 32)


class RecordingSigner:
    """Signs, and knows everything that it ever signed; it may be told to die before or after it signs."""

    def __init__(self, key=KEY, signed=None):
        self.key = key.key
        self._signing = key
        self.messages = []
        self.dies = ""
        self.signed = signed

    def sign(self, message):
        if self.dies == "before":
            raise KeyboardInterrupt
        self.messages.append(message)
        if self.dies == "after":
            raise KeyboardInterrupt
        return self._signing.sign(message)

    def sizes(self):
        return [int(message.split(b"\n")[1]) for message in self.messages]

    def roots(self):
        """Every root that it signed, by origin and size: one each, or it signed two logs."""
        found = {}
        for message in self.messages:
            origin, size, root, *_ = message.split(b"\n")
            found.setdefault((origin, int(size)), set()).add(root)
        return found


def sealer(store, signer=None):
    return Sealer(store, signer or RecordingSigner(), "acme")


def add(store, count=1, tenant="acme"):
    """Append so many entries in one commit."""

    def work(transaction):
        for number in range(count):
            transaction.append({"tenant": tenant, "kind": "noted", "number": number})

    store.transact(work)


def naive_root(leaves):
    """The root over some leaves as RFC 9162 defines it (2.1.1)."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def leaves_of(store):
    return store.read(lambda reading: [bytes.fromhex(entry.leaf) for entry in reading.all_entries()])


def all_sealed(store):
    return store.read(lambda reading: list(seals.checkpoints(reading)))


def assert_sound(store, key=KEY):
    """Every stored checkpoint is signed by the key and says what the log says."""
    leaves = leaves_of(store)
    for sealed in all_sealed(store):
        checkpoint = opened(sealed.note, [key.key], sealed.origin)
        assert checkpoint.size == sealed.size
        assert checkpoint.root == naive_root(leaves[: sealed.size])


@contextmanager
def owner(address):
    """Give what runs a statement as the database's owner, who has every trigger out of the way."""
    if address.startswith("sqlite"):
        connection = sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield lambda text, *values: connection.execute(text, values).fetchall()
        for _, sql in triggers:
            connection.execute(sql)
        connection.close()
        return
    with psycopg.connect(address.replace("+psycopg", "")) as connection:
        named = "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
        triggers = connection.execute(named).fetchall()
        for table in metadata.tables:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")

        def run(text, *values):
            cursor = connection.execute(text.replace("?", "%s"), values)
            return cursor.fetchall() if cursor.description else []

        yield run
        for name, table in triggers:
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


def rewrite(run, first):
    """Put other entries, which agree with themselves, in the place of those from a position on."""
    rows = run("SELECT pos, body FROM agentguard_entry WHERE pos >= ? ORDER BY pos", first)
    for pos, body in rows:
        other = bytes(body).replace(b'"kind"', b'"k1nd"')
        run("UPDATE agentguard_entry SET body = ?, leaf = ? WHERE pos = ?", other, leaf_of(other), pos)
        run("UPDATE agentguard_log SET leaf = ?", leaf_of(other))


def forget(run, *tables):
    """Empty tables, so that nothing in the database says what was sealed."""
    for table in tables or ("agentguard_promise", "agentguard_checkpoint", "agentguard_tile"):
        run(f"DELETE FROM {table}")


def cut(run, last):
    """Remove every entry after a position."""
    run("DELETE FROM agentguard_entry WHERE pos > ?", last)
    run("UPDATE agentguard_log SET size = ?, leaf = (SELECT leaf FROM agentguard_entry WHERE pos = ?)", last, last)
