"""`Guard(observe=True)`: everything is decided and recorded, nothing is enforced, and the accounts are true."""

import threading
import time
from datetime import timedelta

import pytest

from agentguard import (
    Denied,
    Done,
    Idempotent,
    InDoubt,
    KeyConflictError,
    Money,
    NotDone,
    NotDoneError,
    Ready,
    StoreUnavailableError,
    Unavailable,
    Waiting,
    Waits,
)
from agentguard.adapters.file_witness import FileWitness
from agentguard.core.narration.narrator import Narrator
from agentguard.core.policy import Verdict
from agentguard.engine import observing as observing_module
from agentguard.testing.clock import START, ManualClock
from tests.engine import dying
from tests.engine.given import REFUNDS, bundle, shop
from tests.forked import forked
from tests.witness.given import LARGE_WAITS, SEALING, Away

WHOLE_ORDERS = """
agentguard: 1
policy: refunds
version: 1
owner: refunds@acme.example
currency: USD
actions:
  refund.issue: {order_id: text, amount: money, reason: [damaged, late, other]}
  identity.verify: {document: text}
facts: {order.total: money}
context: {conversation: text}
rules:
  - {id: all, then: allow}
limits:
  - {id: orders, on: [refund.issue], sum: order.total, in: forever, max: 10000, over: deny}
"""
ALLOW, ESCALATE, DENY = Verdict.ALLOW, Verdict.ESCALATE, Verdict.DENY


@pytest.fixture
def open_shop(address):
    opened = []

    def open_one(**options):
        opened.append(shop(address, **{"observe": True, **options}))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()


@pytest.fixture
def observing(open_shop):
    return open_shop()


def decision_of(made, answer):
    return next(entry.document for entry in made.guard.audit.of(answer.decision_id) if entry.kind == "decided")


def in_words(made, entry):
    return Narrator([entry.document], made.guard.audit.bundle, str).tell(entry.document)


@pytest.mark.parametrize("is_async", [False, True])
def test_what_would_be_allowed_escalated_or_denied_is_done_at_once(open_shop, is_async):
    made = open_shop(is_async=is_async)
    ask = made.aask if is_async else made.ask
    answers = [ask("50.00", key="k-1"), ask("50.01", key="k-2", order_id="A-2"), ask("1.00", key="k-3", who="c-2")]
    assert [(type(answer), answer.would_be) for answer in answers] == [(Done, ALLOW), (Done, ESCALATE), (Done, DENY)]
    assert [amount.minor for _, amount, _ in made.paid] == [5000, 5001, 100]
    assert answers[2].reasons[0].source == "refunds/not-theirs"
    assert str(answers[2]) == "refund.issue: done, observed: deny by rule_matched (refunds/not-theirs)"


def test_the_record_says_the_verdict_and_that_it_was_not_enforced(observing):
    answer = observing.ask("1.00", who="c-2")
    body = decision_of(observing, answer)
    said = {name: body[name] for name in ("mode", "verdict", "enforced", "state", "approved")}
    assert said == {
        "mode": "observe", "verdict": "deny", "enforced": "allow", "state": "executing", "approved": False,
    }  # fmt: skip
    assert observing.kinds(answer) == ["decided", "settled"]


def test_an_enforced_decision_says_nothing_of_observing(open_shop):
    made = open_shop(observe=False)
    answer = made.ask("40.00")
    body = decision_of(made, answer)
    assert (answer.would_be, body["mode"], "enforced" in body) == (None, "enforce", False)
    assert made.guard.audit.list(kind="started") == ()


def test_a_model_hears_of_what_was_done_and_nothing_of_what_was_not_enforced(observing):
    denied, allowed = observing.ask("101.00"), observing.ask("1.00", key="k-2", order_id="A-2")
    assert denied.would_be is DENY
    kinds = [{**answer.for_model(), "decision_id": ""} for answer in (denied, allowed)]
    assert kinds[0] == kinds[1]
    assert (kinds[0]["status"], kinds[0]["reason_code"], kinds[0]["say_to_customer"]) == ("done", "", "")


