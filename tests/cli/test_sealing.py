"""`agentguard audit keygen`, `seal`, `checkpoint`, `receipt`, `check-receipt` and `change-key`, as people type them."""

import os
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from agentguard.evidence.checkpoint import opened
from agentguard.evidence.keys import VerifierKey
from tests.forked import forked, typed


@pytest.fixture
def key(shop, command):
    said = command("audit", "keygen", "seal.key", "--json").json
    assert Path("seal.key.pub").read_text() == f"{said['key']}\n"
    return VerifierKey.read(said["key"])


def test_a_log_is_sealed_once_and_its_checkpoint_is_what_anybody_checks(shop, command, key):
    assert "sealed   0 of" in command("audit", "seal", "--state").out
    assert command("audit", "checkpoint").code == 1
    sealed = command("audit", "seal", "--key", "seal.key", "--once", "--export", "copy.txt", "--json")
    assert sealed.code == 0
    note = command("audit", "checkpoint").out
    assert note == sealed.json["note"] == Path("copy.txt").read_text()
    assert opened(note, [key]).size == sealed.json["size"]
    state = command("audit", "seal", "--state", "--json")
    assert (state.code, state.json["unsealed"], state.json["key"]) == (0, 0, key.text)
    assert command("audit", "checkpoint", "1", "--json").json["note"] == note
    assert "sealed" in command("audit", "seal", "--key", "seal.key", "--once").out


def test_who_names_no_key_is_told_how_to_make_one(shop, command, monkeypatch):
    said = command("audit", "seal", "--once")
    assert said.code == 2
    assert "audit keygen" in said.err
    monkeypatch.setenv("AGENTGUARD_SIGNING_KEY", "none.key")
    assert command("audit", "seal", "--once").code == 2
    assert command("audit", "list").code == 0


def test_the_environment_may_hold_the_key_itself_and_no_message_does(shop, command, key, monkeypatch):
    private = Path("seal.key").read_text().strip()
    monkeypatch.setenv("AGENTGUARD_SIGNING_KEY", private)
    assert command("audit", "seal", "--once").code == 0
    assert opened(command("audit", "checkpoint").out, [key])
    said = command("audit", "seal", "--key", private, "--once")
    assert said.code == 2
    assert private[-20:] not in said.out + said.err


def test_a_restore_is_recorded_with_the_key_that_signed_more_and_the_key_goes_on_with_it(shop, command, key):
    seal = ("audit", "seal", "--key", "seal.key", "--once")
    restored = ("audit", "restored", "--why", "the disk broke", "--store", "sqlite:///backup.db")
    assert command(*seal).code == 0
    with sqlite3.connect("shop.db") as now, sqlite3.connect("backup.db") as backup:
        now.backup(backup)
    shutil.copy("shop.db.keys", "backup.db.keys")
    assert command("halt", "all", "--why", "a drill").code == 0
    assert command(*seal).code == 0
    refused = command(*seal, "--store", "sqlite:///backup.db")
    assert (refused.code, "`own key`: it has seen this log with" in refused.err) == (4, True), refused.err
    assert command(*restored).code == 2
    said = command(*restored, "--key", "seal.key")
    assert said.code == 0
    assert "witness `own key`: it has seen this log with" in said.out
    assert "the key signs it under that name" in said.out
    assert command(*seal, "--store", "sqlite:///backup.db").code == 0
    assert "/restored-1\n" in command("audit", "checkpoint", "--store", "sqlite:///backup.db").out


def test_a_receipt_is_there_once_its_entry_is_sealed_and_checks_with_and_without_the_database(shop, command, key):
    early = command("audit", "receipt", "2")
    assert early.code == 1
    assert "entry 2 is in no checkpoint yet" in early.err
    Path("early.json").write_text(str(command("audit", "receipt", "2", "--json").json["kept"]).replace("'", '"'))
    assert "no checkpoint covers it yet" in command("audit", "check-receipt", "early.json").out
    command("audit", "seal", "--key", "seal.key", "--once")
    assert command("audit", "receipt", "2", "--out", "proof.txt").code == 0
    said = command("audit", "check-receipt", "proof.txt", "--json").json
    assert (said["ok"], said["position"], said["signed_by"]) == (True, 2, [key.text])
    assert "name the one that you know with --key" in command("audit", "check-receipt", "proof.txt").out
    assert command("audit", "check-receipt", "proof.txt", "--offline", "--key", "seal.key.pub").code == 0
    assert command("audit", "check-receipt", "proof.txt", "--offline").code == 2
    command("audit", "keygen", "other.key")
    assert command("audit", "check-receipt", "proof.txt", "--offline", "--key", "other.key.pub").code == 1
    assert command("audit", "check-receipt", "none.txt").code == 2
    assert command("audit", "receipt", "100000").code == 2


