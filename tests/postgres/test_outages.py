"""A server that goes away, comes back, is a standby or refuses: what is said, and that nothing half done stays."""

import threading
import time

import psycopg
import pytest

from agentguard.errors import StoreSchemaError, StoreUnavailableError, UsageError
from agentguard.store import Store
from agentguard.store.verification import verify
from agentguard.testing.postgres_server import PostgresServer
from tests.store.given import HandClock, begin, settle, usage

PATIENCE = 2.0


@pytest.fixture
def store(database, closed_stores):
    return Store.open(database, HandClock(), patience=PATIENCE)


def plain(address):
    return psycopg.connect(address.replace("+psycopg", ""), autocommit=True)


@pytest.mark.law(5)
def test_a_killed_server_is_unavailable_and_the_store_goes_on_when_it_is_back(store, durable_server):
    begin(store, "a1", [("customer", 100)])
    durable_server.kill()
    for work in (lambda: begin(store, "a2", [("customer", 200)]), lambda: usage(store, "customer")):
        with pytest.raises(StoreUnavailableError, match="nothing was stored"):
            work()
    durable_server.restart()
    settle(store, "a1")
    begin(store, "a2", [("customer", 200)])
    assert usage(store, "customer") == (200, 100)
    assert verify(store).ok


@pytest.mark.law(5)
def test_a_server_that_restarts_between_two_transactions_is_not_noticed(store, durable_server):
    begin(store, "a1", [("customer", 100)])
    durable_server.restart()
    settle(store, "a1")
    assert usage(store, "customer") == (0, 100)


@pytest.mark.law(5)
@pytest.mark.parametrize("committed", [True, False])
def test_a_connection_that_is_cut_in_a_commit_is_found_out_about(store, database, monkeypatch, committed):
    from agentguard.store.channel import Channel

    cut, commit = [], Channel.commit

    def commit_and_cut(channel):
        if not cut:
            cut.append(channel.driver.info.backend_pid)
            if committed:
                commit(channel)
                raise psycopg.OperationalError("the connection is lost")
            with plain(database) as other:
                other.execute("SELECT pg_terminate_backend(%s, 10000)", (cut[0],))
        commit(channel)

    monkeypatch.setattr(Channel, "commit", commit_and_cut)
    if committed:
        begin(store, "a1", [("customer", 100)])
    else:
        with pytest.raises(StoreUnavailableError, match="nothing was stored"):
            begin(store, "a1", [("customer", 100)])
    assert cut
    assert usage(store, "customer") == (100 * committed, 0)
    assert store.read(lambda r: r.position()) == committed


def test_somebody_who_holds_the_head_makes_others_wait_a_bounded_time(store, database):
    begin(store, "a1")
    with plain(database) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM agentguard_log FOR UPDATE")
        with pytest.raises(StoreUnavailableError, match="was locked by another transaction for more than 2 s"):
            begin(store, "a2")
        assert store.read(lambda r: r.position()) == 1
        other.execute("ROLLBACK")
    begin(store, "a2")


@pytest.mark.parametrize("asked", [0, 1, 3])
def test_a_host_that_hangs_in_a_transaction_stops_nobody_for_long(store, database, closed_stores, asked):
    begin(store, "a1")
    inside, go_on, raised = threading.Event(), threading.Event(), []

    def hang(transaction):
        for number in range(asked):
            transaction.action(f"nobody-{number}")
        inside.set()
        go_on.wait(30)
        return transaction.append({"tenant": "acme", "kind": "late"})

    def run():
        try:
            store.transact(hang)
        except StoreUnavailableError as error:
            raised.append(str(error))

    hanging = threading.Thread(target=run)
    hanging.start()
    assert inside.wait(10)
    other = Store.open(database, HandClock(), patience=10.0)
    begin(other, "a2")  # waits until the server has ended the other one's transaction, after two seconds
    go_on.set()
    hanging.join()
    assert "nothing was stored" in raised[0]
    assert {entry.kind for entry in other.read(lambda r: r.entries())} == {"decided"}


