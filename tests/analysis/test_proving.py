"""Promises about every request: kept ones are proved, broken ones are shown by a request that `decide` decided."""

from pathlib import Path

import pytest

from agentguard import policyfile
from agentguard.analysis.proving import Outcome, largest, prove
from agentguard.core.money import Money
from agentguard.core.policy import Verdict
from agentguard.errors import PolicyError, UsageError
from agentguard.policyfile import bundle_of, load_text
from tests.core.situations import policy

PACKS = Path(__file__).parents[2] / "policies"
SHOP = """
actions: {refund.issue: {order_id: text, amount: money}}
facts: {order.total: money, order.customer_id: text, customer.score: "integer?", order.items: list of item}
types: {item: {price: money, final_sale: yes_no}}
escalations: {lead: {who: "group:leads", within: 4 hours, if_late: deny}}
on_error: escalate to lead
"""


def proofs(rules, guarantees, *more):
    first = load_text(policy(f"{SHOP}rules:\n{rules}\nguarantees:\n{guarantees}\n"), "shop.yaml")
    others = [load_text(policy(f"{SHOP}{body}", name), f"{name}.yaml") for name, body in more]
    return list(prove(bundle_of([first, *others])))


SMALL = "  - {id: small, then: allow, when: amount <= 50}\n  - {id: large, then: escalate to lead, when: amount > 50}"


def test_a_promise_that_every_request_keeps_holds():
    (proof,) = proofs(SMALL, "  - {id: cap, never: allow, when: amount > 50}")
    assert (proof.id, proof.outcome, proof.kept, proof.example) == ("shop/cap", Outcome.HOLDS, True, None)
    assert proof.text == "never: allow when amount > 50"


@pytest.mark.parametrize(
    "threshold, outcome", [("50", Outcome.HOLDS), ("50.01", Outcome.HOLDS), ("49.99", Outcome.BROKEN)]
)
def test_a_threshold_that_is_off_by_one_cent_is_found(threshold, outcome):
    (proof,) = proofs(SMALL, f"  - {{id: cap, never: allow, when: amount > {threshold}}}")
    assert proof.outcome is outcome
    if proof.example is not None:
        assert proof.example.request.arguments["amount"] == Money(5000, "USD")
        assert proof.example.decision.verdict is Verdict.ALLOW


def test_a_possible_verdict_is_shown_by_a_request_or_ruled_out():
    shown, impossible = proofs(
        SMALL,
        "  - {id: useful, possible: allow, when: amount == 50}\n  - {id: vain, possible: allow, when: amount == 51}",
    )
    assert shown.outcome is Outcome.SHOWN
    assert shown.example.decision.verdict is Verdict.ALLOW
    assert (impossible.outcome, impossible.kept) == (Outcome.IMPOSSIBLE, False)


def test_a_promise_is_about_all_the_files_that_decide_together():
    stricter = "rules:\n  - {id: hard, then: deny, when: amount > 30}\notherwise: abstain"
    broken, kept = (
        proofs(SMALL, "  - {id: cap, never: allow, when: amount > 30}", *files)[0]
        for files in ((), (("strict", stricter),))
    )
    assert (broken.outcome, kept.outcome) == (Outcome.BROKEN, Outcome.HOLDS)


def test_a_lookup_that_fails_is_a_request_too():
    rules = "  - {id: ok, then: allow}\n  - {id: low, then: deny, when: order.total < 10}"
    (proof,) = proofs(rules, "  - {id: known, possible: escalate}")
    assert proof.outcome is Outcome.IMPOSSIBLE  # the deny keeps its verdict where its fact is not known
    (proof,) = proofs(
        rules.replace("deny", "escalate to lead"), "  - {id: known, possible: escalate, when: amount > 9}"
    )
    assert proof.outcome is Outcome.SHOWN


def test_a_dropped_has_is_found_since_an_absent_score_must_not_pass_for_a_low_one():
    rules = '  - {{id: ok, then: allow, when: "{}"}}'
    promise = "  - {id: scored, never: allow, when: not has(customer.score)}"
    (kept,) = proofs(rules.format("has(customer.score) and customer.score < 40"), promise)
    (broken,) = proofs(rules.format("not has(customer.score) or customer.score < 40"), promise)
    assert (kept.outcome, broken.outcome) == (Outcome.HOLDS, Outcome.BROKEN)


LIMIT = """
limits:
  - {{id: month, sum: amount, per: on_behalf_of, in: 30 days, max: {most}, over: {over}}}
"""


