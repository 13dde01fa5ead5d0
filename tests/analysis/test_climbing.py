"""The largest that something can be is only called known where everything larger was ruled out."""

from dataclasses import dataclass

import pytest

from agentguard.analysis.climbing import Top, climb


@dataclass
class Found:
    example: int | None
    proved: bool


class Numbers:
    """Stands for a search among the numbers up to a largest one; past some number it can prove nothing."""

    def __init__(self, largest, unsure_above):
        self.largest, self.unsure_above = largest, unsure_above

    def find(self, wanted, _confirm):
        asked = []
        wanted(Size(asked))
        (least,) = asked
        if least <= self.largest:
            return Found(max(least, 1), proved=True)
        return Found(None, proved=least > self.unsure_above)


class Size:
    """A size that notes what it is compared with."""

    def __init__(self, asked):
        self.asked = asked

    def __ge__(self, least):
        self.asked.append(least)
        return True


@pytest.mark.parametrize(
    "largest, unsure_above, exact",
    [(700, 0, True), (700, 700, True), (700, 701, False), (700, 2**62, False), (1, 0, True)],
)
def test_a_largest_one_is_exact_only_if_nothing_above_it_was_left_open(largest, unsure_above, exact):
    top = climb(
        Numbers(largest, unsure_above), lambda size: size, lambda example: example, lambda _: True, lambda _: True
    )
    assert top == Top(largest, largest, exact)


@pytest.mark.parametrize("proved", [True, False])
def test_where_there_is_none_at_all_there_is_no_example(proved):
    search = Numbers(-1, -1 if proved else 2**62)
    top = climb(search, lambda size: size, lambda example: example, lambda _: True, lambda _: True)
    assert top == Top(None, 0, proved)
