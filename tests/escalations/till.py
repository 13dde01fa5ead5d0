"""A till whose processes come and go: its policies, people and books are files, as an application's are."""

import os
from pathlib import Path

from agentguard import Guard, Money, Waits

FOLDER = Path(os.environ["TILL_FOLDER"])

guard = Guard(FOLDER / "policies", store=os.environ["TILL_STORE"], waits=Waits(rounds=None))


@guard.fact("order")
def order(order_id):
    paid = sum(int(line.split()[1]) for line in (FOLDER / "books").read_text().splitlines())
    return {"customer_id": "c-1", "total": Money.of("1000", "USD"), "refunded": Money(paid, "USD")}


@guard.action("refund.issue")
def refund(order_id: str, amount: Money, *, key: str) -> str:
    """Refund an order."""
    with (FOLDER / "books").open("a") as books:
        books.write(f"{key} {amount.minor}\n")
    return key


def ask():
    """Ask as the agent does, and die at once where it does not hear the answer."""
    answer = guard.run(
        "refund.issue",
        {"order_id": "A-1", "amount": "600"},
        agent="bot",
        on_behalf_of="c-1",
        context={"conversation": "talk-1"},
        key="k-1",
    )
    print(answer.for_model()["status"], answer.decision_id, flush=True)