def test_a_cap_that_forgets_the_refund_in_hand_is_found():
    forgets = '  - {id: ok, then: allow}\n  - {id: month-full, then: deny, when: used("month") > 300}'
    promise = '  - {id: capped, never: allow, when: used("month") + amount > 300}\n'
    (broken,) = proofs(forgets, promise + LIMIT.format(most=100_000, over="deny"))
    (kept,) = proofs(forgets, promise + LIMIT.format(most=300, over="deny"))
    assert (broken.outcome, kept.outcome) == (Outcome.BROKEN, Outcome.HOLDS)
    used = broken.example.evidence.usage["shop/month"].used
    assert used <= 30_000 < used + broken.example.request.arguments["amount"].minor


@pytest.mark.parametrize(
    "day, month, outcome",
    [
        ("24 hours", "30 days", Outcome.HOLDS),
        ("24 hours", "forever", Outcome.HOLDS),
        ("calendar day", "26 hours", Outcome.HOLDS),
        ("calendar day", "calendar week", Outcome.HOLDS),
        ("calendar month", "calendar year", Outcome.HOLDS),
        ("calendar day", "25 hours", Outcome.BROKEN),
        ("calendar week", "calendar month", Outcome.BROKEN),
        ("24 hours", "calendar day", Outcome.BROKEN),
        ("30 days", "24 hours", Outcome.BROKEN),
    ],
)
def test_limits_on_one_account_remember_one_past(day, month, outcome):
    limits = "  - {{id: {}, sum: amount, per: on_behalf_of, in: {}, max: {}, over: deny}}".format
    more = "\n".join(["limits:", limits("day", day, 100), limits("month", month, 50)])
    promise = "  - {id: cap, never: allow, when: used('day') + amount > 50}\n"
    promise += "  - {id: held, never: allow, when: held('day') > held('month')}"
    cap, held = proofs(f"  - {{id: any, then: allow}}\n{more}", promise)
    assert (cap.outcome, held.outcome) == (outcome, Outcome.HOLDS)


@pytest.mark.parametrize("window", ["calendar day", "calendar week"])
@pytest.mark.parametrize("zone, outcome", [("Europe/Berlin", Outcome.HOLDS), ("Asia/Tokyo", Outcome.BROKEN)])
def test_days_of_another_zone_have_another_past(window, zone, outcome):
    rules = "rules:\n  - {id: any, then: allow}\n"
    limit = "limits:\n  - {{id: own, sum: amount, per: on_behalf_of, in: {}, max: {}, over: deny}}\n".format
    promise = "guarantees:\n  - {id: cap, never: allow, when: used('own') + amount > 50}\n"
    texts = [SHOP + rules + limit("calendar day", 100) + promise, SHOP + rules + limit(window, 50)]
    first, second = (policy(text, name) for text, name in zip(texts, ("shop", "other"), strict=True))
    assert second.count("timezone: Europe/Berlin") == 1
    files = [load_text(first, "a.yaml"), load_text(second.replace("Europe/Berlin", zone), "b.yaml")]
    (proof,) = prove(bundle_of(files))
    assert proof.outcome is outcome


@pytest.mark.parametrize(
    "within, outcome", [("29 minutes", Outcome.HOLDS), ("30 minutes", Outcome.HOLDS), ("31 minutes", Outcome.SHOWN)]
)
def test_what_happened_in_half_an_hour_happened_in_an_hour(within, outcome):
    asked = "  - {{id: {}, action: refund.issue, same: [on_behalf_of], within: {}, else: {}}}".format
    more = "\n".join(["requires:", asked("soon", within, "deny"), asked("sooner", "30 minutes", "escalate to lead")])
    (proof,) = proofs(f"  - {{id: any, then: allow}}\n{more}", "  - {id: odd, possible: escalate}")
    assert proof.outcome is (Outcome.IMPOSSIBLE if outcome is Outcome.HOLDS else outcome)


def test_what_is_in_a_list_is_shown_in_a_request():
    rules = '  - {id: ok, then: allow}\n  - {id: final, then: deny, when: "order.items.exists(i, i.final_sale)"}'
    (kept,) = proofs(rules, '  - {id: f, never: allow, when: "order.items.exists(i, i.final_sale)"}')
    (broken,) = proofs(rules, '  - {id: f, never: allow, when: "order.items.exists(i, i.price > 100)"}')
    assert (kept.outcome, broken.outcome) == (Outcome.HOLDS, Outcome.BROKEN)
    assert any(item["price"].minor > 10_000 for item in broken.example.evidence.facts["order.items"].value)


@pytest.mark.parametrize("most, outcome", [(5, Outcome.HOLDS), (4, Outcome.BROKEN)])
def test_a_list_is_as_long_in_a_request_as_it_has_to_be(most, outcome):
    rules = '  - {id: few, then: allow, when: "size(order.items) <= 5"}'
    (proof,) = proofs(rules, f'  - {{id: f, never: allow, when: "size(order.items) > {most}"}}')
    assert proof.outcome is outcome
    if proof.example is not None:
        assert len(proof.example.evidence.facts["order.items"].value) == 5


