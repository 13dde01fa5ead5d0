"""An entry's leaf is one SHA-256, however long its body is."""

import hashlib

import pytest

from agentguard.store.transaction import PIECE, leaf_of


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 1, 2**20])
def test_a_leaf_is_the_digest_of_a_zero_byte_and_the_whole_body(size):
    body = bytes(number % 251 for number in range(size))
    assert leaf_of(body) == hashlib.sha256(b"\x00" + body).hexdigest()
