"""Mail, chats and the rest by Apprise: its own JSON service posts to the receiver, so that nothing is faked."""

import json
import sys
from datetime import date, timedelta

import pytest

from agentguard import ConfigurationError
from agentguard.adapters import event_words
from agentguard.adapters.apprise_notices import AppriseNotices
from agentguard.core.people import Absence, People, User
from agentguard.engine.event import TYPES, Event
from agentguard.testing.clock import START

# Apprise imports all of its services, and one of them a module that Python is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def address(receiver, path):
    return receiver.url(path).replace("http://", "json://")


def told(receiver):
    return [(got.path, (said := json.loads(got.body))["title"], said["message"]) for got in receiver.got]


@pytest.fixture
def shop(open_shop):
    return lambda channel: open_shop(notices=[channel])


def test_everybody_hears_it_in_words_with_a_link_and_nothing_personal(shop, receiver):
    link = "https://desk.example/escalations/{escalation}"
    made = shop(AppriseNotices(address(receiver, "/all"), link=link))
    asked = made.ask("60", who="c-1")
    assert made.guard.work().channels[0].sent == 1
    ((path, title, body),) = told(receiver)
    assert (path, title) == ("/all", "refund.issue waits for a decision")
    assert body.splitlines() == [
        "1 person of group:leads until 2026-11-22 14:00 UTC (refunds/lead)",
        "Because of: refunds/medium",
        f"Id: {asked.escalation.id}",
        f"https://desk.example/escalations/{asked.escalation.id}",
    ]


def test_those_hear_it_whom_it_is_for(shop, receiver):
    by_who = {"group:leads": address(receiver, "/leads"), "group:finance": [address(receiver, "/finance")],
              "user:maria": address(receiver, "/maria")}  # fmt: skip
    made = shop(AppriseNotices(by_who, details=True))
    asked = made.ask("60")
    made.clock.advance(timedelta(hours=4))
    made.guard.work()
    for by in ("ada", "kim"):
        made.guard.escalations.approve(made.guard.check(asked.decision_id).escalation.id, by=by, reason_code="goodwill")
    made.guard.work()
    said = [(path, title) for path, title, _ in told(receiver)]
    assert said == [
        ("/leads", "refund.issue waits for a decision"),
        ("/finance", "refund.issue waits for you: nobody else decided in time"),
        ("/finance", "refund.issue was approved"),
    ]
    assert "Amount: 6x.xx USD" in told(receiver)[0][2]


def test_who_can_decide_is_told_by_mail_and_who_stands_in_for_them_and_nobody_else(shop, receiver):
    away = Absence(date(2026, 1, 1), date(2027, 1, 1), "kim")
    found = {
        "maria": User("maria", "Maria", frozenset({"maria"}), "maria+desk@acme.example"),
        "tom": User("tom", "Tom", frozenset({"tom"}), "tom@acme.example", absences=(away,)),
        "kim": User("kim", "Kim", frozenset({"kim"}), "kim@acme.example"),
        "ada": User("ada", "Ada", frozenset({"ada"}), "ada@acme.example"),
        "eve": User("eve", "Eve", frozenset({"eve"})),
    }
    groups = {"leads": frozenset({"maria", "tom", "eve"}), "finance": frozenset({"ada"})}
    people = [People(found, groups)]
    made = shop(AppriseNotices(mail=address(receiver, "/{email}"), people=lambda: people[-1]))
    made.ask("60")
    assert made.guard.work().channels[0].sent == 1
    assert sorted(path for path, _, _ in told(receiver)) == ["/kim@acme.example", "/maria+desk@acme.example"]
    people.append(None)
    made.ask("61", key="k-2", order_id="A-2")
    assert made.guard.work().channels[0].error == "people_unavailable"
    assert len(told(receiver)) == 2


@pytest.mark.parametrize(
    "given", [{"mail": "json://host/{email}"}, {"people": People()}, {"mail": "json://host/all", "people": People()}]
)
def test_a_mail_takes_a_place_for_the_address_and_the_people(given):
    with pytest.raises(ConfigurationError, match="and `people` with it, got one of these alone"):
        AppriseNotices(**given)


@pytest.mark.parametrize("given", [(), ([],), ({},)])
def test_a_channel_that_tells_nobody_is_refused(given):
    with pytest.raises(ConfigurationError, match="got nobody to tell"):
        AppriseNotices(*given)


def test_after_a_failure_only_those_are_told_who_were_not(shop, receiver):
    receiver.answers = [(200, {}), (500, {})]
    made = shop(AppriseNotices([address(receiver, "/first"), address(receiver, "/second")]))
    made.ask("60")
    assert made.guard.work().channels[0].error == "not_everybody_told"
    made.clock.advance(timedelta(minutes=1))
    assert made.guard.work().channels[0].sent == 1
    assert sorted(path for path, _, _ in told(receiver)) == ["/first", "/second", "/second"]


def test_an_address_that_is_none_is_refused_without_showing_it():
    with pytest.raises(ConfigurationError, match="nonsense") as raised:
        AppriseNotices("nonsense://user:geheim@host")
    assert "geheim" not in str(raised.value)


def test_without_apprise_the_message_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "apprise", raising=False)
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigurationError, match=r"agentguard\[notify\]"):
        AppriseNotices("json://127.0.0.1")


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("state", ["waiting", "settled", "released", "in_doubt", "denied"])
def test_every_event_has_words(type, state):
    event = Event("log-1", type, START, "default", "refund.issue", "act_1", state)
    assert event_words.title(event).startswith("refund.issue")
    assert "{" not in event_words.title(event)
    assert event_words.body(event) == "Id: act_1"
