"""`agentguard witness serve`: C2SP's tlog-witness in a real process, killed, flooded and lied to."""

import json
import os
import random
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest

from agentguard.adapters.http_witness import HttpWitness
from agentguard.adapters.witness_desk import WitnessDesk
from agentguard.adapters.witness_server import MOST_BYTES, MOST_OF_ONE, Rates, WitnessServer
from agentguard.adapters.witnessed_logs import WitnessedLogs
from agentguard.errors import (
    ConfigurationError,
    WitnessMovedError,
    WitnessRefusedError,
    WitnessUnavailableError,
)
from agentguard.evidence.checkpoint import opened
from agentguard.evidence.cosignature import witnessed
from agentguard.evidence.note import Signature, read_note
from agentguard.evidence.requests import AddCheckpoint
from agentguard.store.witness_book import WitnessBook
from tests.forked import forked, typed
from tests.witness.logs import KEY, ORIGIN, OTHER_KEY, WITNESS_KEY, Log

LOGS = f"# the shop\n\n{ORIGIN} {KEY.key.text}\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "logs.txt").write_text(LOGS)
    (tmp_path / "witness.key").write_text(f"{WITNESS_KEY.text}\n")
    (tmp_path / "witness.key").chmod(0o600)
    return tmp_path


@pytest.fixture
def server(folder):
    """A witness in this process, at a free port."""
    book = WitnessBook(folder / "witness.db")
    desk = WitnessDesk(WITNESS_KEY, WitnessedLogs(folder / "logs.txt"), book, lambda: int(time.time()))
    with WitnessServer(("127.0.0.1", 0), desk, rate=1_000) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()
    book.close()


@pytest.fixture
def witness(server):
    return HttpWitness(server.url, key=WITNESS_KEY.key)


