"""The walk of one action, each way it can go, for threads and for event loops."""

import threading
import time
from datetime import timedelta

import pytest
import structlog

from agentguard import (
    ConfigurationError,
    Denied,
    Done,
    Guard,
    Idempotent,
    InDoubt,
    KeyConflictError,
    Money,
    NotAllowedError,
    NotDone,
    NotDoneError,
    Read,
    Ready,
    Retry,
    StoreUnavailableError,
    Unavailable,
    UsageError,
    Waiting,
    Waits,
)
from agentguard.testing.clock import ManualClock
from tests.engine.given import REFUNDS, bundle


def test_an_allowed_refund_is_done_once_and_settled(any_shop):
    answer = any_shop.ask("40.00")
    assert isinstance(answer, Done)
    assert answer.result == {"refund": "r-1"}
    assert any_shop.paid == [("A-1", Money.of("40.00", "USD"), answer.decision_id)]
    assert any_shop.state(answer) == "settled"
    assert any_shop.usage(answer) == [(0, 4000), (0, 4000)]
    assert any_shop.kinds(answer) == ["decided", "settled"]


@pytest.mark.parametrize("amount, kind", [("49.99", Done), ("50.00", Done), ("50.01", Waiting)])
def test_a_threshold_holds_at_just_under_and_just_over(any_shop, amount, kind):
    assert isinstance(any_shop.ask(amount), kind)


def test_a_denied_refund_calls_no_tool_and_holds_nothing(any_shop):
    answer = any_shop.ask(who="c-2")
    assert isinstance(answer, Denied)
    assert answer.reasons[0].source == "refunds/not-theirs"
    assert answer.say == "I can only help with your own orders."
    assert (any_shop.paid, any_shop.usage(answer), any_shop.state(answer)) == ([], [], "denied")


@pytest.mark.law(10)
def test_what_waits_consumes_nothing_of_any_limit(any_shop):
    answer = any_shop.ask("60.00")
    assert isinstance(answer, Waiting)
    assert answer.escalation.who == ("group:leads",)
    assert answer.escalation.due == any_shop.clock() + timedelta(hours=4)
    assert (any_shop.paid, any_shop.usage(answer)) == ([], [])


@pytest.mark.law(3)
def test_the_same_key_acts_once_and_gets_the_first_outcome_again(any_shop):
    first, second = any_shop.ask("40.00"), any_shop.ask("40.00")
    assert (second.decision_id, second.result, second.replayed) == (first.decision_id, first.result, True)
    assert second.for_model()["status"] == "already_done"
    assert len(any_shop.paid) == 1


@pytest.mark.law(3)
def test_a_denied_key_stays_denied_when_the_limit_has_room_again(any_shop):
    any_shop.orders["A-1"] = {"customer_id": "c-2", "total": Money.of("100", "USD")}
    assert isinstance(any_shop.ask(), Denied)
    any_shop.orders.clear()
    assert isinstance(any_shop.ask(), Denied)
    assert isinstance(any_shop.ask(key="k-2"), Done)


@pytest.mark.law(3)
def test_the_same_key_with_another_request_is_an_error_and_runs_nothing(any_shop):
    any_shop.ask("40.00")
    with pytest.raises(KeyConflictError, match="same request"):
        any_shop.ask("41.00")
    with pytest.raises(KeyConflictError):
        any_shop.ask("40.00", who="c-2")
    assert len(any_shop.paid) == 1


def test_the_same_key_in_another_conversation_or_of_another_agent_is_another_action(open_shop):
    shop = open_shop()
    shop.ask("10")
    shop.ask("10", context={"conversation": "talk-2"})
    shop.ask("10", agent="other-bot")
    assert len(shop.paid) == 3


def test_without_a_key_one_is_derived_from_the_request_and_its_conversation(open_shop):
    shop = open_shop()
    assert shop.ask(key=None).decision_id == shop.ask(key=None).decision_id
    assert shop.ask("39", key=None).decision_id != shop.ask(key=None).decision_id
    with pytest.raises(UsageError, match="conversation"):
        shop.ask(key=None, context={"conversation": None})


