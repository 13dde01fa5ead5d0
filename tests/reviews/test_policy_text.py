"""`review` in a policy file: what is read, what is refused with the fix, what lint warns of, what editors know."""

import json

import pytest

from agentguard import PolicyError, policyfile
from agentguard.core.reviews import Sampling
from agentguard.policyfile.schema import json_schema
from tests.engine.given import REFUNDS
from tests.reviews.conftest import reviewed


def load(review, **more):
    return policyfile.load_text(reviewed(review, **more), "refunds.yaml")


@pytest.mark.parametrize(
    "text, sampling",
    [
        ("2%", Sampling("2%", 2_000)),
        ("0.001 %", Sampling("0.001 %", 1)),
        ("100%", Sampling("100%", 100_000)),
        (
            "2%, at least 5 a week, by agent",
            Sampling("2%, at least 5 a week, by agent", 2_000, 5, "week", ("agent",)),
        ),
        ("0%, at least 1 per day", Sampling("0%, at least 1 per day", 0, 1, "day")),
        (
            "1%,  by agent version and action",
            Sampling("1%,  by agent version and action", 1_000, 0, "week", ("agent version", "action")),
        ),
    ],
)
def test_a_review_is_a_share_a_least_number_and_kinds(text, sampling):
    assert load(text).review == sampling


def test_a_file_without_one_asks_for_nothing():
    assert policyfile.load_text(REFUNDS, "refunds.yaml").review is None


@pytest.mark.parametrize(
    "text, code, words",
    [
        ("2", "review_malformed", "a share from 0% to 100% with up to three decimals comes first"),
        ("100.001%", "review_malformed", "got `100.001%`"),
        ("0.0001%", "review_malformed", "got `0.0001%`"),
        ("at least 5 a week", "review_malformed", "got `at least 5 a week`"),
        ("2%, at least 5 a month", "word_unknown", "expected `day` or `week` behind the number, got `month`"),
        ("2%, at least 0 a week", "number_malformed", "at least 1 to 10,000 of a kind, got 0"),
        ("2%, at least 10001 a week", "number_malformed", "got 10,001"),
        ("2%, by agnt", "word_unknown", "did you mean `agent`?"),
        ("2%, by agent and agent", "review_malformed", "with a word twice"),
        ("2%, by agent, at least 5 a week", "review_malformed", "got `at least 5 a week` in it"),
        ("2%, sometimes", "review_malformed", "got `sometimes` in it"),
        ("2%, by verdict", "word_unknown", "got `verdict`"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_write(text, code, words):
    with pytest.raises(PolicyError) as caught:
        load(text)
    (problem,) = caught.value.problems
    assert problem.code == code
    assert words in problem.message


def test_editors_know_the_key():
    pattern = json.dumps(json_schema())
    assert "What people look at afterwards" in pattern


def test_a_review_is_no_longer_reserved_for_a_file_and_still_is_for_a_rule():
    text = REFUNDS.replace("  - id: small\n", "  - id: small\n    review: 2%\n")
    with pytest.raises(PolicyError) as caught:
        policyfile.load_text(text, "refunds.yaml")
    assert [problem.code for problem in caught.value.problems] == ["reserved"]
