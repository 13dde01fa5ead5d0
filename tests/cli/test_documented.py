"""docs/command-line.md and the command tree say the same."""

import re

import pytest

from agentguard.cli import app, exits
from tests.project.tree import ROOT

PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")


def commands(group, path):
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(app.commands(), "agentguard"))


def section(path):
    found = re.search(rf"(?ms)^### {re.escape(path)}( [^\n]*)?\n(.*?)(?=^##|\Z)", PAGE)
    assert found, f"docs/command-line.md has no section `### {path}`"
    return re.sub(r"(?ms)^```.*?^```$", "", found[2])


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_of_a_command_is_documented(path):
    text = section(path)
    for parameter in COMMANDS[path].params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            if option.startswith("-") and option != "--help":
                assert f"`{option}`" in text, f"{path} {option}"


def test_the_usage_of_a_command_is_the_heading_of_the_manual():
    usages = [[path, *command.collect_usage_pieces(None)[1:]] for path, command in COMMANDS.items()]
    assert sorted(" ".join(words) for words in usages) == sorted(re.findall(r"(?m)^### (agentguard .*)$", PAGE))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_documented_option_exists(path):
    known = {option for item in COMMANDS[path].params for option in (*item.opts, *item.secondary_opts)}
    documented = set(re.findall(r"(?m)^- (`--.*?)[:.]", section(path)))
    for options in documented:
        assert set(re.findall(r"`(-[\w-]+)`", options)) <= known, f"{path}: {options}"


def test_every_documented_command_exists():
    sections = re.findall(r"(?m)^### (agentguard [a-z -]+[a-z])", PAGE)
    assert sorted(sections) == sorted(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_explains_itself(path):
    command = COMMANDS[path]
    assert command.help
    assert [item.name for item in command.params if not getattr(item, "help", None)] == []


def test_every_exit_code_is_documented():
    codes = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert codes == {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", PAGE)}
