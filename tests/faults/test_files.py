"""Files of a database that somebody removes or replaces while a process has them open: nothing runs in what is gone."""

import os
import sqlite3

import pytest

from agentguard import Done, Unavailable
from agentguard.errors import StoreUnavailableError
from agentguard.store import Store
from agentguard.testing.clock import ManualClock

FILES = ("shop.db", "shop.db-wal", "shop.db-shm")


def removed(file):
    file.unlink()


def replaced(file):
    copy = file.with_suffix(".copy")
    copy.write_bytes(file.read_bytes())
    copy.rename(file)


@pytest.mark.law(4)
@pytest.mark.law(14)
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("happens", [removed, replaced])
def test_in_files_that_were_removed_or_replaced_nothing_runs_until_the_process_starts_anew(
    open_shop, folder, name, happens
):
    made = open_shop()
    assert isinstance(made.ask(key="before"), Done)
    happens(folder / name)
    answer = made.ask(key="during", order_id="A-2")
    assert (type(answer), answer.cause) == (Unavailable, "store")
    assert isinstance(made.aask(key="during", order_id="A-2"), Unavailable)
    assert len(made.paid) == 1
    with pytest.raises(StoreUnavailableError, match=rf"got `{name}` removed or replaced; nothing was stored that oth"):
        made.guard.halt("all", by="maria", why="a test")


def test_a_database_put_in_place_of_another_is_used_by_processes_that_start_after_it(open_shop, folder):
    made = open_shop()
    with sqlite3.connect(folder / "shop.db") as connection:
        connection.execute("VACUUM INTO ?", [str(folder / "shop.copy")])
    connection.close()
    assert isinstance(made.ask(key="before"), Done)
    (folder / "shop.copy").rename(folder / "shop.db")
    assert isinstance(made.ask(key="during"), Unavailable)
    made.guard.close()
    made.guard.store.close()
    for left in FILES[1:]:
        (folder / left).unlink(missing_ok=True)
    assert isinstance(open_shop().ask(key="after"), Done)


@pytest.mark.law(2)
def test_what_is_committed_into_a_file_that_goes_at_that_moment_is_not_begun(open_shop, folder):
    made = open_shop()
    made.guard.start()
    decide = made.guard.store.transact

    def transact(work):
        def run(transaction):
            value = work(transaction)
            (folder / "shop.db").unlink(missing_ok=True)
            return value

        return decide(run)

    made.guard.store.transact = transact
    assert isinstance(made.ask(key="during"), Unavailable)
    assert made.paid == []


def test_files_that_come_and_go_beside_the_database_are_no_hindrance(open_shop, folder):
    made = open_shop()
    for number in range(5):
        (folder / "other").touch()
        (folder / "shop.db.lock").unlink(missing_ok=True)
        assert isinstance(made.ask("1.00", key=f"k-{number}"), Done)
        (folder / "other").unlink()


def test_a_process_that_moves_to_another_folder_keeps_its_database(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "elsewhere").mkdir()
    one = Store.open("sqlite:///shop.db", ManualClock())
    other = Store.open("sqlite:///file:shop.db?mode=rw&uri=true", ManualClock())
    os.chdir("elsewhere")
    for store in (one, other):  # whose connections are made now
        store.transact(lambda transaction: transaction.append({"tenant": "t", "kind": "noted"}))
    assert one.read(lambda reading: reading.position()) == 2
    one.close()
    other.close()
    assert not list((folder / "elsewhere").iterdir())
