"""One change each, over a past of a few requests, at the edge, just under and just over."""

from datetime import timedelta

import pytest

from agentguard import Money, Verdict
from agentguard.analysis.simulating import money_words
from tests.engine.given import REFUNDS, bundle, shop

ALLOW, ESCALATE, DENY = Verdict.ALLOW, Verdict.ESCALATE, Verdict.DENY


def changed(*edits, text=REFUNDS):
    for old, new in (("version: 1", "version: 2"), *edits):
        assert old in text, old
        text = text.replace(old, new)
    return bundle(text)


def limited(most, then, window="1 day", per="agent.id"):
    """Return the policies with one limit more."""
    new = f"{{id: new, on: [refund.issue], sum: amount, per: {per}, in: {window}, max: {most}, over: {then}}}"
    return bundle(REFUNDS.replace("version: 1", "version: 2").rstrip() + f"\n  - {new}\n")


@pytest.fixture
def open_one(tmp_path, closed_stores):
    opened = []

    def open_shop(text=REFUNDS, **more):
        opened.append(shop(f"sqlite:///{tmp_path}/guard.db", text=text, **more))
        opened[-1].orders["A-1"] = {"customer_id": "c-1", "total": Money.of("1000", "USD")}
        return opened[-1]

    yield open_shop
    for one in opened:
        one.guard.close()


def asked(made, *amounts, start=0):
    for number, amount in enumerate(amounts, start):
        made.ask(amount, key=f"k-{number}")
        made.clock.advance(timedelta(hours=1))


def over(made, policies, **more):
    """Replay policies, and return the simulation with its changes as (old, new, worth)."""
    told = []
    found = made.guard.audit.simulate(policies, tell=told.append, **more)
    return found, [(case.old, case.new, str(case.worth)) for case in told]


def test_a_raised_threshold_allows_what_is_on_it_and_leaves_what_is_a_cent_over(open_one):
    made = open_one()
    asked(made, "50.00", "75.00", "75.01")
    found, changes = over(made, changed(("amount <= 50", "amount <= 75"), ("amount > 50 and", "amount > 75 and")))
    assert changes == [(ESCALATE, ALLOW, "75.00 USD")]
    assert found.sentence == "would have allowed 1 more request worth 75.00 USD without a person"
    assert found.requests == 3
    assert found.customers == 1
    assert found.people.escalations == -1
    assert found.people.assumed


def test_what_is_denied_now_frees_its_budget_for_what_came_later(open_one):
    made = open_one()
    asked(made, *["50.00"] * 6, "20.00", "20.00")  # 300 are used: the last two wait for the customer's limit
    found, changes = over(made, changed(("amount <= 50", "amount <= 20"), ("amount > 50 and", "amount > 60 and")))
    assert changes == [(ALLOW, DENY, "50.00 USD")] * 6 + [(ESCALATE, ALLOW, "20.00 USD")] * 2
    assert found.sentence == (
        "would have allowed 2 more requests worth 40.00 USD and 6 fewer requests worth 300.00 USD without a person"
    )


def test_what_is_allowed_now_uses_budget_until_the_last_cent(open_one):
    made = open_one()
    asked(made, "75.00", "75.00", "75.00", "75.00", "75.00", "0.01")
    _, changes = over(made, changed(("amount <= 50", "amount <= 75"), ("amount > 50 and", "amount > 75 and")))
    assert changes == [(ESCALATE, ALLOW, "75.00 USD")] * 4 + [(ALLOW, ESCALATE, "0.01 USD")]


@pytest.mark.parametrize("most, escalated", [("101", 0), ("100", 0), ("99.99", 1)])
def test_a_limit_that_was_not_there_is_counted_from_the_whole_log(open_one, most, escalated):
    made = open_one()
    asked(made, "50.00", "49.00", "1.00")
    policies = limited(most, "escalate to lead")
    _, changes = over(made, policies)
    assert changes == [(ALLOW, ESCALATE, "1.00 USD")] * escalated
    last = made.clock() - timedelta(hours=1)
    found, changes = over(made, policies, since=last)
    assert found.requests == 1
    assert changes == [(ALLOW, ESCALATE, "1.00 USD")] * escalated, "what was before the time looked at counts"


def test_what_was_settled_at_another_amount_counts_with_that_one(open_one):
    made = open_one(settles=lambda receipt: {"amount": Money.of("10", "USD")})
    asked(made, "50.00", "50.00")
    assert over(made, limited("60", "deny"))[1] == []
    assert over(made, limited("59.99", "deny"))[1] == [(ALLOW, DENY, "50.00 USD")]


def test_a_fact_that_nobody_looked_up_is_unknown_unless_a_rule_denies_anyway(open_one):
    made = open_one()
    asked(made, "40.00")
    made.ask("40.00", key="other", who="c-2")  # not their order: denied whatever the fact would say
    fact = ("  order.total: money", "  order.total: money\n  order.sealed: yes_no")
    found, changes = over(made, changed(fact, ("when: amount <= 50", "when: amount <= 50 and not order.sealed")))
    assert changes == []
    assert (found.requests, found.uncertain) == (2, 1)
    assert found.matrix[DENY, DENY].count == 1
    assert found.unknown == {"`order.sealed`: it was not looked up then": 1}
    assert found.sentence == ("would have changed no verdict, as far as it can be known: 1 could not be decided again")


