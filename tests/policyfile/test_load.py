"""What a good file becomes: every part of the format as the core's values."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agentguard.core.calendar import Hours, Span
from agentguard.core.language import Integer, Money, OneOf, Record, evaluate
from agentguard.core.money import Money as Amount
from agentguard.core.policy import Disclose, Then, Verdict, WindowKind, Within
from agentguard.errors import PolicyError
from agentguard.policyfile import load_text
from tests.policyfile.broken import BASE

GOOD = Path(__file__).parent / "good"
HEAD = "agentguard: 1\npolicy: p\nversion: 1\ncurrency: USD\nactions:\n  a.b: {n: integer, amount: money}\n"


def policy_of(more="", head=HEAD):
    return load_text(head + more, "p.yaml")


def codes_of(more, head=HEAD):
    with pytest.raises(PolicyError) as raised:
        policy_of(more, head)
    return [problem.code for problem in raised.value.problems]


def rule(when, more=""):
    return policy_of(f"{more}rules:\n  - id: r\n    then: deny\n    when: {when}\n").rules[0]


def holds(when, **values):
    return evaluate(rule(when).when, {"amount": Amount.of("1", "USD"), **values})


def test_a_contest_names_its_route_its_time_and_how_long_it_is_open():
    desk = "calendars:\n  desk: {mon-fri: 08:00-18:00}\n"
    routes = 'escalations:\n  complaints: {who: "group:c", within: 1 day}\n'
    assert policy_of(routes).contest is None
    contest = policy_of(f"{routes}contest: {{to: complaints, open_for: 60 days}}\n").contest
    assert (contest.to, contest.within, contest.open_for) == ("complaints", None, timedelta(days=60))
    assert contest.place.line == 9
    within = policy_of(f"{desk}{routes}contest: {{to: complaints, within: 5 hours of desk, open_for: 1 day}}\n")
    assert within.contest.within == Within(timedelta(hours=5), "desk")


def test_the_worked_example_loads_with_everything_in_it():
    text = (GOOD / "refunds.yaml").read_text(encoding="utf-8")
    policy = load_text(text, "refunds.yaml")
    assert (policy.name, policy.version, policy.owner) == ("refunds", 14, "refunds-product@acme.example")
    assert (policy.zone, policy.currencies, policy.shadow) == (ZoneInfo("Europe/Berlin"), ("USD",), False)
    assert (str(policy.otherwise), str(policy.on_error)) == ("deny", "escalate to support_lead")
    assert [item.id for item in policy.rules][:3] == ["small-refund", "medium-refund", "large-refund"]
    assert [item.id for item in policy.limits] == [
        "order-refunds",
        "customer-30-days",
        "customer-count",
        "everyone-today",
    ]
    assert [str(item.window) for item in policy.limits] == ["forever", "30 days", "30 days", "calendar day"]
    assert policy.requires[0].same == ("on_behalf_of", "context.conversation")
    assert [item.never or item.possible for item in policy.guarantees][2] is Verdict.ALLOW
    assert policy.rules[4].words.say[""].source == "I can't refund that amount on this order."
    assert policy.text == text
    assert policy.segments == ("customer.region",)
    assert policy.facts["customer.email"].personal
    assert policy.facts["order.delivered_at"].optional
    assert policy.rules[0].place.line == 44


def test_what_is_left_out_has_the_strict_meaning():
    policy = policy_of()
    assert (policy.otherwise, policy.on_error) == (Then(Verdict.DENY), Then(Verdict.DENY))
    assert (policy.zone, policy.zone_name, policy.shadow) == (UTC, "UTC", False)
    assert policy.rules == policy.limits == policy.requires == policy.guarantees == ()


def test_the_digest_is_of_the_exact_text():
    assert policy_of().digest != policy_of("# a remark\n").digest
    assert policy_of().digest == policy_of().digest


def test_types_are_read_in_every_notation():
    more = (
        "types:\n  item: {price: money, note: text?}\nfacts:\n  o.items: list of item\n  o.tier: [gold, silver]\n"
        '  o.when: time?, max_age 1 hour\n  o.left: "money, any sign"\n  o.mail: text, personal\n'
    )
    facts = policy_of(more).facts
    assert isinstance(facts["o.items"].type.item, Record)
    assert facts["o.items"].type.item.fields["note"].optional
    assert facts["o.tier"].type == OneOf(("gold", "silver"))
    assert facts["o.when"].max_age == timedelta(hours=1)
    assert facts["o.left"].type == Money(("USD",), any_sign=True)
    assert facts["o.mail"].personal


def test_a_list_of_conditions_means_all_of_them():
    assert holds("[n > 1, n < 5]", n=3) is True
    assert holds("[n > 1, n < 5]", n=5) is False


def test_any_and_none_blocks_nest():
    when = "\n      all: [n > 0]\n      any:\n        - n == 3\n        - none: [n < 10]\n      none: [n == 12]"
    found = {n: holds(when, n=n) for n in (0, 3, 4, 10, 11, 12)}
    assert found == {0: False, 3: True, 4: False, 10: True, 11: True, 12: False}


def test_an_item_of_a_list_may_rest_on_what_another_asks_with_has():
    more = "facts: {o.at: time?}\n"
    assert rule("[now - o.at < 3 days, has(o.at)]", more).when is not None
    assert codes_of(f"{more}rules: [{{id: r, then: deny, when: [now - o.at < 3 days, n > 1]}}]\n") == [
        "optional_unguarded"
    ]


def test_words_may_show_what_the_condition_has_asked_for():
    more = "facts: {o.score: integer?}\nnames: {risky: has(o.score) and o.score > 80}\n"
    ok = f"{more}rules:\n  - id: r\n    then: deny\n    when: risky\n    because: Score {{o.score}}.\n"
    assert len(policy_of(ok).rules[0].words.because.parts) == 3
    assert codes_of(ok.replace("when: risky", "when: n > 1")) == ["optional_unguarded"]


def test_braces_are_doubled_to_stand_for_themselves():
    found = policy_of("rules:\n  - id: r\n    then: deny\n    because: '{{n}} is {n}}}'\n").rules[0].words.because
    assert [part if isinstance(part, str) else part.source for part in found.parts] == ["{n} is ", "n", "}"]


def test_words_per_language_keep_their_order_and_tags():
    policy = policy_of("say_otherwise: {en: No, de: Nein, pt-BR: Não}\nsay_on_error: Later.\n")
    assert list(policy.say_otherwise) == ["en", "de", "pt-BR"]
    assert list(policy.say_on_error) == [""]


def test_disclose_and_dates_are_read():
    found = policy_of(
        "rules: [{id: r, then: allow, disclose: threshold, expires: 2027-01-31, review_by: 2026-12-01}]\n"
    ).rules[0]
    assert found.words.disclose is Disclose.THRESHOLD
    assert (found.expires, found.review_by) == (date(2027, 1, 31), date(2026, 12, 1))


LIMIT = "limits: [{{id: l, {measure}, in: {window}, max: {most}, over: deny}}]\n"


@pytest.mark.parametrize(
    "window, kind, size",
    [
        ("5 minutes", WindowKind.SLIDING, timedelta(minutes=5)),
        ("1 hour", WindowKind.SLIDING, timedelta(hours=1)),
        ("3660 days", WindowKind.SLIDING, timedelta(days=3660)),
        ("calendar day", WindowKind.CALENDAR, None),
        ("calendar week", WindowKind.CALENDAR, None),
        ("calendar month", WindowKind.CALENDAR, None),
        ("calendar year", WindowKind.CALENDAR, None),
        ("conversation", WindowKind.CONVERSATION, None),
        ("forever", WindowKind.FOREVER, None),
    ],
)
def test_every_window_is_read(window, kind, size):
    more = "context: {conversation: text}\n" + LIMIT.format(measure="count: actions", window=window, most=3)
    found = policy_of(more).limits[0].window
    assert (found.kind, found.size) == (kind, size)


@pytest.mark.parametrize("window", ["3661 days", "0 days", "2 weeks", "1 month"])
def test_a_window_just_over_the_bound_or_in_other_units_is_refused(window):
    assert codes_of(LIMIT.format(measure="count: actions", window=window, most=3)) == ["duration_malformed"]


def test_a_limit_sums_one_expression_per_action_and_says_so_for_which():
    head = HEAD + "  c.d: {}\nfacts: {b.fee: money}\n"
    found = policy_of(LIMIT.format(measure="sum: {a.b: amount, c.d: b.fee}", window="1 hour", most=3), head).limits[0]
    assert found.on == {"a.b", "c.d"}
    assert found.measure["c.d"].source == "b.fee"
    only = policy_of(LIMIT.format(measure="sum: {a.b: amount}", window="1 hour", most=3), head).limits[0]
    assert only.on == {"a.b"}


def test_a_limit_over_several_currencies_has_a_maximum_in_each():
    head = HEAD.replace("USD", "[USD, EUR]")
    found = policy_of(LIMIT.format(measure="sum: amount", window="1 hour", most="{USD: 50, EUR: 45.50}"), head).limits[
        0
    ]
    assert found.currencies == ("USD", "EUR")
    assert {name: evaluate(item, {}) for name, item in found.max.items()} == {
        "USD": Amount.of("50", "USD"),
        "EUR": Amount.of("45.50", "EUR"),
    }


def test_a_limit_may_sum_whole_numbers():
    found = policy_of(LIMIT.format(measure="sum: n", window="1 hour", most=3)).limits[0]
    assert found.currencies == ()
    assert found.measure["a.b"].type == Integer()


def test_a_maximum_may_rest_on_facts_and_computed_arguments_but_not_on_what_the_agent_says():
    head = (
        HEAD.replace("amount: money", 'amount: "money, computed as due"')
        + "facts: {o.due: money}\nnames: {due: o.due}\n"
    )
    assert policy_of(LIMIT.format(measure="sum: amount", window="1 hour", most="due"), head).limits
    assert policy_of(LIMIT.format(measure="sum: amount", window="1 hour", most="amount"), head).limits
    assert codes_of(LIMIT.format(measure="sum: n", window="1 hour", most="n")) == ["not_readable"]


def test_computed_arguments_are_checked_against_their_type():
    head = HEAD.replace("n: integer", "n: integer, due: 'money, computed as due_now'").replace("{n", "{n")
    good = head + "facts: {o.due: money}\nnames: {due_now: o.due}\n"
    assert policy_of("", good).actions["a.b"].computed["due"].reads == {"o.due"}
    assert codes_of("", head + "facts: {o.due: text}\nnames: {due_now: o.due}\n") == ["wrong_type"]


def test_routes_keep_their_order_and_end_with_deny_when_they_do_not_say():
    more = (
        "calendars: {desk: {mon-fri: 08:00-18:00}}\nescalations:\n"
        '  a: {who: "group:x", within: 4 hours of desk, if_late: b}\n'
        '  b: {who: ["group:x", "user:y"], people: 2, within: 1 day}\n'
    )
    routes = policy_of(more).routes
    assert [(route.id, route.strength, route.if_late) for route in routes.values()] == [("a", 0, "b"), ("b", 1, None)]
    assert routes["a"].within.calendar == "desk"
    assert routes["b"].who == ("group:x", "user:y")


def test_calendars_are_read_in_every_spelling():
    more = (
        "calendars:\n  c:\n    mon-wed: [08:00-12:00, 13:00-24:00]\n    fri-sun: from 20:00 to 02:00\n    thu: closed\n"
        "    closed: [2026-12-25]\n    days: [2026-12-24]\n    spans: [{from: 2026-12-31 18:00, to: 2027-01-02}]\n"
        "    timezone: America/New_York\n  nights: {every day: from 22:00 to 06:00}\n"
        "  close: {from: 2026-01-01, to: 2026-01-02}\n"
    )
    calendars = policy_of(more).calendars
    week = calendars["c"].week
    assert week[0] == week[2] == (Hours(time(8), time(12)), Hours(time(13), time.max))
    assert week[3] == ()
    assert week[4] == week[6] == (Hours(time(20), time(2)),)
    assert calendars["c"].closed == {date(2026, 12, 25)}
    assert Span(datetime(2026, 12, 31, 18), datetime(2027, 1, 2)) in calendars["c"].spans
    assert Span(datetime(2026, 12, 24), datetime(2026, 12, 25)) in calendars["c"].spans
    assert calendars["c"].zone == ZoneInfo("America/New_York")
    assert calendars["nights"].daily == (Hours(time(22), time(6)),)
    assert calendars["close"].spans == (Span(datetime(2026, 1, 1), datetime(2026, 1, 2)),)


def test_a_week_may_wrap_around():
    week = policy_of("calendars: {c: {sat-mon: 08:00-12:00}}\n").calendars["c"].week
    assert [bool(hours) for hours in week] == [True, False, False, False, False, True, True]


def test_tables_are_read_and_looked_up():
    more = "facts: {c.tier: [gold, silver]}\ntables:\n  bags: {gold: {a: 3, b: 4}, silver: {a: 1, b: 2}}\n"
    found = rule('n > bags[c.tier]["b"]', more)
    assert evaluate(found.when, {"n": 3, "c.tier": "silver"}) is True
    assert evaluate(found.when, {"n": 4, "c.tier": "gold"}) is False


def test_names_may_stand_in_any_order_and_read_arguments_that_some_actions_lack():
    head = HEAD + "  c.d: {}\nnames: {big: large and n > 3, large: n > 2}\n"
    assert policy_of("rules: [{id: r, on: [a.b], then: deny, when: big}]\n", head).rules
    assert codes_of("rules: [{id: r, then: deny, when: big}]\n", head) == ["not_readable"]


def test_a_name_that_no_action_can_use_is_told_where_it_stands():
    head = HEAD + "  c.d: {m: integer}\n"
    assert codes_of("names: {both: n > 3 and m > 2}\n", head) == ["not_readable"]


def test_an_argument_that_actions_have_with_different_types_is_read_only_where_it_is_one():
    head = HEAD + "  c.d: {n: text}\n"
    assert policy_of("rules: [{id: r, on: [c.d], then: deny, when: n == 'x'}]\n", head).rules
    assert codes_of("rules: [{id: r, then: deny, when: n > 3}]\n", head) == ["not_readable"]


def test_used_and_held_are_read_by_the_short_id_where_the_limit_counts():
    more = LIMIT.format(measure="sum: amount", window="1 hour", most=3)
    found = policy_of(more + 'rules: [{id: r, then: deny, when: \'used("l") - held("l") + amount > 300\'}]\n').rules[0]
    assert found.when.reads == {"amount", "used:p/l", "held:p/l"}
    assert found.when.limits == {"p/l"}


def test_requirements_compare_customers_context_and_arguments_of_both():
    head = HEAD + "  c.d: {n: integer}\ncontext: {conversation: text}\n"
    more = "requires: [{id: q, on: [a.b], action: c.d, same: [on_behalf_of, context.conversation, n], else: deny}]\n"
    assert policy_of(more, head).requires[0].same == ("on_behalf_of", "context.conversation", "n")
    assert policy_of(more, head).requires[0].within is None
    other = head.replace("c.d: {n: integer}", "c.d: {n: text}")
    assert codes_of(more, other) == ["requirement_unmatched"]


def test_guarantees_may_read_what_was_used():
    more = LIMIT.format(measure="count: actions", window="1 hour", most=3)
    found = policy_of(more + "guarantees: [{id: g, never: [allow, escalate], when: used('l') >= 3}]\n").guarantees[0]
    assert found.never == {Verdict.ALLOW, Verdict.ESCALATE}
    assert found.when.limits == {"p/l"}


def test_a_file_may_abstain_and_may_be_a_shadow():
    policy = policy_of("mode: shadow\notherwise: abstain\n")
    assert policy.shadow
    assert policy.otherwise.verdict is Verdict.ABSTAIN


def test_a_comment_behind_a_sentence_needs_two_blanks_before_it():
    text = "rules:\n  - id: r\n    then: deny\n    say: Not possible.{}\n"
    assert policy_of(text.format("  # words")).rules[0].words.say[""].source == "Not possible."
    assert codes_of(text.format(" # words")) == ["comment_cuts_text"]
    assert codes_of(text.format("  #5")) == ["comment_cuts_text"]


@pytest.mark.parametrize("count, ok", [(1_000, True), (1_001, False)])
def test_a_file_has_at_most_a_thousand_rules(count, ok):
    more = "rules:\n" + "".join(f"  - {{id: r{n}, then: deny}}\n" for n in range(count))
    assert (len(policy_of(more).rules) == count) if ok else (codes_of(more) == ["too_many"])


def test_the_same_text_gives_the_same_policy():
    assert load_text(BASE, "shop.yaml") == load_text(BASE, "shop.yaml")
