"""What a careless or hostile host can pass: a typed error or a refusal, and nothing runs."""

import decimal
import unicodedata
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

import agentguard
from agentguard import (
    AgentGuardError,
    ConfigurationError,
    Done,
    Guard,
    Idempotent,
    Money,
    StoreUnavailableError,
    UsageError,
)
from agentguard.core.people import People, User
from agentguard.core.request import Actor
from agentguard.testing.clock import ManualClock
from tests.engine import given
from tests.engine.given import bundle

HEAD = """
agentguard: 1
policy: pay
version: 1
owner: pay@acme.example
timezone: Europe/Berlin
currency: {currency}
"""
TRANSFERS = (
    HEAD.format(currency="[USD, JPY]")
    + """
actions: {pay.send: {to: text, amount: money}}
rules: [{id: any, then: allow}]
limits:
  - {id: month, sum: amount, per: on_behalf_of, in: 30 days, max: {USD: 500, JPY: 50000}, over: deny}
  - {id: receiver, sum: amount, per: to, in: 30 days, max: {USD: 500, JPY: 50000}, over: deny}
"""
)
DECOMPOSED = unicodedata.normalize("NFD", "café")
BLOCKED = (
    HEAD.format(currency="USD")
    + f"""
actions: {{pay.send: {{to: text, amount: money}}}}
facts: {{blocked.name: text}}
rules:
  - {{id: any, then: allow}}
  - {{id: named, then: deny, when: 'to == "{DECOMPOSED}"'}}
  - {{id: listed, then: deny, when: to == blocked.name}}
"""
)


def lost(*_):
    raise RuntimeError("the answer was lost")


def deep():
    outer = inner = {}
    for _ in range(5_000):
        inner["a"] = {}
        inner = inner["a"]
    return outer


class Unprintable:
    def __repr__(self):
        raise KeyError("nothing to show")


@pytest.mark.law(16)
@pytest.mark.parametrize("value", [10**5_000, deep(), Unprintable()], ids=["digits", "depth", "repr"])
@pytest.mark.parametrize("name", ["order_id", "amount"])
def test_an_argument_that_cannot_even_be_shown_is_a_denial(open_shop, name, value):
    shop = open_shop()
    answer = shop.ask(arguments={name: value})
    assert (answer.status, answer.reason_code) == ("denied", "arguments_invalid")
    assert shop.ask(arguments={name: value}).replayed
    assert not shop.paid


@pytest.mark.law(12)
def test_of_very_many_unknown_arguments_only_some_are_named(open_shop):
    shop = open_shop()
    considered = shop.ask(arguments={f"x{number}": 1 for number in range(1_000)})
    assert len(considered.problems) == 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"context": "x"},
        {"context": [1]},
        {"context": {"language": "\ud800"}},
        {"context": {"channel": 5}},
        {"key": 0},
        {"key": False},
        {"key": b"k"},
        {"relates_to": 5},
        {"relates_to": "\ud800"},
        {"relates_to": "x" * 201},
        {"agent": Actor("bot", version=5)},
        {"agent": Actor("bot", model="\ud800")},
        {"agent": Actor("bot", prompt_digest=object())},
        {"agent": Actor("bot", kind="robot")},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_a_host_says_wrongly_is_a_usage_error_and_leaves_nothing(open_shop, wrong):
    shop = open_shop()
    shop.guard.start()
    size = shop.guard.store.read(lambda reading: reading.position())
    arguments = {"order_id": "A-1", "amount": "40.00", "reason": "late"}
    named = {"agent": "bot", "on_behalf_of": "c-1", "context": {"conversation": "t"}, "key": "k", **wrong}
    with pytest.raises(UsageError):
        shop.guard.run("refund.issue", arguments, **named)
    assert shop.guard.store.read(lambda reading: reading.position()) == size
    assert not shop.paid


@pytest.mark.parametrize(
    "call",
    [
        lambda guard: guard.execute(None),
        lambda guard: guard.execute(5),
        lambda guard: guard.resolve(None, done=True, by="ada", why="looked"),
        lambda guard: guard.halt(None, by="ada", why="stop"),
        lambda guard: guard.halt("all", by=5, why="stop"),
        lambda guard: guard.halt("all", by="ada", why="\ud800"),
        lambda guard: guard.resume("all", by="\ud800", why="go"),
        lambda guard: guard.escalations.approve(None, by="maria", reason_code="within_policy"),
    ],
)
def test_a_wrong_name_is_an_error_of_ours(open_shop, call):
    guard = open_shop().guard
    with pytest.raises(AgentGuardError):
        call(guard)


