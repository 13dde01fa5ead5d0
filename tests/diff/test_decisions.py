"""What a change decides otherwise: a request for each way, decided by both versions, or the proof that none is."""

import pytest

from agentguard.analysis.changes.difference import Concern, Direction, Effect
from agentguard.analysis.comparing import compare
from agentguard.analysis.diffing import diff
from agentguard.core.money import Money
from agentguard.core.policy import Verdict
from agentguard.policyfile import bundle_of, load_text
from tests.diff.base import SENTENCES, TEXT, changed, loaded
from tests.project.tree import ROOT

pytestmark = pytest.mark.no_cover  # what it runs again and again is run by other tests too

REFUNDS = (ROOT / "policies" / "refunds" / "refunds.yaml").read_text(encoding="utf-8")


def compared(*edits, text=TEXT):
    return diff(loaded(text), loaded(changed(*edits, text=text)))


def ways(whole):
    return [(item.action, str(item.old), str(item.new)) for comparison in whole.decided for item in comparison.changes]


def test_files_that_are_the_same_change_nothing():
    whole = diff(loaded(), loaded())
    assert (whole.differs, whole.decides_otherwise, whole.direction) == (False, False, Direction.SAME)
    assert whole.summary() == "nothing changes"


@pytest.mark.parametrize(
    "before, after, summary",
    [
        ("version: 3", "version: 4", "the layout, the comments or the version change; no decision does"),
        ("say: It is on its way.", "say: Done.", "the wording changes, no decision does"),
        ("within: 4 hours", "within: 8 hours", "what happens around decisions changes; no decision does"),
        ("amount > 500 or", "amount > 500 or amount > 700 or", "the rules change, but no decision does"),
    ],
)
def test_what_decides_nothing_is_told_from_what_does(before, after, summary):
    whole = compared((before, after))
    assert (whole.differs, whole.decides_otherwise, whole.direction) == (True, False, Direction.SAME)
    assert whole.summary() == summary
    assert all(len(item.ruled_out) == 6 for item in whole.decided)


def test_raising_one_rule_alone_changes_nothing_and_names_the_rule_that_still_speaks():
    whole = compared(("- amount <= 50\n", "- amount <= 75\n"), text=REFUNDS)
    assert (whole.direction, whole.decides_otherwise) == (Direction.SAME, False)
    (silent,) = whole.silent
    assert (silent.rule, silent.still, silent.always) == ("refunds/small-refund", ("refunds/medium-refund",), True)
    assert silent.before.decision.verdict == silent.after.decision.verdict
    assert Money(5000, "USD") < silent.after.request.arguments["amount"] <= Money(7500, "USD")
    assert [item.effect for item in whole.said] == [Effect.NEITHER]


def test_an_automatic_limit_that_rises_is_said_in_one_sentence():
    whole = compared(("- amount <= 50\n", "- amount <= 75\n"))
    assert whole.summary() == (
        "the largest automatic amount of refund.issue rises from 50.00 USD to 75.00 USD; nothing else changes"
    )
    assert (whole.direction, ways(whole)) == (Direction.LOOSER, [("refund.issue", "deny", "allow")])
    (reach,) = whole.decided[1].reach
    assert (reach.old.value, reach.new.value, reach.alone) == (Money(5000, "USD"), Money(7500, "USD"), True)


def test_a_gap_that_opens_beside_a_raised_limit_is_not_passed_over():
    edits = (
        ("- amount <= 50\n", "- amount <= 75\n"),
        ("amount > 50 and amount <= 500", "amount > 75 and amount <= 500"),
    )
    whole = compared(*edits, text=REFUNDS)
    assert whole.direction is Direction.MIXED
    assert ways(whole) == [("refund.issue", "escalate", "allow"), ("refund.issue", "escalate", "deny")]
    assert whole.summary() == (
        "the largest automatic amount of refund.issue rises from 50.00 USD to 75.00 USD; more changes, as shown"
    )


def test_every_example_was_decided_by_both_versions_of_the_policy():
    whole = compared(("max: 300", "max: 400"))
    assert whole.summary() == "limit `month`: lets through 400.00 USD, was 300.00 USD; nothing else changes"
    change = next(item for item in whole.decided[1].changes if item.new is Verdict.ALLOW)
    assert (change.before.request, change.before.evidence.usage) == (change.after.request, change.after.evidence.usage)
    assert [str(item.decision.verdict) for item in (change.before, change.after)] == ["deny", "allow"]
    assert [check.fits for check in change.before.decision.limits] == [False]
    assert [check.fits for check in change.after.decision.limits] == [True]


@pytest.mark.parametrize(
    "before, after, direction",
    [
        ("in: 30 days", "in: 60 days", Direction.TIGHTER),
        ("in: 30 days", "in: 10 days", Direction.LOOSER),
        ("in: 30 days", "in: forever", Direction.TIGHTER),
        ("max: 300, over: deny", "max: 300, over: escalate to lead", Direction.LOOSER),
        ("else: deny}", "else: escalate to lead}", Direction.LOOSER),
        ("same: [on_behalf_of]", "same: [on_behalf_of, context.conversation]", Direction.TIGHTER),
        ("{id: identity, on", "{id: known, on", Direction.SAME),
        ("{id: month, on", "{id: thirty, on", Direction.SAME),
        ("max: 300, over: deny", 'max: 300, over: deny, when: reason == "late"', Direction.LOOSER),
        ("people: 2", "people: 1", Direction.LOOSER),
        ("people: 2", "people: 3", Direction.TIGHTER),
        ("within: 30 minutes, else", "within: 1 hour, else", Direction.LOOSER),
        ("[damaged, late, other]", "[damaged, late, other, lost]", Direction.LOOSER),
        ("<= 30 days\n", "<= 20 days\n", Direction.TIGHTER),
        ("- amount <= 50\n", "- amount < 50\n", Direction.TIGHTER),
        ("mode: enforce", "mode: shadow", Direction.MIXED),
        ("timezone: Europe/Berlin", "timezone: Europe/Lisbon", Direction.MIXED),
    ],
)
def test_the_whole_goes_one_way(before, after, direction):
    text = TEXT.replace("otherwise: deny\non", "otherwise: deny\nmode: enforce\non")
    assert compared((before, after), text=text).direction is direction


