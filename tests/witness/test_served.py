"""A guard with a served witness, ours and one that speaks nothing but the protocol; and what commands do with it."""

import threading
import time

import pytest

from agentguard import Done
from agentguard.adapters.http_witness import HttpWitness
from agentguard.adapters.witness_desk import Reply, WitnessDesk
from agentguard.adapters.witness_server import WitnessServer
from agentguard.adapters.witnessed_logs import WitnessedLogs
from agentguard.cli.witness import witnesses_of
from agentguard.errors import ConfigurationError, LogRolledBackError
from agentguard.evidence.cosignature import witnessed
from agentguard.evidence.keys import VerifierKey
from agentguard.evidence.note import read_note
from agentguard.store.witness_book import WitnessBook
from tests.engine.given import MACHINE
from tests.witness.given import LARGE_WAITS, LOG_KEY, witnessed_shop
from tests.witness.logs import WITNESS_KEY


class Bare(WitnessDesk):
    """Shows nothing: any C2SP witness answers offers, and no questions."""

    def newest(self, origin):
        return Reply(404, "not found\n")


@pytest.fixture(params=[WitnessDesk, Bare], ids=["ours", "bare"])
def witness(request, tmp_path):
    (tmp_path / "logs.txt").write_text("")
    book = WitnessBook(tmp_path / "witness.db")
    desk = request.param(WITNESS_KEY, WitnessedLogs(tmp_path / "logs.txt"), book, lambda: int(time.time()))
    with WitnessServer(("127.0.0.1", 0), desk, rate=1_000) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield HttpWitness(server.url, key=WITNESS_KEY.key)
        server.shutdown()
        thread.join()
    book.close()


@pytest.fixture
def open_shop(tmp_path, closed_stores):
    """Open a shop on a file, whose log the witness knows from then on."""

    def open_one(name, witness):
        made = witnessed_shop(f"sqlite:///{tmp_path / name}", witness, text=LARGE_WAITS, clock=MACHINE)
        (tmp_path / "logs.txt").write_text(f"{made.guard.seals.origin()} {LOG_KEY.key.text}\n")
        return made

    return open_one


def test_what_was_seen_is_signed_under_checkpoint_and_receipt(open_shop, witness):
    shop = open_shop("shop.db", witness)
    answer = shop.ask("51")
    assert isinstance(answer, Done)
    shop.guard.close()
    shop = open_shop("shop.db", witness)
    sealed = shop.guard.seals.newest()
    assert list(witnessed(read_note(sealed.note), [WITNESS_KEY.key])) == [WITNESS_KEY.key]
    receipt = shop.guard.seals.receipt(answer.entry)
    assert "— witness.example/w1 " in receipt.text
    assert shop.guard.audit.verify(keys=(WITNESS_KEY.key, LOG_KEY.key)).ok
    shop.guard.close()


def test_an_older_database_is_found_with_what_the_protocol_alone_tells(open_shop, witness, tmp_path):
    shop = open_shop("shop.db", witness)
    shop.ask("1", key="k-1")
    shop.guard.close()
    before = {name: (tmp_path / name).read_bytes() for name in ("shop.db", "shop.db.keys")}
    shop = open_shop("shop.db", witness)
    shop.ask("1", key="k-2")
    shop.guard.close()
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    shop = open_shop("shop.db", witness)
    with pytest.raises(LogRolledBackError, match="has seen this log with"):
        shop.ask("1", key="k-2")
    assert shop.paid == []
    done = shop.guard.restored(by="maria", why="a backup", authenticated="token")
    assert done
    assert isinstance(shop.ask("51", key="k-3"), Done), "the witness takes the log under its new name"
    shop.guard.close()


def test_witnesses_that_stand_in_the_environment_are_taken_whole(command, monkeypatch, open_shop, tmp_path):
    from agentguard.adapters.file_witness import FileWitness

    shop = open_shop("shop.db", FileWitness(tmp_path / "elsewhere"))
    shop.ask("1", key="k-1")
    shop.guard.close()
    monkeypatch.setenv("AGENTGUARD_WITNESS", f"elsewhere http://127.0.0.1:9 {WITNESS_KEY.key.text}")
    _, _, err = command("audit", "restored", "--why", "x", "--store", "sqlite:///shop.db")
    assert "witness `witness.example/w1` cannot be asked" in err
    assert "file:elsewhere" not in err