def test_what_cannot_be_said_exactly_is_neither_proved_nor_broken_and_is_named():
    rules = '  - {id: ok, then: allow, when: "sum(order.items.map(i, i.price)) <= 50"}'
    promise = '  - {id: f, never: allow, when: "order.items.exists(i, i.price > 50)"}'
    (proof,) = proofs(rules, promise)
    assert (proof.outcome, proof.kept) == (Outcome.UNDECIDED, False)
    assert any("sum(order.items.map(i, i.price))" in text for text in proof.open)


HOURS = """
calendars: {desk: {mon-fri: "08:00-18:00", closed: [2026-12-25]}}
"""


def test_hours_are_open_to_a_proof_and_real_in_the_request_that_is_shown():
    rules = '  - {id: ok, then: allow, when: "during(now, \\"desk\\")"}'
    kept, shown, broken = proofs(
        rules,
        '  - {id: out, never: allow, when: "not during(now, \\"desk\\")"}\n'
        '  - {id: in, possible: allow, when: "during(now, \\"desk\\")"}\n'
        "  - {id: big, never: allow, when: amount > 10}\n" + HOURS,
    )
    assert (kept.outcome, shown.outcome, broken.outcome) == (Outcome.HOLDS, Outcome.SHOWN, Outcome.BROKEN)
    for proof in (shown, broken):
        assert 7 <= proof.example.evidence.now.hour < 17  # in UTC, an hour behind the shop
        assert proof.example.evidence.now.weekday() < 5


def test_the_largest_amount_that_is_ever_automatic_has_a_request_that_gets_it():
    bundle = policyfile.load(PACKS / "refunds")
    found = largest(bundle, "refund.issue", "amount", Verdict.ALLOW)
    assert (found.value, found.exact) == (Money(5000, "USD"), True)
    assert found.example.decision.verdict is Verdict.ALLOW
    assert found.example.request.arguments["amount"] == found.value
    assert largest(bundle, "refund.issue", "amount", Verdict.ESCALATE).value == Money(500_000, "USD")


@pytest.mark.parametrize("cents", range(1, 10))
def test_no_amount_is_passed_over_on_the_way_to_the_largest(cents):
    rules = f"  - {{id: ok, then: allow, when: amount <= 0.0{cents}}}\n"
    bundle = bundle_of([load_text(policy(f"{SHOP}rules:\n{rules}"), "shop.yaml")])
    assert largest(bundle, "refund.issue", "amount", Verdict.ALLOW).value == Money(cents, "USD")


def test_what_never_comes_out_has_no_largest_and_what_is_no_number_is_refused():
    bundle = bundle_of([load_text(policy(f"{SHOP}rules:\n  - {{id: no, then: deny}}\n"), "shop.yaml")])
    assert largest(bundle, "refund.issue", "amount", Verdict.ALLOW).value is None
    with pytest.raises(UsageError, match="expected a number or an amount to be the largest, got `order_id`"):
        largest(bundle, "refund.issue", "order_id", Verdict.ALLOW)
    with pytest.raises(UsageError, match="expected an argument or a fact of `refund"):
        largest(bundle, "refund.issue", "amont", Verdict.ALLOW)


@pytest.mark.parametrize("pack", sorted(path.name for path in PACKS.iterdir() if path.is_dir()))
def test_every_promise_of_a_pack_is_kept(pack):
    kept = [(proof.id, str(proof.outcome)) for proof in prove(policyfile.load(PACKS / pack)) if not proof.kept]
    assert kept == []


def test_a_promise_may_be_given_that_no_file_has():
    made = load_text(policy(f"{SHOP}rules:\n{SMALL}\n"), "shop.yaml")
    guarantee = policyfile.load_promise(made, 'never allow, escalate when amount > 60 and order_id == "a, b"')
    assert guarantee.never == {Verdict.ALLOW, Verdict.ESCALATE}
    assert guarantee.when.source == 'amount > 60 and order_id == "a, b"'
    assert policyfile.load_promise(made, "possible escalate").possible is Verdict.ESCALATE


@pytest.mark.parametrize(
    "text, words",
    [
        ("sometimes allow", "expected a promise like `never allow when amount > 50`"),
        ("never alow when amount > 1", "did you mean `allow`?"),
        ("never allow when amont > 1", "unknown name `amont`; did you mean `amount`?"),
        ("never allow when amount >", "expected"),
    ],
)
def test_a_promise_that_cannot_be_read_says_what_is_wrong(text, words):
    made = load_text(policy(f"{SHOP}rules:\n{SMALL}\n"), "shop.yaml")
    with pytest.raises(PolicyError) as raised:
        policyfile.load_promise(made, text)
    assert words in str(raised.value)
