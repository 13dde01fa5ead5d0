"""Running a policy's cases: what passes, what fails, and what a person reads then."""

import pytest

from agentguard.analysis import run_cases
from agentguard.core.cases import Case, CaseFile, Expectation, Row, Situation
from agentguard.core.policy import Place
from agentguard.errors import UsageError
from agentguard.policyfile import bundle_of, load_cases_text, load_text

POLICY = """
agentguard: 1
policy: tips
version: 1
owner: somebody@acme.example
timezone: Europe/Berlin
currency: EUR
on_error: escalate to lead
actions:
  tip.give: {amount: money, note: "text?"}
  tip.ask: {wish: text}
facts:
  waiter.name: text
  waiter.on_shift: yes_no
  waiter.since: time
  waiter.scores: list of integer
  waiter.region: text
segments: [waiter.region]
escalations:
  lead: {who: "group:leads", within: 1 hour}
  owner: {who: "group:owners", within: 1 day}
rules:
  - id: small
    on: [tip.give]
    then: allow
    when: amount <= 10 and waiter.on_shift
  - id: medium
    on: [tip.give]
    then: escalate to lead
    when: amount > 10
  - id: large
    on: [tip.give]
    then: escalate to owner
    when: amount > 100
  - id: too-new
    on: [tip.give]
    then: deny
    when: asked_at - waiter.since < 7 days
    say: Not yet.
  - id: bad-scores
    on: [tip.give]
    then: deny
    when: waiter.scores.exists(s, s < 2)
limits:
  - {id: a-day, on: [tip.give], sum: amount, per: waiter.name, in: calendar day, max: 50, over: deny}
  - {id: often, on: [tip.give], count: actions, per: waiter.name, in: 1 hours, max: 3, over: escalate to lead}
requires:
  - {id: asked, on: [tip.give], action: tip.ask, same: [on_behalf_of], else: deny}
guarantees:
  - {id: modest, on: [tip.give], never: allow, when: used("a-day") + amount > 50}
  - {id: generous, on: [tip.give], possible: allow, when: amount == 10}
  - id: kind
    on: [tip.give]
    never: [deny]
    when: waiter.scores.exists(s, s > 8)
"""

GIVEN = Situation(
    now="2026-11-20 10:00",
    values={
        "amount": "5",
        "on_behalf_of": "guest",
        "waiter.name": "Kim",
        "waiter.on_shift": "yes",
        "waiter.since": "2026-01-01 09:00",
        "waiter.scores": ("4", "5"),
        "wish": "a tip",
    },
    happened=("asked",),
)
PLACE = Place("tips_test.yaml", 3, 5)


@pytest.fixture(scope="module")
def bundle():
    return bundle_of([load_text(POLICY, "tips.yaml")])


def result_of(bundle, expect, situation=None, action="tip.give", given=GIVEN):
    case = Case("a case", action, situation or Situation(), expect, (), PLACE)
    return run_cases(bundle, CaseFile(("tips",), given, (case,), "tips_test.yaml")).results[0]


def with_values(**values):
    return Situation(values={name.replace("__", "."): value for name, value in values.items()})


def expecting(verdict=None, *by, say=None):
    return Expectation(verdict, by or None, say)


def test_a_case_that_comes_out_as_expected_passes(bundle):
    result = result_of(bundle, expecting("allow", "small"))
    assert result.passed
    assert (result.verdict, result.by) == ("allow", ("small",))


def test_a_wrong_verdict_is_told_with_what_came_instead_and_why(bundle):
    result = result_of(bundle, expecting("allow"), with_values(amount="10.01"))
    assert result.failures == ("expected allow, got escalate to lead by `medium`",)


def test_the_right_answer_for_the_wrong_reason_fails(bundle):
    result = result_of(bundle, expecting("deny", "too-new"), Situation(happened=()))
    assert result.failures == ("expected deny by `too-new`, got it by `asked`",)


def test_by_means_exactly_these(bundle):
    new = Situation(values={"waiter.since": "2026-11-19 10:00"}, happened=())
    assert result_of(bundle, expecting("deny", "too-new", "asked"), new).passed
    assert not result_of(bundle, expecting("deny", "too-new"), new).passed
    assert not result_of(bundle, expecting("deny", "too-new", "asked", "a-day"), new).passed


