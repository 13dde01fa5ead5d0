"""Recordings made up here, in the layout of the real ones, so that the replay is tested without them."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def write_lines(path: Path, records: list[Json]) -> None:
    """Write a JSON-lines file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record, default=float) + "\n" for record in records), encoding="utf-8")


def order_line(item: str, product: str, price: str) -> Json:
    """Return a line of an order as the shop records it."""
    return {"item_id": item, "product_id": product, "price": Decimal(price), "name": product, "options": {}}


def retail_call(*, customer: str = "ana", owner: str | None = None, status: str = "pending", **recorded: Any) -> Json:
    """Return a recorded cancellation, of an order of `owner` (the customer where left out)."""
    owner = owner or customer
    return {
        "name": "cancel_pending_order",
        "args": {"order_id": f"#W-{owner}", "reason": "no longer needed"},
        "kind": "write",
        "recorded_ok": True,
        "label": "must_allow",
        "strength": None,
        "ctx": {
            "auth_user": customer,
            "order": {
                "order_id": f"#W-{owner}",
                "user_id": owner,
                "status": status,
                "items": [order_line("11", "lamp", "40.00")],
                "payment_history": [
                    {"transaction_type": "payment", "amount": Decimal("40.00"), "payment_method_id": "paypal_1"}
                ],
            },
            "user": {"user_id": owner, "payment_methods": {"paypal_1": {"source": "paypal", "id": "paypal_1"}}},
        },
        **recorded,
    }
