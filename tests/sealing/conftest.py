"""A log in a database of its own, on each engine."""

import pytest

from agentguard.store import Store


@pytest.fixture
def store(address):
    opened = Store.open(address, log="log-of-the-test")
    yield opened
    opened.close()
