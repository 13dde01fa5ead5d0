"""A tool call as OpenAI's two interfaces write it, and the message that answers it.

Calls are read by their shape alone, objects of the client and plain mappings alike; nothing of the client is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agentguard.errors import UsageError

CALL_TYPES: Final = frozenset({"function", "custom", "function_call", "custom_tool_call"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One tool call.

    Attributes:
        type: As the interface calls it: `function`, `custom` (chat), `function_call`, `custom_tool_call` (Responses).
        id: What its answer must name; the key of the action. Empty where the server gave none.
        name: The function's name as the model wrote it, with its namespace if there is one.
        arguments: The raw text; empty where the interface says that the call is not complete.
    """

    type: str
    id: str
    name: str
    arguments: str

    def answered(self, content: str) -> dict[str, Any]:
        """Return the message that answers this call with this text."""
        match self.type:
            case "function" | "custom":
                return {"role": "tool", "tool_call_id": self.id, "content": content}
            case _:
                return {"type": f"{self.type}_output", "call_id": self.id, "output": content}


def read_call(call: Any) -> Asked:
    """Return what a call says.

    Raises:
        UsageError: It is not a call that the application answers.
    """
    kind = _text(call, "type")
    if kind == "function":
        function = _read(call, "function")
        return Asked(kind, _text(call, "id"), _text(function, "name"), _text(function, "arguments"))
    if kind == "custom":
        custom = _read(call, "custom")
        return Asked(kind, _text(call, "id"), _text(custom, "name"), _text(custom, "input"))
    if kind in CALL_TYPES:
        space = _text(call, "namespace")
        name = f"{space}/{_text(call, 'name')}" if space else _text(call, "name")
        whole = _text(call, "status") in {"", "completed"}
        text = _text(call, "arguments" if kind == "function_call" else "input")
        return Asked(kind, _text(call, "call_id"), name, text if whole else "")
    raise UsageError(
        f"expected a tool call of the types {', '.join(sorted(CALL_TYPES))}, got `{kind or type(call).__name__}`"
    )


def read_turn(turn: Any) -> list[Asked]:
    """Return the calls of a turn, in their order.

    Args:
        turn: A chat completion, its message, a response, or a list of calls or output items; other items are passed by.
    """
    if isinstance(turn, Sequence) and not isinstance(turn, str | bytes):
        return [read_call(item) for item in turn if _text(item, "type") in CALL_TYPES]
    choices = _read(turn, "choices")
    if choices:
        turn = _read(choices[0], "message")
    calls = _read(turn, "output") if _read(turn, "output") is not None else _read(turn, "tool_calls")
    if calls is None and _read(turn, "role") != "assistant":
        raise UsageError(
            f"expected a chat completion, a message, a response or a list of calls, got {type(turn).__name__}"
        )
    return read_turn(list(calls or ()))


def _read(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)


def _text(item: Any, name: str) -> str:
    value = _read(item, name)
    return value if isinstance(value, str) else ""
