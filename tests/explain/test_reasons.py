"""Why a request is decided as it is, for each kind of reason there is: nothing decides without being told."""

from dataclasses import replace
from pathlib import Path

import pytest

from agentguard.analysis.explained.decisions import decision_document
from agentguard.analysis.explained.policies import policy_document
from agentguard.analysis.turned import Turned
from agentguard.cli.documents import Format, written
from agentguard.core.explain import explain
from agentguard.core.request import Fact, FactStatus
from agentguard.policyfile import load_text
from tests.core.situations import ABSENT, evidence, planned, policy, request, usd
from tests.explain.test_documents import texts

BODY = """
actions: {refund.issue: {amount: money, pieces: integer}}
facts: {order.total: money, order.rate: integer, order.note: text?}
rules:
  - {id: small, then: allow, when: amount <= 50 and pieces * order.rate < 10}
  - {id: large, then: deny, when: amount > order.total}
limits:
  - {id: month, sum: amount, per: on_behalf_of, in: 30 days, max: order.total, over: deny}
  - {id: times, count: actions, per: on_behalf_of, in: 30 days, max: 9, over: deny}
"""
PLAN = planned(policy(BODY))
KNOWN = {"order.total": usd("100.00"), "order.rate": 1, "order.note": ABSENT}
UNUSED = {"shop/month": (0, 0), "shop/times": (0, 0)}


def told(amount="40.00", *, changed=lambda explanation: explanation, options=None, **facts):
    """Return every text that is told of a request."""
    known = evidence(PLAN, {**KNOWN, **{f"order.{name}": value for name, value in facts.items()}}, used=UNUSED)
    explanation = changed(explain(PLAN, request(PLAN, amount=usd(amount), pieces=1), known))
    return list(texts(decision_document(explanation, Turned(()), **(options or {})).blocks))


def test_what_no_rule_speaks_of_is_told_as_that():
    assert "No rule of this policy applies, and where none does it says this." in told("60.00")


def test_a_limit_that_refuses_is_told_with_its_own_numbers_and_no_others():
    room = [text for text in told("40.00", total=usd("39.99")) if "there was room for" in text]
    assert [text.partition(": ")[2] for text in room] == [
        "0.00 USD was used, so there was room for 39.99 USD, and this is 40.00 USD."
    ]


def test_what_could_not_be_looked_up_is_named_as_the_reason():
    said = told("40.00", total=Fact(FactStatus.FAILED))
    assert any(text.startswith("What could not be worked out: ") for text in said)
    assert "could not be looked up" in said


def test_what_people_approved_and_what_was_erased_since_is_said_first():
    approved = told(
        changed=lambda explanation: replace(explanation, decision=replace(explanation.decision, approved=True)),
        options={"erased": ("the amount", "the customer")},
    )
    assert approved[0] == "People approved it, as far as it was asked of them."
    assert approved[1] == "Erased, and so not known any more: the amount and the customer."
    assert not told()[0].startswith(("People approved", "Erased"))


def test_what_gives_back_to_a_limit_and_whether_it_begins_empty_is_told():
    text = Path(__file__).with_name("everything.yaml").read_text(encoding="utf-8")
    limit = "max: {USD: 100, EUR: 90}, over: escalate to lead"
    assert text.count(limit) == 1
    more = text.replace(limit, f"{limit}, starts: now, freed_by: {{fee.waive: fee}}")
    said = set(texts(policy_document(load_text(more, "everything.yaml")).blocks))
    assert "Given back by waive fee: at most the fee" in said
    assert "Begins empty when this version comes into force" in said
    plain = set(texts(policy_document(load_text(text, "everything.yaml")).blocks))
    assert not [words for words in plain if words.startswith(("Given back", "Begins empty"))]


@pytest.mark.parametrize(
    "format_, first", [(Format.HTML, "<h2>How it is read</h2>"), (Format.MARKDOWN, "\n## How it is read\n")]
)
def test_the_parts_of_a_document_stand_one_level_below_its_title(format_, first):
    text = Path(__file__).with_name("everything.yaml").read_text(encoding="utf-8")
    page = written([policy_document(load_text(text, "everything.yaml"))], format_)
    assert first in page


def test_what_is_neither_proved_nor_found_is_said_to_be_left_open():
    known = evidence(PLAN, KNOWN, used=UNUSED)
    explanation = explain(PLAN, request(PLAN, amount=usd("60.00"), pieces=1), known)
    amount, pieces, *_ = explanation.about.inputs()
    open_ = list(texts(decision_document(explanation, Turned(((amount, ()), (pieces, ())), (amount,))).blocks))
    proved = list(texts(decision_document(explanation, Turned(((amount, ()), (pieces, ())), (amount, pieces))).blocks))
    assert [text.rpartition(". ")[2] for text in open_ if text.startswith("Proved: ")] == [
        "Left open: the number of the pieces."
    ]
    assert [text for text in proved if "Left open" in text] == []


def test_what_a_text_begins_with_is_told_with_the_text_that_was_there():
    plan = planned(policy(TEXTS))
    explanation = explain(plan, request(plan, code="X-17"), evidence(plan))
    said = list(texts(decision_document(explanation, Turned(())).blocks))
    assert 'the code ("X-17") does not start with "A"' in said


TEXTS = """
actions: {refund.issue: {code: text}}
rules:
  - {id: known, then: allow, when: 'code.startsWith("A")'}
"""
