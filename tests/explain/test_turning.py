"""What is said to change a decision really changes it, is the nearest that does, and is proved where nothing does."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from agentguard.analysis.turned import turned
from agentguard.core.asked import Asked, From
from agentguard.core.explain import explain
from agentguard.core.policy import Verdict
from agentguard.core.request import Fact, FactStatus
from agentguard.core.scale import near, shifted, size
from tests.core.situations import ABSENT, NOW, evidence, planned, policy, request, usd

EVERYTHING = policy("""
actions:
  refund.issue: {amount: money, pieces: integer, reason: [damaged, late, other], note: text?, order_id: text}
facts:
  order.total: money
  order.paid_on: date
  order.delivered_at: time?
  order.weight: decimal
  order.customer_id: text
  order.items: list of text
  customer.notice: duration
  customer.trusted: yes_no
  customer.score: integer?
context: {wants_person: yes_no?}
escalations:
  lead: {who: "group:leads", within: 4 hours, if_late: deny}
names:
  left: order.total - held("order")
rules:
  - id: small
    then: allow
    when:
      - amount <= percent(order.total, 50) and pieces < 3
      - reason in ["damaged", "late"]
      - order.weight <= 2.5 and day_of(now) - order.paid_on <= 30 days
      - customer.notice >= 2 hours and customer.trusted
  - id: score
    then: escalate to lead
    when: has(customer.score) and customer.score > 70
  - id: person
    then: escalate to lead
    when: has(context.wants_person) and context.wants_person
  - {id: left, then: deny, when: amount > left}
  - {id: theirs, then: deny, when: order.customer_id != on_behalf_of}
  - {id: nobody, then: deny, when: 'order.customer_id == "nobody"'}
  - {id: banned, then: deny, when: 'order.items.exists(i, i == "banned")'}
  - {id: days, then: deny, when: has(order.delivered_at) and now - order.delivered_at > 30 days}
limits:
  - {id: order, sum: amount, per: order_id, in: forever, max: order.total, over: deny}
  - {id: month, sum: amount, per: on_behalf_of, in: 30 days, max: 300, over: escalate to lead}
requires:
  - {id: identity, action: identity.verify, same: [on_behalf_of], else: deny}
