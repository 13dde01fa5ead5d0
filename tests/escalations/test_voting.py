"""Who may vote, and whose votes count: by the people of now, once, never on one's own request (law 7)."""

import threading
from datetime import timedelta

import pytest

from agentguard import Actor, Denied, Done, Money, Unavailable, UsageError, VoteRefusedError, Waiting
from agentguard.core.digest import time_text
from agentguard.core.request import ActorKind
from agentguard.errors import PeopleUnavailableError
from tests.engine.given import REFUNDS
from tests.escalations.given import approve, bodies, notes, people, reject, staffed

LARGE = {"customer_id": "c-1", "total": Money.of("1000", "USD")}


def refused(shop, waiting, by, why, **more):
    with pytest.raises(VoteRefusedError) as raised:
        approve(shop, waiting, by, **more)
    assert raised.value.why == why
    tried = [(body["voter"], body["why"]) for body in bodies(shop, "vote_refused")]
    assert (by, why) in tried
    assert shop.guard.audit.verify().ok


# one's own request


@pytest.mark.parametrize(
    "who",
    [
        {"agent": "maria"},
        {"agent": "MARIA"},
        {"agent": Actor("bot", operator="maria")},
        {"agent": Actor("bot", operator="mrossi")},
        {"agent": Actor("maria", kind=ActorKind.PERSON)},
        {"who": "Mrossi"},
    ],
    ids=str,
)
def test_whoever_asked_may_not_decide(open_shop, who):
    shop = staffed(open_shop(), people(logins=(("maria", ["mrossi"]),)))
    shop.orders["A-1"] = {"customer_id": who.get("who", "c-1"), "total": Money.of("100", "USD")}
    asked = shop.ask("60", **who)
    refused(shop, asked, "maria", "own_request")
    assert approve(shop, asked, "tom").state == "approved"


def test_nobody_decides_in_the_place_of_whoever_asked(open_shop):
    shop = staffed(open_shop(), people(leads=("maria",), absent=("maria", "kim")))
    refused(shop, shop.ask("60", agent=Actor("bot", operator="maria")), "kim", "own_request")


# twice


@pytest.mark.parametrize("again", ["ada", "ADA", "Ada", "ａｄａ", "aja"])
def test_nobody_votes_twice_in_any_spelling_or_login(open_shop, again):
    shop = staffed(open_shop(), people(logins=(("ada", ["aja"]),)))
    shop.orders["A-1"] = LARGE
    asked = shop.ask("600")
    assert approve(shop, asked, "ada").missing == 1
    refused(shop, asked, again, "voted_already")
    assert isinstance(shop.ask("600"), Waiting)


def test_an_absent_one_and_their_delegate_are_one_vote(open_shop):
    shop = open_shop()
    today = shop.clock().date()
    staffed(shop, people(absent=("ada", "tom", today, today)))
    shop.orders["A-1"] = LARGE
    asked = shop.ask("600")
    ballot = approve(shop, asked, "tom")
    assert (ballot.missing, ballot.stands_for) == (1, "ada")
    shop.clock.advance(timedelta(hours=23))
    refused(shop, asked, "ada", "voted_already")
    assert approve(shop, asked, "kim").state == "approved"
    votes = bodies(shop, "voted")
    assert [(body["vote"]["voter"], body["vote"]["stands_for"]) for body in votes] == [("tom", "ada"), ("kim", "")]


def test_whoever_is_absent_decides_nothing(open_shop):
    shop = staffed(open_shop(), people(absent=("maria", "kim")))
    asked = shop.ask("60")
    refused(shop, asked, "maria", "absent")
    assert approve(shop, asked, "kim").state == "approved"


# what is over


def test_what_has_ended_cannot_be_approved(open_shop):
    shop = staffed(open_shop(), people())
    ended = shop.ask("60")
    shop.guard.escalations.withdraw(ended.escalation.id, by="maria", why="the customer called")
    refused(shop, ended, "tom", "not_open")
    late = shop.ask("60", key="k-2")
    shop.clock.advance(timedelta(hours=4))
    refused(shop, late, "maria", "late")
    refused(shop, late, "maria", "not_open")
    later = shop.ask("60", key="k-2")
    shop.clock.advance(timedelta(days=1))
    assert isinstance(shop.ask("60", key="k-2"), Denied)
    refused(shop, later, "ada", "not_open")
    assert shop.paid == []