def test_nobody_is_asked_and_the_route_that_would_have_been_is_recorded(observing):
    answer = observing.ask("60.00")
    assert observing.guard.escalations.list() == ()
    assert [route["id"] for route in decision_of(observing, answer)["routes"]] == ["refunds/lead"]
    assert decision_of(observing, answer).get("escalation") is None


def test_limits_count_what_was_really_done_even_above_their_max(observing):
    answers = [observing.ask("90.00", key=f"k-{n}", order_id=f"A-{n}") for n in range(4)]
    assert [answer.would_be for answer in answers] == [ESCALATE] * 4
    assert "limit_exceeded" not in [reason.code for reason in answers[2].reasons], "270.00 of 300.00"
    assert "limit_exceeded" in [reason.code for reason in answers[3].reasons], "360.00 of 300.00"
    assert observing.usage(answers[3]) == [(0, 9000), (0, 36000)]


@pytest.mark.law(4)
def test_the_day_enforcement_begins_is_one_argument_and_the_accounts_are_right(open_shop):
    before = open_shop()
    for n in range(6):
        before.ask("50.00", key=f"k-{n}", order_id=f"A-{n}")
    before.guard.close()
    after = open_shop(observe=False, clock=before.clock)
    answer = after.ask("0.01", key="k-7", order_id="A-7")
    assert isinstance(answer, Waiting), "300.00 of 300.00 are used"
    assert [reason.source for reason in answer.reasons if reason.verdict is ESCALATE] == ["refunds/customer-30-days"]
    assert after.paid == []
    assert after.guard.audit.verify().ok


@pytest.mark.law(3)
def test_the_same_key_never_acts_twice_and_says_the_same_again(observing):
    first, second = observing.ask("60.00"), observing.ask("60.00")
    assert (second.replayed, second.would_be, second.entry) == (True, ESCALATE, first.entry)
    assert len(observing.paid) == 1
    with pytest.raises(KeyConflictError):
        observing.ask("61.00")


@pytest.mark.law(3)
def test_what_was_observed_stays_done_under_its_key_once_policies_are_enforced(open_shop):
    before = open_shop()
    first = before.ask("60.00")
    after = open_shop(observe=False, clock=before.clock)
    again = after.ask("60.00")
    assert (type(again), again.decision_id, after.paid) == (Done, first.decision_id, [])


def test_a_tool_runs_in_the_thread_that_called_and_takes_the_time_it_takes(open_shop):
    made = open_shop(timeout=timedelta(milliseconds=20))
    threads = []

    def act(*given):
        threads.append(threading.current_thread())
        time.sleep(0.1)
        return made.pay(*given)

    made.acts = act
    assert isinstance(made.ask("60.00"), Done)
    assert threads == [threading.current_thread()]


@pytest.mark.parametrize("broken", ["order", None])
def test_a_lookup_that_is_broken_or_finds_nothing_stops_nothing(observing, broken):
    if broken:
        observing.broken.add(broken)
    else:
        observing.orders["A-1"] = {"customer_id": None, "total": None}
    answer = observing.ask("40.00")
    assert (type(answer), answer.would_be, len(observing.paid)) == (Done, DENY, 1)
    facts = decision_of(observing, answer)["facts"]
    assert facts["order.total"]["status"] == ("failed" if broken else "absent")
    assert "cannot_evaluate" in {reason.code for reason in answer.reasons}


def test_a_lookup_that_hangs_holds_up_an_action_no_longer_than_lookups_may_take(open_shop):
    made = open_shop(waits=Waits(lookups=timedelta(milliseconds=50)))
    release = threading.Event()
    made.orders = type("Slow", (), {"get": lambda *given: given[2] if release.wait(20) else None})()
    began = time.monotonic()
    answer = made.ask("40.00")
    release.set()
    assert (type(answer), answer.would_be) == (Done, DENY)
    assert time.monotonic() - began < 10


