"""A disk that is full: a small disk of its own is filled, in a process that sees it alone, and freed again."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IN_ITS_OWN_VIEW = ["unshare", "--map-root-user", "--mount"]


def on_a_small_disk(folder, megabytes, *command):
    """Run a command whose folder is a disk of its own; it goes with the process."""
    script = f'mount -t tmpfs -o size={megabytes}m none "$0" && exec "$@"'
    return subprocess.run(
        [*IN_ITS_OWN_VIEW, "sh", "-c", script, str(folder), *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
    )


@pytest.fixture(autouse=True)
def may_mount(folder):
    if shutil.which("unshare") is None or on_a_small_disk(folder, 1, "true").returncode != 0:
        pytest.skip("this machine lets nobody mount a small disk of their own (`unshare --map-root-user --mount`)")


@pytest.mark.law(6, 14)
def test_on_a_full_disk_nothing_runs_that_is_not_recorded_and_it_goes_on_when_there_is_room(folder):
    ended = on_a_small_disk(folder, 4, sys.executable, "-m", "tests.faults.full_disk", str(folder))
    assert ended.returncode == 0, ended.stderr
    assert "is full; nothing was stored; free some space and try again" in ended.stdout
