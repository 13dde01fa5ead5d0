"""What somebody with a plain connection to the file can and cannot do to history."""

import sqlite3

import pytest
from sqlalchemy import text

from agentguard.errors import TamperedError
from tests.store.given import begin, body, write_history

# Every append-only table, with a column that an attacker would like to change.
HISTORY = {
    "agentguard_entry": "body",
    "agentguard_posting": "amount",
    "agentguard_action_value": "value",
    "agentguard_policy_text": "text",
    "agentguard_bundle": "policies",
    "agentguard_activation": "bundle",
    "agentguard_vote": "approve",
}
# What may be deleted (erased), but never changed.
ERASABLE = {"agentguard_sealed": "sealed", "agentguard_result": "sealed"}


@pytest.fixture
def address(path):
    """A file: what can be done to it from outside is this module's matter."""
    return f"sqlite:///{path}"


@pytest.fixture
def raw(store, path):
    write_history(store)
    store.close()
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


def contents(connection, table):
    return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()


def columns(connection, table):
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


@pytest.mark.parametrize("table,column", [*HISTORY.items(), *ERASABLE.items()])
def test_no_row_of_history_can_be_changed(raw, table, column):
    before = contents(raw, table)
    assert before
    new = "x'31'" if column in {"body", "sealed"} else "'1'"
    for statement in (
        f"UPDATE {table} SET {column} = {new}",
        f"UPDATE OR REPLACE {table} SET {column} = {new}",
        f"UPDATE OR IGNORE {table} SET {column} = {new}",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(statement)
    assert contents(raw, table) == before


@pytest.mark.parametrize("table", HISTORY)
def test_no_row_of_history_can_be_deleted(raw, table):
    before = contents(raw, table)
    for statement in (f"DELETE FROM {table}", f"DELETE FROM {table} WHERE 1 = 1"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(statement)
    assert contents(raw, table) == before


@pytest.mark.parametrize("table", ERASABLE)
def test_sealed_values_can_be_erased(raw, table):
    raw.execute(f"DELETE FROM {table}")
    assert not contents(raw, table)


@pytest.mark.parametrize("how", ["INSERT", "INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE", "INSERT OR ROLLBACK"])
@pytest.mark.parametrize("table,column", [*HISTORY.items(), *ERASABLE.items()])
def test_no_row_of_history_can_be_pushed_out_by_another_with_its_key(raw, table, column, how):
    before = contents(raw, table)
    names = columns(raw, table)
    values = ", ".join("'9'" if name == column else name for name in names)
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(f"{how} INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} LIMIT 1")
    assert contents(raw, table) == before


@pytest.mark.parametrize("table,column", [*HISTORY.items(), *ERASABLE.items()])
def test_an_upsert_does_not_change_history(raw, table, column):
    before = contents(raw, table)
    names = columns(raw, table)
    keys = [row[1] for row in raw.execute(f"PRAGMA table_info({table})") if row[5]]
    statement = (
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(names)} FROM {table} WHERE true "
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {column} = '9'"
    )
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(statement)
    assert contents(raw, table) == before


@pytest.mark.parametrize(
    "table", [table for table in [*HISTORY, *ERASABLE] if table not in {"agentguard_entry", "agentguard_activation"}]
)
def test_no_hidden_key_lets_a_new_row_push_out_an_old_one(raw, table):
    with pytest.raises(sqlite3.OperationalError, match="no such column: rowid"):
        raw.execute(f"SELECT rowid FROM {table}")


@pytest.mark.parametrize("table", HISTORY)
def test_history_has_no_second_unique_index(raw, table):
    unique = [row for row in raw.execute(f"PRAGMA index_list({table})") if row[2]]
    assert [row[3] for row in unique if row[3] != "pk"] == []


@pytest.mark.parametrize("pos,seq", [(5, 4), (4, 5), (3, 4), (4, 3), (0, 4), (-1, 4), (None, 4)])
def test_an_entry_can_only_be_the_next_one(raw, pos, seq):
    last = raw.execute("SELECT max(pos), max(seq) FROM agentguard_entry").fetchone()
    assert last == (3, 3)
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute("INSERT INTO agentguard_entry VALUES (?, 'acme', ?, 1, 'x', NULL, 'l', x'00')", (pos, seq))


def test_the_next_entry_can_be_appended_by_anybody_and_is_what_verification_is_for(raw):
    raw.execute("INSERT INTO agentguard_entry VALUES (4, 'acme', 4, 1, 'x', NULL, 'l', x'00')")


@pytest.mark.parametrize("n,cum,ts", [(3, 8001, 2**60), (2, 4002, 2**60), (2, 4001, 1)])
def test_a_posting_must_be_next_add_up_and_not_lie_in_the_past(raw, n, cum, ts):
    row = ("customer", ts, n, 1, cum, "a2")
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute("INSERT INTO agentguard_posting VALUES (?, ?, ?, ?, ?, ?)", row)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM agentguard_log",
        "UPDATE agentguard_log SET size = size - 1",
        "UPDATE agentguard_log SET last_us = last_us - 1",
        "UPDATE agentguard_log SET log = 'another'",
        "INSERT OR REPLACE INTO agentguard_log SELECT id, log, 1, 0, '', 0, 0, 0, '', NULL, 0 FROM agentguard_log",
    ],
)
def test_the_head_of_the_log_only_grows(raw, statement):
    with pytest.raises(sqlite3.IntegrityError):
        raw.execute(statement)


def test_pending_never_becomes_negative(raw):
    with pytest.raises(sqlite3.IntegrityError, match="agentguard_account_pending"):
        raw.execute("UPDATE agentguard_account SET pending = -1")


def test_a_refusal_reaches_the_caller_as_tampering_and_nothing_of_the_transaction_stays(store):
    begin(store, "a1")

    def attack(transaction):
        transaction.append(body("a1"))
        transaction._lookups.channel.driver.execute("UPDATE agentguard_entry SET kind = 'x'")

    with pytest.raises(TamperedError, match="append-only"):
        store.transact(attack)
    assert store.read(lambda r: r.position()) == 1


def test_the_stores_own_connections_refuse_to_replace_even_where_a_trigger_is_missing(store):
    begin(store, "a1")
    store.transact(lambda t: t._lookups.change(text("DROP TRIGGER agentguard_entry_in_order")))
    with pytest.raises(TamperedError, match="append-only"):
        store.transact(
            lambda t: t._lookups.channel.driver.execute(
                "INSERT OR REPLACE INTO agentguard_entry SELECT * FROM agentguard_entry"
            )
        )