""")
ASKED = {"amount": usd("40.00"), "pieces": 1, "reason": "late", "order_id": "A"}
FACTS = {
    "order.total": usd("100.00"),
    "order.paid_on": date(2026, 11, 1),
    "order.delivered_at": NOW - timedelta(days=3),
    "order.weight": Decimal(2),
    "order.customer_id": "cus_1",
    "order.items": ("a",),
    "customer.notice": timedelta(hours=3),
    "customer.trusted": True,
    "customer.score": ABSENT,
}
USED = {"shop/order": (0, 0), "shop/month": (0, 0)}
PLAN = planned(EVERYTHING)


def about(asked=None, facts=None, used=None, happened=1, context=None, hidden=frozenset()):
    known = evidence(
        PLAN, {**FACTS, **(facts or {})}, used={**USED, **(used or {})}, happened={"shop/identity": happened}
    )
    return explain(PLAN, request(PLAN, context=context, **{**ASKED, **(asked or {})}), known, hidden=hidden)


def turns_of(name, **more):
    found = {item.name: turns for item, turns in about(**more).turns()}
    return [(turn.value, str(turn.decision.verdict), turn.before) for turn in found[name]]


@pytest.mark.parametrize(
    "name, situation, expected",
    [
        ("amount", {"asked": {"amount": usd("75.00")}}, [(usd("50.00"), "allow", usd("50.01"))]),
        ("amount", {"used": {"shop/month": (0, 27_000)}}, [(usd("30.00"), "allow", usd("30.01"))]),
        ("order.total", {"asked": {"amount": usd("75.00")}}, [(usd("150.00"), "allow", usd("149.99"))]),
        ("pieces", {"asked": {"pieces": 4}}, [(2, "allow", 3)]),
        ("pieces", {}, [(3, "deny", 2)]),
        ("reason", {"asked": {"reason": "other"}}, [("damaged", "allow", None), ("late", "allow", None)]),
        ("order.weight", {"facts": {"order.weight": Decimal(3)}}, [(Decimal("2.5"), "allow", Decimal("2.51"))]),
        (
            "order.paid_on",
            {"facts": {"order.paid_on": date(2026, 10, 1)}},
            [(date(2026, 10, 21), "allow", date(2026, 10, 20))],
        ),
        (
            "order.delivered_at",
            {"facts": {"order.delivered_at": NOW - timedelta(days=40)}},
            [
                (NOW - timedelta(days=30), "allow", NOW - timedelta(days=30, seconds=1)),
                (None, "allow", None),
            ],
        ),
        (
            "customer.notice",
            {"facts": {"customer.notice": timedelta(minutes=5)}},
            [(timedelta(hours=2), "allow", timedelta(seconds=7199))],
        ),
        ("customer.trusted", {"facts": {"customer.trusted": False}}, [(True, "allow", None)]),
        ("customer.score", {}, [(71, "escalate", None)]),
        ("customer.score", {"facts": {"customer.score": 90}}, [(70, "allow", 71), (None, "allow", None)]),
        ("context.wants_person", {"context": {"wants_person": True}}, [(False, "allow", None), (None, "allow", None)]),
        ("order.customer_id", {"facts": {"order.customer_id": "cus_2"}}, [("cus_1", "allow", None)]),
        ("shop/month", {"used": {"shop/month": (0, 27_000)}}, [(usd("260.00"), "allow", usd("260.01"))]),
        ("shop/identity", {"happened": None}, [(True, "allow", None)]),
        ("note", {"asked": {"pieces": 4}}, []),
        ("order_id", {"asked": {"pieces": 4}}, []),
        ("order.items", {}, []),
        ("amount", {"asked": {"amount": usd("75.00"), "pieces": 4}}, []),
    ],
)
def test_each_kind_of_input_turns_where_it_does(name, situation, expected):
    assert turns_of(name, **situation) == expected


def test_a_refusal_that_nothing_turns_into_a_yes_turns_where_people_would_be_asked():
    situation = {"facts": {"order.customer_id": "cus_2", "customer.score": 90}}
    assert turns_of("order.customer_id", **situation) == [("cus_1", "escalate", None)]


def test_whatever_is_said_to_turn_a_decision_does_and_its_neighbour_does_not():
    generator = random.Random(40)
    told = 0
    for _ in range(30):
        explanation = about(**situation_of(generator))
        verdict = explanation.decision.verdict
        for item, turns in explanation.turns():
            for turn in turns:
                told += 1
                again = explanation.about.changed(item, turn.value).decision()
                assert again == turn.decision
                assert again.verdict is not Verdict.ALLOW if verdict is Verdict.ALLOW else again.verdict < verdict
                if turn.before is not None:
                    before = explanation.about.changed(item, turn.before).decision()
                    assert before.verdict is not again.verdict
    assert told > 25


def test_nothing_that_is_proved_to_change_nothing_is_changed_by_any_value():
    pytest.importorskip("z3")
    generator = random.Random(41)
    proved = 0
    for _ in range(6):
        explanation = about(**situation_of(generator))
        allowed = explanation.decision.verdict is Verdict.ALLOW
        for item in turned(explanation).fixed:
            proved += 1
            for value in values_of(item, generator):
                again = explanation.about.changed(item, value).decision()
                assert (again.verdict is Verdict.ALLOW) is allowed, (item, value)
    assert proved > 20


def test_what_chooses_the_account_is_neither_tried_nor_proved():
    pytest.importorskip("z3")
    found = turned(about(asked={"pieces": 4}))
    assert "order_id" not in {item.name for item in found.fixed}
    assert "amount" in {item.name for item in found.fixed}


def test_what_another_account_would_count_nobody_knows_so_it_is_not_tried():
    body = """
actions: {refund.issue: {amount: money, reason: [late, other]}}
rules:
  - {id: fine, then: allow, when: 'reason == "late"'}
limits:
  - {id: kinds, count: actions, per: reason, in: 30 days, max: 1, over: deny}