@pytest.mark.law(6)
@pytest.mark.parametrize(
    "error, kind, state", [(NotDoneError(), NotDone, "released"), (OSError(), InDoubt, "in_doubt")]
)
def test_what_a_tool_fails_with_is_recorded_as_always(observing, error, kind, state):
    def fail(*_):
        raise error

    observing.acts = fail
    answer = observing.ask("60.00")
    assert (type(answer), answer.would_be, observing.state(answer)) == (kind, ESCALATE, state)
    assert answer.for_model()["reason_code"] == ""
    held = {"released": (0, 0), "in_doubt": (6000, 0)}[state]
    assert observing.usage(answer) == [held, held]
    refused = observing.ask("101.00", key="k-2")
    assert (refused.would_be, "reason" in refused.for_model()) == (DENY, False), "it would have disclosed a threshold"


def test_the_stop_button_stops_what_is_only_observed_too(observing):
    observing.guard.halt(by="maria", why="the provider is down")
    answer = observing.ask("40.00")
    assert (type(answer), answer.reason_code, answer.would_be, observing.paid) == (Denied, "halted", None, [])
    observing.guard.resume(by="maria", why="it is back")
    assert isinstance(observing.ask("40.00"), Done)


@pytest.mark.law(16)
def test_arguments_that_have_no_value_are_refused_since_a_tool_could_not_be_given_them(observing):
    answer = observing.ask("forty")
    assert (type(answer), answer.reason_code, observing.paid) == (Denied, "arguments_invalid", [])


@pytest.mark.law(14)
def test_where_nothing_can_be_recorded_nothing_runs(observing, monkeypatch):
    observing.ask("1.00", key="k-0")

    def away(*_):
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(type(observing.guard.store), "transact", away)
    answer = observing.ask("40.00")
    assert (type(answer), answer.cause, len(observing.paid)) == (Unavailable, "store", 1)


@pytest.mark.law(7)
def test_what_people_were_asked_about_stays_theirs(open_shop):
    before = open_shop(observe=False)
    waiting = before.ask("60.00")
    after = open_shop(clock=before.clock)
    assert isinstance(after.ask("60.00"), Waiting)
    assert after.paid == []
    after.guard.escalations.reject(waiting.escalation.id, by="maria", reason_code="other", authenticated="unverified")
    assert isinstance(after.ask("60.00"), Denied)


def test_what_people_approved_is_still_denied_on_the_second_look_where_a_rule_denies_it(open_shop):
    before = open_shop(observe=False)
    waiting = before.ask("60.00")
    after = open_shop(clock=before.clock)
    after.guard.escalations.approve(
        waiting.escalation.id, by="maria", reason_code="goodwill", authenticated="unverified"
    )
    after.orders["A-1"] = {"customer_id": "c-9", "total": Money.of("100", "USD")}
    assert isinstance(after.guard.execute(waiting.decision_id), Denied)
    assert after.paid == []


def test_what_people_changed_is_enforced_as_what_they_approved_is(open_shop):
    before = open_shop(observe=False)
    waiting = before.ask("60.00")
    after = open_shop(clock=before.clock)
    ballot = after.guard.escalations.amend(
        waiting.escalation.id, {"amount": "40"}, by="maria", reason_code="goodwill", authenticated="unverified"
    )
    after.orders["A-1"] = {"customer_id": "c-9", "total": Money.of("100", "USD")}
    assert isinstance(after.guard.execute(ballot.action_id), Denied)
    assert after.paid == []


def test_what_is_held_for_later_follows_the_facts_of_then(open_shop):
    made = open_shop(text=WHOLE_ORDERS)
    ready = made.ask("60.00", run=made.guard.propose)
    assert made.usage(ready) == [(10000, 0)]
    made.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("120", "USD")}
    assert isinstance(made.guard.execute(ready.decision_id), Done)
    assert made.usage(ready) == [(0, 12000)]


@pytest.mark.law(4)
def test_where_policies_are_enforced_what_is_held_for_less_than_counts_now_is_not_done(open_shop):
    made = open_shop(observe=False, text=WHOLE_ORDERS)
    ready = made.ask("60.00", run=made.guard.propose)
    made.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("100.01", "USD")}
    assert isinstance(made.guard.execute(ready.decision_id), Denied)
    assert made.paid == []
    made.orders["A-2"] = {"customer_id": "c-1", "total": Money.of("100", "USD")}
    assert isinstance(made.ask("60.00", order_id="A-2", key="k-2"), Done)


