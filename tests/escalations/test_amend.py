"""An approver asks for less, or for another choice: a new action is decided in the place of the old one."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentguard import Denied, Done, Money, Ready, UsageError, VoteRefusedError, Waiting
from tests.engine.given import REFUNDS

CHANGEABLE = REFUNDS.replace('lead: {who: "group:leads",', 'lead: {who: "group:leads", may_change: [amount, reason],')


def amend(shop, waiting, arguments, by="maria", **more):
    return shop.guard.escalations.amend(
        waiting.escalation.id, arguments, by=by, reason_code=more.pop("reason_code", "goodwill"), **more
    )


def refusals(shop):
    return [entry.document["why"] for entry in shop.guard.audit.list(kind="vote_refused")]


def test_a_lower_amount_that_the_policy_allows_runs_under_the_old_key(open_both):
    shop = open_both()
    asked = shop.ask("60")
    ballot = amend(shop, asked, {"amount": "40"}, note="half the order")
    assert ballot.state == "amended"
    assert shop.paid == []
    answer = shop.ask("60")
    assert isinstance(answer, Done)
    assert answer.decision_id == ballot.action_id
    assert shop.paid == [("A-1", Money.of("40", "USD"), ballot.action_id)]
    assert shop.ask("60").replayed
    assert shop.guard.execute(asked.decision_id).decision_id == ballot.action_id
    assert len(shop.paid) == 1
    assert shop.guard.audit.verify().ok


def test_the_record_says_who_changed_what_and_what_took_its_place(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    ballot = amend(shop, asked, {"amount": "40"}, authenticated="os_login")
    old, new = shop.guard.audit.action(asked.decision_id), shop.guard.audit.action(ballot.action_id)
    assert (str(old.state), str(new.state)) == ("denied", "proposed")
    assert (new.relates_to, new.key.startswith("amended_")) == (old.id, True)
    assert [entry.kind for entry in shop.guard.audit.of(old.id)] == ["decided", "voted", "amended"]
    ended = shop.guard.audit.list(kind="amended")[0].document
    assert (ended["by"], ended["authenticated"], ended["changed"], ended["amended"]) == (
        "maria",
        "os_login",
        ["amount"],
        new.id,
    )
    proposed = shop.guard.audit.list(kind="proposed")[0].document
    assert proposed["arguments"] == {"order_id": "A-1", "amount": "40.00 USD", "reason": "late"}
    assert shop.guard.escalations.list("amended")[0].id == asked.escalation.id


@pytest.mark.law(7)
def test_the_yes_of_whoever_amends_counts_where_the_reasons_were_seen(open_shop):
    shop = open_shop()
    asked = shop.ask("90")
    ballot = amend(shop, asked, {"amount": "60"})
    answer = shop.ask("90")
    assert isinstance(answer, Done)
    assert answer.decision_id == ballot.action_id
    (vote,) = shop.guard.audit.list(kind="decided", newest_first=True)[0].document["votes"]
    assert (vote["voter"], vote["reason_code"]) == ("maria", "goodwill")
    assert shop.guard.audit.verify().ok
    assert shop.guard.audit.recompute(shop.guard.audit.list(kind="decided", newest_first=True)[0].pos).same


@pytest.mark.law(7)
def test_it_does_not_count_on_a_route_that_does_not_admit_them(open_shop):
    shop = open_shop()
    shop.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("1000", "USD")}
    asked = shop.ask("600")
    amend(shop, asked, {"amount": "60"}, by="ada")
    answer = shop.ask("600")
    assert isinstance(answer, Waiting)
    assert answer.escalation.who == ("group:leads",)
    assert shop.guard.escalations.show(answer.escalation.id).votes == ()
    shop.guard.escalations.approve(answer.escalation.id, by="maria", reason_code="goodwill")
    assert isinstance(shop.ask("600"), Done)


def test_on_a_route_of_two_it_is_one_of_them(open_shop):
    shop = open_shop()
    shop.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("1000", "USD")}
    asked = shop.ask("600", key="k-1")
    amend(shop, asked, {"amount": "550"}, by="ada")
    answer = shop.ask("600")
    assert isinstance(answer, Waiting)
    with pytest.raises(VoteRefusedError, match="one vote"):
        shop.guard.escalations.approve(answer.escalation.id, by="ada", reason_code="goodwill")
    ballot = shop.guard.escalations.approve(answer.escalation.id, by="kim", reason_code="goodwill")
    assert ballot.state == "approved"
    assert isinstance(shop.ask("600"), Done)


@pytest.mark.law(7)
def test_a_reason_that_was_not_seen_is_not_lifted_by_it(open_shop):
    shop = open_shop(text=REFUNDS.replace("max: 300", "max: 70"))
    asked = shop.ask("60")
    amend(shop, asked, {"amount": "55"})
    shop.ask("50", key="k-2", order_id="A-2")
    answer = shop.ask("60")
    assert isinstance(answer, Waiting)
    assert shop.guard.escalations.show(answer.escalation.id).votes == ()


@pytest.mark.parametrize(
    "arguments, why",
    [
        ({"amount": "60.01"}, "raises"),
        ({"amount": "60"}, "unchanged"),
        ({"amount": "250000"}, "raises"),
        ({"order_id": "A-2"}, "not_changeable"),
        ({"reason": "other"}, "not_changeable"),
        ({"amount": "40", "order_id": "A-2"}, "not_changeable"),
    ],
)
def test_what_may_not_be_changed_so_is_refused_and_written_down(open_shop, arguments, why):
    shop = open_shop()
    asked = shop.ask("60")
    with pytest.raises(VoteRefusedError) as refused:
        amend(shop, asked, arguments)
    assert refused.value.why == why
    assert refusals(shop) == [why]
    assert isinstance(shop.ask("60"), Waiting)
    assert shop.paid == []


@pytest.mark.parametrize("arguments", [{}, {"amonut": "40"}, {"amount": "-40"}, {"amount": "0"}, {"amount": "4O"}])
def test_what_cannot_be_understood_is_refused(open_shop, arguments):
    shop = open_shop()
    asked = shop.ask("60")
    with pytest.raises(UsageError):
        amend(shop, asked, arguments)
    assert isinstance(shop.ask("60"), Waiting)


def test_another_choice_may_be_picked_where_the_route_lists_it(open_shop):
    shop = open_shop(text=CHANGEABLE)
    asked = shop.ask("60")
    ballot = amend(shop, asked, {"reason": "other", "amount": "55"})
    assert isinstance(shop.ask("60"), Done)
    said = shop.guard.audit.of(ballot.action_id)[0].document["arguments"]
    assert said == {"order_id": "A-1", "amount": "55.00 USD", "reason": "other"}


def test_a_route_may_let_nothing_be_changed(open_shop):
    shop = open_shop(text=CHANGEABLE.replace("[amount, reason],", "[],"))
    with pytest.raises(VoteRefusedError, match="nothing"):
        amend(shop, shop.ask("60"), {"amount": "40"})


@pytest.mark.parametrize("by", ["ada", "bot", "nobody"])
def test_who_may_not_decide_may_not_amend(open_shop, by):
    shop = open_shop()
    with pytest.raises(VoteRefusedError):
        amend(shop, shop.ask("60"), {"amount": "40"}, by=by)
    assert refusals(shop) == ["not_admitted"]


def test_what_was_amended_is_decided_on_its_own(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    ballot = amend(shop, asked, {"amount": "40"})
    shop.orders["A-1"] = {"customer_id": "c-2", "total": Money.of("100", "USD")}
    answer = shop.ask("60")
    assert isinstance(answer, Denied)
    assert (answer.decision_id, answer.reasons[0].source) == (ballot.action_id, "refunds/not-theirs")


def test_what_was_amended_may_be_amended_again_but_not_without_end(open_shop):
    shop = open_shop()
    shop.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("1000", "USD")}
    waiting = shop.ask("600")
    for amount in range(599, 589, -1):
        amend(shop, waiting, {"amount": str(amount)}, by=("ada", "kim")[amount % 2])
        waiting = shop.ask("600")
        assert isinstance(waiting, Waiting)
    with pytest.raises(UsageError, match="at most 10 amendments"):
        amend(shop, waiting, {"amount": "589"}, by="kim")
    shop.guard.escalations.approve(waiting.escalation.id, by="kim", reason_code="goodwill")
    assert isinstance(shop.ask("600"), Done)
    assert [amount for _, amount, _ in shop.paid] == [Money.of("590", "USD")]


def test_a_guard_with_the_tool_goes_on_with_what_was_amended_at_its_next_round(open_shop):
    shop = open_shop()
    ballot = amend(shop, shop.ask("60"), {"amount": "40"})
    (answer,) = shop.guard.recover()
    assert isinstance(answer, Done)
    assert answer.decision_id == ballot.action_id
    assert shop.guard.recover() == []


def test_of_an_amendment_and_an_approval_at_the_same_time_exactly_one_wins(open_both):
    shop = open_both()
    for number in range(5):
        asked = shop.ask("60", key=f"k-{number}", order_id=f"A-{number}")
        done = []
        together = threading.Barrier(2)

        def approves(asked=asked, together=together, done=done):
            together.wait()
            done.append(shop.guard.escalations.approve(asked.escalation.id, by="tom", reason_code="goodwill").state)

        def amends(asked=asked, together=together, done=done):
            together.wait()
            done.append(amend(shop, asked, {"amount": "40"}).state)

        with ThreadPoolExecutor(2) as pool:
            tries = [pool.submit(work) for work in (approves, amends)]
        (lost,) = [error for work in tries if (error := work.exception()) is not None]
        assert lost.why == "not_open"
        assert isinstance(shop.ask("60", key=f"k-{number}", order_id=f"A-{number}"), Done)
        assert shop.paid[-1][1] == Money.of("60" if done == ["approved"] else "40", "USD")
    assert len(shop.paid) == 5
    assert shop.guard.audit.verify().ok


def test_in_an_event_loop_the_old_key_answers_with_the_new_outcome_too(open_shop):
    shop = open_shop(is_async=True)
    asked = shop.aask("90")
    ballot = amend(shop, asked, {"amount": "60"})
    answer = shop.aask("90")
    assert isinstance(answer, Done)
    assert answer.decision_id == ballot.action_id
    assert shop.aask("90").replayed


def test_a_proposal_stops_where_the_amended_action_is_held(open_shop):
    shop = open_shop()
    asked = shop.ask("60")
    ballot = amend(shop, asked, {"amount": "40"})
    ready = shop.ask("60", run=shop.guard.propose)
    assert isinstance(ready, Ready)
    assert ready.decision_id == ballot.action_id
    assert isinstance(shop.guard.execute(ready.decision_id), Done)


def test_nobody_needs_the_process_that_amended_it(open_both):
    shop = open_both()
    asked = shop.ask("90")
    ballot = amend(shop, asked, {"amount": "60"})
    shop.guard.close()
    again = open_both(clock=shop.clock)
    assert isinstance(again.guard.execute(ballot.action_id), Done)
    assert again.ask("90").replayed
    assert len(again.paid) == 1
    assert again.guard.audit.verify().ok
