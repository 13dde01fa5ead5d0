"""Test files: the examples beside a policy, read into cases."""

import pytest

from agentguard.core.cases import Expectation
from agentguard.errors import PolicyError
from agentguard.policyfile import load_cases_text

TEXT = """test: refunds
now: 2026-11-20 10:00
agent: support-bot
on_behalf_of: cus_1
context: {conversation: c-1}
used: {monthly: 0}
given:
  amount: 30
  order.items:
    - {price: 80, final: no}
happened: [identity-first]
cases:
  - name: small
    do: refund.issue
    with: {amount: 50}
    expect: allow
    by: [small-refund]
  - name: a table
    do: refund.issue
    without: [order.total]
    failed: [order.id]
    each:
      - {amount: 50, expect: allow}
      - {amount: 50.01, used: {monthly: 3}, expect: escalate to lead, by: medium}
      - {now: 2026-11-21 10:00, with: {now: x}, expect: deny, say: No.}
"""


def cases(text=TEXT):
    return load_cases_text(text, "refunds_test.yaml")


def problems_of(old, new):
    assert old in TEXT
    with pytest.raises(PolicyError) as raised:
        cases(TEXT.replace(old, new, 1))
    return [(problem.line, problem.column, problem.code) for problem in raised.value.problems]


def test_the_ordinary_request_is_read_with_its_short_words():
    file = cases()
    assert file.policies == ("refunds",)
    assert file.given.now == "2026-11-20 10:00"
    assert file.given.values == {
        "agent.id": "support-bot",
        "on_behalf_of": "cus_1",
        "context.conversation": "c-1",
        "amount": "30",
        "order.items": ({"price": "80", "final": "no"},),
    }
    assert file.given.happened == ("identity-first",)
    assert file.given.used == {"monthly": "0"}


def test_a_case_says_what_differs_and_what_must_come_out():
    case = cases().cases[0]
    assert (case.name, case.action, case.situation.values) == ("small", "refund.issue", {"amount": "50"})
    assert case.expectation == Expectation("allow", ("small-refund",), None)
    assert case.situation.happened is None


def test_a_row_holds_values_beside_its_own_words():
    case = cases().cases[1]
    assert (case.situation.without, case.situation.failed) == (("order.total",), ("order.id",))
    assert case.rows[0].situation.values == {"amount": "50"}
    assert case.rows[1].situation.used == {"monthly": "3"}
    assert case.rows[1].expectation == Expectation("escalate to lead", ("medium",), None)
    assert case.rows[2].situation.now == "2026-11-21 10:00"
    assert case.rows[2].situation.values == {"now": "x"}
    assert case.rows[2].expectation.say == "No."
    assert (case.rows[1].place.line, case.rows[1].place.column) == (24, 9)


def test_several_policies_may_be_under_test_together():
    assert cases(TEXT.replace("test: refunds", "test: [refunds, caps]")).policies == ("refunds", "caps")


@pytest.mark.parametrize(
    "old, new, found",
    [
        ("    expect: allow\n    by: [small-refund]\n", "", [(13, 5, "case_incomplete")]),
        ("{amount: 50, expect: allow}", "{amount: 50}", [(18, 5, "case_incomplete")]),
        ("    expect: allow", "    expct: allow", [(16, 5, "unknown_key")]),
        ("    expect: allow", "    expect: alow", [(16, 13, "word_unknown")]),
        ("    do: refund.issue\n    with", "    with", [(13, 5, "missing_key")]),
        ("name: a table", "name: small", [(18, 11, "duplicate_id")]),
        ("failed: [order.id]", "failed: order.id", [(21, 13, "wrong_shape")]),
        ("given:", "givn:", [(7, 1, "unknown_key")]),
        ("test: refunds\n", "", [(1, 1, "missing_key")]),
        ("used: {monthly: 3}", "used: 3", [(24, 31, "wrong_shape")]),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(old, new, found):
    got = problems_of(old, new)
    assert got[0] == found[0], got


def test_an_empty_list_of_cases_is_refused():
    with pytest.raises(PolicyError, match="too_many expected 1 to"):
        cases("test: refunds\ncases: []\n")
