"""What people say of a drawn decision: who may, what they see first, what is recorded, what counts."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from agentguard import Denied
from agentguard.core.people import People, Power, User
from agentguard.core.request import Actor
from agentguard.errors import NotFoundError, PowerRefusedError, UsageError
from agentguard.store.evidence_tables import ReviewRow
from tests.reviews.conftest import documents, refund, reviewed

NAMES = ("maria", "tom", "ada", "kim", "zoe")


def people(**more):
    users = {name: User(name, name.title(), frozenset({name, f"{name}-login"})) for name in NAMES}
    return People(users, **{"powers": {"review": Power(frozenset({"maria", "tom", "ada"}))}, **more})


def case_of(shop, **more):
    answer = refund(shop, 1, **more)
    (case,) = shop.guard.reviews.list()
    assert case.action_id == answer.decision_id
    return case.id


def judge(shop, case, by="maria", **more):
    given = {"should": "allow", "reason_code": "within_policy", "authenticated": "os_login", **more}
    return shop.guard.reviews.judge(case, by=by, **given)


def test_who_says_what_was_decided_finds_it_right_and_who_says_otherwise_finds_it_wrong(open_shop):
    shop = open_shop(people=people())
    case = case_of(shop)
    right = judge(shop, case)
    assert (right.decided, right.verdict, right.counts, right.severity, right.blind) == (
        "allow",
        "right",
        "right",
        None,
        True,
    )
    wrong = judge(shop, case, "tom", should="deny", severity="critical", reason_code="too_generous")
    assert (wrong.verdict, wrong.counts, wrong.severity, wrong.opinions) == ("wrong", "wrong", "critical", 2)
    assert "undo it where that is possible" in wrong.remedy
    third = judge(shop, case, "ada")
    assert (third.verdict, third.counts, third.opinions) == ("right", "right", 3)
    assert shop.guard.reviews.list() == ()
    assert [(item.id, item.verdict) for item in shop.guard.reviews.list("judged")] == [(case, "right")]
    first, second, _ = documents(shop, "reviewed")
    assert (
        first
        | {
            "by": "maria",
            "power": "review",
            "authenticated": "os_login",
            "why": "within_policy",
            "should": "allow",
            "verdict": "right",
            "severity": None,
            "note": None,
            "version": 1,
            "decision_entry": 2,
        }
        == first
    )
    assert (second["opinion"], second["counts"]) == (2, "wrong")


def test_nothing_of_the_verdict_is_shown_before_and_whoever_saw_it_judges_no_more_without_knowing(in_memory):
    shop = in_memory(people=people())
    case = case_of(shop, who="somebody else")
    shown = shop.guard.reviews.show(case)
    for told in (shown.as_text(), str(shown.as_json())):
        assert "I can only help with your own orders" not in told
        assert "not-theirs" not in told
        assert "denied" not in told
    assert documents(shop, "review_opened") == []
    seen = shop.guard.reviews.view(case, by="maria", why="training", authenticated="os_login", outcome=True)
    assert seen.outcome.verdict == "deny"
    assert "It was denied" in seen.as_text()
    assert judge(shop, case, "maria", should="deny").blind is False
    assert judge(shop, case, "tom", should="deny").blind is True
    shop.guard.reviews.view(case, by="maria", why="again", authenticated="os_login", outcome=True)
    assert len(documents(shop, "review_opened")) == 1


def test_who_knows_what_was_decided_may_say_right_or_wrong_outright(in_memory):
    shop = in_memory(people=people())
    case = case_of(shop)
    found = judge(shop, case, should=None, verdict="wrong", severity="minor")
    assert (found.verdict, found.severity, found.blind) == ("wrong", "minor", False)


@pytest.mark.parametrize(
    "by, more, why",
    [
        ("zoe", {}, "no_such_power"),
        ("maria", {"authenticated": "unverified"}, "unverified"),
        ("nobody", {}, "no_such_power"),
    ],
)
def test_who_may_not_judge_is_refused_and_the_log_says_so(in_memory, by, more, why):
    shop = in_memory(people=people())
    with pytest.raises(PowerRefusedError) as caught:
        judge(shop, case_of(shop), by, **more)
    assert caught.value.why == why
    assert documents(shop, "power_refused")[0]["refused"] == why
    assert documents(shop, "reviewed") == []


@pytest.mark.parametrize(
    "asking",
    [
        {"agent": Actor("bot", operator="maria")},
        {"agent": Actor("bot", operator="MARIA-login")},
        {"agent": Actor("maria")},
        {"who": "maria"},
    ],
)
def test_nobody_judges_what_they_run_or_asked_for_or_what_was_for_them(in_memory, asking):
    shop = in_memory(people=people())
    case = case_of(shop, **asking)
    with pytest.raises(PowerRefusedError, match="had a part in this action"):
        judge(shop, case)
    with pytest.raises(PowerRefusedError, match="had a part in this action"):
        shop.guard.reviews.view(case, by="maria", why="curious", authenticated="os_login", outcome=True)
    assert [body["refused"] for body in documents(shop, "power_refused")] == ["own_request"] * 2
    assert judge(shop, case, "tom").opinions == 1


def test_nobody_has_two_opinions_under_whatever_spelling(in_memory):
    shop = in_memory(people=people())
    case = case_of(shop)
    judge(shop, case)
    for again in ("maria", " MARIA ", "maria-login"):
        with pytest.raises(PowerRefusedError, match="a second opinion is somebody else's"):
            judge(shop, case, again)
    undeclared = in_memory()
    case = case_of(undeclared)
    judge(undeclared, case, "maria")
    with pytest.raises(PowerRefusedError, match="a second opinion"):
        judge(undeclared, case, "Maria")


@pytest.mark.parametrize(
    "given",
    [
        {"should": None},
        {"verdict": "right"},
        {"should": "approve"},
        {"should": None, "verdict": "maybe"},
        {"severity": "awful"},
        {"reason_code": "Not A Code"},
        {"note": "x" * 2_001},
        {"note": "hidden\u202etext"},
        {"authenticated": "by heart"},
    ],
)
def test_an_opinion_that_cannot_be_counted_is_refused_and_nothing_is_written(in_memory, given):
    shop = in_memory(people=people())
    case = case_of(shop)
    with pytest.raises(UsageError):
        judge(shop, case, **given)
    assert documents(shop, "reviewed") == []


def test_a_case_that_there_is_not_is_said_to_be_none(in_memory):
    shop = in_memory(people=people())
    for attempt in (
        lambda: judge(shop, "rev_0"),
        lambda: shop.guard.reviews.show("rev_0"),
        lambda: shop.guard.reviews.list(after="rev_0"),
    ):
        with pytest.raises(NotFoundError, match="`agentguard reviews list` has them"):
            attempt()
    with pytest.raises(UsageError, match="one of waiting, judged"):
        shop.guard.reviews.list("open")


def test_a_note_is_sealed_under_the_customers_key_and_goes_with_them(in_memory):
    shop = in_memory(people=people(powers={name: Power(frozenset(NAMES)) for name in ("review", "read_personal")}))
    case = case_of(shop)
    judge(shop, case, note="the parcel was for her sister")
    assert set(documents(shop, "reviewed")[0]["note"]) == {"sealed"}
    seen = {"by": "ada", "why": "second look", "authenticated": "os_login", "outcome": True}
    assert shop.guard.reviews.view(case, **seen).outcome.opinions[0].note is None
    opened = shop.guard.reviews.view(case, personal=True, **seen)
    assert opened.outcome.opinions[0].note == "the parcel was for her sister"
    assert opened.customer == "c-1"
    assert documents(shop, "personal_read")[0]["where"] == "review"
    vault = shop.guard._parts.vault
    vault.erase(vault.name_of("default", "c-1"))
    gone = shop.guard.reviews.view(case, personal=True, **seen)
    assert gone.outcome.opinions[0].note == "(erased)"
    assert "(erased)" in gone.as_text()
    with pytest.raises(UsageError, match="whose customer was erased"):
        judge(shop, case, "tom", note="another word about her")
    assert judge(shop, case, "tom").opinions == 2


def test_a_denial_found_wrong_names_the_contest_where_there_is_one(in_memory):
    route = 'escalations:\n  complaints: {who: "group:finance", within: 1 day, if_late: deny}\n'
    text = reviewed("100%").replace("escalations:\n", route)
    contested = text.replace("rules:\n", "contest: {to: complaints, within: 5 days, open_for: 60 days}\nrules:\n", 1)
    for words, policy in (("may contest the denial until 2027-01-21", contested), ("nobody can contest", text)):
        shop = in_memory(text=policy, people=people())
        answer = refund(shop, 1, who="somebody else")
        assert isinstance(answer, Denied)
        assert words in judge(shop, shop.guard.reviews.list()[0].id).remedy


def test_a_drawn_case_cannot_be_taken_away_or_made_another_one(open_shop):
    shop = open_shop(people=people())
    case = case_of(shop)
    table = ReviewRow.__table__
    others = {"entry": 1, "drawn_us": 1, **dict.fromkeys(("policy", "action_id", "stratum", "week", "how", "id"), "x")}
    changes = [update(table).values({name: value, "verdict": "right"}) for name, value in others.items()]
    judge(shop, case)
    taken_back = update(table).values(verdict=None)
    for change in (delete(table), update(table).values(verdict="fine"), taken_back, *changes):
        with pytest.raises(Exception, match="append-only"):
            shop.guard.store.transact(lambda transaction, change=change: transaction.write(change))
    assert [(item.id, item.verdict) for item in shop.guard.reviews.list(None)] == [(case, "right")]


def test_cases_are_listed_a_page_at_a_time(open_shop):
    shop = open_shop("100%")
    for number in range(5):
        refund(shop, number)
        shop.clock.advance(timedelta(seconds=number % 2))
    everything = shop.guard.reviews.list()
    paged, after = [], ""
    while page := shop.guard.reviews.list(limit=2, after=after):
        paged += page
        after = page[-1].id
    assert len(everything) == 5
    assert tuple(paged) == everything
    assert shop.guard.reviews.list(policy="other") == ()