@pytest.mark.law(9)
def test_a_fact_that_cannot_be_read_from_its_object_has_failed(open_shop):
    shop = open_shop()

    class Order:
        customer_id = "c-1"
        total = Money.of("100", "USD")

        @property
        def refunded(self):
            raise ZeroDivisionError("loaded too late")

    shop.guard._parts.registry.lookups.pop("order")
    shop.guard.fact("order")(lambda order_id: Order())
    answer = shop.ask()
    assert (answer.status, answer.reason_code) == ("denied", "cannot_evaluate")
    assert answer.for_model()["retryable"]
    assert not shop.paid


def test_the_hosts_own_decimal_context_changes_nothing(open_shop):
    shop = open_shop()
    shop.orders["A-1"] = {"customer_id": "c-1", "total": Decimal("12345.67")}
    with decimal.localcontext() as context:
        context.prec = 2
        context.traps[decimal.Inexact] = True
        assert shop.ask(Decimal("49.99")).executed


@pytest.mark.law(4, 11)
@pytest.mark.parametrize("real", [{"amount": Money.of("100", "JPY")}, {"to": "another"}], ids=["currency", "key"])
def test_what_settles_on_another_account_than_was_held_on_posts_what_was_held(real):
    guard = Guard(bundle(TRANSFERS), store="sqlite://", activate=True, clock=ManualClock())
    guard.action("pay.send", settles=lambda _: real)(lambda to, amount: "sent")

    def send(key):
        arguments = {"to": "t", "amount": "300.00 USD"}
        return guard.run("pay.send", arguments, agent="bot", on_behalf_of="c-1", key=key).for_model()["status"]

    assert [send("1"), send("2")] == ["done", "denied"]
    settled = guard.audit.list(kind="settled")[0].document
    assert settled["alarm"]
    assert settled["problems"] == ["settles: ConformError"]


@pytest.mark.law(16)
@pytest.mark.parametrize(
    "spelled", [unicodedata.normalize(form, name) for form in ("NFC", "NFD") for name in ("café", "müller")]
)
def test_a_text_is_the_same_in_both_of_its_unicode_spellings(spelled):
    guard = Guard(bundle(BLOCKED), store="sqlite://", activate=True, clock=ManualClock())
    guard.fact("blocked")(lambda: {"name": unicodedata.normalize("NFD", "müller")})
    guard.action("pay.send")(lambda to, amount: "sent")
    answer = guard.run("pay.send", {"to": spelled, "amount": "1"}, agent="bot", on_behalf_of="c-1", key="k")
    assert answer.status == "denied"


@pytest.mark.law(4)
def test_one_customer_in_two_unicode_spellings_has_one_budget():
    guard = Guard(bundle(TRANSFERS), store="sqlite://", activate=True, clock=ManualClock())
    guard.action("pay.send")(lambda to, amount: "sent")

    def send(who):
        arguments = {"to": who, "amount": "300.00 USD"}
        return guard.run("pay.send", arguments, agent="bot", on_behalf_of=who, key=repr(who)).for_model()["status"]

    assert [send(unicodedata.normalize("NFC", "zoë")), send(unicodedata.normalize("NFD", "zoë"))] == ["done", "denied"]


@pytest.mark.law(4)
@pytest.mark.law(16)
@pytest.mark.parametrize("per", ["weight", "percent(weight, 40)", "scale.reading"])
def test_one_number_has_one_budget_with_however_many_zeros_it_is_written(per):
    text = (
        HEAD.format(currency="USD")
        + f"""
actions: {{parcel.take: {{weight: decimal}}}}
facts: {{scale.reading: decimal}}
rules: [{{id: any, then: allow}}]
limits: [{{id: one, count: actions, per: '{per}', in: forever, max: 1, over: deny}}]
"""
    )
    guard = Guard(bundle(text), store="sqlite://", activate=True, clock=ManualClock())
    guard.fact("scale")(lambda weight: {"reading": weight})
    guard.action("parcel.take")(lambda weight: "taken")
    written = ["1.5", "1.50", Decimal("15E-1"), Decimal("1.500")]
    answers = [
        guard.run("parcel.take", {"weight": one}, agent="bot", on_behalf_of="c-1", key=repr(one)) for one in written
    ]
    assert [answer.status for answer in answers] == ["done", "denied", "denied", "denied"]


@pytest.mark.law(12)
def test_actions_that_nobody_knows_are_not_remembered_in_memory(open_shop):
    shop = open_shop()
    for number in range(50):
        assert shop.guard.run(f"made.up{number}", {}, agent="bot", key=f"k{number}").reason_code == "action_unknown"
    assert len(shop.guard._parts.force.plans) <= 2


