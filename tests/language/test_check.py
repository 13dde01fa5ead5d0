"""The type checker: what is refused before it can fail, and the fix that each message names."""

import pytest

from agentguard.core import language
from agentguard.core.language import Declared, Scope, YesNo, all_of, any_of, check, check_names, none_of, parse
from agentguard.errors import LanguageError
from tests.language.expressions import ITEM, SCOPE, USD, scope_with_names

WITH_NAMES = scope_with_names()


def checked(text, scope=WITH_NAMES, expect=None, given=()):
    return check(parse(text), scope, text, expect, given)


def problems(text, scope=WITH_NAMES, expect=None):
    with pytest.raises(LanguageError) as caught:
        checked(text, scope, expect)
    return caught.value.problems


@pytest.mark.parametrize(
    "text, offset, code, message",
    [
        ("amont <= 50", 0, "unknown_name", "did you mean `amount`?"),
        ("order.totl > 5", 0, "unknown_name", "did you mean `order.total`?"),
        ("total > 5", 0, "unknown_name", "did you mean `order.total`?"),
        ("order > 5", 0, "unknown_name", "say which, such as `order.total`"),
        ("tier == gold", 8, "unknown_name", 'in quotes: `"gold"`'),
        ('tier == "gld"', 8, "unknown_value", "did you mean `gold`?"),
        ('tier in ["gold", "slver"]', 17, "unknown_value", "did you mean `silver`?"),
        ("tier == silver", 8, "unknown_name", 'in quotes: `"silver"`'),
        ("day_of(now) == today", 15, "unknown_name", "write `day_of(now)`"),
        ("caps > 5", 0, "wrong_type", "look something up in it"),
        ("amount > caps(tier)", 9, "unknown_function", "`caps[...]`"),
        ("amount > caps.tier", 9, "wrong_type", "`caps[...]`"),
        ("cap_table[tier] > 5", 0, "unknown_name", "unknown table"),
        ("bags[tier] > 5", 0, "wrong_type", "has 2 keys, got 1"),
        ("items[0].final_sale", 0, "wrong_type", "only tables are indexed"),
        ("items.exists(i, i.prize > 5)", 16, "unknown_name", "did you mean `price`?"),
        ("items.exists(amount, yes)", 13, "name_taken", "choose another name"),
        ("items.exists(i, numbers.all(i, i > 1))", 28, "name_taken", "choose another name"),
        ("items.exists(i.final_sale)", 0, "arguments", "takes a new name"),
        ("items.any(i, i.final_sale)", 0, "unknown_function", "write `list.exists(i, ...)`"),
        ("flag.exists(i, yes)", 0, "wrong_type", "needs a list"),
        ("len(items) > 1", 0, "unknown_function", "write `size(x)`"),
        ("siz(items) > 1", 0, "unknown_function", "did you mean `size`?"),
        ("startsWith(name, 'a')", 0, "unknown_function", "comes after a point"),
        ("name.size(1) > 1", 0, "arguments", "takes 1 argument"),
        ("name.matches('a')", 0, "unknown_function", "no regular expressions"),
        ("score > 1", 0, "optional_unguarded", "write `has(score) and ...`"),
        ("items.exists(i, i.note == 'a')", 16, "optional_unguarded", "write `has(i.note) and ...`"),
        ("has(address.city)", 4, "optional_unguarded", "write `has(address) and ...`"),
        ("has(score) or score > 1", 14, "optional_unguarded", "may be missing"),
        ("not (has(score) and flag) or score > 1", 29, "ok", ""),
        ("(has(score) or flag) and score > 1", 25, "optional_unguarded", "may be missing"),
        ("not (has(score) or flag) or score > 1", 28, "optional_unguarded", "may be missing"),
        ("not (not has(score) and flag) and score > 1", 34, "optional_unguarded", "may be missing"),
        ("has(left)", 0, "arguments", "nothing else"),
        ("has(amount > 1)", 0, "arguments", "asks for one value"),
        ("amount", 0, "wrong_type", "expected a condition"),
        ("amount and flag", 0, "wrong_type", "expected a condition (yes or no), got money"),
        ("not count", 4, "wrong_type", "expected a condition"),
        ("amount == 50.001", 10, "money", "USD has 2 decimals"),
        ("amount == count", 10, "wrong_type", "only written numbers count as money"),
        ('amount == "50"', 10, "wrong_type", "a number stands without quotes"),
        ("amount == fee * 2", 0, "ok", ""),
        ("amount == eur(5)", 10, "currency", "not a currency of this file"),
        ("flag == 'yes'", 8, "wrong_type", "without quotes"),
        ("now > 5", 6, "wrong_type", "such as `now - 30 days`"),
        ("now - sent_at > 5 and has(sent_at)", 16, "wrong_type", "write the unit, as in `30 days`"),
        ("now > born", 6, "wrong_type", "write `day_of(...)`"),
        ('born == "2026-11-20"', 8, "wrong_type", 'write `date("2026-12-24")`'),
        ('date("2026-13-01") == born', 5, "date", "expected a day"),
        ('time("2026-12-24T18:00:00") < now', 5, "time", "needs its offset"),
        ("date(name) == born", 0, "arguments", "one text in quotes"),
        ("name < 'b'", 0, "wrong_type", "needs numbers, money, dates or times"),
        ("name + 'b' == 'ab'", 0, "wrong_type", "texts cannot be joined"),
        ("amount * amount > 5", 0, "wrong_type", "does not go with money and money"),
        ("name in tier", 8, "wrong_type", "text.contains(part)"),
        ("name in []", 8, "wrong_type", "an empty list"),
        ("items == items", 0, "wrong_type", "does not compare list of item"),
        ("[1, 'a'] == numbers", 4, "wrong_type", "needs two of the same type"),
        ("sum(items) > 5", 4, "wrong_type", "pick the field"),
        ("max(amount) > 5", 4, "wrong_type", "several values or one list"),
        ("min() > 5", 0, "arguments", "several values or one list"),
        ("rounded(amount) > 5", 0, "arguments", "takes 2 arguments"),
        ("rounded(amount, 'near') > 5", 16, "unknown_value", '`"half_up"`'),
        ("used(month) > 5", 0, "arguments", "one text in quotes"),
        ('used("mnth") > 5', 5, "unknown_name", "did you mean `month`?"),
        ('during(now, "hour")', 12, "unknown_name", "did you mean `hours`?"),
        ("during(now, 5)", 12, "wrong_type", "the calendar's name must be text"),
        ("days(1.5) > 1 day", 5, "wrong_type", "expected integer, got decimal"),
        ("-name == 'a'", 1, "wrong_type", "needs a number"),
        ("count.price > 1", 0, "unknown_name", "only records have fields"),
    ],
)
def test_a_wrong_condition_gets_a_message_at_its_place(text, offset, code, message):
    if code == "ok":
        assert checked(text, expect=YesNo()).type == YesNo()
        return
    found = problems(text, expect=YesNo())
    assert (found[0][0], found[0][1]) == (offset, code), found
    assert message in found[0][2], found
    assert all("\n" not in problem[2] for problem in found)


