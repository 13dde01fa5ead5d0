"""What every test shares: hypothesis' settings, how the tests of one law are found, and databases of both engines."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from agentguard.store import Store
from agentguard.testing.postgres_server import PostgresServer
from tests.databases import LONG_AGO, SpareDatabase

MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")


def pytest_configure():
    """Put what tests write into memory where there is room: no test waits for a disk, and none can lose power."""
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Let three workers share two cores: a fifth of their time they wait for servers, deadlines and other processes."""
    return max(2, len(os.sched_getaffinity(0)) * 3 // 2) if hasattr(os, "sched_getaffinity") else None


def pytest_collection_modifyitems(items):
    """Let `-k law_04` find every test that is marked with `@pytest.mark.law(4)`."""
    for item in items:
        for mark in item.iter_markers("law"):
            item.extra_keyword_matches.update(f"law_{number:02}" for number in mark.args)


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server of this worker's own; it waits for no disk, and who kills servers starts another one."""
    with PostgresServer.start(durable=False) as started:
        yield started


@pytest.fixture(scope="session")
def spare_database(postgres):
    spare = SpareDatabase(postgres)
    yield spare
    spare.close()


@pytest.fixture
def closed_stores(monkeypatch):
    """Stores that a test leaves open are closed after it."""
    opened, open_store = [], Store.open
    monkeypatch.setattr(Store, "open", lambda *given, **more: opened.append(open_store(*given, **more)) or opened[-1])
    yield
    for store in opened:
        store.close()


@pytest.fixture(scope="session")
def made_file(tmp_path_factory):
    """A file of SQLite as `spare_database` has it on PostgreSQL: tables, and nothing in them."""
    path = tmp_path_factory.mktemp("made") / "guard.db"
    Store.open(f"sqlite:///{path}", lambda: LONG_AGO, log="log-of-the-test").close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path, monkeypatch, closed_stores):
    """An empty database, of one engine and then of the other."""
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("made_file"), tmp_path / "guard.db")
        return f"sqlite:///{tmp_path / 'guard.db'}"
    monkeypatch.setenv("AGENTGUARD_KEYS", str(tmp_path / "guard.db.keys"))
    return request.getfixturevalue("spare_database").emptied()
