"""What takes the solver beside bands: who overrules a rule, lists that may be empty, limits that nothing reaches."""

from datetime import timedelta

import pytest

from agentguard.analysis.windows import covers
from agentguard.core.policy import Window, WindowKind
from tests.lint.shop import deep

A, L, D = "allow", "escalate to lead", "deny"
SMALL = (A, "amount <= 50")
LARGE = (L, "amount > 50")


@pytest.mark.parametrize(
    "rules, who",
    [
        ([(D, "amount > 20"), LARGE], "whenever it matches, rule `r0` says deny"),
        ([SMALL, (A, "amount <= 40")], "whenever it matches, rule `r0` says allow"),
        ([LARGE, (L, "amount > 60")], "whenever it matches, rule `r0` says escalate to lead"),
        (
            [(D, "amount > 20 and amount <= 80"), ("escalate to finance", "amount > 80"), LARGE],
            "rule `r0` or rule `r1`",
        ),
    ],
)
def test_a_rule_that_never_decides_is_told_with_the_rules_that_decide_instead(rules, who):
    [(code, message)] = deep(rules)
    assert code == "rule_never_decides"
    assert who in message


def test_a_rule_that_many_overrule_together_is_told_without_naming_them():
    many = [(D, f"amount > {20 * step} and amount <= {20 * step + 20}") for step in range(5)]
    found = dict(deep([(A, "amount > 0"), *many, (L, "amount > 0 and amount <= 100")]))
    assert "whenever it matches, others say the same or more" in found["rule_never_decides"]


def test_a_rule_whose_conditions_exclude_each_other_is_told():
    told = dict(deep([SMALL, (D, "amount > 70 and amount < 70.01")]))
    assert list(told) == ["rule_never_fires"]
    assert "rule `r1` can never match" in told["rule_never_fires"]


def test_a_requirement_that_a_rule_always_overrules_is_told_as_a_rule_is():
    needs = "requires:\n  - {id: first, action: refund.issue, same: [on_behalf_of], when: amount > 20, else: deny}\n"
    assert [code for code, _ in deep([SMALL], needs)] == []
    [(code, message)] = deep(
        [SMALL, (D, "amount > 50")], needs.replace("> 20", "> 60").replace("else: deny", "else: escalate to lead")
    )
    assert code == "rule_never_decides"
    assert message.startswith("requirement `first` never decides anything: whenever it matches, rule `r1` says deny")
    [(code, message)] = deep([SMALL], needs.replace("amount > 20", "amount > 20 and amount < 9"))
    assert (code, message.split(":")[0]) == ("rule_never_fires", "requirement `first` can never match")


@pytest.mark.parametrize("when, found", [("amount > 50", False), ("amount > 80", True), ("amount < 0.01", True)])
def test_a_limit_on_what_is_never_let_through_counts_nothing(when, found):
    limit = f"limits: [{{id: large, count: actions, when: {when}, in: 1 day, max: 3, over: deny}}]\n"
    told = [message for code, message in deep([SMALL, (L, "amount > 50 and amount <= 80")], limit)]
    assert [message.partition(":")[0] for message in told] == ["limit `large` counts nothing"] * found


def test_a_limit_that_always_denies_first_is_named_too():
    limits = "limits: [{id: none-at-all, count: actions, in: forever, max: 0, over: deny}]\n"
    told = [message for code, message in deep([SMALL], limits) if code == "rule_never_decides"]
    assert ["limit `none-at-all` says deny" in message for message in told] == [True]


@pytest.mark.parametrize(
    "condition, where",
    [
        ("zones[order.zone] == 1", "where `order.zone` has no entry in the table `zones`"),
        ("during(now, order.zone)", "where `order.zone` names a calendar that the file does not have"),
        ("min(order.items.map(i, i.price)) > 5", "for some facts that are known (`min` of an empty list)"),
    ],
)
def test_a_rule_that_some_known_facts_make_fail_is_a_note_that_names_them(condition, where):
    calendars = 'calendars: {north: {mon-fri: "08:00-18:00"}}\n'
    [(code, message)] = deep([(D, condition), SMALL], calendars)
    assert code == "rule_can_fail"
    assert f"rule `r0` cannot be evaluated {where}" in message


