"""What the sentences of a file show without the solver: things that are anybody's, and clocks that run on."""

import pytest

from agentguard.analysis.linting import lint_deeply
from agentguard.policyfile import lint
from tests.lint.shop import HEAD, bundle, shallow

A, L, D = "allow", "escalate to lead", "deny"
OWN = "order.customer_id == on_behalf_of"
LARGE = (L, "amount > 50")


def of_anybody(*rules, head=HEAD):
    return shallow(rules, "order_of_anybody", head)


def test_an_allow_on_an_order_that_nothing_ties_to_the_customer_is_told_once():
    assert of_anybody((A, "amount <= 50 and order.total > 5"), (A, "amount <= order.total")) == ["r0"]
    assert of_anybody((D, "order.total > 5"), (A, "amount <= 50 and order.total > 5")) == ["r1"]


@pytest.mark.parametrize(
    "rules",
    [
        [(A, f"order.total > 5 and {OWN}")],
        [(A, "order.total > 5"), (D, "order.customer_id != on_behalf_of")],
        [(A, "order.total > 5"), (L, f"not ({OWN})")],
        [(A, "order.total > 5"), (D, "not (order.customer_id in session.customers)")],
        [(A, "order.total > 5"), (D, "not customer.orders.exists(o, o == order_id)")],
    ],
)
def test_a_comparison_with_whom_it_is_for_ties_it(rules):
    head = HEAD.replace("facts:\n", "facts:\n  session.customers: list of text\n  customer.orders: list of text\n")
    assert of_anybody(*rules, head=head) == []


@pytest.mark.parametrize(
    "rules",
    [
        [(A, 'order.total > 5 and order.customer_id == "cus_1"')],  # whoever asks
        [(A, "order.total > 5 and order.id == order_id")],  # the agent's own word
        [(A, "order.total > 5 and order.zone == customer.tier")],  # it has an owner, and this is not the owner
        [(A, "order.total > 5"), (A, f"amount <= 5 and {OWN}")],  # the other one lets it through
    ],
)
def test_other_comparisons_do_not_tie_it(rules):
    head = HEAD.replace("tier: [standard, gold]", "tier: text")
    assert of_anybody(*rules, head=head) == ["r0"]


@pytest.mark.parametrize("thing, told", [("booking", True), ("slot", False), ("product", False)])
def test_what_everybody_may_have_belongs_to_nobody(thing, told):
    head = HEAD.replace("order_id", f"{thing}_id").replace(
        "  order.id: text", f"  {thing}.id: text\n  {thing}.free: integer"
    )
    assert of_anybody((A, f"{thing}.free > 0"), head=head) == ["r0"] * told


def test_facts_that_are_not_looked_up_by_an_argument_are_the_customers_own():
    head = HEAD.replace("order_id: text", "reason: text")
    assert of_anybody((A, "order.total > 5"), head=head) == []


def running_on(*rules):
    return shallow(rules, "now_for_asked_at")


@pytest.mark.parametrize(
    "condition",
    [
        "now - order.delivered_at <= 30 days",
        "now <= order.delivered_at + 30 days",
        "order.delivered_at + 30 days > now",
        "not (now - order.delivered_at > 30 days)",
        "order.items.all(i, now - order.delivered_at <= days(30))",
        "now <= order.return_by",
        'day_of(now) <= date("2027-01-31")',
        "day_of(now) - day_of(order.delivered_at) <= 30 days",
        "now - (order.delivered_at + 1 days) <= 30 days",
        "(now - order.delivered_at) - 1 days <= 30 days",
    ],
)
def test_an_allow_that_runs_out_while_somebody_waits_for_a_person_is_told(condition):
    assert running_on((A, f"{OWN} and {condition}"), LARGE) == ["r0"]
    assert running_on((A, f"{OWN} and {condition}")) == []  # nobody waits for anything
    assert running_on((A, f"{OWN} and {condition.replace('now', 'asked_at')}"), LARGE) == []


def test_a_refusal_that_sets_in_while_somebody_waits_is_told():
    assert running_on((D, "now - order.delivered_at > 30 days"), LARGE) == ["r0"]
    assert running_on((D, "now - order.delivered_at < 30 days"), LARGE) == []  # waiting helps


@pytest.mark.parametrize(
    "condition",
    [
        "slot.starts_at - now >= 2 hours",  # it takes place then, whenever it was asked for
        "now < slot.starts_at",
        "now <= slot.starts_at - 2 hours",
        "now - order.delivered_at >= 14 days",  # it gets better while time passes
        "(now - order.delivered_at <= 30 days) == (amount > 5)",  # nobody can tell which way it goes
        "now - order.delivered_at <= now - slot.starts_at",
        "now <= max(order.return_by, order.delivered_at)",  # which of them it is, its name does not say
        "now - order.return_by <= slot.starts_at - order.delivered_at",
    ],
)
def test_what_takes_place_then_and_what_only_gets_better_is_compared_with_now(condition):
    assert running_on((A, f"{OWN} and {condition}"), LARGE) == []


def test_a_file_that_is_only_tried_is_looked_at_as_if_it_were_enforced():
    tried = HEAD.replace("currency: USD", "currency: USD\nmode: shadow")
    assert of_anybody((A, "order.total > 5"), (D, "order.customer_id != on_behalf_of"), head=tried) == []
    rules = [(A, f"{OWN} and now - order.delivered_at <= 30 days and amount < 50"), LARGE]
    assert shallow(rules, "now_for_asked_at", tried) == ["r0"]
    assert [found.code for found in lint_deeply(bundle(rules, head=tried))] == ["band_gap"]


def unsummed(*limits):
    written = f"limits:\n{''.join(limits)}" if limits else ""
    found = lint(bundle([(A, f"{OWN} and total <= 100")], written))
    return [item.message.split("`")[3] for item in found if item.code == "amount_unsummed"]


@pytest.mark.parametrize(
    "sum_, found", [("total", False), ("price", False), ("price * pieces", False), ("amount", True)]
)
def test_a_threshold_on_an_amount_that_the_policy_fills_in_can_be_split_as_well(sum_, found):
    assert unsummed() == ["total"]
    limit = f"  - {{id: day, sum: {sum_}, per: on_behalf_of, in: 1 day, max: 300, over: deny}}\n"
    assert unsummed(limit) == ["total"] * found
