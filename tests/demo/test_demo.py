"""The demonstration: what it shows happened, and it is the same each time."""

import json
import sqlite3
from contextlib import closing

import pytest

from agentguard.cli.demo import perform, run
from agentguard.cli.demo.table import table_of
from agentguard.errors import UsageError


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    return perform(tmp_path_factory.mktemp("demo"))


def decisions(outcome, customer):
    lines = iter(outcome.lines)
    for line in lines:
        if line.customer == customer:
            found = [line]
            for following in lines:
                if following.customer:
                    break
                found.append(following)
            return [(line.decision, line.rule) for line in found]
    return []


@pytest.mark.parametrize(
    "customer, expected",
    [
        ("Ana", [("allowed, done", "refunds/small-refund")]),
        ("Ben", [("escalated, waits", "refunds/medium-refund"), ("approved, done", "refunds/medium-refund")]),
        ("Cleo", [("denied", "refunds/customer-count")]),
        ("Dmitri", [("allowed, done", "returns/ordinary-return")]),
        ("Elif", [("allowed, done", "appointments/book")]),
        ("Farid", [("denied", "appointments/closed-then")]),
        ("Grace", [("denied", "no such argument"), ("denied", "refunds/not-their-order")]),
        ("Hugo", [("allowed, in doubt", "refunds/small-refund"), ("found, done", "refunds/small-refund")]),
        ("Ivy", [("denied", "refunds/identity-first")]),
        ("Jonas", [("escalated, waits", "account/change-payout")]),
    ],
)
def test_each_customer_meets_the_rule_that_the_story_is_about(outcome, customer, expected):
    assert decisions(outcome, customer) == expected


def test_the_log_is_intact_and_the_providers_books_agree_with_it(outcome):
    assert outcome.ok
    assert outcome.booked == 7
    assert outcome.waiting == 1


def test_every_customer_who_got_an_answer_hears_something(outcome):
    assert [line.rule for line in outcome.lines if not line.hears] == ["no such argument"]


def test_it_says_the_same_each_time_and_again_in_the_same_folder(outcome, tmp_path, capsys):
    assert run(tmp_path, as_json=True) == 0
    first = json.loads(capsys.readouterr().out)
    assert run(tmp_path, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert [line["decision"] for line in first["lines"]] == [line.decision for line in outcome.lines]


def test_a_folder_that_cannot_be_written_is_said_and_not_a_traceback(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--folder"):
        run(tmp_path / "file")


@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_of_the_table_is_wider_than_the_terminal_or_cuts_a_rule(outcome, columns):
    from rich.console import Console

    console = Console(width=columns, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(table_of(outcome.lines, narrow=columns < 110))
    shown = capture.get()
    assert max(len(line) for line in shown.splitlines()) <= columns
    for line in outcome.lines:
        if "/" in line.rule:
            assert line.rule in shown


def test_no_customer_stands_in_the_record_in_the_clear(outcome):
    with closing(sqlite3.connect(outcome.database)) as connection:
        bodies = [bytes(body).decode() for (body,) in connection.execute("SELECT body FROM agentguard_entry")]
    assert len(bodies) == outcome.entries
    assert not [body for body in bodies if "cus_" in body]
