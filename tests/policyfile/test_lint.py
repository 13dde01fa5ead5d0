"""Warnings about files that load: each where it is meant, and not where it is not."""

from datetime import date
from pathlib import Path

import pytest

from agentguard.policyfile import bundle_of, lint, load_people_text, load_text
from agentguard.policyfile.codes import NOTES, WARNINGS

TEXT = """agentguard: 1
policy: p
version: 1
owner: me
currency: USD
actions:
  refund.issue: {order_id: text, amount: money, reason: [late, other], note: "text, personal"}
facts:
  order.id: text
  order.total: money
  order.refunded: money
  order.balance: money, any sign
  order.customer_id: text, personal
names:
  left: order.total - order.refunded - held("per-order")
escalations:
  lead: {who: "group:leads", within: 1 day}
rules:
  - id: small
    then: allow
    when: amount <= 50 and order.customer_id == on_behalf_of
  - id: left
    then: deny
    when: amount > left
    say: No.
  - id: other
    then: escalate to lead
    when: reason == "other"
limits:
  - {id: per-order, sum: amount, per: order.id, in: forever, max: order.total, over: deny}
"""
PEOPLE = "people: 1\nusers: {maria: {}, tom: {}}\ngroups: {leads: [maria]}\n"
TODAY = date(2026, 11, 22)


UNLIMITED = (
    (' - held("per-order")', ""),
    ("limits:\n  - {id: per-order, sum: amount, per: order.id, in: forever, max: order.total, over: deny}\n", ""),
)
"""Changes after which no limit counts the action."""


def warnings(*changes, people=PEOPLE, today=TODAY, more=()):
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    bundle = bundle_of([load_text(text, "p.yaml"), *more])
    known = load_people_text(people, "people.yaml") if people else None
    return [(warning.code, warning.line) for warning in lint(bundle, people=known, today=today)]


def test_a_careful_file_has_no_warning():
    assert warnings() == []


def test_an_allow_that_rests_on_arguments_alone_is_told():
    assert warnings(("amount <= 50 and order.customer_id == on_behalf_of", "amount <= 50")) == [
        ("allow_on_arguments", 19),
        ("order_of_anybody", 19),
    ]
    assert (
        warnings(("amount <= 50 and order.customer_id == on_behalf_of", "amount <= 50 and on_behalf_of != order_id"))
        == []
    )


def test_an_allow_of_any_amount_that_rests_on_nothing_is_told():
    whole = "    when: amount <= 50 and order.customer_id == on_behalf_of\n"
    for nothing in ("", "    when: yes\n"):
        assert ("allow_on_arguments", 19) in warnings((whole, nothing))
    filled = ("amount: money", "amount: 'money, computed as left'")
    assert ("allow_on_arguments", 19) not in warnings((whole, ""), filled, *UNLIMITED)


def test_an_amount_up_to_a_fact_that_no_limit_counts_is_told():
    up_to = ("amount <= 50", "amount <= order.total")
    assert warnings(up_to) == []
    assert ("amount_unsummed", 19) in warnings(up_to, *UNLIMITED)
    assert ("amount_unsummed", 19) not in warnings(up_to, ("then: allow", "then: deny"), *UNLIMITED)
    counted = "limits:\n  - {id: few, count: actions, per: order.id, in: forever, max: 1, over: deny}\n"
    assert ("amount_unsummed", 19) not in warnings(up_to, UNLIMITED[0], (UNLIMITED[1][0], counted))


def test_an_action_that_counts_and_gives_back_on_one_account_is_told():
    shared = ("sum: amount, per: order.id, in: forever, max: order.total", "sum: amount, in: forever, max: 900")
    held = (' - held("per-order")', "")
    freed = ("over: deny}", "over: deny, freed_by: refund.issue}")
    assert ("frees_itself", 30) in warnings(shared, held, freed)
    assert warnings(freed) == []  # per order, it moves from one account to another


