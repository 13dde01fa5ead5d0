"""What an application registers, checked at the start: every mismatch with the policies, all at once."""

import gc
import warnings
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Literal, NamedTuple

import pytest
from pydantic import BaseModel
from structlog.testing import capture_logs

from agentguard import (
    ConfigurationError,
    Denied,
    Done,
    Guard,
    Idempotent,
    Money,
    NotAllowedError,
    Observed,
    Queryable,
    Read,
    Retry,
    Unprotected,
    UsageError,
)
from agentguard.testing.clock import ManualClock
from tests.engine.given import bundle

POLICY = """
agentguard: 1
policy: shop
version: 1
owner: a@acme.example
description: For registration.
timezone: UTC
currency: USD
actions:
  thing.do:
    item: text
    amount: money
    day: date?
    kind: [big, small]
facts:
  thing.price: money?
  thing.owner.name: text?
  weather.now: text?
  stock.count: "integer?, max_age 1 hour"
context:
  conversation: text
rules:
  - id: all
    then: allow
    when:
      - has(weather.now) and weather.now == "sun"
      - has(thing.price) and thing.price <= amount
      - has(stock.count) and stock.count > 0
"""


@pytest.fixture
def guard():
    made = Guard(bundle(POLICY), store="sqlite://", clock=ManualClock(), activate=True)
    yield made
    made.close()


def facts(guard, *, price="1", weather="sun", stock=3):
    guard.fact("thing")(lambda item: {"price": Money.of(price, "USD")})
    guard.fact("weather")(lambda: {"now": weather})
    guard.fact("stock")(lambda item: {"count": stock})


def run(guard, **more):
    return guard.run("thing.do", {"item": "t", "amount": "1", "kind": "big"} | more, agent="bot", key="k-1")


def mismatches(guard):
    with pytest.raises(ConfigurationError) as refused:
        guard.start()
    return list(refused.value.mismatches)


def test_every_mismatch_is_said_at_once(guard):
    @guard.action("thing.do")
    def do(item: int, amount: float, extra):
        """Do."""

    @guard.action("thing.undo")
    def undo():
        """Undo."""

    @guard.fact("thing")
    def thing(thing_id):
        """Look up."""

    found = mismatches(guard)
    assert found == [
        "tool `thing.do` takes `item` as `int`, but its policy declares `text`",
        "tool `thing.do` takes `amount` as `float`, but its policy declares `money`",
        "tool `thing.do` does not take `day`, which its policy declares; add the parameter",
        "tool `thing.do` does not take `kind`, which its policy declares; add the parameter",
        "tool `thing.do` needs `extra`, which no policy declares; declare it or give it a default",
        'rules of `thing.do` read `stock.count`, but no `@guard.fact("stock")` is registered',
        (
            "fact `thing` needs `thing_id` for `thing.do`, which is no argument, context or fact there; "
            "give the parameter a default"
        ),
        'rules of `thing.do` read `weather.now`, but no `@guard.fact("weather")` is registered',
        "tool `thing.undo` is governed by no policy in force; actions with a policy are: thing.do",
    ]


@pytest.mark.parametrize("kind", [Literal["big", "small"], str, StrEnum("Kind", ["big", "small"]), "Kind | None", None])
def test_annotations_that_may_fit_are_left_to_the_tool(guard, kind):
    facts(guard)

    def do(item: str, amount: Money, day: date | None = None, kind=None, **more):
        return "done"

    do.__annotations__["kind"] = kind
    guard.action("thing.do")(do)
    guard.start()


@pytest.mark.parametrize("kind", [Literal["big"], int, Decimal])
def test_annotations_that_cannot_fit_are_mismatches(guard, kind):
    facts(guard)

    def do(item: str, amount: Money, day: date, kind):
        return "done"

    do.__annotations__["kind"] = kind
    guard.action("thing.do")(do)
    assert len(mismatches(guard)) == 1


def test_facts_that_need_themselves_are_a_circle(guard):
    guard.fact("thing")(lambda stock: None)
    guard.fact("stock")(lambda weather: None)
    guard.fact("weather")(lambda stock: None)
    guard.action("thing.do")(lambda **_: None)
    assert any("circle" in text for text in mismatches(guard))


