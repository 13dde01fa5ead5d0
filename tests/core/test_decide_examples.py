"""Decisions at the edges, each an example that a product owner could check by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agentguard.core.decide import decide
from agentguard.core.decision import Decision
from agentguard.core.limits import LARGEST_AMOUNT
from agentguard.core.money import Money
from agentguard.core.policy import Verdict
from agentguard.core.request import Vote
from tests.core.situations import ABSENT, FAILED, NOW, codes, decided, evidence, planned, policy, request, usd

REFUNDS = policy("""
on_error: escalate to finance
say_otherwise: {en: I cannot do that here., de: Das geht hier nicht.}
say_on_error: A colleague will look at it.
actions: {refund.issue: {amount: money}}
facts: {order.total: money, order.days: integer?}
context: {language: text?}
escalations:
  lead: {who: "group:leads", within: 4 hours, if_late: deny}
  finance: {who: "group:finance", people: 2, within: 1 day, if_late: deny}
rules:
  - {id: small, then: allow, when: amount <= 50, because: Small.}
  - id: medium
    then: escalate to lead
    when: amount > 50 and amount <= 500
    say: {en: A colleague decides., de: Jemand entscheidet.}
  - {id: large, then: escalate to finance, when: amount > 400}
  - id: too-much
    then: deny
    when: amount > order.total
    because: "{amount} is more than {order.total}."
    say: That is more than you paid.
  - {id: old, then: deny, when: has(order.days) and order.days > 30}
limits:
  - {id: month, sum: amount, per: on_behalf_of, in: 30 days, max: 100, over: escalate to lead}
  - {id: count, count: actions, per: on_behalf_of, in: calendar day, max: 3, over: deny}
