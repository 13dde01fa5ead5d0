"""The customer's side of an action: what they were told about it."""

from __future__ import annotations

from agentguard.core.request import Actor
from agentguard.engine.parts import Parts
from agentguard.engine.told import Telling, tell


class Customers:
    """What a guard does for customers; `Guard` has each of these as its own."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def told(
        self, decision_id: str, words: str, *, by: str | Actor, channel: str = "", key: str | None = None
    ) -> Telling:
        """Record what a customer was really told about an action, word for word and sealed as personal.

        Args:
            decision_id: The action, as its answer names it.
            words: What was said or written.
            by: Who said it: the agent's id, a person's, or an `Actor`.
            channel: Where, like `chat` or `letter`.
            key: Names this one telling; the same words on the same channel are one without it.

        Raises:
            NotFoundError: No action has this id.
            KeyConflictError: Something else was told under this key.
            UsageError: Nothing was said, too much, or by nobody.
        """
        return tell(self._parts, decision_id, words, by=by, channel=channel, key=key)
