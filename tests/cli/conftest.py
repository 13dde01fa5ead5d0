import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from agentguard.cli.app import run
from tests.cli import shop as shops


@dataclass(frozen=True)
class Said:
    """What a command came to: its exit code, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass(frozen=True)
class Shop:
    """A copy of the shop: its folder, and the ids of what is in it."""

    folder: Path
    ids: dict[str, str]

    @property
    def store(self):
        return f"sqlite:///{self.folder}/shop.db"


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop") / "shop"
    return folder, shops.make(folder)


@pytest.fixture
def shop(made, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(made[0], folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AGENTGUARD_STORE", f"sqlite:///{folder}/shop.db")
    monkeypatch.setattr("agentguard.engine.machine.login", lambda: "mrossi")
    return Shop(folder, made[1])


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder, where nothing is."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("AGENTGUARD_STORE", "AGENTGUARD_POLICIES", "AGENTGUARD_APP", "AGENTGUARD_PEOPLE"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def command(capsys, monkeypatch):
    """Run one command line as a person types it, without a terminal."""
    monkeypatch.setenv("NO_COLOR", "1")

    def typed(*words: str) -> Said:
        capsys.readouterr()
        with structlog.testing.capture_logs():  # `main` sends them elsewhere, and not what the command says itself
            code = run([str(word) for word in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Said(code, said.out, said.err)

    return typed
