"""The door to OpenAI: tools for a model from the guard's actions, and an answer to each call that the model makes.

It speaks chat completions and Responses. A call goes to the guard as the raw text that the model wrote, with the call's
own id as key, so a turn that is played twice acts once. Tools that OpenAI runs itself (web search, hosted MCP servers,
code) never pass here and are not governed.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from agentguard.adapters.check_tool import CHECK, FUNCTION, checked, may_wait
from agentguard.adapters.openai_calls import Asked, read_call, read_turn
from agentguard.adapters.openai_conversation import (
    Message,
    answered,
    conversation,
    instructions,
    refuse_unfit,
    sendable,
)
from agentguard.adapters.tool_result import shown
from agentguard.adapters.tool_schema import arguments_schema
from agentguard.core.decision import Reason
from agentguard.core.digest import digest
from agentguard.core.policy import Verdict
from agentguard.core.request import Actor
from agentguard.engine.answers import Answer, Denied, Done, Unavailable
from agentguard.engine.guard import Guard
from agentguard.engine.machine import in_thread
from agentguard.errors import ConfigurationError, KeyConflictError, UsageError

MAX_TURNS: Final = 10
MAX_WORKERS: Final = 8
NOT_OFFERED: Final = "not_offered/"
"""Leads the name under which a call of a tool that was not offered is refused and recorded; no action has a `/`."""

_UNUSUAL = re.compile(r"[^A-Za-z0-9_.-]")
_FUNCTION_CALLS = frozenset({"function", "function_call"})
_MAX_NAME = 64
_MAX_KEY = 200


@dataclass(frozen=True, slots=True)
class Run:
    """What a complete run of a model came to.

    Attributes:
        text: The model's last words; empty if it was still calling tools when its turns were used up.
        messages: The whole conversation, to go on with.
        answers: What the guard answered, in the order of the calls.
        finished: False where the turns were used up.
    """

    text: str
    messages: list[Message]
    answers: tuple[Answer, ...]
    finished: bool


@dataclass(frozen=True, slots=True)
class _Ask:
    """A step of a run: ask the model."""

    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Act:
    """A step of a run: answer these calls, all at once, as this actor's."""

    calls: list[Asked]
    actor: Actor


_Steps: TypeAlias = Generator[_Ask | _Act, Any, Run]


