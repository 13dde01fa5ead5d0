"""Why one request is decided as it is: what decided, with which values, and what would have changed it."""

import json
import shutil
from pathlib import Path

import pytest

from agentguard import Guard, Money

NOTHING = """\
agentguard: 1
policy: nothing
version: 1
owner: o
currency: USD
timezone: UTC
actions: {gift.send: {amount: money}}
rules:
  - {id: never, then: deny}
"""
REQUEST = {
    "do": "refund.issue",
    "on_behalf_of": "cus_8812",
    "context": {"conversation": "c-1"},
    "now": "2026-11-20 12:00",
    "used": {"customer-30-days": 240},
    "happened": ["identity-first"],
    "with": {
        "order_id": "A-17",
        "amount": 75,
        "reason": "late",
        "order.id": "A-17",
        "order.customer_id": "cus_8812",
        "order.total": 500,
        "order.refunded": 0,
        "order.delivered_at": "2026-11-10 10:00",
        "order.items": [],
        "customer.region": "eu",
        "customer.email": "ann@shop.example",
    },
}


@pytest.fixture
def why(tmp_path, monkeypatch, command):
    """Return what is said of a request that is unlike the usual one."""
    shutil.copytree("policies/refunds", tmp_path / "policies" / "refunds")
    monkeypatch.chdir(tmp_path)

    def told(*options, **changes):
        values = {**REQUEST["with"], **changes.pop("values", {})}
        Path("request.json").write_text(json.dumps({**REQUEST, **changes, "with": values}), encoding="utf-8")
        return command("policy", "explain", "refunds", "--request", "request.json", *options)

    return told


def words(said):
    assert (said.code, said.err) == (0, "")
    return " ".join(said.out.split())


def test_a_person_reads_what_decided_with_its_values_and_where_it_stands(why):
    told = words(why())
    assert told.startswith("Issue refund: people decide (support_lead) The customer hears: I've passed your refund")
    for part in (
        "the amount 75.00 USD",
        "◷ people refunds/medium-refund A refund of 75.00 USD is more than the agent makes alone.",
        "- the amount (75.00 USD) is more than 50.00 USD",
        "240.00 USD was used, so there was room for 60.00 USD, and this is 75.00 USD.",
        "refunds/not-their-order it is refused no the order's customer id is the customer of this request",
        "the time from when the order was delivered to the request, which is 10 days 2 hours, is at most 30 days",
    ):
        assert part in told, part
    assert "not known whether" not in told  # what a rule asks for first is not there, so nobody asks for more


def test_the_nearest_amount_that_is_automatic_is_told_with_its_neighbour(why):
    told = words(why())
    assert "the amount 75.00 USD 50.00 USD (with 50.01 USD not yet) the agent does it alone" in told


def test_where_nothing_alone_would_help_that_is_proved(why):
    pytest.importorskip("z3")
    said = why(values={"order.items": [{"category": "x", "price": 5, "final_sale": True}]})
    told = words(said)
    assert "No other value of one thing alone was found that would have changed it." in told
    assert "Proved: of everything else that was asked for or known, no change of one thing alone would have let" in told
    document = why("--json", values={"order.items": [{"category": "x", "price": 5, "final_sale": True}]}).json
    assert {"source": "argument", "name": "amount"} in document["proved_without"]
    assert document["turns"] == []


def test_what_is_allowed_says_what_would_have_ended_that(why):
    told = words(why(values={"amount": 40}))
    assert told.startswith("Issue refund: the agent does it alone")
    assert "the amount 40.00 USD 50.01 USD (with 50.00 USD not yet) people decide (support_lead)" in told
    assert "the reason" in told


def test_a_refusal_names_what_had_to_happen_first(why):
    told = words(why(happened=[]))
    assert told.startswith("Issue refund: it is refused")
    assert (
        "What has to happen first did not: verify identity (identity.verify) with the same customer and "
        "conversation, at most 30 minutes before." in told
    )


def test_programs_get_the_same_as_json(why):
    document = why("--json").json
    assert document["verdict"] == "escalate"
    assert document["turns"] == [
        {
            "source": "argument",
            "name": "amount",
            "value": "75.00 USD",
            "instead": "50.00 USD",
            "verdict": "allow",
        }
    ]
    assert document["automatic_up_to"] == {"argument": "amount", "value": "50.00 USD"}
    assert document["changes"][0] == (
        "`refunds/small-refund` would have allowed it, but: the amount (75.00 USD) is more than 50.00 USD"
    )


def test_a_decision_on_record_is_a_page_without_anything_personal(shop, command):
    entry = str(command("actions", "show", shop.ids["too_much"], "--json").json["decision_entry"])
    page = command("policy", "explain", "--entry", entry, "--format", "html").out
    assert page.startswith("<!DOCTYPE html>")
    assert f"entry {entry} of the audit log" in page
    assert "(personal)" in page
    assert "cus_8812" not in page
    markdown = command("policy", "explain", "--entry", entry, "--format", "markdown").out
    assert markdown.startswith("# Issue refund: it is refused\n")


def test_what_was_only_observed_says_so(tmp_path, monkeypatch, command):
    store = f"sqlite:///{tmp_path}/seen.db"
    monkeypatch.setenv("AGENTGUARD_STORE", store)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "nothing.yaml").write_text(NOTHING, encoding="utf-8")
    guard = Guard("policies", store=store, observe=True, activate=True)

    @guard.action("gift.send")
    def send_gift(amount: Money, *, key: str) -> str:
        """Send a gift."""
        return str(amount)

    guard.run("gift.send", {"amount": "5.00"}, agent="bot", on_behalf_of="cus_1", key="k")
    (decided,) = (entry for entry in guard.audit.list() if entry.kind == "decided")
    guard.close()
    entry = str(decided.pos)
    told = words(command("policy", "explain", "--entry", entry))
    assert told.startswith("Send gift: it is refused Only observed: this was recorded, and not enforced.")
    assert command("policy", "explain", "--entry", entry, "--json").json["observed"] is True
