"""The address of a database, read once, and never shown with its password."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from agentguard.errors import UsageError
from agentguard.store import sqlite

KEYS = "AGENTGUARD_KEYS"
"""The variable that names the keys file of a database."""

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
    if address.get_backend_name() not in {"sqlite", "postgres", "postgresql"}:
        raise UsageError(f"{_EXPECTED}, got one of `{address.get_backend_name()}`; use one of these")
    if "password" in address.query:
        # libpq takes it there as well, where it would be shown.
        given = address.query["password"]
        address = address.difference_update_query(["password"])
        address = address.set(password=given if isinstance(given, str) else given[-1])
    return address


def database_file(url: str) -> str | None:
    """Return the file that a database is in, or None where there is none: in memory, or behind a server."""
    address = read_address(url)
    if address.get_backend_name() != "sqlite" or sqlite.in_memory(address):
        return None
    return str(address.database).removeprefix("file:")


def keys_file(url: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return where the keys of a database are, or None for one in memory, whose keys die with it.

    `AGENTGUARD_KEYS` names the file. Without it the keys lie beside a file (`shop.db.keys`), and those of a database
    behind a server in the working directory, under its name (`shop.keys`).
    """
    address = read_address(url)
    on_server = address.get_backend_name() != "sqlite"
    if not on_server and sqlite.in_memory(address):
        return None
    return environment.get(KEYS) or f"{(address.database or 'agentguard') if on_server else database_file(url)}.keys"
