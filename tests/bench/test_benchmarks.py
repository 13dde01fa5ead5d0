"""The benchmarks still run and still check what they time; what they measure is not judged here."""

import json
import re
import subprocess
import sys

from tests.project.tree import ROOT


def run(name, *options, folder):
    command = [sys.executable, str(ROOT / "scripts" / "bench" / name), *options, "--folder", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_throughput_measures_actions_beside_bare_commits(tmp_path):
    shown = run(
        "throughput", "--only", "sqlite, 64 tasks", "--rounds", "1", "--seconds", "0.2", "--json", folder=tmp_path
    )
    [row] = json.loads(shown)["rows"]
    assert row["case"] == "sqlite, 64 tasks"
    assert row["rate"][0] > 0
    assert 0 < row["p50"] <= row["p99"] <= row["slowest"]


def test_history_finds_every_edge_of_a_sliding_window_exact(tmp_path):
    shown = run("history", "--few", "64", "--run", "64", "--actions", "256", "--rounds", "1", folder=tmp_path)
    wrong, compared = map(int, re.findall(r"differ from a plain sum: (\d+) of (\d+)", shown)[0])
    assert wrong == 0
    assert compared > 20


def test_audit_proves_entries_of_a_copied_log_and_has_pymerkles_root(tmp_path):
    parts = ("--only", "proving", "tree")
    shown = run("audit", *parts, "--entries", "1200", "--proofs", "5", "--rounds", "1", "--json", folder=tmp_path)
    found = json.loads(shown)
    assert found["tree"]["entries"] == found["proving"]["entries"] > 1200
    assert 0 < found["proving"]["both p50"] <= found["proving"]["both p99"]


def test_proofs_of_three_hundred_rules_find_what_is_planted_and_are_timed(tmp_path):
    found = json.loads(run("prove", "--rounds", "1", "--json", folder=tmp_path))
    assert found["one guarantee that holds"]["goal"] == 50
    assert all(row["milliseconds"] > 0 for row in found.values())