def test_a_tool_that_says_not_done_gives_its_hold_back(any_shop):
    def refuse(*_):
        raise NotDoneError("the card is closed")

    any_shop.acts = refuse
    answer = any_shop.ask()
    assert isinstance(answer, NotDone)
    assert any_shop.state(answer) == "released"
    assert any_shop.usage(answer) == [(0, 0), (0, 0)]
    assert isinstance(any_shop.ask(), NotDone), "a released key stays released"


@pytest.mark.law(6)
@pytest.mark.parametrize("error", [RuntimeError, ConnectionError, ValueError, SystemExit])
def test_any_other_error_of_a_tool_is_an_unknown_outcome_that_keeps_its_hold(any_shop, error):
    def fail(*_):
        any_shop.pay("A-1", Money.of("40", "USD"), "x")
        raise error("who knows")

    any_shop.acts = fail
    answer = any_shop.ask()
    assert isinstance(answer, InDoubt)
    assert any_shop.usage(answer) == [(4000, 0), (4000, 0)]
    assert isinstance(any_shop.ask(), InDoubt)
    assert len(any_shop.paid) == 1, "it is never retried blindly"


@pytest.mark.law(6)
def test_a_tool_past_its_timeout_is_in_doubt_and_its_late_result_still_settles(open_shop):
    shop = open_shop(timeout=timedelta(seconds=0.1))
    go_on = threading.Event()

    def slow(*arguments):
        go_on.wait(5)
        return shop.pay(*arguments)

    shop.acts = slow
    answer = shop.ask()
    assert isinstance(answer, InDoubt)
    assert shop.usage(answer) == [(4000, 0), (4000, 0)]
    go_on.set()
    wait_for(lambda: shop.state(answer) == "settled")
    assert shop.usage(answer) == [(0, 4000), (0, 4000)]
    assert isinstance(shop.ask(), Done)
    assert shop.guard.audit.verify().ok


def test_a_coroutine_past_its_timeout_is_in_doubt(open_shop):
    import asyncio

    shop = open_shop(timeout=timedelta(seconds=0.1), is_async=True)

    async def slow(*_):
        await asyncio.sleep(5)

    shop.acts = slow
    assert isinstance(shop.aask(), InDoubt)


@pytest.mark.law(16)
def test_bad_arguments_are_a_denial_with_every_fault_and_an_entry(any_shop):
    answer = any_shop.ask("1e3", arguments={"approved": True, "reason": "because"})
    assert isinstance(answer, Denied)
    heard = answer.for_model()
    assert heard["reason_code"] == "arguments_invalid"
    assert heard["retryable"] is True
    assert [problem.split("`")[1] for problem in heard["problems"]] == ["approved", "amount", "reason"]
    entry = any_shop.guard.audit.show(answer.entry)
    assert [reason["detail"] for reason in entry.document["reasons"]] == [
        "-: unknown",
        "amount: not_a_number",
        "reason: not_one_of",
    ]
    assert any_shop.paid == []


def test_an_action_that_no_policy_governs_is_denied_and_recorded(open_shop):
    answer = open_shop().guard.run("account.close", {}, agent="bot", key="k-1")
    assert isinstance(answer, Denied)
    assert answer.reason_code == "action_unknown"
    assert answer.entry is not None


def test_raw_json_text_is_read_without_losing_a_digit(open_shop):
    shop = open_shop()
    answer = shop.guard.run(
        "refund.issue",
        '{"order_id": "A-1", "amount": 40.10, "reason": "late"}',
        agent="bot",
        on_behalf_of="c-1",
        key="k-1",
    )
    assert isinstance(answer, Done)
    assert shop.paid[0][1] == Money.of("40.10", "USD")


def test_propose_stops_where_it_is_allowed_and_held_and_execute_goes_on(open_shop):
    shop = open_shop()
    answer = shop.ask(run=shop.guard.propose)
    assert isinstance(answer, Ready)
    assert (shop.paid, shop.usage(answer)) == ([], [(4000, 0), (4000, 0)])
    assert isinstance(shop.ask(run=shop.guard.propose), Ready)
    assert isinstance(shop.guard.execute(answer.decision_id), Done)
    assert shop.usage(answer) == [(0, 4000), (0, 4000)]
    assert len(shop.paid) == 1