def test_registering_twice_too_late_or_wrongly_is_an_error(guard):
    facts(guard)
    guard.action("thing.do")(lambda **_: None)
    with pytest.raises(UsageError, match="already"):
        guard.action("thing.do")(lambda **_: None)
    with pytest.raises(UsageError, match="already"):
        guard.fact("thing")(lambda: None)
    with pytest.raises(UsageError, match="first name"):
        guard.fact("a.b")(lambda: None)
    with pytest.raises(ConfigurationError, match="position"):
        guard.fact("c")(lambda c, /: None)
    guard.start()
    with pytest.raises(UsageError, match="after the guard has started"):
        guard.fact("late")(lambda: None)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"effect": Idempotent}, "got `Idempotent`"),
        ({"effect": "read"}, "got `str`"),
        ({"effect": Idempotent(ttl=60)}, "`ttl` that is no length of time: expected a `timedelta`, got int"),
        ({"effect": Queryable(lookup=None, settle_lag=3)}, "`settle_lag` that is no length of time"),
        ({"effect": Queryable(lookup=None)}, "`lookup` that cannot be called: expected a function, got NoneType"),
        ({"effect": Queryable(lookup="find")}, "`lookup` that cannot be called: expected a function, got str"),
        ({"timeout": 30}, "`timeout` that is no length of time: expected a `timedelta`, got int"),
        ({"settles": {"amount": 1}}, "`settles` that cannot be called"),
        ({"reference": "id"}, "`reference` that cannot be called"),
    ],
)
def test_a_setting_of_another_kind_is_refused_before_anything_is_done(guard, settings, said):
    with pytest.raises(ConfigurationError, match=r"tool of `thing\.do` has") as refused:
        guard.action("thing.do", **settings)(lambda item, *, key: "done")
    assert said in str(refused.value)


def test_settings_of_a_tool_that_contradict_each_other_are_refused(guard):
    with pytest.raises(ConfigurationError, match="takes no `key`"):
        guard.action("thing.do", effect=Idempotent(timedelta(hours=1)))(lambda item: None)
    with pytest.raises(ConfigurationError, match="act twice"):
        guard.action("thing.do", retry=Retry())(lambda **_: None)
    with pytest.raises(ConfigurationError, match="act twice"):
        guard.action("thing.do", effect=Queryable(lambda: None), retry=Retry())(lambda **_: None)
    with pytest.raises(ConfigurationError, match="position"):
        guard.action("thing.do")(lambda thing, /: None)


class Paying:
    def __call__(self, item: str):
        yield item


@pytest.mark.parametrize("tool", [Paying.__call__, Paying(), partial(Paying.__call__, Paying())])
def test_a_tool_that_yields_is_refused_since_a_call_would_run_nothing_of_it(guard, tool):
    async def amounts(item):
        yield item

    for yielding in (tool, amounts):
        with pytest.raises(ConfigurationError, match=r"tool of `thing\.do` yields, so that a call runs nothing of it"):
            guard.action("thing.do")(yielding)
        with pytest.raises(ConfigurationError, match="lookup of `thing` yields"):
            guard.fact("thing")(yielding)


async def later():
    return "later"


@pytest.mark.law(6)
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    "hands_on, of_a_function", [(later, "done"), (Future, "in_doubt"), (lambda: (one for one in "a"), "in_doubt")]
)
def test_a_tool_that_hands_on_what_is_still_to_be_done_is_done_only_if_the_guard_waits_for_it(
    guard, hands_on, of_a_function, is_async
):
    facts(guard)

    async def acoroutine(**_):
        return hands_on()

    guard.action("thing.do")(acoroutine if is_async else lambda **_: hands_on())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a coroutine that nobody awaits
        answer = run(guard)
        gc.collect()
    assert answer.status == ("in_doubt" if is_async else of_a_function)


@dataclass
class Thing:
    price: Money


class Stock(BaseModel):
    count: int


@pytest.mark.parametrize("thing", [{"price": Money.of("1", "USD")}, Thing(Money.of("1", "USD"))])
def test_lookups_give_mappings_objects_plain_values_or_nothing(guard, thing):
    guard.fact("thing")(lambda **_: thing)
    guard.fact("weather")(lambda: {"now": "sun"})
    guard.fact("stock")(lambda: Stock(count=1))
    guard.action("thing.do")(lambda **_: "done")
    assert isinstance(run(guard), Done)


@pytest.mark.parametrize("value", [None, {}, {"count": None}, Stock(count=0)])
def test_what_is_absent_or_does_not_fit_is_no_allow(guard, value):
    guard.fact("thing")(lambda: {"price": Money.of("1", "USD")})
    guard.fact("weather")(lambda: {"now": "sun"})
    guard.fact("stock")(lambda: value)
    guard.action("thing.do")(lambda **_: "done")
    assert isinstance(run(guard), Denied)


@pytest.mark.law(9)
@pytest.mark.parametrize("value", ["3", 3.0, True, {"count": "3"}])
def test_a_fact_of_another_type_has_failed(guard, value):
    facts(guard, stock=value)
    guard.action("thing.do")(lambda **_: "done")
    considered = guard.decide("thing.do", {"item": "t", "amount": "1", "kind": "big"}, agent="bot")
    assert considered.evidence.facts["stock.count"].status == "failed"
    assert isinstance(run(guard), Denied)


