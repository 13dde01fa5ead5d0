"""A server that waits for the disk, for the tests that kill it."""

import pytest

from agentguard.testing.clock import ManualClock
from agentguard.testing.postgres_server import PostgresServer


@pytest.fixture(scope="package")
def durable_server():
    with PostgresServer.start() as started:
        yield started


@pytest.fixture
def database(durable_server, request):
    """An empty database on a server that may be killed."""
    if not durable_server.running:
        durable_server.restart()
    durable_server.drop_database("own")
    return durable_server.create_database("own")


@pytest.fixture
def clock():
    return ManualClock()
