"""Something that lint found with the solver, where it is and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from agentguard.core.policy import Place
from agentguard.errors import Problem


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at a place: a code, and words that say what to do."""

    place: Place
    code: str
    message: str

    @property
    def problem(self) -> Problem:
        """The same as messages about files are told."""
        return Problem(self.place.file, self.place.line, self.place.column, self.code, self.message)