@pytest.mark.parametrize("age, kind", [(3600, Done), (3600.000001, Denied)])
def test_a_fact_that_is_too_old_counts_as_missing(guard, age, kind):
    clock = guard._parts.clock
    guard.fact("thing")(lambda: {"price": Money.of("1", "USD")})
    guard.fact("weather")(lambda: {"now": "sun"})
    guard.fact("stock")(lambda: Observed(Stock(count=1), read_at=clock() - timedelta(seconds=age), source="cache"))
    guard.action("thing.do")(lambda **_: "done")
    assert isinstance(run(guard), kind)
    assert guard.audit.list(kind="decided")[0].document["facts"]["stock.count"]["source"] == "cache"


@pytest.mark.law(9)
@pytest.mark.parametrize(
    "ahead, status", [(300, "value"), (300.000001, "failed"), (None, "failed")], ids=["at", "just over", "no zone"]
)
def test_of_what_was_read_in_the_future_nobody_knows_how_old_it_is(guard, ahead, status):
    now = guard._parts.clock()
    read_at = now.replace(tzinfo=None) if ahead is None else now + timedelta(seconds=ahead)
    facts(guard)
    guard._parts.registry.lookups.pop("stock")
    guard.fact("stock")(lambda: Observed(Stock(count=1), read_at=read_at))
    guard.action("thing.do")(lambda **_: "done")
    run(guard)
    assert guard.audit.list(kind="decided")[0].document["facts"]["stock.count"]["status"] == status


def test_lookups_and_tools_are_given_what_they_name(guard):
    seen = {}

    @guard.fact("thing")
    def thing(item, amount, day, on_behalf_of, agent, tenant, conversation, context, stock):
        seen["thing"] = (item, amount, day, on_behalf_of, agent, tenant, conversation, context, stock)
        return {"price": amount}

    guard.fact("weather")(lambda: {"now": "sun"})
    guard.fact("stock")(lambda: {"count": 2})

    @guard.action("thing.do", effect=Read())
    def do(item, amount, day, kind, key, deadline, on_behalf_of, tenant="x"):
        seen["tool"] = (item, amount, day, kind, key, deadline, on_behalf_of, tenant)

    one = Money.of("1", "USD")
    answer = guard.run(
        "thing.do",
        {"item": "t", "amount": "1", "kind": "big"},
        agent="bot",
        on_behalf_of="c-1",
        context={"conversation": "talk"},
    )
    assert seen["thing"] == ("t", one, None, "c-1", "bot", "default", "talk", {"conversation": "talk"}, {"count": 2})
    deadline = guard._parts.clock() + timedelta(seconds=30)
    assert seen["tool"] == ("t", one, None, "big", answer.decision_id, deadline, "c-1", "default")


@pytest.mark.law(9)
@pytest.mark.parametrize("value", ['{"count": 0}', [1], ("count", 0), b"x", 0, {0}])
def test_what_has_no_fields_is_a_failed_fact_and_not_an_absent_one(value):
    text = bundle(
        POLICY.replace("thing.owner.name: text?", "customer.blocked: yes_no?").replace(
            "- has(thing.price) and", "- not has(customer.blocked) and has(thing.price) and"
        )
    )
    made = Guard(text, store="sqlite://", clock=ManualClock(), activate=True)
    facts(made)
    made.fact("customer")(lambda: value)
    made.action("thing.do")(lambda **_: "done")
    with capture_logs() as said:
        assert isinstance(run(made), Denied)
    assert [(line["fact"], line["got"]) for line in said] == [("customer.blocked", type(value).__name__)]
    made.close()


class StockRow(NamedTuple):
    count: int


def test_a_named_tuple_has_fields(guard):
    facts(guard)
    guard._parts.registry.lookups.pop("stock")
    guard.fact("stock")(lambda: StockRow(3))
    guard.action("thing.do")(lambda **_: "done")
    assert isinstance(run(guard), Done)


def test_what_fails_in_the_hosts_code_is_logged_with_its_place_and_without_its_words(guard):
    facts(guard, stock=3.0)
    guard._parts.registry.lookups.pop("weather")

    @guard.fact("weather")
    def weather():
        int("a card number")

    guard.action("thing.do")(lambda **_: "done")
    with capture_logs() as said:
        run(guard)
    line = weather.__code__.co_firstlineno + 2
    assert [{key: value for key, value in one.items() if key not in ("log_level", "part")} for one in said] == [
        {
            "event": "fact.wrong_type",
            "fact": "stock.count",
            "reason": "not_a_number",
            "expected": "integer",
            "got": "float",
        },
        {
            "event": "fact.failed",
            "fact": "weather",
            "error": "ValueError",
            "at": f"test_registration.py:{line}",
        },
    ]


