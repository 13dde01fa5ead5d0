"""An action that has begun: what the tool is called with, and what its outcome will settle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from agentguard.core import entry
from agentguard.core.decision import Decision
from agentguard.core.language import Value, conform
from agentguard.core.needs import needs
from agentguard.core.plan import Environment, Plan, computed_arguments, environment
from agentguard.core.request import Fact, Request
from agentguard.engine.asking import Ask
from agentguard.engine.parts import Parts
from agentguard.engine.registry import Tool
from agentguard.errors import ConfigurationError, ConformError
from agentguard.store.records import EntryRef


class Undertaking(NamedTuple):
    """What was decided and begun, as far as its end needs it.

    Attributes:
        holds: By limit: the account's keyed digest and what is held on it.
        decided_at: The ledger's time of the decision.
        position, intent: Position and leaf of the entry that says it is about to happen.
        witness: It is carried out only after a witness has seen that entry.
        observed: Nothing is enforced: the tool takes the time that it takes, in the caller's own thread.
    """

    action_id: str
    request: Request
    pseudonym: str
    plan: Plan
    facts: Mapping[str, Fact]
    holds: Mapping[str, tuple[str, int]]
    decided_at: datetime
    standing: entry.Standing
    position: int
    intent: str
    tool: Tool
    witness: bool = False
    observed: bool = False

    @property
    def deadline(self) -> datetime | None:
        """Until when the tool may act."""
        return self.standing.deadline

    def parameters(self) -> dict[str, Any]:
        """Return what the tool is called with, by name: canonical arguments, computed ones, and what is injected."""
        arguments: dict[str, Any] = {**self.request.arguments}
        if self.plan.computed:
            values = environment(self.plan, self.request, self.facts, self.decided_at)
            arguments |= computed_arguments(self.plan, values)
        signature = self.tool.signature
        given = {name: value for name, value in arguments.items() if signature.accepts(name)}
        for name in self.plan.arguments:
            if name not in given and name in signature.required:
                given[name] = None
        injected = {
            "key": self.action_id,
            "deadline": self.deadline,
            "intent": self.intent,
            "on_behalf_of": self.request.on_behalf_of,
            "tenant": self.request.tenant,
        }
        return {**given, **{name: value for name, value in injected.items() if name in signature.parameters}}

    def real_values(self, given: Mapping[str, Any]) -> dict[str, Value]:
        """Return the real values of arguments that a tool's `settles` gave, in their declared types.

        Raises:
            ConformError: A value does not fit its argument's declared type, or is of no argument.
        """
        for name in given:
            if name not in self.plan.arguments:
                raise ConformError(
                    "unknown", f"`settles` gave `{name}`, which is no argument of `{self.request.action}`"
                )
        return {name: conform(self.plan.arguments[name].type, value) for name, value in given.items()}

    def settled_amounts(self, parts: Parts, real: Mapping[str, Value]) -> dict[str, int]:
        """Return what really happened by account, where real values of arguments differ from what was asked.

        Raises:
            ConformError: A real value would count on another account than the one that was held on: another currency,
                another key of a limit.
        """
        plan, request = self._as_done(real)
        wanted = needs(plan, request, self.facts, self.decided_at)
        amounts: dict[str, int] = {}
        for limit, (account, _) in self.holds.items():
            need = wanted.accounts.get(limit)
            if need is None:
                continue
            if parts.keyed(need.account) != account:
                raise ConformError("other_account", f"`settles` gave values that limit `{limit}` counts elsewhere")
            amounts[account] = need.amount
        return amounts

    def values(self, real: Mapping[str, Value]) -> Environment:
        """Return what conditions read of the action as it really was done."""
        plan, request = self._as_done(real)
        return environment(plan, request, self.facts, self.decided_at)

    def _as_done(self, real: Mapping[str, Value]) -> tuple[Plan, Request]:
        plan = replace(self.plan, computed={name: how for name, how in self.plan.computed.items() if name not in real})
        return plan, replace(self.request, arguments={**self.request.arguments, **real})

    def about(self, standing: entry.Standing) -> dict[str, Any]:
        """Return what every entry of this action says, with where it stands after it."""
        return entry.about(self.action_id, self.request, self.pseudonym, standing)


def undertaking(
    parts: Parts,
    asked: Ask,
    facts: Mapping[str, Fact],
    decided_at: datetime,
    decision: Decision,
    standing: entry.Standing,
    written: EntryRef,
    *,
    observed: bool = False,
) -> Undertaking:
    """Return what begins with a decision that permits it, or that is not enforced."""
    return Undertaking(
        action_id=asked.action_id,
        request=asked.request,
        pseudonym=asked.pseudonym,
        plan=asked.plan,
        facts=facts,
        holds={
            check.limit: (parts.account(check.account), check.amount)
            for check in decision.limits
            if check.account and check.amount > 0
        },
        decided_at=decided_at,
        standing=standing,
        position=written.pos,
        intent=written.leaf,
        tool=tool_of(parts, asked.request.action),
        witness=decision.witness and not observed,
        observed=observed,
    )


def tool_of(parts: Parts, action: str) -> Tool:
    """Return an action's tool.

    Raises:
        ConfigurationError: None is registered in this process.
    """
    tool = parts.registry.tools.get(action)
    if tool is None:
        raise ConfigurationError([f'no tool is registered for `{action}`; add `@guard.action("{action}")`'])
    return tool
