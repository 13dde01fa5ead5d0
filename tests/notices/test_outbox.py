"""The log is the outbox: in order, at least once, by one process at a time, and what fails is seen."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from agentguard import ConfigurationError, Denied, Done, Money, NotDoneError, Queryable, UndeliveredError
from agentguard.engine import notices
from agentguard.engine.channel import Only
from agentguard.engine.directory import Fixed
from agentguard.engine.event import mask
from agentguard.engine.parts import Waits
from tests.engine import given
from tests.engine.given import PEOPLE, REFUNDS


class Desk:
    """A channel that keeps what it was told; `fails` are raised first to last."""

    def __init__(self, name="desk", only=None):
        self.name = name
        self.events = []
        self.tried = []
        self.fails = []
        self.only = only or Only()

    def wants(self, event):
        return self.only.admits(event)

    def send(self, event):
        self.tried.append(event.id)
        if self.fails:
            failure = self.fails.pop(0)
            if failure is not None:
                raise failure
        self.events.append(event)

    @property
    def types(self):
        return [event.type for event in self.events]


def vote(shop, asked, yes=True, by="maria"):
    cast = shop.guard.escalations.approve if yes else shop.guard.escalations.reject
    return cast(asked.escalation.id, by=by, reason_code="within_policy")


def state(shop):
    return shop.guard.work().channels[0]


def test_everything_that_happens_to_an_escalation_is_told_in_order(open_both):
    desk = Desk()
    text = REFUNDS.replace("within: 4 hours,", "within: 4 hours, remind: 30 minutes,")
    shop = open_both(text=text, notices=[desk])
    asked = shop.ask("60")
    shop.guard.work()
    shop.clock.advance(timedelta(hours=3, minutes=30))
    shop.guard.work()
    vote(shop, asked)
    shop.guard.work()
    assert desk.types == ["escalation.opened", "escalation.reminded", "escalation.approved", "action.ended"]
    assert len({event.id for event in desk.events}) == 4
    opened, _, _, ended = desk.events
    assert (opened.action, opened.action_id, opened.state) == ("refund.issue", asked.decision_id, "waiting")
    assert opened.escalation == asked.escalation.id
    assert [(route.id, route.who, route.people) for route in opened.routes] == [("refunds/lead", ("group:leads",), 1)]
    assert opened.routes[0].due == asked.escalation.due
    assert opened.to == ("group:leads",)
    assert opened.causes == ("refunds/medium",)
    assert opened.amounts == ("6x.xx USD",)
    assert (ended.state, ended.to) == ("settled", ("user:maria",))


@pytest.mark.parametrize(
    "end, types",
    [
        ("rejected", ["escalation.opened", "escalation.rejected"]),
        ("withdrawn", ["escalation.opened", "escalation.withdrawn"]),
        ("amended", ["escalation.opened", "escalation.amended"]),
        ("late", ["escalation.opened", "escalation.passed_on", "escalation.expired"]),
        ("no longer fits", ["escalation.opened", "escalation.approved", "action.no_longer_fits"]),
        ("not done", ["escalation.opened", "escalation.approved", "action.ended"]),
        ("in doubt", ["escalation.opened", "escalation.approved", "action.ended"]),
    ],
)
def test_every_end_is_told(open_shop, end, types):
    desk = Desk()
    shop = open_shop(notices=[desk])
    asked = shop.ask("60")
    match end:
        case "rejected":
            vote(shop, asked, yes=False)
        case "withdrawn":
            shop.guard.escalations.withdraw(asked.escalation.id, by="maria", why="asked twice")
        case "amended":
            shop.guard.escalations.amend(asked.escalation.id, {"amount": "40"}, by="maria", reason_code="goodwill")
        case "late":
            for _ in range(2):
                shop.clock.advance(timedelta(days=1))
                shop.guard.work()
        case "no longer fits":
            vote(shop, asked)
            shop.orders["A-1"] = {"customer_id": "c-2", "total": Money.of("100", "USD")}
        case "not done":
            vote(shop, asked)
            shop.acts = lambda *_: (_ for _ in ()).throw(NotDoneError("closed"))
        case "in doubt":
            vote(shop, asked)
            shop.acts = lambda *_: 1 / 0
    shop.guard.work()
    assert desk.types == types
    if types[-1].startswith("action."):
        assert desk.events[-1].to == ("user:maria",)
    shop.guard.work()
    assert desk.types == types


def test_a_doubt_is_told_when_it_begins_and_when_it_ends_however_often_it_was_asked_about(open_shop):
    desk = Desk()
    effect = Queryable(lookup=lambda key: None, settle_lag=timedelta(hours=1))
    shop = open_shop(notices=[desk], effect=effect)
    shop.acts = lambda *_: 1 / 0
    vote(shop, shop.ask("60"))
    for _ in range(4):
        shop.guard.work()
        shop.clock.advance(timedelta(minutes=10))
    assert [event.state for event in desk.events if event.type == "action.ended"] == ["in_doubt"]
    assert len(shop.guard.audit.list(kind="in_doubt")) > 1
    shop.clock.advance(timedelta(hours=2))
    shop.guard.work()
    shop.guard.work()
    assert [event.state for event in desk.events if event.type == "action.ended"] == ["in_doubt", "released"]


def test_an_approver_who_may_not_decide_any_more_is_missed_and_those_who_may_are_told(open_shop):
    desk = Desk()
    shop = open_shop(notices=[desk])
    asked = shop.ask("60")
    vote(shop, asked)
    shop.guard._parts.directory = Fixed(replace(PEOPLE, groups={**PEOPLE.groups, "leads": frozenset({"tom"})}))
    shop.guard.work()
    assert desk.types == ["escalation.opened", "escalation.approved", "escalation.reopened"]
    assert desk.events[-1].to == ("group:leads",)


def test_what_never_waited_for_people_is_told_to_nobody(open_shop):
    desk = Desk()
    shop = open_shop(notices=[desk])
    assert isinstance(shop.ask("40"), Done)
    assert isinstance(shop.ask("70", who="c-2", key="k-2"), Denied)
    shop.acts = lambda *_: 1 / 0
    shop.ask("30", key="k-3")
    came_to = state(shop)
    assert (desk.events, came_to.sent, came_to.waiting) == ([], 0, 0)


def test_what_was_allowed_and_never_begun_is_no_escalation_that_expired(open_shop):
    desk = Desk()
    shop = open_shop(notices=[desk], waits=Waits(ready=timedelta(minutes=1)))
    asked = shop.ask("60")
    vote(shop, asked)
    shop.ask("60", run=shop.guard.propose)
    shop.clock.advance(timedelta(hours=5))
    shop.guard.work()
    assert desk.types == ["escalation.opened", "escalation.approved"]


def test_a_new_channel_hears_what_happens_from_its_beginning_on(open_shop):
    first = open_shop()
    first.ask("60")
    desk = Desk()
    shop = open_shop(notices=[desk])
    shop.guard.start()
    shop.ask("70", key="k-2", order_id="A-2")
    shop.guard.work()
    assert [event.amounts for event in desk.events] == [("7x.xx USD",)]


def test_a_restart_goes_on_where_the_channel_was(open_shop):
    desk = Desk()
    shop = open_shop(notices=[desk])
    shop.ask("60")
    shop.guard.work()
    shop.ask("70", key="k-2", order_id="A-2")
    shop.guard.close()
    again = open_shop(notices=[desk])
    again.guard.work()
    again.guard.work()
    assert len(desk.events) == len({event.id for event in desk.events}) == 2


def test_a_round_leaves_nothing_to_what_a_start_is_still_telling(open_shop, tmp_path):
    open_shop(notices=[Desk()]).ask("60")
    begun, go_on = threading.Event(), threading.Event()

    class SlowDesk(Desk):
        def send(self, event):
            begun.set()
            assert go_on.wait(10)
            super().send(event)

    desk = SlowDesk()
    again = given.shop(f"sqlite:///{tmp_path / 'guard.db'}", notices=[desk])
    again.guard.start()
    assert begun.wait(10)
    again.ask("70", key="k-2", order_id="A-2")
    threading.Timer(0.2, go_on.set).start()
    again.guard.work()
    assert desk.types == ["escalation.opened", "escalation.opened"]
    again.guard.close()


def test_what_fails_is_tried_again_later_in_order_and_nothing_is_lost(open_both):
    desk = Desk()
    desk.fails = [UndeliveredError("http_503"), RuntimeError("a host's own channel"), None]
    shop = open_both(notices=[desk])
    for n in range(3):
        shop.ask("60", key=f"k-{n}", order_id=f"A-{n}")
    failing = state(shop)
    assert (failing.attempts, failing.error, failing.waiting, failing.oldest) == (1, "http_503", 3, shop.clock())
    assert failing.next_try == shop.clock() + notices.FIRST_PAUSE
    shop.clock.advance(notices.FIRST_PAUSE)
    assert state(shop).attempts == 1
    shop.clock.advance(timedelta(microseconds=1))
    assert (state(shop).error, len(desk.tried)) == ("RuntimeError", 2)
    shop.clock.advance(2 * notices.FIRST_PAUSE + timedelta(microseconds=1))
    done = state(shop)
    assert (done.attempts, done.error, done.waiting, done.sent) == (0, "", 0, 3)
    assert desk.tried[0] == desk.tried[1] == desk.tried[2] == desk.events[0].id
    assert [int(event.id.rpartition("-")[2]) for event in desk.events] == sorted(
        int(event.id.rpartition("-")[2]) for event in desk.events
    )


def test_pauses_grow_to_ten_minutes_and_a_receiver_may_ask_for_more(open_shop):
    desk = Desk()
    desk.fails = [UndeliveredError("http_503") for _ in range(9)]
    desk.fails.append(UndeliveredError("http_429", retry_after=timedelta(minutes=30)))
    desk.fails.append(UndeliveredError("http_429", retry_after=timedelta(days=30)))
    shop = open_shop(notices=[desk])
    shop.ask("60")
    pauses = []
    for _ in range(11):
        came_to = state(shop)
        pauses.append((came_to.next_try - shop.clock()).total_seconds())
        shop.clock.set(came_to.next_try + timedelta(microseconds=1))
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 600, 600, 1800, 3600]
    assert state(shop).sent > 0


def test_an_event_that_a_receiver_will_never_take_is_given_up_and_the_next_one_is_sent(open_shop):
    desk = Desk()
    desk.fails = [UndeliveredError("http_422", refused=True)] * 3
    shop = open_shop(notices=[desk])
    shop.ask("60")
    shop.ask("70", key="k-2", order_id="A-2")
    for _ in range(4):
        shop.guard.work()
        shop.clock.advance(timedelta(minutes=1))
    assert [event.amounts for event in desk.events] == [("7x.xx USD",)]
    lost = shop.guard.audit.list(kind="notice_given_up")[0].document
    assert (lost["channel"], lost["event"], lost["attempts"], lost["error"]) == ("desk", desk.tried[0], 3, "http_422")
    assert shop.guard.audit.verify().ok


def test_after_three_days_an_event_is_given_up(open_shop):
    desk = Desk()
    desk.fails = [UndeliveredError("unreachable")] * 2
    shop = open_shop(notices=[desk], text=REFUNDS.replace("within: 4 hours", "within: 9 days"))
    shop.ask("60")
    assert state(shop).waiting == 1
    shop.clock.advance(notices.GIVEN_UP_AFTER)
    assert state(shop).waiting == 0
    assert len(shop.guard.audit.list(kind="notice_given_up")) == 1


def test_a_receiver_that_is_gone_stops_its_channel_for_good_with_an_entry(open_both):
    desk, other = Desk(), Desk("other")
    desk.fails = [UndeliveredError("http_410", gone=True)]
    shop = open_both(notices=[desk, other])
    shop.ask("60")
    shop.guard.work()
    shop.clock.advance(timedelta(days=1))
    shop.ask("70", key="k-2", order_id="A-2")
    states = {item.name: item for item in shop.guard.work().channels}
    assert (states["desk"].stopped, len(desk.tried)) == (True, 1)
    assert (states["other"].stopped, len(other.events) >= 2) == (False, True)
    assert [entry.document["channel"] for entry in shop.guard.audit.list(kind="channel_stopped")] == ["desk"]


def test_a_channel_that_hangs_holds_up_no_other_and_is_tried_again(open_shop, monkeypatch):
    monkeypatch.setattr(notices, "SECONDS_TO_SEND", 0.2)
    hanging, desk, other = threading.Event(), Desk(), Desk("other")
    desk.send = lambda event: hanging.wait(20)
    shop = open_shop(notices=[desk, other])
    shop.ask("60")
    states = {item.name: item for item in shop.guard.work().channels}
    hanging.set()
    assert (states["desk"].error, states["other"].sent) == ("timeout", 1)


def test_a_channel_with_much_to_send_goes_on_in_the_next_round_and_leaves_nothing_taken(open_shop, monkeypatch):
    passed = []
    monkeypatch.setattr(notices, "monotonic", lambda: float(sum(passed)))
    desk = Desk()
    shop = open_shop(notices=[desk], waits=Waits(rounds=None))
    shop.guard.start()
    for n in range(5):
        shop.ask("60", key=f"k-{n}", order_id=f"A-{n}")
    sending = desk.send
    desk.send = lambda event: (passed.append(notices.SECONDS_A_ROUND * 0.75), sending(event))
    assert [state(shop).sent for _ in range(2)] == [3, 2]
    assert len(set(desk.tried)) == len(desk.tried) == 5


def test_two_processes_never_send_at_the_same_time(open_both):
    desk = Desk()
    shops = [open_both(notices=[desk]) for _ in range(4)]
    for shop in shops:
        shop.guard.start()
    for n in range(8):
        shops[0].ask("60", key=f"k-{n}", order_id=f"A-{n}")
    together = threading.Barrier(4)

    def work(shop):
        together.wait(20)
        shop.guard.work()

    threads = [threading.Thread(target=work, args=(shop,)) for shop in shops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    while state(shops[0]).waiting:
        pass
    assert len(desk.tried) == len(set(desk.tried)) == 8
    assert desk.tried == sorted(desk.tried, key=lambda event_id: int(event_id.rpartition("-")[2]))


def test_who_lost_the_lease_moves_nothing(open_both):
    desk = Desk()
    first, second = open_both(notices=[desk]), open_both(notices=[desk])
    for n in range(2):
        first.ask("60", key=f"k-{n}", order_id=f"A-{n}")
    sending = desk.send

    def slow(event):
        desk.send = sending
        second.clock.set(first.clock.advance(notices.LEASE + timedelta(seconds=1)))
        second.guard.work()
        sending(event)

    desk.send = slow
    first.guard.work()
    assert [event.id for event in desk.events].count(desk.events[0].id) == 2  # at least once: it says the same id again
    assert len(desk.events) == 3
    assert state(second).waiting == 0


def test_a_channel_is_told_only_what_it_is_for(open_shop):
    finance, ended = Desk("finance", Only(who="group:finance")), Desk("ended", Only(types=["escalation.approved"]))
    route, tenant = Desk("route", Only(routes={"refunds/lead"})), Desk("tenant", Only(tenants=["other"]))
    shop = open_shop(notices=[finance, ended, route, tenant])
    shop.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("1000", "USD")}
    shop.ask("600")
    vote(shop, shop.ask("60", key="k-2", order_id="A-2"))
    shop.guard.work()
    assert [event.amounts for event in finance.events] == [("6xx.xx USD",)]
    assert ended.types == ["escalation.approved"]
    assert [event.amounts for event in route.events[:2]] == [("6x.xx USD",)] * 2
    assert tenant.events == []


def test_a_channel_that_cannot_say_what_it_wants_is_seen_to_fail_and_holds_up_no_other(open_shop):
    broken, other = Desk("broken"), Desk("other")
    broken.wants = lambda event: event.nothing
    shop = open_shop(notices=[broken, other])
    shop.ask("60")
    states = {item.name: item for item in shop.guard.work().channels}
    assert (states["broken"].error, states["broken"].waiting, broken.tried) == ("AttributeError", 1, [])
    assert states["other"].sent == 1


def test_mistakes_in_what_is_told_where_are_found_at_once(open_shop):
    with pytest.raises(ConfigurationError, match="same name"):
        open_shop(notices=[Desk(), Desk()])
    with pytest.raises(ConfigurationError, match="a list of channels, got one Desk"):
        open_shop(notices=Desk())
    for named in ("", "x" * 201, "two\nlines", None):
        with pytest.raises(ConfigurationError, match="printable"):
            open_shop(notices=[Desk(named)])
    with pytest.raises(ConfigurationError, match=r"escalation\.openend"):
        Only(types=["escalation.openend"])


def test_far_behind_a_channel_that_hears_nothing_its_place_is_kept(open_shop, monkeypatch):
    monkeypatch.setattr(notices, "FAR_BEHIND", 5)
    desk = Desk()
    shop = open_shop(notices=[desk])
    shop.guard.start()
    began = state(shop).position
    shop.ask("10")
    assert state(shop).position == began
    for n in range(3):
        shop.ask("10", key=f"k-{n}", order_id=f"A-{n}")
    assert state(shop).position >= began + 5


@pytest.mark.parametrize(
    "value, masked",
    [("250.00 USD", "2xx.xx USD"), ("-7 JPY", "-7 JPY"), ("0.05 EUR", "0.xx EUR"), ("A-1", ""), (7, "")],
)
def test_an_amount_is_masked_behind_its_first_digit(value, masked):
    assert mask(value) == masked
