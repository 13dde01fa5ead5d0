"""What nobody reaches by splitting: proved from what limits count, or broken by requests that are really allowed."""

import json
import random
from collections import Counter
from dataclasses import replace

import pytest

from agentguard import policyfile
from agentguard.analysis import splitting
from agentguard.analysis.proving import Outcome, prove
from agentguard.analysis.sequences import find_sequence
from agentguard.analysis.summing import Sum
from agentguard.analysis.symbolic.search import Search
from agentguard.cli.app import run
from agentguard.core.decide import decide
from agentguard.core.plan import plan_action
from agentguard.core.policy import Verdict
from agentguard.policyfile import bundle_of, load_promise, load_text
from tests.core.situations import policy
from tests.project.tree import ROOT

SHOP = """
context: {conversation: text}
actions:
  refund.issue: {order_id: text, amount: money}
  fee.waive: {amount: money}
  refund.undo: {order_id: text}
facts: {order.total: money, customer.region: text}
escalations: {lead: {who: "group:leads", within: 4 hours, if_late: deny}}
rules:
  - {id: small, on: [refund.issue, fee.waive], then: allow, when: amount <= 50}
  - {id: large, on: [refund.issue, fee.waive], then: escalate to lead, when: amount > 50}
"""
MONTH = (
    "limits:\n  - {id: month, on: [refund.issue], sum: amount, per: on_behalf_of, in: 30 days, max: 300, over: deny}\n"
)
PROMISE = "never_by_splitting: 300, sum: amount, per: on_behalf_of, in: 30 days"

ROUNDS = 15


def split(limits, promise, *more, shop=SHOP, on="refund.issue"):
    """What becomes of a promise about a shop with these limits."""
    promised = f"guarantees:\n  - {{id: promised, on: [{on}], {promise}}}\n"
    bundle = bundle_of([load_text(policy(f"{shop}{limits}{promised}"), "shop.yaml"), *more])
    (proof,) = prove(bundle)
    if proof.sequence is not None:
        check_sequence(bundle, proof.sequence)
    return proof


def check_sequence(bundle, sequence):
    """Each request is really allowed with what is said to be used, and they come to more than they should."""
    for example in sequence.requests:
        plan = plan_action(bundle, example.request.action)
        assert decide(plan, example.request, example.evidence).verdict is Verdict.ALLOW
    assert sum(sequence.amounts) == sequence.total > sequence.most
    assert sequence.total - sequence.amounts[-1] <= sequence.most


def test_a_limit_that_counts_each_of_them_keeps_the_promise():
    proof = split(MONTH, PROMISE)
    assert (proof.outcome, proof.kept, proof.sequence) == (Outcome.HOLDS, True, None)
    assert proof.because == "limit `shop/month` counts each of them and never lets more pass"


@pytest.mark.parametrize("most, outcome", [("300", "holds"), ("300.01", "holds"), ("299.99", "broken")])
def test_a_cent_less_than_the_limit_lets_pass_is_broken_by_the_requests_that_it_lets_pass(most, outcome):
    proof = split(MONTH, PROMISE.replace("300", most))
    assert proof.outcome == outcome
    if proof.sequence is not None:
        assert proof.sequence.amounts == (5000,) * 6
        assert {example.request.on_behalf_of for example in proof.sequence.requests} == {
            proof.sequence.requests[0].request.on_behalf_of
        }


def test_a_threshold_without_a_limit_is_passed_by_small_requests():
    proof = split("", PROMISE)
    assert proof.outcome is Outcome.BROKEN
    assert (len(proof.sequence.requests), proof.sequence.total) == (7, 35_000)


