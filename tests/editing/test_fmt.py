"""The layout of anything that can be written: the same tree, the same remarks, and the same once more."""

import random

import pytest

from agentguard.errors import PolicyError
from agentguard.policyfile import format_text, load_text
from agentguard.policyfile.node import plain
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.read import read
from tests.editing.scribbled import MARK, Scribbler, marked
from tests.project.tree import ROOT

PACKS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "policies").rglob("*.yaml"))}


def tree(text):
    """Return what a file says, to a reader that knows nothing of policies."""
    return plain(read(text, Problems("p.yaml")))


def laid_out(text):
    """Return the layout of a text; None where it cannot be read at all."""
    try:
        found = format_text(text, "p.yaml")
    except PolicyError as error:
        if "not_formatted" in {problem.code for problem in error.problems}:
            raise
        return None
    assert format_text(found, "p.yaml") == found
    assert MARK.findall(found) == MARK.findall(text)
    return found


def test_any_file_keeps_its_remarks_and_what_it_says_and_is_laid_out_once():
    done = 0
    for seed in range(250):
        text = Scribbler(random.Random(seed)).file()
        if (found := laid_out(text)) is not None:
            done += 1
            assert not text.startswith("top: 1") or tree(found) == tree(text)
    assert done > 80


def test_packs_with_marks_all_over_them_keep_them_and_decide_the_same():
    done = 0
    for seed in range(8):
        chance = random.Random(seed)
        name = chance.choice([name for name in PACKS if not name.endswith(("_test", "people"))])
        if (found := laid_out(marked(chance, PACKS[name]))) is None:
            continue
        done += 1
        before, after = load_text(PACKS[name], "p.yaml"), load_text(found, "p.yaml")
        assert [(rule.id, rule.then, str(rule.when and rule.when.tree)) for rule in before.rules] == [
            (rule.id, rule.then, str(rule.when and rule.when.tree)) for rule in after.rules
        ]
        assert (before.facts, before.tables, before.calendars) == (after.facts, after.tables, after.calendars)
    assert done > 5


def test_a_file_that_cannot_be_written_is_said_in_words(elsewhere, command, monkeypatch):
    (elsewhere / "p.yaml").write_text("a:   1\n")

    def refused(*_given, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.write_text", refused)
    said = command("policy", "fmt", "p.yaml")
    expected = "error: expected a file that can be written, got `p.yaml`: Permission denied\n"
    assert (said.code, said.err) == (2, expected)


@pytest.mark.parametrize(
    "text",
    [
        "a: |\n  x\n\nb: 1\n",  # an empty line below a block belongs to nobody
        "l:\n  - >-\n    x\n  # about the next\n  - y\n",
        "l:\n  - - x\n    - y\n",
        "k: |-\n  x\n",
    ],
)
def test_what_is_laid_out_already_is_left_as_it_is(text):
    assert format_text(text, "p.yaml") == text


@pytest.mark.parametrize(
    "text, expected",
    [
        ("k: |\n  x", "k: |-\n  x\n"),  # without a line's end there is none in the text
        ("k: |+\n  x\n\n", 'k: "x\\n\\n"\n'),  # a file's last empty lines are no place for a text
        ("k: |2\n    x\n  y\n", "k: |2\n    x\n  y\n"),
        ("l:\n  - [[a, b],  # why\n     c]\n", "l:\n  - - [a, b]  # why\n    - c\n"),
        ("l:\n  - [a,  # why\n     b]\n", "l:\n  - - a  # why\n    - b\n"),
        ("k: >-\n    x\n      # not a remark\nl: 1\n", "k: >-\n  x\n    # not a remark\nl: 1\n"),
        ("k: >-\n    x\n   # a remark\nl: 1\n", "k: >-\n  x\n# a remark\nl: 1\n"),
        ("ab:  1\nabcdef:\n  2\nc:   3\n", "ab:     1\nabcdef: 2\nc:      3\n"),
    ],
)
def test_layouts_that_went_wrong_once(text, expected):
    assert format_text(text, "p.yaml") == expected
    assert tree(expected) == tree(text)
    assert format_text(expected, "p.yaml") == expected
