"""An application whose tool keeps books in a file: what workers in other processes are started with."""

import os
import time
from pathlib import Path

from agentguard import Money
from agentguard.adapters.webhook import Webhook
from tests.engine.given import MACHINE, shop
from tests.notices.receiver import SECRET


def act(order_id, amount, key):
    with Path(os.environ["DESK_BOOKS"]).open("a") as file:
        file.write(f"{key}\n")
    time.sleep(float(os.environ["DESK_SECONDS"]))
    return {"refund": key}


notices = [Webhook(os.environ["DESK_HOOK"], secret=SECRET, name="desk")] if "DESK_HOOK" in os.environ else []
made = shop(os.environ["DESK_STORE"], clock=MACHINE, notices=notices)
made.orders = {f"A-{n}": {"customer_id": f"c-{n}", "total": Money.of("100", "USD")} for n in range(20)}
made.acts = act
guard = made.guard
