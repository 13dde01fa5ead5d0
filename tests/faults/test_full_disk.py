"""A disk that is full: a small disk of its own is filled, in a process that sees it alone, and freed again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def on_a_small_disk(folder, megabytes, *command):
    """Run a command whose folder is a disk of its own; it goes with the process."""
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    script = f'mount -t tmpfs -o size={megabytes}m,mode=1777 none "$0" && exec "$@"'
    return subprocess.run(
        [*alone, "sh", "-c", script, str(folder), *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
    )


@pytest.fixture(autouse=True)
def may_mount(folder):
    if shutil.which("unshare") is None or on_a_small_disk(folder, 1, "true").returncode != 0:
        pytest.skip("this machine lets nobody mount a small disk of their own (`unshare --mount`)")


@pytest.mark.law(6, 14)
@pytest.mark.parametrize("engine, megabytes", [("sqlite", 4), ("postgresql", 100)])
def test_on_a_full_disk_nothing_runs_that_is_not_recorded_and_it_goes_on_when_there_is_room(folder, engine, megabytes):
    if engine == "postgresql" and os.geteuid() != 0:
        pytest.skip("only root may both mount a disk and run PostgreSQL as somebody else on it")
    ended = on_a_small_disk(folder, megabytes, sys.executable, "-m", "tests.faults.full_disk", engine, str(folder))
    assert ended.returncode == 0, ended.stderr
    assert "is full; nothing was stored; free some space and try again" in ended.stdout
