"""`policy simulate` and `policy compare` as people run them."""

import csv
import json

import pytest

from agentguard.cli.app import run
from tests.engine.given import REFUNDS, shop

SHADOW = REFUNDS.replace("policy: refunds", "policy: strict\nmode: shadow").replace("amount <= 50", "amount <= 30")
RAISED = REFUNDS.replace("version: 1", "version: 2").replace("amount <= 50", "amount <= 75")
RAISED = RAISED.replace("amount > 50 and", "amount > 75 and")


@pytest.fixture
def folder(tmp_path, monkeypatch, closed_stores):
    made = shop("sqlite:///" + str(tmp_path / "guard.db"), text=[REFUNDS, SHADOW])
    for number, amount in enumerate(("30.00", "60.00")):
        made.ask(amount, key=f"k-{number}", order_id=f"A-{number}")
    made.guard.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTGUARD_STORE", "sqlite:///guard.db")
    (tmp_path / "refunds.yaml").write_text(RAISED, encoding="utf-8")
    return tmp_path


def said(capsys, *arguments):
    code = run(["policy", *arguments])
    found = capsys.readouterr()
    return code, found.out, found.err


def test_a_file_replaces_its_namesake_and_the_report_says_what_that_would_have_meant(folder, capsys):
    code, out, _ = said(capsys, "simulate", "refunds.yaml", "--csv", "changes.csv")
    assert code == 0
    assert out.startswith("would have allowed 1 more request worth 60.00 USD without a person\nof 2 requests, ")
    assert "people: 1 fewer to decide" in out
    assert "would have been done at once" in out
    [row] = csv.DictReader((folder / "changes.csv").read_text().splitlines())
    assert (row["old"], row["new"], row["worth"], row["why_new"]) == ("escalate", "allow", "60.00 USD", "refunds/small")


def test_the_json_document_has_the_same_numbers(folder, capsys):
    code, out, _ = said(capsys, "simulate", "refunds.yaml", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["matrix"] == [
        {"old": "allow", "new": "allow", "count": 1, "worth": {"USD": "30.00"}},
        {"old": "escalate", "new": "allow", "count": 1, "worth": {"USD": "60.00"}},
    ]
    assert document["people"]["escalations"] == -1
    assert document["examples"][0]["why_old"] == ["refunds/medium"]


def test_compare_tells_what_the_files_in_shadow_said(folder, capsys):
    code, out, _ = said(capsys, "compare")
    assert code == 0
    assert out.startswith("would have changed no verdict\nof 2 requests, ")


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (("compare", "--since", "2030-01-01"), "nothing to compare: nothing was decided in this time beside a policy"),
        (("compare", "--observed"), "nothing to compare: nothing was decided in this time by a guard that only"),
        (("simulate", "refunds.yaml", "--since", "2030-01-01"), "nothing to decide: no requests in this time"),
    ],
)
def test_where_there_is_nothing_it_says_what_was_looked_for(folder, capsys, arguments, expected):
    code, out, _ = said(capsys, *arguments)
    assert code == 0
    assert out.startswith(expected)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (("refunds.yaml", "--policies", "refunds.yaml"), "expected --policies with --requests alone"),
        (
            ("refunds.yaml", "--requests", "none.csv", "--since", "3 days"),
            "expected --since and --until with the store",
        ),
        (("refunds.yaml", "--requests", "none.csv"), "expected a file that can be read, got `none.csv`"),
        (("none.yaml",), "expected a file or folder, got `none.yaml`"),
        (("refunds.yaml", "--csv", "refunds.yaml"), "expected a file that is not there yet"),
    ],
)
def test_what_was_used_wrongly_is_said_in_a_line(folder, capsys, arguments, expected):
    code, out, err = said(capsys, "simulate", *arguments)
    assert (code, out) == (2, "")
    assert expected in err
    assert err.count("\n") == 1
