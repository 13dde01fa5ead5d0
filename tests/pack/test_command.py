"""`agentguard audit export` as somebody types it."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from agentguard.cli.app import run
from agentguard.evidence import verify
from tests.pack.conftest import KEY


@pytest.fixture
def place(shop, tmp_path, monkeypatch):
    """A folder with a copy of the shop, and no key to sign with."""
    shutil.copytree(shop.folder, tmp_path / "shop")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTGUARD_STORE", "sqlite:///shop/shop.db")
    monkeypatch.setenv("AGENTGUARD_POLICIES", "shop/policies")
    return Path(tmp_path)


ASKED = ("--as", "maria", "--why", "the audit of 2026")


def test_a_pack_is_written_said_and_checked(place, capsys):
    assert run(["audit", "export", "a.zip", "--customer", "cus_8812", *ASKED]) == 0
    said = capsys.readouterr().out
    assert "wrote a.zip: 14 entries of 16, recorded as entry 20" in said
    assert "signed; witnesses: none" in said
    assert verify.main(["a.zip", "--key", KEY.key.text]) == 0


def test_as_json_it_says_what_was_written(place, capsys):
    assert run(["audit", "export", "a.zip", "--verdict", "deny", "--action", "refund.issue", "--json", *ASKED]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["sha256"] == verify.hashlib.sha256(Path("a.zip").read_bytes()).hexdigest()
    assert (said["signed"], said["witnesses"], said["checkpoint"]["size"]) == (True, [], 16)


@pytest.mark.parametrize(
    "words,why",
    [
        (["a.zip"], "expected --why"),
        (["a.zip", "--verdict", "maybe", *ASKED], "expected a verdict of"),
        (["a.zip", "--since", "yesterday", *ASKED], "expected a time like"),
        (["a.zip", "--checkpoint", "absent", *ASKED], "expected a checkpoint in `absent`"),
        (["shop", *ASKED], "which is there already"),
        (["a.zip", "--action", "nothing.such", *ASKED], "got none"),
        (["a.zip", "--size", "5", *ASKED], "expected the size of a checkpoint, got 5; the next one has 16"),
        (["no/such/folder/a.zip", *ASKED], "expected a folder at `no/such/folder`"),
    ],
)
def test_what_cannot_be_asked_for_is_wrong_usage_and_writes_nothing(words, why, place, capsys):
    assert run(["audit", "export", *words]) == 2
    assert why in capsys.readouterr().err
    assert sorted(path.name for path in place.iterdir()) == ["shop"]


def test_a_time_and_an_action_and_a_kept_checkpoint_are_understood(place, shop, capsys):
    with zipfile.ZipFile(shop.pack) as packed:
        (place / "kept").write_bytes(packed.read("checkpoint.txt"))
    words = ["--since", "1 day", "--until", "2100-01-01", "--id", shop.ids["done"], "--checkpoint", "kept"]
    assert run(["audit", "export", "a.zip", *words, *ASKED]) == 0
    assert verify.main(["a.zip", "--key", KEY.key.text, "--checkpoint", "kept"]) == 0


def test_where_nobody_sealed_in_time_the_pack_is_written_and_the_command_says_so(place, capsys):
    assert run(["halt", "action:other", "--as", "maria", "--why", "so that something is not sealed"]) in (0, 1)
    assert run(["audit", "export", "a.zip", "--wait", "0", *ASKED]) == 1
    said = capsys.readouterr()
    assert "NOT SIGNED" in said.out
    assert "nobody sealed these entries in time" in said.err
    assert verify.main(["a.zip"]) == 3