def test_only_the_strongest_route_decides(bundle):
    result = result_of(bundle, expecting("escalate to owner", "large"), Situation(values={"amount": "100.01"}))
    assert result.failures[0].startswith("expected escalate to owner, got deny by `a-day`")
    lead = Situation(values={"amount": "40"}, used={"often": "3"})
    assert result_of(bundle, expecting("escalate to lead", "medium", "often"), lead).passed


def test_what_the_customer_hears_can_be_asserted(bundle):
    new = with_values(waiter__since="2026-11-19 10:00")
    assert result_of(bundle, expecting("deny", say="Not yet."), new).passed
    result = result_of(bundle, expecting("deny", say="Never."), new)
    assert result.failures == ("expected the customer to hear `Never.`, but it was `Not yet.`",)


def test_used_is_in_major_units_and_held_is_a_part_of_it(bundle):
    assert result_of(bundle, expecting("allow"), Situation(used={"a-day": "45.00"})).passed
    assert result_of(bundle, expecting("deny", "a-day"), Situation(used={"a-day": "45.01"})).passed
    assert result_of(bundle, expecting("deny", "a-day"), Situation(used={"tips/a-day": "45.01 EUR"})).passed
    assert result_of(bundle, expecting("deny", "a-day"), Situation(held={"a-day": "45.01"})).passed
    more_held = result_of(bundle, expecting("allow"), Situation(used={"a-day": "1"}, held={"a-day": "2"}))
    assert more_held.failures == ("limit `tips/a-day`: `held` is a part of `used`, so it cannot be more",)


def test_a_count_is_a_whole_number(bundle):
    result = result_of(bundle, expecting("allow"), Situation(used={"often": "1.5"}))
    assert result.failures == ("limit `tips/often`: expected a whole number, got `1.5`",)
    result = result_of(bundle, expecting("allow"), Situation(used={"a-day": "1.555"}))
    assert result.failures == ("limit `tips/a-day`: expected an amount of EUR like `260.01`, got `1.555`",)
    result = result_of(bundle, expecting("allow"), Situation(used={"a-day": "1 USD"}))
    assert result.failures == ("limit `tips/a-day`: expected an amount of EUR, got `1 USD`",)


def test_a_lookup_that_failed_is_not_a_fact_that_is_missing(bundle):
    failed = result_of(bundle, expecting("deny", "too-new"), Situation(failed=("waiter.since",)))
    assert failed.passed
    missing = result_of(bundle, expecting("allow"), Situation(without=("waiter.since",)))
    assert missing.failures[0].startswith("expected allow, got deny by `too-new` (")


def test_a_later_value_brings_back_what_was_taken_away(bundle):
    rows = (
        Row(with_values(waiter__since="2026-01-01 09:00"), expecting("allow"), PLACE),
        Row(Situation(), expecting("deny"), PLACE),
        Row(Situation(failed=("waiter.name",)), expecting("deny"), PLACE),
        Row(Situation(now="2026-11-20 11:00", happened=()), expecting("deny"), PLACE),
    )
    case = Case("rows", "tip.give", Situation(without=("waiter.since",)), Expectation(), rows, PLACE)
    report = run_cases(bundle, CaseFile(("tips",), GIVEN, (case,), "tips_test.yaml"))
    assert [result.failures for result in report.results] == [(), (), (), ()]
    assert [result.name for result in report.results] == [
        "rows: waiter.since 2026-01-01 09:00",
        "rows: ",
        "rows: waiter.name failed",
        "rows: at 2026-11-20 11:00, happened nothing",
    ]


@pytest.mark.parametrize(
    "situation, mistake",
    [
        (with_values(amont="5"), "nothing in the policy is called `amont`; did you mean `amount`?"),
        (with_values(wish="x"), "`tip.give` has no argument `wish`"),
        (with_values(waiter__on_shift="maybe"), "`waiter.on_shift`: expected `yes` or `no`, got `maybe`"),
        (with_values(waiter__since="now"), "`waiter.since`: expected a time like `2026-11-20 10:00`, got `now`"),
        (with_values(waiter__scores=("4", "x")), "`waiter.scores`: expected a whole number like `3`, got `x`"),
        (with_values(waiter__scores="4"), "`waiter.scores`: expected a list of integer, got `4`"),
        (with_values(asked_at="soon"), "expected a time like `2026-11-20 10:00`, got `soon`"),
        (with_values(on_behalf_of=("a", "b")), "`on_behalf_of` must be a text"),
        (Situation(failed=("amount",)), "`amount` is not looked up, so its lookup cannot fail; use `without`"),
        (Situation(used={"a-dya": "5"}), "there is no limit called `a-dya`; did you mean `a-day`?"),
        (Situation(happened=("aksed",)), "there is no requirement called `aksed`; did you mean `asked`?"),
    ],
)
def test_a_mistake_in_a_case_is_told_and_the_case_fails(bundle, situation, mistake):
    result = result_of(bundle, expecting("allow"), situation)
    assert result.failures == (mistake,)
    assert result.decision is None


