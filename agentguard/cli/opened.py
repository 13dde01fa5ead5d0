"""The guard or the store behind a command, as its options name them."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from agentguard.cli.identity import operator, read_people, reason
from agentguard.core.policy import Bundle
from agentguard.engine import machine
from agentguard.engine.directory import Given
from agentguard.engine.guard import Guard
from agentguard.engine.powers import Person
from agentguard.engine.sealing import Sealing
from agentguard.engine.witness import Witness
from agentguard.errors import StoreUnavailableError, UsageError
from agentguard.evidence.keys import Signer
from agentguard.store import Vault
from agentguard.store.address import database_file, keys_file, read_address
from agentguard.store.upgrading import version_at

NOTHING = Bundle((), "")
"""No policies: enough to read a store, since what was in force is in it."""


class Sealed(TypedDict, total=False):
    """Who signs and witnesses the log, for a guard over a store."""

    witnesses: Sequence[Witness]
    signer: Signer | Sealing | None


def open_reading(store: str, people: Given = None, **sealed: Unpack[Sealed]) -> Guard:
    """Return a guard without policies or tools over a store that exists.

    Raises:
        StoreUnavailableError: There is no database at this address, or nothing in it.
    """
    require_file(store)
    if version_at(store) is None:  # it may be another program's database, in which nobody but a guard makes tables
        name = read_address(store).render_as_string(hide_password=True)
        raise StoreUnavailableError(
            f"no tables of agentguard in `{name}`: name another with --store or AGENTGUARD_STORE; "
            "the guard makes them when it first runs, or `agentguard store upgrade` does"
        )
    vault = _vault(keys_file(store))
    return Guard(NOTHING, store=store, people=people, vault=vault, **sealed)


def _vault(keys: str | None) -> Vault:
    """Open the keys if they are here: a reader without them sees pseudonyms, and makes no new ones."""
    usable = keys is not None and os.access(keys, os.R_OK | os.W_OK)
    return Vault.open(keys if usable else None, machine.random_bytes)


def open_app(app: str) -> Guard:
    """Return the guard that an application made, with its tools and facts.

    Raises:
        UsageError: The address is not `module:name`, or no guard is there.
    """
    module, _, name = app.partition(":")
    if not module or not name:
        raise UsageError(f"expected an application like `shop.guard:guard`, got `{app}`")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"expected a guard at `{app}`: {error}") from error
    if not isinstance(found, Guard):
        raise UsageError(f"expected a Guard at `{app}`, got {type(found).__name__}")
    return found


def open_as(
    store: str,
    policies: Path,
    people: Path | None,
    as_: str | None,
    **sealed: Unpack[Sealed],
) -> tuple[Guard, str, str]:
    """Return a guard over a store with the people that a file names, who this is, and how they are known.

    Raises:
        StoreUnavailableError: There is no database at this address, or nothing in it.
        UsageError: Nobody knows who this is.
    """
    known = read_people(people, policies)
    by, authenticated = operator(known, as_)
    return open_reading(store, known, **sealed), by, authenticated


def open_for(
    store: str,
    policies: Path,
    people: Path | None,
    as_: str | None,
    why: str,
    said: str,
    **sealed: Unpack[Sealed],
) -> tuple[Guard, Person]:
    """Return the same for what is not done without a reason; `said` is for whoever left it out.

    Raises:
        StoreUnavailableError: There is no database at this address, or nothing in it.
        UsageError: There is no reason, or nobody knows who this is.
    """
    reason(why, said)
    guard, by, authenticated = open_as(store, policies, people, as_, **sealed)
    return guard, {"by": by, "why": why, "authenticated": authenticated}


def require_file(store: str) -> Path | None:
    """Return the file of a database that is there, or None for one behind a server.

    Raises:
        StoreUnavailableError: The file is not there; opening it would make it.
        UsageError: The address is of nothing that lasts.
    """
    file = database_file(store)
    if file is None and keys_file(store) is None:
        raise UsageError(f"expected a database like `sqlite:///agentguard.db`, got `{store}`, which is in memory")
    if file is None:
        return None
    path = Path(file)
    if not path.is_file() or path.stat().st_size == 0:
        raise StoreUnavailableError(
            f"no database at `{path}`: name it with --store or AGENTGUARD_STORE; the guard makes it when it first runs"
        )
    return path