@pytest.mark.law(7)
@pytest.mark.parametrize("agent", ["maria", "maria.rossi@acme.example"])
def test_nobody_decides_what_they_asked_for_under_any_of_their_logins(open_shop, monkeypatch, agent):
    maria = User("maria", "Maria", frozenset({"maria.rossi@acme.example"}))
    people = People({"maria": maria}, {"leads": frozenset({"maria"})}, allow_unverified=True)
    monkeypatch.setattr(given, "PEOPLE", people)
    shop = open_shop()
    waiting = shop.ask("60.00", agent=agent)
    with pytest.raises(UsageError, match="asked for this action"):
        shop.guard.escalations.approve(waiting.escalation.id, by="maria", reason_code="within_policy")


def test_a_lookup_never_gets_the_models_word_for_something_the_guard_knows():
    text = (
        HEAD.format(currency="USD")
        + """
actions: {pay.send: {conversation: text, amount: money}}
facts: {customer.known: yes_no}
context: {conversation: text}
rules: [{id: any, then: allow, when: customer.known}]
"""
    )
    guard = Guard(bundle(text), store="sqlite://", activate=True)
    guard.fact("customer")(lambda conversation: {"known": True})
    guard.action("pay.send")(lambda conversation, amount: "sent")
    with pytest.raises(ConfigurationError, match="fact `customer` takes `conversation`"):
        guard.start()


@pytest.mark.law(6)
def test_what_was_erased_is_not_sent_again_as_another_request(open_shop, address):
    options = {"effect": Idempotent(ttl=timedelta(days=1))}
    shop = open_shop(**options)
    shop.acts = lost
    answer = shop.ask()
    shop.guard._parts.vault.erase(shop.guard.audit.action(answer.decision_id).on_behalf_of)
    shop.guard.close()
    later = open_shop(store=address, **options)
    later.guard.start()
    assert later.state(answer) == "in_doubt"
    assert not later.paid


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
def test_one_action_that_cannot_be_taken_up_again_does_not_stop_the_guard(open_shop, address):
    options = {"effect": Idempotent(ttl=timedelta(days=1))}
    shop = open_shop(**options)
    shop.acts = lost
    first, second = shop.ask(), shop.ask(key="k-2", order_id="A-2")
    shop.guard.store.transact(
        lambda transaction: (
            transaction.append({"tenant": "default", "kind": "noted"}),
            transaction._lookups.channel.driver.execute(
                "UPDATE agentguard_action SET decision_entry = NULL WHERE id = ?", (first.decision_id,)
            ),
        )
    )
    shop.guard.close()
    later = open_shop(store=address, **options)
    later.guard.start()
    assert (later.state(first), later.state(second)) == ("in_doubt", "settled")


@pytest.mark.law(5)
def test_what_was_done_is_written_down_even_when_its_result_cannot_be_sealed(open_shop, monkeypatch):
    shop = open_shop()
    vault = shop.guard._parts.vault

    def pay(order_id, amount, key):
        def locked(*_):
            raise StoreUnavailableError("the keys file is locked")

        monkeypatch.setattr(vault, "seal", locked)
        return shop.pay(order_id, amount, key)

    shop.acts = pay
    answer = shop.ask()
    assert (answer.executed, answer.result_kept) == (True, False)
    assert shop.state(answer) == "settled"


def test_no_log_line_carries_a_traceback_whose_locals_would_show_personal_data():
    """A log that is not configured otherwise prints every local name of every frame with it."""
    engine = Path(agentguard.__file__).parent
    assert not [path for path in engine.rglob("*.py") if "log.exception(" in path.read_text("utf-8")]


@pytest.mark.law(9)
def test_nobody_is_not_the_owner_of_an_order_that_has_none(open_shop):
    shop = open_shop()
    shop.orders["A-1"] = {"customer_id": "", "total": Money.of("100", "USD")}
    answer = shop.ask(who="")
    assert (answer.status, answer.reason_code) == ("denied", "cannot_evaluate")
    assert not shop.paid


@pytest.mark.law(2, 5)
@pytest.mark.parametrize("sign", ["\0", "\udcff", "\n"])
def test_a_reference_that_no_database_keeps_does_not_lose_what_was_done(open_shop, sign):
    shop = open_shop(reference=lambda result: f"r{sign}1")
    answer = shop.ask("10.00")
    assert isinstance(answer, Done)
    assert shop.guard.audit.show(answer.entry).document["external_reference"] == "r\ufffd1"


@pytest.mark.parametrize("conversation", ["talk\0", "talk\udcff", "t" * 201])
def test_a_conversation_that_no_database_keeps_is_refused_before_anything_is_asked(open_shop, conversation):
    shop = open_shop()
    with pytest.raises(UsageError, match=r"expected `context\.conversation` as printable text"):
        shop.ask("10.00", context={"conversation": conversation})
    assert not shop.paid
