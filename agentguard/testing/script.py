"""What a scripted model says: turns of text or tool calls, some of which look at what the tools answered.

There is no model here. A script is a list, one turn after the other, so that a test or a demonstration plays the same
conversation each time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that the model asks for.

    Attributes:
        name: The function's name as the model sees it, `refund_issue`.
        arguments: The raw text that is sent, JSON or not.
        id: The call's id; empty for one made from the script's name and the turn.
        custom: It is a call of a custom tool, whose input is free text.
    """

    name: str
    arguments: str
    id: str = ""
    custom: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of the model: text, calls, or both; `cut` says that it ran into the length limit."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What the model has heard when its next turn is due.

    Attributes:
        last: The newest text of the user.
        results: What the tools answered since the model's last turn, parsed, in the order of the calls.
        everything: Every tool answer of the conversation so far.
    """

    last: str
    results: tuple[Any, ...]
    everything: tuple[Any, ...]

    @property
    def words(self) -> str:
        """What the newest answer gives the agent to say to the customer, or empty."""
        newest = self.results[-1] if self.results else None
        return str(newest.get("say_to_customer", "")) if isinstance(newest, Mapping) else ""


Said: TypeAlias = Turn | Callable[[Heard], Turn]
Script: TypeAlias = Sequence[Said]


def say(text: str) -> Turn:
    """Return a turn of text."""
    return Turn(text=text)


def call(name: str, arguments: Mapping[str, Any] | str, *, id: str = "") -> ToolCall:
    """Return a tool call; a mapping is written as JSON, text is sent as it is."""
    return ToolCall(name, arguments if isinstance(arguments, str) else json.dumps(arguments), id)


def calls(*several: ToolCall, text: str = "") -> Turn:
    """Return a turn that asks for all these calls at once."""
    return Turn(text=text, calls=several)


def tell(fallback: str = "Done.") -> Said:
    """Return a turn that passes on what the guard gave to say, as a well-behaved model does."""
    return lambda heard: Turn(text=heard.words or fallback)
