"""Two files ask two routes about one action: each has its own people and its own time."""

from datetime import timedelta

import pytest

from agentguard import Done, Guard
from agentguard.policyfile import bundle_of, load_text
from agentguard.testing.clock import ManualClock
from tests.escalations.given import people, staffed

DOORS = """
agentguard: 1
policy: doors
version: 1
owner: doors@house.example
actions: {door.open: {number: integer}}
escalations:
  desk: {who: "group:leads", within: 1 hour, remind: 10 minutes, if_late: boss}
  boss: {who: "user:kim", within: 1 hour}
rules:
  - {id: open, then: allow, when: number > 0}
  - {id: look, then: escalate to desk, when: number > 5}
"""
SAFETY = """
agentguard: 1
policy: safety
version: 1
owner: safety@house.example
otherwise: abstain
actions: {door.open: {number: integer}}
escalations:
  board: {who: "group:finance", within: 3 hours, remind: 1 hour, if_late: chair}
  chair: {who: "user:kim", within: 2 hours}
rules:
  - {id: look, then: escalate to board, when: number > 7}
"""


class House:
    """A guard of doors; `staffed` changes who is in it."""

    def __init__(self):
        self.clock = ManualClock()
        files = [load_text(text, f"{number}.yaml") for number, text in enumerate((DOORS, SAFETY))]
        self.guard = Guard(bundle_of(files), store="sqlite://", clock=self.clock, activate=True, people=people())
        self.guard.action("door.open")(lambda number: "open")
        self.asked = self.guard.run("door.open", {"number": 9}, agent="bot", key="k-1")

    @property
    def waits(self):
        (record,) = self.guard.escalations.list()
        return record

    def says_yes(self, by):
        return self.guard.escalations.approve(self.waits.id, by=by, reason_code="goodwill")

    def after(self, **time):
        self.clock.advance(timedelta(**time))
        return self.guard.work()

    def routes(self):
        return {item.route: item.due - self.clock() for item in self.guard.check(self.asked.decision_id).escalations}


@pytest.fixture
def house():
    made = House()
    yield made
    made.guard.close()


def test_who_said_yes_in_time_is_not_late_and_not_reminded_though_others_take_longer(house):
    assert house.says_yes("maria").missing == 1
    assert "doors/desk: group:leads; 1 of 1 said yes." in house.guard.escalations.show(house.waits.id).packet.as_text()
    assert house.after(minutes=55).reminded == ()
    assert house.after(minutes=5).answers == ()
    (reminded,) = house.after(hours=1).reminded
    assert reminded.routes == ("safety/board",)
    assert house.says_yes("ada").state == "approved"
    assert isinstance(house.guard.execute(house.asked.decision_id), Done)
    assert house.guard.audit.verify().ok


def test_where_one_route_is_late_the_others_are_asked_anew_with_their_full_time(house):
    house.says_yes("maria")
    assert house.after(hours=3, seconds=-1).answers == ()
    house.after(seconds=1)
    assert house.routes() == {"doors/desk": timedelta(hours=1), "safety/chair": timedelta(hours=2)}
    house.says_yes("maria")
    assert house.says_yes("kim").state == "approved"
    assert isinstance(house.guard.execute(house.asked.decision_id), Done)


def test_a_route_that_nobody_answered_is_late_by_itself(house):
    house.says_yes("ada")
    house.after(hours=1, seconds=-1)
    assert house.routes() == {"doors/desk": timedelta(seconds=1), "safety/board": timedelta(hours=2, seconds=1)}
    house.after(seconds=1)
    assert house.routes() == {"doors/boss": timedelta(hours=1), "safety/board": timedelta(hours=2)}


def test_whose_yes_does_not_count_any_more_was_late_all_the_same(house):
    house.says_yes("maria")
    staffed(house, people(leads=("tom",)))
    house.after(hours=2)
    assert house.says_yes("ada").missing == 1
    house.after(seconds=0)
    assert house.routes() == {"doors/boss": timedelta(hours=1), "safety/board": timedelta(hours=1)}
