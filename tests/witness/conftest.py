"""Databases that are copied as they are at some moment, on each engine."""

import itertools
import shutil
import sqlite3
from urllib.parse import urlsplit

import pytest

NUMBERS = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def copy(request, tmp_path, monkeypatch, closed_stores):
    """From the address of a database, or None for a new one, to that of a copy as it is now."""
    if request.param == "sqlite":

        def copied(address=None):
            made = tmp_path / f"copy{next(NUMBERS)}.db"
            if address is not None:
                file = address.removeprefix("sqlite:///")
                with sqlite3.connect(file) as source, sqlite3.connect(made) as target:
                    source.backup(target)
                shutil.copy(f"{file}.keys", f"{made}.keys")
            return f"sqlite:///{made}"

        return copied
    monkeypatch.setenv("AGENTGUARD_KEYS", str(tmp_path / "guard.keys"))
    server = request.getfixturevalue("postgres")
    return lambda address=None: server.create_database(
        f"witness_{next(NUMBERS)}", urlsplit(address).path.strip("/") if address else "template1"
    )