def test_a_contest_that_would_meet_the_same_refusal_is_told():
    contested = ("rules:\n", "contest: {to: lead, open_for: 60 days}\nrules:\n")
    by_kind = ('when: reason == "other"', 'when: reason == "other" or agent.kind == "person"')
    assert warnings(contested) == [("contest_in_vain", 18)]
    assert warnings(contested, by_kind) == []
    spared = ("over: deny}", 'over: deny, when: agent.kind == "agent"}')
    assert warnings(contested, spared) == []


def test_a_route_that_only_a_contest_asks_for_is_used():
    second = ("within: 1 day}\nrules:\n", 'within: 1 day}\n  late: {who: "group:leads", within: 1 day}\nrules:\n')
    assert warnings(second) == [("unused", 18)]
    contested = ("rules:\n", "contest: {to: late, open_for: 60 days}\nrules:\n")
    assert ("unused", 18) not in warnings(second, contested)


def test_a_threshold_on_an_amount_that_no_limit_sums_is_told_once():
    count = ("sum: amount, per: order.id, in: forever, max: order.total", "count: actions, in: forever, max: 3")
    held = (' - held("per-order")', ' - held("per-order") * usd(1)')
    assert warnings(count, held) == [("amount_unsummed", 19)]


def test_an_amount_compared_with_a_fact_is_no_threshold():
    count = ("sum: amount, per: order.id, in: forever, max: order.total", "count: actions, in: forever, max: 3")
    held = (' - held("per-order")', ' - held("per-order") * usd(1)')
    assert warnings(count, held, ("amount <= 50", "amount <= order.total")) == []


def test_a_limit_keyed_by_an_argument_is_told_unless_its_values_are_listed():
    assert warnings(("per: order.id", "per: order_id")) == [("limit_keyed_by_argument", 30)]
    assert warnings(("per: order.id", "per: [order.id, reason]")) == []


def test_a_deny_on_what_the_action_changes_needs_held():
    assert warnings((' - held("per-order")', "")) == [("deny_without_held", 22)]
    assert warnings(("when: amount > left", "when: amount > order.balance")) == [
        ("unused", 15),
        ("deny_without_held", 22),
    ]
    assert ("deny_without_held", 22) not in warnings(("when: amount > left", "when: amount > order.total"))


def test_a_deny_without_words_for_the_customer_is_told():
    assert warnings(("    say: No.\n", "")) == [("deny_without_say", 22)]


def test_a_file_without_an_owner_is_told():
    assert warnings(("owner: me\n", "")) == [("no_owner", 1)]


@pytest.mark.parametrize("day, found", [("2026-11-21", True), ("2026-11-22", True), ("2026-11-23", False)])
def test_dates_are_told_from_their_day_on(day, found):
    assert warnings(("    say: No.", f"    say: No.\n    review_by: {day}")) == [("review_due", 22)] * found
    assert warnings(("owner: me", f"owner: me\nexpires: {day}")) == [("expired", 1)] * found
    assert warnings(("    say: No.", f"    say: No.\n    expires: {day}")) == [("expired", 22)] * found


def test_dates_are_not_looked_at_without_a_day():
    assert warnings(("owner: me", "owner: me\nexpires: 2020-01-01"), today=None) == []


def test_routes_need_people():
    assert warnings(people=PEOPLE.replace("[maria]", "[]")) == [("route_without_people", 17)]
    assert warnings(people=PEOPLE.replace("leads:", "others:")) == [("route_without_people", 17)]
    assert warnings(("within: 1 day", "people: 2, within: 1 day")) == [("route_without_people", 17)]
    assert warnings(people=None) == []


def test_what_nothing_uses_is_told_where_it_stands():
    assert warnings(("names:\n", "names:\n  spare: amount > 5\n")) == [("unused", 15)]
    assert warnings(("names:\n", "tables:\n  t: {a: 1}\nnames:\n")) == [("unused", 15)]
    assert warnings(("names:\n", "calendars:\n  c: {mon: 08:00-09:00}\nnames:\n")) == [("unused", 15)]
    assert warnings(("rules:\n", '  spare: {who: "user:tom", within: 1 day}\nrules:\n')) == [("unused", 18)]


