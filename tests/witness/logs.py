"""Logs without a store: leaves, checkpoints signed by a key, and proofs between them."""

from hashlib import sha256

from agentguard.evidence.checkpoint import Checkpoint, signed
from agentguard.evidence.keys import WITNESS, SigningKey
from agentguard.evidence.tree import consistency_proof, perfect_root, tree_root

ORIGIN = "agentguard/log-of-the-test"
KEY = SigningKey("agentguard/log-of-the-test", bytes(range(32)))
OTHER_KEY = SigningKey("agentguard/log-of-the-test", bytes(range(1, 33)))
WITNESS_KEY = SigningKey("witness.example/w1", bytes(range(2, 34)), WITNESS)


class Log:
    """A log of so many entries; `branch` begins another history after its first `shared` entries."""

    def __init__(self, size=2_000, branch="", shared=0, origin=ORIGIN):
        self.origin = origin
        self.leaves = [
            sha256(f"{branch if number >= shared else ''}{number}".encode()).digest() for number in range(size)
        ]

    def root(self, level, index):
        return perfect_root(self.leaves[index << level : (index + 1) << level])

    def note(self, size, key=KEY):
        return signed(Checkpoint(self.origin, size, tree_root(self, size)), key)

    def proof(self, old, new):
        return consistency_proof(self, old, new)

    def offered(self, old, new, key=KEY):
        """What a witness is offered, as arguments of `add`."""
        return old, self.proof(old, new), self.note(new, key)