""")
FACTS = {"order.total": usd("1000"), "order.days": ABSENT}
FREE = {"shop/month": (0, 0), "shop/count": (0, 0)}


@pytest.fixture(scope="module")
def refunds():
    return planned(REFUNDS)


@pytest.mark.parametrize(
    "amount,verdict,route",
    [
        ("49.99", "allow", None),
        ("50.00", "allow", None),
        ("50.01", "escalate", "shop/lead"),
        ("400.00", "escalate", "shop/lead"),
        ("400.01", "escalate", "shop/finance"),
        ("500.01", "escalate", "shop/finance"),
        ("1000.00", "escalate", "shop/finance"),
        ("1000.01", "deny", None),
    ],
)
def test_a_threshold_decides_at_just_under_and_just_over(refunds, amount, verdict, route):
    decision = decided(refunds, FACTS, amount=usd(amount), used=FREE)
    assert str(decision.verdict) == verdict
    assert [asked.id for asked in decision.routes] == ([route] if route else [])


@pytest.mark.parametrize("held,settled", [(0, 6000), (6000, 0), (1000, 5000)])
def test_an_action_that_just_fits_a_limit_passes_and_one_cent_more_does_not(refunds, held, settled):
    used = {**FREE, "shop/month": (held, settled)}
    assert decided(refunds, FACTS, amount=usd("40.00"), used=used).verdict is Verdict.ALLOW
    over = decided(refunds, FACTS, amount=usd("40.01"), used=used)
    assert codes(over) == ["limit_exceeded shop/month", "rule_matched shop/small"]
    assert [asked.id for asked in over.routes] == ["shop/lead"]


def test_the_third_of_three_passes_and_the_fourth_does_not(refunds):
    for before, verdict in ((2, Verdict.ALLOW), (3, Verdict.DENY)):
        used = {**FREE, "shop/count": (0, before)}
        assert decided(refunds, FACTS, amount=usd("1"), used=used).verdict is verdict


def test_a_limit_check_says_what_was_used_and_what_the_max_was(refunds):
    decision = decided(refunds, FACTS, amount=usd("40"), used={**FREE, "shop/month": (1000, 5000)})
    month = decision.limits[0]
    assert (month.used, month.held, month.amount, month.max, month.unit) == (6000, 1000, 4000, 10000, "USD")
    assert month.window_start == NOW - timedelta(days=30)
    assert decision.limits[1].window_start == datetime(2026, 11, 19, 23, 0, tzinfo=UTC)


def test_a_fact_that_is_absent_and_one_whose_lookup_failed_are_not_the_same(refunds):
    assert decided(refunds, FACTS, amount=usd("1"), used=FREE).verdict is Verdict.ALLOW
    failed = decided(refunds, {**FACTS, "order.days": FAILED}, amount=usd("1"), used=FREE)
    assert (
        codes(failed)
        == [
            "cannot_evaluate shop/old",
            "rule_matched shop/small",
            "cannot_evaluate shop/on_error",
        ]
        or failed.verdict is Verdict.DENY
    )
    assert failed.verdict is Verdict.DENY  # a deny rule keeps its verdict
    assert failed.say == "A colleague will look at it."


def test_a_missing_fact_leaves_the_words_of_its_rule_unsaid(refunds):
    decision = decided(refunds, {"order.days": ABSENT, "order.total": ABSENT}, amount=usd("1"), used=FREE)
    reason = decision.reasons[0]
    assert (reason.code, reason.source, reason.because) == ("cannot_evaluate", "shop/too-much", "")
    assert "order.total" in reason.detail


def test_words_are_filled_with_the_values_that_decided(refunds):
    decision = decided(refunds, FACTS, amount=usd("1000.01"), used=FREE)
    assert decision.reasons[0].because == "1000.01 USD is more than 1000.00 USD."
    assert (decision.say, decision.language) == ("That is more than you paid.", "")


@pytest.mark.parametrize(
    "language,say",
    [
        (None, "A colleague decides."),
        ("de", "Jemand entscheidet."),
        ("de-AT", "Jemand entscheidet."),
        ("fr", "A colleague decides."),
    ],
)
def test_the_customer_hears_their_language_and_english_where_it_is_not_there(refunds, language, say):
    context = {"language": language} if language else {}
    assert decided(refunds, FACTS, amount=usd("60"), used=FREE, context=context).say == say


def test_silence_is_denied_with_the_words_for_it():
    plan = planned(REFUNDS.replace("when: amount <= 50,", "when: amount <= 5,"))
    decision = decided(plan, FACTS, amount=usd("20"), used=FREE, context={"language": "de"})
    assert codes(decision) == ["no_rule_matched shop/otherwise"]
    assert decision.say == "Das geht hier nicht."


# Votes (law 7)


def vote(decision: Decision, voter: str, group: str, *, yes: bool = True) -> Vote:
    shown = frozenset(reason.identity for reason in decision.reasons if reason.verdict is Verdict.ESCALATE)
    return Vote("e", voter, yes, frozenset({f"group:{group}"}), "os_login", "d", shown, NOW)


def test_the_verdict_stays_escalate_with_approved_beside_it(refunds):
    first = decided(refunds, FACTS, amount=usd("60"), used=FREE)
    second = decided(refunds, FACTS, amount=usd("60"), used=FREE, votes=(vote(first, "maria", "leads"),))
    assert (second.verdict, second.approved, second.permits) == (Verdict.ESCALATE, True, True)
    assert (first.approved, first.permits) == (False, False)


def test_one_vote_is_not_enough_for_two_people(refunds):
    first = decided(refunds, FACTS, amount=usd("450"), used=FREE)
    maria, tom = vote(first, "maria", "finance"), vote(first, "tom", "finance")
    assert not decided(refunds, FACTS, amount=usd("450"), used=FREE, votes=(maria,)).approved
    assert decided(refunds, FACTS, amount=usd("450"), used=FREE, votes=(maria, tom)).approved


def test_votes_do_not_lift_a_reason_that_came_after_them(refunds):
    votes = (vote(decided(refunds, FACTS, amount=usd("60"), used=FREE), "maria", "leads"),)
    later = decided(refunds, FACTS, amount=usd("60"), used={**FREE, "shop/month": (0, 9000)}, votes=votes)
    assert (later.verdict, later.approved) == (Verdict.ESCALATE, False)


def test_votes_never_lift_a_denial(refunds):
    votes = (vote(decided(refunds, FACTS, amount=usd("60"), used=FREE), "maria", "leads"),)
    later = decided(refunds, FACTS, amount=usd("60"), used={**FREE, "shop/count": (0, 3)}, votes=votes)
    assert (later.verdict, later.permits) == (Verdict.DENY, False)


def test_what_a_person_approved_is_denied_if_it_cannot_be_counted(refunds):
    first = decided(refunds, FACTS, amount=usd("60"), used={})
    assert first.verdict is Verdict.DENY  # the count is over: deny, and it could not be evaluated
    only_month = planned(REFUNDS.replace("max: 3, over: deny", "max: 3, over: escalate to lead"))
    first = decided(only_month, FACTS, amount=usd("60"), used={})
    both = frozenset({"group:leads", "group:finance"})
    votes = tuple(replace(vote(first, voter, "finance"), groups=both) for voter in ("maria", "tom"))
    second = decided(only_month, FACTS, amount=usd("60"), used={}, votes=votes)
    assert (second.verdict, second.approved) == (Verdict.DENY, False)
    assert decided(only_month, FACTS, amount=usd("60"), used=FREE, votes=votes).permits


# Files together


def test_the_routes_of_two_files_must_both_be_satisfied():
    other = policy(
        """
