"""Whatever a file holds, only the policy error comes out: never a traceback, never a half-read policy."""

import random
from pathlib import Path

import pytest

from agentguard.errors import PolicyError
from agentguard.policyfile import format_text, load_cases_text, load_people_text, load_text
from agentguard.policyfile.read import decode
from tests.policyfile.broken import BASE, CASES, marked

pytestmark = pytest.mark.no_cover  # what it runs again and again is run by other tests too

ROOT = Path(__file__).resolve().parents[2]
PIECES = [
    *": - # , [ ] { } ( ) ' \" ! & * | > % @ ` ? = <",
    *("\t", "\x00", "\ufeff", "\u2028", "é", "😀", "\n", "  ", "\r\n", "\n\n", "- ", ": ", " #", "---", "...", "<<: "),
    *("| \n", ">-\n", "null", "~", "yes", "1e9", ".nan", "0x1F", "allow", "deny", "escalate to lead", "when:", "and"),
    *("or", "not", "has(", "{amount}", "${x}", "!!python/object:os.system", "&a", "*a", "9" * 40, "a" * 5000),
    *("(" * 100, "[" * 100, "{" * 100),
]


def mutated(text, chance):
    """Change a text in one to four places: bytes, pieces, lines, swaps."""
    for _ in range(chance.randint(1, 4)):
        kind = chance.randrange(7)
        at = chance.randrange(len(text) + 1)
        if kind == 0:
            text = text[:at] + chance.choice(PIECES) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + chance.randint(1, 8) :]
        elif kind == 2:
            text = text[:at] + chr(chance.choice([chance.randrange(128), chance.randrange(0x11000)])) + text[at + 1 :]
        else:
            lines = text.split("\n")
            first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
            if kind == 3:
                lines[first], lines[second] = lines[second], lines[first]
            elif kind == 4:
                lines.insert(first, lines[second])
            elif kind == 5:
                del lines[first]
            else:
                lines[first] = " " * chance.randint(0, 3) + lines[first].lstrip()
            text = "\n".join(lines)
    return text


def read_or_refuse(reader, text):
    """Read a text; return whether it was refused with problems that say where they are."""
    problems = ()
    try:
        reader(text, "fuzzed.yaml")
    except PolicyError as error:
        problems = error.problems
    else:
        return False
    lines = text.replace("\r\n", "\n").count("\n") + 2
    assert problems
    for problem in problems:
        assert 0 <= problem.line <= lines
        assert problem.column >= 0
        assert problem.message
    return True


@pytest.mark.parametrize("seed", range(8))
def test_a_mutated_policy_is_read_or_refused_and_nothing_else(seed):
    chance = random.Random(seed)
    refused = sum(read_or_refuse(load_text, mutated(BASE, chance)) for _ in range(40))
    assert refused > 20


@pytest.mark.parametrize(
    "reader, name", [(load_cases_text, "refunds/refunds_test.yaml"), (load_people_text, "people.yaml")]
)
def test_mutated_test_and_people_files_are_read_or_refused_and_nothing_else(reader, name):
    chance = random.Random(1)
    text = (ROOT / "policies" / name).read_text(encoding="utf-8")[:3000]
    for _ in range(40):
        read_or_refuse(reader, mutated(text, chance))


def test_mutated_conditions_of_a_broken_file_never_end_in_a_traceback():
    chance = random.Random(2)
    for _ in range(60):
        read_or_refuse(load_text, mutated(marked(chance.choice(CASES)[2])[0], chance))


def test_laying_out_a_mutated_file_changes_nothing_or_refuses():
    chance = random.Random(3)
    for _ in range(60):
        read_or_refuse(format_text, mutated(BASE, chance))


def test_random_bytes_are_refused():
    chance = random.Random(4)
    for length in (1, 2, 3, 10, 100, 1000):
        for _ in range(10):
            read_or_refuse(lambda data, file: load_text(decode(data, file), file), Bytes(chance.randbytes(length)))


class Bytes(bytes):
    """Bytes that count their lines like text."""

    def replace(self, *_):
        return self.decode("latin-1")