@pytest.mark.parametrize("given, missing", [({"prise": 3}, True), ({"price": None}, True), (None, False)])
def test_a_fact_that_a_lookup_leaves_out_is_logged_unless_there_is_nothing_at_all(given, missing):
    text = POLICY.replace("thing.price: money?", "thing.price: money").replace("has(thing.price) and ", "")
    guard = Guard(bundle(text), store="sqlite://", clock=ManualClock(), activate=True)
    facts(guard, stock=None)  # is declared with `?`, and may be missing without a word
    guard._parts.registry.lookups.pop("thing")
    guard.fact("thing")(lambda: given)
    guard.action("thing.do")(lambda **_: "done")
    with capture_logs() as said:
        assert run(guard).status == "denied"
    told = [(line["fact"], line["got"]) for line in said if line["event"] == "fact.missing"]
    assert told == ([("thing.price", "dict")] if missing else [])
    guard.close()


@pytest.mark.parametrize("is_async", [False, True])
def test_a_tool_with_a_defect_is_in_doubt_and_the_log_says_where(guard, is_async):
    facts(guard)

    async def acoroutine(**_):
        int("a card number")

    def function(**_):
        int("a card number")

    tool = acoroutine if is_async else function
    guard.action("thing.do")(tool)
    with capture_logs() as said:
        answer = run(guard)
    assert str(answer) == "thing.do: in_doubt: ValueError"
    assert [(one["event"], one["error"], one["at"], one["action_id"]) for one in said] == [
        ("tool.failed", "ValueError", f"test_registration.py:{tool.__code__.co_firstlineno + 1}", answer.decision_id)
    ]


def test_a_decorator_without_its_brackets_is_an_error(guard):
    with pytest.raises(UsageError, match=r"expected a name, like `@guard.fact\(\"order\"\)`, got function"):
        guard.fact(lambda: None)
    with pytest.raises(UsageError, match=r"expected a name, like `@guard.action\(\"refund.issue\"\)`, got function"):
        guard.action(lambda: None)


def test_a_guarded_function_is_called_by_position_or_by_name(guard):
    facts(guard)

    @guard.action("thing.do")
    def do(item: str, amount: Money, kind: str, day: date | None = None) -> str:
        return f"{item} {amount} {kind}"

    with guard.acting(agent="bot", context={"conversation": "talk"}):
        assert do("t", "1.00", "big") == do("t", amount="1.00", kind="big") == "t 1.00 USD big"
        with pytest.raises(UsageError, match="expected at most 4 values by position, got 5"):
            do("t", "1.00", "big", None, "more")
        with pytest.raises(UsageError, match="got `item`, `amount` by position and by name"):
            do("t", "1.00", item="t", amount="1.00")
        with pytest.raises(NotAllowedError, match="`colour`: expected only"):
            do("t", "1.00", "big", colour="red")


def test_a_lookup_that_needs_a_failed_one_has_failed_too(guard):
    guard.fact("thing")(lambda stock: {"price": Money.of("1", "USD")})
    guard.fact("weather")(lambda: {"now": "sun"})
    guard.fact("stock")(lambda: 1 / 0)
    guard.action("thing.do")(lambda **_: "done")
    considered = guard.decide("thing.do", {"item": "t", "amount": "1", "kind": "big"}, agent="bot")
    assert {str(fact.status) for name, fact in considered.evidence.facts.items() if name != "weather.now"} == {"failed"}


def test_a_tool_without_a_timeout_runs_in_the_callers_own_thread(guard):
    import threading

    facts(guard)
    where = []
    guard.action("thing.do", timeout=None, effect=Unprotected())(lambda **_: where.append(threading.current_thread()))
    assert isinstance(run(guard), Done)
    assert where == [threading.current_thread()]


def test_the_description_for_a_model_is_the_first_paragraph(guard):
    @guard.action("thing.do")
    def do(**_):
        """Do a thing
        for a customer.

        Not for the model.
        """

    assert guard.tools["thing.do"].description == "Do a thing for a customer."


class Receipt(BaseModel):
    id: str
    amount: Money


def test_results_come_back_by_their_annotation_under_the_same_key(guard):
    facts(guard)

    @guard.action("thing.do")
    def do(item: str, amount: Money, day: date | None, kind: str) -> Receipt:
        return Receipt(id="r-1", amount=amount)

    assert run(guard).result == run(guard).result == Receipt(id="r-1", amount=Money.of("1", "USD"))


@pytest.mark.parametrize("result", [object(), "x" * 70_000, lambda: None])
def test_a_result_that_cannot_be_kept_is_said_to_be_so(guard, result):
    facts(guard)
    guard.action("thing.do")(lambda **_: result)
    assert run(guard).result is result
    again = run(guard)
    assert (again.result, again.result_kept) == (None, False)
