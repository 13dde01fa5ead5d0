"""What settled actions are remembered by: only what a requirement asks for, and from the log when one asks for more."""

import sqlite3
from datetime import timedelta

import pytest

from agentguard import Denied, Done, Money
from tests.engine.given import REFUNDS, shop

FIRST = REFUNDS.replace('document == "passport"', 'document.startsWith("pass")')
ASKING = """
requires:
  - {id: verified, on: [refund.issue], action: identity.verify, same: [SAME], within: 30 days, else: deny}
"""


def asking(same, version):
    return FIRST.replace("version: 1", f"version: {version}") + ASKING.replace("SAME", same)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shop.db"


def put_into_force(made, text, path):
    """Return the shop under other policies, on the same file and clock."""
    made.guard.close()
    return shop(f"sqlite:///{path}", text=text, clock=made.clock)


def verify(made, who="c-1", document="passport", key="v-1"):
    answer = made.guard.run(
        "identity.verify",
        {"document": document},
        agent="bot",
        on_behalf_of=who,
        context={"conversation": "talk-1"},
        key=key,
    )
    assert isinstance(answer, Done)
    return answer


def remembered(path):
    with sqlite3.connect(path) as connection:
        return sorted(connection.execute("SELECT action, name FROM agentguard_action_value"))


def test_nothing_is_remembered_that_no_requirement_asks_for(path):
    made = shop(f"sqlite:///{path}", text=FIRST)
    assert isinstance(made.ask(), Done)
    verify(made)
    assert remembered(path) == []
    made = put_into_force(made, asking("on_behalf_of", 2), path)
    verify(made, key="v-2")
    assert isinstance(made.ask(key="k-2"), Done)
    assert set(remembered(path)) == {("identity.verify", "on_behalf_of")}
    made.guard.close()


@pytest.mark.parametrize("same", ["on_behalf_of", "agent.id", "context.conversation", "on_behalf_of, agent.id"])
def test_a_requirement_finds_what_was_settled_before_it_came_into_force(path, same):
    made = shop(f"sqlite:///{path}", text=FIRST)
    verify(made)
    made = put_into_force(made, asking(same, 2), path)
    assert isinstance(made.ask(), Done)
    assert len(remembered(path)) == len(same.split(", "))
    other = made.ask(who="c-2", key="k-2", agent="bot-2", context={"conversation": "talk-2"})
    assert "refunds/verified" in [reason.source for reason in other.reasons]
    made.guard.close()


@pytest.mark.parametrize("days, kind", [(30, Done), (30.00001, Denied)])
def test_what_is_remembered_from_the_log_is_as_old_as_it_is(path, days, kind):
    made = shop(f"sqlite:///{path}", text=FIRST)
    verify(made)
    made.clock.advance(timedelta(days=days))
    made = put_into_force(made, asking("on_behalf_of", 2), path)
    assert isinstance(made.ask(), kind)
    made.guard.close()


def test_a_customer_who_was_erased_is_not_found_by_who_they_were(path):
    made = shop(f"sqlite:///{path}", text=FIRST)
    answer = verify(made)
    made.guard._parts.vault.erase(made.guard.audit.action(answer.decision_id).on_behalf_of)
    made = put_into_force(made, asking("on_behalf_of", 2), path)
    assert remembered(path) == []
    assert isinstance(made.ask(), Denied)
    made.guard.close()


def test_what_was_asked_for_dropped_and_asked_for_again_is_remembered_once_and_whole(path):
    made = shop(f"sqlite:///{path}", text=asking("on_behalf_of", 1))
    verify(made, who="c-1", key="v-1")
    made = put_into_force(made, FIRST.replace("version: 1", "version: 2"), path)
    verify(made, who="c-2", key="v-2")
    made = put_into_force(made, asking("on_behalf_of", 3), path)
    verify(made, who="c-3", key="v-3")
    assert len(remembered(path)) == 3
    made.orders = {f"A-{n}": {"customer_id": f"c-{n}", "total": Money.of("100", "USD")} for n in (1, 2, 3)}
    for number in (1, 2, 3):
        assert isinstance(made.ask(key=f"k-{number}", who=f"c-{number}", order_id=f"A-{number}"), Done)
    assert made.guard.audit.verify().ok
    made.guard.close()
