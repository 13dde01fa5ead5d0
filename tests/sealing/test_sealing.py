"""Checkpoints that a key signs: of everything that is committed, and never of two logs under one name."""

import threading
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agentguard.core.policy import Bundle
from agentguard.engine.guard import Guard
from agentguard.engine.sealing import Sealer, Sealing
from agentguard.engine.signing import SigningKeyFile, make_key
from agentguard.errors import ConfigurationError, StoreUnavailableError, TamperedError
from agentguard.store import Store, seals
from tests.forked import forked
from tests.sealing.given import (
    KEY,
    OTHER_KEY,
    RecordingSigner,
    add,
    all_sealed,
    assert_sound,
    cut,
    forget,
    leaves_of,
    naive_root,
    owner,
    rewrite,
    sealer,
)


def test_a_log_without_entries_has_no_checkpoint(store):
    assert sealer(store).seal() is None
    assert all_sealed(store) == []


@pytest.mark.parametrize("count", [1, 255, 256, 700])
def test_a_checkpoint_covers_everything_that_is_committed(store, count):
    add(store, count)
    sealed = sealer(store).seal()
    assert sealed.size == count + 1  # the first key introduced itself
    assert sealed.origin == "agentguard/log-of-the-test"
    assert sealed.checkpoint.root == naive_root(leaves_of(store))
    assert_sound(store)


def test_where_nothing_is_new_the_last_checkpoint_is_given_again_and_nothing_is_signed(store):
    add(store)
    signer = RecordingSigner()
    first = sealer(store, signer).seal()
    assert sealer(store, signer).seal() == first
    assert len(signer.messages) == 1


def test_checkpoints_of_a_growing_log_continue_each_other(store):
    one = sealer(store)
    for count in (1, 2, 300, 5):
        add(store, count)
        one.seal()
    assert [sealed.size for sealed in all_sealed(store)] == [2, 4, 304, 309]
    assert_sound(store)


def test_the_first_key_introduces_itself_in_the_log_it_signs(store):
    add(store)
    sealer(store).seal()
    entry = store.read(lambda reading: reading.entry(2)).document
    assert (entry["kind"], entry["key"], entry["replaces"]) == ("key_introduced", KEY.key.text, None)


def test_another_key_signs_nothing(store):
    add(store)
    sealer(store).seal()
    add(store)
    other = RecordingSigner(OTHER_KEY)
    with pytest.raises(ConfigurationError, match="audit change-key"):
        sealer(store, other).seal()
    assert other.messages == []
    assert len(all_sealed(store)) == 1


@pytest.mark.parametrize("dies", ["before", "after"])
def test_whoever_comes_after_a_crash_signs_what_was_promised_and_nothing_else_of_that_size(store, dies):
    add(store, 3)
    signer = RecordingSigner()
    signer.dies = dies
    with pytest.raises(KeyboardInterrupt):
        sealer(store, signer).seal()
    assert all_sealed(store) == []
    signer.dies = ""
    assert sealer(store, signer).seal().size == 4
    assert {size: len(roots) for size, roots in signer.roots().items()} == {(b"agentguard/log-of-the-test", 4): 1}
    assert_sound(store)


def test_what_was_promised_and_never_signed_is_passed_by_when_the_log_has_grown(store):
    add(store, 3)
    signer = RecordingSigner()
    signer.dies = "before"
    with pytest.raises(KeyboardInterrupt):
        sealer(store, signer).seal()
    signer.dies = ""
    add(store, 3)
    assert sealer(store, signer).seal().size == 7
    assert signer.sizes() == [7]


@pytest.mark.parametrize("dies", ["before", "after"])
def test_entries_that_became_others_between_signing_and_storing_are_not_signed_under_that_size(store, address, dies):
    add(store, 3)
    signer = RecordingSigner()
    signer.dies = dies
    with pytest.raises(KeyboardInterrupt):
        sealer(store, signer).seal()
    with owner(address) as run:
        rewrite(run, 2)
    signer.dies = ""
    with pytest.raises(TamperedError, match="rewritten; nothing was signed"):
        sealer(store, signer).seal()
    assert all(len(roots) == 1 for roots in signer.roots().values())
    assert len(signer.messages) == (dies == "after")