def test_all_problems_of_a_condition_are_reported_at_once_in_order():
    assert [offset for offset, _, _ in problems("nome == 'a' and cout > 1 and foo(3)")] == [0, 16, 29]


def test_what_has_asks_for_may_be_read_anywhere_in_the_same_chain():
    for text in (
        "has(score) and score > 1",
        "score > 1 and has(score)",
        "not has(score) or score > 1",
        "has(score) and (flag or score > 1)",
        "not (not has(score) or flag) and score > 1",
        "has(address) and has(address.city) and address.city == 'a'",
        "items.exists(i, has(i.note) and i.note == 'a')",
        "has(score) and items.exists(i, i.quantity > score)",
    ):
        checked(text, expect=YesNo())


def test_a_named_expression_that_asks_with_has_guards_what_stands_beside_it():
    scope = Scope(values=SCOPE.values, names={"scored": checked("has(score) and score > 0")})
    checked("scored and score < 100", scope)
    assert problems("scored or score < 100", scope)[0][1] == "optional_unguarded"
    half = Scope(
        values=SCOPE.values, names={"half": checked("has(score) or flag"), "off": checked("not has(score) and flag")}
    )
    assert problems("half and score < 100", half)[0][1] == "optional_unguarded"
    assert problems("off or score < 100", half)[0][1] == "optional_unguarded"


def test_conditions_of_one_list_guard_each_other():
    first = checked("has(score)")
    second = checked("score > 1", given=[first])
    assert all_of([first, second]).reads == {"score"}
    with pytest.raises(LanguageError):
        checked("score > 1")


