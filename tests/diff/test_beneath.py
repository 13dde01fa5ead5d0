"""What a file means otherwise by the same words, and the care that goes with a part or a whole file."""

import pytest

from agentguard.analysis.changes.difference import Direction
from agentguard.analysis.diffing import diff
from agentguard.core.account import account_identity
from agentguard.policyfile import bundle_of, load_text

TEXT = """
agentguard: 1
policy: pay
version: 1
owner: pay@acme.example
timezone: UTC
currency: EUR
on_error: escalate to lead
actions:
  pay.out: {ref: text, amount: money}
facts:
  customer.tier: [gold, plain]
names:
  large: amount > 100
  little: not large
  counted: amount <= 5000
tables:
  tier_most: {gold: 50, plain: 20}
calendars:
  night: {mon-sun: 00:00-06:00}
escalations:
  lead: {who: "group:leads", within: 1 day, hold: yes}
  finance: {who: "group:finance", within: 1 day}
contest: {to: lead, within: 5 days, open_for: 60 days}
review: 10%, at least 5 a day
rules:
  - {id: small, then: allow, when: amount <= 50}
  - {id: other, then: escalate to lead, when: amount > 50}
limits:
  - {id: month, sum: amount, per: on_behalf_of, when: counted, in: 30 days, max: 300, over: escalate to lead}
"""


def loaded(text):
    return bundle_of([load_text(text, "pay.yaml")])


def changed(before, after, more=""):
    text = TEXT + more
    assert text.count(before) == 1, before
    return diff(loaded(text), loaded(text.replace(before, after)))


WITNESS = "witness: {{before_effect: '{}'}}\n".format
PROMISE = "guarantees:\n  - {{id: kept, never: allow, when: '{}'}}\n".format
LARGE, LARGER, SPACED = "large: amount > 100", "large: amount > 90000", "large: amount>100"


@pytest.mark.parametrize(
    "before, after, more, direction",
    [
        (LARGE, LARGER, WITNESS("large"), "looser"),
        (LARGER, LARGE, WITNESS("large"), "tighter"),
        (LARGE, LARGER, WITNESS("not large"), "tighter"),
        (LARGE, LARGER, WITNESS("not little"), "looser"),
        (LARGE, LARGER, WITNESS("large or not large"), "mixed"),
        (LARGE, SPACED, WITNESS("large"), "same"),
        ("00:00-06:00", "00:00-05:00", WITNESS('during(now, "night")'), "mixed"),
        (LARGE, LARGER, PROMISE("large"), "looser"),
        (LARGER, LARGE, PROMISE("large"), "same"),
        ("gold: 50", "gold: 9000", PROMISE("tier_most[customer.tier] > 20"), "mixed"),
        (LARGE, LARGER, "", "same"),
        ("gold: 50", "gold: 9000", "", "same"),
    ],
)
def test_care_that_is_written_with_a_name_moves_with_what_the_name_means(before, after, more, direction):
    old, new = ((TEXT + more).replace(LARGE if "large" in line else before, line) for line in (before, after))
    whole = diff(loaded(old), loaded(new))
    assert str(whole.direction) == direction
    if direction in ("looser", "mixed"):
        assert whole.summary() == "what happens around decisions changes; no decision does"


def test_a_promise_against_splitting_moves_with_the_names_it_is_written_with():
    total = "never_by_splitting: 300, sum: amount, per: on_behalf_of, in: 30 days"
    promise = f"guarantees:\n  - {{id: kept, {total}, when: large}}\n"
    assert changed(LARGE, LARGER, promise).direction is Direction.LOOSER


def test_a_limit_that_counts_less_by_the_same_words_counts_on_another_account():
    old, new = (loaded(text) for text in (TEXT, TEXT.replace("counted: amount <= 5000", "counted: amount <= 50")))
    one, two = (account_identity(bundle.policies[0].limits[0]) for bundle in (old, new))
    assert one != two
    assert diff(old, new).direction is Direction.MIXED  # what people approve is counted no more


@pytest.mark.parametrize(
    "before, after, direction",
    [
        (", hold: yes", "", "looser"),
        ("within: 1 day}", "within: 1 day, hold: yes}", "tighter"),
        ("10%, at least 5 a day", "11%, at least 1 a day", "looser"),
        ("10%, at least 5 a day", "10%, at least 34 a week", "looser"),
        ("10%, at least 5 a day", "10%, at least 35 a week", "same"),
        ("5 a day", "5 a day, by agent", "same"),
        ("contest: {to: lead", "contest: {to: finance", "mixed"),
    ],
)
def test_less_care_around_decisions_is_looser(before, after, direction):
    assert str(changed(before, after).direction) == direction


