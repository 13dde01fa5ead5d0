"""The customer's side of an action: the yes they said to it, what they were told about it, and the letter they get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentguard.core.letter import Letter
from agentguard.core.request import Actor
from agentguard.engine import letters
from agentguard.engine.answers import Answer
from agentguard.engine.asking import Given, Proposal
from agentguard.engine.checking import Checking
from agentguard.engine.confirming import Confirmation, confirm
from agentguard.engine.contesting import Contested, contest
from agentguard.engine.parts import Parts
from agentguard.engine.told import Telling, tell


class Customers:
    """What a guard does for customers; `Guard` has each of these as its own."""

    def __init__(self, parts: Parts, tenant: str, start: Callable[[], None]) -> None:
        self._parts = parts
        self._tenant = tenant
        self._start = start
        self._checking = Checking(parts)

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

    def pending(self, on_behalf_of: str, *, tenant: str | None = None) -> tuple[Answer, ...]:
        """Return what is still under way for a customer, the newest hundred first, wherever it was asked for.

        For a customer who comes back, in another conversation or on another channel: what waits for people, was
        approved and not yet done, or is in doubt, each as `check` answers. Nothing is decided, run or stored.

        Args:
            on_behalf_of: The customer.
            tenant: Whose records; the guard's own by default.

        Raises:
            StoreUnavailableError: The keys by which customers are found are not at hand.
        """
        return self._checking.pending(on_behalf_of, tenant or self._tenant)

    def confirm(
        self,
        action: str,
        arguments: Given,
        *,
        on_behalf_of: str,
        words: str,
        by: str | Actor,
        channel: str = "",
        key: str | None = None,
        context: Mapping[str, Any] | None = None,
        tenant: str | None = None,
    ) -> Confirmation:
        """Record the customer's yes to exactly this request, which `confirmed: this request` in a policy asks for.

        To be called where the host itself heard the yes: a button, a form, the customer's own message. One action uses
        it; whatever the agent changes, if only by a cent, is another request and takes another yes.

        Args:
            action: What was described to the customer.
            arguments: What would be asked for, as `run` gets it.
            on_behalf_of: The customer.
            words: What they said or pressed, word for word; sealed as personal.
            by: Who took it down: a person's id, a system's, or an `Actor`.
            channel: Where, like `chat` or `phone`.
            key: Names this one yes, so that a form which is sent twice is one.
            context: What the host knows of the situation, as for `run`.
            tenant: Whose records; the guard's own by default.

        Raises:
            KeyConflictError: The key names a yes to something else.
            UsageError: It is for nobody, nothing governs the action, or its arguments are wrong.
        """
        actor = by if isinstance(by, Actor) else Actor(by)
        proposal = Proposal(action, arguments, actor, on_behalf_of, context or {}, key, tenant or self._tenant)
        self._start()
        return confirm(self._parts, proposal, words, by=by, channel=channel)

    def contest(
        self, decision_id: str, words: str, *, by: str | Actor, channel: str = "", key: str | None = None
    ) -> Contested:
        """Let people who have not seen the case look at a denial anew, because the customer asks for it.

        Only where the policy says `contest`, so long after the denial as it says, and once for each action. Nobody
        votes who voted on it, viewed it or took the contest down. The denial stays: if they say yes, the last of them
        asks for the same in a new action (`relates_to` the denied one), which rules tell by `agent.kind`; `execute`
        with the ballot's `action_id` runs it, or the next round of a guard that has the tool.

        Args:
            decision_id: The action, as its answer names it.
            words: Why, in the customer's own words; sealed as personal.
            by: Who took it down: a person's id, a system's, or an `Actor`.
            channel: Where, like `letter` or `phone`.
            key: Names this one contest, so that a form which is sent twice is one; so do the same words without it.

        Raises:
            NotFoundError: No action has this id.
            KeyConflictError: The key names a contest in other words.
            UsageError: It was not denied, may not be contested (any more), or was contested before.
        """
        return contest(self._parts, decision_id, words, by=by, channel=channel, key=key)

    def letter(self, decision_id: str, language: str | None = None, names: Mapping[str, str] | None = None) -> Letter:
        """Return the customer's letter about an action: what was decided, why, on what data, and what would change it.

        Args:
            decision_id: The action, as its answer names it.
            language: `en`, `de`, `es` or `fr`; None for the one of the conversation, or English.
            names: What actions, arguments and facts are called in that language, by name in the policy files.

        Raises:
            NotFoundError: No action has this id.
            UsageError: There is no such language, nobody decided it here, or the customer was erased.
            StoreUnavailableError: The keys are not at hand.
        """
        return self._parts.store.read(
            lambda reading: letters.letter(self._parts, reading, decision_id, language, names)
        )
