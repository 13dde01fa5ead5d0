"""`agentguard audit verify` as a compliance officer meets it: what it says, and its exit codes."""

import json
from datetime import timedelta

import pytest

from agentguard.cli.app import run
from agentguard.store import Store
from tests.store.given import HandClock
from tests.verify.given import KEY, THIEF, WITNESS_KEY, Owner, introduce, seal

CHANGE = (
    "UPDATE agentguard_entry SET body = CAST(replace(CAST(body AS TEXT), '\"n\":7', '\"n\":8') AS BLOB) WHERE pos = 7"
)


@pytest.fixture
def url(tmp_path, monkeypatch):
    """A file: what is said does not depend on the engine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "500")
    return f"sqlite:///{tmp_path / 'guard.db'}"


@pytest.fixture
def log(url, tmp_path):
    """Nine entries: signed at six, seen by a witness at eight; both notes are kept in files."""
    clock = HandClock()
    store = Store.open(url, clock, log="log-of-the-test")
    introduce(store)
    for number in range(2, 10):
        clock.advance(seconds=1)
        store.transact(lambda t, n=number: t.append({"tenant": "acme", "kind": "noted", "n": n}))
        if number in (6, 8):
            note = seal(store, witness_at=clock.now + timedelta(hours=number - 6))
            clock.advance(hours=number - 6)
            (tmp_path / f"at-{number}.txt").write_text(note)
    store.close()
    return url


@pytest.fixture
def verified(log, capsys):
    def ask(*words):
        code = run(["audit", "verify", "--store", log, *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ask


def tampered(log, *changes):
    owner = Owner(log)
    for change in changes:
        owner.do(change)
    owner.close()


def test_a_sound_log_says_what_is_signed_by_which_key_and_what_nobody_vouches_for(verified):
    code, out, _ = verified()
    assert code == 0
    assert "intact: 9 entries, every one says what it said" in out
    assert "entries 1 to 8 are as the log's key signed them in 2 checkpoints; 1 later one is in none yet" in out
    assert f"the log itself names this key: give --key if you know it from elsewhere ({KEY.key.text})" in out
    assert "keep a checkpoint, or the number of entries and the head, somewhere else" in out


def test_a_pinned_key_and_a_kept_checkpoint_are_all_that_was_missing(verified):
    code, out, _ = verified("--key", KEY.key.text, "--checkpoint", "at-6.txt", "--witness", "at-8.txt")
    assert code == 0
    assert "entries 1 to 8 are as a checkpoint kept elsewhere says" in out
    assert "the log itself names this key" not in out
    assert "keep a checkpoint" not in out


def test_keys_may_stand_in_a_file_with_remarks(verified, tmp_path):
    (tmp_path / "keys.txt").write_text(f"# of the shop\n{KEY.key.text}\n\n{WITNESS_KEY.key.text}\n")
    code, out, _ = verified("--key", "keys.txt", "--json")
    assert code == 0
    assert json.loads(out)["keys"] == [KEY.key.text, WITNESS_KEY.key.text]


def test_a_key_that_signed_nothing_is_a_finding(verified):
    code, out, _ = verified("--key", THIEF.key.text)
    assert code == 1
    assert "signature: expected the checkpoint of 6 entries signed by the log's key, got another" in out
    assert "entries 1 to 9 say what they said: what is wrong lies beside them, or after them" in out


def test_a_changed_entry_is_told_with_what_it_was_about_and_what_still_holds(verified, log):
    tampered(log, CHANGE)
    code, out, _ = verified()
    assert code == 1
    assert "leaf: entry 7: expected the body that the leaf was made of, got another: it was changed" in out
    assert "  the row says: noted, 2026-11-22 10:00:06 UTC, no action" in out
    assert "what was signed for 6 entries still holds, so one of 7 to 8 was changed" in out
    assert "of entries 1 to 8 only 7 changed: each of the others is what was signed with the key that the log" in out
    assert "entries 1 to 6 join from the first on; what is said after that may be somebody else's" in out
    assert "entries 1 to 6 are as the log's key signed them" in out


def test_a_log_that_was_cut_off_with_everything_that_was_signed_is_found_by_a_kept_checkpoint(verified, log):
    cut = ["DELETE FROM agentguard_entry WHERE pos > 7"]
    cut += [f"DELETE FROM agentguard_{name} WHERE size > 7" for name in ("checkpoint", "promise", "cosignature")]
    cut += ["UPDATE agentguard_log SET size = 7, leaf = (SELECT leaf FROM agentguard_entry WHERE pos = 7)"]
    tampered(log, *cut)
    assert verified()[0] == 0
    code, out, _ = verified("--witness", "at-8.txt")
    assert code == 1
    assert "rollback: expected 8 entries or more, as the checkpoint of 8 entries in `at-8.txt` says, got 7" in out


def test_what_no_witness_saw_in_time_is_told_and_breaks_nothing(verified):
    code, out, _ = verified("--key", WITNESS_KEY.key.text)
    assert code == 0
    assert "worth a question: entries 7 to 8 begin at 2026-11-22 10:00:06, and no witness saw them before" in out


def test_a_check_from_a_trusted_checkpoint_on_says_so(verified):
    code, out, _ = verified("--from", "at-6.txt", "--key", KEY.key.text)
    assert code == 0
    assert "intact: 3 entries after the 6 that were checked before, every one says what it said" in out
    assert json.loads(verified("--from", "at-6.txt", "--json")[1])["from"] == 6


@pytest.mark.parametrize(
    "words,said",
    [
        (["--checkpoint", "nowhere.txt"], "expected a file that can be read, got `nowhere.txt`: No such file"),
        (["--key", "nonsense"], "expected a file that can be read, got `nonsense`"),
        (["--key", "shop+00000000+AAAA"], "expected a public key for --key"),
        (["--checkpoint", "guard.db"], "guard.db"),
        (["--from", "at-6.txt", "--key", THIEF.key.text], "expected a checkpoint that the log's key signed"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(verified, words, said):
    code, out, err = verified(*words)
    assert (code, out) == (2, "")
    assert said in err


def test_json_has_everything_that_the_words_say(verified, log):
    tampered(log, CHANGE)
    code, out, _ = verified("--json", "--checkpoint", "at-6.txt")
    found = json.loads(out)
    assert code == 1
    assert (found["ok"], found["entries"], found["intact"], found["signed"], found["kept"]) == (False, 9, 6, 6, 6)
    assert [(item["pos"], item["code"]) for item in found["findings"]] == [(7, "leaf"), (8, "chain"), (None, "tree")]
    assert len(found["root"]) == 64


def test_from_the_newest_checkpoint_on_what_came_later_is_said_to_be_signed_by_nobody(verified):
    code, out, _ = verified("--from", "at-8.txt", "--key", KEY.key.text)
    assert code == 0
    assert "none of these later ones is in a signed checkpoint yet" in out
    assert "keep a checkpoint" not in out