def test_what_was_proposed_and_not_begun_in_time_is_denied_and_gives_its_hold_back(open_shop):
    shop = open_shop(waits=Waits(ready=timedelta(minutes=1)))
    answer = shop.ask(run=shop.guard.propose)
    shop.clock.advance(timedelta(minutes=1, microseconds=1))
    late = shop.ask()
    assert isinstance(late, Denied)
    assert late.reason_code == "expired"
    assert shop.usage(answer) == [(0, 0), (0, 0)]


def test_what_was_proposed_is_decided_again_before_it_runs(open_shop):
    shop = open_shop()
    answer = shop.ask(run=shop.guard.propose)
    shop.orders["A-1"] = {"customer_id": "c-2", "total": Money.of("100", "USD")}
    assert isinstance(shop.guard.execute(answer.decision_id), Denied)
    assert (shop.paid, shop.usage(answer)) == ([], [(0, 0), (0, 0)])


def test_a_dry_run_stores_nothing_and_calls_no_tool(open_shop):
    shop = open_shop()
    before = len(shop.guard.audit.list()) or 1
    considered = shop.guard.decide(
        "refund.issue",
        {"order_id": "A-1", "amount": "60", "reason": "late"},
        agent="bot",
        on_behalf_of="c-1",
    )
    assert str(considered.verdict) == "escalate"
    assert considered.evidence.facts["order.total"].value == Money.of("100", "USD")
    assert (len(shop.guard.audit.list()), shop.paid) == (before, [])


def test_a_failed_lookup_denies_now_and_leaves_the_key_free(any_shop):
    any_shop.broken.add("order")
    answer = any_shop.ask()
    assert isinstance(answer, Denied)
    assert answer.for_model()["retryable"] is True
    assert answer.reasons[0].code == "cannot_evaluate"
    any_shop.broken.clear()
    assert isinstance(any_shop.ask(), Done)


def test_a_lookup_that_hangs_fails_in_time(open_shop):
    shop = open_shop(waits=Waits(lookups=timedelta(seconds=0.1)))
    stop = threading.Event()
    shop.orders = type("Hanging", (dict,), {"get": lambda *_: stop.wait(5)})()
    started = time.monotonic()
    assert isinstance(shop.ask(), Denied)
    assert time.monotonic() - started < 3
    stop.set()


def test_a_halt_stops_everything_until_it_is_lifted(any_shop):
    any_shop.guard.start()
    for target in ("all", "action:refund.issue", "agent:bot"):
        any_shop.guard.halt(target, by="maria", why="the provider is down")
        answer = any_shop.ask(key=f"k-{target}")
        assert (answer.reason_code, any_shop.paid) == ("halted", [])
        assert any_shop.guard.resume(target, by="maria", why="it is back")
    any_shop.guard.halt("agent:other", by="maria", why="odd")
    assert isinstance(any_shop.ask(key="k-all"), Done)


@pytest.mark.parametrize(
    "target, said",
    [
        ("all", ""),
        ("action:refund.issue", ""),
        (
            "action:refund.isue",
            "no policy in force has an action `refund.isue`, so that this may stop nothing; did you",
        ),
        ("agent:bot", ""),
        ("agent:bott", "none of the newest 1,000 decisions is about an agent `bott`, so that this may stop nothing"),
    ],
)
def test_a_stop_that_may_stop_nothing_says_so_and_is_in_force_all_the_same(open_shop, target, said):
    shop = open_shop()
    shop.ask()
    with structlog.testing.capture_logs() as logged:
        doubt = shop.guard.halt(target, by="maria", why="the provider is down")
    assert doubt.startswith(said)
    assert bool(doubt) is bool(said)
    assert [line["reason"] for line in logged if line["event"] == "guard.halt_unknown"] == ([doubt] if said else [])
    assert shop.guard.resume(target, by="maria", why="it was mistyped")


