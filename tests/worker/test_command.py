"""`agentguard worker` as an operator runs it: in words and JSON, stopped by signals, killed beside a second one."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import structlog

from agentguard.cli.app import run
from agentguard.cli.exits import FOUND, OK, USAGE
from agentguard.engine.signing import make_key

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """The desk in this process; a worker that is started reads the same environment."""
    yield from opened_desk(f"sqlite:///{tmp_path}/desk.db", tmp_path, monkeypatch)


@pytest.fixture
def any_desk(address, tmp_path, monkeypatch):
    yield from opened_desk(address, tmp_path, monkeypatch)


def opened_desk(address, tmp_path, monkeypatch):
    monkeypatch.setenv("DESK_STORE", address)
    monkeypatch.setenv("DESK_BOOKS", str(tmp_path / "books"))
    monkeypatch.setenv("DESK_SECONDS", "0")
    (tmp_path / "books").touch()
    module = importlib.import_module("tests.worker.desk")
    yield lambda: importlib.reload(module).made
    module.guard.close()


@pytest.fixture
def start():
    started = []

    def start_one(*options):
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", "from agentguard.cli import main; main()", "worker", "--app",
                 "tests.worker.desk:guard", "--every", "0.1", *options],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )  # fmt: skip
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


def approved(made, count):
    asked = [made.ask("60", key=f"k-{n}", order_id=f"A-{n}", who=f"c-{n}") for n in range(count)]
    for answer in asked:
        made.guard.escalations.approve(answer.escalation.id, by="maria", reason_code="goodwill")
    return asked


def books():
    return Path(os.environ["DESK_BOOKS"]).read_text().split()


def once(capsys, *options):
    capsys.readouterr()
    with structlog.testing.capture_logs():
        code = run(["worker", "--app", "tests.worker.desk:guard", "--once", *options])
    return code, capsys.readouterr().out


def test_one_round_says_in_words_what_it_did(desk, capsys):
    asked = approved(desk(), 1)[0]
    assert once(capsys) == (OK, f"{asked.decision_id}  refund.issue  done\n")
    desk()
    assert once(capsys) == (OK, "nothing is due\n")


def test_one_round_says_as_json_how_far_each_channel_has_come(desk, capsys, monkeypatch):
    monkeypatch.setenv("DESK_HOOK", "http://127.0.0.1:9/nobody")
    made = desk()
    made.guard.start()
    asked = made.ask("60", who="c-1")
    code, out = once(capsys, "--json")
    assert code == FOUND
    said = json.loads(out)
    assert (said["actions"], said["reminded"]) == ([], [])
    (channel,) = said["channels"]
    assert (channel["name"], channel["sent"], channel["waiting"], channel["attempts"]) == ("desk", 0, 1, 1)
    assert (channel["error"], channel["stopped"]) == ("unreachable", False)
    assert channel["oldest"] < channel["next_try"]
    desk()
    code, out = once(capsys)
    assert code == FOUND
    assert "desk  cannot be told: unreachable (1 tries" in out
    assert "; 1 waiting since" in out
    desk().guard.escalations.approve(asked.escalation.id, by="maria", reason_code="goodwill")
    said = json.loads(once(capsys, "--json")[1])
    assert said["actions"] == [
        {
            "action_id": asked.decision_id,
            "action": "refund.issue",
            "status": "done",
            "reason_code": "rule_matched",
            "for_person": False,
        }
    ]


def test_a_worker_that_ends_closes_its_guard_so_that_what_it_wrote_is_sealed(desk, capsys, monkeypatch, tmp_path):
    make_key(tmp_path / "seal.key", "desk")
    approved(desk(), 1)
    monkeypatch.setenv("AGENTGUARD_SIGNING_KEY", str(tmp_path / "seal.key"))
    guard = desk().guard
    assert once(capsys)[0] == OK
    assert guard.store.is_closed
    assert desk().guard.seals.state().unsealed == 0


def test_what_only_a_person_can_find_out_is_said_and_is_a_finding(desk, capsys, monkeypatch):
    monkeypatch.setenv("DESK_SECONDS", "a number")
    asked = approved(desk(), 1)[0]
    code, out = once(capsys)
    assert code == FOUND
    assert out.startswith(f"{asked.decision_id}  refund.issue  in_doubt")
    assert "`agentguard actions resolve`" in out


def test_without_an_application_there_is_nothing_to_work_with(capsys):
    assert run(["worker", "--once"]) == USAGE
    assert "--app" in capsys.readouterr().err


def test_a_signal_lets_it_end_what_is_under_way_and_then_stops_it(desk, start, monkeypatch):
    monkeypatch.setenv("DESK_SECONDS", "0.7")
    made = desk()
    worker = start()
    asked = approved(made, 1)[0]
    wait_for(books)
    worker.send_signal(signal.SIGTERM)
    said, _ = worker.communicate(timeout=SECONDS)
    assert worker.returncode == OK
    assert made.state(asked) == "settled"
    first, did, last = said.splitlines()
    assert first.startswith("working for tests.worker.desk:guard, a round every 0.1 s")
    assert (did, last) == (f"{asked.decision_id}  refund.issue  done", "stopped")


def test_a_second_signal_ends_it_at_once(desk, start, monkeypatch):
    monkeypatch.setenv("DESK_SECONDS", "20")
    made = desk()
    worker = start()
    approved(made, 1)
    wait_for(books)
    worker.send_signal(signal.SIGINT)
    time.sleep(0.3)
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=10)
    assert worker.returncode == 128 + signal.SIGINT


@pytest.mark.law(3)
def test_of_two_workers_one_is_killed_and_nothing_is_done_twice(any_desk, start, monkeypatch):
    monkeypatch.setenv("DESK_SECONDS", "0.1")
    made = any_desk()
    asked = approved(made, 16)
    killed, other = start("--json"), start("--json")
    wait_for(lambda: len(books()) >= 3)
    killed.kill()
    wait_for(lambda: all(made.state(answer) != "waiting" for answer in asked))
    wait_for(lambda: len([answer for answer in asked if made.state(answer) == "settled"]) >= 16 - 4)
    other.terminate()
    said, _ = other.communicate(timeout=SECONDS)
    states = [made.state(answer) for answer in asked]
    assert set(states) <= {"settled", "executing"}  # what the killed one had begun waits for its lease to be over
    assert len(books()) == len(set(books()))
    assert {answer.decision_id for answer, state in zip(asked, states, strict=True) if state == "settled"} <= set(
        books()
    )
    assert other.returncode == OK
    rounds = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert {action["status"] for one in rounds for action in one["actions"]} <= {"done", "unavailable"}
    assert made.guard.audit.verify().ok