@pytest.mark.parametrize(
    "expect, mistake",
    [
        (expecting(), "the case expects nothing; add `expect: allow`, `expect: deny` or `expect: escalate to …`"),
        (expecting("alow"), "expected `allow`, `deny` or `escalate to …` under `expect`, got `alow`"),
        (expecting("escalate to laed"), "there is no route called `laed`; did you mean `lead`?"),
        (expecting("deny", "to-new"), "no rule, limit or requirement is called `to-new`; did you mean `too-new`?"),
    ],
)
def test_a_mistake_in_what_is_expected_is_told(bundle, expect, mistake):
    assert result_of(bundle, expect).failures == (mistake,)


def test_what_is_not_given_must_be_given_or_named_as_missing(bundle):
    bare = Situation(now="2026-11-20 10:00", values={"amount": "5"})
    assert set(result_of(bundle, expecting("deny"), given=bare).failures) == {
        f"the case needs `{name}`: give it a value, or name it under `without`"
        for name in ("waiter.name", "waiter.on_shift", "waiter.since", "waiter.scores")
    }
    no_amount = result_of(bundle, expecting("deny"), given=Situation())
    assert "the case needs `amount`: give it a value, or name it under `without`" in no_amount.failures


def test_arguments_that_make_no_sense_are_refused_and_the_case_says_that_it_means_that(bundle):
    for amount in ("0", "-5", "5.001", "five", "5 USD"):
        unsaid = result_of(bundle, expecting("deny"), with_values(amount=amount))
        assert unsaid.failures[0].startswith("no rule was asked: argument `amount`: ")
        assert result_of(bundle, expecting("deny", "arguments_invalid"), with_values(amount=amount)).passed
        assert not result_of(bundle, expecting("allow", "small"), with_values(amount=amount)).passed
    assert result_of(bundle, expecting("deny", "arguments_invalid"), Situation(without=("amount",))).passed


def test_a_case_that_breaks_a_guarantee_fails_even_if_it_expects_to(bundle):
    scores = {"waiter.scores": ("1", "9")}
    result = result_of(bundle, expecting("deny", "bad-scores"), Situation(values=scores))
    assert result.failures == ("breaks the guarantee `kind` (never: deny): got deny",)
    assert [(promise.id, promise.kept) for promise in result.promises] == [("tips/kind", False)]
    unknown = result_of(bundle, expecting("deny", "bad-scores"), Situation(failed=("waiter.scores",)))
    assert unknown.passed
    assert unknown.promises == ()


def test_a_guarantee_has_an_example_once_its_condition_holds_and_what_is_possible_came_out(bundle):
    def without_example(*situations):
        cases = tuple(
            Case(f"case {number}", "tip.give", situation, Expectation(by=()), (), PLACE)
            for number, situation in enumerate(situations)
        )
        coverage = run_cases(bundle, CaseFile(("tips",), GIVEN, cases, "tips_test.yaml")).coverage
        return [item.id for item in coverage.without_example]

    ten = with_values(amount="10")
    too_new = Situation(values={"amount": "10", "waiter.since": "2026-11-19 10:00"})
    full = Situation(used={"a-day": "45.01"})
    assert without_example(Situation()) == ["tips/modest", "tips/generous", "tips/kind"]
    assert without_example(ten, full) == ["tips/kind"]
    assert without_example(too_new, full) == ["tips/generous", "tips/kind"]


def test_a_rule_that_always_speaks_need_not_be_seen_silent():
    policy = load_text(
        "agentguard: 1\npolicy: open\nversion: 1\nactions: {tip.ask: {wish: text}}\nrules: [{id: all, then: allow}]\n",
        "open.yaml",
    )
    case = Case("a case", "tip.ask", with_values(wish="x"), expecting("allow"), (), PLACE)
    report = run_cases(bundle_of([policy]), CaseFile(("open",), Situation(), (case,), "open_test.yaml"))
    assert report.passed
    assert report.coverage.uncovered == ()


