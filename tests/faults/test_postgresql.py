"""What can befall a PostgreSQL server and the line to it: each ends with the truth, and goes on when it is over."""

import contextlib
import itertools
import os
import threading
import time
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy.engine import make_url

from agentguard import Done, Idempotent, InDoubt, Unavailable
from agentguard.engine.parts import Waits
from agentguard.errors import StoreUnavailableError
from agentguard.store import Store, Vault
from agentguard.testing.clock import ManualClock
from agentguard.testing.postgres_server import PostgresServer
from tests.engine.given import shop
from tests.faults.conftest import agentguard, assert_said_to_a_person
from tests.faults.wire import Wire

PATIENCE = 1.5

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server():
    with PostgresServer.start(durable=False) as started:
        yield started


@pytest.fixture
def address(server):
    name = f"fault_{next(numbers)}"
    yield server.create_database(name)
    server.drop_database(name)


@pytest.fixture
def wire(server):
    made = Wire(server.folder / "socket" / ".s.PGSQL.5432")
    yield made
    made.close()


@pytest.fixture
def open_shop(tmp_path):
    opened = []

    def open_one(address, **options):
        clock = ManualClock()
        store = Store.open(address, clock, patience=PATIENCE)
        vault = Vault.open(tmp_path / "keys", os.urandom)
        opened.append(shop(store, clock=clock, vault=vault, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()
        one.guard.store.close()


def by_wire(address, wire):
    return f"postgresql+psycopg://postgres@127.0.0.1:{wire.port}/{make_url(address).database}"


@contextlib.contextmanager
def held(address, statement):
    """Hold something of a database from another connection for this block."""
    with psycopg.connect(address.replace("+psycopg", "")) as connection:
        connection.execute(statement)
        yield
        connection.rollback()


@pytest.fixture(params=["run", "arun"])
def asking(request):
    return lambda made, *given, **named: (made.ask if request.param == "run" else made.aask)(*given, **named)


def assert_agreed(made):
    """Check that what was paid is what is settled, and that the log joins."""
    records = made.guard.store.read(lambda reading: reading.actions())
    settled = sorted(record.id for record in records if record.state == "settled")
    assert sorted(key for _, _, key in made.paid) == settled
    checked = made.guard.audit.verify()
    assert checked.ok, checked.findings


@pytest.mark.law(14)
@pytest.mark.parametrize(
    "statement", ["SELECT * FROM agentguard_log FOR UPDATE", "LOCK TABLE agentguard_entry IN EXCLUSIVE MODE"]
)
def test_while_another_transaction_holds_what_it_needs_nothing_runs_and_then_it_goes_on(
    open_shop, address, asking, statement
):
    made = open_shop(address)
    assert isinstance(made.ask(key="before"), Done)
    with held(address, statement):
        answer = asking(made, key="during")
        assert (type(answer), answer.cause, len(made.paid)) == (Unavailable, "store", 1)
    assert isinstance(asking(made, key="during"), Done)
    assert_agreed(made)


def test_the_message_of_a_lock_says_how_long_and_what_to_do(open_shop, address):
    made = open_shop(address)
    made.guard.start()
    with held(address, "SELECT * FROM agentguard_log FOR UPDATE"), pytest.raises(StoreUnavailableError) as caught:
        made.guard.halt("all", by="maria", why="a test")
    assert "locked by another transaction for more than 1.5 s; nothing was stored; end the other" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.law(2, 3, 5, 14)
@pytest.mark.parametrize("how", ["before", "after"])
def test_a_line_cut_while_the_intent_is_committed_ends_with_the_truth(open_shop, address, wire, asking, how):
    made = open_shop(by_wire(address, wire))
    assert isinstance(made.ask(key="before"), Done)
    wire.cut = how
    answer = asking(made, key="during")
    assert wire.cuts == 1
    if how == "after":
        assert isinstance(answer, Done), "what the server has was not lost"
    if isinstance(answer, Done):
        assert made.kinds(answer) == ["decided", "settled"], "each is written once"
    else:
        assert (type(answer), answer.cause, len(made.paid)) == (Unavailable, "store", 1)
    assert isinstance(made.ask(key="during"), Done)
    assert len(made.paid) == 2, "one key, one effect"
    assert_agreed(made)


@pytest.mark.law(2, 3, 5, 6)
@pytest.mark.parametrize("how", ["before", "after"])
def test_a_line_cut_while_the_outcome_is_committed_ends_with_the_truth(open_shop, address, wire, asking, how):
    made = open_shop(by_wire(address, wire))
    assert isinstance(made.ask(key="before"), Done)
    wire.cut, wire.skip = how, 1
    answer = asking(made, key="during")
    assert wire.cuts == 1
    assert isinstance(answer, Done), "what the tool did is known, and the server is there"
    assert made.kinds(answer) == ["decided", "settled"], "each is written once"
    assert isinstance(made.ask(key="during"), Done)
    assert len(made.paid) == 2, "one key, one effect"
    assert_agreed(made)


@pytest.mark.law(6, 14)
def test_a_server_that_is_gone_runs_nothing_and_goes_on_when_it_is_back(open_shop, address, server, asking):
    made = open_shop(address)
    assert isinstance(made.ask(key="before"), Done)
    server.kill()
    try:
        answer = asking(made, key="during")
        assert (type(answer), answer.cause, len(made.paid)) == (Unavailable, "store", 1)
        with pytest.raises(StoreUnavailableError, match="nothing was stored; look at the server"):
            made.guard.halt("all", by="maria", why="a test")
    finally:
        server.restart()
    assert isinstance(asking(made, key="during"), Done)
    assert_agreed(made)


def test_the_command_line_says_that_no_server_is_there_without_a_traceback():
    ended = agentguard("halt", "--store", "postgresql://postgres@127.0.0.1:1/shop", "--why", "a test")
    assert_said_to_a_person(ended, "could not be reached", "nothing was stored; look at the server")


def test_a_server_that_is_back_in_a_second_loses_nothing_of_what_a_tool_did_once(open_shop, address, server):
    made = open_shop(address)

    def act(order_id, amount, key):
        made.pay(order_id, amount, key)
        server.kill()
        threading.Timer(1, server.restart).start()
        return {"refund": key}

    made.acts = act
    answer = made.ask()
    assert (type(answer), len(made.paid)) == (Done, 1)
    assert made.kinds(answer) == ["decided", "settled"]
    assert_agreed(made)


@pytest.mark.law(6)
def test_a_server_that_goes_while_the_tool_acts_leaves_a_doubt_that_recovery_ends(open_shop, address, server):
    made = open_shop(address, effect=Idempotent(ttl=timedelta(days=1)), waits=Waits(outcome=timedelta(0)))

    def act(order_id, amount, key):
        if key not in [known for _, _, known in made.paid]:
            made.pay(order_id, amount, key)
            server.kill()
        return {"refund": key}

    made.acts = act
    answer = made.ask()
    server.restart()
    assert (type(answer), answer.error, answer.executed) == (InDoubt, "store_unavailable", None)
    assert made.usage(answer) == [(4000, 0), (4000, 0)]
    made.clock.advance(timedelta(minutes=5))
    made.guard.recover()
    assert made.usage(answer) == [(0, 4000), (0, 4000)]
    assert_agreed(made)


@pytest.mark.law(14)
def test_a_standby_runs_nothing_until_it_is_promoted_and_can_be_audited_before(open_shop, address, server):
    made = open_shop(address)
    assert isinstance(made.ask(key="before"), Done)
    server.kill()
    (server.folder / "data" / "standby.signal").touch()
    server.restart()
    try:
        answer = made.ask(key="during")
        assert (type(answer), answer.cause, len(made.paid)) == (Unavailable, "store", 1)
        with pytest.raises(StoreUnavailableError, match="is read-only, as a standby is; nothing was stored; name the"):
            made.guard.halt("all", by="maria", why="a test")
        assert made.guard.audit.verify().ok
    finally:
        server.promote()
    assert isinstance(made.ask(key="during"), Done)
    assert_agreed(made)


def test_a_server_without_a_free_connection_is_named_as_such(open_shop, address, server):
    made = open_shop(address)
    made.guard.start()
    most = int(server.execute("SHOW max_connections")[0][0])
    made.guard.store.close()
    with contextlib.ExitStack() as others:
        with contextlib.suppress(psycopg.OperationalError):
            for _ in range(most + 1):
                others.enter_context(psycopg.connect(address.replace("+psycopg", "")))
        with pytest.raises(StoreUnavailableError, match="no connection left; nothing was stored; raise its"):
            open_shop(address)
    assert isinstance(open_shop(address).ask(), Done)


@pytest.mark.law(2, 14)
def test_while_a_synchronous_standby_is_gone_nothing_runs_and_nothing_is_lost_when_it_is_back(
    open_shop, address, server
):
    made = open_shop(address)
    with server.standby() as standby:
        try:
            assert isinstance(made.ask(key="before"), Done)
            standby.kill()
            answers = {}
            held_up = threading.Thread(target=lambda: answers.update(first=made.ask(key="during")))
            held_up.start()
            until(lambda: server.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")[0][0])
            second = made.ask(key="second")
            assert (type(second), second.cause, len(made.paid)) == (Unavailable, "store", 1)
            assert not answers, "its commit is on its way, and nobody says so before it is on both"
            standby.restart()
            held_up.join(30)
            assert isinstance(answers["first"], Done)
            assert len(made.paid) == 2
        finally:
            server.execute("ALTER SYSTEM RESET synchronous_standby_names")
            server.execute("SELECT pg_reload_conf()")
    assert_agreed(made)


def until(happened):
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