def test_of_a_late_approval_and_the_expiry_exactly_one_wins(open_both):
    shop = staffed(open_both(text=REFUNDS.replace("if_late: finance", "if_late: deny")), people())
    won = []
    for number in range(6):
        asked = shop.ask("60", key=f"k-{number}", order_id=f"A-{number}")
        shop.clock.advance(timedelta(hours=4) - timedelta(microseconds=1))
        ready = threading.Barrier(3)

        def vote(asked=asked, ready=ready):
            ready.wait()
            try:
                approve(shop, asked)
            except VoteRefusedError as error:
                won.append(error.why)

        def pass_time(ready=ready):
            ready.wait()
            shop.clock.advance(timedelta(microseconds=1))
            shop.guard.recover()

        threads = [threading.Thread(target=work) for work in (vote, pass_time)]
        for thread in threads:
            thread.start()
        ready.wait()
        for thread in threads:
            thread.join()
        record = shop.guard.escalations.show(asked.escalation.id).record
        state = shop.state(asked)
        assert (record.state, state) in {("used", "settled"), ("approved", "waiting"), ("expired", "denied")}
        shop.guard.recover()
        assert len(shop.paid) == sum(
            shop.guard.escalations.show(item.id).record.state == "used" for item in shop.guard.escalations.list(None)
        )
    assert shop.guard.audit.verify().ok


# bounded


def test_the_same_refused_try_is_one_entry_and_all_together_are_bounded(open_shop):
    shop = staffed(open_shop(), people())
    asked = shop.ask("60")
    for number in range(70):
        for _ in range(2):
            with pytest.raises(VoteRefusedError):
                approve(shop, asked, f"stranger-{number}")
    assert len(bodies(shop, "vote_refused")) == 50
    assert approve(shop, asked).state == "approved"


# the people of now


@pytest.mark.law(7)
def test_an_approver_who_was_removed_before_the_quorum_does_not_count(open_both):
    shop = staffed(open_both(), people())
    shop.orders["A-1"] = LARGE
    asked = shop.ask("600")
    approve(shop, asked, "ada")
    staffed(shop, people(finance=("kim", "tom")))
    ballot = approve(shop, asked, "kim")
    assert (ballot.state, ballot.missing, ballot.not_counted) == ("open", 1, (("ada", "not_admitted"),))
    assert bodies(shop, "voted")[-1]["not_counted"] == [{"voter": "ada", "why": "not_admitted"}]
    assert approve(shop, asked, "tom").state == "approved"
    assert isinstance(shop.ask("600"), Done)
    decided = bodies(shop, "decided")[-1]
    assert sorted(vote["voter"] for vote in decided["votes"]) == ["kim", "tom"]
    assert shop.guard.audit.verify().ok


@pytest.mark.law(7)
def test_an_approver_who_was_removed_before_the_second_look_does_not_count_and_it_waits_for_another(open_both):
    shop = staffed(open_both(), people())
    shop.orders["A-1"] = LARGE
    asked = shop.ask("600")
    approve(shop, asked, "ada")
    shop.clock.advance(timedelta(hours=20))
    assert approve(shop, asked, "kim").state == "approved"
    shop.clock.advance(timedelta(hours=20))
    staffed(shop, people(finance=("kim", "tom")))
    again = shop.ask("600")
    assert isinstance(again, Waiting)
    assert again.escalation.id == asked.escalation.id
    assert again.escalation.due == shop.clock() + timedelta(days=1)
    (reopened,) = bodies(shop, "reopened")
    assert reopened["not_counted"] == [{"voter": "ada", "why": "not_admitted"}]
    assert shop.paid == []
    assert shop.guard.audit.verify().ok
    assert approve(shop, asked, "tom").state == "approved"
    assert isinstance(shop.ask("600"), Done)
    assert shop.guard.audit.verify().ok


@pytest.mark.law(7)
def test_somebody_who_was_gone_and_is_back_says_yes_again(open_shop):
    shop = staffed(open_shop(), people(leads=("maria",)))
    asked = shop.ask("60")
    approve(shop, asked)
    staffed(shop, people(leads=()))
    assert isinstance(shop.ask("60"), Waiting)
    refused(shop, asked, "maria", "voted_already")
    staffed(shop, people(leads=("maria",)))
    assert isinstance(shop.ask("60"), Waiting)
    assert approve(shop, asked).state == "approved"
    assert isinstance(shop.ask("60"), Done)
    assert shop.guard.audit.verify().ok


@pytest.mark.law(7)
@pytest.mark.parametrize(
    "change", [{"unverified": False}, {"names": ("tom", "ada", "kim"), "leads": ("tom",)}, {"leads": ()}], ids=str
)
def test_a_vote_that_would_not_be_taken_now_does_not_count(open_shop, change):
    shop = staffed(open_shop(), people())
    asked = shop.ask("60")
    approve(shop, asked)
    staffed(shop, people(**change))
    assert isinstance(shop.ask("60"), Waiting)
    assert shop.paid == []


def test_whoever_goes_on_leave_after_voting_has_voted(open_shop):
    shop = staffed(open_shop(), people())
    asked = shop.ask("60")
    approve(shop, asked)
    shop.clock.advance(timedelta(days=2))
    staffed(shop, people(absent=("maria", None, shop.clock().date())))
    assert isinstance(shop.ask("60"), Done)