@pytest.mark.law(4, 5)
def opened_once_shown(follower):
    """Return a store on a standby: what was answered is on its disk, and shown a moment later, the tables too."""
    until = time.monotonic() + 20
    while True:
        try:
            return Store.open(follower.url, HandClock(), patience=PATIENCE)
        except StoreUnavailableError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def test_nothing_that_was_answered_is_lost_when_a_synchronous_standby_takes_over(database, closed_stores):
    with PostgresServer.start() as primary, primary.standby() as follower:
        store = Store.open(primary.url, HandClock(), patience=PATIENCE)
        answered = [begin(store, f"a{number}", [("customer", 1)]) for number in range(20)]
        reader = opened_once_shown(follower)
        assert usage(reader, "customer")[0] <= 20
        with pytest.raises(StoreUnavailableError, match="is read-only, as a standby is"):
            begin(reader, "a20")
        primary.kill()
        with pytest.raises(StoreUnavailableError):
            begin(store, "lost")
        follower.promote()
        after = Store.open(follower.url, HandClock(), patience=PATIENCE)
        assert usage(after, "customer") == (20, 0)
        assert after.read(lambda r: r.head_leaf()) == answered[-1].leaf
        begin(after, "a20", [("customer", 1)])
        assert verify(after).ok


def test_an_address_of_both_hosts_goes_to_the_one_that_can_be_written(closed_stores):
    with PostgresServer.start(durable=False) as primary, primary.standby() as follower:
        hosts = f"host={follower.folder}/socket,{primary.folder}/socket"
        both = f"postgresql://postgres@/postgres?{hosts}&target_session_attrs=read-write"
        store = Store.open(both, HandClock(), patience=5.0)
        begin(store, "a1", [("customer", 1)])
        primary.kill()
        follower.promote()
        begin(store, "a2", [("customer", 1)])
        assert usage(store, "customer") == (2, 0)


def test_no_connection_left_is_said(closed_stores):
    with PostgresServer.start(durable=False, settings={"max_connections": "4", "max_wal_senders": "0"}) as small:
        held = [plain(small.url) for _ in range(4)]
        with pytest.raises(StoreUnavailableError, match="has no connection left; nothing was stored; raise its"):
            Store.open(small.url, HandClock(), patience=PATIENCE)
        for connection in held:
            connection.close()


@pytest.fixture
def guarded(postgres):
    """A database whose user needs a password."""
    postgres.execute("CREATE ROLE closed LOGIN PASSWORD 'right'")
    rules = postgres.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("local all closed scram-sha-256\n" + before)
    postgres.execute("SELECT pg_reload_conf()")
    yield postgres.url.replace("postgres@", "closed:{}@")
    rules.write_text(before)
    postgres.execute("SELECT pg_reload_conf()")
    postgres.execute("DROP ROLE closed")


@pytest.mark.parametrize("how", ["in its place", "as a setting"])
def test_a_wrong_password_is_said_and_never_shown(guarded, how):
    address = (
        guarded.format("hush-hush") if how == "in its place" else guarded.replace(":{}", "") + "&password=hush-hush"
    )
    with pytest.raises(StoreUnavailableError, match="does not take this user and password") as caught:
        Store.open(address, HandClock(), patience=PATIENCE)
    error = caught.value
    while error is not None:
        assert "hush" not in str(error)
        error = error.__cause__


@pytest.mark.parametrize(
    "address,error,words",
    [
        ("postgresql://u:hush@127.0.0.1:1/x", StoreUnavailableError, "could not be reached"),
        ("postgresql+psycopg2://u:hush@h/x", UsageError, "begins with `postgresql://`"),
        ("postgresql:/u:hush@h/x", UsageError, "write it like this"),
        ("postgresql://u:hush@h:port/x", UsageError, "write it like this"),
    ],
)
def test_an_address_that_leads_nowhere_is_said_without_its_password(address, error, words):
    with pytest.raises(error, match=words) as caught:
        Store.open(address, HandClock(), patience=PATIENCE)
    assert "hush" not in str(caught.value)


def test_a_database_that_is_not_there_is_said(postgres):
    with pytest.raises(StoreUnavailableError, match="does not exist; nothing was stored; create it with `createdb"):
        Store.open(postgres.url_of("nowhere"), HandClock(), patience=PATIENCE)