actions: {refund.issue: {amount: money}}
facts: {order.total: money, order.days: integer?}
context: {language: text?}
otherwise: abstain
escalations:
  fraud: {who: "group:fraud", within: 1 hour, if_late: deny}
rules:
  - {id: watched, then: escalate to fraud, when: amount > 55}
""",
        "watch",
    )
    plan = planned(REFUNDS, other)
    assert decided(plan, FACTS, amount=usd("50"), used=FREE).verdict is Verdict.ALLOW
    both = decided(plan, FACTS, amount=usd("60"), used=FREE)
    assert {asked.id for asked in both.routes} == {"shop/lead", "watch/fraud"}
    lead, fraud = vote(both, "maria", "leads"), vote(both, "ines", "fraud")
    assert not decided(plan, FACTS, amount=usd("60"), used=FREE, votes=(lead,)).approved
    assert decided(plan, FACTS, amount=usd("60"), used=FREE, votes=(lead, fraud)).approved


def test_a_shadow_file_is_decided_beside_and_changes_nothing():
    shadow = policy(
        """
mode: shadow
actions: {refund.issue: {amount: money}}
facts: {order.total: money, order.days: integer?}
context: {language: text?}
rules:
  - {id: nothing, then: deny}
""",
        "trial",
    )
    decision = decided(planned(REFUNDS, shadow), FACTS, amount=usd("10"), used=FREE)
    assert decision.verdict is Verdict.ALLOW
    assert decision.shadow is not None
    assert codes(decision.shadow) == ["rule_matched trial/nothing"]


# Dates, requirements, computed arguments, currencies

DATED = policy("""
actions: {refund.issue: {amount: money}}
rules:
  - {id: until-christmas, then: allow, when: amount <= 50, expires: 2026-12-24}
  - {id: never-again, then: deny, when: amount == 13, expires: 2026-01-01}
""")


def test_a_rule_that_loosens_falls_silent_on_its_day_in_the_files_zone_and_one_that_tightens_keeps_speaking():
    plan = planned(DATED)
    eve = datetime(2026, 12, 23, 22, 59, 59, tzinfo=UTC)  # 23:59:59 in Berlin
    assert decided(plan, amount=usd("10"), now=eve).verdict is Verdict.ALLOW
    assert decided(plan, amount=usd("10"), now=eve + timedelta(seconds=1)).verdict is Verdict.DENY
    assert codes(decided(plan, amount=usd("13"), now=eve))[0] == "rule_matched shop/never-again"


def test_what_had_to_happen_first_is_a_reason_when_it_did_not():
    plan = planned(
        policy("""
