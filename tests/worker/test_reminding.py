"""People are reminded once for each route, so long before its deadline, by a clock that tests move."""

from datetime import timedelta

import pytest

from agentguard import Waiting
from agentguard.engine.reminding import remind_all
from agentguard.testing.clock import START
from tests.engine.given import REFUNDS

HALF = timedelta(minutes=30)
MICROSECOND = timedelta(microseconds=1)
REMINDING = REFUNDS.replace("within: 4 hours,", "within: 4 hours, remind: 30 minutes,").replace(
    "within: 1 day,", "within: 1 day, remind: 2 hours,"
)


def reminders(shop):
    return [entry.document["reminded"] for entry in shop.guard.audit.list(kind="reminded")]


@pytest.mark.parametrize("early, count", [(MICROSECOND, 0), (timedelta(0), 1), (-MICROSECOND, 1)])
def test_people_are_reminded_so_long_before_the_deadline_and_not_earlier(open_both, early, count):
    shop = open_both(text=REMINDING)
    asked = shop.ask("60")
    shop.clock.set(START + timedelta(hours=4) - HALF - early)
    came_to = shop.guard.work()
    assert [item.routes for item in came_to.reminded] == [("refunds/lead",)] * count
    assert [item.escalation for item in came_to.reminded] == [asked.escalation.id] * count
    assert reminders(shop) == [["refunds/lead"]] * count
    assert shop.guard.audit.verify().ok


def test_people_are_reminded_once(open_both):
    shop, second = open_both(text=REMINDING), open_both(text=REMINDING)
    shop.ask("60")
    shop.clock.advance(timedelta(hours=3, minutes=45))
    second.clock.set(shop.clock())
    assert len(shop.guard.work().reminded) == 1
    assert (shop.guard.work().reminded, second.guard.work().reminded) == ((), ())
    assert len(reminders(shop)) == 1


def test_the_people_of_the_next_route_are_reminded_before_its_own_deadline(open_shop):
    shop = open_shop(text=REMINDING)
    shop.ask("60")
    shop.clock.advance(timedelta(hours=4))
    assert [type(answer) for answer in shop.guard.work().answers] == [Waiting]
    shop.clock.advance(timedelta(hours=21))
    assert shop.guard.work().reminded == ()
    shop.clock.advance(timedelta(hours=1))
    assert [item.routes for item in shop.guard.work().reminded] == [("refunds/finance",)]


def test_of_two_routes_each_reminds_its_own_people(open_shop):
    names, routes, rules = (REMINDING.index(part) for part in ("names:", "escalations:", "rules:"))
    other = REMINDING[:names] + REMINDING[routes:rules].replace("remind: 30 minutes", "remind: 1 hour")
    other = other.replace("policy: refunds", "policy: desk")
    other += "rules:\n  - {id: seen, on: [refund.issue], then: escalate to lead}\n"
    both = open_shop(text=(REMINDING, other))
    both.ask("60")
    both.clock.advance(timedelta(hours=3))
    assert [item.routes for item in both.guard.work().reminded] == [("desk/lead",)]
    both.clock.advance(HALF)
    assert [item.routes for item in both.guard.work().reminded] == [("refunds/lead",)]
    assert both.guard.work().reminded == ()


def test_nobody_is_reminded_of_what_was_decided_or_is_late(open_shop):
    shop = open_shop(text=REMINDING)
    decided, late = shop.ask("60"), shop.ask("70", key="k-2", order_id="A-2")
    shop.guard.escalations.reject(decided.escalation.id, by="maria", reason_code="within_policy")
    shop.clock.advance(timedelta(hours=4))
    assert shop.guard.work().reminded == ()
    assert shop.guard.check(late.decision_id).escalation.route == "refunds/finance"


def test_what_is_late_is_not_reminded_of_even_if_nobody_has_passed_it_on_yet(open_shop):
    shop = open_shop(text=REMINDING)
    shop.ask("60")
    shop.clock.advance(timedelta(hours=4))
    assert remind_all(shop.guard._parts) == []
    assert reminders(shop) == []


def test_while_everything_is_stopped_nobody_is_reminded_and_the_time_does_not_count(open_shop):
    shop = open_shop(text=REMINDING)
    shop.ask("60")
    shop.clock.advance(timedelta(hours=1))
    shop.guard.halt(by="tom", why="a look")
    shop.clock.advance(timedelta(hours=10))
    assert shop.guard.work().reminded == ()
    shop.guard.resume(by="tom", why="all is well")
    shop.clock.advance(timedelta(hours=2, minutes=29))
    assert shop.guard.work().reminded == ()
    shop.clock.advance(timedelta(minutes=1))
    assert len(shop.guard.work().reminded) == 1


def test_a_reminder_counts_the_hours_of_its_calendar(open_shop):
    desk = "calendars:\n  desk:\n    {mon: 09:00-17:00, tue: 09:00-17:00}\nescalations:"
    text = REFUNDS.replace("escalations:", desk).replace(
        "within: 4 hours,", "within: 4 hours of desk, remind: 1 hour of desk,"
    )
    shop = open_shop(text=text)  # it is Sunday; four hours of the desk end on Monday at 13:00 in Berlin
    shop.ask("60")
    shop.clock.set(START.replace(day=23, hour=10, minute=59))
    assert shop.guard.work().reminded == ()
    shop.clock.advance(timedelta(minutes=1))
    assert len(shop.guard.work().reminded) == 1
