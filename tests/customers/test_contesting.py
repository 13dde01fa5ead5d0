"""A denial that a customer contests is looked at by people who have not seen it, and stands whatever they say."""

import threading
from datetime import timedelta

import pytest

from agentguard import Denied, KeyConflictError, Money, UsageError, VoteRefusedError, Waiting
from agentguard.core.people import People, User
from agentguard.core.request import Actor
from agentguard.engine.directory import Asked
from agentguard.engine.event import event_of
from agentguard.errors import NotFoundError
from agentguard.store.records import EntryFilter
from tests.engine.given import REFUNDS

WORDS = "The parcel never came, and nobody answers me."
CONTEST = "contest: {to: complaints, within: 5 days, open_for: 60 days}\nrules:\n"
ROUTE = """escalations:
  complaints: {who: ["group:complaints", "group:leads"], within: 1 day, if_late: deny}
"""
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
    desk.clock.advance(timedelta(days=3))
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


def why(desk, contest, by, **more):
    with pytest.raises(VoteRefusedError) as raised:
        decide(desk, contest, by, **more)
    return raised.value.why


def test_nobody_decides_a_contest_who_has_seen_the_case(open_desk):
    desk = open_desk(complaints=set(NAMES))
    waiting = desk.ask("60.00", agent=Actor("bot", operator="kim"))
    assert isinstance(waiting, Waiting)
    desk.guard.escalations.view(waiting.escalation.id, by="maria")
    desk.guard.escalations.reject(waiting.escalation.id, by="tom", reason_code="not_entitled")
    contest = contested(desk, waiting, by="ada")
    assert why(desk, contest, "tom") == "seen_before"
    assert why(desk, contest, "MARIA") == "seen_before"
    assert why(desk, contest, "ada") == "seen_before"
    assert why(desk, contest, "kim") == "own_request"
    with pytest.raises(VoteRefusedError):
        desk.guard.escalations.view(contest.escalation, by="tom")
    assert {item.document["why"] for item in desk.guard.audit.list(kind="vote_refused")} == {
        "seen_before",
        "own_request",
    }
    desk.guard.escalations.view(contest.escalation, by="zoe")
    assert decide(desk, contest).state == "approved"
    assert desk.guard.audit.verify().ok


def test_whoever_amended_has_seen_what_became_of_it(open_desk):
    desk = open_desk(complaints=set(NAMES))
    desk.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("400", "USD")}
    waiting = desk.ask("300.00")
    desk.guard.escalations.view(waiting.escalation.id, by="tom")
    desk.orders["A-1"] = {"customer_id": "c-2", "total": Money.of("400", "USD")}
    ballot = desk.guard.escalations.amend(waiting.escalation.id, {"amount": "60"}, by="maria", reason_code="goodwill")
    assert desk.guard.execute(ballot.action_id).status == "denied"
    with pytest.raises(UsageError, match=f"contest what took its place, `{ballot.action_id}`"):
        desk.guard.contest(waiting.decision_id, WORDS, by="web-form")
    contest = desk.guard.contest(ballot.action_id, WORDS, by="web-form")
    assert why(desk, contest, "maria") == "seen_before"
    assert why(desk, contest, "tom") == "seen_before"
    assert decide(desk, contest).state == "approved"


def test_a_quorum_of_two_takes_two_and_the_last_of_them_asks(open_desk):
    desk = open_desk(CONTESTED.replace('"group:leads"], within', '"group:leads"], people: 2, within'))
    contest = contested(desk)
    assert decide(desk, contest, "pat").missing == 1
    assert desk.guard.work().answers == ()
    ballot = decide(desk, contest, "zoe")
    assert desk.guard.audit.action(ballot.action_id).agent == "zoe"


def test_votes_that_were_cast_before_the_contest_count_for_nothing_after_it(open_desk):
    alike = CONTESTED.replace('amount <= 500 and agent.kind == "agent"', "amount <= 500")
    text = alike.replace('lead: {who: "group:leads", within', 'lead: {who: "group:leads", people: 2, within')
    desk = open_desk(text, leads={"maria", "tom", "zoe"})
    waiting = desk.ask("60.00")
    desk.guard.escalations.approve(waiting.escalation.id, by="maria", reason_code="goodwill")
    desk.guard.escalations.reject(waiting.escalation.id, by="tom", reason_code="not_entitled")
    ballot = decide(desk, contested(desk, waiting))
    again = desk.guard.execute(ballot.action_id)
    assert isinstance(again, Waiting)
    assert desk.guard.escalations.show(again.escalation.id).votes == ()
    with pytest.raises(VoteRefusedError) as raised:  # whoever asks does not decide
        desk.guard.escalations.approve(again.escalation.id, by="zoe", reason_code="goodwill")
    assert raised.value.why == "own_request"


