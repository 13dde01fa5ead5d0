"""The packs against recordings of real agents, where somebody has put them beside the project."""

import os
from pathlib import Path

import pytest

from scripts.replays.recording import Expected
from scripts.replays.workloads import WORKLOADS

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("AGENTGUARD_WORKLOADS", PROJECT.parent / "shared" / "workloads"))

pytestmark = [
    pytest.mark.skipif(
        not FOLDER.is_dir(),
        reason="no recordings of real agents: set AGENTGUARD_WORKLOADS to a folder with tau/, agentdojo/ and abcd/",
    ),
    pytest.mark.no_cover,  # what it runs again and again is run by other tests too
]


@pytest.mark.parametrize("name", list(WORKLOADS))
def test_recorded_agents_are_stopped_where_they_must_be_and_nowhere_else(name):
    result = WORKLOADS[name](FOLDER, lambda *_: None)
    if result is None:
        pytest.skip(f"the recordings have no `{name}`")
    assert [target.wanted for target in result.targets if not target.holds] == []
    assert result.missed == ()
    assert sum(result.calls[Expected.GOOD].values()) > 0
