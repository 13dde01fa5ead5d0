"""The databases that a run measures on: files in a folder of their own, and a PostgreSQL server if there is one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bare import BarePostgreSQL, BareSQLite

from agentguard.errors import AgentGuardError
from agentguard.testing.postgres_server import PostgresServer


class Databases:
    """New databases, and the bare yardstick of each engine.

    Attributes:
        folder: Where the files are.
        without_postgresql: Why there is no PostgreSQL, if there is none.
    """

    def __init__(self, folder: Path, server: PostgresServer | None, without_postgresql: str) -> None:
        self.folder = folder
        self.without_postgresql = without_postgresql
        self._server = server
        self._count = 0

    def has(self, engine: str) -> bool:
        """Return whether an engine can be measured."""
        return engine == "sqlite" or self._server is not None

    def new(self, engine: str) -> str:
        """Return the address of a new database."""
        self._count += 1
        if engine == "sqlite":
            os.environ.pop("AGENTGUARD_KEYS", None)
            return f"sqlite:///{self.folder / f'{self._count}.db'}"
        assert self._server is not None
        os.environ["AGENTGUARD_KEYS"] = str(self.folder / f"{self._count}.keys")  # for the processes of a crew too
        return self._server.create_database(f"bench{self._count}")

    def bare(self, engine: str) -> BareSQLite | BarePostgreSQL:
        """Return the yardstick on a new database."""
        url = self.new(engine)
        if engine == "sqlite":
            return BareSQLite(Path(url.removeprefix("sqlite:///")))
        return BarePostgreSQL(url.replace("+psycopg", ""))


@contextmanager
def databases(beneath: Path | None, *, postgresql: bool) -> Iterator[Databases]:
    """Give databases in a new folder, and clear it away."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="bench-", dir=beneath))
        stack.callback(shutil.rmtree, folder)
        if not postgresql:
            yield Databases(folder, None, "")
            return
        try:
            # A server is its own user's, so its folder is not inside one that only this user may enter.
            server = stack.enter_context(PostgresServer.start())
        except AgentGuardError as error:
            yield Databases(folder, None, str(error))
        else:
            yield Databases(folder, server, "")