def test_a_customer_whose_key_was_destroyed_is_unknown_where_a_rule_reads_who_it_is(open_one):
    made = open_one()
    asked(made, "40.00")
    made.guard.privacy.erase("c-1", by="maria", why="asked to", authenticated="unverified")
    found, _ = over(made, changed())
    assert found.unknown == {"`on_behalf_of`: it was erased, or its key is not here": 1} | {
        name: 1 for name in found.unknown if "customer.email" in name
    }
    assert found.uncertain == 1


def test_requests_that_were_refused_before_any_rule_are_counted_as_not_known(open_one):
    made = open_one()
    made.ask("many", key="bad")
    found, _ = over(made, changed())
    assert found.uncertain == found.requests == 1


def test_files_in_shadow_are_compared_from_what_they_said_then(open_one):
    shadow = REFUNDS.replace("policy: refunds", "policy: strict\nmode: shadow").replace("amount <= 50", "amount <= 30")
    made = open_one(text=[REFUNDS, shadow])
    asked(made, "30.00", "30.01")
    found = made.guard.audit.shadowed()
    assert [(old, new, cell.count) for (old, new), cell in found.matrix.items()] == [
        (ALLOW, ALLOW, 1),
        (ALLOW, DENY, 1),
    ]
    assert found.sentence == "would have allowed 1 fewer request worth 30.01 USD without a person"
    assert [case.why_new for case in found.examples] == [("strict/otherwise",)]


def test_what_exactly_leaves_a_sliding_window_does_not_count_any_more(open_one):
    made = open_one()
    asked(made, "50.00", "49.00", "1.00")  # an hour apart
    assert over(made, limited("50", "deny", "1 hour"))[1] == []
    assert over(made, limited("50", "deny", "61 minutes"))[1] == [(ALLOW, DENY, "49.00 USD")]


def test_what_people_let_pass_later_is_one_request_and_counts_once(open_one):
    made = open_one()
    waiting = made.ask("75.00", key="first")
    made.clock.advance(timedelta(minutes=9))
    made.guard.escalations.approve(waiting.escalation.id, by="maria", reason_code="goodwill")
    made.guard.execute(waiting.decision_id)
    asked(made, "75.00", "75.00", "75.00")
    found, changes = over(made, changed(("amount <= 50", "amount <= 75"), ("amount > 50 and", "amount > 75 and")))
    assert changes == [(ESCALATE, ALLOW, "75.00 USD")] * 4
    assert found.requests == 4
    assert found.people.waited == timedelta(minutes=9)


def test_what_was_asked_before_the_time_looked_at_is_no_request_in_it_when_it_is_decided_again(open_one):
    made = open_one()
    waiting = made.ask("75.00", key="first")
    made.guard.escalations.approve(waiting.escalation.id, by="maria", reason_code="goodwill")
    made.clock.advance(timedelta(days=20))
    since = made.clock()
    made.orders["A-1"]["customer_id"] = "c-2"
    made.guard.execute(waiting.decision_id)
    asked(made, "10.00")
    found, _ = over(made, changed(), since=since)
    assert found.requests == 1


def test_what_a_colleague_did_counts_on_a_limit_that_was_not_there(open_one):
    made = open_one()
    made.guard.record(
        "refund.issue", {"order_id": "A-1", "amount": "60.00", "reason": "other"}, by="maria", source="desk",
        key="desk-1", happened_at=made.clock(), on_behalf_of="c-1",
    )  # fmt: skip
    made.clock.advance(timedelta(minutes=1))
    asked(made, "40.00")
    assert over(made, limited("100", "deny", per="tenant"))[1] == []
    assert over(made, limited("99.99", "deny", per="tenant"))[1] == [(ALLOW, DENY, "40.00 USD")]


def test_a_requirement_is_not_met_by_what_the_new_policies_deny(open_one):
    required = (
        "requires:\n  - {id: known, on: [refund.issue], action: identity.verify, same: [on_behalf_of], else: deny}\n"
    )
    text = REFUNDS.rstrip() + "\n" + required
    made = open_one(text)
    made.guard.run("identity.verify", {"document": "passport"}, agent="bot", on_behalf_of="c-1", key="v")
    asked(made, "40.00")
    found = over(made, changed(('document == "passport"', 'document == "card"'), text=text))[1]
    assert found == [(ALLOW, DENY, "None"), (ALLOW, DENY, "40.00 USD")]


def test_what_other_policies_decided_than_those_in_force_now_is_said(open_one):
    made = open_one()
    asked(made, "60.00", "60.00")
    raised = REFUNDS.replace("version: 1", "version: 2").replace("amount <= 50", "amount <= 55")
    proposed = bundle(raised.replace("version: 2", "version: 3").replace("amount <= 55", "amount <= 75"))
    assert not any("other policies" in sentence for sentence in over(made, proposed)[0].assumptions)
    made.guard.close()
    later = open_one(raised)
    later.clock.advance(made.clock() - later.clock())
    began = later.clock()
    asked(later, "60.00", start=2)
    found, _ = over(later, proposed)
    assert found.assumptions[0] == (
        f"2 requests were decided under other policies than those in force now, the last one on {began:%Y-%m-%d}: what "
        "has changed since then is in these numbers too, and `--since` leaves it out"
    )
    assert not any("other policies" in sentence for sentence in over(later, proposed, since=began)[0].assumptions)


def test_amounts_are_written_as_in_a_policy_and_everywhere_else():
    assert money_words({"USD": 581_200, "JPY": 40_000, "EUR": -123_456}) == "-1234.56 EUR and 40000 JPY and 5812.00 USD"
