"""What PostgreSQL's errors mean to somebody who can do something about them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

from agentguard.errors import AgentGuardError, StoreSchemaError, StoreUnavailableError, TamperedError, UsageError
from agentguard.store.append_only import REFUSAL


class _Meaning(NamedTuple):
    """What an SQLSTATE that begins so means, and what to do."""

    state: str
    what: str
    advice: str
    make: type[AgentGuardError] = StoreUnavailableError


_READ_ONLY = "25006"
# What a standby says to a transaction that wants to write, before it has written anything.
_UNSUPPORTED = "0A000"

# The first that fits counts.
_MEANINGS = (
    _Meaning("40", "{database} was written to by others at the same time, again and again", "try again"),
    _Meaning(
        "55P03",
        "{database} was locked by another transaction for more than {patience} s",
        "end the other transaction and try again",
    ),
    _Meaning("57014", "{database} did not answer in time", "look at what it is doing"),
    _Meaning(
        _READ_ONLY,
        "{database} is read-only, as a standby is",
        "name the primary, or both with `target_session_attrs=read-write`",
    ),
    _Meaning(
        "25P03",
        "{database} ended a transaction that stood still for more than {patience} s",
        "look for work that waits inside a transaction",
    ),
    _Meaning(
        "25P04",
        "{database} ended a transaction that took longer than its `transaction_timeout`",
        "raise it, or leave it to the waits that agentguard sets",
    ),
    _Meaning("53100", "the disk under {database} is full", "free some space and try again"),
    _Meaning("53300", "{database} has no connection left", "raise its `max_connections` or run fewer processes"),
    _Meaning("53", "the server of {database} is out of something it needs ({words})", "look at the server"),
    _Meaning("58", "the disk under {database} failed ({words})", "look at the disk"),
    _Meaning("57P03", "the server of {database} is not up yet ({words})", "try again in a moment"),
    _Meaning("57P", "the server of {database} went down ({words})", "start it and try again"),
    _Meaning("28", "{database} does not take this user and password", "look at the address and at `pg_hba.conf`"),
    _Meaning("3D000", "{database} does not exist", "create it with `createdb --encoding=UTF8`, or name another"),
    _Meaning("3F000", "{database} has no schema for tables on its `search_path`", "set it, to `public` for example"),
    _Meaning("42501", "the user of {database} may not do this ({words})", "let its owner grant it"),
    _Meaning(
        "42",
        "{database} does not have this version's tables ({words})",
        "run `agentguard store show`",
        StoreSchemaError,
    ),
    _Meaning("23", "{database} refused what would contradict itself", "run `agentguard audit verify`", TamperedError),
    _Meaning("XX00", "{database} is damaged ({words})", "keep a copy of it and restore a backup", TamperedError),
    _Meaning("", "{database} could not be reached ({words})", "look at the server and at the network"),
)


def meaning(error: Exception, database: str, patience: float) -> AgentGuardError:
    """Return our error for one of SQLAlchemy's or psycopg's.

    Args:
        error: What was raised.
        database: The database's address without its password.
        patience: Seconds that were waited.
    """
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    words = " ".join(str(original).split("\n", 1)[0].split())
    if REFUSAL + ":" in words:
        return TamperedError(f"the database refused a change of what is append-only ({words}); nothing was stored")
    if isinstance(error, NoConnectionFreeError):
        return StoreUnavailableError(
            f"no connection to the database `{database}` was free for more than {patience:g} s; nothing was stored; "
            f"look for work that waits inside a transaction"
        )
    state = getattr(original, "sqlstate", None) or _guessed(original)
    if state == _UNSUPPORTED and "during recovery" in words:
        state = _READ_ONLY
    if state.startswith("22"):
        return UsageError(
            f"expected whole numbers of 64 bits and Unicode text without NUL, got what no database can keep: {words}"
        )
    found = next(meaning for meaning in _MEANINGS if state.startswith(meaning.state))
    what = found.what.format(database=f"the database `{database}`", patience=f"{patience:g}", words=words)
    return found.make(f"{what}; nothing was stored; {found.advice}")


def _guessed(error: Exception) -> str:
    """Return the SQLSTATE of an error that has none: psycopg's own, and what a server says while one connects."""
    words = str(error)
    for part, state in _WORDS.items():
        if part in words:
            return state
    return "22000" if type(error).__name__ == "DataError" else ""


_WORDS = {
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    "no pg_hba.conf entry": "28000",
    "authentication failed": "28000",
    '" does not exist': "3D000",
    "the database system is": "57P03",
    "too many clients": "53300",
    "remaining connection slots": "53300",
    "session is not read-write": "25006",
}