def test_one_wrong_case_is_enough_for_a_report_that_has_not_passed(bundle):
    right = Case("right", "tip.give", Situation(), expecting("allow"), (), PLACE)
    wrong = Case("wrong", "tip.give", Situation(), expecting("deny"), (), PLACE)
    report = run_cases(bundle, CaseFile(("tips",), GIVEN, (right, wrong), "tips_test.yaml"))
    assert not report.passed
    assert [result.name for result in report.failed] == ["wrong"]


def test_an_action_that_is_not_there_is_told(bundle):
    result = result_of(bundle, expecting("allow"), action="tip.gvie")
    assert result.failures == ("`do` names `tip.gvie`, which the policy does not have; did you mean `tip.give`?",)


def test_an_action_that_no_rule_speaks_of_falls_to_otherwise(bundle):
    assert result_of(bundle, expecting("deny", "otherwise"), action="tip.ask").passed


def test_a_test_file_for_another_policy_is_refused(bundle):
    with pytest.raises(UsageError, match="got `tipps`; did you mean `tips`"):
        run_cases(bundle, CaseFile(("tipps",), GIVEN, (), "tips_test.yaml"))


def test_a_test_file_without_cases_has_not_passed(bundle):
    assert not run_cases(bundle, CaseFile(("tips",), GIVEN, (), "tips_test.yaml")).passed


def test_a_policy_in_shadow_mode_is_tested_as_if_it_were_enforced():
    shadow = bundle_of([load_text(POLICY.replace("version: 1", "version: 1\nmode: shadow"), "tips.yaml")])
    assert result_of(shadow, expecting("allow", "small")).passed


def test_several_policies_can_be_tested_together():
    stricter = """
agentguard: 1
policy: caps
version: 1
currency: EUR
otherwise: abstain
actions:
  tip.give: {amount: money, note: "text?"}
escalations:
  lead: {who: "group:cap-leads", within: 1 hour}
rules:
  - {id: medium, then: escalate to lead, when: amount > 8}
"""
    both = bundle_of([load_text(POLICY, "tips.yaml"), load_text(stricter, "caps.yaml")])

    def result(expect, amount):
        case = Case("a case", "tip.give", with_values(amount=amount), expect, (), PLACE)
        return run_cases(both, CaseFile(("tips", "caps"), GIVEN, (case,), "tips_test.yaml")).results[0]

    assert result(expecting("allow", "small"), "8").passed
    assert result(expecting("escalate to caps/lead", "caps/medium"), "8.01").passed
    for routes in ("caps/lead and tips/lead", "tips/lead and caps/lead"):
        assert result(expecting(f"escalate to {routes}", "caps/medium", "tips/medium"), "10.01").passed
    assert not result(expecting("escalate to caps/lead", "caps/medium"), "10.01").passed
    wrong = result(expecting("allow"), "8.01")
    assert wrong.failures == ("expected allow, got escalate to caps/lead by `caps/medium`",)


def test_coverage_says_what_decided_what_was_silent_and_which_limit_met_its_boundary(bundle):
    cases = (
        Case("fits", "tip.give", Situation(used={"a-day": "45"}), expecting("allow"), (), PLACE),
        Case("one cent more", "tip.give", Situation(used={"a-day": "45.01"}), expecting("deny"), (), PLACE),
        Case("two cents more", "tip.give", Situation(used={"a-day": "45.02"}), expecting("deny"), (), PLACE),
        Case(
            "a cent less", "tip.give", Situation(used={"a-day": "44.99", "often": "2"}), expecting("allow"), (), PLACE
        ),
    )
    report = run_cases(bundle, CaseFile(("tips",), GIVEN, cases, "tips_test.yaml"))
    coverage = report.coverage
    assert report.passed
    items = {item.id: item for item in coverage.items}
    assert (items["tips/a-day"].decided, items["tips/a-day"].silent) == (2, 2)
    assert (items["tips/a-day"].at_max, items["tips/a-day"].past_max) == (1, 1)
    assert (items["tips/often"].at_max, items["tips/often"].past_max) == (1, 0)
    assert (items["tips/small"].decided, items["tips/small"].silent) == (2, 0)
    assert coverage.share == (1, 8)
    uncovered = [item.id for item in coverage.uncovered]
    assert "tips/a-day" not in uncovered
    assert {"tips/small", "tips/too-new", "tips/often", "tips/asked"} <= set(uncovered)
    assert [item.id for item in coverage.without_boundary] == ["tips/often"]


