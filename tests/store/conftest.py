"""A clock moved by hand and a store in a file of its own."""

import pytest

from agentguard.store import Store
from tests.store.given import HandClock


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "guard.db"


@pytest.fixture
def store(path, clock):
    opened = Store.open(f"sqlite:///{path}", clock, log="log-of-the-test")
    yield opened
    opened.close()
