"""What happens when the database is not what it should be: a clear word, and nothing stored."""

import sqlite3

import pytest

from agentguard.errors import StoreSchemaError, StoreUnavailableError, TamperedError, UsageError
from agentguard.store import Store
from agentguard.store.evidence_tables import metadata
from agentguard.store.verification import verify
from tests.store.given import HandClock, begin, usage


@pytest.fixture
def address(path):
    """A file: what can be done to it from outside is this module's matter."""
    return f"sqlite:///{path}"


def open_store(path, **options):
    return Store.open(f"sqlite:///{path}", HandClock(), **options)


def test_a_database_is_made_once_and_found_again(path):
    store = open_store(path)
    begin(store, "a1", [("customer", 100)])
    name = store.read(lambda r: r.log_name())
    store.close()
    again = open_store(path)
    assert again.read(lambda r: r.log_name()) == name
    assert usage(again, "customer") == (100, 0)
    again.close()


def test_two_logs_have_different_names():
    one, two = (Store.open("sqlite://", HandClock()) for _ in range(2))
    assert one.read(lambda r: r.log_name()) != two.read(lambda r: r.log_name())
    one.close()
    two.close()


def test_the_database_is_durable_and_shared(path, store):
    def pragmas(reading):
        names = ("journal_mode", "synchronous", "recursive_triggers", "busy_timeout", "wal_autocheckpoint")
        return [reading._lookups.channel.driver.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert store.read(pragmas) == ["wal", 2, 1, 10000, 4000]


def test_a_database_in_memory_works_and_dies_with_its_store():
    store = Store.open("sqlite://", HandClock())
    assert store.in_memory
    begin(store, "a1", [("customer", 100)])
    assert usage(store, "customer") == (100, 0)
    store.close()


def test_a_hosts_own_tables_stay_apart():
    from sqlmodel import SQLModel

    assert metadata is not SQLModel.metadata
    assert all(name.startswith("agentguard_") for name in metadata.tables)
    assert not any(name.startswith("agentguard_") for name in SQLModel.metadata.tables)


def test_a_database_that_already_has_tables_of_its_host_is_used(path):
    host = sqlite3.connect(path)
    host.execute("CREATE TABLE orders (id TEXT)")
    host.commit()
    host.close()
    store = open_store(path)
    begin(store, "a1")
    store.close()


@pytest.mark.parametrize("version", [0, 2, 99])
def test_a_database_of_another_version_is_refused_and_left_as_it_is(path, version):
    open_store(path).close()
    raw = sqlite3.connect(path)
    raw.execute("UPDATE agentguard_log SET schema_version = ?", (version,))
    raw.commit()
    raw.close()
    with pytest.raises(StoreSchemaError, match=rf"expected a database of schema 1 in .*, got schema {version}"):
        open_store(path)


def test_a_text_file_is_not_a_database(path):
    path.write_text("this is a text file, longer than the header of a database " * 20)
    with pytest.raises(StoreSchemaError, match=r"expected a SQLite database in .*, got another kind of file"):
        open_store(path)
    assert path.read_text().startswith("this is a text file")


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(StoreUnavailableError, match="cannot be opened; make its folder"):
        open_store(tmp_path / "nowhere" / "guard.db")


@pytest.mark.parametrize("url", ["guard.db", "", "nonsense://", "sqlite"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(UsageError, match=r"expected a database like `sqlite:///agentguard.db`"):
        Store.open(url, HandClock())


def test_another_kind_of_database_is_refused():
    with pytest.raises(UsageError, match="got one of `mysql`"):
        Store.open("mysql://localhost/x", HandClock())


def test_a_clock_without_a_zone_is_refused(path):
    from datetime import datetime

    with pytest.raises(UsageError, match="expected an instant with a time zone"):
        Store.open(f"sqlite:///{path}", lambda: datetime(2026, 11, 22))


def test_a_database_locked_by_another_process_is_unavailable_after_a_bounded_wait(path):
    store = open_store(path, patience=0.2)
    begin(store, "a1", [("customer", 100)])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(
        StoreUnavailableError, match=r"locked by another process for more than 0.2 s; nothing was stored"
    ):
        begin(store, "a2", [("customer", 100)])
    assert usage(store, "customer") == (100, 0)
    other.execute("ROLLBACK")
    other.close()
    begin(store, "a2", [("customer", 100)])
    assert usage(store, "customer") == (200, 0)
    store.close()


def test_a_read_only_database_can_be_read_and_not_written(path, store):
    begin(store, "a1", [("customer", 100)])
    reader = Store.open(f"sqlite:///file:{path}?mode=ro&uri=true", HandClock())
    assert usage(reader, "customer") == (100, 0)
    with pytest.raises(StoreUnavailableError, match="is read-only; nothing was stored"):
        begin(reader, "a2")
    assert usage(reader, "customer") == (100, 0)
    reader.close()


def test_a_backup_of_a_database_in_use_can_be_checked_without_writing_to_it(tmp_path, path, store):
    begin(store, "a1", [("customer", 100)])
    copy = tmp_path / "copy.db"
    raw = sqlite3.connect(path)
    raw.execute("VACUUM INTO ?", (str(copy),))
    raw.close()
    begin(store, "a2")
    before = copy.read_bytes()
    reader = Store.open(f"sqlite:///file:{copy}?mode=ro&uri=true", HandClock())
    result = verify(reader)
    assert (result.ok, result.intact) == (True, 1)
    with pytest.raises(StoreUnavailableError, match="is read-only"):
        begin(reader, "a3")
    reader.close()
    assert copy.read_bytes() == before
    assert sorted(file.name for file in tmp_path.glob("copy.db*")) == ["copy.db"]
    restored = open_store(copy)
    with pytest.raises(TamperedError, match="append-only"):
        restored.transact(lambda t: t._lookups.channel.driver.execute("DELETE FROM agentguard_entry"))
    restored.close()


def test_a_database_that_nobody_made_cannot_be_made_read_only(tmp_path):
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(StoreUnavailableError, match=r"is read-only|cannot be opened"):
        Store.open(f"sqlite:///file:{tmp_path / 'empty.db'}?mode=ro&uri=true", HandClock())


def test_an_old_sqlite_is_refused(path, monkeypatch):
    monkeypatch.setattr("agentguard.store.sqlite.OLDEST", (4, 0, 0))
    with pytest.raises(StoreUnavailableError, match=r"expected SQLite 4\.0\.0 or newer"):
        open_store(path)
    assert not path.exists()


def test_a_full_disk_is_said_and_nothing_is_stored(path):
    store = open_store(path)
    begin(store, "a1", [("customer", 100)])

    def fill(transaction):
        driver = transaction._lookups.channel.driver
        pages = driver.execute("PRAGMA page_count").fetchone()[0]
        driver.execute(f"PRAGMA max_page_count = {pages}")
        transaction.post("a1", "customer", "USD", 1)
        transaction.append({"tenant": "acme", "kind": "x", "words": "w" * 500_000})

    with pytest.raises(StoreUnavailableError, match="is full; nothing was stored"):
        store.transact(fill)
    assert usage(store, "customer") == (100, 0)
    store.close()


def test_a_damaged_database_is_said(path):
    store = open_store(path)
    begin(store, "a1")
    store.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(bytes(data))
    with pytest.raises(TamperedError, match="is damaged; nothing was stored; keep a copy of it"):
        open_store(path)


def test_a_store_is_bound_to_its_vault_for_good(store):
    store.bind("fingerprint-1")
    store.bind("fingerprint-1")
    with pytest.raises(StoreUnavailableError, match="restore the keys file from its backup"):
        store.bind("fingerprint-2")