"""
    for text, turning in ((body, ()), (body.replace("per: reason, ", ""), ("late",))):
        plan = planned(policy(text))
        asked = request(plan, amount=usd("1.00"), reason="other")
        explanation = explain(plan, asked, evidence(plan, used={"shop/kinds": (0, 0)}))
        ((found),) = [turns for item, turns in explanation.turns() if item.name == "reason"]
        assert tuple(turn.value for turn in found) == turning


INSIDE = policy("""
actions: {refund.issue: {amount: money, note: text?}}
types: {item: {price: money}}
facts: {order.items: list of item}
rules:
  - {id: fits, then: allow, when: 'order.items.all(i, amount <= i.price) and (not has(note) or note != "urgent")'}
""")


def test_the_solver_finds_the_nearest_value_where_no_comparison_alone_shows_it():
    pytest.importorskip("z3")
    plan = planned(INSIDE)
    known = evidence(plan, {"order.items": ({"price": usd("30.00")}, {"price": usd("55.00")})})
    explanation = explain(plan, request(plan, amount=usd("40.00")), known)
    assert {item.name: turns for item, turns in explanation.turns()}["amount"] == ()
    ((found,),) = [turns for item, turns in turned(explanation).turns if item.name == "amount"]
    assert (found.value, found.decision.verdict, found.before) == (usd("30.00"), Verdict.ALLOW, usd("30.01"))
    assert [item.name for item in turned(explanation).fixed] == ["note"]


def test_without_the_solver_the_turns_are_there_and_nothing_is_called_proved(monkeypatch):
    monkeypatch.setattr("agentguard.analysis.solver.find_spec", lambda _: None)
    found = turned(about(asked={"amount": usd("75.00")}))
    assert found.fixed == ()
    assert [turn.value for item, turns in found.turns if item.name == "amount" for turn in turns] == [usd("50.00")]


def test_what_may_not_be_seen_is_neither_tried_nor_compared_with():
    facts = {"order.customer_id": "cus_2"}
    assert turns_of("order.customer_id", facts=facts) != []
    assert turns_of("order.customer_id", facts=facts, hidden=frozenset({"on_behalf_of"})) == []
    hidden = about(facts=facts, hidden=frozenset({"order.customer_id"}))
    assert "order.customer_id" not in {item.name for item, _ in hidden.turns()}


def test_no_value_that_is_told_gives_away_one_that_may_not_be_seen():
    asked, secret = {"amount": usd("75.00")}, frozenset({"order.total"})
    assert turns_of("amount", asked=asked) != []
    assert turns_of("amount", asked=asked, hidden=secret) == []
    found = {item.name: turns for item, turns in turned(about(asked=asked, hidden=secret)).turns}
    assert found["amount"] == ()


def test_a_rounded_amount_turns_where_it_is_rounded_to_the_next():
    body = """
actions: {refund.issue: {amount: money}}
rules:
  - {id: fine, then: allow, when: 'rounded(percent(amount, 1), "down") <= 0.50'}
"""
    plan = planned(policy(body))
    explanation = explain(plan, request(plan, amount=usd("75.00")), evidence(plan))
    ((found,),) = [turns for _, turns in explanation.turns()]
    assert (found.value, found.before) == (usd("50.99"), usd("51.00"))


def test_what_is_not_there_stays_so_in_a_proof():
    pytest.importorskip("z3")
    body = """
actions: {refund.issue: {amount: money, note: text?}}
rules:
  - {id: fine, then: allow, when: has(note) and amount <= 50}