def test_a_kept_receipt_against_a_rewritten_log_is_found(shop, command, key):
    command("audit", "seal", "--key", "seal.key", "--once")
    command("audit", "receipt", "3", "--out", "proof.txt")
    database = sqlite3.connect(shop.folder / "shop.db", isolation_level=None)
    database.execute("DROP TRIGGER agentguard_entry_no_update")
    database.execute("UPDATE agentguard_entry SET leaf = ? WHERE pos = 3", (64 * "0",))
    database.close()
    for words in (["--key", "seal.key.pub"], []):
        said = command("audit", "check-receipt", "proof.txt", *words)
        assert said.code == 1
        assert "entry 3 is another one now" in said.out
        assert "the log was rewritten" in said.out


def test_another_key_is_introduced_with_a_reason_and_the_old_one_signs_no_more(shop, command, key):
    command("audit", "seal", "--key", "seal.key", "--once")
    command("audit", "keygen", "new.key", "--name", "shop")
    assert command("audit", "change-key", "new.key.pub").code == 2
    told = command("audit", "change-key", "new.key.pub", "--why", "a year is over")
    assert told.code == 0
    assert "signs from entry" in told.out
    assert "nothing has changed" in command("audit", "change-key", "new.key.pub", "--why", "again").out
    refused = command("audit", "seal", "--key", "seal.key", "--once")
    assert refused.code == 2
    assert "change-key" in refused.err
    assert command("audit", "seal", "--key", "new.key", "--once").code == 0
    verified = command("audit", "verify")
    assert verified.code == 0, verified.out
    (newest, first) = command("audit", "list", "--kind", "key_introduced", "--json").json
    assert (newest["entry"]["why"], newest["entry"]["by"]) == ("a year is over", "mrossi")
    assert "the first key of the log introduces itself" in command("audit", "show", str(first["pos"])).out
    assert "another key signs the log" in command("audit", "show", str(newest["pos"])).out


def test_two_people_change_a_key_where_the_people_file_says_who_may(shop, command, key):
    people = Path("policies/people.yaml")
    people.write_text(f"{people.read_text()}powers: {{change_key: {{who: [maria, tom], people: 2}}}}\n")
    first = command("audit", "change-key", "seal.key.pub", "--why", "it was never used", "--stolen")
    assert first.code == 1
    assert "1" in first.out or "one more person" in first.out
    second = command("audit", "change-key", "seal.key.pub", "--why", "the same", "--stolen", "--as", "tom", "--json")
    assert second.json["changed"] is True


def test_a_process_of_its_own_seals_until_it_is_told_to_stop(shop, key):
    printed = shop.folder / "printed.txt"
    words = ["audit", "seal", "--key", "seal.key", "--every", "0.1", "--json"]
    process = forked(typed, words, str(shop.folder), dict(os.environ), str(printed))
    process.start()
    until(lambda: printed.exists() and '"note"' in printed.read_text())
    os.kill(process.pid, signal.SIGTERM)
    process.join(30)
    assert process.exitcode == 0
    assert "stopped" in printed.read_text()


def until(met, seconds=30.0):
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_witness_that_was_away_is_named_and_who_saw_a_checkpoint_stands_in_the_state(shop, command, key):
    seal = ("audit", "seal", "--key", "seal.key", "--once")
    assert command(*seal).code == 0
    assert "seen by  no witness" in command("audit", "seal", "--state").out
    assert command(*seal, "--witness", "seen.checkpoint").code == 0
    assert command("audit", "seal", "--state", "--json").json["witnesses"] == ["file:seen.checkpoint"]
    away = command(*seal, "--witness", "no/such/folder/other.checkpoint")
    assert (away.code, "sealed" in away.out) == (1, True)
    assert "has not seen this checkpoint" in away.err