def post(server, body, path="/add-checkpoint", **headers):
    """Return status, content type and text of what is answered."""
    request = urllib.request.Request(f"{server.url}{path}", body.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def asked(old, new, log=None, key=KEY):
    log = log or Log()
    return AddCheckpoint(old, log.proof(old, new), log.note(new, key)).text


def test_a_checkpoint_that_continues_is_cosigned_and_shown(witness):
    log = Log()
    for old, new in ((0, 3), (3, 3), (3, 1_000)):
        line = witness.add(*log.offered(old, new))
        note = read_note(log.note(new)).joined(Signature.read(line.rstrip("\n")))
        assert abs(witnessed(note, [WITNESS_KEY.key])[WITNESS_KEY.key] - time.time()) < 5
    shown = witness.latest(ORIGIN)
    assert opened(shown, [KEY.key], ORIGIN).size == 1_000
    assert witnessed(read_note(shown), [WITNESS_KEY.key])


@pytest.mark.parametrize(
    "body, status",
    [
        ("", 400),
        ("nonsense", 400),
        ("old 00\n\n", 400),
        (asked(0, 5).replace("old 0", "old 6"), 400),
        (asked(0, 5, Log(origin="example.com/unknown")), 404),
        (asked(0, 5, Log(origin="agentguard/log-of-the-test/restored-x")), 404),
        (asked(0, 5, key=OTHER_KEY), 403),
        (asked(0, 5).replace("\n5\n", "\n6\n"), 403),
        (asked(0, 5).replace("old 0", "old 3"), 409),
        (asked(10, 20, Log(branch="other", shared=5)), 422),
        (asked(10, 20).replace("old 10\n", f"old 10\n{'A' * 43}=\n"), 422),
        (asked(10, 10, Log(branch="other", shared=5)), 409),
        (asked(10, 10).replace("old 10\n", f"old 10\n{'A' * 43}=\n"), 422),
        (asked(10, 20), 200),
        (asked(10, 10), 200),
    ],
)
def test_the_answers_are_those_of_the_protocol(server, witness, body, status):
    witness.add(*Log().offered(0, 10))
    found, kind, text = post(server, body)
    assert found == status, text
    if status == 409:
        assert (kind, text) == ("text/x.tlog.size", "10\n")
    if status != 200:
        assert opened(witness.latest(ORIGIN), [KEY.key]).size == 10, "it has changed"


def test_the_client_reads_each_answer_for_what_it_is(server, witness):
    log, other = Log(), Log(branch="other", shared=5)
    witness.add(*log.offered(0, 10))
    with pytest.raises(WitnessMovedError) as moved:
        witness.add(*log.offered(0, 20))
    assert moved.value.size == 10
    for size in (10, 20):
        with pytest.raises(WitnessRefusedError):
            witness.add(*other.offered(10, size))
    for log_or_key in ({"log": Log(origin="example.com/x")}, {"key": OTHER_KEY}):
        offered = log_or_key.get("log", log).offered(10, 20, log_or_key.get("key", KEY))
        with pytest.raises(WitnessUnavailableError, match=r"40[34]"):
            witness.add(*offered)
    stranger = HttpWitness(server.url, key=type(WITNESS_KEY)("w2", bytes(32), WITNESS_KEY.signs).key)
    with pytest.raises(WitnessUnavailableError, match="relied on"):
        stranger.add(*log.offered(10, 20))
    with pytest.raises(WitnessUnavailableError, match="relied on"):
        stranger.latest(ORIGIN)
    server.shutdown()
    server.server_close()
    for use in (lambda: witness.latest(ORIGIN), lambda: witness.add(*log.offered(10, 20))):
        with pytest.raises(WitnessUnavailableError, match="reached"):
            use()


def test_a_log_that_was_restored_goes_on_under_its_new_name_alone(witness):
    log = Log()
    witness.add(*log.offered(0, 10))
    restored = Log(origin=f"{ORIGIN}/restored-1", branch="restored", shared=8)
    assert witness.latest(restored.origin) is None
    witness.add(*restored.offered(0, 9))
    assert opened(witness.latest(restored.origin), [KEY.key]).size == 9
    for use in (lambda: witness.latest(ORIGIN), lambda: witness.add(*log.offered(10, 20))):
        with pytest.raises(WitnessRefusedError, match="goes on as"):
            use()


def test_a_new_key_of_a_log_is_known_at_once_and_a_broken_file_changes_nothing(folder, witness):
    log = Log()
    with pytest.raises(WitnessUnavailableError, match="403"):
        witness.add(*log.offered(0, 10, OTHER_KEY))
    (folder / "logs.txt").write_text(f"{LOGS}{ORIGIN} {OTHER_KEY.key.text}\n")
    witness.add(*log.offered(0, 10, OTHER_KEY))
    (folder / "logs.txt").write_text("nonsense\n")
    witness.add(*log.offered(10, 20, OTHER_KEY))


@pytest.mark.parametrize(
    "text", ["agentguard/x\n", f"agentguard/x {KEY.key.text} more\n", f"agentguard/x {WITNESS_KEY.key.text}\n"]
)
def test_a_line_that_is_no_log_is_said_with_its_number(folder, text):
    (folder / "logs.txt").write_text(f"# logs\n{text}")
    with pytest.raises(ConfigurationError, match="line 2"):
        WitnessedLogs(folder / "logs.txt")


def raw(server, data):
    """Return everything that is answered to bytes on a connection."""
    with socket.create_connection(server.server_address[:2], timeout=5) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
        return answer


@pytest.mark.parametrize(
    "data, status",
    [
        (b"POST /add-checkpoint HTTP/1.1\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MOST_BYTES + 1), b"413"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", b"413"),
        (b"POST /other HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"404"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 3\r\n\r\n\xff\xfe\n", b"400"),
        (b"GET /checkpoint/%FF%00 HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"PUT / HTTP/1.1\r\n\r\n", b"501"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
    ],
)
def test_what_is_not_understood_gets_a_word_and_no_more(server, data, status, capfd):
    answer = raw(server, data)
    assert status in answer.split(b"\r\n")[0], answer[:200]
    for told in (b"Traceback", b"Python", b"Error", b"<"):
        assert told not in answer
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err


def test_what_goes_wrong_inside_is_told_to_nobody_outside(server, monkeypatch, capfd):
    monkeypatch.setattr(WitnessBook, "replace", lambda *_: 1 / 0)
    assert post(server, asked(0, 5)) == (500, "text/plain; charset=utf-8", "the witness cannot answer now\n")
    assert "ZeroDivisionError" in (said := "".join(capfd.readouterr()))
    assert "Traceback" not in said


def test_an_address_that_asks_too_often_waits_and_others_do_not():
    now = [0.0]
    rates = Rates(2, lambda: now[0])
    assert [rates.admits("a") for _ in range(5)] == [True] * 4 + [False]
    assert rates.admits("b")
    now[0] += 0.4
    assert not rates.admits("a")
    now[0] += 0.6
    assert rates.admits("a")


@pytest.mark.parametrize(
    "url, why",
    [("http://witness.example", "https"), ("ftp://localhost", "https"), ("https://", "https"), ("witness", "https")],
)
def test_an_address_that_is_not_encrypted_is_not_taken(url, why):
    with pytest.raises(ConfigurationError, match=why):
        HttpWitness(url, key=WITNESS_KEY.key)


def test_the_key_of_a_log_is_not_taken_for_that_of_a_witness():
    with pytest.raises(ConfigurationError, match="key of a witness"):
        HttpWitness("https://witness.example", key=KEY.key.text)


@pytest.fixture
def serving(folder):
    """Start the command on one folder; several at once, and again after they were killed."""
    started = []
    options = ["--listen", "127.0.0.1:0", "--logs", "logs.txt", "--rate", "10000", "--json"]

    def serve(count):
        """Return processes with what they print, and a client of each; they start side by side."""
        found = []
        for _ in range(count):
            printed = folder / f"printed-{len(started)}"
            process = forked(typed, ["witness", "serve", *options], folder, dict(os.environ), printed)
            process.start()
            started.append(process)
            found.append((process, printed))
        return found, [client(process, printed) for process, printed in found]

    def client(process, printed):
        end = time.monotonic() + 30
        while not (printed.exists() and printed.read_text().rstrip().endswith("}")):
            assert process.is_alive(), printed.read_text()
            assert time.monotonic() < end, "it does not listen"
            time.sleep(0.01)
        said = json.loads(printed.read_text())
        return HttpWitness(said["url"], key=said["key"])

    yield serve
    for process in started:
        process.kill()
        process.join()


def climb(witnesses, seed, until, taken):
    """Offer checkpoints of random sizes to one of the servers, whoever is there; keep what was taken."""
    chance, log, old = random.Random(seed), Log(), 0
    while not until.is_set() and old < 2_000:
        new = min(2_000, old + chance.randint(1, 8))
        try:
            chance.choice(witnesses).add(*log.offered(old, new))
        except WitnessMovedError as moved:
            old = moved.size
        except WitnessUnavailableError:
            time.sleep(0.01)
        else:
            taken.append(new)
            old = new


def test_two_processes_that_are_killed_never_roll_back_what_they_signed(serving):
    """Whatever was cosigned outlasts the process, and no slower request puts an older checkpoint in its place."""
    processes, witnesses = serving(2)
    until, taken = threading.Event(), []
    threads = [threading.Thread(target=climb, args=(witnesses, seed, until, taken)) for seed in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.4)
    known = max(taken)
    for process, _ in processes:
        process.kill()
        process.join()
    processes, witnesses[:] = serving(2)
    assert opened(witnesses[0].latest(ORIGIN), [KEY.key]).size >= known
    before = len(taken)
    time.sleep(0.4)
    until.set()
    for thread in threads:
        thread.join()
    kept = [opened(witness.latest(ORIGIN), [KEY.key]).size for witness in witnesses]
    assert kept[0] == kept[1] == max(taken)
    assert len(taken) > before > 10
    process, printed = processes[0]
    process.terminate()
    process.join(10)
    assert process.exitcode == 0
    assert printed.read_text().count("\n") == 4, "it says where it listens, and nothing else"


def until_closed(connection, says):
    """Say something again and again until the other end has had enough; how many seconds that took."""
    began = time.monotonic()
    connection.settimeout(0.02)
    while time.monotonic() - began < 5:
        try:
            connection.sendall(says)
            if not connection.recv(1_000):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - began


def test_who_never_comes_to_an_end_is_cut_off_however_much_they_say(server):
    server.seconds_in_all = 0.3
    with socket.create_connection(server.server_address) as slow:
        slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\nX: ")
        assert 0.2 < until_closed(slow, b"a") < 3


def test_one_address_does_not_take_every_place(server):
    taken = [socket.create_connection(server.server_address) for _ in range(MOST_OF_ONE)]
    try:
        with socket.create_connection(server.server_address) as one_more:
            assert until_closed(one_more, b"GET /key HTTP/1.1\r\n") < 3
        with socket.create_connection(server.server_address, source_address=("127.0.0.2", 0), timeout=3) as other:
            other.sendall(b"GET /key HTTP/1.1\r\n\r\n")
            assert other.recv(1_000).startswith(b"HTTP/1.1 200")
    finally:
        for connection in taken:
            connection.close()
    until = time.monotonic() + 3
    while server._open and time.monotonic() < until:
        time.sleep(0.01)
    assert not server._open, "who has left is not counted any more"