def test_lists_of_conditions_quote_what_was_written():
    parts = [checked("flag"), checked("amount > 5 or flag")]
    assert all_of(parts).source == "flag and (amount > 5 or flag)"
    assert any_of(parts[:1]) is parts[0]
    assert none_of(parts).source == "not (flag or (amount > 5 or flag))"
    with pytest.raises(LanguageError):
        all_of([])


def test_what_a_condition_reads_includes_what_its_names_read():
    expression = checked('amount > left and has(sent_at) and used("calls") < 3')
    assert expression.reads == {
        "amount",
        "order.total",
        "held:shop/month",
        "sent_at",
        "used:shop/calls",
    }
    assert expression.limits == {"shop/month", "shop/calls"}


def test_money_with_parts_of_a_cent_is_not_stored_unrounded():
    stored = language.Money(("USD",))
    assert problems("percent(amount, 7)", expect=stored)[0][1] == "unrounded"
    assert problems("amount * rate", expect=stored)[0][1] == "unrounded"
    assert checked('rounded(amount * rate, "half_up")', expect=stored).type.rounded
    assert checked("amount * 2", expect=stored).type.rounded
    assert str(checked("50", expect=stored).tree.value) == "50.00 USD"


def test_a_file_with_two_currencies_says_which_one_it_means():
    both = language.Money(("EUR", "USD"))
    scope = Scope(values={"fee": Declared(both), "price": Declared(USD)}, currencies=("EUR", "USD"))
    message = problems("fee > 50", scope)[0][2]
    assert "`eur(...)` or `usd(...)`" in message
    checked("fee > usd(50)", scope)
    assert problems("price > eur(50)", scope)[0][2].startswith("USD and EUR never compare")
    assert problems("min(fee, usd(1), eur(1)) > usd(3)", scope)[0][1] == "currency"


def test_a_table_indexed_by_an_enumeration_covers_every_value():
    for written, missing in (({"standard": "1", "gold": "2"}, ["silver"]), ({"gold": "2"}, ["silver", "standard"])):
        scope = Scope(values=SCOPE.values, tables={"caps": language.parse_table("caps", written)})
        ((_, code, message),) = problems("count > caps[tier]", scope)
        assert code == "table_incomplete"
        assert all(f"`{name}`" in message for name in missing)
    checked('count > caps["gold"]', scope)


def test_a_name_that_cannot_be_read_says_why():
    scope = Scope(values=SCOPE.values, refused={"customer.region": "it is a segment, which no rule may read"})
    assert "it is a segment" in problems("customer.region == 'x'", scope)[0][2]


def test_a_value_without_its_quotes_is_told_as_one_even_where_a_name_is_near():
    reason = Declared(language.OneOf(("returned", "broken")))
    scope = Scope(values={"reason": reason, "order.returned": Declared(language.YesNo())})
    ((_, code, message),) = problems("reason == returned", scope)
    assert (code, message) == (
        "unknown_name",
        'unknown name `returned`; a value of `reason` is written in quotes: `"returned"`',
    )


def test_named_expressions_are_checked_in_the_order_they_need_each_other():
    written = {
        "b": "a and flag",
        "a": "count > 1",
        "loop": "not pool",
        "pool": "loop",
        "bad": "nonsense > 1",
        "c": "bad",
    }
    names, errors = check_names({name: (parse(text), text) for name, text in written.items()}, SCOPE)
    assert list(names) == ["b", "a"]
    assert set(errors) == {"loop", "pool", "bad"}
    assert "rests on itself" in str(errors["loop"])


def test_names_that_multiply_are_bounded():
    def doubled(times):
        names = {"n0": checked("count > 1")}
        for level in range(times):
            scope = Scope(values=SCOPE.values, names=dict(names))
            names[f"n{level + 1}"] = checked(f"n{level} and n{level}", scope)

    doubled(8)
    with pytest.raises(LanguageError, match="too large"):
        doubled(40)


def test_products_whose_digits_could_not_be_kept_are_refused():
    checked("rate * rate * rate > 1")
    assert problems(" * ".join(["rate"] * 20) + " > 1")[0][1] == "too_many_digits"


def test_fields_of_records_are_read_by_name_only():
    scope = Scope(values={"line": Declared(ITEM)})
    assert checked("line.quantity > 1", scope).reads == {"line"}