@pytest.mark.parametrize(
    "limit, outcome",
    [
        (MONTH.replace("30 days", "31 days"), "holds"),
        (MONTH.replace("30 days", "29 days"), "broken"),
        (MONTH.replace("30 days", "forever"), "holds"),
        (MONTH.replace("30 days", "calendar month"), "broken"),
        (MONTH.replace("30 days", "conversation"), "broken"),
        (MONTH.replace("30 days, max: 300", "10 days, max: 100"), "holds"),
        (MONTH.replace("30 days, max: 300", "calendar month, max: 100"), "holds"),
        (MONTH.replace("per: on_behalf_of, ", ""), "holds"),
        (MONTH.replace("per: on_behalf_of", "per: [on_behalf_of, order_id]"), "broken"),
        (MONTH.replace("per: on_behalf_of", "per: agent.id"), "broken"),
        (MONTH.replace("max: 300", "max: 300, when: amount > 10"), "broken"),
        (MONTH.replace("sum: amount", 'sum: "rounded(percent(amount, 50), \\"down\\")"'), "broken"),
        (MONTH.replace("sum: amount", "sum: amount + amount"), "holds"),
        (MONTH.replace("max: 300", "max: order.total"), "broken"),
        (MONTH.replace("over: deny", "over: escalate to lead"), "holds"),
        (MONTH.replace("over: deny", "over: deny, freed_by: [refund.undo]"), "undecided"),
        (MONTH.replace("sum: amount", "count: actions").replace("max: 300", "max: 6"), "holds"),
        (MONTH.replace("sum: amount", "count: actions").replace("max: 300", "max: 7"), "broken"),
    ],
)
def test_a_limit_holds_a_sum_down_if_it_counts_as_much_as_widely_and_as_long(limit, outcome):
    assert split(limit, PROMISE).outcome == outcome


def test_what_stands_in_the_way_of_a_proof_is_said():
    proof = split(MONTH.replace("over: deny", "over: deny, freed_by: [refund.undo]"), PROMISE)
    assert proof.open == ("limit `shop/month` is given back by refund.undo",)
    assert not proof.kept


def test_a_cap_that_forgets_the_refund_in_hand_lets_one_more_pass():
    wide = MONTH.replace("max: 300", "max: 100000")
    for forgotten, outcome in ((" + amount", "holds"), ("", "broken")):
        rule = f"rules:\n  - {{id: full, on: [refund.issue], then: deny, when: 'used(\"month\"){forgotten} > 300'}}\n"
        assert split(wide, PROMISE, shop=SHOP.replace("rules:\n", rule)).outcome == outcome


def test_days_that_begin_elsewhere_do_not_cover_a_calendar_day_alone():
    day = MONTH.replace("30 days", "calendar day")
    assert split(day, PROMISE.replace("30 days", "calendar day")).outcome is Outcome.HOLDS
    assert split(day, PROMISE.replace("30 days", "calendar week")).outcome is Outcome.BROKEN
    other = load_text(policy(f"{SHOP}{day}", "other").replace("Europe/Berlin", "Asia/Tokyo"), "other.yaml")
    shop = split("", PROMISE.replace("30 days", "calendar day"), other)
    assert shop.outcome is not Outcome.HOLDS


def test_two_actions_are_held_down_by_a_limit_of_both_and_by_two_limits_to_what_these_let_pass_together():
    both = MONTH.replace("on: [refund.issue], ", "on: [refund.issue, fee.waive], ")
    fees = MONTH.removeprefix("limits:\n").replace("month", "fees").replace("refund.issue", "fee.waive")
    apart = MONTH + fees
    two = "refund.issue, fee.waive"
    assert split(both, PROMISE, on=two).outcome is Outcome.HOLDS
    proof = split(apart, PROMISE, on=two)
    assert proof.outcome is Outcome.BROKEN
    assert {example.request.action for example in proof.sequence.requests} == {"refund.issue", "fee.waive"}
    assert split(apart, PROMISE.replace("300", "599.99"), on=two).outcome is Outcome.BROKEN
    proof = split(apart, PROMISE.replace("300", "600"), on=two)
    assert proof.outcome is Outcome.HOLDS
    assert proof.because.endswith("together they do not let more pass")
    week = apart.replace("in: 30 days, max: 300", "in: 10 days, max: 100", 1)
    assert split(week, PROMISE.replace("300", "600"), on=two).outcome is Outcome.HOLDS


def test_the_largest_request_of_any_action_is_what_a_count_of_all_of_them_is_multiplied_by():
    rules = """rules:
  - {id: small, on: [refund.issue], then: allow, when: amount <= 10}
  - {id: fees, on: [fee.waive], then: allow, when: 'amount <= 50 and used("all") < 2'}
"""
    shop = SHOP[: SHOP.index("rules:")] + rules
    limit = "limits:\n  - {id: all, on: [refund.issue, fee.waive], count: actions, per: on_behalf_of, in: 30 days, "
    for most, total, outcome in ((10, 180, "broken"), (10, 499, "broken"), (10, 500, "holds"), (2, 100, "holds")):
        proof = split(
            f"{limit}max: {most}, over: deny}}\n",
            PROMISE.replace("300", str(total)),
            shop=shop,
            on="refund.issue, fee.waive",
        )
        assert (proof.outcome == "holds") is (outcome == "holds"), (most, total)


