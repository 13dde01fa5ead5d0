"""The problems of a file, collected so that all of them are told at once.

A mistake gets one message. What a broken entry would have declared is remembered in `broken`, so that what refers to it
is not reported again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from agentguard.core.language.suggest import did_you_mean
from agentguard.core.policy import Place
from agentguard.errors import PolicyError, Problem
from agentguard.policyfile.node import Node

MOST_PROBLEMS = 200

_FOLLOWING = ("unknown_name", "not_readable")
_READABLE = ("facts", "arguments", "context", "names", "tables", "calendars", "limits", "requires")
_WHOLE = {(section, "*") for section in _READABLE}
_WORD = re.compile(r"[\"']?[\w.-]+")


class Problems:
    """What is wrong so far in one file.

    Attributes:
        broken: Names of entries that were dropped because they are wrong, as (section, name); `*` for a whole section.
        misspelt: Where entries begin of which a key was taken out that nobody knows.
        torn: Where brackets begin of which YAML made other pieces than their author meant; nothing is missing in them.
        limits: Ids of all limits of the file, whether they can be read somewhere or not.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.broken: set[tuple[str, str]] = set()
        self.limits: set[str] = set()
        self.misspelt: set[Place] = set()
        self.torn: set[Place] = set()
        self._found: dict[tuple[int, int, str], Problem] = {}

    def inside(self) -> Problems:
        """Return an empty collection for a part of the file, which knows what is broken in the rest of it."""
        part = Problems(self.file)
        part.broken, part.limits = self.broken, self.limits
        part.misspelt, part.torn = self.misspelt, self.torn
        return part

    def add(self, place: Place, code: str, message: str) -> None:
        """Remember a problem; a second one with the same code at the same place is the same mistake."""
        known = place.line, place.column, code
        if known not in self._found and len(self._found) < MOST_PROBLEMS:
            self._found[known] = Problem(place.file, place.line, place.column, code, " ".join(message.split()))

    def is_broken(self, section: str, name: str) -> bool:
        """Return whether an entry was taken out because it is wrong."""
        return (section, name) in self.broken or (section, "*") in self.broken

    def is_mended(self, node: Node) -> bool:
        """Return whether something was taken out of an entry because it is wrong, so that what lacks may be that."""
        return node.place in self.torn or node.place in self.misspelt

    def follows(self, code: str, text: str) -> bool:
        """Return whether a problem in a condition only follows from another one that was told already.

        Args:
            code: The problem's code.
            text: The condition from the place of the problem on.
        """
        if code not in _FOLLOWING:
            return False
        if self.broken & _WHOLE or any(section == "actions" for section, _ in self.broken):
            return True
        word = _WORD.match(text)
        parts = word.group().strip("\"'").split(".") if word else []
        said = {".".join(parts[:count]) for count in range(1, len(parts) + 1)} | {".".join(parts[1:])}
        return any(name in said for section, name in self.broken if section in _READABLE)

    def __bool__(self) -> bool:
        return bool(self._found)

    def sorted(self) -> tuple[Problem, ...]:
        """Return the problems in the order of their places."""
        return tuple(sorted(self._found.values()))

    def raise_if_any(self) -> None:
        """Raise the policy error when something is wrong.

        Raises:
            PolicyError: With every problem found so far.
        """
        if self._found:
            raise PolicyError(self.sorted())


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?` for the nearest known word, or nothing."""
    return did_you_mean(word, list(known))


def one_of(words: Iterable[str]) -> str:
    """Return words as a reader would list them: `a`, `b` or `c`."""
    quoted = [f"`{word}`" for word in words]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " or " + quoted[-1]
