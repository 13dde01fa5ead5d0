"""What is left of a drawn case when its customer is erased or its records are purged: that it was there."""

from datetime import timedelta

import pytest

from agentguard.analysis.explained.surroundings import review_words
from agentguard.core.people import People, Power, User
from agentguard.core.reviews import Sampling
from agentguard.errors import UsageError
from agentguard.evidence.keys import SigningKey
from tests.reviews.conftest import documents, refund, reviewed

NAMES = ("maria", "ada")
WHO = {"by": "ada", "why": "her own wish", "authenticated": "os_login"}
KEPT = reviewed("100%, at least 2 a week").replace("names:\n", "retention: {otherwise: 1 year}\nnames:\n", 1)


@pytest.fixture
def shop(in_memory):
    users = {name: User(name, name.title(), frozenset({name})) for name in NAMES}
    powers = {name: Power(frozenset(NAMES)) for name in ("review", "read_personal", "erase", "purge")}
    key = SigningKey("agentguard/test", bytes(range(32)))
    return in_memory(text=KEPT, people=People(users, powers=powers), signer=key)


def judged(shop, note="the parcel was for her sister"):
    answer = refund(shop, 1)
    (case,) = shop.guard.reviews.list()
    shop.guard.reviews.judge(
        case.id, by="maria", should="allow", reason_code="within_policy", note=note, authenticated="os_login"
    )
    return answer, case.id


def test_a_customers_copy_has_the_note_in_the_clear_and_not_who_wrote_it(shop):
    judged(shop)
    (copy,) = shop.guard.privacy.about("c-1", **WHO)
    says = [line.says for kept in copy.actions for line in kept.lines if line.says["kind"] == "reviewed"]
    assert [(said["note"], said["by"]) for said in says] == [("the parcel was for her sister", "a person")]


def test_a_note_goes_with_its_customer_and_the_case_stays(shop):
    _, case = judged(shop)
    shop.guard.privacy.erase("c-1", **WHO)
    seen = shop.guard.reviews.view(case, outcome=True, personal=True, **WHO)
    assert [opinion.note for opinion in seen.outcome.opinions] == ["(erased)"]
    assert shop.guard.reviews.verify()
    assert shop.guard.reviews.report(enough=1).policies[0].whole.judged == 1


def test_a_purged_case_says_so_takes_no_opinion_and_is_no_false_finding(shop):
    _, case = judged(shop)
    shop.clock.advance(timedelta(days=300))
    refund(shop, 2)
    shop.guard.work()
    shop.clock.advance(timedelta(days=100))
    shop.guard.retention.purge(**{**WHO, "why": "its time is over"})
    shown = shop.guard.reviews.show(case)
    assert shown.purged
    assert "was purged, as its time was over" in shown.as_text()
    with pytest.raises(UsageError, match="it was purged"):
        shop.guard.reviews.judge(case, by="ada", should="deny", reason_code="not_theirs", authenticated="os_login")
    checked = shop.guard.reviews.verify()
    assert (checked.purged, checked.cases, checked.findings) == (1, 1, ())
    assert [body.get("review", "") == case for body in documents(shop, "review_drawn")] == [False, False]
    assert shop.guard.reviews.report(enough=1).policies[0].whole.drawn == 1


@pytest.mark.parametrize(
    "sampling, words",
    [
        (Sampling("", 2_000), "2 percent of what was decided without a person."),
        (
            Sampling("", 2_500, 5, "week", ("agent", "action")),
            "2.5 percent of what was decided without a person, at least 5 a week of each agent and action.",
        ),
        (
            Sampling("", 1, 0, "week", ("agent",)),
            "0.001 percent of what was decided without a person, told apart by agent.",
        ),
    ],
)
def test_a_policy_in_words_says_what_is_looked_at(sampling, words):
    assert review_words(sampling) == f"People look afterwards at {words}"