def test_a_sum_in_a_conversation_is_held_down_by_a_limit_in_conversations():
    talk = MONTH.replace("in: 30 days", "in: conversation")
    promise = PROMISE.replace("in: 30 days", "in: conversation")
    assert split(talk, promise).outcome is Outcome.HOLDS
    proof = split(talk, promise.replace("300", "299.99"))
    assert proof.outcome is Outcome.BROKEN
    assert len({example.request.context["context.conversation"] for example in proof.sequence.requests}) == 1
    kept = split(talk, PROMISE.replace("per: on_behalf_of", "per: [on_behalf_of, context.conversation]"))
    assert kept.outcome is Outcome.HOLDS


def test_what_is_summed_and_cannot_be_known_is_neither_proved_nor_broken():
    proof = split(MONTH, "never_by_splitting: 300, sum: order.total, per: on_behalf_of, in: 30 days")
    assert (proof.outcome, proof.open) == (
        Outcome.UNDECIDED,
        ("limit `shop/month` does not count each of them, or lets more pass",),
    )


def test_what_is_never_allowed_is_never_split():
    proof = split("", f"{PROMISE}, when: amount > 50")
    assert (proof.outcome, proof.because) == (Outcome.HOLDS, "no such request is ever allowed without a person")


def test_a_total_may_be_a_fact_and_a_number_of_requests():
    order = MONTH.replace("max: 300", "max: order.total").replace("30 days", "forever")
    assert split(order, PROMISE.replace("300", "order.total")).outcome is Outcome.HOLDS
    proof = split(MONTH, "never_by_splitting: 3, count: actions, per: on_behalf_of, in: 30 days")
    assert (proof.outcome, len(proof.sequence.requests)) == (Outcome.BROKEN, 4)


