"""Votes count once a person, only from people whom the route names, and only for what was shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from agentguard.core.decision import AskedRoute, Reason
from agentguard.core.escalation import admits, approved, missing, quorum_reached, rejected
from agentguard.core.policy import Place, Route, Verdict, Within
from agentguard.core.request import Vote

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
REASON = Reason("rule_matched", "refunds/large", Verdict.ESCALATE, "refunds/finance")
OTHER = Reason("limit_exceeded", "refunds/month", Verdict.ESCALATE, "refunds/finance")


def route(*who: str, people: int = 1) -> Route:
    return Route("finance", who, people, Within(timedelta(hours=4)), None, 0, Place("f", 1, 1))


def vote(voter: str, *groups: str, yes: bool = True, shown: tuple[Reason, ...] = (REASON,)) -> Vote:
    return Vote("e1", voter, yes, frozenset(groups), "os_login", "d", frozenset(r.identity for r in shown), NOW)


def asked(who: Route) -> list[AskedRoute]:
    return [AskedRoute("refunds/finance", who)]


def test_a_route_admits_those_it_names_and_members_of_its_groups():
    assert admits(route("user:maria"), "maria", [])
    assert admits(route("group:finance"), "tom", ["group:finance"])
    assert not admits(route("group:finance"), "tom", ["group:support"])
    assert not admits(route("user:maria"), "Maria", [])
    assert not admits(route(), "maria", ["group:finance"])


def test_two_people_are_two_people_and_one_who_votes_twice_is_one():
    two = route("group:f", people=2)
    assert not quorum_reached(two, [vote("maria", "group:f"), vote("maria", "group:f")])
    assert quorum_reached(two, [vote("maria", "group:f"), vote("tom", "group:f")])


def test_one_no_is_enough():
    assert rejected([vote("maria", "group:f"), vote("tom", "group:f", yes=False)])
    assert not approved(
        asked(route("group:f")), [REASON], [vote("maria", "group:f"), vote("tom", "group:f", yes=False)]
    )


def test_a_vote_lifts_the_reasons_that_were_shown_and_no_other():
    votes = [vote("maria", "group:f")]
    assert approved(asked(route("group:f")), [REASON], votes)
    assert not approved(asked(route("group:f")), [REASON, OTHER], votes)
    assert approved(asked(route("group:f")), [REASON, OTHER], [vote("maria", "group:f", shown=(REASON, OTHER))])


def test_reasons_that_do_not_escalate_need_not_have_been_shown():
    allowed = Reason("rule_matched", "refunds/small", Verdict.ALLOW)
    assert approved(asked(route("group:f")), [REASON, allowed], [vote("maria", "group:f")])


def test_without_a_route_nobody_can_approve():
    assert not approved([], [REASON], [vote("maria", "group:f")])


def test_a_delegate_and_the_one_whose_place_they_took_are_one():
    two = route("group:f", people=2)
    for_maria = replace(vote("tom", "group:f"), stands_for="maria")
    assert missing(two, [for_maria]) == 1
    assert missing(two, [for_maria, vote("maria", "group:f")]) == 1
    assert quorum_reached(two, [for_maria, vote("kim", "group:f")])


def test_the_route_that_took_over_from_a_late_one_is_enough_with_fewer_people_of_its_own():
    late = route("group:f", people=2)
    taking_over = AskedRoute("refunds/boss", route("user:ada"))
    asked_for = [AskedRoute("refunds/finance", late, taking_over)]
    of_boss = vote("ada")
    assert not approved(asked_for, [REASON], [of_boss])
    assert approved(asked_for, [REASON], [replace(of_boss, late=frozenset({"refunds/finance"}))])
    assert not approved(
        [AskedRoute("refunds/finance", late)], [REASON], [replace(of_boss, late=frozenset({"refunds/finance"}))]
    )


def test_the_routes_of_two_files_must_both_be_satisfied():
    routes = asked(route("group:f")) + asked(route("user:tom"))
    assert not approved(routes, [REASON], [vote("maria", "group:f")])
    assert approved(routes, [REASON], [vote("maria", "group:f"), vote("tom")])