def test_a_witness_is_named_by_a_file_or_by_an_address_with_its_key(tmp_path):
    key = WITNESS_KEY.key.text
    names = [one.name for one in witnesses_of([str(tmp_path / "a b.checkpoint"), f"https://witness.example  {key}"])]
    assert names == ["file:a b.checkpoint", "witness.example/w1"]
    with pytest.raises(ConfigurationError, match="got no key"):
        witnesses_of(["https://witness.example"])


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run_command(*words):
        from agentguard.cli.app import run

        code = run(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_command


def test_a_key_is_made_once_for_its_owner_alone(command, tmp_path):
    code, out, _ = command("witness", "keygen", "witness.example/w9")
    assert code == 0
    assert VerifierKey.read(out.strip()).name == "witness.example/w9"
    assert (tmp_path / "witness.key").stat().st_mode & 0o777 == 0o600
    code, _, err = command("witness", "keygen", "witness.example/w9")
    assert code == 2
    assert "no key is ever overwritten" in err


@pytest.mark.parametrize(
    "options, said",
    [
        (("--logs", "none.txt"), "cannot be read"),
        (("--logs", "logs.txt", "--key", "none.key"), "witness keygen"),
        (("--logs", "logs.txt", "--key", "log.key"), "that of a log"),
        (("--logs", "logs.txt", "--key", "open.key"), "chmod 600"),
        (("--logs", "logs.txt", "--listen", "8443"), "HOST:PORT"),
        (("--logs", "logs.txt", "--listen", "256.0.0.1:1"), "to listen at"),
        (("--logs", "logs.txt", "--tls-key", "x"), "--tls-certificate"),
        (("--logs", "logs.txt", "--tls-certificate", "logs.txt"), "a certificate"),
        (("--logs", "logs.txt", "--database", "other.db"), "another kind of file"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(command, tmp_path, options, said):
    (tmp_path / "logs.txt").write_text("")
    (tmp_path / "other.db").write_text("no database " * 100)
    for name, text, mode in (
        ("witness.key", WITNESS_KEY.text, 0o600),
        ("log.key", LOG_KEY.text, 0o600),
        ("open.key", WITNESS_KEY.text, 0o644),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    code, out, err = command("witness", "serve", *options)
    assert (code in (2, 4), out, len(err.strip().splitlines())) == (True, "", 1), err
    assert said in err


def test_a_restore_is_recorded_at_the_command_line(command, tmp_path, open_shop, closed_stores):
    from agentguard.adapters.file_witness import FileWitness

    kept = FileWitness(tmp_path / "elsewhere")
    shop = open_shop("shop.db", kept)
    shop.ask("1", key="k-1")
    shop.guard.close()
    before = {name: (tmp_path / name).read_bytes() for name in ("shop.db", "shop.db.keys")}
    shop = open_shop("shop.db", kept)
    shop.ask("1", key="k-2")
    shop.guard.close()
    store = ("--store", "sqlite:///shop.db")
    code, _, err = command("audit", "restored", "--why", "x", "--witness", "elsewhere", *store)
    assert (code, "none of them contradicts" in err) == (2, True), err
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    assert command("audit", "restored", "--witness", "elsewhere", *store)[0] == 2, "without a reason"
    assert command("audit", "restored", "--why", "x", *store)[0] == 2, "without a witness"
    code, out, err = command("audit", "restored", "--why", "disk broke", "--witness", "elsewhere", *store)
    assert code == 0, err
    assert "/restored-1`" in out
    assert "entries are lost" in out
    code, out, _ = command("audit", "list", "--kind", "restored", *store)
    assert "a backup was restored" in out or "restored" in out
    code, out, err = command("audit", "restored", "--why", "again", "--anyway", "--json", *store)
    assert (code, '"origin"' in out) == (0, True), err
