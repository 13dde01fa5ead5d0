"""The text of a tombstone: what is written is read back, and nothing else is."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard.errors import NoteError
from agentguard.evidence.tombstone import HEADER, Tombstone, leaves_digest, ranges_of

DIGEST = base64.b64encode(bytes(32)).decode()


@given(st.sets(st.integers(1, 10**18 - 1), min_size=1, max_size=30), st.lists(st.binary(min_size=32, max_size=32)))
def test_every_tombstone_is_read_back_as_it_was_written(positions, leaves):
    stone = Tombstone("log-1", ranges_of(positions), leaves_digest(leaves))
    assert Tombstone.read(stone.text) == stone
    assert stone.entries == len(positions)
    assert all(stone.covers(position, position) for position in positions)


def test_ranges_are_as_few_as_there_can_be():
    assert ranges_of([5, 1, 2, 3, 2, 7]) == ((1, 3), (5, 5), (7, 7))
    assert not Tombstone("l", ranges_of([1, 2, 4]), bytes(32)).covers(1, 4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEADER,
        f"{HEADER}\nlog\n{DIGEST}\n",
        f"{HEADER}\nlog\n{DIGEST}\n1 2",
        f"{HEADER}\n\n{DIGEST}\n1 2\n",
        f"agentguard/tombstone/v2\nlog\n{DIGEST}\n1 2\n",
        f"{HEADER}\nlog\n{DIGEST}\n2 1\n",
        f"{HEADER}\nlog\n{DIGEST}\n0 1\n",
        f"{HEADER}\nlog\n{DIGEST}\n01 1\n",
        f"{HEADER}\nlog\n{DIGEST}\n1 2\n2 3\n",
        f"{HEADER}\nlog\n{DIGEST}\n1 2\n3 4\n",
        f"{HEADER}\nlog\n{DIGEST}\n5 6\n1 2\n",
        f"{HEADER}\nlog\n{DIGEST}\n1 2\n\n",
        f"{HEADER}\nlog\n{DIGEST}\n1 2 3\n",
        f"{HEADER}\nlog\n{DIGEST}\n1 {'9' * 30}\n",
        f"{HEADER}\nlog\nno base64!\n1 2\n",
        f"{HEADER}\nlog\n{DIGEST[:-4]}\n1 2\n",
    ],
)
def test_what_is_none_is_refused(text):
    with pytest.raises(NoteError):
        Tombstone.read(text)
