"""`agentguard store`, and every command on a database behind a server."""

import pytest

from agentguard.store import Store, tables
from agentguard.store.upgrading import Upgrade


@pytest.fixture
def served(postgres, elsewhere, closed_stores):
    """An empty database on a server, and an empty folder to stand in."""
    yield postgres.create_database("served")
    postgres.drop_database("served")


def test_a_database_is_shown_with_its_tables_log_and_keys(shop, command):
    shown = command("store", "show")
    assert shown.code == 0
    assert "schema 1, as this version expects" in shown.out
    found = command("store", "show", "--json").json
    assert (found["engine"], found["schema"], found["keys_found"]) == ("sqlite", 1, True)
    assert found["entries"] > 10


def test_a_file_that_is_not_there_is_not_made(elsewhere, command):
    for name in ("show", "upgrade"):
        said = command("store", name, "--store", "sqlite:///nowhere.db")
        assert said.code == 4
        assert "no database at `nowhere.db`" in said.err
    assert list(elsewhere.iterdir()) == []


def test_a_database_in_memory_is_nothing_to_look_at(elsewhere, command):
    assert command("store", "show", "--store", "sqlite://").code == 2


def test_tables_of_an_older_version_are_shown_and_brought_up(shop, command, monkeypatch):
    monkeypatch.setattr(tables, "SCHEMA_VERSION", 2)
    monkeypatch.setattr("agentguard.cli.store.SCHEMA_VERSION", 2)
    shown = command("store", "show")
    assert shown.code == 1
    assert "run `agentguard store upgrade`" in " ".join(shown.out.split())
    assert command("audit", "list").code == 4
    asked = []
    monkeypatch.setattr(
        "agentguard.store.upgrading.upgrade", lambda store, by: asked.append((store, by)) or Upgrade(1, 2)
    )
    assert "brought the tables from schema 1 to schema 2" in command("store", "upgrade").out
    assert asked == [(shop.store, "mrossi")]


def test_tables_of_a_newer_version_are_left_alone(shop, command, monkeypatch):
    monkeypatch.setattr(tables, "SCHEMA_VERSION", 0)
    monkeypatch.setattr("agentguard.cli.store.SCHEMA_VERSION", 0)
    assert "use an agentguard as new as it is" in " ".join(command("store", "show").out.split())
    assert command("store", "upgrade").code == 4


def test_an_empty_database_on_a_server_gets_its_tables_only_when_asked(served, command):
    shown = command("store", "show", "--store", served)
    assert (shown.code, "none yet" in shown.out) == (1, True)
    listed = command("audit", "list", "--store", served)
    assert (listed.code, "no tables of agentguard in" in listed.err) == (4, True)
    assert command("store", "upgrade", "--store", served, "--json").json == {"before": None, "after": 1}
    assert command("store", "show", "--store", served).code == 0
    assert command("audit", "list", "--store", served).code == 0


def test_a_password_is_not_shown(served, command):
    address = served.replace("postgres@", "postgres:secret@")
    for said in (command("store", "show", "--store", address), command("audit", "list", "--store", address)):
        assert "secret" not in said.out + said.err


def test_the_keys_of_a_database_on_a_server_are_where_the_environment_says(served, command, tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTGUARD_KEYS", str(tmp_path / "elsewhere.keys"))
    Store.open(served).close()
    assert command("store", "show", "--store", served, "--json").json["keys"] == str(tmp_path / "elsewhere.keys")
    monkeypatch.delenv("AGENTGUARD_KEYS")
    assert command("store", "show", "--store", served, "--json").json["keys"] == "served.keys"