actions: {refund.issue: {amount: money}, identity.verify: {code: text}}
context: {conversation: text}
rules: [{id: fine, then: allow, when: yes}]
requires:
  - id: identity
    on: [refund.issue]
    action: identity.verify
    same: [on_behalf_of, context.conversation]
    within: 30 minutes
    else: deny
""")
    )
    context = {"conversation": "c-1"}
    assert decided(plan, amount=usd("1"), context=context, happened={"shop/identity": 7}).verdict is Verdict.ALLOW
    missing = decided(plan, amount=usd("1"), context=context, happened={"shop/identity": None})
    assert codes(missing)[0] == "requirement_missing shop/identity"
    unknown = decided(plan, amount=usd("1"), happened={})
    assert codes(unknown)[0] == "cannot_evaluate shop/identity"


def test_an_argument_that_cannot_be_computed_is_a_denial():
    plan = planned(
        policy("""
actions: {refund.issue: {order_id: text, amount: "money, computed as due"}}
facts: {order.total: money, order.paid: money?}
names: {due: 'rounded(percent(order.total, 10), "half_up")'}
on_error: escalate to lead
escalations: {lead: {who: "group:leads", within: 4 hours, if_late: deny}}
rules: [{id: fine, then: allow, when: amount <= 50}]
""")
    )
    assert decided(plan, {"order.total": usd("499.95")}, order_id="A").verdict is Verdict.ALLOW
    assert decided(plan, {"order.total": usd("500.05")}, order_id="A").verdict is Verdict.DENY
    failed = decided(plan, {"order.total": FAILED}, order_id="A")
    assert failed.verdict is Verdict.DENY
    assert "amount" in failed.reasons[0].detail
    tiny = decided(plan, {"order.total": usd("0.04")}, order_id="A")
    assert tiny.verdict is Verdict.DENY  # 0.004 rounds to nothing, and an amount is above zero


def test_two_currencies_have_accounts_and_maxima_apart():
    plan = planned(
        policy("""
currency: [USD, EUR]
actions: {refund.issue: {amount: money}}
rules: [{id: fine, then: allow, when: yes}]
limits:
  - {id: day, sum: amount, per: on_behalf_of, in: 1 days, max: {USD: 100, EUR: 80}, over: deny}
""")
    )
    for amount, verdict in (("100 USD", "allow"), ("100.01 USD", "deny"), ("80 EUR", "allow"), ("80.01 EUR", "deny")):
        decision = decided(plan, amount=Money.parse(amount), used={"shop/day": (0, 0)})
        assert str(decision.verdict) == verdict, amount
    dollars, euros = (
        decided(plan, amount=Money.parse(f"1 {unit}"), used={"shop/day": (0, 0)}).limits[0] for unit in ("USD", "EUR")
    )
    assert dollars.account != euros.account


def test_renaming_a_limit_or_changing_its_window_max_or_verdict_keeps_its_account():
    def account(text: str) -> str:
        plan = planned(policy(text))
        return decided(plan, amount=usd("1"), used={"shop/a": (0, 0), "shop/b": (0, 0)}).limits[0].account

    body = (
        "actions: {refund.issue: {amount: money}}\nrules: [{id: fine, then: allow, when: yes}]\n"
        "limits: [{id: a, sum: amount, per: on_behalf_of, in: 1 days, max: 10, over: deny}]\n"
    )
    same = body.replace("id: a", "id: b").replace("in: 1 days, max: 10", "in: calendar month, max: 99")
    assert account(body) == account(same)
    assert account(body) != account(body.replace("per: on_behalf_of", "per: agent.id"))
    assert account(body) != account(body.replace("max: 10,", "max: 10, when: amount > 0.50,"))


def test_decide_says_no_more_of_the_request_than_the_request(refunds):
    asked = request(refunds, amount=usd("20"))
    known = evidence(refunds, FACTS, used=FREE)
    assert decide(refunds, asked, known) == decide(refunds, replace(asked, key="other"), known)


# What is remembered between requests, and what is not

ASKING = policy("""
actions: {refund.issue: {amount: money}}
facts: {order.days: integer?}
escalations: {lead: {who: "group:leads", within: 4 hours, if_late: deny}}
rules:
  - {id: small, then: allow, when: amount <= 50}
  - {id: large, then: escalate to lead, when: amount > 50}
  - {id: old, then: deny, when: has(order.days) and order.days > 30, say: Too old.}
