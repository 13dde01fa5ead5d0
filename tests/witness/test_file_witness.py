"""The file on another volume: it takes what continues its checkpoint and nothing else, whoever writes at once."""

import multiprocessing
import os
import random
import threading

import pytest

from agentguard.adapters.file_witness import FileWitness
from agentguard.errors import WitnessMovedError, WitnessRefusedError, WitnessUnavailableError
from agentguard.evidence.checkpoint import opened
from tests.witness.logs import KEY, ORIGIN, Log


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shop.checkpoint"


def test_the_file_is_the_newest_signed_checkpoint_itself(path):
    log = Log()
    witness = FileWitness(path)
    assert witness.latest(ORIGIN) is None
    for old, new in ((0, 1), (1, 7), (7, 7), (7, 1_024), (1_024, 2_000)):
        assert witness.add(*log.offered(old, new)) is None
        assert opened(path.read_text(), [KEY.key], ORIGIN).size == new
    assert witness.latest(ORIGIN) == path.read_text()


@pytest.mark.parametrize("old", [0, 9, 11])
def test_whoever_thinks_that_it_has_another_size_is_told_which(path, old):
    witness, log = FileWitness(path), Log()
    witness.add(*log.offered(0, 10))
    with pytest.raises(WitnessMovedError) as moved:
        witness.add(*log.offered(old, 20))
    assert moved.value.size == 10


@pytest.mark.parametrize(
    "old, new, spoil",
    [
        (10, 20, lambda proof: proof[:-1]),
        (10, 20, lambda proof: (*proof, bytes(32))),
        (10, 20, lambda proof: (bytes(32), *proof[1:])),
        (10, 10, lambda proof: (bytes(32),)),
        (10, 9, lambda proof: ()),
    ],
    ids=["too short", "too long", "another hash", "where none is needed", "to a smaller log"],
)
def test_a_proof_that_does_not_hold_is_refused_and_changes_nothing(path, old, new, spoil):
    witness, log = FileWitness(path), Log()
    witness.add(*log.offered(0, 10))
    before = path.read_text()
    with pytest.raises(WitnessRefusedError):
        witness.add(old, spoil(log.proof(old, max(old, new))), log.note(new))
    assert path.read_text() == before


@pytest.mark.parametrize("size", [10, 20])
def test_another_history_is_refused_of_the_same_size_and_of_a_larger_one(path, size):
    witness, other = FileWitness(path), Log(branch="other", shared=5)
    witness.add(*Log().offered(0, 10))
    with pytest.raises(WitnessRefusedError):
        witness.add(*other.offered(10, size))


def test_a_file_is_for_one_log_and_follows_it_through_a_restore(path):
    witness = FileWitness(path)
    witness.add(*Log().offered(0, 10))
    with pytest.raises(WitnessRefusedError, match="another database"):
        witness.latest("agentguard/a-new-log")
    with pytest.raises(WitnessRefusedError, match="another database"):
        witness.add(*Log(origin="agentguard/a-new-log").offered(0, 3))
    restored = Log(origin=f"{ORIGIN}/restored-1", branch="restored", shared=8)
    assert witness.latest(restored.origin) is None
    witness.add(*restored.offered(0, 9))
    assert path.with_name("shop.checkpoint.0").read_text() == Log().note(10), "what it had before is kept"
    with pytest.raises(WitnessRefusedError, match="does not know of that"):
        witness.add(*Log().offered(10, 11))
    with pytest.raises(WitnessRefusedError, match="does not know of that"):
        witness.latest(ORIGIN)


@pytest.mark.parametrize("content", [b"nonsense\n", b"\xff\xfe", b"agentguard/x\n3\n"])
def test_a_file_that_somebody_spoilt_is_refused_and_not_written_over(path, content):
    path.write_bytes(content)
    for use in (lambda witness: witness.latest(ORIGIN), lambda witness: witness.add(*Log().offered(0, 3))):
        with pytest.raises(WitnessRefusedError, match="who changed it"):
            use(FileWitness(path))
    assert path.read_bytes() == content


def test_an_empty_file_is_one_that_has_nothing_yet(path):
    path.touch()
    FileWitness(path).add(*Log().offered(0, 3))
    assert opened(path.read_text(), [KEY.key]).size == 3


def test_a_volume_that_is_not_there_is_unavailable_and_no_folder_is_made(tmp_path):
    witness = FileWitness(tmp_path / "gone" / "shop.checkpoint")
    for use in (lambda: witness.latest(ORIGIN), lambda: witness.add(*Log().offered(0, 3))):
        with pytest.raises(WitnessUnavailableError):
            use()
    assert not (tmp_path / "gone").exists()


def test_a_disk_that_fails_in_the_midst_leaves_the_checkpoint_of_before(path, monkeypatch):
    witness, log = FileWitness(path), Log()
    witness.add(*log.offered(0, 10))

    def full(_file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WitnessUnavailableError, match="No space left"):
        witness.add(*log.offered(10, 20))
    assert opened(path.read_text(), [KEY.key]).size == 10


def climb(path, seed, steps=60):
    """Offer checkpoints of random sizes, from what the witness says that it has; return the sizes that it took."""
    chance, log, witness, old, taken = random.Random(seed), Log(), FileWitness(path), 0, []
    for _ in range(steps):
        new = min(2_000, old + chance.randint(0, 40))
        try:
            witness.add(*log.offered(old, new))
        except WitnessMovedError as moved:
            old = moved.size
        else:
            taken.append(new)
            old = new
    return taken


def climb_and_tell(path, seed, told):
    told.put(climb(path, seed))


def test_many_threads_and_processes_never_roll_it_back(path):
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()
    processes = [context.Process(target=climb_and_tell, args=(path, seed, told)) for seed in range(2)]
    threads, taken = [], []
    for process in processes:
        process.start()
    for seed in range(2, 5):
        threads.append(threading.Thread(target=lambda seed=seed: taken.append(climb(path, seed))))
        threads[-1].start()
    seen, log = 0, Log()
    while any(thread.is_alive() for thread in threads):
        note = FileWitness(path).latest(ORIGIN)
        size = opened(note, [KEY.key]).size if note else 0
        assert size >= seen, "it was rolled back"
        seen = size
    for thread in threads:
        thread.join()
    for process in processes:
        process.join()
        assert process.exitcode == 0
        taken.append(told.get())
    assert len(taken) == 5
    assert all(taken)
    assert opened(path.read_text(), [KEY.key]).size == max(max(sizes) for sizes in taken)
    assert path.read_text() == log.note(max(max(sizes) for sizes in taken))
