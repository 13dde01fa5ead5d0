"""Listing what waits costs a few statements, however much waits and however late it is; counted, not timed."""

from datetime import timedelta

import pytest

from agentguard import Waits
from agentguard.store.channel import Channel


@pytest.fixture
def statements(monkeypatch):
    run = []
    for name in ("_run", "find", "write", "change_all", "stream"):
        original = getattr(Channel, name)
        counted = lambda self, *args, of=original: (run.append(1), of(self, *args))[1]  # noqa: E731
        monkeypatch.setattr(Channel, name, counted)
    return run


@pytest.mark.parametrize("late", [False, True])
def test_a_list_of_many_costs_as_many_statements_as_one_of_few(open_both, statements, late):
    shop = open_both(waits=Waits(rounds=None, recovery=None))
    counts = []
    for numbers in (range(3), range(3, 40)):
        for number in numbers:
            shop.ask("60", key=f"k-{number}", order_id=f"A-{number}")
        if late:
            shop.clock.advance(timedelta(hours=5))
        statements.clear()
        assert len(shop.guard.escalations.list()) == numbers.stop
        counts.append(len(statements))
    assert 0 < counts[1] == counts[0] < 6


def test_of_many_that_seem_late_those_that_were_stopped_have_the_time_that_is_left(open_both):
    shop = open_both(waits=Waits(rounds=None, recovery=None))
    asked = [shop.ask("60", key=f"k-{number}", order_id=f"A-{number}", agent=f"bot-{number}") for number in range(3)]
    for number in range(60):  # more stops than are looked at at once
        shop.guard.halt(f"agent:bot-{number % 2}", by="maria", why="look")
        shop.clock.advance(timedelta(minutes=1))
        shop.guard.resume(f"agent:bot-{number % 2}", by="maria", why="go on")
    shop.clock.advance(timedelta(hours=4))
    due = {record.id: record.due_at for record in shop.guard.escalations.list()}
    first, second, third = (due[answer.escalation.id] for answer in asked)
    assert first == second == third + timedelta(minutes=30)
