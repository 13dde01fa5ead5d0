"""A check in parts: by several processes, beside whoever writes, and from a trusted checkpoint on."""

import sys
import threading

import pytest

from agentguard.errors import UsageError
from agentguard.store import Store
from agentguard.store.verification import Kept, crew, verify, whole
from tests.store.given import begin, settle
from tests.verify.given import KEY, THIEF, Owner, introduce, seal


@pytest.fixture
def busy(store, monkeypatch):
    """Six hundred entries of three hundred actions in parts of two hundred and fifty-six, signed in between."""
    monkeypatch.setattr(whole, "STRETCH", 256)
    monkeypatch.setattr(whole, "ACTIONS", 100)
    introduce(store)

    def fill(first, last):
        def work(transaction):
            for number in range(first, last):
                tenant = "beta" if number % 3 == 0 else "acme"
                transaction.append({"tenant": tenant, "kind": "noted", "n": number})

        store.transact(work)

    fill(0, 300)
    for number in range(5):
        begin(store, f"a{number}", [("customer", 100)])
        settle(store, f"a{number}")
    store.note = seal(store)
    fill(300, 588)
    begin(store, "b1", [("customer", 100)])
    store.newest = seal(store)
    return store


def said(checked):
    return [str(finding) for finding in checked.findings]


def test_several_processes_find_what_one_finds_and_nobody_reads_the_password(busy, address, monkeypatch):
    started = []
    real = crew.subprocess.Popen
    monkeypatch.setattr(crew.subprocess, "Popen", lambda *given, **more: started.append(given) or real(*given, **more))
    owner = Owner(address)
    owner.write(5, {**owner.body(5), "n": 50}, leaf=False)
    owner.write(400, {**owner.body(400), "n": 50})
    owner.do("UPDATE agentguard_action SET state = 'released' WHERE id = 'a3'")
    owner.do("UPDATE agentguard_account SET posted = posted + 1")
    owner.do("DELETE FROM agentguard_entry WHERE pos = 512")
    owner.close()
    several, one = verify(busy, processes=2), verify(busy, processes=1)
    assert several == one
    assert {finding.code for finding in one.findings} >= {"leaf", "chain", "gap", "action", "account", "tree"}
    assert one.intact == 0, "no root was signed before the first entry that was changed"
    assert len(started) == 2
    assert address not in str(started)


def test_a_process_that_cannot_be_started_is_done_without(busy, monkeypatch):
    sound = verify(busy, processes=1)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert verify(busy, processes=2) == sound


def test_a_process_that_dies_is_done_without(busy, monkeypatch):
    sound = verify(busy, processes=1)
    monkeypatch.setattr(crew, "_CODE", "import os; os._exit(9)")
    assert verify(busy, processes=2) == sound


@pytest.mark.parametrize("entries,expected", [(crew.WORTH_IT - 1, False), (crew.WORTH_IT, True)])
def test_processes_are_started_only_for_a_long_log(entries, expected, monkeypatch):
    monkeypatch.setattr(crew.os, "sched_getaffinity", lambda _: range(4), raising=False)
    assert crew.how_many(entries) == (4 if expected else 1)


def test_who_writes_meanwhile_is_checked_as_well_and_waits_for_nobody(busy):
    written = []

    def told(done, total):
        if not written:  # in the midst of the check
            thread = threading.Thread(
                target=lambda: written.append(busy.transact(lambda t: t.append({"tenant": "acme", "kind": "noted"})))
            )
            thread.start()
            thread.join(20)

    checked = verify(busy, told, processes=1)
    assert checked.ok
    assert checked.entries == written[0].pos
    assert checked.head == written[0].leaf


def test_progress_tells_of_all_of_it_and_never_goes_back(busy):
    told = []
    verify(busy, lambda done, total: told.append((done, total)), processes=1)
    assert told == sorted(told)
    assert told[-1] == (606, 606)  # 600 entries and the rows of 6 actions
    assert len(told) >= 4


def since(store, note=None, keys=(KEY.key,)):
    return verify(store, keys=keys, since=Kept("trusted.txt", note or store.note))


def test_a_check_from_a_trusted_checkpoint_on_reads_only_what_is_new(busy, address):
    checked = since(busy)
    assert checked.ok
    assert (checked.since, checked.entries, checked.intact, checked.signed) == (311, 289, 600, 600)
    assert checked.root == verify(busy).root
    assert checked.head == verify(busy).head
    owner = Owner(address)
    owner.write(20, {**owner.body(20), "n": 999}, leaf=False)
    owner.close()
    assert since(busy).ok, "whoever trusts a checkpoint does not look at the bodies before it, which the manual says"
    assert not verify(busy).ok


def test_an_older_checkpoint_than_the_trusted_one_is_compared_as_well(busy, tmp_path):
    older = [Kept("older.txt", busy.note)]
    assert verify(busy, since=Kept("trusted.txt", busy.newest), kept=older).kept == 311
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}", log="log-of-the-test")
    introduce(other)
    other.transact(lambda t: t.append({"tenant": "acme", "kind": "noted"}))
    older = [Kept("older.txt", seal(other))]
    other.close()
    checked = verify(busy, since=Kept("trusted.txt", busy.newest), kept=older)
    assert [finding.code for finding in checked.findings] == ["fork", "checkpoint"]


@pytest.mark.parametrize("pos", [312, 313, 400, 600])
def test_a_change_after_the_trusted_checkpoint_is_found(busy, address, pos):
    owner = Owner(address)
    owner.write(pos, {**owner.body(pos), "more": 1})
    owner.close()
    assert not since(busy).ok


def test_a_leaf_before_the_trusted_checkpoint_that_was_changed_is_found_in_the_whole_log(busy, address):
    owner = Owner(address)
    owner.write(20, {**owner.body(20), "n": 999})
    owner.do("DELETE FROM agentguard_tile")
    owner.close()
    checked = since(busy)
    assert checked.since == 0
    assert "the whole log is checked to find where" in said(checked)[0]
    assert {finding.code for finding in checked.findings} == {"fork", "chain", "tree"}


def test_an_entry_that_follows_another_one_than_the_last_before_the_checkpoint_is_found(busy, address):
    owner = Owner(address)
    body = owner.body(312)
    owner.rewrite(312, lambda pos, new: {**new, "prev": "0" * 64} if pos == 312 else new)
    owner.close()
    assert (312, "chain") in {(finding.pos, finding.code) for finding in since(busy).findings}, body


def test_a_checkpoint_that_is_not_trusted_or_of_another_log_begins_nothing(busy, tmp_path):
    with pytest.raises(UsageError, match="no trusted key signed it"):
        since(busy, keys=(THIEF.key,))
    with pytest.raises(UsageError, match="expected a checkpoint"):
        since(busy, "not a note")
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}", log="another")
    introduce(other)
    note = seal(other)
    other.close()
    with pytest.raises(UsageError, match="of log `log-of-the-test`"):
        since(busy, note)


def test_what_is_no_checkpoint_is_refused_in_words(busy):
    with pytest.raises(UsageError, match=r"expected a checkpoint in `kept.txt`, got something else"):
        verify(busy, kept=[Kept("kept.txt", "hello")])
