"""The record: complete from the first version on, personal values sealed, decisions computed again from it (law 8)."""

import re
import sqlite3

import pytest

from agentguard import Actor, Denied, Done, Money, NotDoneError, NotFoundError, UsageError, Waiting
from tests.engine.given import REFUNDS

FIELDS = {
    "v", "log", "tenant", "stream", "seq", "prev", "ts_us", "kind", "action_id", "action", "key", "attempt", "fence",
    "state", "deadline", "actor", "on_behalf_of", "relates_to", "context", "asked_at", "arguments", "facts", "bundle",
    "policies", "format", "engine", "tzdata", "mode", "canary", "now", "limits", "usage", "requirements", "history",
    "votes", "segments", "verdict", "approved", "reasons", "matched", "routes", "say", "language", "shadow", "outcome",
    "external_reference", "settled", "request_digest", "witness",
}  # fmt: skip

SHADOW = """
agentguard: 1
policy: stricter
version: 1
owner: refunds@acme.example
description: What we think about.
timezone: Europe/Berlin
currency: USD
mode: shadow
actions:
  refund.issue:
    order_id: text
    amount: money
    reason: [damaged, late, other]
rules:
  - id: less
    then: deny
    when: amount > 20
"""


def last_decided(shop):
    return shop.guard.audit.list(kind="decided", newest_first=True)[0]


def test_an_entry_of_a_decision_has_every_field_that_it_should(open_shop):
    shop = open_shop()
    who = Actor("bot", version="7", model="some-model", prompt_digest="a" * 64, tools_digest="b" * 64)
    shop.ask("40", agent=who)
    body = last_decided(shop).document
    assert set(body) == FIELDS
    assert body["actor"] == {
        "kind": "agent",
        "id": "bot",
        "version": "7",
        "model": "some-model",
        "prompt_digest": "a" * 64,
        "tools_digest": "b" * 64,
        "operator": None,
    }
    assert body["facts"]["order.total"]["value"] == "100.00 USD"
    assert body["facts"]["order.total"]["source"].endswith("order")
    assert body["facts"]["order.total"]["read_at"] == "2026-11-22T10:00:00.000000Z"
    assert body["arguments"] == {"order_id": "A-1", "amount": "40.00 USD", "reason": "late"}
    assert body["segments"] == {"customer.region": "north"}
    assert body["limits"][0]["amount"] == 4000
    assert re.fullmatch(r"[0-9a-f]{64}", body["limits"][0]["account"])


def test_what_settled_it_is_in_the_settle_entry(open_shop):
    shop = open_shop(settles=lambda _: {"amount": Money.of("39", "USD")}, reference=lambda result: result["refund"])
    answer = shop.ask("40")
    body = shop.guard.audit.show(answer.entry).document
    assert (body["kind"], body["outcome"], body["external_reference"]) == ("settled", "done", "r-1")
    assert set(body["settled"].values()) == {3900}
    assert re.fullmatch(r"[0-9a-f]{64}", body["result"])


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
def test_no_personal_value_and_no_customer_stands_in_the_database_in_the_clear(open_shop, tmp_path):
    shop = open_shop()
    shop.emails["c-secret"] = "somebody@private.example"
    shop.orders["A-1"] = {"customer_id": "somebody-else", "total": Money.of("100", "USD")}
    shop.ask("40", who="c-secret")
    shop.guard.run("identity.verify", {"document": "passport-9981"}, agent="bot", on_behalf_of="c-secret", key="k-2")
    shop.guard.run("identity.verify", {"document": 7, "x": "9981"}, agent="bot", on_behalf_of="c-secret", key="k-3")
    dump = "\n".join(sqlite3.connect(tmp_path / "guard.db").iterdump())
    raw = (tmp_path / "guard.db").read_bytes() + (tmp_path / "guard.db-wal").read_bytes()
    for secret in ("c-secret", "somebody@private.example", "passport-9981", "9981"):
        assert secret not in dump
        assert secret.encode() not in raw


def every_kind_of_decision(shop):
    """Make a decision of every kind and return how many there are."""
    assert isinstance(shop.ask("40", key="allow"), Done)
    assert isinstance(shop.ask("20", key="deny", who="c-2"), Denied)
    asked = shop.ask("51", key="escalate", order_id="A-2")
    assert isinstance(asked, Waiting)
    shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    assert isinstance(shop.ask("51", key="escalate", order_id="A-2"), Done)
    assert isinstance(shop.ask("70", key="over", order_id="A-1"), Denied)
    shop.broken.add("order")
    assert isinstance(shop.ask("1", key="failed"), Denied)
    shop.broken.clear()
    shop.emails["c-1"] = None
    shop.acts = lambda *_: (_ for _ in ()).throw(NotDoneError)
    shop.ask("5", key="absent", order_id="A-3")
    shop.guard.run("identity.verify", {"document": "passport"}, agent="bot", on_behalf_of="c-1", key="personal")
    shop.guard.run("identity.verify", {"document": "other"}, agent="bot", on_behalf_of="", key="nobody")


