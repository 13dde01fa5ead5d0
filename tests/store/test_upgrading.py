"""An older database becomes one of this version, whole or not at all, and is still append-only."""

import re
import sqlite3
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations

from agentguard.errors import StoreError, StoreSchemaError, TamperedError
from agentguard.store import Store, evidence_tables, tables
from agentguard.store.address import dialect_of, read_address
from agentguard.store.migrations import steps
from agentguard.store.upgrading import Upgrade, upgrade, version_at
from agentguard.store.verification import verify
from tests.store.given import START, HandClock, begin, settle, usage


@pytest.fixture
def blank(request, address, tmp_path):
    """A database without tables, of the engine of `address`."""
    if address.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'blank.db'}"
    else:
        server = request.getfixturevalue("postgres")
        yield server.create_database("blank")
        server.drop_database("blank")


@contextmanager
def connected(address):
    read = read_address(address)
    engine = dialect_of(read).make_engine(read, 10.0)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def shape(address):
    """Return everything that the database says of its tables and indexes, in one text."""
    if address.startswith("sqlite"):
        with sqlite3.connect(address.removeprefix("sqlite:///")) as connection:
            asked = "SELECT sql FROM sqlite_master WHERE type <> 'trigger' AND sql IS NOT NULL"
            found = [row[0] for row in connection.execute(asked)]
        connection.close()
        return sorted(re.sub(r"[\s()]+", " ", text) for text in found)
    with psycopg.connect(address.replace("+psycopg", "")) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default, ordinal_position"
            " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
        ).fetchall()
        indexes = connection.execute(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
        ).fetchall()
        checks = connection.execute(
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"
        ).fetchall()
    return columns + indexes + checks


def test_every_version_has_its_step():
    assert sorted(steps(tables.SCHEMA_VERSION)) == list(range(1, tables.SCHEMA_VERSION + 1))


def test_the_steps_out_of_nothing_make_what_a_new_database_has(address, blank):
    with connected(blank) as connection:
        operations = Operations(MigrationContext.configure(connection))
        for step in steps(tables.SCHEMA_VERSION).values():
            step(operations)
        connection.commit()
    Store.open(address, HandClock()).close()
    assert shape(blank) == shape(address)
    assert len(shape(address)) > 20


def test_alembic_finds_no_difference_between_a_new_database_and_the_tables(address):
    Store.open(address, HandClock()).close()
    with connected(address) as connection:
        assert compare_metadata(MigrationContext.configure(connection), evidence_tables.metadata) == []


def two(op):
    """A step of tests alone: a new column with a value for old rows, and a new table."""
    op.add_column("agentguard_bundle", sa.Column("note", sa.Text(), nullable=False, server_default="old"))
    op.create_table("agentguard_extra", sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False))
    op.execute("UPDATE agentguard_bundle SET note = 'from before'")


def next_version(monkeypatch):
    monkeypatch.setattr(tables, "SCHEMA_VERSION", tables.SCHEMA_VERSION + 1)


def used(address):
    store = Store.open(address, HandClock())
    begin(store, "a1", [("customer", 4000)])
    settle(store, "a1")
    begin(store, "a2", [("customer", 500)])
    return store


@pytest.mark.law(5)
def test_an_older_database_is_upgraded_with_its_data_and_an_entry_that_says_so(address, monkeypatch):
    used(address).close()
    next_version(monkeypatch)
    with pytest.raises(StoreSchemaError, match="got schema 1; run `agentguard store upgrade`"):
        Store.open(address, HandClock())
    assert version_at(address) == 1
    assert upgrade(address, by="ops", clock=lambda: START, known={2: two}) == Upgrade(1, 2)
    assert version_at(address) == 2
    store = Store.open(address, HandClock())
    assert usage(store, "customer") == (500, 4000)
    settle(store, "a2")
    assert usage(store, "customer") == (0, 4500)
    (entry,) = [entry for entry in store.read(lambda r: r.entries()) if entry.kind == "schema_upgraded"]
    assert (entry.document["by"], entry.document["from"], entry.document["to"]) == ("ops", 1, 2)
    assert verify(store).ok


def test_after_an_upgrade_history_still_cannot_be_changed(address, monkeypatch):
    used(address).close()
    next_version(monkeypatch)
    upgrade(address, by="ops", known={2: two})
    for statement in ("UPDATE agentguard_entry SET kind = 'x'", "DELETE FROM agentguard_posting"):
        with connected(address) as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
            connection.exec_driver_sql(statement)


def test_a_step_that_fails_leaves_everything_as_it_was(address, monkeypatch):
    used(address).close()
    before = shape(address)

    def broken(op):
        two(op)
        op.execute("INSERT INTO no_such_table VALUES (1)")

    with monkeypatch.context() as patched:
        next_version(patched)
        with pytest.raises(StoreError, match="no_such_table"):
            upgrade(address, by="ops", known={2: broken})
    assert (version_at(address), shape(address)) == (1, before)
    store = Store.open(address, HandClock())
    with pytest.raises(TamperedError):
        store.transact(forged)


def forged(transaction):
    statement = "UPDATE agentguard_entry SET kind = 'x'"
    transaction._lookups.channel.driver.execute(statement)


def test_a_database_of_this_version_is_left_as_it_is(address):
    store = used(address)
    before = store.read(lambda r: r.position())
    assert upgrade(address, by="ops") == Upgrade(1, 1)
    assert store.read(lambda r: r.position()) == before


def test_a_database_of_a_newer_version_is_not_touched(address, monkeypatch):
    used(address).close()
    monkeypatch.setattr(tables, "SCHEMA_VERSION", 0)
    with pytest.raises(StoreSchemaError, match="got schema 1; use an agentguard as new as it is"):
        Store.open(address, HandClock())
    with pytest.raises(StoreSchemaError, match="those of schema 1, which is newer"):
        upgrade(address, by="ops")


def test_a_database_without_tables_is_not_upgraded(blank):
    assert version_at(blank) is None
    with pytest.raises(StoreSchemaError, match="none of ours"):
        upgrade(blank, by="ops")


def test_a_process_that_runs_while_its_database_is_upgraded_stops_writing_and_reading(address, monkeypatch):
    store = used(address)
    with monkeypatch.context() as patched:
        next_version(patched)
        upgrade(address, by="ops", known={2: two})
    for work in (lambda: store.read(lambda r: r.position()), lambda: begin(store, "a3")):
        with pytest.raises(StoreSchemaError, match="it was upgraded; nothing was stored; start this process anew"):
            work()
