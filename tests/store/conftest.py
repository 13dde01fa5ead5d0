"""A clock moved by hand and a store in a database of its own, on each engine."""

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
def store(address, clock):
    opened = Store.open(address, clock, log="log-of-the-test")
    yield opened
    opened.close()