@pytest.mark.law(7)
def test_votes_stand_while_nobody_can_tell_who_the_people_are(open_shop):
    shop = staffed(open_shop(), people())
    asked = shop.ask("60")
    approve(shop, asked)

    def broken():
        raise RuntimeError("the directory is down")

    for found in (broken, lambda: None):
        staffed(shop, found)
        answer = shop.ask("60")
        assert isinstance(answer, Unavailable)
        assert answer.reason_code == "people"
        with pytest.raises((VoteRefusedError, PeopleUnavailableError)):
            approve(shop, shop.ask("70", key="k-9", order_id="A-9"))
    staffed(shop, people())
    assert isinstance(shop.ask("60"), Done)


@pytest.mark.law(7)
def test_votes_count_only_under_the_route_as_it_is_now(open_shop):
    shop = staffed(open_shop(), people())
    asked = shop.ask("60")
    approve(shop, asked)
    changed = REFUNDS.replace("version: 1", "version: 2").replace('"group:leads"', '"group:finance"')
    later = staffed(open_shop(text=changed, clock=shop.clock), people())
    again = later.ask("60")
    assert isinstance(again, Waiting)
    assert again.escalation.who == ("group:finance",)
    refused(later, again, "maria", "not_admitted")
    approve(later, again, "ada")
    assert isinstance(later.ask("60"), Done)


# the late route


@pytest.mark.law(7)
def test_one_person_of_the_route_that_took_over_is_enough_where_it_asks_for_one(open_shop):
    text = REFUNDS.replace("within: 1 day, if_late: deny}", "within: 1 day, if_late: boss}").replace(
        "rules:\n", '  boss: {who: "user:tom", within: 1 day}\nrules:\n', 1
    )
    shop = staffed(open_shop(text=text), people())
    shop.orders["A-1"] = LARGE
    shop.ask("600")
    shop.clock.advance(timedelta(days=1))
    later = shop.ask("600")
    assert later.escalation.who == ("user:tom",)
    assert approve(shop, later, "tom").state == "approved"
    assert isinstance(shop.ask("600"), Done)
    assert shop.guard.audit.recompute(shop.guard.audit.list(kind="decided", newest_first=True)[0].pos).same


# reasons


def test_a_route_takes_only_the_reasons_that_it_lists(open_shop):
    text = REFUNDS.replace('lead: {who: "group:leads",', 'lead: {who: "group:leads", reason_codes: [goodwill, fraud],')
    shop = staffed(open_shop(text=text), people())
    asked = shop.ask("60")
    refused(shop, asked, "maria", "reason_code", reason_code="because")
    assert approve(shop, asked, reason_code="goodwill").state == "approved"


@pytest.mark.parametrize(
    "more",
    [
        {"reason_code": "Good will"},
        {"reason_code": ""},
        {"note": "x" * 2_001},
        {"authenticated": "telepathy"},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_a_host_must_not_hand_over_is_its_own_mistake(open_shop, more):
    shop = staffed(open_shop(), people())
    asked = shop.ask("60")
    with pytest.raises(UsageError):
        approve(shop, asked, **more)
    assert bodies(shop, "vote_refused") == []


def test_the_record_of_a_vote_says_all_of_it(open_shop):
    shop = staffed(open_shop(), people())
    asked = shop.ask("60")
    shop.guard.escalations.view(asked.escalation.id, by="maria", authenticated="oidc")
    seen = shop.clock()
    shop.clock.advance(timedelta(minutes=1))
    approve(shop, asked, authenticated="oidc", note="A good customer.")
    (body,) = bodies(shop, "voted")
    assert body["vote"] == {
        "escalation": asked.escalation.id,
        "voter": "maria",
        "approve": True,
        "groups": ["group:leads"],
        "authenticated": "oidc",
        "request_digest": shop.guard.audit.action(asked.decision_id).request_digest,
        "reasons": ["rule_matched:refunds/medium:refunds/lead"],
        "reason_code": "goodwill",
        "viewed_at": time_text(seen),
        "voted_at": time_text(shop.clock()),
        "stands_for": "",
        "late": [],
    }
    assert set(body["note"]) == {"sealed"}
    assert notes(shop, asked.escalation.id) == ["A good customer."]


def test_new_reasons_show_the_old_votes_as_history(open_shop):
    shop = staffed(open_shop(text=REFUNDS.replace("max: 300", "max: 70")), people())
    asked = shop.ask("60")
    approve(shop, asked)
    shop.ask("50", key="k-2", order_id="A-2")
    again = shop.ask("60")
    shown = shop.guard.escalations.show(again.escalation.id)
    assert shown.votes == ()
    ((record, votes),) = shown.earlier
    assert (record.id, record.state, [vote.voter for vote in votes]) == (asked.escalation.id, "used", ["maria"])
    reject(shop, again, "tom")
    assert isinstance(shop.ask("60"), Denied)