def test_what_a_person_asks_for_is_decided_by_the_policies_of_then(open_desk):
    desk = open_desk()
    denied = refused(desk, amount="80.01")
    ballot = decide(desk, contested(desk, denied))
    again = desk.guard.execute(ballot.action_id)
    assert (again.status, desk.paid) == ("denied", [])
    with pytest.raises(UsageError, match="after a contest already"):
        desk.guard.contest(ballot.action_id, WORDS, by="web-form")


def test_policies_that_changed_meanwhile_decide_what_was_upheld_and_what_is_contested_next(open_desk):
    before = open_desk()
    first, second = refused(before), refused(before, key="k-2")
    contest = contested(before, first)
    before.guard.close()
    stricter = CONTESTED.replace("version: 1", "version: 2").replace('"other" and agent.kind == "agent"', '"other"')
    after = open_desk(stricter.replace(CONTEST, "rules:\n"))
    after.guard.start()
    ballot = decide(after, contest)
    assert (after.guard.execute(ballot.action_id).status, after.paid) == ("denied", [])
    with pytest.raises(UsageError, match="no policy says `contest`"):
        contested(after, second)


@pytest.mark.parametrize("over, open_", [(timedelta(0), True), (timedelta(microseconds=1), False)])
def test_a_denial_may_be_contested_up_to_the_end_of_its_time(open_desk, over, open_):
    desk = open_desk()
    denied = refused(desk)
    desk.clock.advance(timedelta(days=60) + over)
    if open_:
        assert contested(desk, denied).due == desk.clock() + timedelta(days=5)
        return
    with pytest.raises(UsageError, match=r"expected a contest of `act_.*` up to .*, got one later"):
        contested(desk, denied)


def test_an_action_is_contested_once_and_a_form_that_is_sent_twice_is_one(open_desk):
    desk = open_desk()
    denied = refused(desk)
    first = contested(desk, denied, key="form-1")
    assert contested(desk, denied, key="form-1") == first
    with pytest.raises(KeyConflictError):
        contested(desk, denied, "Something else.", key="form-1")
    with pytest.raises(UsageError, match="not contested yet"):
        contested(desk, denied, "Something else.", key="form-2")
    assert [item.kind for item in desk.guard.audit.of(denied.decision_id)] == ["decided", "contested"]