"""
    plan = planned(policy(body))
    explanation = explain(plan, request(plan, amount=usd("75.00")), evidence(plan))
    assert [item.name for item in turned(explanation).fixed] == ["amount", "note"]


def test_whatever_names_the_customer_is_hidden_where_the_customer_is():
    explanation = about(facts={"order.items": ("cus_1", "b")}, hidden=frozenset({"on_behalf_of"}))
    operands = [operand.value for rule in explanation.rules for item in rule.comparisons for operand in item.operands]
    assert "cus_1" not in operands
    assert usd("40.00") in operands
    assert not explanation.may_show("order.customer_id", "cus_1")
    assert not explanation.may_show("order.items", ("a", "cus_1"))
    assert explanation.may_show("order.items", ("a",))


def test_a_fact_that_could_not_be_looked_up_is_no_input():
    explanation = about(facts={"order.weight": Fact(FactStatus.FAILED)})
    assert "order.weight" not in {item.name for item, _ in explanation.turns()}


def test_sizes_go_there_and_back():
    items = {item.name: item for item in Asked(PLAN, request(PLAN, **ASKED), evidence(PLAN, FACTS)).inputs()}
    for name in ("amount", "pieces", "order.weight", "order.paid_on", "order.delivered_at", "customer.notice"):
        item = items[name]
        assert item.value in near(size(item.value), item.type, "USD")
        assert shifted(shifted(item.value, 5, item.type), -5, item.type) == item.value
    assert shifted(date.max, 1, items["order.paid_on"].type) is None
    assert size("text") is None


def situation_of(generator):
    """Return how one request is unlike the usual one."""
    asked = {
        "amount": usd(generator.choice(("20.00", "50.00", "50.01", "75.00", "130.00"))),
        "pieces": generator.choice((1, 2, 3, 9)),
        "reason": generator.choice(("damaged", "other")),
    }
    facts = {
        "order.weight": generator.choice((Decimal(1), Decimal("2.6"))),
        "customer.trusted": generator.random() < 0.8,
        "customer.score": generator.choice((ABSENT, 20, 99)),
        "order.delivered_at": generator.choice((ABSENT, NOW - timedelta(days=generator.randrange(60)))),
    }
    return {
        "asked": asked,
        "facts": facts,
        "used": {"shop/month": (0, generator.choice((0, 25_000, 40_000)))},
        "happened": generator.choice((1, 1, None)),
        "context": generator.choice(({}, {"wants_person": True})),
    }


def values_of(item, generator):
    """Return values that an input could have."""
    match item.value, item.source:
        case bool(), _:
            return [True, False]
        case datetime(), _:
            return [NOW + timedelta(days=generator.randrange(-400, 40)) for _ in range(10)]
        case date(), _:
            return [date(2026, 1, 1) + timedelta(days=generator.randrange(400)) for _ in range(10)]
        case timedelta(), _:
            return [timedelta(minutes=generator.randrange(-100, 1_000)) for _ in range(10)]
        case Decimal(), _:
            return [Decimal(generator.randrange(-500, 500)) / 100 for _ in range(10)]
        case str(), _ if item.name == "reason":
            return ["damaged", "late", "other"]
        case str(), _:
            return ["cus_1", "cus_2", "A", ""]
        case int(), _:
            return [generator.randrange(-5, 100) for _ in range(10)]
        case tuple(), _:
            return [(), ("a", "b"), ("cus_1",) * 9]
        case None, _:
            return {"note": ["", "x"], "customer.score": [0, 70, 71], "context.wants_person": [True, False]}.get(
                item.name, []
            )
        case _, From.LIMIT:
            return [usd(f"{generator.randrange(40_000) / 100:.2f}") for _ in range(10)]
        case _:
            return [usd(f"{generator.randrange(1, 40_000) / 100:.2f}") for _ in range(10)]


TWICE = policy("""
actions: {refund.issue: {amount: money}, identity.verify: {code: text}}
rules: [{id: any, on: [refund.issue], then: allow}]
limits:
  - {id: day, on: [refund.issue], sum: amount, per: on_behalf_of, in: 1 days, max: 100, over: deny}
  - {id: also, on: [refund.issue], sum: amount, per: on_behalf_of, in: 1 days, max: 500, over: deny}
requires:
  - {id: one, on: [refund.issue], action: identity.verify, same: [on_behalf_of], else: deny}
  - {id: two, on: [refund.issue], action: identity.verify, same: [on_behalf_of], else: deny}
""")


@pytest.mark.parametrize(
    "used, happened, turns",
    [
        ({"shop/day": (5_000, 4_000), "shop/also": (0, 0)}, (1, 1), {"amount", "shop/day"}),
        ({"shop/day": (0, 0), "shop/also": (0, 0)}, (1, None), {"shop/two"}),
    ],
)
def test_what_is_said_of_one_account_twice_is_taken_as_it_is_said(used, happened, turns):
    pytest.importorskip("z3")
    plan = planned(TWICE)
    known = evidence(plan, {}, used=used, happened=dict(zip(("shop/one", "shop/two"), happened, strict=True)))
    found = turned(explain(plan, request(plan, amount=usd("20.00")), known))
    assert {item.name for item, turn in found.turns if turn} == turns
    assert turns.isdisjoint(item.name for item in found.fixed)