def test_a_file_promises_it_and_the_command_line_shows_what_breaks_it(tmp_path, capsys):
    promised = "never_by_splitting: 300, sum: amount, per: on_behalf_of, in: 30 days"
    written = f"{{id: no-splitting, {promised}, on: [refund.issue]}}"
    for name, limits, code in (("kept", MONTH, 0), ("broken", "", 1)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(policy(f"{SHOP}{limits}guarantees:\n  - {written}\n"))
        assert run(["policy", "prove", str(path)]) == code
        shown = capsys.readouterr().out
        assert run(["policy", "prove", str(path), "--json"]) == code
        [document] = json.loads(capsys.readouterr().out)
        assert (document["sequence"] is None) == (code == 0)
    assert "7 × refund.issue of 50.00 USD, allowed without a person" in shown
    assert "together 350.00 USD, which is more than 300.00 USD" in shown


def test_a_promise_given_by_hand_is_about_every_action_that_has_what_it_reads():
    shop = load_text(policy(SHOP), "shop.yaml")
    for text in ("never_by_splitting 300 sum amount in 9 days", "never_by_splitting: 300, sum: amount, in: 9 days"):
        assert load_promise(shop, text).on == {"refund.issue", "fee.waive"}
    full = load_promise(shop, "never_by_splitting 3 count actions per [on_behalf_of, agent.id] in 9 days when yes")
    assert (full.on, len(full.total.per)) == ({"refund.issue", "fee.waive", "refund.undo"}, 2)
    assert full.total.measure == dict.fromkeys(full.on)
    each = load_promise(shop, "never_by_splitting {USD: 9} sum {fee.waive: amount} per on_behalf_of in forever")
    assert (each.on, list(each.total.max)) == ({"fee.waive"}, ["USD"])
    some = load_promise(shop, "never_by_splitting 9 sum {fee.waive: amount, refund.issue: amount} in forever")
    assert some.on == {"fee.waive", "refund.issue"}


@pytest.mark.parametrize(
    "small, promised, outcome",
    [
        ("amount <= 20", "180", Outcome.HOLDS),  # 80 of small ones, and two of 50
        ("amount <= 20", "179.99", Outcome.BROKEN),
        ("amount <= 30", "180", Outcome.HOLDS),  # some are counted by both
        ("amount < 20", "180", Outcome.BROKEN),  # 20.00 is counted by neither
    ],
)
def test_limits_of_which_each_counts_what_the_other_does_not_hold_it_down_together(small, promised, outcome):
    counted = "on: [refund.issue], per: on_behalf_of, in: 30 days, over: deny"
    limits = (
        "limits:\n"
        f"  - {{id: low, sum: amount, max: 80, when: {small}, {counted}}}\n"
        f"  - {{id: high, count: actions, max: 2, when: amount > 20, {counted}}}\n"
    )
    proof = split(limits, PROMISE.replace("300", promised))
    assert proof.outcome is outcome
    if outcome is Outcome.HOLDS:
        assert proof.because == (
            "limit `shop/low` counts some of them and never lets more pass; limit `shop/high` counts some of them "
            "(30 days), and none is more than 50.00 USD; together they do not let more pass"
        )


def test_the_refunds_pack_cannot_be_split():
    [refunds] = policyfile.load(ROOT / "policies" / "refunds").policies
    texts = (PROMISE, "never_by_splitting order.total sum amount per order.id in forever")
    promised = replace(refunds, guarantees=tuple(load_promise(refunds, text) for text in texts))
    assert [proof.outcome for proof in prove(bundle_of([promised]))] == [Outcome.HOLDS] * 2


def random_limit(source, name):
    counted = source.choice(["sum: amount", "sum: amount", "count: actions"])
    most = source.choice([2, 3, 6]) if counted == "count: actions" else source.choice([100, 150, 300])
    per = source.choice(
        ["", "per: on_behalf_of, ", "per: on_behalf_of, ", "per: [on_behalf_of, order_id], ", "per: order_id, "]
    )
    window = source.choice(
        ["1 days", "10 days", "30 days", "calendar day", "calendar month", "forever", "conversation"]
    )
    when = source.choice(["", "", ", when: amount > 20"])
    over = source.choice(["deny", "escalate to lead"])
    return f"  - {{id: {name}, on: [refund.issue], {counted}, {per}in: {window}, max: {most}, over: {over}{when}}}\n"


def test_what_is_proved_of_random_limits_no_sequence_breaks():
    source = random.Random(11)
    outcomes = Counter()
    for _ in range(ROUNDS):
        limits = "limits:\n" + "".join(random_limit(source, f"l{number}") for number in range(source.randint(1, 2)))
        per, window = source.choice(["", "per: on_behalf_of, "]), source.choice(["2 days", "30 days", "calendar month"])
        promised = f"never_by_splitting: {source.choice([100, 300, 600, 1000])}, sum: amount, {per}in: {window}"
        text = policy(f"{SHOP}{limits}guarantees:\n  - {{id: promised, on: [refund.issue], {promised}}}\n")
        shop = load_text(text, "shop.yaml")
        [guarantee] = shop.guarantees
        bundle = bundle_of([shop])
        found = splitting.split(bundle, shop, guarantee)
        searches = {"refund.issue": Search(plan_action(bundle, "refund.issue"))}
        sums = {"refund.issue": Sum(searches["refund.issue"].plan, shop, guarantee)}
        sequence = found.sequence or find_sequence(searches, sums)
        assert not (found.because and sequence), (limits, promised)
        if sequence is not None:
            check_sequence(bundle, sequence)
        outcomes["holds" if found.because else "broken" if sequence else "undecided"] += 1
    assert outcomes["holds"] > 1
    assert outcomes["broken"] > ROUNDS / 3
    assert outcomes["undecided"] < ROUNDS / 3


@pytest.mark.parametrize(
    "days, promised, outcome",
    [(30, "order.total", Outcome.HOLDS), (15, "2 * order.total", Outcome.UNDECIDED), (15, "600", Outcome.BROKEN)],
)
def test_a_most_that_each_request_may_know_otherwise_holds_nothing_down_over_several_windows(days, promised, outcome):
    month = MONTH.replace("in: 30 days, max: 300", f"in: {days} days, max: order.total")
    assert split(month, PROMISE.replace("300", promised)).outcome is outcome


def test_of_a_limit_that_begins_empty_it_is_said_that_what_was_before_is_not_counted():
    proof = split(MONTH.replace("max: 300", "max: 300, starts: now"), PROMISE)
    assert proof.outcome is Outcome.HOLDS
    assert proof.because.endswith("never lets more pass; what was done before it began is not counted (`starts: now`)")
