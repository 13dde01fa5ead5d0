"""The two OpenAI shapes that the scripted model server speaks: chat completions and Responses, plain and streamed.

It also refuses what the real service refuses (tool calls without answers, schemas that are not strict), so that a test
against it means something. Everything else about the service is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from agentguard.testing.script import Heard, ToolCall, Turn

USAGE_CHAT = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
USAGE_RESPONSES = {
    "input_tokens": 1,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 1,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 2,
}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MODELS_ITEMS = frozenset({"function_call", "custom_tool_call", "reasoning"})
_TOOLS_ITEMS = frozenset({"function_call_output", "custom_tool_call_output"})


class RefusedRequestError(Exception):
    """The service would answer 400; the text says why."""


def named(turn: Turn, script: str, position: int) -> list[ToolCall]:
    """Return the turn's calls, each with an id that is the same every time."""
    return [
        ToolCall(item.name, item.arguments, item.id or f"call_{script}_{position}_{number}", item.custom)
        for number, item in enumerate(turn.calls, start=1)
    ]


def chat_position(messages: list[dict[str, Any]]) -> int:
    """Return how many turns the model has had, and refuse a conversation that leaves a call without its answer."""
    _refuse_unanswered(messages)
    return sum(1 for message in messages if message["role"] == "assistant")


def chat_heard(messages: list[dict[str, Any]]) -> Heard:
    """Return what the model has heard."""
    everything = [(index, _parsed(item["content"])) for index, item in enumerate(messages) if item["role"] == "tool"]
    spoken = max((index for index, item in enumerate(messages) if item["role"] == "assistant"), default=-1)
    users = [str(item["content"]) for item in messages if item["role"] == "user"]
    return Heard(
        users[-1] if users else "",
        tuple(value for index, value in everything if index > spoken),
        tuple(value for _, value in everything),
    )


def chat_body(turn: Turn, calls: list[ToolCall], model: str, number: int) -> dict[str, Any]:
    """Return a chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": turn.text or None, "refusal": None}
    if calls:
        message["tool_calls"] = [_chat_call(item) for item in calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(turn)}
    identity = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": 0, "model": model}
    return {**identity, "choices": [choice], "usage": USAGE_CHAT}


def chat_chunks(turn: Turn, calls: list[ToolCall], model: str, number: int) -> Iterator[str]:
    """Yield a chat completion as server-sent events, the arguments of calls in pieces."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if turn.text:
        deltas.append({"content": turn.text})
    for index, item in enumerate(calls):
        function = {"name": item.name, "arguments": ""}
        deltas.append({"tool_calls": [{"index": index, "id": item.id, "type": "function", "function": function}]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in _pieces(item.arguments)
        ]
    identity = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 0, "model": model}
    ends: list[tuple[dict[str, Any], str | None]] = [*((delta, None) for delta in deltas), ({}, _finish(turn))]
    for delta, finish in ends:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        yield f"data: {json.dumps({**identity, 'choices': [choice]})}\n\n"
    yield "data: [DONE]\n\n"


def responses_position(items: list[dict[str, Any]]) -> int:
    """Return how many turns the model has had, counting neighbouring output items as one."""
    turns = 0
    speaking = False
    for item in items:
        by_model = _by_model(item)
        turns += by_model and not speaking
        speaking = by_model
    asked = [item["call_id"] for item in items if item.get("type") in {"function_call", "custom_tool_call"}]
    answered = {item["call_id"] for item in items if item.get("type") in _TOOLS_ITEMS}
    for call_id in asked:
        if call_id not in answered:
            raise RefusedRequestError(f"No tool output found for function call {call_id}.")
    for call_id in answered - set(asked):
        raise RefusedRequestError(f"No tool call found for function call output with call_id {call_id}.")
    return turns


def responses_heard(items: list[dict[str, Any]]) -> Heard:
    """Return what the model has heard."""
    everything = [(at, _parsed(item["output"])) for at, item in enumerate(items) if item.get("type") in _TOOLS_ITEMS]
    spoken = max((at for at, item in enumerate(items) if _by_model(item)), default=-1)
    users = [str(item["content"]) for item in items if item.get("role") == "user"]
    return Heard(
        users[-1] if users else "",
        tuple(value for at, value in everything if at > spoken),
        tuple(value for _, value in everything),
    )


def responses_body(turn: Turn, calls: list[ToolCall], model: str, number: int) -> dict[str, Any]:
    """Return a response."""
    output = [_responses_call(item) for item in calls]
    if turn.text:
        content = [{"type": "output_text", "text": turn.text, "annotations": [], "logprobs": []}]
        message = {
            "type": "message",
            "id": f"msg_{number}",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }
        output.insert(0, message)
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 0,
        "status": "incomplete" if turn.cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if turn.cut else None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": USAGE_RESPONSES,
    }


