"""A denial that a customer contests is looked at by people who have not seen it, and stands whatever they say."""


import pytest

from agentguard import Denied
from agentguard.core.people import People, User
from agentguard.engine.directory import Asked
from tests.engine.given import REFUNDS

WORDS = "The parcel never came, and nobody answers me."
CONTEST = "contest: {to: complaints, within: 5 days, open_for: 60 days}\nrules:\n"
ROUTE = """escalations:
  complaints: {who: ["group:complaints", "group:leads"], within: 1 day, if_late: deny}
"""
LATE = ("    then: deny\n    when: amount > left_on_order", "    then: deny\n    when: amount > left_on_order")
BY_KIND = """  - id: odd
    on: [refund.issue]
    then: deny
    when: reason == "other" and agent.kind == "agent"
  - id: upheld
    on: [refund.issue]
    then: allow
    when: agent.kind == "person" and amount <= 80
"""
CONTESTED = (
    REFUNDS.replace("escalations:\n", ROUTE)
    .replace("rules:\n", CONTEST + BY_KIND)
    .replace("when: amount > 50 and amount <= 500", 'when: amount > 50 and amount <= 500 and agent.kind == "agent"')
)
NAMES = ("maria", "tom", "ada", "kim", "zoe", "pat")


def staff(**groups):
    users = {name: User(name, name.title(), frozenset({name})) for name in NAMES}
    known = {"leads": {"maria", "tom"}, "finance": {"ada", "kim"}, "complaints": {"zoe", "pat"}, **groups}
    return People(users=users, groups={name: frozenset(who) for name, who in known.items()}, allow_unverified=True)


@pytest.fixture
def open_desk(open_shop):
    def open_one(text=CONTESTED, **groups):
        desk = open_shop(text=text)
        desk.guard._parts.directory = Asked(lambda: staff(**groups))
        return desk

    return open_one


def refused(desk, **more):
    answer = desk.ask(arguments={"reason": "other"}, **more)
    assert isinstance(answer, Denied)
    return answer


def contested(desk, answer=None, words=WORDS, **more):
    denied = answer or refused(desk)
    return desk.guard.contest(denied.decision_id, words, by=more.pop("by", "web-form"), **more)


def decide(desk, contest, by="zoe", *, yes=True):
    vote = desk.guard.escalations.approve if yes else desk.guard.escalations.reject
    return vote(contest.escalation, by=by, reason_code="goodwill" if yes else "within_policy")


def body(desk, kind):
    return desk.guard.audit.list(kind=kind)[-1].document


def test_what_is_upheld_is_done_once_by_a_person_and_the_denial_stands(open_desk):
    desk = open_desk()
    denied = refused(desk)
    contest = contested(desk, denied)
    assert (desk.state(denied), desk.paid) == ("denied", [])
    ballot = decide(desk, contest)
    assert (ballot.state, ballot.missing) == ("approved", 0)
    done = desk.guard.execute(ballot.action_id)
    assert done.status == "done"
    assert desk.guard.execute(ballot.action_id).replayed
    assert len(desk.paid) == 1
    assert refused(desk).replayed
    checked = desk.guard.check(denied.decision_id)
    assert (checked.status, checked.upheld_as) == ("denied", ballot.action_id)
    assert ballot.action_id in checked.for_model()["next_step"]
    action = desk.guard.audit.action(ballot.action_id)
    assert (action.agent, action.relates_to, action.key) == ("zoe", denied.decision_id, f"contest:{contest.escalation}")
    assert action.asked_at == desk.guard.audit.action(denied.decision_id).asked_at
    assert body(desk, "decided")["actor"]["kind"] == "person"
    assert desk.kinds(denied) == ["decided", "contested", "voted", "contest_ended"]
    ended = body(desk, "contest_ended")
    assert (ended["outcome"], ended["upheld_as"], ended["by"]) == ("upheld", ballot.action_id, "zoe")
    assert desk.guard.audit.verify().ok


def test_the_next_round_goes_on_with_what_was_upheld(open_desk):
    desk = open_desk()
    decide(desk, contested(desk))
    assert [answer.status for answer in desk.guard.work().answers] == ["done"]
    assert desk.guard.work().answers == ()
    assert len(desk.paid) == 1


def test_what_is_not_upheld_stays_denied(open_desk):
    desk = open_desk()
    denied = refused(desk)
    ballot = decide(desk, contested(desk, denied), yes=False)
    assert (ballot.state, ballot.action_id) == ("rejected", denied.decision_id)
    assert desk.guard.work().answers == ()
    assert desk.guard.check(denied.decision_id).upheld_as == ""
    assert (body(desk, "contest_ended")["outcome"], desk.paid) == ("rejected", [])
    assert desk.guard.audit.verify().ok
