"""Databases to race on: a file, and a PostgreSQL server that waits for no disk, since no race kills it."""

import pytest

from agentguard.testing.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def server():
    with PostgresServer.start(durable=False) as started:
        yield started


@pytest.fixture(params=["sqlite"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'race.db'}"
    return request.getfixturevalue("server").create_database(tmp_path.name.replace("-", "_").lower())
