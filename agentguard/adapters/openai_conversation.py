"""A conversation as it is handed to a model: the messages and items of either interface, and what a run may ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from agentguard.errors import UsageError

Message: TypeAlias = dict[str, Any]


def conversation(given: object) -> list[Message]:
    """Return a conversation as plain messages; those that the client's answers hold are taken as they are.

    Raises:
        UsageError: It is not a list of messages.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise UsageError(
            f'expected messages like `[{{"role": "user", "content": "…"}}]`, got {type(given).__name__}; put it in one'
        )
    return [_message(item) for item in given]


def answered(item: Any) -> Message:
    """Return a message or item of the client's as what can be sent back to it."""
    plain: Message = sendable(item.to_dict(exclude_none=True))
    return plain


def instructions(messages: Sequence[Message]) -> list[str]:
    """Return what the application told the model, for the record."""
    return [str(item.get("content", "")) for item in messages if item.get("role") in {"system", "developer"}]


def refuse_unfit(options: Mapping[str, Any]) -> None:
    """Refuse options that a run cannot keep.

    Raises:
        UsageError: It would have to offer other tools, or to read a stream.
    """
    if "tools" in options:
        raise UsageError(
            "a run offers the guard's actions alone, got `tools`; register what else the model may call as an action "
            "(`effect=Read()` where it only reads), or write the loop yourself with `chat_tools` and `handle_all`"
        )
    for unfit in ("stream", "background"):
        if options.get(unfit):
            raise UsageError(f"a run reads whole answers, got `{unfit}`; write the loop yourself and use `handle_all`")
    if options.get("conversation"):
        raise UsageError(
            "a run sends the whole conversation each time, got `conversation`, which keeps it a second time"
        )


def sendable(value: Any) -> Any:
    """Return it with half characters replaced, since no client can send them."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {name: sendable(item) for name, item in value.items()}
    return [sendable(item) for item in value] if isinstance(value, list) else value


def _message(item: Any) -> Message:
    if isinstance(item, Mapping):
        return dict(item)
    if callable(getattr(item, "to_dict", None)):
        return answered(item)
    raise UsageError(f"expected each message as a mapping or as the client gives it, got {type(item).__name__}")