def test_as_many_of_all_kinds_together_are_fewer_than_of_each():
    by_agent = TEXT.replace("5 a day", "5 a day, by agent")
    assert diff(loaded(by_agent), loaded(TEXT)).direction is Direction.LOOSER


CAREFUL = """
agentguard: 1
policy: careful
version: 1
owner: pay@acme.example
timezone: UTC
currency: EUR
actions:
  pay.out: {ref: text, amount: money}
escalations:
  lead: {who: "group:leads", within: 1 day}
rules:
  - {id: all, then: allow}
"""


@pytest.mark.parametrize(
    "care",
    [
        "witness: {before_effect: amount > 10}",
        "contest: {to: lead, open_for: 60 days}",
        "review: 10%",
        "guarantees: [{id: kept, never: deny, when: amount == 1}]",
    ],
)
def test_a_file_that_goes_takes_its_care_along(care):
    pay, careful, bare = (load_text(text, "f.yaml") for text in (TEXT, f"{CAREFUL}{care}\n", CAREFUL))
    assert diff(bundle_of([pay, careful]), bundle_of([pay])).direction is Direction.LOOSER
    assert diff(bundle_of([pay, bare]), bundle_of([pay])).direction is Direction.SAME


@pytest.mark.parametrize(
    "care",
    [
        "witness: {before_effect: amount > 10}",
        "contest: {to: lead, open_for: 60 days}",
        "review: 10%",
        "guarantees: [{id: kept, never: deny, when: amount == 1}]",
    ],
)
def test_a_file_that_only_watches_takes_no_care_any_more(care):
    pay, careful, bare = (load_text(text, "f.yaml") for text in (TEXT, f"{CAREFUL}{care}\n", CAREFUL))
    watching, bare_watching = (load_text(f"{text}\nmode: shadow\n", "f.yaml") for text in (f"{CAREFUL}{care}", CAREFUL))
    assert diff(bundle_of([pay, careful]), bundle_of([pay, watching])).direction is Direction.LOOSER
    assert diff(bundle_of([pay, watching]), bundle_of([pay, careful])).direction is not Direction.LOOSER
    assert diff(bundle_of([pay, bare]), bundle_of([pay, bare_watching])).direction is Direction.SAME


def test_records_are_kept_as_long_as_the_longest_of_all_files_says():
    long, short, other = (f"retention: {{otherwise: {years}}}\n" for years in ("7 years", "2 years", "3 years"))
    pay, none = load_text(f"{TEXT}{short}", "f.yaml"), load_text(TEXT, "f.yaml")
    files = {
        kept: load_text(f"{CAREFUL}{kept}", "f.yaml") for kept in (long, short, other, "", f"{long}mode: shadow\n")
    }
    both = bundle_of([pay, files[long]])
    assert diff(both, bundle_of([pay])).direction is Direction.LOOSER
    for kept in (short, other, "", f"{long}mode: shadow\n"):
        assert diff(both, bundle_of([pay, files[kept]])).direction is Direction.LOOSER
    assert diff(bundle_of([pay, files[short]]), bundle_of([pay])).direction is Direction.SAME
    assert diff(bundle_of([none, files[long]]), bundle_of([none])).direction is Direction.SAME
    assert diff(bundle_of([none]), bundle_of([none, files[long]])).direction is Direction.LOOSER


ROUTES = """
escalations:
  lead: {who: "group:leads", within: 1 day}
  finance: {who: "group:finance", people: 2, within: 1 day}
rules:
  - {id: small, then: allow, when: amount <= 50}
  - {id: mid, then: escalate to lead, when: amount > 50}
  - {id: large, then: escalate to finance, when: amount > 500}
"""
HEAD = CAREFUL.partition("escalations:")[0]
SEND = "then: escalate to finance"
LEAD, FINANCE = ROUTES.splitlines(keepends=True)[2:4]
WEAK = '  weak: {who: "user:bot", within: 1 day}\n'


def routed(*edits):
    text = HEAD + ROUTES
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    return load_text(text, "careful.yaml")


RENAMED, TO_LEAD = ("policy: careful", "policy: other"), (SEND, "then: escalate to lead")
TO_WEAK = (SEND, "then: escalate to weak")


