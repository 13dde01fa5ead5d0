"""Every broken file gets its problems, each once, at the right line and column, and nothing else."""

from functools import cache
from pathlib import Path

import pytest

from agentguard.errors import PolicyError
from agentguard.policyfile import load_text
from agentguard.policyfile.codes import CODES
from tests.policyfile.broken import BASE, CASES, marked

MESSAGES = (Path(__file__).parent / "broken_messages.txt").read_text(encoding="utf-8").splitlines()


@cache
def problems_of(text, name="broken.yaml"):
    with pytest.raises(PolicyError) as raised:
        load_text(text, name)
    return raised.value.problems


def test_the_file_that_the_others_break_is_good():
    assert load_text(BASE, "shop.yaml").name == "shop"


def test_the_corpus_is_large_and_every_case_has_its_own_name():
    assert len(CASES) >= 150
    assert len({name for name, _, _ in CASES}) == len(CASES)


@pytest.mark.parametrize("name, codes, text", CASES, ids=[case[0] for case in CASES])
def test_a_broken_file_gets_its_problems_at_their_places_and_no_others(name, codes, text):
    text, places = marked(text)
    found = [(problem.line, problem.column, problem.code) for problem in problems_of(text, name)]
    assert found == [(*place, code) for place, code in zip(places, codes, strict=True)]


def test_the_messages_are_those_that_were_read_by_a_person():
    found = [
        str(problem)
        for name, _, text in CASES
        for problem in problems_of(marked(text)[0], name)
        if problem.code in CODES
    ]
    assert found == MESSAGES


def test_every_message_is_one_line_that_begins_small_and_is_not_endless():
    for name, _, text in CASES:
        for problem in problems_of(marked(text)[0], name):
            assert "\n" not in problem.message
            assert len(problem.message) < 400
            first = problem.message.split()[0]
            assert first.isupper() or not first[0].isupper()  # only abbreviations begin large


def test_every_code_of_a_policy_file_is_reached_by_the_corpus_or_named_here():
    elsewhere = {
        "unreadable", "file_too_large",  # test_read
        "policy_twice", "action_differs", "no_policy",  # test_bundle
        "person_unknown", "login_shared", "key_malformed", "key_shared", "absence_malformed",  # test_people
        "not_formatted",  # test_layout
        "case_incomplete",  # test_cases
    }  # fmt: skip
    reached = {code for _, codes, _ in CASES for code in codes}
    assert set(CODES) - reached - elsewhere == set()