def test_rules_that_fail_for_one_cause_are_told_together_and_an_allow_is_among_them():
    rules = [(D, "zones[order.zone] == 1"), (A, "zones[order.zone] == 2 and amount <= 50")]
    [(code, message)] = deep(rules)
    assert code == "rule_can_fail"
    assert message.startswith("rules `r0` and `r1` cannot be evaluated where `order.zone` has no entry")


def empty(*rules):
    return [message.split("`")[1] for code, message in deep(rules) if code == "all_of_maybe_empty"]


WHOLE = "order.items.all(i, not i.final_sale)"


def test_an_allow_that_rests_on_all_of_a_list_is_told_unless_the_list_has_something():
    assert empty((A, f"amount <= 50 and {WHOLE}")) == ["r0"]
    assert empty((A, f"size(order.items) > 0 and {WHOLE}")) == []
    assert empty((A, f"size(order.items) >= 0 and {WHOLE}")) == ["r0"]


def test_another_rule_may_see_to_it_that_the_list_has_something():
    assert empty((A, f"amount <= 50 and {WHOLE}"), (D, "size(order.items) == 0")) == []
    assert empty((A, f"amount <= 50 and {WHOLE}"), (D, "size(order.items) == 1")) == ["r0"]


def test_a_refusal_that_is_silent_for_an_empty_list_is_told_as_well():
    assert empty(SMALL, (D, f"not {WHOLE}")) == ["r1"]
    assert empty(SMALL, (D, "order.items.exists(i, i.final_sale)")) == []
    assert empty(SMALL, (D, WHOLE)) == []  # it speaks for the empty list


def test_all_of_what_is_inside_the_items_is_not_told():
    assert empty((A, 'order.items.exists(i, i.parts.all(p, p == "x"))')) == []


def test_one_list_is_told_once():
    assert empty((A, f"amount <= 50 and {WHOLE}"), (A, f"amount > 60 and amount <= 70 and {WHOLE}")) == ["r0"]


COUNT = "{id: some, count: actions, per: on_behalf_of, in: 30 days, max: 3, over: deny}"


def out_of_reach(limit, first=COUNT, rules=(SMALL,)):
    return [code for code, _ in deep(rules, f"limits:\n  - {first}\n  - {limit}\n")].count("limit_out_of_reach") == 1


@pytest.mark.parametrize("most, found", [("149.99", False), ("150", True), ("150.01", True)])
def test_a_sum_that_so_many_of_the_largest_amount_do_not_pass_is_out_of_reach(most, found):
    assert out_of_reach(f"{{id: sum, sum: amount, per: on_behalf_of, in: 30 days, max: {most}, over: deny}}") is found


def window(text):
    number, _, unit = text.partition(" ")
    if number == "calendar":
        return Window(WindowKind.CALENDAR, unit=unit)
    return Window(WindowKind.SLIDING, timedelta(**{unit: int(number)})) if unit else Window(WindowKind(text))


@pytest.mark.parametrize(
    "outer, inner, inside",
    [
        ("30 days", "30 days", True),
        ("30 days", "31 days", False),
        ("30 days", "720 hours", True),
        ("25 hours", "calendar day", False),
        ("26 hours", "calendar day", True),  # clocks are put back by two hours somewhere
        ("24 hours", "calendar day", False),  # one day a year has 25
        ("31 days", "calendar month", False),
        ("32 days", "calendar month", True),
        ("7 days", "calendar week", False),
        ("8 days", "calendar week", True),
        ("367 days", "calendar year", True),
        ("calendar month", "calendar day", True),
        ("calendar month", "calendar week", False),
        ("calendar week", "calendar day", True),
        ("calendar day", "1 hours", False),
        ("forever", "conversation", True),
        ("forever", "calendar year", True),
        ("conversation", "conversation", True),
        ("conversation", "forever", False),
        ("999 days", "forever", False),
        ("999 days", "conversation", False),
    ],
)
def test_a_window_holds_another_one_at_every_moment_or_not(outer, inner, inside):
    assert covers(window(outer), window(inner)) is inside