def test_a_halt_between_the_decision_and_the_beginning_is_seen_last_thing(open_shop):
    shop = open_shop()
    answer = shop.ask(run=shop.guard.propose)
    shop.guard.halt(by="maria", why="stop")
    assert shop.guard.execute(answer.decision_id).reason_code == "halted"
    assert shop.paid == []
    shop.guard.resume(by="maria", why="go on")
    assert isinstance(shop.guard.execute(answer.decision_id), Done)


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
@pytest.mark.law(14)
def test_when_the_log_cannot_be_written_nothing_runs(open_shop, address, tmp_path):
    import sqlite3

    from agentguard.store import Store

    clock_shop = open_shop(store=Store.open(address, ManualClock(), patience=0.2))
    clock_shop.guard.start()
    blocker = sqlite3.connect(tmp_path / "guard.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    answer = clock_shop.ask()
    assert isinstance(answer, Unavailable)
    assert (answer.for_model()["retryable"], clock_shop.paid) == (True, [])
    blocker.execute("ROLLBACK")
    blocker.close()
    assert isinstance(clock_shop.ask(), Done)


def test_settles_posts_what_really_happened_below_and_above_the_hold(open_shop):
    real = {"amount": "12.34"}
    shop = open_shop(settles=lambda _: {"amount": Money.of(real["amount"], "USD")}, reference=lambda r: r["refund"])
    answer = shop.ask("40")
    assert shop.usage(answer) == [(0, 1234), (0, 1234)]
    assert shop.guard.audit.action(answer.decision_id).external_reference == "r-1"
    real["amount"] = "45.00"
    above = shop.ask("40", key="k-2", order_id="A-2")
    assert shop.usage(above) == [(0, 4500), (0, 5734)]


def test_a_mistake_in_settles_never_hides_that_it_was_done(open_shop):
    shop = open_shop(settles=lambda _: 1 / 0)
    answer = shop.ask("40")
    assert isinstance(answer, Done)
    assert shop.usage(answer) == [(0, 4000), (0, 4000)]
    assert shop.guard.audit.show(answer.entry).document["alarm"] is True


def test_a_tool_with_retry_is_called_again_with_the_same_key_inside_its_time(open_shop):
    shop = open_shop(effect=Idempotent(ttl=timedelta(hours=1)), retry=Retry(3, timedelta(0)))
    keys = []

    def flaky(order_id, amount, key):
        keys.append(key)
        if len(keys) < 3:
            raise ConnectionError
        return shop.pay(order_id, amount, key)

    shop.acts = flaky
    assert isinstance(shop.ask(), Done)
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_a_guarded_function_returns_the_result_or_raises_with_the_answer(open_shop):
    shop = open_shop()
    guard = Guard(bundle(REFUNDS), store=shop.guard.store, clock=shop.clock, activate=True)

    @guard.fact("order")
    def order(order_id):
        return {"customer_id": "c-1", "total": Money.of("100", "USD"), "refunded": Money(0, "USD")}

    @guard.fact("customer")
    def customer():
        return None

    @guard.action("refund.issue", effect=Read())
    def refund(order_id: str, amount: Money, reason: str = "late") -> str:
        """Refund."""
        return f"refunded {amount}"

    with pytest.raises(UsageError, match="acting"):
        refund(order_id="A-1", amount="40")
    with guard.acting(agent="bot", on_behalf_of="c-1", context={"conversation": "talk-9"}):
        assert refund(order_id="A-1", amount="40") == "refunded 40.00 USD"
        with pytest.raises(NotAllowedError) as refused:
            refund(order_id="A-1", amount="60")
    assert isinstance(refused.value.answer, Waiting)


def test_without_policies_in_force_the_guard_says_how_to_activate_them(address):
    guard = Guard(bundle(REFUNDS), store=address)
    with pytest.raises(ConfigurationError, match="agentguard policy activate"):
        guard.run("refund.issue", {}, agent="bot", key="k-1")
    guard.close()


def test_a_process_follows_the_bundle_that_another_one_put_into_force(open_shop, address):
    shop = open_shop()
    assert isinstance(shop.ask("50"), Done)
    stricter = (
        REFUNDS.replace("version: 1", "version: 2", 1)
        .replace("amount <= 50", "amount <= 20")
        .replace("amount > 50", "amount > 20")
    )
    other = Guard(bundle(stricter), store=address, clock=shop.clock)
    assert other.activate(by="ada", why="less")
    answer = shop.ask("30", key="k-2")
    assert isinstance(answer, Waiting)
    assert shop.guard.audit.show(answer.entry).document["bundle"] == other.bundle.digest
    other.close()


def test_nothing_asks_the_wall_clock_behind_the_injected_one(open_shop):
    from freezegun import freeze_time

    with freeze_time("1999-01-01"):
        shop = open_shop()
        answer = shop.ask()
    times = {entry.at.year for entry in shop.guard.audit.list()}
    assert isinstance(answer, Done)
    assert times == {2026}


def test_context_that_no_policy_declares_is_the_hosts_mistake(open_shop):
    with pytest.raises(UsageError, match="wants_persn"):
        open_shop().ask(context={"wants_persn": True})


@pytest.mark.parametrize("wrong", [{"agent": ""}, {"who": 7}, {"key": ""}, {"who": "x\n"}])
def test_a_hosts_own_mistake_is_an_error_that_says_so(open_shop, wrong):
    with pytest.raises(UsageError, match="expected"):
        open_shop().ask(**wrong)


def wait_for(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.mark.law(6)
def test_nothing_happened_on_a_second_try_does_not_say_so_of_the_first(any_shop, open_shop, tmp_path):
    is_async = any_shop.ask == any_shop.aask
    shop = open_shop(
        store=f"sqlite:///{tmp_path / 'again.db'}",
        effect=Idempotent(ttl=timedelta(hours=1)),
        retry=Retry(3, timedelta(0)),
        is_async=is_async,
    )
    errors = iter([ConnectionError, NotDoneError])

    def fail(*arguments):
        raise next(errors)

    shop.acts = fail
    answer = shop.aask() if is_async else shop.ask()
    assert isinstance(answer, InDoubt)
    assert shop.usage(answer) == [(4000, 0), (4000, 0)]


@pytest.mark.law(4)
def test_with_a_lost_keys_file_nothing_starts_since_every_limit_would_be_empty(open_shop, address, tmp_path):
    shop = open_shop()
    assert isinstance(shop.ask("50"), Done)
    shop.guard.close()
    (tmp_path / "guard.db.keys").unlink()
    with pytest.raises(StoreUnavailableError, match="keys"):
        open_shop().ask("50", key="k-2")


def test_an_actions_own_hold_does_not_count_against_it_when_it_is_decided_again(open_shop):
    shop = open_shop()
    shop.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("50", "USD")}
    answer = shop.ask("40", run=shop.guard.propose)
    assert isinstance(shop.guard.execute(answer.decision_id), Done)


COMPUTED = """
agentguard: 1
policy: returns
version: 1
owner: returns@acme.example
timezone: UTC
currency: USD
actions:
  return.settle:
    order_id: text
    amount: money, computed as refund_due
facts:
  order.paid: money
  order.fee: money
names:
  refund_due: order.paid - order.fee
rules:
  - {id: all, then: allow}
limits:
  - {id: a-day, sum: amount, in: calendar day, max: 100, over: deny}
"""


@pytest.mark.parametrize("real, posted", [(None, 9000), ("85.00", 8500)])
def test_an_argument_that_the_policy_computes_is_given_to_the_tool_and_settles_as_it_really_was(real, posted):
    guard = Guard(bundle(COMPUTED), store="sqlite://", clock=ManualClock(), activate=True)
    guard.fact("order")(lambda order_id: {"paid": Money.of("95", "USD"), "fee": Money.of("5", "USD")})
    given = []

    @guard.action("return.settle", settles=lambda _: {"amount": Money.of(real, "USD")} if real else {})
    def settle(order_id: str, amount: Money) -> bool:
        given.append(amount)
        return True

    def ask(key, **more):
        return guard.run("return.settle", {"order_id": "A-1", **more}, agent="bot", key=key)

    done = ask("k-1")
    assert isinstance(done, Done)
    assert given == [Money.of("90", "USD")]
    assert list(guard.audit.show(done.entry).document["settled"].values()) == [posted]
    assert ask("k-2", amount="1").reason_code == "arguments_invalid", "the model is not asked for it"
    assert ask("k-3").reason_code == "limit_exceeded"
    assert guard.audit.recompute(guard.audit.list(kind="decided")[0].pos).same
    guard.close()
