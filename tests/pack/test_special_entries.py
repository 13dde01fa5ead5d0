"""Packs with entries that were purged or erased, with the signatures of witnesses, and after a restore."""

import json
import time
import zipfile

import pytest

from agentguard.evidence import verify
from agentguard.evidence.cosignature import cosigned
from agentguard.evidence.keys import WITNESS, SigningKey
from agentguard.evidence.note import read_note
from agentguard.store import seals
from tests.engine.given import shop as shop_of
from tests.pack.conftest import KEY
from tests.privacy.conftest import people
from tests.retention.conftest import KEPT, WHO, YEAR

ADA = {"by": "ada", "why": "the audit of 2026", "authenticated": "os_login"}
WATCHER = SigningKey("watch.example/w1", b"w" * 32, WITNESS)


@pytest.fixture
def kept(tmp_path):
    """A shop that keeps its records for two years."""
    address = f"sqlite:///{tmp_path / 'kept.db'}"
    at = shop_of(address, people=people(purge=({"ada"}, 1), restore=({"ada", "kim"}, 2)), text=KEPT, signer=KEY)
    yield at
    at.guard.close()


def lines_of(path):
    with zipfile.ZipFile(path) as packed:
        return [json.loads(line) for line in packed.read("entries.jsonl").splitlines()]


def test_a_purged_entry_is_there_as_its_leaf_with_the_entry_that_says_why(kept, tmp_path, capsys):
    gone = kept.ask(key="k-1").decision_id
    kept.clock.advance(2 * YEAR + YEAR)
    stays = kept.ask(key="k-2").decision_id
    kept.guard.retention.purge(**WHO)
    made = kept.guard.audit.export(tmp_path / "a.zip", action_id=gone, **ADA)
    lines = lines_of(made.path)
    assert [line["pos"] for line in lines if line["body"] is None] == [entry.pos for entry in kept.guard.audit.of(gone)]
    assert [line["entry"]["kind"] for line in lines if line["entry"]] == ["purged"]
    assert stays not in json.dumps(lines)
    whole = kept.guard.audit.export(tmp_path / "b.zip", **ADA)
    for pack in (made, whole):
        assert verify.main([str(pack.path), "--key", KEY.key.text]) == 0
        assert verify.main([str(pack.path), "--key", KEY.key.text, "show", str(lines[0]["pos"])]) == 0
    assert "purged" in capsys.readouterr().out
    with zipfile.ZipFile(whole.path) as packed:
        assert b"its text was purged" in packed.read("report.html")


def test_what_was_erased_stays_erased_in_a_pack_with_personal_values(kept, tmp_path):
    customer = kept.guard.audit.of(kept.ask(key="k-1").decision_id)[0].document["on_behalf_of"]
    kept.clock.advance(YEAR)
    kept.guard.privacy.erase(customer, **ADA)
    made = kept.guard.audit.export(tmp_path / "a.zip", personal=True, **ADA)
    with zipfile.ZipFile(made.path) as packed:
        assert b"(erased)" in packed.read("personal.jsonl") or customer.encode() in packed.read("personal.jsonl")
    assert verify.main([str(made.path), "--key", KEY.key.text]) == 0


def watched(kept, second):
    """Have a witness sign the newest checkpoint of a shop at a time."""
    sealed = kept.guard.seals.seal()
    line = cosigned(read_note(sealed.note).text, WATCHER, second).line
    size = sealed.size
    kept.guard.store.transact(
        lambda transaction: seals.add_cosignature(transaction, sealed.origin, size, WATCHER.name, line)
    )
    return sealed


def test_a_witness_that_an_auditor_names_has_to_have_signed(kept, tmp_path, capsys):
    kept.ask(key="k-1")
    watched(kept, int(time.time()))
    made = kept.guard.audit.export(tmp_path / "a.zip", **ADA)
    assert made.seal.witnesses == (WATCHER.name,)
    key, witness = ["--key", KEY.key.text], ["--witness", WATCHER.key.text]
    assert verify.main([str(made.path), *key, *witness]) == 0
    assert f"seen by {WATCHER.name} at " in capsys.readouterr().out
    other = SigningKey(WATCHER.name, b"x" * 32, WITNESS)
    assert verify.main([str(made.path), *key, "--witness", other.key.text]) == 1
    for given in (["--key", WATCHER.key.text], [*key, "--witness", KEY.key.text]):
        with pytest.raises(SystemExit) as refused:
            verify.main([str(made.path), *given])
        assert refused.value.code == 2, "a witness does not sign for the log, nor the log for a witness"


def test_a_witness_that_signed_in_the_future_is_not_believed(kept, tmp_path, capsys):
    kept.ask(key="k-1")
    watched(kept, int(time.time()) + 3600)
    made = kept.guard.audit.export(tmp_path / "a.zip", **ADA)
    assert verify.main([str(made.path), "--key", KEY.key.text, "--witness", WATCHER.key.text]) == 1
    assert "signed in the future" in capsys.readouterr().out


def test_a_pack_rests_on_a_later_checkpoint_where_only_that_one_has_a_witness(kept, tmp_path):
    kept.ask(key="k-1")
    first = kept.guard.seals.seal()
    wanted = {"action_id": kept.guard.audit.list(kind="decided")[0].action_id}
    assert kept.guard.audit.export(tmp_path / "a.zip", **wanted, **ADA).seal.checkpoint.size == first.size
    later = watched(kept, int(time.time()))
    made = kept.guard.audit.export(tmp_path / "b.zip", **wanted, **ADA)
    assert made.seal.checkpoint.size == later.size > first.size


def test_a_log_that_goes_on_after_a_restore_makes_packs_under_its_new_name(kept, tmp_path):
    kept.ask(key="k-1")
    kept.guard.seals.seal()
    for person in ("ada", "kim"):
        done = kept.guard.restored(by=person, why="the disk broke", authenticated="os_login", anyway=True)
    assert done
    made = kept.guard.audit.export(tmp_path / "a.zip", **ADA)
    assert made.seal.checkpoint.origin.endswith("/restored-1")
    assert verify.main([str(made.path), "--key", KEY.key.text]) == 0