def test_a_maximum_that_rests_on_a_fact_is_left_alone():
    assert not out_of_reach("{id: sum, sum: amount, per: on_behalf_of, in: 30 days, max: order.total, over: deny}")
    first = COUNT.replace("count: actions", "sum: amount").replace("max: 3", "max: order.total")
    assert not out_of_reach("{id: sum, sum: amount, per: on_behalf_of, in: 7 days, max: 900, over: deny}", first)


def test_what_people_may_approve_counts_as_well():
    limit = "{id: sum, sum: amount, per: on_behalf_of, in: 30 days, max: 300, over: deny}"
    assert out_of_reach(limit)
    assert not out_of_reach(limit, rules=[SMALL, LARGE])
    assert out_of_reach(limit, rules=[SMALL, (L, "amount > 50 and amount <= 100")])
    assert not out_of_reach(limit, rules=[SMALL, (L, "amount > 50 and amount <= 100.01")])


@pytest.mark.parametrize(
    "change, found",
    [
        (("over: deny", "over: escalate to lead"), False),  # people may let more through
        (("30 days", "29 days"), False),
        (("30 days", "forever"), True),
        (("30 days", "calendar month"), False),
        (("per: on_behalf_of", "per: order.id"), False),
        (("per: on_behalf_of, ", ""), True),  # it counts everybody's
        (("max: 3", "max: 6"), True),
        (("max: 3", "max: 7"), False),
        (("count: actions", "count: actions, when: amount > 5"), False),
    ],
)
def test_a_limit_comes_first_only_if_it_denies_and_counts_all_of_it_for_as_long(change, found):
    limit = "{id: sum, sum: amount, per: on_behalf_of, in: 30 days, max: 300, over: escalate to lead}"
    assert out_of_reach(limit, COUNT.replace(*change)) is found


@pytest.mark.parametrize("most, found", [("2", False), ("3", True), ("4", True)])
def test_a_count_behind_another_count_is_out_of_reach(most, found):
    assert (
        out_of_reach(f"{{id: count, count: actions, per: on_behalf_of, in: 7 days, max: {most}, over: deny}}") is found
    )


@pytest.mark.parametrize("most, found", [("80", False), ("90", True), ("100", True)])
def test_a_sum_behind_another_sum_of_the_same_is_out_of_reach(most, found):
    first = "{id: all, sum: amount, in: 30 days, max: 90, over: deny}"
    assert (
        out_of_reach(f"{{id: each, sum: amount, per: order.id, in: 7 days, max: {most}, over: deny}}", first) is found
    )
    assert not out_of_reach(f"{{id: each, sum: pieces, per: order.id, in: 7 days, max: {most}, over: deny}}", first)


def test_of_two_limits_that_say_the_same_the_second_is_out_of_reach():
    told = [
        message.split("`")[1]
        for code, message in deep([SMALL], f"limits:\n  - {COUNT}\n  - {COUNT}\n".replace("some", "first", 1))
        if code == "limit_out_of_reach"
    ]
    assert told == ["some"]


OWN = "order.customer_id != on_behalf_of"


def of_others(*rules):
    return [message.split("`")[1] for code, message in deep(rules) if code == "order_of_anybody"]


@pytest.mark.parametrize("verdict", [D, L])
def test_a_refusal_of_what_is_anothers_is_told_if_it_is_not_always_refused(verdict):
    assert of_others(SMALL, (verdict, OWN)) == []
    assert of_others(SMALL, (verdict, f"{OWN} or order.total > 5")) == []
    assert of_others(SMALL, (verdict, f"{OWN} and amount > 20")) == ["r1"]
    assert of_others(SMALL, (verdict, OWN.replace("!=", "=="))) == ["r1"]


def test_other_rules_may_refuse_the_rest_of_what_is_anothers():
    assert of_others(SMALL, (D, f"{OWN} and amount > 20"), (D, f"{OWN} and amount <= 20")) == []


def test_a_person_may_do_what_an_agent_may_not_and_a_thing_may_have_several_customers():
    assert of_others(SMALL, (D, f'{OWN} and agent.kind != "person"')) == []
    assert of_others(SMALL, (D, f"{OWN} and order.zone != on_behalf_of")) == []
    assert of_others(SMALL, (D, f"{OWN} and not (on_behalf_of in order.items.map(i, order_id))")) == []