@pytest.mark.parametrize("count", [3, 255, 600])
def test_a_log_that_was_rewritten_behind_our_back_is_refused_and_not_signed(store, address, count):
    add(store, count)
    signer = RecordingSigner()
    sealer(store, signer).seal()
    with owner(address) as run:
        rewrite(run, count)
    add(store)
    with pytest.raises(TamperedError, match="rewritten; nothing was signed"):
        sealer(store, signer).seal()
    assert signer.sizes() == [count + 1]


def test_a_tail_that_was_cut_off_is_refused(store, address):
    add(store, 5)
    signer = RecordingSigner()
    sealer(store, signer).seal()
    with owner(address) as run:
        cut(run, 4)
    with pytest.raises(TamperedError, match="older database was put back, or entries were cut off"):
        sealer(store, signer).seal()
    assert signer.sizes() == [6]


@pytest.fixture
def key_file(tmp_path):
    make_key(tmp_path / "seal.key", "acme-log")
    return tmp_path / "seal.key"


def test_a_key_in_a_file_remembers_what_it_signed_when_the_whole_database_was_rewritten_with_its_checkpoints(
    store, address, key_file
):
    add(store, 5)
    signer = SigningKeyFile(key_file)
    assert sealer(store, signer).seal().size == 6
    with owner(address) as run:
        rewrite(run, 3)
        forget(run)
    with pytest.raises(TamperedError, match="rewritten; nothing was signed"):
        sealer(store, SigningKeyFile(key_file)).seal()
    with owner(address) as run:
        cut(run, 2)
    with pytest.raises(TamperedError, match="older database was put back"):
        sealer(store, SigningKeyFile(key_file)).seal()
    assert all_sealed(store) == []


def test_what_is_signed_is_written_down_before_it_is_signed(store, key_file):
    add(store, 2)
    signer = SigningKeyFile(key_file)
    memory, seen = signer.signed, []

    class Watching(RecordingSigner):
        def sign(self, message):
            seen.append(memory.last("agentguard/log-of-the-test"))
            return super().sign(message)

    sealed = sealer(store, Watching(signed=memory)).seal()
    assert [checkpoint.root for checkpoint in seen] == [sealed.checkpoint.root]


def test_where_it_cannot_be_written_down_what_is_signed_nothing_is_signed(store, key_file, tmp_path):
    add(store)
    signer = RecordingSigner(signed=SigningKeyFile(key_file, signed=tmp_path / "none" / "signed").signed)
    with pytest.raises(StoreUnavailableError, match="nothing was signed"):
        sealer(store, signer).seal()
    assert signer.messages == []


def test_many_threads_that_seal_at_once_sign_one_root_a_size(store):
    signer = RecordingSigner()
    failed = []

    def work():
        try:
            for _ in range(5):
                add(store)
                with suppress(StoreUnavailableError):  # the others were quicker ten times, and have sealed it
                    sealer(store, signer).seal()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sealer(store, signer).seal().size == 31
    assert all(len(roots) == 1 for roots in signer.roots().values())
    assert_sound(store)


def seal_for_a_while(address, key_file):
    store = Store.open(address)
    one = sealer(store, SigningKeyFile(key_file))
    for _ in range(6):
        add(store, 7)
        one.seal()
    store.close()


