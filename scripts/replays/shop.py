"""The retail shop: recorded customer-service calls, with the shop's own record just before each.

Only what the shop knows becomes a fact: the order, the profile, the catalogue and who has been identified. Labels,
verdicts and what the recorded tool accepted are read for the score alone.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.replays.recording import Call, Expected, money, plain_arguments, read_lines

ACTIONS = {
    "cancel_pending_order": "order.cancel",
    "modify_pending_order_address": "order.change_address",
    "modify_pending_order_payment": "order.change_payment",
    "modify_pending_order_items": "order.change_items",
    "return_delivered_order_items": "order.return_items",
    "exchange_delivered_order_items": "order.exchange_items",
    "modify_user_address": "profile.change_address",
}
CURRENCY = "USD"
REFUSAL = re.compile(r"\W*(no|nope|don[’']?t|do not|stop|wait|hold on|not yet)\b", re.IGNORECASE)
REQUEST = re.compile(r"\b(yes|yeah|please|proceed|go ahead|instead|confirm|correct|sure)\b", re.IGNORECASE)
SHORT_ANSWER = 60


def calls(folder: Path) -> list[Call]:
    """Return every recorded call that changes something: ground truth, trajectories and probes."""
    found: list[Call] = []
    for number, task in enumerate(read_lines(folder, "retail_groundtruth.jsonl")):
        found += _conversation(f"groundtruth-{number}", task.get("actions", []))
    for number, run in enumerate(read_lines(folder, "retail_trajectories.jsonl")):
        found += _conversation(f"trajectory-{number}", run.get("steps", []))
    for number, probe in enumerate(read_lines(folder, "retail_probes.jsonl")):
        found += _conversation(f"probe-{number}", [probe])
    return found


def _conversation(world: str, steps: list[dict[str, Any]]) -> Iterator[Call]:
    customers: list[str] = []
    last_message: str | None = None
    for step in steps:
        if step.get("t") == "user":
            last_message = str(step.get("text", ""))
        if step.get("name") not in ACTIONS or "ctx" not in step:
            continue
        snapshot, arguments = step["ctx"], plain_arguments(step["args"])
        customer = snapshot.get("auth_user")
        if customer and customer not in customers:
            customers.append(customer)
        context: dict[str, Any] = {"conversation": world}
        if last_message is not None and refuses(last_message):
            context["confirmed"] = False
        yield Call(
            world=world,
            action=ACTIONS[step["name"]],
            arguments=arguments,
            on_behalf_of=customer or "nobody-identified",
            context=context,
            facts={
                "session": known_only({"customer": customer, "customers": list(customers)}),
                "order": order(_named(snapshot.get("order"), "order_id", arguments)),
                "change": change(snapshot, arguments),
                "profile": profile(_named(snapshot.get("user"), "user_id", arguments)),
            },
            expected=_expected(step),
            succeeded=bool(step.get("recorded_ok", True)),
        )


def _named(record: Mapping[str, Any] | None, key: str, arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return a record only if it is the one that the arguments name, as a lookup by them would."""
    return record if record is not None and arguments.get(key, record[key]) == record[key] else None


def refuses(message: str) -> bool:
    """Return whether a customer's last message can only mean no; everything longer or mixed is left to the agent."""
    return len(message) <= SHORT_ANSWER and REFUSAL.match(message) is not None and REQUEST.search(message) is None


def order(record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what the shop knows of an order, or None if there is no such order."""
    if record is None:
        return None
    payments = [entry for entry in record["payment_history"] if entry["transaction_type"] == "payment"]
    return known_only(
        {
            "id": record["order_id"],
            "customer": record["user_id"],
            "status": record["status"],
            "total": money(payments[0]["amount"], CURRENCY) if payments else None,
            "paid_with": payments[0]["payment_method_id"] if payments else None,
            "payments": len(payments),
            "items": [
                {"item": line["item_id"], "product": line["product_id"], "price": money(line["price"], CURRENCY)}
                for line in record["items"]
            ],
        }
    )


def change(snapshot: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return each item with the one it is to become, and what the change costs; None if nothing is to be changed."""
    old, new = arguments.get("item_ids"), arguments.get("new_item_ids")
    if not isinstance(old, list) or not isinstance(new, list) or snapshot.get("order") is None:
        return None
    ordered = {line["item_id"]: line for line in snapshot["order"]["items"]}
    catalogue = snapshot.get("items") or {}
    swaps, difference = [], money(0, CURRENCY)
    known = len(old) == len(new)
    for item, new_item in zip(old, new, strict=False):
        line, variant = ordered.get(item), catalogue.get(new_item)
        known = known and line is not None and variant is not None
        swaps.append(
            known_only(
                {
                    "item": item,
                    "new_item": new_item,
                    "product": line and line["product_id"],
                    "new_product": variant and variant["product_id"],
                    "available": variant and variant["available"],
                }
            )
        )
        if line is not None and variant is not None:
            difference += money(variant["price"], CURRENCY) - money(line["price"], CURRENCY)
    return known_only({"swaps": swaps, "price_difference": difference if known else None})


def known_only(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record without what is not known."""
    return {name: value for name, value in record.items() if value is not None}


def profile(record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what the shop knows of a customer, or None if there is no such customer."""
    if record is None:
        return None
    methods = [
        known_only(
            {
                "id": method["id"],
                "kind": method["source"],
                "balance": money(method["balance"], CURRENCY) if "balance" in method else None,
            }
        )
        for method in record["payment_methods"].values()
    ]
    return {"customer": record["user_id"], "payment_methods": methods}


def _expected(step: Mapping[str, Any]) -> Expected:
    label = step.get("label")
    if label == "must_allow":
        return Expected.GOOD
    if label in {"must_block", "must_block_tool_also_refuses"}:
        return Expected.FORBIDDEN if step.get("strength") == "hard" else Expected.FORBIDDEN_SOFT
    return Expected.OPEN
