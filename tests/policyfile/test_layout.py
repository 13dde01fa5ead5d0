"""The canonical layout: the same policy, the same comments, and nothing changes the second time."""

import random
from pathlib import Path

import pytest

from agentguard.errors import PolicyError
from agentguard.policyfile import format_text, load_text
from tests.policyfile.broken import BASE, CASES, marked

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "policies").rglob("*.yaml")) + sorted((Path(__file__).parent / "good").glob("*.yaml"))
HEAD = "agentguard: 1\npolicy: p\nversion: 1\nactions:\n  a.b: {n: integer, m: integer, t: text}\n"


def laid_out(body, head=HEAD):
    found = format_text(head + body, "p.yaml")
    assert format_text(found, "p.yaml") == found
    assert found.startswith(head)
    return found[len(head) :]


@pytest.mark.no_cover
@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_every_file_of_ours_keeps_its_comments_and_is_stable(path):
    text = path.read_text(encoding="utf-8")
    found = format_text(text, path.name)
    assert format_text(found, path.name) == found
    assert found.count("#") == text.count("#")
    if path.name.endswith("_test.yaml") or path.name == "people.yaml":
        return
    before, after = load_text(text, "p.yaml"), load_text(found, "p.yaml")
    assert [rule.id for rule in before.rules] == [rule.id for rule in after.rules]
    assert [rule.words.say.keys() for rule in before.rules] == [rule.words.say.keys() for rule in after.rules]
    assert before.facts == after.facts
    assert before.tables == after.tables
    assert before.calendars == after.calendars


def test_symbols_become_words():
    assert laid_out("rules:\n  - id: r\n    then: deny\n    when: n > 1 && !(m < 2) || t == 'x'\n").split("when: ")[
        1
    ] == ('n > 1 and not m < 2 or t == "x"\n')


def test_text_that_is_no_condition_keeps_its_symbols():
    body = "rules:\n  - id: r\n    then: deny\n    because: Fish && chips.\n"
    assert laid_out(body) == body


def test_indentation_becomes_two_blanks_and_lists_stand_under_their_key():
    assert laid_out("rules:\n- id: r\n  then: deny\n  when:\n      - n > 1\n      - m > 2\n") == (
        "rules:\n  - id: r\n    then: deny\n    when:\n      - n > 1\n      - m > 2\n"
    )


def test_comments_stay_with_what_they_are_about():
    body = (
        "# about the rules\nrules:  # all of them\n\n  # the first\n  - id: r   # an id\n    then: deny\n"
        "    # why\n    when: n > 1  # a condition\n  # at the end\n\n# after all\n"
    )
    assert laid_out(body) == (
        "# about the rules\nrules:  # all of them\n\n  # the first\n  - id: r   # an id\n    then: deny\n"
        "    # why\n    when: n > 1  # a condition\n  # at the end\n\n# after all\n"
    )


def test_comments_between_brackets_make_them_lines():
    assert (
        laid_out("rules:\n  - {id: r,  # an id\n     then: deny}\n") == "rules:\n  - id: r    # an id\n    then: deny\n"
    )


def test_one_empty_line_is_kept_and_more_are_not():
    assert laid_out("\n\n\nrules:\n  - id: r\n    then: deny\n\n\n\n  - id: s\n    then: deny\n") == (
        "\nrules:\n  - id: r\n    then: deny\n\n  - id: s\n    then: deny\n"
    )


def test_values_below_each_other_stay_so():
    assert (
        laid_out("facts:\n  a.b:        text\n  a.longer:   text\n") == "facts:\n  a.b:      text\n  a.longer: text\n"
    )
    assert laid_out("facts:\n  a.b: text\n  a.longer: text\n") == "facts:\n  a.b: text\n  a.longer: text\n"


def test_quotes_that_are_needed_stay_and_those_that_conditions_need_are_added():
    assert laid_out('names: {x: "n > 1"}\n') == "names: {x: n > 1}\n"
    assert laid_out("names:\n  x: 't == \"a, b\"'\n") == 'names:\n  x: t == "a, b"\n'
    assert laid_out('names: {x: \'t in ["a", "b"]\'}\n') == 'names: {x: \'t in ["a", "b"]\'}\n'
    assert laid_out("names:\n  x: '\"a\" == t'\n") == "names:\n  x: '\"a\" == t'\n"
    assert laid_out("names:\n  x: '!(n > 1)'\n") == "names:\n  x: not n > 1\n"


def test_long_texts_are_folded_and_block_texts_stay():
    long = " and ".join(f"n > {number}" for number in range(30))
    found = laid_out(f"names:\n  x: {long}\n")
    assert found.startswith("names:\n  x: >-\n    n > 0 and")
    assert max(map(len, found.split("\n"))) <= 130
    body = "description: |\n     two\n     lines\n"
    assert laid_out(body) == "description: |\n  two\n  lines\n"


def test_freed_by_names_actions_as_they_are_and_says_amounts_as_conditions():
    limit = "limits:\n  - {id: l, freed_by: %s}\n"
    assert laid_out(limit % "[visit.no-show]") == limit % "[visit.no-show]"
    assert laid_out(limit % "{fee.waive: amount+usd(1)}") == limit % "{fee.waive: amount + usd(1)}"


def test_windows_line_ends_become_plain_ones():
    assert "\r" not in laid_out("rules:\r\n  - {id: r, then: deny}\r\n")


def test_a_file_that_is_not_yaml_is_refused_with_its_problem():
    with pytest.raises(PolicyError, match="not_yaml"):
        format_text("a: b: c\n", "p.yaml")


def test_a_file_with_other_problems_is_laid_out_and_keeps_them():
    text = BASE.replace("in_window\n    because", "in_windw\n    because")
    with pytest.raises(PolicyError, match="unknown_name"):
        load_text(format_text(text, "p.yaml"), "p.yaml")


def laid_out_or_refused(text):
    try:
        return format_text(text, "p.yaml")
    except PolicyError as error:
        if "not_formatted" in str(error):
            raise
        return None


@pytest.mark.no_cover  # a long loop over what shorter tests cover
def test_broken_and_mutated_files_are_stable_too():
    chance = random.Random(5)
    tried = 0
    for _, _, text in chance.sample(CASES, 20):
        found = laid_out_or_refused(marked(text)[0])
        if found is None:
            continue
        tried += 1
        assert format_text(found, "p.yaml") == found
    assert tried > 10
