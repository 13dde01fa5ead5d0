"""Every command that takes `--json` prints one JSON document and nothing else."""

import json

import pytest

COMMANDS = [
    ["policy", "lint", "policies"],
    ["policy", "test", "policies"],
    ["policy", "explain", "policies"],
    ["policy", "explain", "--entry", "2"],
    ["policy", "explain", "--action", "{done}"],
    ["policy", "fmt", "--check", "policies"],
    ["policy", "activate", "--why", "again"],
    ["policy", "history"],
    ["audit", "list"],
    ["audit", "show", "2"],
    ["audit", "show", "{approved}"],
    ["audit", "verify"],
    ["audit", "verify", "--decisions"],
    ["escalations", "list"],
    ["escalations", "show", "{esc:waiting}"],
    ["escalations", "approve", "{esc:waiting}", "-r", "goodwill"],
    ["escalations", "reject", "{esc:waiting}", "-r", "goodwill"],
    ["escalations", "amend", "{esc:waiting}", "--set", "amount=45", "-r", "goodwill"],
    ["escalations", "withdraw", "{esc:waiting}", "--why", "gone"],
    ["escalations", "stats"],
    ["people", "show"],
    ["actions", "list"],
    ["actions", "show", "{doubt}"],
    ["limits"],
    ["halt", "--why", "x"],
    ["resume", "--why", "x"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_output_is_one_json_document(shop, command, words):
    filled = [shop.ids[word[1:-1]] if word.startswith("{") else word for word in words]
    said = command(*filled, "--json")
    assert said.code in (0, 1)
    assert said.err == ""
    json.loads(said.out)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_it_there_is_something_to_read_and_no_line_of_it_is_a_python_value(shop, command, words):
    filled = [shop.ids[word[1:-1]] if word.startswith("{") else word for word in words]
    said = command(*filled)
    assert said.out.strip()
    for sign in ("<", "{'", "None", "datetime.", "Verdict."):
        assert sign not in said.out.replace("<=", "").replace("< ", "").replace("<=", ""), sign