class OpenAITools:
    """The guard's actions as tools for one agent in one conversation with one customer.

    Args:
        guard: Where the calls go.
        agent: Who acts; a name, or an `Actor` with its version and model.
        on_behalf_of: The customer acted for, as the application knows them, never as the model says.
        context: What the application says about the situation; its `conversation` keeps the keys of two apart.
        actions: Only these are offered, and only these can be called; left out: every action that has a tool.

    Raises:
        ConfigurationError: Two actions would have the same function name, or an action is not there.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        agent: str | Actor,
        on_behalf_of: str,
        context: Mapping[str, Any],
        tenant: str | None = None,
        actions: Iterable[str] | None = None,
    ) -> None:
        guard.start()
        self._guard = guard
        self._actor = agent if isinstance(agent, Actor) else Actor(agent)
        self._caller: dict[str, Any] = {"on_behalf_of": on_behalf_of, "context": context, "tenant": tenant}
        self._actions = _function_names(guard, actions)
        self._may_check = any(may_wait(guard, action) for action in self._actions.values())

    @property
    def chat_tools(self) -> list[Message]:
        """The `tools` of a chat completion."""
        return [{"type": "function", "function": function} for function in self._functions()]

    @property
    def response_tools(self) -> list[Message]:
        """The `tools` of a response."""
        return [{"type": "function", **function} for function in self._functions()]

    def handle(self, call: Any) -> Message:
        """Return the message that answers one tool call of either interface."""
        asked = read_call(call)
        return asked.answered(_content(self._answer(asked, self._actor)))

    def handle_all(self, turn: Any) -> list[Message]:
        """Return the messages that answer a turn's calls, in their order; the calls run together.

        Args:
            turn: A chat completion, its message, a response, or a list of calls.
        """
        return [message for message, _ in self._act(_Act(read_turn(turn), self._actor))]

    async def ahandle(self, call: Any) -> Message:
        """Return the message that answers one tool call of either interface."""
        asked = read_call(call)
        return asked.answered(_content(await self._aanswer(asked, self._actor)))

    async def ahandle_all(self, turn: Any) -> list[Message]:
        """Return the messages that answer a turn's calls, in their order; the calls run together."""
        return [message for message, _ in await self._aact(_Act(read_turn(turn), self._actor))]

    def run(
        self, client: Any, model: str, messages: Iterable[Message], *, max_turns: int = MAX_TURNS, **options: Any
    ) -> Run:
        """Let the model talk and call tools until it has only words left, by chat completions.

        Args:
            client: An `openai.OpenAI`, or anything that has its `chat.completions.create`.
            model: As the client knows it.
            messages: The conversation so far, as mappings or as the client gave them; it is not changed.
            max_turns: The model is asked at most this often.
            options: Passed on with every request, `temperature` and the like; neither `tools` nor `stream`.
        """
        return self._drive(self._chat_steps(model, messages, max_turns, options), client.chat.completions.create)

    def run_responses(
        self, client: Any, model: str, input: str | Iterable[Message], *, max_turns: int = MAX_TURNS, **options: Any
    ) -> Run:
        """Let the model talk and call tools until it has only words left, by Responses; `options` as for `run`."""
        return self._drive(self._response_steps(model, input, max_turns, options), client.responses.create)

    async def arun(
        self, client: Any, model: str, messages: Iterable[Message], *, max_turns: int = MAX_TURNS, **options: Any
    ) -> Run:
        """Do what `run` does, with an `openai.AsyncOpenAI`."""
        return await self._adrive(self._chat_steps(model, messages, max_turns, options), client.chat.completions.create)

    async def arun_responses(
        self, client: Any, model: str, input: str | Iterable[Message], *, max_turns: int = MAX_TURNS, **options: Any
    ) -> Run:
        """Do what `run_responses` does, with an `openai.AsyncOpenAI`."""
        return await self._adrive(self._response_steps(model, input, max_turns, options), client.responses.create)

    def _functions(self) -> list[Message]:
        tools, bundle = self._guard.tools, self._guard.bundle
        described = []
        for name, action in self._actions.items():
            # Every file that governs an action declares the same arguments for it, so the first one speaks for all.
            declared = [policy.actions[action].arguments for policy in bundle.governing(action)][:1]
            schema = arguments_schema(declared[0] if declared else {}, tools[action].signature.defaults)
            described.append(
                {"name": name, "description": tools[action].description, "parameters": schema, "strict": True}
            )
        return [*described, dict(FUNCTION)] if self._may_check else described

    def _answer(self, asked: Asked, actor: Actor) -> Answer:
        if self._is_check(asked):
            return self._checked(asked)
        action = self._action(asked)
        try:
            return self._guard.run(action, asked.arguments, key=_key(asked.id), agent=actor, **self._caller)
        except KeyConflictError as conflict:
            return _refused(action, conflict)

    async def _aanswer(self, asked: Asked, actor: Actor) -> Answer:
        if self._is_check(asked):
            return await in_thread(lambda: self._checked(asked))
        action = self._action(asked)
        try:
            return await self._guard.arun(action, asked.arguments, key=_key(asked.id), agent=actor, **self._caller)
        except KeyConflictError as conflict:
            return _refused(action, conflict)

    def _is_check(self, asked: Asked) -> bool:
        return self._may_check and asked.type in _FUNCTION_CALLS and asked.name == CHECK

    def _checked(self, asked: Asked) -> Answer:
        caller = self._caller
        return checked(self._guard, asked.arguments, on_behalf_of=caller["on_behalf_of"], tenant=caller["tenant"])

    def _action(self, asked: Asked) -> str:
        if asked.type in _FUNCTION_CALLS and asked.name in self._actions:
            return self._actions[asked.name]
        return NOT_OFFERED + _UNUSUAL.sub("_", asked.name)[:_MAX_NAME]

    def _acting(self, model: str, told: list[str], offered: Mapping[str, Any]) -> Actor:
        """Return the actor with what is known of its make in this run, for the record."""
        return replace(
            self._actor,
            model=self._actor.model or model,
            prompt_digest=self._actor.prompt_digest or digest("\n".join(told).encode(errors="backslashreplace")),
            tools_digest=self._actor.tools_digest or digest(json.dumps(offered, sort_keys=True).encode()),
        )

    def _act(self, step: _Act) -> list[tuple[Message, Answer]]:
        if not step.calls:
            return []
        with ThreadPoolExecutor(min(len(step.calls), MAX_WORKERS), thread_name_prefix="agentguard-call") as pool:
            # Each call keeps the caller's context variables, so that traces of the calls hang together.
            begun = [
                pool.submit(contextvars.copy_context().run, self._answer, asked, step.actor) for asked in step.calls
            ]
        answered = []
        for asked, one in zip(step.calls, begun, strict=True):
            answer = one.result()
            if _crowded_out(answer):
                answer = self._answer(asked, step.actor)
            answered.append((asked.answered(_content(answer)), answer))
        return answered

    async def _aact(self, step: _Act) -> list[tuple[Message, Answer]]:
        answering = (self._aanswer(asked, step.actor) for asked in step.calls)
        answered = []
        for asked, answer in zip(step.calls, await asyncio.gather(*answering, return_exceptions=True), strict=True):
            if isinstance(answer, BaseException):
                raise answer  # only now: every other call has come to its end
            heard = await self._aanswer(asked, step.actor) if _crowded_out(answer) else answer
            answered.append((asked.answered(_content(heard)), heard))
        return answered

    def _drive(self, steps: _Steps, ask: Callable[..., Any]) -> Run:
        heard: Any = None
        while True:
            try:
                step = steps.send(heard)
            except StopIteration as end:
                return _run_of(end)
            heard = _at_once(ask(**step.options)) if isinstance(step, _Ask) else self._act(step)

    async def _adrive(self, steps: _Steps, ask: Callable[..., Awaitable[Any]]) -> Run:
        heard: Any = None
        while True:
            try:
                step = steps.send(heard)
            except StopIteration as end:
                return _run_of(end)
            heard = await _awaited(ask(**step.options)) if isinstance(step, _Ask) else await self._aact(step)

    def _chat_steps(
        self, model: str, messages: Iterable[Message] | str, max_turns: int, options: Mapping[str, Any]
    ) -> _Steps:
        refuse_unfit(options)
        history = conversation(messages)
        answers: list[Answer] = []
        offered = {"tools": self.chat_tools} if self._actions else {}
        actor = self._acting(model, instructions(history), offered)
        for _ in range(max_turns):
            completion = yield _Ask({**options, **offered, "model": model, "messages": list(history)})
            message = completion.choices[0].message
            history.append(answered(message))
            calls = read_turn(message)
            if not calls:
                return Run(message.content or "", history, tuple(answers), finished=True)
            for reply, answer in (yield _Act(calls, actor)):
                history.append(reply)
                answers.append(answer)
        return Run("", history, tuple(answers), finished=False)

    def _response_steps(
        self, model: str, input: str | Iterable[Message], max_turns: int, options: Mapping[str, Any]
    ) -> _Steps:
        refuse_unfit(options)
        history = [{"role": "user", "content": input}] if isinstance(input, str) else conversation(input)
        answers: list[Answer] = []
        offered = {"tools": self.response_tools} if self._actions else {}
        actor = self._acting(model, [str(options.get("instructions") or ""), *instructions(history)], offered)
        for _ in range(max_turns):
            response = yield _Ask({**options, **offered, "model": model, "input": list(history)})
            history += [answered(item) for item in response.output]
            calls = read_turn(response)
            if not calls:
                return Run(response.output_text, history, tuple(answers), finished=True)
            for reply, answer in (yield _Act(calls, actor)):
                history.append(reply)
                answers.append(answer)
        return Run("", history, tuple(answers), finished=False)


