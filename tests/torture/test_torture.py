"""The short form of `scripts/torture`: everything that must be 0 is 0, and enough was done to say so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TORTURE = ROOT / "scripts" / "torture"


def torture(*options):
    command = [sys.executable, str(TORTURE), "--json", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, cwd=ROOT)


def what_is_wrong(counted):
    return {name: count for name, count in counted["wrong"].items() if count}, counted["examples"], counted["seed"]


@pytest.mark.law(2, 3, 4, 5, 6, 14)
def test_whoever_is_killed_nothing_is_paid_twice_unannounced_or_past_a_limit_and_no_answer_is_lost():
    ended = torture("--seconds", "8", "--kills", "5", "--actions", "200", "--breath", "0.5", "--workers", "3")
    counted = json.loads(ended.stdout)
    assert ended.returncode == 0, what_is_wrong(counted)
    assert set(counted["wrong"].values()) == {0}
    assert counted["misfortunes"]["workers killed"] >= 5
    assert counted["counts"]["payments"] >= 20
    assert counted["counts"]["keys sent again"] >= 5
    assert counted["limits"][0]["refused"] > 0


@pytest.mark.law(2, 3, 4, 5, 6, 14)
def test_the_same_holds_while_postgresql_is_killed_and_its_standby_takes_over():
    enough = ("--actions", "100", "--seconds", "8", "--database-life", "3", "--workers", "3")
    ended = torture("--engine", "postgresql", "--standby", *enough)
    counted = json.loads(ended.stdout)
    assert ended.returncode == 0, what_is_wrong(counted)
    assert set(counted["wrong"].values()) == {0}
    assert counted["misfortunes"]["database server killed"] >= 1
    assert counted["misfortunes"]["standby promoted"] >= 1
    assert counted["counts"]["payments"] >= 10


def test_a_folder_that_is_not_empty_is_not_written_into(tmp_path):
    (tmp_path / "mine").touch()
    ended = torture("--keep", str(tmp_path))
    assert ended.returncode == 2
    assert "expected an empty folder for --keep" in ended.stderr


def test_a_crew_of_nobody_is_refused():
    ended = torture("--workers", "0")
    assert ended.returncode == 2
    assert "expected 1 or more, got 0" in ended.stderr
