"""A place with a practitioner that nobody takes any more is free again, through the pack as it comes."""

from datetime import timedelta
from pathlib import Path

import pytest

from agentguard import Guard
from agentguard.policyfile import load
from agentguard.testing.clock import ManualClock

PACK = Path(__file__).parents[2] / "policies" / "appointments"


class Calendar:
    """Visits with one practitioner, told as the front desk makes them."""

    def __init__(self, guard):
        self.guard = guard
        self.number = 0

    def tell(self, action, day=None, relates_to=None):
        self.number += 1
        arguments = {"appointment_id": "v-1"} if action != "appointment.book" else {"kind": "checkup"}
        facts = {"patient.id": "pat_5"}
        if day is not None:
            arguments["slot_id"] = f"s-{day}"
            facts |= {"slot.id": f"s-{day}", "slot.practitioner": "dr-lee"}
            facts["slot.starts_at"] = f"2026-11-{day}T15:00:00Z"
        return self.guard.record(
            action, arguments, by="kim", source="front desk", happened_at=self.guard.now(), key=str(self.number),
            on_behalf_of="pat_5", facts=facts, relates_to=relates_to,
        )  # fmt: skip

    def on(self, day):
        told = self.tell("appointment.book", day)
        used = next(item.used for item in told.limits if item.limit == "appointments/practitioner-day")
        self.tell("appointment.cancel", relates_to=told.action_id)
        return used - 1


@pytest.fixture
def calendar(tmp_path):
    clock = ManualClock()
    guard = Guard(load([PACK]), store=f"sqlite:///{tmp_path}/visits.db", clock=clock, activate=True)
    guard.now = lambda: clock.advance(timedelta(minutes=1))
    yield Calendar(guard)
    assert guard.audit.verify().findings == ()
    guard.close()


def test_a_cancelled_visit_gives_its_place_back(calendar):
    booked = calendar.tell("appointment.book", 23)
    assert calendar.on(23) == 1
    undone = calendar.tell("appointment.cancel", relates_to=booked.action_id)
    assert [(item.limit, item.amount) for item in undone.freed] == [("appointments/practitioner-day", 1)]
    assert calendar.on(23) == 0


def test_a_visit_that_is_moved_takes_a_place_on_the_new_day_alone(calendar):
    booked = calendar.tell("appointment.book", 23)
    moved = calendar.tell("appointment.move", 24, booked.action_id)
    assert (calendar.on(23), calendar.on(24)) == (0, 1)
    again = calendar.tell("appointment.move", 25, moved.action_id)
    assert (calendar.on(24), calendar.on(25)) == (0, 1)
    calendar.tell("appointment.cancel", relates_to=again.action_id)
    assert calendar.on(25) == 0


def test_a_move_that_names_the_first_booking_again_frees_nothing_twice(calendar):
    booked = calendar.tell("appointment.book", 23)
    calendar.tell("appointment.move", 24, booked.action_id)
    assert calendar.tell("appointment.move", 25, booked.action_id).freed == ()
    assert (calendar.on(23), calendar.on(24), calendar.on(25)) == (0, 1, 1)