@pytest.mark.parametrize(
    "edits, direction",
    [
        ([TO_LEAD], "looser"),
        ([RENAMED], "same"),
        ([RENAMED, TO_LEAD], "looser"),  # another name of the file hides nothing
        ([(LEAD + FINANCE, FINANCE + LEAD)], "mixed"),  # which one is the stronger is said by the file that changes
        ([(FINANCE, FINANCE + WEAK), TO_WEAK], "mixed"),
        ([(FINANCE, WEAK + FINANCE), TO_WEAK], "mixed"),
    ],
)
def test_a_file_does_not_say_itself_that_its_new_order_of_routes_is_tighter(edits, direction):
    whole = diff(bundle_of([routed()]), bundle_of([routed(*edits)]))
    assert (str(whole.direction), whole.is_known) == (direction, True)


@pytest.mark.parametrize("late, direction", [("", "same"), (", if_late: lead", "mixed"), (", if_late: board", "same")])
def test_less_time_before_a_weaker_route_decides_is_not_the_same(late, direction):
    board = FINANCE.replace("finance:", "board:", 1)
    slow = FINANCE.replace("1 day", f"1 day{late}")
    old, new = (bundle_of([routed((FINANCE, route + board))]) for route in (slow, slow.replace("1 day", "1 minute")))
    assert str(diff(old, new).direction) == direction


@pytest.mark.parametrize("late, direction", [("", "same"), (", if_late: lead", "mixed")])
@pytest.mark.parametrize(
    "before, after", [("mon-fri: 08:00-18:00", "mon-fri: 08:00-18:10"), ("timezone: UTC", "timezone: Asia/Tokyo")]
)
def test_other_hours_before_a_weaker_route_decides_are_not_the_same(late, direction, before, after):
    hours = "calendars:\n  desk: {mon-fri: 08:00-18:00}\nrules:"
    route = FINANCE.replace("1 day", f"1 day of desk{late}")
    old = routed((FINANCE, route), ("rules:", hours))
    new = load_text(old.text.replace(before, after), "careful.yaml")
    assert str(diff(bundle_of([old]), bundle_of([new])).direction) == direction


def test_a_file_that_goes_or_is_replaced_takes_its_peoples_yes_along():
    freely = ("then: allow, when: amount <= 50", "then: allow")
    other = (RENAMED, freely, ("id: mid, then: escalate to lead", "id: mid, then: escalate to finance"))
    both = bundle_of([routed(), routed(*other)])
    assert diff(both, bundle_of([routed()])).direction is Direction.LOOSER
    assert diff(bundle_of([routed()]), both).direction is Direction.TIGHTER


FEES = """
agentguard: 1
policy: fees
version: 1
owner: pay@acme.example
timezone: UTC
currency: EUR
actions:
  fee.charge: {ref: text, amount: "money, computed as fee"}
facts:
  customer.tier: [gold, plain]
names:
  fee: eur(fees[customer.tier])
  known: customer.tier == "gold"
tables:
  fees: {gold: 5, plain: 2}
rules:
  - {id: gold, then: allow, when: known}
"""


@pytest.mark.parametrize(
    "before, after, known",
    [
        ("gold: 5", "gold: 500", False),
        ("fee: eur(fees[customer.tier])", "fee: eur(500)", False),
        ("computed as fee", "computed as least", False),
        ("known: customer", "known: customer.tier != 'plain' and customer", True),
    ],
)
def test_what_a_tool_is_given_otherwise_is_not_the_same_though_every_decision_is(before, after, known):
    text = FEES.replace("names:\n", "names:\n  least: eur(1)\n")
    assert text.count(before) == 1
    whole = diff(loaded(text), loaded(text.replace(before, after)))
    assert (str(whole.direction), whole.is_known) == (("same", True) if known else ("mixed", False))


@pytest.mark.parametrize(
    "begins, direction", [("", "looser"), (", starts: now", "mixed")], ids=["filled from the log", "begun empty"]
)
def test_a_limit_that_began_empty_may_have_counted_less_than_a_narrower_one_that_is_filled(begins, direction):
    limits = "limits:\n  - {id: sum, sum: amount, per: on_behalf_of, in: 30 days, max: 300, over: deny, "
    rules = CAREFUL.replace("rules:", f"{limits}when: 'amount > 10'{begins}}}\nrules:")
    old = loaded(rules)
    new = loaded(rules.replace(begins, "").replace("amount > 10", "amount > 10 and amount < 90"))
    assert str(diff(old, new).direction) == direction