def test_many_processes_that_seal_at_once_with_one_key_file_agree(store, address, key_file):
    processes = [forked(seal_for_a_while, address, str(key_file)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    last = sealer(store, SigningKeyFile(key_file)).seal()
    assert last.size == 127
    assert_sound(store, SigningKeyFile(key_file)._signing)


def test_a_checkpoint_is_found_by_the_entry_that_it_covers(store):
    one = sealer(store)
    for _ in range(3):
        add(store, 2)
        one.seal()
    sizes = [store.read(lambda r, n=n: seals.covering(r, "agentguard/log-of-the-test", n)) for n in (1, 3, 4, 7, 8)]
    assert [sealed and sealed.size for sealed in sizes] == [3, 3, 5, 7, None]


def test_a_line_of_a_witness_stands_under_the_checkpoint_once(store):
    add(store)
    sealed = sealer(store).seal()
    line = "— witness.example " + "AAAA" * 26
    for kept in (True, False):
        assert store.transact(lambda t: seals.add_cosignature(t, sealed.origin, sealed.size, "w", line)) is kept
    (found,) = all_sealed(store)
    assert found.note == f"{sealed.note}{line}\n"
    assert found.witnesses == ("w",)
    assert store.read(lambda r: seals.newest_witnessed(r, sealed.origin)) == found


def test_times_and_counts_that_are_none_are_refused():
    with pytest.raises(ConfigurationError, match="after some time and some entries"):
        Sealing(RecordingSigner(), at_most=0)


def test_a_key_that_is_kept_elsewhere_remembers_in_a_file_what_it_signed(store, address, tmp_path):
    add(store, 5)
    signer, file = RecordingSigner(), tmp_path / "signed"
    assert Sealer(store, signer, "acme", signed=file).seal().size == 6
    with owner(address) as run:
        cut(run, 4)
        forget(run)
    with pytest.raises(TamperedError, match="an older database was put back"):
        Sealer(store, signer, "acme", signed=file).seal()
    assert signer.sizes() == [6]


def rewritten(store, address):
    """A log that was cut, and goes on after an entry that says that a backup was restored."""
    with owner(address) as run:
        cut(run, 3)
        forget(run)
    store.transact(lambda transaction: transaction.append({"tenant": "acme", "kind": "restored"}))


def test_a_key_signs_no_log_under_another_name_until_somebody_says_so_where_the_key_is(store, address, key_file):
    add(store, 5)
    sealer(store, SigningKeyFile(key_file)).seal()
    rewritten(store, address)
    with pytest.raises(TamperedError, match=r"under a name that this key has signed, got `.*/restored-1`.*nothing was"):
        sealer(store, SigningKeyFile(key_file)).seal()
    assert store.read(lambda reading: seals.newest(reading, "agentguard/log-of-the-test/restored-1")) is None
    assert sealer(store, SigningKeyFile(key_file)).follow() == "agentguard/log-of-the-test/restored-1"
    sealed = sealer(store, SigningKeyFile(key_file)).seal()
    assert (sealed.origin, sealed.size) == ("agentguard/log-of-the-test/restored-1", 5)
    add(store)
    assert sealer(store, SigningKeyFile(key_file)).seal().size == 6


def test_a_guard_that_has_the_key_agrees_when_a_restore_is_recorded_on_it(tmp_path, key_file):
    guard = Guard(Bundle((), ""), store=f"sqlite:///{tmp_path / 'log.db'}", signer=SigningKeyFile(key_file))
    guard.halt("all", by="maria", why="before")
    before = guard.seals.seal()
    assert guard.restored(by="maria", why="the disk broke", anyway=True)
    after = guard.seals.seal()
    guard.close()
    assert after.origin == f"{before.origin}/restored-1"


def test_a_key_that_remembers_nothing_signs_a_log_that_was_restored_and_somebody_is_told(store, address):
    add(store, 5)
    sealer(store).seal()
    rewritten(store, address)
    again = sealer(store)
    with capture_logs() as logs:
        sealed = again.seal()
        add(store)
        again.seal()
    assert (sealed.origin, sealed.size) == ("agentguard/log-of-the-test/restored-1", 5)
    assert [event["event"] for event in logs] == ["seals.log_renamed"]


def test_what_was_signed_and_cannot_be_read_any_more_is_not_taken_for_nothing(store, key_file):
    add(store)
    sealer(store, SigningKeyFile(key_file)).seal()
    Path(f"{key_file}.signed").write_text("something else\n")
    add(store)
    with pytest.raises(TamperedError, match="expected what was signed"):
        sealer(store, SigningKeyFile(key_file)).seal()
    assert len(all_sealed(store)) == 1
