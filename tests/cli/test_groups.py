"""What commands there are is known without loading any of them, and its pages fit a terminal."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from agentguard.cli.app import commands

HEAVY = {"sqlalchemy", "sqlmodel", "cryptography", "alembic", "rich", "ruamel", "structlog", "z3", "openai"}


def groups(group, *words):
    yield words, group
    for name in group.commands:
        if not hasattr(group.commands.data[name], "function") and hasattr(group.commands[name], "commands"):
            yield from groups(group.commands[name], *words, name)


GROUPS = dict(groups(commands()))


def loaded(*words):
    """Return what a process of its own has loaded when it ran this command line."""
    code = """
import json, sys
from agentguard.cli.app import run
code = run(sys.argv[1:])
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, timeout=60)
    exit_code, modules = json.loads(done.stderr.splitlines()[-1])
    return exit_code, done.stdout, set(modules) & HEAVY


def test_help_of_the_whole_and_of_a_group_loads_no_library_that_takes_long():
    assert loaded("--help")[::2] == (0, set())
    assert loaded("audit", "--help")[::2] == (0, set())


@pytest.mark.parametrize(
    "words", [("policy", "lint"), ("policy", "explain"), ("policy", "fmt", "--check"), ("policy", "test")], ids=" ".join
)
def test_what_is_done_with_files_loads_no_database(words, shop):
    _, out, modules = loaded(*words, "policies")
    assert out
    assert modules & {"sqlalchemy", "sqlmodel", "alembic", "openai"} == set()


def test_the_version_is_said_at_once():
    assert loaded("--version") == (0, f"agentguard {version('agentguard')}\n", set())


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_help_has_one_line_for_each_command_which_fits_a_terminal(words, command):
    page = command(*words, "--help").out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in page] == [*GROUPS[words].commands]
    assert [line for line in page if len(line) > 80 or not line.endswith(".")] == []


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_a_group_without_a_command_shows_its_help_and_fails(words, command):
    said = command(*words)
    assert said.code == 2
    assert "Commands:\n" in said.err


def test_a_mistyped_command_is_answered_with_the_nearest(command):
    said = command("policy", "lnt")
    assert said.code == 2
    assert "No such command 'lnt'. Did you mean 'lint'?" in said.err


def test_a_command_without_its_group_is_answered_with_the_group(command):
    assert "No such command 'lint'. Did you mean 'policy lint'?" in command("lint", "policies").err
    said = command("verify")
    assert said.code == 2
    assert "Did you mean 'audit verify' or 'reviews verify'?" in said.err
    assert "No such command 'nothing'.\n" in command("nothing").err