@pytest.mark.law(8)
def test_every_kind_of_decision_comes_out_the_same_from_its_entry_alone(open_shop):
    shop = open_shop()
    every_kind_of_decision(shop)
    entries = shop.guard.audit.list(kind="decided")
    assert len(entries) == 9
    recomputed = [shop.guard.audit.recompute(entry.pos) for entry in entries]
    assert [(item.entry, item.differs, item.erased) for item in recomputed] == [
        (entry.pos, (), ()) for entry in entries
    ]


@pytest.mark.law(8)
def test_a_decision_of_a_bundle_with_a_shadow_file_comes_out_the_same(open_shop):
    from tests.engine.given import bundle

    shop = open_shop(text=REFUNDS)
    shop.guard._bundle = bundle(REFUNDS, SHADOW)
    assert isinstance(shop.ask("40"), Done)
    body = last_decided(shop).document
    assert body["shadow"]["verdict"] == "deny"
    assert body["policies"]["stricter"]["mode"] == "shadow"
    assert shop.guard.audit.recompute(last_decided(shop).pos).same


@pytest.mark.law(8)
def test_a_changed_record_does_not_come_out_the_same(open_shop, monkeypatch):
    shop = open_shop()
    shop.ask("40")
    entry = last_decided(shop)
    forged = entry.body.replace(b"40.00 USD", b"60.00 USD")
    monkeypatch.setattr(shop.guard.audit, "show", lambda _: type(entry)(**{**as_dict(entry), "body": forged}))
    assert "verdict" in shop.guard.audit.recompute(entry.pos).differs


@pytest.mark.law(8)
def test_what_was_erased_is_named(open_shop):
    shop = open_shop()
    shop.ask("40", who="c-2")
    entry = last_decided(shop)
    shop.guard._parts.vault.erase(entry.document["on_behalf_of"])
    recomputed = shop.guard.audit.recompute(entry.pos)
    assert set(recomputed.erased) == {"on_behalf_of", "facts.customer.email"}
    assert shop.guard.audit.verify().ok


@pytest.mark.law(5)
def test_an_entry_stands_beside_every_state(open_shop):
    shop = open_shop()
    every_kind_of_decision(shop)
    for record in shop.guard.store.read(lambda r: r.actions()):
        last = [entry for entry in shop.guard.audit.of(record.id) if "state" in entry.document][-1].document
        assert (last["state"], last["fence"]) == (str(record.state), record.fence)
    assert shop.guard.audit.verify().ok


def test_activation_halts_and_resumes_are_entries(open_shop):
    shop = open_shop()
    shop.guard.start()
    shop.guard.halt("action:refund.issue", by="maria", why="odd numbers")
    shop.guard.resume("action:refund.issue", by="tom", why="explained")
    kinds = [(entry.kind, entry.document.get("by"), entry.document.get("why")) for entry in shop.guard.audit.list()]
    assert kinds == [
        ("activated", "guard", "activate=True"),
        ("halted", "maria", "odd numbers"),
        ("resumed", "tom", "explained"),
    ]


def test_what_is_not_there_is_said_so(open_shop):
    shop = open_shop()
    shop.guard.start()
    with pytest.raises(NotFoundError):
        shop.guard.audit.show(99)
    with pytest.raises(NotFoundError):
        shop.guard.audit.action("act_none")
    with pytest.raises(NotFoundError):
        shop.guard.execute("act_none")
    with pytest.raises(UsageError, match="decided"):
        shop.guard.audit.recompute(1)


def as_dict(entry):
    return {name: getattr(entry, name) for name in entry.__slots__}


def test_a_verdict_that_there_is_not_is_an_error_and_no_empty_list(open_shop):
    shop = open_shop()
    shop.ask("20")
    assert [entry.kind for entry in shop.guard.audit.list(verdict="allow")] == ["decided"]
    with pytest.raises(UsageError, match=r"expected a verdict of .*deny.*, got `alow`"):
        shop.guard.audit.list(verdict="alow")