""")
YOUNG = {"order.days": 3}


def test_votes_count_where_only_rules_decide_and_do_not_count_for_the_next_request():
    plan = planned(ASKING)
    assert plan.tabular
    first = decided(plan, YOUNG, amount=usd("60"))
    votes = (vote(first, "maria", "leads"),)
    assert not first.approved
    assert decided(plan, YOUNG, amount=usd("60"), votes=votes).approved
    assert not decided(plan, YOUNG, amount=usd("60")).approved


def test_the_same_case_gives_the_same_decision_and_an_error_is_never_remembered():
    plan = planned(ASKING)
    assert decided(plan, YOUNG, amount=usd("10")) is decided(plan, YOUNG, amount=usd("20"))
    remembered = len(plan.table)
    assert decided(plan, {"order.days": FAILED}, amount=usd("10")).verdict is Verdict.DENY
    assert len(plan.table) == remembered


def test_a_fact_that_nobody_gathered_is_not_an_absent_one():
    assert decided(planned(ASKING), {"order.days": ABSENT}, amount=usd("10")).verdict is Verdict.ALLOW
    assert decided(planned(ASKING), {}, amount=usd("10")).verdict is Verdict.DENY


@pytest.mark.parametrize("said", ['say: "Not {amount}."', 'because: "Not {amount}."'])
def test_words_with_values_are_said_anew_for_each_request(said):
    plan = planned(ASKING.replace("when: amount > 50}", f"when: amount > 50, {said}}}"))
    words = [
        (decision.say, decision.reasons[0].because)
        for decision in (decided(plan, YOUNG, amount=usd(amount)) for amount in ("60", "70"))
    ]
    assert any("60.00" in text for text in words[0])
    assert any("70.00" in text for text in words[1])


# Limits that cannot be checked

BY_FACT = policy("""
currency: [USD, EUR]
actions: {refund.issue: {amount: money}}
facts: {order.total: money}
escalations: {lead: {who: "group:leads", within: 4 hours, if_late: deny}}
on_error: escalate to lead
rules: [{id: fine, then: allow, when: yes}]
limits:
  - {id: day, sum: amount, in: 1 days, max: order.total, over: escalate to lead}
""")


def test_a_limit_whose_max_is_not_known_does_not_fit_and_is_held_on_all_the_same():
    decision = decided(planned(BY_FACT), {"order.total": FAILED}, amount=usd("10"), used={"shop/day": (100, 200)})
    (unchecked,) = decision.limits
    assert (unchecked.max, unchecked.fits, unchecked.amount, unchecked.used) == (None, False, 1000, 300)
    assert unchecked.account
    assert codes(decision)[0] == "cannot_evaluate shop/day"


def test_a_max_in_another_currency_bounds_nothing_and_is_an_error():
    facts = {"order.total": Money.parse("1000 EUR")}
    decision = decided(planned(BY_FACT), facts, amount=usd("10"), used={"shop/day": (0, 0)})
    assert codes(decision)[0] == "cannot_evaluate shop/day"
    euros = decided(planned(BY_FACT), facts, amount=Money.parse("10 EUR"), used={"shop/day": (0, 0)})
    assert euros.verdict is Verdict.ALLOW


def test_an_amount_that_no_account_can_hold_is_an_error_and_the_largest_one_is_not():
    plan = planned(BY_FACT)
    used, facts = {"shop/day": (0, 0)}, {"order.total": Money(10**19, "USD")}
    assert decided(plan, facts, amount=Money(LARGEST_AMOUNT, "USD"), used=used).verdict is Verdict.ALLOW
    over = decided(plan, facts, amount=Money(LARGEST_AMOUNT + 1, "USD"), used=used)
    assert (over.verdict, over.limits) == (Verdict.ESCALATE, ())