def test_nobody_takes_up_what_takes_longer_than_its_timeout(open_shop):
    made = open_shop(timeout=timedelta(seconds=1), effect=Idempotent(ttl=timedelta(hours=5)))
    other = open_shop(clock=made.clock, effect=Idempotent(ttl=timedelta(hours=5)))
    other.guard.start()

    def act(*given):
        made.clock.advance(timedelta(minutes=50))
        assert other.guard.recover() == []
        return made.pay(*given)

    made.acts = act
    assert isinstance(made.ask("60.00"), Done)
    assert other.paid == []


def test_no_effect_waits_for_a_witness(open_shop, tmp_path):
    away = Away(FileWitness(tmp_path / "shop.checkpoint"))
    options = {"signer": SEALING, "witnesses": (away,), "text": LARGE_WAITS, "effect": Idempotent(timedelta(hours=5))}
    waits = Waits(witness=timedelta(seconds=2), recovery=None, rounds=None)
    made = open_shop(**options, waits=waits)
    calls = []

    def fail_once(*given):
        calls.append(given)
        if len(calls) == 1:
            raise OSError
        return made.pay(*given)

    made.acts = fail_once
    first = made.ask("51.00")
    assert (type(first), decision_of(made, first)["witness"]) == (InDoubt, True)
    made.clock.advance(timedelta(hours=2))
    assert [type(answer) for answer in made.guard.recover()] == [Done]
    assert len(calls) == 2


def test_proposed_first_and_executed_later_is_observed_both_times(observing):
    ready = observing.ask("60.00", run=observing.guard.propose)
    assert (type(ready), ready.would_be) == (Ready, ESCALATE)
    assert observing.usage(ready) == [(6000, 0), (6000, 0)]
    observing.orders["A-1"] = {"customer_id": "c-9", "total": Money.of("1", "USD")}
    done = observing.guard.execute(ready.decision_id)
    assert (type(done), done.would_be, len(observing.paid)) == (Done, DENY, 1)
    assert observing.usage(done) == [(0, 6000), (0, 6000)]
    assert observing.guard.audit.verify().ok


def test_what_was_only_observed_as_ready_is_decided_for_real_where_policies_are_enforced(open_shop):
    before = open_shop()
    ready = before.ask("101.00", run=before.guard.propose)
    after = open_shop(observe=False, clock=before.clock)
    assert isinstance(after.guard.execute(ready.decision_id), Denied)
    assert after.usage(ready) == [(0, 0), (0, 0)]


def test_facts_that_others_keep_changing_hold_nobody_up(observing):
    """Each time this refund's facts are looked up, another refund of the same order settles meanwhile."""
    known = {"customer_id": "c-1", "total": Money.of("100", "USD")}
    looked = []

    class Orders:
        def get(self, order_id, _):
            if len(looked) < 10 and threading.current_thread() not in busy:
                looked.append(order_id)
                other = threading.Thread(target=observing.ask, args=("1.00",), kwargs={"key": f"o-{len(looked)}"})
                busy.add(other)
                other.start()
                other.join()
            return known

    busy = set()
    observing.guard.start()
    observing.guard._parts.waits = Waits(lookups=None)
    observing.orders = Orders()
    answer = observing.ask("2.00")
    assert (type(answer), answer.would_be) == (Done, ALLOW)
    assert len(looked) == 3


def test_the_log_says_which_process_only_observed_and_since_when_policies_are_enforced_again(open_shop):
    first = open_shop()
    first.ask("1.00")
    second = open_shop(clock=first.clock)
    second.ask("1.00", key="k-2")
    enforcing = [open_shop(observe=False, clock=first.clock) for _ in range(2)]
    for number, made in enumerate(enforcing):
        made.ask("1.00", key=f"k-{3 + number}")
    entries = first.guard.audit.list(kind="started")
    assert [entry.document["mode"] for entry in entries] == ["observe", "observe", "enforce"]
    assert all(entry.document["process"].rpartition("/")[2].isdigit() for entry in entries)
    titles = [in_words(first, entry).title for entry in entries[1:]]
    assert titles == ["a guard started that only observes: it enforces nothing", "guards enforce again"]