def responses_events(body: dict[str, Any]) -> Iterator[str]:
    """Yield a response as server-sent events."""
    events: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": {**body, "status": "in_progress", "output": [], "usage": None}})
    ]
    for index, item in enumerate(body["output"]):
        place = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "function_call":
            begun = {**item, "arguments": "", "status": "in_progress"}
            events.append(("response.output_item.added", {"output_index": index, "item": begun}))
            written_so_far = [{**place, "delta": piece} for piece in _pieces(item["arguments"])]
            events += [("response.function_call_arguments.delta", fields) for fields in written_so_far]
            written = {"arguments": item["arguments"], "name": item["name"]}
            events.append(("response.function_call_arguments.done", {**place, **written}))
        else:
            events.append(("response.output_item.added", {"output_index": index, "item": item}))
        events.append(("response.output_item.done", {"output_index": index, "item": item}))
    events.append((f"response.{body['status']}", {"response": body}))
    for number, (kind, fields) in enumerate(events):
        yield f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': number, **fields})}\n\n"


def refuse_bad_tools(tools: list[dict[str, Any]]) -> None:
    """Refuse what the service refuses: bad names, names twice, and schemas that are not strict."""
    seen: set[str] = set()
    for tool in tools:
        function = tool.get("function", tool)
        name = function.get("name", "")
        if not _NAME.fullmatch(name):
            raise RefusedRequestError(f"Invalid tools name: '{name}' does not match '^[a-zA-Z0-9_-]+$'.")
        if name in seen:
            raise RefusedRequestError(f"Tool names must be unique: '{name}'.")
        seen.add(name)
        if function.get("strict"):
            _refuse_loose(function.get("parameters"), name)


def _refuse_loose(schema: Any, where: str) -> None:
    if not isinstance(schema, Mapping):
        raise RefusedRequestError(f"Invalid schema for function '{where}': expected an object.")
    kinds = schema.get("type", [])
    if "object" in ([kinds] if isinstance(kinds, str) else kinds):
        if schema.get("additionalProperties") is not False:
            raise RefusedRequestError(f"Invalid schema for function '{where}': 'additionalProperties' must be false.")
        if set(schema.get("required", [])) != set(schema.get("properties", {})):
            raise RefusedRequestError(f"Invalid schema for function '{where}': 'required' must name every property.")
        for name, part in schema.get("properties", {}).items():
            _refuse_loose(part, f"{where}.{name}")
    elif "array" in ([kinds] if isinstance(kinds, str) else kinds):
        _refuse_loose(schema.get("items"), f"{where}[]")
    elif "anyOf" in schema:
        for part in schema["anyOf"]:
            _refuse_loose(part, where)
    elif not kinds:
        raise RefusedRequestError(f"Invalid schema for function '{where}': schema must have a 'type' key.")


def _refuse_unanswered(messages: list[dict[str, Any]]) -> None:
    open_calls: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                raise RefusedRequestError(
                    "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                )
            open_calls.remove(message["tool_call_id"])
        elif open_calls:
            break
        else:
            open_calls = [item["id"] for item in message.get("tool_calls") or []]
    if open_calls:
        raise RefusedRequestError(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(open_calls)}"
        )


def _by_model(item: Mapping[str, Any]) -> bool:
    return item.get("type") in _MODELS_ITEMS or item.get("role") == "assistant"


def _chat_call(item: ToolCall) -> dict[str, Any]:
    if item.custom:
        return {"id": item.id, "type": "custom", "custom": {"name": item.name, "input": item.arguments}}
    return {"id": item.id, "type": "function", "function": {"name": item.name, "arguments": item.arguments}}


def _responses_call(item: ToolCall) -> dict[str, Any]:
    identity = {"id": f"item_{item.id}", "call_id": item.id, "name": item.name}
    if item.custom:
        return {"type": "custom_tool_call", **identity, "input": item.arguments}
    return {"type": "function_call", **identity, "arguments": item.arguments, "status": "completed"}


def _finish(turn: Turn) -> str:
    if turn.cut:
        return "length"
    return "tool_calls" if turn.calls else "stop"


def _pieces(text: str) -> list[str]:
    return [text[start : start + 12] for start in range(0, len(text), 12)]


def _parsed(content: Any) -> Any:
    try:
        return json.loads(content)
    except (TypeError, ValueError):
        return content