def test_a_database_that_does_not_keep_unicode_is_refused(postgres):
    postgres.execute("CREATE DATABASE old ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreSchemaError, match="got one of `LATIN1`"):
        Store.open(postgres.url_of("old"), HandClock(), patience=PATIENCE)
    postgres.drop_database("old")


@pytest.mark.parametrize(
    "setting, words",
    [
        ("search_path = nowhere", "has no schema for tables on its `search_path`; nothing was stored; set it"),
        (
            "transaction_timeout = 1",
            "that took longer than its `transaction_timeout`; nothing was stored",
        ),
    ],
)
def test_a_setting_of_the_database_that_nothing_can_work_with_is_named(postgres, setting, words):
    url = postgres.create_database("strange")
    postgres.execute(f"ALTER DATABASE strange SET {setting}")
    with pytest.raises(StoreUnavailableError, match=words):
        Store.open(url, HandClock(), patience=PATIENCE)
    postgres.drop_database("strange")


def test_settings_of_the_database_that_are_for_others_change_nothing(postgres, closed_stores):
    url = postgres.create_database("theirs")
    for setting in (
        "client_encoding = 'LATIN1'",
        "default_transaction_isolation = 'serializable'",
        "session_replication_role = 'replica'",
        "lock_timeout = 1",
        "datestyle = 'German'",
        "standard_conforming_strings = off",
    ):
        postgres.execute(f"ALTER DATABASE theirs SET {setting}")
    store = Store.open(url, HandClock(), patience=PATIENCE)
    begin(store, "ü \N{GREEK SMALL LETTER PI} \\'")
    assert store.read(lambda r: r.position()) == 1
    assert verify(store).ok
    store.close()
    postgres.drop_database("theirs")


def test_text_with_the_character_nul_is_refused_and_nothing_is_stored(store):
    with pytest.raises(UsageError, match="what no database can keep"):
        begin(store, "a\0")
    assert store.read(lambda r: r.position()) == 0


def test_commits_are_durable_where_the_servers_default_is_not(closed_stores):
    with PostgresServer.start(durable=False, settings={"synchronous_commit": "off"}) as careless:
        store = Store.open(careless.url, HandClock())
        shown = store.read(lambda r: r._lookups.channel.driver.execute("SHOW synchronous_commit").fetchone())
        assert shown == ("on",)


def test_several_processes_that_make_one_database_at_the_same_moment_make_it_once(database, closed_stores):
    raised, start = [], threading.Barrier(6)

    def make():
        start.wait()
        try:
            Store.open(database, HandClock(), patience=10.0)
        except Exception as error:
            raised.append(error)

    making = [threading.Thread(target=make) for _ in range(6)]
    for thread in making:
        thread.start()
    for thread in making:
        thread.join()
    assert raised == []
    assert begin(Store.open(database, HandClock()), "a1").pos == 1


def test_without_psycopg_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"run `pip install 'agentguard\[postgres\]'`"):
        Store.open("postgresql://u@h/x", HandClock())


@pytest.fixture
def pair(closed_stores):
    """A server and its synchronous standby, on which both a commit is before it is answered."""
    with PostgresServer.start() as primary, primary.standby() as follower:
        yield primary, follower


def commit_without_standby(store, pair):
    """Begin a commit that its server has and its standby, which is gone, has not; return who waits for it."""
    primary, follower = pair
    begin(store, "a1", [("customer", 1)])
    follower.kill()
    told = []

    def run():
        try:
            told.append(begin(store, "a2", [("customer", 1)]))
        except StoreUnavailableError as error:
            told.append(str(error))

    waiting = threading.Thread(target=run)
    waiting.start()
    until(lambda: primary.execute(f"SELECT pid {_WAITING}"))
    return waiting, told


_WAITING = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


def until(happened):
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.law(5)
def test_a_commit_whose_connection_goes_is_not_answered_before_its_standby_has_it(pair):
    primary, follower = pair
    store = Store.open(primary.url, HandClock(), patience=PATIENCE)
    waiting, told = commit_without_standby(store, pair)
    primary.execute(f"SELECT pg_terminate_backend(pid, 10000) {_WAITING}")  # it is committed, here alone
    waiting.join(30)
    assert "nobody knows yet whether it was stored" in told[0]
    primary.kill()
    follower.restart()
    follower.promote()
    after = Store.open(follower.url, HandClock(), patience=PATIENCE)
    assert usage(after, "customer") == (1, 0)


@pytest.mark.law(5)
def test_nobody_reads_what_only_a_server_has_that_crashed_before_its_standby_got_it(pair):
    primary, follower = pair
    store = Store.open(primary.url, HandClock(), patience=PATIENCE)
    waiting, _ = commit_without_standby(store, pair)
    primary.kill()
    primary.restart()  # what it had of the commit is there again, without anybody having waited for it
    waiting.join(30)
    with pytest.raises(StoreUnavailableError, match="has what its synchronous standby has not; nothing was stored"):
        usage(store, "customer")
    follower.restart()
    until(lambda: primary.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)])
    assert usage(store, "customer") == (2, 0)
