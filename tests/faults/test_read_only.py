"""A database that may not be written: it is said at once, nothing runs, and reading still works."""

import sqlite3

import pytest

from agentguard import Done, Unavailable
from agentguard.errors import StoreUnavailableError
from agentguard.store import Store
from agentguard.testing.clock import ManualClock
from tests.engine.given import shop
from tests.faults.conftest import PATIENCE, agentguard, assert_said_to_a_person, without_rights

READ_ONLY = "?mode=ro&uri=true"


@pytest.fixture
def used(open_shop, folder):
    """A database with one settled refund, closed again."""
    made = open_shop()
    assert isinstance(made.ask(key="before"), Done)
    made.guard.close()
    made.guard.store.close()
    return folder / "shop.db"


def opened_to_read(database):
    clock = ManualClock()
    return shop(Store.open(f"sqlite:///file:{database}{READ_ONLY}", clock, patience=PATIENCE), clock=clock)


@pytest.mark.law(14)
def test_a_guard_on_a_database_opened_to_read_runs_nothing_and_can_still_be_audited(used):
    made = opened_to_read(used)
    answer = made.ask(key="during")
    assert (type(answer), answer.cause) == (Unavailable, "store")
    assert made.paid == []
    assert made.guard.audit.verify().ok
    assert [entry.kind for entry in made.guard.audit.list(kind="settled")] == ["settled"]
    with pytest.raises(StoreUnavailableError, match="is read-only; nothing was stored; let this user write the file"):
        made.guard.halt("all", by="maria", why="a test")
    made.guard.store.close()


@pytest.mark.law(14)
def test_a_guard_without_rights_on_its_file_does_not_open_it_and_does_as_soon_as_it_has_them(open_shop, folder):
    with without_rights():
        made = open_shop()
        assert isinstance(made.ask(key="before"), Done)
        made.guard.store.close()
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    with without_rights(), pytest.raises(StoreUnavailableError, match=r"shop\.db` is read-only; nothing was stored"):
        open_shop()
    folder.chmod(0o777)
    for file in folder.iterdir():
        file.chmod(0o600)
    with without_rights():
        back = open_shop()
        assert isinstance(back.ask(key="during"), Done)
        assert back.guard.audit.verify().ok


def test_the_command_line_says_that_it_is_read_only_without_a_traceback(used):
    ended = agentguard("halt", "--store", f"sqlite:///file:{used}{READ_ONLY}", "--why", "a test")
    assert_said_to_a_person(ended, "is read-only; nothing was stored", "let this user write")
    with sqlite3.connect(used) as connection:
        assert connection.execute("SELECT count(*) FROM agentguard_halt").fetchone() == (0,)
    connection.close()


def test_a_folder_in_which_nothing_may_be_made_is_named(folder):
    folder.chmod(0o555)
    with without_rights(), pytest.raises(StoreUnavailableError) as caught:
        Store.open(f"sqlite:///{folder / 'new.db'}", ManualClock(), patience=PATIENCE)
    assert "new.db" in str(caught.value)
    assert "let this user write there" in str(caught.value)