def test_an_escalation_to_weaker_people_is_looser_though_no_verdict_changes():
    whole = compared(
        ("then: escalate to finance\n    when: amount > 500", "then: escalate to lead\n    when: amount > 500")
    )
    (change,) = (change for item in whole.decided for change in item.changes)
    assert (change.routes, change.direction) == (("refunds/finance", "refunds/lead"), Direction.LOOSER)
    assert [item.id for item in change.before.decision.routes] == ["refunds/finance"]
    assert [item.id for item in change.after.decision.routes] == ["refunds/lead"]
    assert whole.direction is Direction.LOOSER


def test_files_that_govern_an_action_together_are_compared_together():
    cap = TEXT.replace("policy: refunds", "policy: cap").replace("amount <= 50\n", "amount <= 20\n")
    kept = load_text(cap, "cap.yaml")
    old = bundle_of([load_text(TEXT, "refunds.yaml"), kept])
    new = bundle_of([load_text(changed(("amount <= 50\n", "amount <= 45\n")), "refunds.yaml"), kept])
    whole = diff(old, new)
    assert (whole.direction, ways(whole)) == (Direction.SAME, [])
    assert whole.silent[0].rule == "refunds/small"


def test_an_action_that_comes_is_looser_and_one_that_goes_is_tighter():
    without = TEXT.replace("  fee.waive: {fee: money}\n", "")
    without = without[: without.index("  - id: fees")] + without[without.index("limits:") :]
    assert diff(loaded(without), loaded()).direction is Direction.LOOSER
    assert diff(loaded(), loaded(without)).direction is Direction.TIGHTER


def test_an_argument_of_another_type_is_left_open_and_may_go_either_way():
    text = changed(("order_id: text", "order_id: integer"))
    whole = diff(loaded(), loaded(text))
    assert whole.direction is Direction.MIXED
    assert whole.decided[1].open == ("`order_id` has another type",)
    assert not whole.is_known


def test_without_the_solver_the_sentences_are_there_and_nothing_is_called_proved(monkeypatch):
    monkeypatch.setattr("agentguard.analysis.solver.find_spec", lambda _: None)
    whole = compared(("- amount <= 50\n", "- amount <= 75\n"))
    assert (whole.decided, whole.direction, whole.is_known) == (None, Direction.LOOSER, False)
    assert [(item.effect, item.concern) for item in whole.said] == [(Effect.LOOSENS, Concern.DECISIONS)]
    assert compared(("score >= 80", "score >= 70")).direction is Direction.TIGHTER
    assert compared(("amount > 50 and", "amount > 60 and")).direction is Direction.MIXED


@pytest.mark.parametrize("pack", ["account", "outreach", "triage"])
def test_a_shipped_pack_is_the_same_as_itself_with_another_comment(pack):
    text = (ROOT / "policies" / pack / f"{pack}.yaml").read_text(encoding="utf-8")
    whole = diff(loaded(text), loaded(text + "# the end\n"))
    assert (whole.said, whole.direction, whole.decides_otherwise) == ((), Direction.SAME, False)


ONE_WAY = [
    item for item in SENTENCES if len(item["said"]) == 1 and item["said"][0].split()[0] in ("loosens", "tightens")
]


@pytest.mark.parametrize("change", ONE_WAY, ids=[item["after"].strip()[:50] for item in ONE_WAY])
def test_what_a_sentence_is_said_to_do_no_request_contradicts(change):
    old, new = loaded(), loaded(changed((change["before"], change["after"])))
    other = Direction.TIGHTER if change["said"][0].startswith("loosens") else Direction.LOOSER
    found = list(compare(old, new))
    assert [item.action for item in found if item.direction in (other, Direction.MIXED)] == []


ABSTAINING = """
agentguard: 1
policy: pay
version: 1
owner: pay@acme.example
timezone: UTC
currency: EUR
otherwise: abstain
on_error: deny
actions:
  pay.out: {ref: text, amount: money}
  identity.verify: {code: text}
escalations:
  lead: {who: "group:leads", within: 1 day}
rules:
  - {id: small, on: [pay.out], then: allow, when: amount <= 50}
requires:
  - id: identity
    on: [pay.out]
    action: identity.verify
    same: [on_behalf_of]
    within: 60 minutes
    else: escalate to lead
"""


@pytest.mark.parametrize(
    "before, after, direction",
    [
        ("within: 60 minutes", "within: 30 minutes", Direction.MIXED),  # above 50 people are asked who were not
        ("within: 60 minutes", "within: 2 hours", Direction.MIXED),
        ("60 minutes\n    else: escalate to lead", "30 minutes\n    else: deny", Direction.TIGHTER),
        ("id: identity", "id: known", Direction.SAME),
    ],
)
def test_a_requirement_is_compared_by_what_is_decided_where_it_happened_and_where_not(before, after, direction):
    whole = compared((before, after), text=ABSTAINING)
    assert (whole.direction, whole.is_known) == (direction, True)
