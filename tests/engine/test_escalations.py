"""What people decide: votes bound to what was shown, quorum, lateness, and the second look (law 7)."""

from datetime import timedelta
from functools import partial

import pytest

from agentguard import Denied, Done, Guard, Money, NotFoundError, UsageError, Waiting, Waits
from agentguard.core.dossier import Named
from agentguard.core.people import People, User
from agentguard.testing.clock import ManualClock
from tests.engine.given import PEOPLE, REFUNDS, bundle


def test_after_one_approval_the_same_key_runs_it(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    ballot = shop.guard.escalations.approve(asked.escalation.id, by="maria", note="seen", reason_code="within_policy")
    assert (ballot.state, ballot.action_id) == ("approved", asked.decision_id)
    answer = shop.ask("60")
    assert isinstance(answer, Done)
    body = shop.guard.audit.list(kind="decided", newest_first=True)[0].document
    assert (body["verdict"], body["approved"]) == ("escalate", True)
    assert [(vote["voter"], vote["authenticated"], vote["groups"]) for vote in body["votes"]] == [
        ("maria", "unverified", ["group:leads"])
    ]


def test_after_the_approval_it_can_be_executed_by_its_id(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    assert isinstance(shop.guard.execute(asked.decision_id), Done)
    assert shop.paid[0][1] == Money.of("60", "USD")


def test_one_no_denies_it_for_good(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    assert (
        shop.guard.escalations.reject(
            asked.escalation.id, by="tom", note="no receipt", reason_code="not_entitled"
        ).state
        == "rejected"
    )
    answer = shop.ask("60")
    assert isinstance(answer, Denied)
    assert answer.reason_code == "rejected"
    with pytest.raises(UsageError, match="rejected"):
        shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    assert shop.paid == []


def test_a_route_of_two_people_takes_two_different_ones(open_shop):
    shop = open_shop()
    shop.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("1000", "USD")}
    asked = shop.ask("600")
    vote = partial(shop.guard.escalations.approve, reason_code="within_policy")
    assert vote(asked.escalation.id, by="ada").state == "open"
    assert isinstance(shop.ask("600"), Waiting)
    with pytest.raises(UsageError, match="one vote"):
        vote(asked.escalation.id, by="ada")
    assert vote(asked.escalation.id, by="kim").state == "approved"
    assert isinstance(shop.ask("600"), Done)


@pytest.mark.parametrize("by", ["ada", "nobody", "group:leads", ""])
def test_who_the_route_does_not_name_may_not_vote(open_shop, by):
    shop = open_shop()
    asked = shop.ask("60")
    with pytest.raises(UsageError, match="may not decide"):
        shop.guard.escalations.approve(asked.escalation.id, by=by, reason_code="within_policy")
    assert isinstance(shop.ask("60"), Waiting)


def test_the_agent_that_asked_may_not_decide(open_shop):
    shop = open_shop()
    asked = shop.ask("60", agent="maria")
    with pytest.raises(UsageError, match="somebody else"):
        shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")


def test_an_unverified_voter_counts_only_where_people_yaml_allows_it(open_shop, address):
    shop = open_shop()
    asked = shop.ask("60")
    people = People({"maria": User("maria", "Maria", frozenset({"maria"}))}, {"leads": frozenset({"maria"})})
    strict = Guard(bundle(REFUNDS), store=address, clock=shop.clock, people=people)
    with pytest.raises(UsageError, match="allow_unverified"):
        strict.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    assert (
        strict.escalations.approve(
            asked.escalation.id, by="maria", authenticated="os_login", reason_code="within_policy"
        ).state
        == "approved"
    )
    strict.close()


def test_without_people_nobody_may_vote(open_shop, address):
    shop = open_shop()
    asked = shop.ask("60")
    alone = Guard(bundle(REFUNDS), store=address, clock=shop.clock)
    with pytest.raises(UsageError, match=r"people\.yaml"):
        alone.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    alone.close()


@pytest.mark.law(7)
def test_votes_never_lift_a_deny_that_holds_at_the_second_look(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    shop.orders["A-1"] = {"customer_id": "c-2", "total": Money.of("100", "USD")}
    answer = shop.ask("60")
    assert isinstance(answer, Denied)
    assert answer.reasons[0].source == "refunds/not-theirs"
    assert shop.paid == []


@pytest.mark.law(7)
def test_votes_do_not_lift_a_reason_that_was_not_shown(open_shop):
    shop = open_shop(text=REFUNDS.replace("max: 300", "max: 70"))
    asked = shop.ask("60")
    shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    assert isinstance(shop.ask("50", key="k-2", order_id="A-2"), Done)
    again = shop.ask("60")
    assert isinstance(again, Waiting)
    assert again.escalation.id != asked.escalation.id
    shop.guard.escalations.approve(again.escalation.id, by="tom", reason_code="within_policy")
    assert isinstance(shop.ask("60"), Done)


@pytest.mark.law(7)
def test_votes_are_used_once_and_not_for_another_action(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    assert isinstance(shop.ask("60"), Done)
    assert isinstance(shop.ask("60", key="k-2", order_id="A-2"), Waiting)
    assert len(shop.paid) == 1


@pytest.mark.law(7)
def test_votes_that_are_too_old_lift_nothing(open_shop):
    shop = open_shop(waits=Waits(approval=timedelta(days=1)))
    asked = shop.ask("60")
    shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    shop.clock.advance(timedelta(days=1, microseconds=1))
    assert isinstance(shop.ask("60"), Waiting)
    assert shop.paid == []


def test_a_late_escalation_goes_to_the_next_route_and_then_to_deny(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    shop.clock.advance(timedelta(hours=4) - timedelta(microseconds=1))
    assert shop.ask("60").escalation.id == asked.escalation.id
    shop.clock.advance(timedelta(microseconds=1))
    with pytest.raises(UsageError, match="late"):
        shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    later = shop.ask("60")
    assert later.escalation.who == ("group:finance",)
    shop.clock.advance(timedelta(days=1))
    answer = shop.ask("60")
    assert isinstance(answer, Denied)
    assert answer.reason_code == "expired"


def test_the_later_route_speaks_for_the_one_that_was_late(open_shop):
    shop = open_shop()
    shop.ask("60")
    shop.clock.advance(timedelta(hours=4))
    assert [type(answer) for answer in shop.guard.recover()] == [Waiting]
    later = shop.ask("60")
    shop.guard.escalations.approve(later.escalation.id, by="ada", reason_code="within_policy")
    assert (
        shop.guard.escalations.approve(later.escalation.id, by="kim", reason_code="within_policy").state == "approved"
    )
    assert isinstance(shop.ask("60"), Done)
    assert shop.guard.audit.recompute(shop.guard.audit.list(kind="decided", newest_first=True)[0].pos).same


def test_what_was_asked_for_can_be_withdrawn(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    shop.guard.escalations.withdraw(asked.escalation.id, by="maria", why="the customer called")
    assert shop.ask("60").reason_code == "withdrawn"


def test_an_approver_sees_what_is_voted_on_and_lists_are_of_what_is_open(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    shown = shop.guard.escalations.show(asked.escalation.id)
    assert shown.shown["arguments"] == {"order_id": "A-1", "amount": "60.00 USD", "reason": "late"}
    assert [reason["source"] for reason in shown.shown["reasons"]] == ["refunds/medium"]
    assert [item.id for item in shop.guard.escalations.list()] == [asked.escalation.id]
    shop.guard.escalations.reject(asked.escalation.id, by="maria", reason_code="not_entitled")
    assert shop.guard.escalations.list() == ()
    with pytest.raises(NotFoundError):
        shop.guard.escalations.show("esc_none")


def test_after_an_approval_a_stopped_action_waits_for_the_stop_to_be_lifted(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    shop.guard.halt(by="ada", why="check")
    assert shop.ask("60").reason_code == "halted"
    shop.guard.resume(by="ada", why="fine")
    assert isinstance(shop.ask("60"), Done)


def test_a_failed_lookup_at_the_second_look_leaves_the_votes_as_they_are(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="within_policy")
    shop.broken.add("order")
    assert shop.ask("60").reason_code == "lookup_failed"
    shop.broken.clear()
    assert isinstance(shop.ask("60"), Done)


CONTACT = """
agentguard: 1
policy: contact
version: 1
owner: account@acme.example
timezone: UTC
currency: USD
actions: {contact.change: {email: "text, personal"}}
context: {conversation: text}
escalations: {lead: {who: "group:leads", within: 4 hours, if_late: deny}}
rules: [{id: by-a-person, then: escalate to lead}]
"""


@pytest.fixture
def contact(address):
    guard = Guard(bundle(CONTACT), store=address, people=PEOPLE, clock=ManualClock(), activate=True)
    guard.action("contact.change")(lambda email: "changed")
    asked = guard.run(
        "contact.change",
        {"email": "new@mail.example"},
        agent="bot",
        on_behalf_of="c-1",
        context={"conversation": "t"},
        key="k",
    )
    yield guard, asked.escalation.id
    guard.close()


def test_who_may_decide_sees_personal_arguments_and_that_is_recorded_with_the_vote(contact):
    guard, waiting = contact
    assert guard.escalations.show(waiting).packet.arguments == (Named("email", None),)
    seen = guard.escalations.view(waiting, by="maria", authenticated="os_login")
    assert seen.packet.arguments == (Named("email", "new@mail.example"),)
    viewed = guard.audit.list(kind="viewed")[0]
    body = viewed.document
    assert (body["voter"], body["authenticated"], body["personal"]) == ("maria", "os_login", ["arguments.email"])
    assert b"new@mail.example" not in viewed.body
    guard.escalations.approve(waiting, by="maria", reason_code="within_policy")
    assert guard.escalations.show(waiting).votes[0].viewed_at == viewed.at
    assert guard.audit.verify().ok


def test_nobody_else_sees_them_and_what_was_erased_stays_so(contact):
    guard, waiting = contact
    with pytest.raises(UsageError, match="may not decide"):
        guard.escalations.view(waiting, by="ada")
    assert guard.audit.list(kind="viewed") == ()
    guard._parts.vault.erase(guard.escalations.show(waiting).action.on_behalf_of)
    assert guard.escalations.view(waiting, by="tom").packet.arguments == (Named("email", "(erased)"),)


def test_a_vote_without_a_look_says_so(contact):
    guard, waiting = contact
    guard.escalations.view(waiting, by="tom")
    guard.escalations.approve(waiting, by="maria", reason_code="within_policy")
    assert guard.escalations.show(waiting).votes[0].viewed_at is None