EVERY_KIND = """
agentguard: 1
policy: kinds
version: 1
timezone: Europe/Berlin
currency: [USD, EUR]
types:
  part: {name: text, price: money}
actions:
  kind.try: {due: "money, computed as owed"}
facts:
  it.price: money
  it.weight: decimal
  it.day: date
  it.pause: duration
  it.at: time
  it.parts: list of part
context:
  loud: yes_no?
names:
  owed: it.price + it.price
rules:
  - id: all-read
    then: allow
    when:
      - due == usd(80)
      - it.weight == 2.5
      - it.day == date("2026-12-24")
      - it.pause == 3 days
      - it.at == time("2026-11-20T09:00:00Z")
      - it.parts.exists(p, p.name == "lid" and p.price == eur(3))
      - has(context.loud) and context.loud
      - agent.id == "bot" and has(agent.version) and agent.version == "2" and tenant == "north"
limits:
  - {id: spent, sum: due, in: 30 days, max: {USD: usd(100), EUR: eur(90)}, over: deny}
"""

EVERYTHING = {
    "it.price": "40.00 USD",
    "it.weight": "2.50",
    "it.day": "2026-12-24",
    "it.pause": "3 days",
    "it.at": "2026-11-20 10:00",
    "it.parts": ({"name": "lid", "price": "3 EUR"},),
    "context.loud": "yes",
    "agent.id": "bot",
    "agent.version": "2",
    "tenant": "north",
}


def kinds_result(expect, situation):
    bundle = bundle_of([load_text(EVERY_KIND, "kinds.yaml")])
    case = Case("a case", "kind.try", situation, expect, (), PLACE)
    return run_cases(bundle, CaseFile(("kinds",), Situation(values=EVERYTHING), (case,), "kinds_test.yaml")).results[0]


def test_values_of_every_kind_are_read_by_the_types_that_the_policy_declares():
    assert kinds_result(expecting("allow", "all-read"), Situation()).failures == ()
    elsewhere = Situation(values={"it.at": "2026-11-20 04:00-05:00"})
    assert kinds_result(expecting("allow", "all-read"), elsewhere).failures == ()
    assert kinds_result(expecting("deny", "otherwise"), Situation(without=("context.loud",))).failures == ()


@pytest.mark.parametrize(
    "values, mistake",
    [
        ({"it.price": "40"}, "`it.price`: expected an amount with its currency like `49.99 USD`, got `40`"),
        ({"it.weight": "1e3"}, "`it.weight`: expected a number like `2.5`, got `1e3`"),
        ({"it.day": "24.12.2026"}, "`it.day`: expected a date like `2026-11-20`, got `24.12.2026`"),
        ({"it.pause": "a while"}, "`it.pause`: expected a length of time like `3 days`, got `a while`"),
        ({"it.parts": ("lid",)}, "`it.parts`: expected part with `name`, `price`, got `lid`"),
        ({"it.parts": ({"name": "lid"},)}, "`it.parts`: part needs the field `price`"),
        ({"it.parts": ({"name": "a", "price": "1 EUR", "x": "1"},)}, "`it.parts`: part has no field `x`"),
        ({"due": "80 USD"}, "`due` is worked out by the policy; leave it out and set what it is made of"),
        ({"context.loud": "very"}, "`context.loud`: expected `yes` or `no`, got `very`"),
        ({"tenant": {"a": "b"}}, "`tenant` must be a text"),
    ],
)
def test_a_value_that_is_none_of_its_type_is_told_with_an_example(values, mistake):
    assert kinds_result(expecting("allow"), Situation(values=values)).failures == (mistake,)


def test_what_is_used_and_not_held_is_settled_in_the_currency_of_the_request():
    situation = Situation(used={"spent": "20"}, held={"spent": "5.00 USD"})
    checked = kinds_result(expecting("allow"), situation).decision.limits[0]
    assert (checked.unit, checked.used, checked.held, checked.amount, checked.max) == ("USD", 2000, 500, 8000, 10000)


def test_what_a_test_file_quotes_begins_no_line_of_its_own(bundle):
    text = (
        'test: tips\ncases:\n  - {name: "one\\n::error::two", do: tip.give, with: {amount: 5}, '
        'by: ["small\\n::error::x"], say: "a\\n::error::b"}\n'
    )
    cases = load_cases_text(text, "tips_test.yaml")
    (result,) = run_cases(bundle, cases).failed
    assert result.name == "one ::error::two"
    assert result.failures
    assert not any("\n" in line for line in result.failures)
