"""What a round costs depends on what is due, not on what waits."""

from datetime import timedelta

import pytest

from agentguard import Money
from agentguard.engine.parts import Waits
from agentguard.store.channel import Channel
from tests.engine.given import REFUNDS
from tests.engine.given import shop as shop_of

REMINDING = REFUNDS.replace("within: 4 hours,", "within: 4 hours, remind: 30 minutes,")


class Orders(dict):
    """Every order is its customer's."""

    def get(self, order_id, default=None):
        return {"customer_id": order_id.replace("A", "c"), "total": Money.of("100", "USD")}


@pytest.fixture
def statements(monkeypatch):
    """Counts the statements that any store runs."""
    run = []
    for name in ("_run", "find", "write", "change_all", "stream"):
        original = getattr(Channel, name)
        counted = lambda self, *args, of=original: (run.append(1), of(self, *args))[1]  # noqa: E731
        monkeypatch.setattr(Channel, name, counted)
    return run


@pytest.mark.parametrize("due", ["nothing", "late", "approved", "reminded"])
def test_a_round_beside_many_that_wait_runs_as_many_statements_as_beside_few(statements, tmp_path, due):
    counts = []
    for waiting in (3, 30):
        store = f"sqlite:///{tmp_path}/{waiting}.db"
        shop = shop_of(store, text=REMINDING, waits=Waits(recovery=None, rounds=None))
        shop.orders = Orders()
        first = [shop.ask("60", key=f"k-{n}", order_id=f"A-{n}", who=f"c-{n}") for n in range(2)]
        shop.clock.advance(timedelta(hours=1))
        for n in range(2, 2 + waiting):
            shop.ask("60", key=f"k-{n}", order_id=f"A-{n}", who=f"c-{n}")
        shop.guard.work()
        if due == "approved":
            for asked in first:
                shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="goodwill")
        elif due != "nothing":
            shop.clock.advance(timedelta(hours=3 if due == "late" else 2.5))
        statements.clear()
        came_to = shop.guard.work()
        assert len(came_to.answers) + len(came_to.reminded) == (0 if due == "nothing" else 2)
        counts.append(len(statements))
        shop.guard.close()
    assert 0 < counts[1] == counts[0]
