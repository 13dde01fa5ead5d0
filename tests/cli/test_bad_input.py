"""Whatever is typed wrongly gets one clear message and its exit code."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from agentguard.cli import exits
from agentguard.errors import (
    ConfigurationError,
    KeyConflictError,
    NotDoneError,
    PeopleUnavailableError,
    PolicyError,
    StoreSchemaError,
    TamperedError,
)
from tests.cli.test_escalations import environment

READING = [
    ["audit", "list"],
    ["audit", "show", "1"],
    ["audit", "verify"],
    ["escalations", "list"],
    ["escalations", "show", "esc_1"],
    ["escalations", "approve", "esc_1", "-r", "goodwill"],
    ["escalations", "reject", "esc_1", "-r", "goodwill"],
    ["escalations", "amend", "esc_1", "--set", "amount=1", "-r", "goodwill"],
    ["escalations", "withdraw", "esc_1", "--why", "gone"],
    ["escalations", "stats"],
    ["actions", "list"],
    ["actions", "show", "act_1"],
    ["limits"],
    ["halt", "--why", "x"],
    ["resume", "--why", "x"],
    ["policy", "history"],
    ["policy", "explain", "--entry", "1"],
    ["policy", "explain", "--action", "act_1"],
]


@pytest.mark.parametrize("json", [[], ["--json"]])
@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_database_that_is_not_there_is_named_and_not_made(elsewhere, command, words, json):
    said = command(*words, *json)
    assert (said.code, said.out) == (exits.STORE, "")
    assert said.err.startswith("error: no database at `agentguard.db`")
    assert said.err.count("\n") == 1
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_an_empty_file_is_no_database_and_stays_empty(elsewhere, command, words):
    (elsewhere / "agentguard.db").touch()
    assert command(*words).code == exits.STORE
    assert (elsewhere / "agentguard.db").stat().st_size == 0
    assert [path.name for path in elsewhere.iterdir()] == ["agentguard.db"]


def tables_in(path):
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]


@pytest.mark.parametrize(
    "words",
    [("audit", "list"), ("limits",), ("halt", "--why", "x"), ("policy", "history"), ("escalations", "list")],
    ids=" ".join,
)
def test_a_database_of_another_program_is_named_and_no_tables_are_made_in_it(elsewhere, command, words):
    with closing(sqlite3.connect(elsewhere / "theirs.db")) as connection:
        connection.execute("CREATE TABLE theirs (number)")
    said = command(*words, "--store", "sqlite:///theirs.db")
    assert (said.code, said.out) == (exits.STORE, "")
    assert "no tables of agentguard in `sqlite:///theirs.db`: name another with --store" in said.err
    assert tables_in(elsewhere / "theirs.db") == ["theirs"]


def test_looking_what_policies_would_mean_makes_no_tables(shop, command):
    with closing(sqlite3.connect(shop.folder / "theirs.db")) as connection:
        connection.execute("CREATE TABLE theirs (number)")
    assert command("policy", "activate", "--dry-run", "--store", "sqlite:///theirs.db").code == 0
    assert tables_in(shop.folder / "theirs.db") == ["theirs"]


@pytest.mark.parametrize(
    "store,code,words",
    [
        ("sqlite:///text.db", exits.STORE, "expected a SQLite database"),
        ("sqlite:///.", exits.STORE, "no database at `.`"),
        ("sqlite://", exits.USAGE, "expected a database like"),
        ("mysql://host/shop", exits.USAGE, "expected a database like"),
        ("shop.db", exits.USAGE, "expected a database like"),
    ],
)
def test_a_store_that_is_none_is_named(elsewhere, command, store, code, words):
    (elsewhere / "text.db").write_text("hello")
    said = command("audit", "list", "--store", store)
    assert said.code == code
    assert words in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["audit", "show", "999"],
        ["audit", "show", "0"],
        ["audit", "show", "9" * 40],
        ["audit", "show", "act_nothing"],
        ["audit", "show", "٣"],
        ["actions", "show", "act_nothing"],
        ["policy", "explain", "--action", "act_nothing"],
        ["policy", "explain", "--entry", "999"],
        ["policy", "explain", "--entry", "1"],
        ["audit", "list", "--verdict", "maybe"],
        ["audit", "list", "--since", "tomorrow"],
        ["actions", "list", "--state", "gone"],
        ["escalations", "list", "--state", "gone"],
        ["policy", "schema", "nothing"],
        ["policy", "schema", "--output", "no/such/folder/schema.json"],
        ["recover", "--app", "nothing"],
    ],
    ids=" ".join,
)
def test_what_is_not_there_or_not_allowed_is_said_in_one_line(shop, command, words):
    said = command(*words)
    assert (said.code, said.out) == (exits.USAGE, "")
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"],
        ["audit", "nothing"],
        ["audit", "list", "--nothing"],
        ["audit", "list", "--limit", "0"],
        ["audit", "list", "--limit", "1001"],
        ["audit", "list", "--limit", "many"],
        ["audit", "show"],
        ["audit", "show", "1", "2"],
        ["policy", "lint"],
        ["policy", "explain", "--entry", "one"],
    ],
    ids=" ".join,
)
def test_a_command_line_that_is_wrong_shows_its_usage(elsewhere, command, words):
    said = command(*words)
    assert (said.code, said.out) == (exits.USAGE, "")
    assert "Usage: " in said.err


@pytest.mark.parametrize("words", [[], ["policy"], ["audit"], ["escalations"], ["actions"]])
def test_half_a_command_shows_what_there_is(command, words):
    said = command(*words)
    assert said.code == exits.USAGE
    assert "Commands:" in said.out + said.err


@pytest.mark.parametrize(
    "error,code",
    [
        (PolicyError([]), exits.POLICY),
        (PeopleUnavailableError("x"), exits.POLICY),
        (StoreSchemaError("x"), exits.STORE),
        (TamperedError("x"), exits.STORE),
        (KeyConflictError("x"), exits.USAGE),
        (ConfigurationError(["x"]), exits.USAGE),
        (NotDoneError("x"), exits.FOUND),
        (KeyError("x"), exits.DEFECT),
    ],
)
def test_each_kind_of_error_has_its_code(capsys, error, code):
    def failing():
        raise error

    assert exits.guarded(failing) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err


def test_a_defect_is_one_line_and_its_place_is_shown_on_demand(capsys, monkeypatch):
    def failing():
        raise RuntimeError("broken inside")

    assert exits.guarded(failing) == exits.DEFECT
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "broken inside" in said
    assert exits.TRACEBACK in said
    monkeypatch.setenv(exits.TRACEBACK, "1")
    exits.guarded(failing)
    assert "Traceback" in capsys.readouterr().err


def test_being_stopped_by_the_keyboard_is_no_traceback(capsys):
    def failing():
        raise KeyboardInterrupt

    for stopped in (failing, lambda: exits.INTERRUPTED):  # typer makes a code of it
        assert exits.guarded(stopped) == exits.INTERRUPTED
        assert capsys.readouterr().err == "error: stopped\n"


def real(shop, *words, **options):
    return subprocess.run(
        [sys.executable, "-c", "from agentguard.cli import main; main()", *words],
        cwd=shop.folder,
        env={**environment(), **options.pop("env", {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_a_real_process_keeps_standard_output_for_what_was_asked(shop):
    done = real(shop, "limits", "--json")
    assert done.returncode == 0
    assert done.stdout.startswith("[")
    assert done.stderr == ""
    failed = real(shop, "audit", "show", "999")
    assert failed.returncode == exits.USAGE
    assert failed.stdout == ""
    assert failed.stderr.startswith("error: ")


@pytest.mark.parametrize(
    "words, code",
    [("audit list", 0), ("audit list --json", 0), ("--help", 0), ("policy lint broken.yaml", 1)],
)
def test_a_reader_that_goes_away_is_no_failure_and_hides_none(shop, words, code):
    (shop.folder / "broken.yaml").write_text("agentguard: 1\n")
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        done = subprocess.run(
            [sys.executable, "-c", "from agentguard.cli import main; main()", *words.split()],
            cwd=shop.folder,
            env=environment(),
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (code, "")


def test_a_terminal_of_80_columns_and_an_old_encoding_are_enough(shop):
    done = real(shop, "limits", env={"COLUMNS": "80", "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "refunds/month" in done.stdout
