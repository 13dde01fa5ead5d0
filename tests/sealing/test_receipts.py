"""Receipts: what a caller keeps finds a log that was rewritten, and proves an entry to whoever has the key."""

from dataclasses import replace

import pytest

from agentguard.engine import receipts
from agentguard.engine.receipts import Kept
from agentguard.engine.seals_keys import introduced
from agentguard.errors import NoteError, NotFoundError, ProofError, UnverifiedError
from tests.sealing.given import KEY, OTHER_KEY, add, cut, forget, owner, rewrite, sealer


def kept(store, position):
    return store.read(lambda reading: receipts.kept(reading, position))


def proved(store, position):
    return store.read(lambda reading: receipts.proved(reading, position))


def checked(store, text, keys=()):
    return store.read(lambda reading: receipts.check(reading, text, keys))


def test_every_entry_of_a_sealed_log_is_proved_to_whoever_has_the_key_alone(store):
    add(store, 300)
    sealer(store).seal()
    for position in (1, 2, 255, 256, 257, 300, 301):
        receipt, leaf = proved(store, position), bytes.fromhex(kept(store, position).leaf)
        assert receipt.check(leaf, [KEY.key]).size == 301
        assert receipts.check(None, receipt.text, [KEY.key]).ok
        with pytest.raises(ProofError):
            receipt.check(b"\0" * 32, [KEY.key])


def test_what_is_in_no_checkpoint_yet_has_no_proof_and_what_is_in_no_log_no_receipt(store):
    add(store, 2)
    sealer(store).seal()
    add(store)
    assert proved(store, 3) is not None
    assert proved(store, 4) is None
    for position in (0, -1, 5):
        with pytest.raises(NotFoundError):
            proved(store, position)


def test_a_kept_receipt_is_found_again_in_the_log_it_is_of(store):
    add(store, 3)
    said = checked(store, kept(store, 2).text)
    assert (said.ok, said.sealed) == (True, 0)
    sealer(store).seal()
    assert checked(store, kept(store, 2).text).sealed == 4
    assert Kept.read(kept(store, 2).text) == kept(store, 2)


def test_a_kept_receipt_finds_that_an_entry_nothing_had_sealed_is_another_one_now(store, address):
    add(store, 3)
    held = kept(store, 3).text
    with owner(address) as run:
        rewrite(run, 3)
    assert "entry 3 is another one now" in checked(store, held).problems[0]


def test_a_kept_receipt_finds_a_tail_that_was_cut_off_before_anything_sealed_it(store, address):
    add(store, 3)
    held = kept(store, 3).text
    with owner(address) as run:
        cut(run, 2)
    assert "entry 3 was cut off" in checked(store, held).problems[0]


def test_a_receipt_finds_a_log_that_was_rewritten_with_everything_that_seals_it(store, address):
    add(store, 5)
    sealer(store).seal()
    held = proved(store, 2).text
    with owner(address) as run:
        rewrite(run, 4)  # not the entry itself
        forget(run)
    said = checked(store, held, [KEY.key])
    assert [problem for problem in said.problems if "the log was rewritten" in problem]
    with owner(address) as run:
        rewrite(run, 1)
    assert any("entry 2 is another one now" in problem for problem in checked(store, held, [KEY.key]).problems)


def test_a_proof_is_not_made_of_a_log_that_is_not_the_sealed_one(store, address):
    add(store, 5)
    sealer(store).seal()
    with owner(address) as run:
        rewrite(run, 4)
    with pytest.raises(ProofError):
        proved(store, 2)


def test_a_receipt_that_another_key_signed_is_not_believed(store):
    add(store, 2)
    sealer(store).seal()
    with pytest.raises(UnverifiedError):
        receipts.check(None, proved(store, 1).text, [OTHER_KEY.key])


def test_a_receipt_of_another_log_is_said_to_be_that(store):
    add(store, 2)
    other = Kept("another-log", 1, kept(store, 1).leaf)
    assert "is of the log `another-log`" in checked(store, other.text).problems[0]


def test_a_receipt_that_proves_another_entry_than_it_says_is_found(store):
    add(store, 4)
    sealer(store).seal()
    receipt = proved(store, 2)
    swapped = receipt.text.replace(receipt.text.split("\n")[1], proved(store, 3).text.split("\n")[1])
    assert receipts.check(None, swapped, [KEY.key]).problems


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"log":"a","position":0,"leaf":"' + 64 * "0" + '"}',
        '{"log":"a","position":true,"leaf":"' + 64 * "0" + '"}',
        '{"log":"a","position":1,"leaf":"00"}',
        '{"log":"a","position":1,"leaf":7}',
        '{"log":1,"position":1,"leaf":"' + 64 * "0" + '"}',
        "c2sp.org/tlog-proof@v1\nindex 0\n\nnothing",
    ],
)
def test_what_is_no_receipt_is_refused_as_such(store, text):
    with pytest.raises(NoteError):
        checked(store, text, [KEY.key])


def test_the_first_key_is_the_only_one_until_another_is_introduced(store):
    add(store)
    sealer(store).seal()
    (only,) = store.read(introduced)
    assert (only.key, only.entry, only.replaces, only.stolen) == (KEY.key, 2, "", False)


def test_a_receipt_that_was_written_over_for_another_log_of_the_same_key_is_found(store):
    add(store, 3)
    sealer(store).seal()
    receipt = proved(store, 2)
    forged = replace(receipt, extra=replace(kept(store, 2), log="another-log").text.encode())
    said = receipts.check(None, forged.text, [KEY.key])
    assert "it is about the log `another-log`" in said.problems[0]
    assert checked(store, receipt.text, [KEY.key]).ok


def test_a_body_that_was_changed_under_its_leaf_is_found_by_a_receipt(store, address):
    add(store, 3)
    sealer(store).seal()
    held = proved(store, 3).text, kept(store, 3).text
    with owner(address) as run:
        run("UPDATE agentguard_entry SET body = (SELECT body FROM agentguard_entry WHERE pos = 2) WHERE pos = 3")
    for text in held:
        assert checked(store, text, [KEY.key]).problems == (
            "entry 3 says something else now than what its leaf was made of",
        )
