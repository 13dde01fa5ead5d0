"""A clock moved by hand, a store in a database of its own, and its owner, who can drop triggers."""

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
