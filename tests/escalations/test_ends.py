"""Every way in which a two-person route can end, read back from the log entry by entry after all processes are gone."""

from datetime import timedelta

import pytest

from agentguard import Denied, Done, Money
from agentguard.core.digest import time_text
from tests.escalations.given import bodies, notes, people, staffed

SHOWN = ["limit_exceeded:refunds/customer-30-days:refunds/lead", "rule_matched:refunds/large:refunds/finance"]


@pytest.fixture
def story(open_both):
    return Story(open_both)


class Story:
    """A refund of 600 that two people of finance decide; the guard is another one after each step."""

    def __init__(self, open_both):
        self._open, self._clock, self._paid, self._total = open_both, None, [], "1000"
        self.asked = self.shop.ask("600")
        self.named = self.asked.escalation.id
        self.people.view(self.named, by="ada", authenticated="oidc")
        self.passes(minutes=5)
        self.votes("ada", "approve", "goodwill", authenticated="oidc", note="Since 2019.")

    @property
    def shop(self):
        made = staffed(self._open(**({"clock": self._clock} if self._clock else {})), people())
        self._clock, made.paid = made.clock, self._paid
        made.orders["A-1"] = {"customer_id": "c-1", "total": Money.of(self._total, "USD")}
        return made

    @property
    def people(self):
        return self.shop.guard.escalations

    def votes(self, by, doing, reason_code, **more):
        return getattr(self.people, doing)(self.named, by=by, reason_code=reason_code, **more)

    def passes(self, **time):
        self._clock.advance(timedelta(**time))

    def the_order_is_worth(self, total):
        self._total = total

    def came_to(self, *kinds, state, escalation, paid=0):
        """Check that the log says this, and what is the same however it ends; return the bodies after the first yes."""
        shop = self.shop
        entries = shop.guard.audit.of(self.asked.decision_id)
        assert [entry.kind for entry in entries] == ["decided", "viewed", "voted", *kinds]
        asked, viewed, voted, *rest = (entry.document for entry in entries)
        assert [f"{item['code']}:{item['source']}:{item['route']}" for item in asked["reasons"]] == SHOWN[::-1]
        assert (viewed["voter"], viewed["authenticated"], viewed["personal"]) == (
            "ada",
            "oidc",
            ["facts.customer.email"],
        )
        vote = voted["vote"]
        assert (vote["voter"], vote["authenticated"], vote["groups"]) == ("ada", "oidc", ["group:finance"])
        assert (vote["reason_code"], vote["approve"], set(voted["note"])) == ("goodwill", True, {"sealed"})
        assert (vote["reasons"], vote["request_digest"]) == (SHOWN, asked["request_digest"])
        assert (vote["viewed_at"], vote["voted_at"]) == (time_text(entries[1].at), time_text(entries[2].at))
        assert (shop.state(self.asked), rest[-1]["state"]) == (state, state)
        assert shop.guard.escalations.show(self.named).record.state == escalation
        assert (len(self._paid), shop.guard.audit.verify().ok) == (paid, True)
        return rest


def test_two_said_yes_and_it_is_done(story):
    assert story.votes("kim", "approve", "within_policy", authenticated="token").state == "approved"
    assert isinstance(story.shop.ask("600"), Done)
    voted, decided, settled = story.came_to("voted", "decided", "settled", state="settled", escalation="used", paid=1)
    assert (voted["vote"]["voter"], voted["vote"]["authenticated"], voted["missing"]) == ("kim", "token", 0)
    assert (decided["verdict"], decided["approved"]) == ("escalate", True)
    assert [(vote["voter"], vote["authenticated"]) for vote in decided["votes"]] == [("ada", "oidc"), ("kim", "token")]
    assert settled["fence"] == decided["fence"]


def test_the_second_one_said_no(story):
    assert (
        story.votes("kim", "reject", "not_entitled", authenticated="token", note="Broken by them.").state == "rejected"
    )
    assert isinstance(story.shop.ask("600"), Denied)
    voted, rejected = story.came_to("voted", "rejected", state="denied", escalation="rejected")
    assert voted["vote"]["approve"] is False
    assert notes(story.shop, story.named) == ["Since 2019.", "Broken by them."]
    assert voted["vote"]["reason_code"] == "not_entitled"
    assert (rejected["by"], rejected["authenticated"], rejected["escalation"]) == ("kim", "token", story.named)


def test_the_second_one_never_came(story):
    story.passes(days=1)
    story.shop.guard.work()
    assert isinstance(story.shop.ask("600"), Denied)
    (expired,) = story.came_to("expired", state="denied", escalation="expired")
    assert (expired["by"], expired["escalation"]) == (None, story.named)


def test_it_was_taken_back(story):
    story.people.withdraw(story.named, by="tom", why="They keep it.", authenticated="os_login")
    assert isinstance(story.shop.ask("600"), Denied)
    (withdrawn,) = story.came_to("withdrawn", state="denied", escalation="withdrawn")
    assert (withdrawn["by"], withdrawn["authenticated"], withdrawn["why"]) == ("tom", "os_login", "They keep it.")
    assert withdrawn["power"] == "undeclared"


def test_two_said_yes_and_it_does_not_fit_any_more(story):
    assert story.votes("kim", "approve", "within_policy", authenticated="token").state == "approved"
    story.the_order_is_worth("500")
    assert isinstance(story.shop.ask("600"), Denied)
    _, decided = story.came_to("voted", "decided", state="denied", escalation="used")
    assert (decided["verdict"], decided["approved"]) == ("deny", False)
    assert "refunds/more-than-left" in [reason["source"] for reason in decided["reasons"]]
    assert [vote["voter"] for vote in decided["votes"]] == ["ada", "kim"]


def test_the_second_one_asked_for_less_and_that_is_done(story):
    ballot = story.people.amend(
        story.named, {"amount": "40"}, by="kim", reason_code="goodwill", authenticated="token", note="The postage."
    )
    assert isinstance(story.shop.ask("600"), Done)
    voted, amended = story.came_to("voted", "amended", state="denied", escalation="amended", paid=1)
    assert (voted["vote"]["voter"], voted["vote"]["approve"]) == ("kim", True)
    assert notes(story.shop, story.named) == ["Since 2019.", "The postage."]
    assert (amended["by"], amended["authenticated"]) == ("kim", "token")
    assert (amended["amended"], amended["changed"]) == (ballot.action_id, ["amount"])
    entries = story.shop.guard.audit.of(ballot.action_id)
    assert [entry.kind for entry in entries] == ["proposed", "decided", "settled"]
    proposed, decided = (entry.document for entry in entries[:2])
    assert (proposed["relates_to"], proposed["by"]) == (story.asked.decision_id, "kim")
    assert (decided["verdict"], decided["arguments"]["amount"]) == ("allow", "40.00 USD")
    assert bodies(story.shop, "settled")[-1]["action_id"] == ballot.action_id
