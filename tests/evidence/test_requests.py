"""What a log asks of a witness and what that answers, as text."""

import pytest

from agentguard.errors import NoteError
from agentguard.evidence.cosignature import cosigned
from agentguard.evidence.note import read_note
from agentguard.evidence.receipt import MOST_HASHES
from agentguard.evidence.requests import AddCheckpoint, cosignature_text, read_cosignatures, read_size, size_text
from agentguard.evidence.tree import consistency_proof
from tests.evidence.given import NOON, SECOND_WITNESS, WITNESS_KEY, Known, checkpoint_note, leaves_of

SPECIFIED = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""  # noqa: E501
ANSWERED = """— witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==
— witness.example/w1 I7rEps0pvK2UqkS2gSpVUDhrhVtQV9lgF6pRrWAvjJHjyWpW7VcE3SiOlVlbQNt64vWhO+DlkL0+UfzuOBMh9ChdMkP1vi/lCAsmlw==
— witness.example/w2 AWui8Sk55XjYLOijihBjhqEH6nS1ndDymE0a+6idX7pLcnoB+dhnz0854aLZgrrKbYKA7nC3HNJhm/kWl7oJlqU3rXXvpysAdyP3wQ==
"""  # noqa: E501
HASH = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def test_the_request_of_the_specification_is_read_and_written_alike():
    request = AddCheckpoint.read(SPECIFIED)
    assert (request.old_size, len(request.proof)) == (20852014, 4)
    assert len(read_note(request.note).signatures) == 2
    assert request.text == SPECIFIED


def test_the_answer_of_the_specification_is_read_and_written_alike():
    signatures = read_cosignatures(ANSWERED)
    assert [signature.name for signature in signatures] == ["witness.example/w1"] * 2 + ["witness.example/w2"]
    assert cosignature_text(*signatures) == ANSWERED


def test_a_request_without_a_proof_has_none():
    request = AddCheckpoint(0, (), checkpoint_note(3))
    assert request.text.startswith("old 0\n\nagentguard/main\n3\n")
    assert AddCheckpoint.read(request.text) == request
    longer = AddCheckpoint(3, consistency_proof(Known(leaves_of(9)), 3, 9), checkpoint_note(9))
    assert AddCheckpoint.read(longer.text) == longer


def test_what_two_witnesses_signed_goes_under_the_checkpoint():
    note = read_note(checkpoint_note(3))
    made = [cosigned(note.text, key, NOON) for key in (WITNESS_KEY, SECOND_WITNESS)]
    assert read_cosignatures(cosignature_text(*made)) == tuple(made)


def test_a_size_is_one_line():
    assert read_size(size_text(20852163)) == 20852163
    assert read_size(size_text(0)) == 0
    for wrong in ("", "\n", "3", "34", "3\n\n", "03\n", "-1\n", "3\n4\n", "three\n"):
        with pytest.raises(NoteError):
            read_size(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "old 0\n",
        f"old 0\n{HASH}\nnote\n",
        "old 01\n\nnote\n",
        "old -1\n\nnote\n",
        "old\n\nnote\n",
        "new 0\n\nnote\n",
        "old 1\nAAAA\n\nnote\n",
        f"old 1\n{HASH[:-2]}\n\nnote\n",
        f"old 1\n{(HASH + chr(10)) * (MOST_HASHES + 1)}\nnote\n",
    ],
)
def test_what_is_no_request_is_not_read(text):
    with pytest.raises(NoteError):
        AddCheckpoint.read(text)


@pytest.mark.parametrize("text", ["", "\n", ANSWERED[:-1], ANSWERED + "\n", "more\n" + ANSWERED, ANSWERED * 40])
def test_what_are_no_cosignatures_are_not_read(text):
    with pytest.raises(NoteError):
        read_cosignatures(text)