def test_of_many_contests_at_once_one_is_there(open_desk):
    desk = open_desk()
    denied = refused(desk)
    made = []

    def try_one(number):
        try:
            made.append(contested(desk, denied, f"{WORDS} {number}"))
        except UsageError:
            made.append(None)

    threads = [threading.Thread(target=try_one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6
    assert sum(item is not None for item in made) == 1
    assert len(desk.guard.escalations.list()) == 1


def test_only_what_was_denied_by_rules_or_people_is_contested(open_desk):
    desk = open_desk()
    done = desk.ask("10.00")
    waiting = desk.ask("60.00", key="k-2")
    wrong = desk.ask("10.00", key="k-3", arguments={"reason": "never"})
    for answer, words in ((done, "which is settled"), (waiting, "which is waiting"), (wrong, "before any rule")):
        with pytest.raises(UsageError, match=words):
            contested(desk, answer)
    with pytest.raises(NotFoundError):
        desk.guard.contest("act_none", WORDS, by="web-form")
    with pytest.raises(UsageError, match="word for word"):
        contested(desk, done, " ")


def test_where_no_policy_says_contest_a_denial_stands(open_desk):
    desk = open_desk(REFUNDS)
    denied = desk.ask("100.01")
    with pytest.raises(UsageError, match="no policy says `contest`"):
        contested(desk, denied)


def test_the_words_are_sealed_and_the_customer_stands_as_a_pseudonym(open_desk):
    desk = open_desk()
    contested(desk, by="c-1", channel="letter")
    entry = desk.guard.audit.list(kind="contested")[0]
    assert b"parcel" not in entry.body
    assert b"c-1" not in entry.body
    assert (entry.document["by"], entry.document["channel"]) == (entry.document["on_behalf_of"], "letter")
    assert desk.guard.audit.recompute(entry.document["decision_entry"]).same


def test_nobody_decides_in_time_and_the_denial_stands(open_desk):
    desk = open_desk()
    denied = refused(desk)
    contest = contested(desk, denied)
    desk.clock.advance(timedelta(days=5) - timedelta(microseconds=1))
    assert desk.guard.work().answers == ()
    desk.clock.advance(timedelta(microseconds=1))
    assert [answer.status for answer in desk.guard.work().answers] == ["denied"]
    assert why(desk, contest, "zoe") == "not_open"
    assert body(desk, "contest_ended")["outcome"] == "expired"
    assert desk.guard.escalations.show(contest.escalation).record.state == "expired"
    assert desk.guard.audit.verify().ok


def test_a_vote_that_comes_too_late_changes_nothing(open_desk):
    desk = open_desk()
    contest = contested(desk)
    desk.clock.advance(timedelta(days=5))
    assert why(desk, contest, "zoe") == "late"
    assert desk.guard.work().answers == ()
    assert body(desk, "contest_ended")["outcome"] == "expired"


def test_a_late_contest_goes_on_to_the_next_route(open_desk):
    desk = open_desk(
        CONTESTED.replace("within: 1 day, if_late: deny}\n  lead", "within: 1 day, if_late: finance}\n  lead")
    )
    contest = contested(desk)
    desk.guard.escalations.view(contest.escalation, by="zoe")
    desk.clock.advance(timedelta(days=5))
    desk.guard.work()
    following = desk.guard.escalations.list()[0]
    assert (following.kind, following.id != contest.escalation) == ("contest", True)
    vote = desk.guard.escalations.approve
    assert vote(following.id, by="ada", reason_code="goodwill").missing == 1
    ballot = vote(following.id, by="kim", reason_code="goodwill")
    assert desk.guard.execute(ballot.action_id).status == "done"
    assert desk.guard.audit.verify().ok


def test_a_contest_is_neither_amended_nor_open_after_it_was_withdrawn(open_desk):
    desk = open_desk()
    contest = contested(desk)
    with pytest.raises(VoteRefusedError) as raised:
        desk.guard.escalations.amend(contest.escalation, {"amount": "1"}, by="zoe", reason_code="goodwill")
    assert raised.value.why == "not_changeable"
    ballot = desk.guard.escalations.withdraw(contest.escalation, by="pat", why="the customer called back")
    assert ballot.state == "withdrawn"
    assert body(desk, "contest_ended")["why"] == "the customer called back"
    assert why(desk, contest, "zoe") == "not_open"


def test_of_two_who_go_on_with_what_was_upheld_one_does(open_desk):
    desk = open_desk()
    ballot = decide(desk, contested(desk))
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(desk.guard.execute(ballot.action_id))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == ["done"] * 4
    assert len(desk.paid) == 1


def test_who_looks_at_it_sees_what_was_said_before_and_who_may_decide_it(open_desk):
    desk = open_desk()
    waiting = desk.ask("60.00")
    decide(desk, type("", (), {"escalation": waiting.escalation.id}), "tom", yes=False)
    contest = contested(desk, waiting)
    packet = desk.guard.escalations.show(contest.escalation).packet
    assert packet.desks[0].people == ("Maria", "Pat", "Zoe")
    assert [(vote.voter, vote.approve) for vote in packet.before] == [("tom", False)]
    text = " ".join(packet.as_text().split())
    assert "tom said no (within_policy)" in text
    assert "then it stays denied" in text
    assert "agent kind" not in desk.guard.letter(waiting.decision_id).as_text()


def forget(desk, answer):
    desk.guard._parts.vault.erase(desk.guard.audit.action(answer.decision_id).on_behalf_of)


def test_an_erased_customer_contests_nothing(open_desk):
    desk = open_desk()
    denied = refused(desk)
    forget(desk, denied)
    with pytest.raises(UsageError, match="whose customer was erased"):
        contested(desk, denied)


def test_a_contest_of_somebody_who_was_erased_meanwhile_cannot_be_upheld(open_desk):
    desk = open_desk()
    denied = refused(desk)
    contest = contested(desk, denied)
    forget(desk, denied)
    with pytest.raises(UsageError, match="erased"):
        decide(desk, contest)
    assert decide(desk, contest, yes=False).state == "rejected"
    assert desk.guard.audit.verify().ok


def events(desk):
    """What the log has to tell people."""

    def read(reading):
        entries = reading.entries(0, 100, EntryFilter(escalated=True))
        return [event for entry in entries if (event := event_of(reading, entry)) is not None]

    return desk.guard.store.read(read)


def told(desk):
    """What the log has to tell people, as (type, to)."""
    return [(event.type, event.to) for event in events(desk)]


def test_who_decides_is_told_and_who_upheld_it_hears_what_became_of_it(open_desk):
    desk = open_desk()
    deciding = ("group:complaints", "group:leads")
    contest = contested(desk)
    ballot = decide(desk, contest)
    assert told(desk) == [("escalation.contested", deciding), ("escalation.approved", deciding)]
    desk.guard.execute(ballot.action_id)
    assert told(desk)[2:] == [("action.ended", ("user:zoe",))]
    assert {event.escalation for event in events(desk)} == {contest.escalation}


def test_who_upheld_what_the_policies_still_deny_is_told_so(open_desk):
    desk = open_desk()
    denied = refused(desk, amount="80.01")
    desk.guard.execute(decide(desk, contested(desk, denied)).action_id)
    assert told(desk)[2:] == [("action.no_longer_fits", ("user:zoe",))]


def test_a_contest_that_nobody_decided_or_that_was_withdrawn_is_told_of(open_desk):
    desk = open_desk()
    first = contested(desk)
    desk.guard.escalations.withdraw(first.escalation, by="pat", why="the customer called back")
    contested(desk, refused(desk, key="k-2"))
    desk.clock.advance(timedelta(days=5))
    desk.guard.work()
    kinds = [kind for kind, _ in told(desk)]
    assert kinds == ["escalation.contested", "escalation.withdrawn", "escalation.contested", "escalation.expired"]
