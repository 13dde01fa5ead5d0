"""Leaves, trees of them worked out plainly, and keys that the tests of this folder begin with."""

from agentguard.evidence.checkpoint import Checkpoint, signed
from agentguard.evidence.cosignature import cosigned
from agentguard.evidence.keys import WITNESS, SigningKey
from agentguard.evidence.note import note_text, read_note
from agentguard.evidence.tree import Frontier, leaf_hash, node_hash

ORIGIN = "agentguard/main"
LOG_KEY = SigningKey(ORIGIN, b"\x01" * 32)
OTHER_KEY = SigningKey(ORIGIN, b"\x02" * 32)
WITNESS_KEY = SigningKey("witness.example/w1", b"\x03" * 32, WITNESS)
SECOND_WITNESS = SigningKey("witness.example/w2", b"\x04" * 32, WITNESS)
NOON = 1_795_000_000


class Known:
    """Inner hashes worked out from the leaves each time: a reference that is slow and plain."""

    def __init__(self, leaves):
        self.leaves = leaves

    def root(self, level, index):
        assert (index + 1) << level <= len(self.leaves), "asked for a subtree that is not whole"
        if not level:
            return self.leaves[index]
        return node_hash(self.root(level - 1, 2 * index), self.root(level - 1, 2 * index + 1))


def entries_of(count):
    return [b"entry %d" % number for number in range(count)]


def leaves_of(count):
    return [leaf_hash(entry) for entry in entries_of(count)]


def frontier_of(leaves):
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier


def root_of(size):
    return frontier_of(leaves_of(size)).root()


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def checkpoint_note(size, *witnesses, key=LOG_KEY, origin=ORIGIN, at=NOON):
    """Return a signed checkpoint of the first entries, cosigned by witnesses."""
    note = read_note(signed(Checkpoint(origin, size, root_of(size)), key))
    return note_text(note.joined(*(cosigned(note.text, witness, at) for witness in witnesses)))
