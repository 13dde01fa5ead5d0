"""The address of a database, read once, and never shown with its password."""

from __future__ import annotations

import re

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from agentguard.errors import UsageError

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
