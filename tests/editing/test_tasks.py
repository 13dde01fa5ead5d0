"""The tasks for Visual Studio Code: what they run is there, and what it prints is underlined where it belongs."""

import json
import re
import shlex
from itertools import pairwise

import pytest

from agentguard.cli import watching
from agentguard.cli.app import commands
from agentguard.cli.shipped import TEMPLATES
from tests.policyfile.broken import CASES, marked

TASKS = {task["label"]: task for task in json.loads((TEMPLATES / "vscode" / "tasks.json").read_text())["tasks"]}


def underlined(task, output):
    """Return what an editor underlines: its matchers are tried line by line, as the task prints."""
    found = []
    for line in output.splitlines():
        for pattern in (matcher["pattern"] for matcher in TASKS[task]["problemMatcher"]):
            if isinstance(pattern, list):
                continue  # what is told in two lines
            if match := re.search(pattern["regexp"], line):
                groups = {name: match[pattern[name]] for name in ("file", "code", "message")}
                place = [int(match[pattern[name]]) if name in pattern else 0 for name in ("line", "column")]
                severity = match[pattern["severity"]] or "error"
                found.append((groups["file"], *place, severity, groups["code"], groups["message"]))
                break
    return found


def failing(task, output):
    """Return the examples that an editor underlines: each is told in two lines."""
    lines = output.splitlines()
    (pair,) = [one["pattern"] for one in TASKS[task]["problemMatcher"] if isinstance(one["pattern"], list)]
    found = [
        (re.search(pair[0]["regexp"], line), re.search(pair[1]["regexp"], below)) for line, below in pairwise(lines)
    ]
    return [
        (head[pair[0]["file"]], int(head[pair[0]["line"]]), message[pair[1]["message"]])
        for head, message in found
        if head and message
    ]


def listed(document):
    """Return the same of what programs are told."""
    everything = [item for kind in ("problems", "warnings", "notes") for item in document.get(kind, ())]
    return sorted(
        (item["file"], item["line"], item["column"], item["severity"], item["code"], item["message"])
        for item in everything
    )


def test_every_task_runs_a_command_that_there_is():
    for task in TASKS.values():
        program, *words = shlex.split(task["command"])
        command = commands()
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        assert (program, words) == ("agentguard", ["."])


def test_everything_that_lint_says_is_underlined_and_nothing_else(elsewhere, command):
    for number, (_, _, text) in enumerate(CASES[::7]):
        (elsewhere / f"broken {number}.yaml").write_text(marked(text)[0], encoding="utf-8")
    (elsewhere / "bytes.yaml").write_bytes(b"\xff\xfe")
    (elsewhere / "empty.yaml").write_text("")
    found = underlined("policy lint", command("policy", "lint", ".").out)
    assert sorted(found) == listed(command("policy", "lint", ".", "--json").json)
    assert len(found) > 30


def test_a_mistake_inside_a_condition_is_underlined_where_it_is(elsewhere, command):
    command("policy", "init", ".")
    path = elsewhere / "vouchers.yaml"
    path.write_text(path.read_text().replace("- amount <= 20", "- amount <= and 20"))
    ((file, line, column, severity, code, _),) = underlined("policy lint", command("policy", "lint", ".").out)
    assert (file, severity, code) == ("vouchers.yaml", "error", "syntax")
    assert path.read_text().split("\n")[line - 1][column - 1 :].startswith("and 20")


def test_warnings_and_people_are_underlined_with_their_weight(elsewhere, command):
    command("policy", "init", ".")
    path = elsewhere / "vouchers.yaml"
    path.write_text(path.read_text().replace("owner: support@acme.example\n", ""))
    ((file, line, _, severity, code, _),) = underlined("policy lint", command("policy", "lint", ".").out)
    assert (file, line, severity, code) == ("vouchers.yaml", 1, "warning", "no_owner")


def test_examples_that_fail_are_underlined_with_what_came_instead(elsewhere, command):
    command("policy", "init", ".")
    path = elsewhere / "vouchers.yaml"
    path.write_text(path.read_text().replace("amount <= 20", "amount <= 19").replace("max: 60", "max: 61"))
    said = command("policy", "test", ".", "--json").json
    expected = [
        (report["file"], case["line"], case["failures"][0])
        for report in said
        for case in report["cases"]
        if case["failures"]
    ]
    assert len(expected) == 2
    assert failing("policy test", command("policy", "test", ".").out) == expected


@pytest.mark.parametrize(
    "changes", [[("then: allow", "then: alow")], [("amount <= 20", "amount <= 30")], [("owner: ", "# ")], []]
)
def test_a_watch_says_when_it_begins_and_ends_and_is_underlined_like_lint(elsewhere, command, monkeypatch, changes):
    command("policy", "init", ".")
    path = elsewhere / "vouchers.yaml"

    def edited(_path, _stop):
        yield []
        text = path.read_text()
        for old, new in changes:
            text = text.replace(old, new)
        path.write_text(text)
        yield [path]

    monkeypatch.setattr(watching, "saves", edited)
    lines = command("policy", "watch", ".").out.splitlines()
    (background,) = [one["background"] for one in TASKS["policy watch"]["problemMatcher"] if "background" in one]
    begins = [number for number, line in enumerate(lines) if re.search(background["beginsPattern"], line)]
    ends = [number for number, line in enumerate(lines) if re.search(background["endsPattern"], line)]
    assert len(begins) == len(ends) == 2
    assert begins[0] < ends[0] < begins[1] < ends[1] == len(lines) - 2
    found = underlined("policy watch", "\n".join(lines[begins[1] : ends[1]]))
    assert sorted(found) == listed(command("policy", "lint", ".", "--json").json)