def test_a_calendar_that_a_route_counts_in_is_used():
    assert warnings(("names:\n", "calendars:\n  c: {mon: 08:00-09:00}\nnames:\n"), ("1 day", "1 day of c")) == []


def test_an_action_whose_records_nobody_says_how_long_to_keep_is_told():
    file = "agentguard: 1\npolicy: o\nversion: 1\nowner: me\nactions: {{a.b: {{}}, c.d: {{}}}}\nretention: {{{}}}\n"
    rule = "rules: [{id: r, then: allow}]\n"

    def told(written):
        return [found.code for found in lint(bundle_of([load_text(file.format(written) + rule, "o.yaml")]))]

    assert told("a.b: 7 years") == ["retention_missing"]
    assert told("a.b: 7 years, c.d: 1 year") == []
    assert told("a.b: 7 years, otherwise: 2 years") == []


@pytest.mark.parametrize(
    "name", ["customer.mail", "customer.name", "order.shipping_address", "customer.dateOfBirth", "customer.iban"]
)
def test_a_fact_that_looks_personal_and_is_not_marked_is_told_at_its_line(name):
    fact = ("facts:\n", f"facts:\n  {name}: text\n")
    marked = ("facts:\n", f"facts:\n  {name}: text, personal\n")
    assert ("personal_unmarked", 9) in warnings(fact)
    assert "personal_unmarked" not in dict(warnings(marked))


@pytest.mark.parametrize("name", ["product.name", "order.email_count", "order.addressed"])
def test_what_only_sounds_a_little_like_it_is_not_told(name):
    kind = "integer" if name.endswith("count") else "text"
    assert "personal_unmarked" not in dict(warnings(("facts:\n", f"facts:\n  {name}: {kind}\n")))


def test_an_action_that_nothing_can_allow_is_told():
    assert warnings(
        ("facts:\n", "  fee.waive: {}\nfacts:\n"),
        ("  - id:", "  - on: [refund.issue]\n    id:"),
        ("{id: per-order,", "{id: per-order, on: [refund.issue],"),
    ) == [("nothing_allows", 8)]


def test_a_requirement_for_an_action_that_no_file_declares_is_told_when_there_are_several_files():
    requires = ("limits:\n", "requires:\n  - {id: q, action: a.b, same: [on_behalf_of], else: deny}\nlimits:\n")
    other = "agentguard: 1\npolicy: {}\nversion: 1\nowner: me\nactions: {{{}: {{}}}}\nrules: [{{id: r, then: allow}}]\n"
    assert warnings(requires) == []
    assert warnings(requires, more=[load_text(other.format("o", "c.d"), "o.yaml")]) == [("action_undeclared", 30)]
    assert warnings(requires, more=[load_text(other.format("o", "a.b"), "o.yaml")]) == []


def test_an_open_door_is_told():
    assert warnings(("owner: me", "owner: me\notherwise: allow")) == [("otherwise_allows", 1)]


@pytest.mark.parametrize(
    "review, code",
    [
        ("0%", "review_of_nothing"),
        ("0%, at least 1 a week", None),
        ("99.999%", None),
        ("100%", "review_of_everything"),
    ],
)
def test_a_review_of_nothing_and_of_everything_is_told(review, code):
    assert warnings(("facts:\n", f"review: {review}\nfacts:\n")) == ([(code, 8)] if code else [])


def test_every_warning_is_tried_here_or_with_the_people_or_the_solver():
    tests = Path(__file__).parents[1]
    files = (Path(__file__), tests / "people" / "test_lint.py", *(tests / "lint").glob("test_*.py"))
    here = "".join(file.read_text(encoding="utf-8") for file in files)
    assert [code for code in (*WARNINGS, *NOTES) if f'"{code}"' not in here] == []
