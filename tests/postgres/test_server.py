"""The server of the test kit: what it keeps when killed, followed and replaced, and that it never stays behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentguard.errors import StoreUnavailableError, UsageError
from agentguard.testing.postgres_server import PostgresServer


@pytest.fixture(scope="module")
def server():
    with PostgresServer.start() as started:
        yield started


def count(server):
    return server.execute("SELECT count(*) FROM kept")[0][0]


def test_what_was_committed_is_there_after_a_kill(server):
    server.execute("CREATE TABLE kept AS SELECT generate_series(1, 10) AS number")
    server.kill()
    assert not server.running
    server.restart()
    assert server.running
    assert count(server) == 10


def test_a_standby_has_every_commit_and_takes_over():
    with PostgresServer.start() as server, server.standby() as follower:
        server.execute("CREATE TABLE kept AS SELECT 1 AS number")
        server.execute("INSERT INTO kept VALUES (11)")
        before = count(server)
        server.kill()
        with pytest.raises(Exception, match="read-only"):
            follower.execute("INSERT INTO kept VALUES (12)")
        follower.promote()
        assert count(follower) == before
        follower.execute("INSERT INTO kept VALUES (12)")
        assert count(follower) == before + 1


def test_a_server_restarts_while_it_runs_and_keeps_its_settings():
    with PostgresServer.start(settings={"max_connections": "17"}, durable=False) as started:
        started.restart()
        assert started.execute("SHOW max_connections") == [("17",)]
        assert started.execute("SHOW fsync") == [("off",)]


def test_commits_are_durable_unless_asked_otherwise(server):
    if not server.running:
        server.restart()
    assert [server.execute(f"SHOW {name}")[0][0] for name in ("fsync", "synchronous_commit")] == ["on", "on"]


def test_a_wrong_setting_is_named_with_the_end_of_the_log():
    with pytest.raises(StoreUnavailableError, match="max_connections"):
        PostgresServer.start(settings={"max_connections": "many"}, durable=False)


def test_a_folder_that_is_too_deep_is_refused():
    with pytest.raises(UsageError, match="use a shorter one"):
        PostgresServer.start(Path("/tmp") / ("long" * 30))


def test_no_server_and_no_folder_outlive_a_killed_process():
    lines = "import sys,time; from agentguard.testing.postgres_server import PostgresServer"
    lines += "; s = PostgresServer.start(durable=False); print(s.folder, s.process_id, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", lines], stdout=subprocess.PIPE, text=True) as owner:
        folder, process_id = owner.stdout.readline().split()
        assert Path(folder).exists()
        owner.send_signal(signal.SIGKILL)
    deadline = time.perf_counter() + 20
    while Path(folder).exists() and time.perf_counter() < deadline:
        time.sleep(0.05)
    assert not Path(folder).exists()
    command = Path(f"/proc/{process_id}/cmdline")
    assert not command.exists() or b"postgres" not in command.read_bytes()


def test_the_server_never_runs_as_root(server):
    assert (server.folder / "data").stat().st_uid != 0
