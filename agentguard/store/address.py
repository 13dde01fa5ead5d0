"""The address of a database, read once, and never shown with its password."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from agentguard.errors import UsageError
from agentguard.store.dialect import Dialect
from agentguard.store.postgresql import Postgresql
from agentguard.store.sqlite import Sqlite

KEYS = "AGENTGUARD_KEYS"
"""The variable that names the keys file of a database."""

DIALECTS: Mapping[str, Dialect] = {"sqlite": Sqlite(), "postgresql": Postgresql(), "postgres": Postgresql()}
"""By SQLAlchemy's name of the backend."""

_EXPECTED = "expected a database like `sqlite:///agentguard.db` or `postgresql://user@host/agentguard`"


def read_address(url: str) -> URL:
    """Return the parts of a database's address.

    Raises:
        UsageError: It is not one of SQLite or PostgreSQL.
    """
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        # What cannot be read may have a password anywhere before its last `@`.
        shown = re.sub(r"^([^:]*:/*).*@", r"\1***@", url)
        raise UsageError(f"{_EXPECTED}, got `{shown}`; write it like this") from error
    if address.get_backend_name() not in DIALECTS:
        raise UsageError(f"{_EXPECTED}, got one of `{address.get_backend_name()}`; use one of these")
    if "password" in address.query:
        # libpq takes it there as well, where it would be shown.
        given = address.query["password"]
        address = address.difference_update_query(["password"])
        address = address.set(password=given if isinstance(given, str) else given[-1])
    return address


def dialect_of(address: URL) -> Dialect:
    """Return the engine behind an address that was read."""
    return DIALECTS[address.get_backend_name()]


def database_file(url: str) -> str | None:
    """Return the file that a database is in, or None where there is none: in memory, or behind a server."""
    address = read_address(url)
    if address.get_backend_name() != "sqlite" or dialect_of(address).is_in_memory(address):
        return None
    return str(address.database).removeprefix("file:")


def keys_file(url: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return where the keys of a database are, or None for one in memory, whose keys die with it.

    `AGENTGUARD_KEYS` names the file. Without it the keys lie beside a file (`shop.db.keys`), and those of a database
    behind a server in the working directory, under its name (`shop.keys`).
    """
    address = read_address(url)
    if dialect_of(address).is_in_memory(address):
        return None
    return environment.get(KEYS) or f"{database_file(url) or address.database or 'agentguard'}.keys"
