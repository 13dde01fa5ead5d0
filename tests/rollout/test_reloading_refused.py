"""Reloading where the people file says who may change what is in force: told at the start, and with what to do."""

import pytest
import structlog

from agentguard import ConfigurationError
from agentguard.core.people import People, User
from agentguard.engine import reloading
from tests.rollout.reloaded import save, text, visits

ADA = {"ada": User("ada", "Ada", frozenset({"ada"}))}
OPERATED = People(users=ADA, groups={}, operators=frozenset({"user:ada"}))
SAID = "it is said who may change what is in force, so files alone do not: run `agentguard policy activate`"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(reloading, "QUIET", 0.0)
    monkeypatch.setattr(reloading.Reloading, "begin", lambda self: None)
    made = tmp_path / "policies"
    made.mkdir()
    save(made / "visits.yaml", text())
    return made


@pytest.mark.parametrize("people, said", [(OPERATED, [SAID]), (People(users=ADA, groups={}), [])])
def test_whoever_develops_hears_before_the_first_change_that_none_would_come_into_force(folder, people, said):
    guard = visits(folder, "sqlite://", reload=True, people=people)
    guard.start()
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            guard.reloading.look()
    assert [line["reason"].split(", and leave")[0] for line in logs] == said
    assert [problem.split(", and leave")[0] for problem in getattr(guard.reloading.last, "problems", ())] == said
    guard.close()


def test_a_start_with_other_files_says_what_to_do_in_production_and_what_while_developing(folder, tmp_path):
    address = f"sqlite:///{tmp_path / 'visits.db'}"
    first = visits(folder, address, people=OPERATED)
    first.start()
    first.close()
    save(folder / "visits.yaml", text(2))
    changed = visits(folder, address, people=OPERATED)
    with pytest.raises(ConfigurationError, match=SAID) as refused:
        changed.start()
    assert "while you develop, give a people file without `operators` and `powers` (`people=`)" in str(refused.value)
    changed.close()
    developing = visits(folder, address, people=People(users=ADA, groups={}))
    developing.start()
    assert developing.audit.list(kind="activated")[-1].document["policies"]["visits"]["version"] == 2
    developing.close()
