"""Requests that a file tells of, as a table and as JSON, decided under old and new policies."""

import pytest

from agentguard import UsageError, Verdict
from agentguard.analysis.simulating_requests import simulate_requests
from tests.engine.given import bundle

ALLOW, ESCALATE, DENY = Verdict.ALLOW, Verdict.ESCALATE, Verdict.DENY
TEXT = """
agentguard: 1
policy: refunds
version: 1
owner: refunds@acme.example
description: What may be refunded.
timezone: Europe/Berlin
currency: USD
actions:
  refund.issue: {order_id: text, amount: money}
facts:
  order.total: money
  order.final: yes_no?
rules:
  - {id: small, then: allow, when: amount <= 50 and amount <= order.total}
  - {id: final, then: deny, when: has(order.final) and order.final}
limits:
  - {id: order, sum: amount, per: order_id, in: 1 day, max: 80, over: deny}
"""
OLD, NEW = bundle(TEXT), bundle(TEXT.replace("version: 1", "version: 2").replace("amount <= 50", "amount <= 70"))
HEADER = "at,action,on_behalf_of,order_id,amount,order.total,order.final"
ROWS = """\
2026-03-01 10:00,refund.issue,c-1,A-1,50,100,
2026-03-01 11:00,refund.issue,c-1,A-1,30.00 USD,100,
2026-03-01 12:00,refund.issue,c-2,A-2,60,100,no
2026-03-01 13:00,refund.issue,c-2,A-2,20.01,100,no
2026-03-01 14:00,refund.issue,c-3,A-3,60,100,yes
"""


def written(tmp_path, text, name="requests.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def simulated(path, new=NEW, old=OLD):
    told = []
    found = simulate_requests(path, new, old, tell=told.append)
    return found, [(case.place, case.old, case.new) for case in told]


def test_a_table_is_decided_under_both_each_with_its_own_budgets(tmp_path):
    found, changes = simulated(written(tmp_path, f"{HEADER}\n{ROWS}"))
    assert changes == [(4, DENY, ALLOW), (5, ALLOW, DENY)]
    assert found.sentence == (
        "would have allowed 1 more request worth 60.00 USD and 1 fewer request worth 20.01 USD without a person"
    )
    assert found.examples[1].why_new == ("refunds/order",)
    assert simulated(written(tmp_path, f"{HEADER}\n{ROWS}"), OLD)[1] == []


def test_json_lines_say_the_same_as_a_table(tmp_path):
    lines = (
        '{"at": "2026-03-01T09:00:00Z", "action": "refund.issue", "order_id": "A", "amount": 50.01, "order.total": 60, '
        '"order.final": null}\n'
        '{"at": "2026-03-01T09:00:00Z", "action": "refund.issue", "order_id": "B", "amount": 50.01, "order.total": 60, '
        '"order.final": true}\n'
    )
    assert simulated(written(tmp_path, lines, "requests.jsonl"))[1] == [(1, DENY, ALLOW)]


def test_verdicts_that_the_file_says_need_no_policies_of_then(tmp_path):
    rows = [f"{line},{verdict}" for line, verdict in zip(ROWS.split("\n"), ("escalate", "allow"), strict=False)]
    text = "\n".join((f"{HEADER},verdict", *rows))
    assert simulated(written(tmp_path, text), old=None)[1] == [(2, ESCALATE, ALLOW)]


def test_what_was_done_uses_a_budget_even_where_people_let_it_pass(tmp_path):
    route = 'escalations:\n  lead: {who: "group:leads", within: 4 hours, if_late: deny}\nrules:\n'
    rule = "  - {id: large, then: escalate to lead, when: amount > 70}\n"
    asking = bundle(TEXT.replace("rules:\n", route + rule))
    rows = [
        "2026-03-01 10:00,refund.issue,c-1,A-1,80,100,,escalate,{}",
        "2026-03-01 11:00,refund.issue,c-1,A-1,0.01,100,,allow,yes",
    ]
    for done, expected in (("yes", [(3, ALLOW, DENY)]), ("no", [])):
        text = "\n".join((f"{HEADER},verdict,done", *rows)).format(done)
        assert simulated(written(tmp_path, text), asking, None)[1] == expected


def test_a_column_that_is_not_there_is_unknown_and_an_empty_cell_says_that_there_was_none(tmp_path):
    text = "\n".join(line.rpartition(",")[0] for line in (HEADER, *ROWS.strip().split("\n")))
    text = text.replace("order.total", "order.total,verdict", 1)
    text = "\n".join(line if number == 0 else f"{line},allow" for number, line in enumerate(text.split("\n")))
    found, changes = simulated(written(tmp_path, text), old=None)
    assert found.uncertain == 4
    assert changes == [(5, ALLOW, DENY)], "the limit denies whatever the fact would have said"
    assert found.unknown == {"`order.final`: the file does not say it": 4}


def test_what_the_policies_of_then_would_have_to_know_is_named_and_what_only_reports_read_is_not(tmp_path):
    lines = [line.rpartition(",")[0] for line in (HEADER, *ROWS.strip().split("\n"))]
    region = "  order.region: text?\nsegments: [order.region]"
    old, new = (
        bundle(item.text.replace("  order.final: yes_no?", f"  order.final: yes_no?\n{region}"))
        for item in (OLD.policies[0], NEW.policies[0])
    )
    found, _ = simulated(written(tmp_path, "\n".join(lines)), new, old)
    assert found.unknown == {"`order.final`: the file does not say it, and what was decided rests on it": 5}
    assert (found.uncertain, str(found.first)[:10]) == (5, "2026-03-01")


@pytest.mark.parametrize(
    "text, said",
    [
        ("at,amount\n", "expected the columns `at` and `action` in the header, got `at`, `amount`"),
        ("do,now\n", "expected the columns `at` and `action` in the header, got `do`, `now`"),
        ("", "expected the columns `at` and `action` in the header, got nothing"),
        ("at;action;amount\n", "expected columns with commas between them, got semicolons"),
        ("at,action,amount,amount\n", "expected each column once, got `amount` 2 times"),
        (f"{HEADER},tier\n{ROWS}".replace(",\n", ",,\n").replace("no\n", "no,\n"), "no policy knows `tier`"),
        (f"{HEADER}\n2026-03-02,refund.issue,c,A,1,2,\n2026-03-01,refund.issue,c,A,1,2,\n", "line 3: it is older"),
        (f"{HEADER}\nyesterday,refund.issue,c,A,1,2,\n", "expected `at` like"),
        (f"{HEADER}\n2026-03-02,refund.issue\n", "line 2: expected 7 cells as in the header, got 2"),
        (f"{HEADER},verdict\n2026-03-02,refund.issue,c,A,1,2,,maybe\n", "expected `verdict` as allow"),
        (f"{HEADER},done\n2026-03-02,refund.issue,c,A,1,2,,maybe\n", "expected `done` as yes or no"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(tmp_path, text, said):
    with pytest.raises(UsageError, match=said.replace("`", ".")):
        simulated(written(tmp_path, text))


def test_without_verdicts_and_without_old_policies_there_is_nothing_to_compare_with(tmp_path):
    with pytest.raises(UsageError, match="name the policies of then with --policies"):
        simulated(written(tmp_path, f"{HEADER}\n{ROWS}"), old=None)
