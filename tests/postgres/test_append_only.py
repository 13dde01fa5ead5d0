"""What somebody with a plain connection to the server can and cannot do to history, as its owner and as our user."""

from dataclasses import replace

import psycopg
import pytest

from agentguard.errors import StoreUnavailableError, TamperedError
from agentguard.store import Store
from agentguard.store.append_only import MAY_BE_DELETED, NEVER_CHANGED
from agentguard.store.records import CursorRecord
from agentguard.store.verification import verify
from tests.project.tree import ROOT
from tests.store.given import HandClock, begin, body, settle, write_history

EVIDENCE = """
INSERT INTO agentguard_tile VALUES (0, 0, 'r', 'h');
INSERT INTO agentguard_promise VALUES ('o', 1, 'r', 1);
INSERT INTO agentguard_checkpoint VALUES ('o', 1, 'n', 1);
INSERT INTO agentguard_cosignature VALUES ('o', 1, 'w', 'l', 1);
INSERT INTO agentguard_tombstone VALUES (1, 1, 2);
INSERT INTO agentguard_review VALUES ('r', 'p', 'a', 1, '[]', '2026-11-16', 'share', NULL, 1);
"""
HISTORY = sorted(set(NEVER_CHANGED) - {"agentguard_reversal"})
MANUAL = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")


@pytest.fixture
def address(spare_database, closed_stores):
    return spare_database.emptied()


@pytest.fixture
def owner(address):
    write_history(Store.open(address, HandClock()))
    with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


@pytest.fixture
def history(owner):
    """The owner of a database with a row in every table of history, those of evidence included."""
    owner.execute(EVIDENCE)
    return owner


def first_column(connection, table):
    asked = "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position"
    return [row[0] for row in connection.execute(asked, (table,))]


@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize("table", HISTORY)
def test_no_row_of_history_can_be_changed_deleted_or_truncated(history, table, role):
    history.execute(f"SET session_replication_role = {role}")  # a replica fires no ordinary trigger
    before = history.execute(f"SELECT * FROM {table}").fetchall()
    assert before
    name = first_column(history, table)[-1]
    changes = [f"UPDATE {table} SET {name} = {name}", f"TRUNCATE {table}"]
    changes += [] if table in MAY_BE_DELETED else [f"DELETE FROM {table}"]
    for statement in changes:
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            history.execute(statement)
    assert history.execute(f"SELECT * FROM {table}").fetchall() == before


@pytest.mark.parametrize("table", HISTORY)
def test_no_row_of_history_can_be_written_a_second_time(history, table):
    names = ", ".join(first_column(history, table))
    for ending in ("", " ON CONFLICT DO NOTHING"):
        with pytest.raises(psycopg.errors.RaiseException, match="takes only the next row"):
            history.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM {table}{ending}")


@pytest.mark.parametrize("table", sorted(MAY_BE_DELETED))
def test_sealed_values_can_be_erased(owner, table):
    owner.execute(f"DELETE FROM {table}")
    assert not owner.execute(f"SELECT * FROM {table}").fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE agentguard_log SET size = size - 1",
        "UPDATE agentguard_log SET last_us = last_us - 1",
        "UPDATE agentguard_log SET log = 'other'",
        "DELETE FROM agentguard_log",
        "TRUNCATE agentguard_log",
        "INSERT INTO agentguard_log SELECT 2, log, schema_version, size, leaf, last_us FROM agentguard_log",
    ],
)
def test_the_head_of_the_log_only_grows(owner, statement):
    with pytest.raises(psycopg.errors.RaiseException, match="agentguard: "):
        owner.execute(
            statement.replace("INSERT INTO agentguard_log SELECT", f"INSERT INTO agentguard_log ({HEAD}) SELECT")
        )


HEAD = "id, log, schema_version, size, leaf, last_us"


def test_a_table_put_before_ours_on_the_search_path_deceives_no_trigger(owner):
    owner.execute("CREATE TEMPORARY TABLE agentguard_entry (LIKE public.agentguard_entry)")
    names = "stream, seq, ts_us, kind, action_id, leaf, body"
    with pytest.raises(psycopg.errors.RaiseException, match="takes only the next row"):
        owner.execute(
            f"INSERT INTO public.agentguard_entry (pos, {names}) SELECT 1, {names} FROM public.agentguard_entry LIMIT 1"
        )


def test_a_refusal_reaches_the_caller_as_tampering(owner, address):
    store = Store.open(address, HandClock())
    with pytest.raises(TamperedError, match="refused a change of what is append-only"):
        store.transact(lambda t: t._lookups.channel.driver.execute("DELETE FROM agentguard_entry"))
    assert verify(store).intact == 3


@pytest.fixture
def agent(owner, address, postgres):
    """Our own user, with the rights that the manual gives it."""
    block = MANUAL.split("```sql\n", 1)[1].split("```", 1)[0]
    owner.execute(block)
    yield address.replace("postgres@", "agentguard_agent@")
    owner.execute("DROP OWNED BY agentguard_agent; DROP ROLE agentguard_agent")


def test_the_user_of_the_manual_can_do_everything_that_a_guard_does(agent):
    store = Store.open(agent, HandClock())
    begin(store, "a2", [("customer", 100)])
    settle(store, "a2")
    store.transact(lambda t: (t.halt("all", "ann", "why"), t.append(body())))
    store.transact(lambda t: (t.resume("all"), t.append(body())))
    began = CursorRecord("desk", 0)
    assert store.transact(lambda t: t.move_cursor(None, began))
    assert store.transact(lambda t: t.move_cursor(began, replace(began, position=7, fence=1)))
    assert store.read(lambda reading: reading.cursor("desk")).position == 7
    assert verify(store).intact == 7


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE agentguard_entry",
        "ALTER TABLE agentguard_entry DISABLE TRIGGER USER",
        "DROP TRIGGER agentguard_entry_no_update ON agentguard_entry",
        "UPDATE agentguard_entry SET kind = 'x'",
        "DELETE FROM agentguard_action",
        "TRUNCATE agentguard_vote",
        "CREATE OR REPLACE FUNCTION public.agentguard_refuse() RETURNS trigger LANGUAGE sql AS 'SELECT 1'",
        "SET session_replication_role = replica",
    ],
)
def test_the_user_of_the_manual_cannot_take_history_away(agent, statement):
    with psycopg.connect(agent.replace("+psycopg", "")) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
        connection.rollback()


def test_what_its_user_may_not_do_is_said(agent):
    store = Store.open(agent, HandClock())
    with pytest.raises(StoreUnavailableError, match=r"may not do this \(permission denied"):
        store.transact(lambda t: t._lookups.channel.driver.execute("DELETE FROM agentguard_action"))
