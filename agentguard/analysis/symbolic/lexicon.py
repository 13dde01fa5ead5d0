"""Texts in formulas: each is a number, and what is asked of it beside equality is a function of that number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import z3

from agentguard.analysis.symbolic.logic import Truth, Whole

TESTS: dict[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
}
ANYTHING = "A"
UNWRITTEN = "A-"
"""How a text is written that a policy says nothing of."""
_MOST_LETTERS = 10_000


class Lexicon:
    """The texts that policies write, and the questions they ask of texts.

    Attributes:
        asked: By question: the function of the solver that answers it for a number.
    """

    def __init__(self) -> None:
        self._codes: dict[str, int] = {ANYTHING: 0}
        self._texts: list[str] = [ANYTHING]
        self.asked: dict[tuple[str, str], Any] = {}
        self._sizes: Any = None

    def code(self, text: str) -> int:
        """Return the number of a written text."""
        known = self._codes.setdefault(text, len(self._texts))
        if known == len(self._texts):
            self._texts.append(text)
        return known

    def ask(self, test: str, of: Whole, part: Whole) -> Truth | None:
        """Return whether a text begins with, ends in or contains another; None where the other is not written out."""
        if not isinstance(part, int):
            return None
        written = self._texts[part]
        if isinstance(of, int):
            return TESTS[test](self._texts[of], written)
        asked = self.asked.setdefault((test, written), z3.Function(f"{test} {written}", z3.IntSort(), z3.BoolSort()))
        return asked(of)

    def answer(self, test: str, of: int, part: int) -> bool | None:
        """Return the answer for two written texts, or None where one is not written."""
        if max(of, part) >= len(self._texts):
            return None
        return TESTS[test](self._texts[of], self._texts[part])

    def size(self, of: Whole) -> Whole:
        """Return how many characters a text has."""
        if isinstance(of, int):
            return len(self._texts[of])
        if self._sizes is None:
            self._sizes = z3.Function("size", z3.IntSort(), z3.IntSort())
        return self._sizes(of)

    @property
    def has_functions(self) -> bool:
        """Whether more is asked of texts than whether they are equal."""
        return bool(self.asked) or self._sizes is not None

    @property
    def extent(self) -> tuple[int, int, bool]:
        """What `facts` grows with: how many texts there are, how much is asked of them, and whether their sizes are."""
        return len(self._texts), len(self.asked), self._sizes is not None

    def facts(self) -> list[Truth]:
        """Return what is true of the written texts, and of every text."""
        found: list[Truth] = []
        for (test, part), answers in self.asked.items():
            found += [answers(code) == TESTS[test](text, part) for code, text in enumerate(self._texts)]
        if self._sizes is not None:
            found += [self._sizes(code) == len(text) for code, text in enumerate(self._texts)]
        return found

    def bounds(self, of: Whole) -> list[Truth]:
        """Return what is true of the size of a text that is not written."""
        return [] if self._sizes is None else [self._sizes(of) >= 0, self._sizes(of) <= _MOST_LETTERS]

    def text(self, code: int, model: Any) -> str:
        """Return a text for a number in a model: the written one, or one that answers every question the same."""
        if 0 <= code < len(self._texts):
            return self._texts[code]
        said = {
            question: z3.is_true(model.eval(answers(code), model_completion=True))
            for question, answers in self.asked.items()
        }
        wanted = {test: [part for (asked, part), yes in said.items() if yes and asked == test] for test in TESTS}
        first, last = (max(wanted[test], key=len, default="") for test in ("startsWith", "endsWith"))
        inner = "".join(part for part in wanted["contains"] if part not in first)
        start = f"{first}{inner}{UNWRITTEN if not said else ''}"
        if self._sizes is None:
            number = str(code)
            while f"{start}{number}{last}" in self._codes:  # a text that was made before, and is written by now
                number += "'"
            return f"{start}{number}{last}"
        made = f"{start}{code}{last}"
        size = model.eval(self._sizes(code), model_completion=True).as_long()
        return made[:size] if len(made) > size else f"{first}{inner}{'x' * (size - len(made))}{code}{last}"