def test_of_two_guards_that_begin_to_enforce_at_once_one_says_so(open_shop, monkeypatch):
    first = open_shop()
    first.guard.start()
    second, third = (open_shop(observe=False, clock=first.clock) for _ in range(2))
    looked, was_observed = [], observing_module._was_observed

    def other_starts_meanwhile(reading):
        found = was_observed(reading)
        if not looked:
            looked.append(found)
            starting = threading.Thread(target=third.guard.start)
            starting.start()
            starting.join()
        return found

    monkeypatch.setattr(observing_module, "_was_observed", other_starts_meanwhile)
    second.guard.start()
    assert [entry.document["mode"] for entry in first.guard.audit.list(kind="started")] == ["observe", "enforce"]


@pytest.mark.law(8)
def test_an_observed_decision_is_computed_again_from_its_entry_and_told_in_words(observing):
    answer = observing.ask("1.00", who="c-2")
    entry = next(item for item in observing.guard.audit.of(answer.decision_id) if item.kind == "decided")
    assert observing.guard.audit.recompute(entry.pos).differs == ()
    told = in_words(observing, entry)
    assert told.title == "observed only, it would have been denied, sent to the tool"
    assert ("would be said", "I can only help with your own orders.") in told.details
    assert ("enforced", "nothing: the guard only observed") in told.details


def test_what_would_have_been_enforced_is_added_up_with_its_money(observing):
    for number, amount in enumerate(("40.00", "60.00", "70.00", "101.00")):
        observing.ask(amount, key=f"k-{number}", order_id=f"A-{number}", who="c-1")
    found = observing.guard.audit.observed()
    cells = {pair: (cell.count, cell.worth) for pair, cell in found.matrix.items()}
    assert cells == {
        (ALLOW, ALLOW): (1, {"USD": 4000}),
        (ALLOW, ESCALATE): (2, {"USD": 13000}),
        (ALLOW, DENY): (1, {"USD": 10100}),
    }
    assert found.sentence == "would have allowed 3 fewer requests worth 231.00 USD without a person"
    assert observing.guard.audit.shadowed().requests == 0


def test_a_simulation_gives_back_what_other_policies_would_have_refused(open_shop):
    """300.00 were refunded while nothing was enforced; enforced, half of it would have waited or been denied."""
    made = open_shop()
    for number in range(4):
        made.ask("60.00", key=f"k-{number}", order_id=f"A-{number}")
    made.ask("50.00", key="k-9", order_id="A-9")
    stricter = REFUNDS.replace("then: escalate to lead\n    when: amount > 50", "then: deny\n    when: amount > 50")
    found = made.guard.audit.simulate(bundle(stricter))
    assert {pair: cell.count for pair, cell in found.matrix.items()} == {(ESCALATE, DENY): 4, (ALLOW, ALLOW): 1}


def test_a_letter_about_what_was_only_observed_explains_no_refusal(observing):
    answer = observing.ask("1.00", who="c-2")
    letter = observing.guard.letter(answer.decision_id).as_text()
    assert "own orders" not in letter


@pytest.mark.law(2, 6)
@pytest.mark.parametrize("moment, effects", [("before_effect", 0), ("after_effect", 1)])
def test_a_process_killed_while_it_only_observed_keeps_its_hold_until_somebody_knows(
    open_shop, address, tmp_path, moment, effects
):
    books = tmp_path / "books"
    process = forked(dying.main, address, str(books), "idempotent", moment, "observe")
    process.start()
    process.join(60)
    assert len(books.read_text().splitlines() if books.exists() else []) == effects
    made = open_shop(
        observe=False, effect=Idempotent(ttl=timedelta(hours=5)), clock=ManualClock(START + timedelta(hours=2))
    )
    (answer,) = made.guard.recover()
    assert (type(answer), answer.would_be, len(made.paid)) == (Done, ALLOW, 1)
    assert made.usage(answer) == [(0, 4000), (0, 4000)]
    assert made.guard.audit.verify().ok