def _at_once(answer: Any) -> Any:
    """Return what the model answered, from a client that waits for it."""
    if inspect.iscoroutine(answer):
        answer.close()
        raise UsageError("expected a client like `openai.OpenAI`, got an asynchronous one; use `arun`")
    return answer


def _awaited(answer: Any) -> Awaitable[Any]:
    """Return what the model's answer can be awaited from."""
    if inspect.isawaitable(answer):
        return answer
    raise UsageError("expected a client like `openai.AsyncOpenAI`, got one that is not asynchronous; use `run`")


def _run_of(end: StopIteration) -> Run:
    run: Run = end.value
    return run


def _function_names(guard: Guard, actions: Iterable[str] | None) -> dict[str, str]:
    if isinstance(actions, str):
        raise ConfigurationError([f'expected `actions` as a list, like `["{actions}"]`, got text'])
    chosen = sorted(guard.tools) if actions is None else list(actions)
    missing = [
        f"action `{action}` has no tool; register it or do not offer it"
        for action in chosen
        if action not in guard.tools
    ]
    if missing:
        raise ConfigurationError(missing)
    names: dict[str, str] = {}
    clashes = [
        f"action `{action}` would be the function `{CHECK}`, which looks up others; rename it"
        for action in chosen
        if action.replace(".", "_") == CHECK
    ]
    for action in chosen:
        name = action.replace(".", "_")[:_MAX_NAME]
        if names.setdefault(name, action) != action:
            clashes.append(f"actions `{names[name]}` and `{action}` would both be the function `{name}`; rename one")
    if clashes:
        raise ConfigurationError(clashes)
    return names


def _key(call_id: str) -> str | None:
    """Return the key of a call: its id, or a digest of an id that no key can be; None has the guard derive one."""
    if len(call_id) <= _MAX_KEY and call_id.isprintable():
        return call_id or None
    return f"call:{digest(call_id.encode(errors='backslashreplace'))}"


def _crowded_out(answer: Answer) -> bool:
    """Return whether calls of the same turn kept this one from being decided; alone it can be."""
    return isinstance(answer, Unavailable) and answer.cause == "stale_facts"


def _refused(action: str, conflict: KeyConflictError) -> Denied:
    reason = Reason(conflict.code, "guard", Verdict.DENY, detail=str(conflict))
    return Denied(decision_id="", action=action, reasons=(reason,))


def _content(answer: Answer) -> str:
    heard = answer.for_model()
    if isinstance(answer, Done) and answer.result is not None:
        heard["result"] = shown(answer.result)
    return str(sendable(json.dumps(heard, ensure_ascii=False)))
