"""The tool with which a model looks up what became of an earlier request: it reads, and stores and decides nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from agentguard.core.decision import Reason
from agentguard.core.policy import Verdict
from agentguard.engine.answers import Answer, Denied
from agentguard.engine.guard import Guard
from agentguard.errors import NotFoundError

CHECK: Final = "check_action"
_ARGUMENT = "decision_id"

FUNCTION: Final[Mapping[str, Any]] = {
    "name": CHECK,
    "description": (
        "Look up what became of an earlier request of this customer that was waiting for a person or in doubt. It "
        "changes nothing. Use it when the customer asks, not again and again."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            _ARGUMENT: {"type": "string", "description": "The `decision_id` in the answer to the earlier request."}
        },
        "required": [_ARGUMENT],
        "additionalProperties": False,
    },
    "strict": True,
}
"""As OpenAI's interfaces describe a function."""


def may_wait(guard: Guard, action: str) -> bool:
    """Return whether people may have to decide an action, so that there is something to look up later."""
    return any(policy.routes for policy in guard.bundle.governing(action))


def checked(guard: Guard, arguments: str, *, on_behalf_of: str, tenant: str | None) -> Answer:
    """Return how an earlier request of this customer stands; another one's is as if there were none."""
    try:
        given = json.loads(arguments)
        decision_id = given[_ARGUMENT] if isinstance(given, dict) and given.keys() == {_ARGUMENT} else None
    except (ValueError, RecursionError):
        decision_id = None
    if not isinstance(decision_id, str):
        return _refused("arguments_invalid", f'{_ARGUMENT}: expected {{"{_ARGUMENT}": "act_…"}} and nothing else')
    try:
        return guard.check(decision_id, on_behalf_of=on_behalf_of, tenant=tenant or guard.tenant)
    except NotFoundError as error:
        return _refused(error.code, f"{_ARGUMENT}: no request of this customer has this id")


def _refused(code: str, problem: str) -> Denied:
    return Denied(decision_id="", action=CHECK, reasons=(Reason(code, CHECK, Verdict.DENY),), problems=(problem,))
