"""The doors: ways in which an action reaches the guard. Every probe goes through each of them.

A door is a class with a `name` and `call`, which returns what the caller hears for each call of a turn; a new door adds
itself with `@door`. `takes_text` says that it passes on raw text, as a model's arguments come.
"""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar

import httpx2
import openai

from agentguard import KeyConflictError, NotAllowedError, UsageError
from agentguard.adapters.openai import OpenAITools
from agentguard.testing.model_server import API_KEY, ModelServer
from agentguard.testing.script import Turn, call, say

DOORS = {}


def door(kind):
    DOORS[kind.name] = kind
    return kind


@dataclass(frozen=True)
class Knock:
    """One call at a door: `text` is the raw text of the arguments, `values` what a Python caller passes."""

    action: str
    text: str
    values: Any
    key: str


@dataclass(frozen=True)
class Caller:
    """Who calls, for whom, where."""

    agent: str = "support-bot"
    on_behalf_of: str = "cus_1"
    conversation: str = "c-1"

    @property
    def keywords(self):
        return {
            "agent": self.agent,
            "on_behalf_of": self.on_behalf_of,
            "context": {"conversation": self.conversation},
        }


CONFLICT = {"status": "denied", "executed": False, "reason_code": "key_conflict"}
HOST_ERROR = {"status": "host_error", "executed": False, "reason_code": ""}


class Direct:
    """What the doors that call the guard themselves have in common: several calls of a turn run in threads."""

    takes_text: ClassVar[bool] = False

    def __init__(self, guard, functions):
        self.guard = guard
        self.functions = functions

    def close(self):
        pass

    def call(self, caller, knocks):
        with ThreadPoolExecutor(len(knocks)) as pool:
            return list(pool.map(lambda knock: self.heard(caller, knock), knocks))

    def heard(self, caller, knock):
        try:
            return self.answer(caller, knock)
        except KeyConflictError:
            return CONFLICT
        except UsageError:
            return HOST_ERROR


@door
class Values(Direct):
    """`guard.run` with Python values."""

    name = "functions"

    def answer(self, caller, knock):
        return self.guard.run(knock.action, knock.values, key=knock.key, **caller.keywords).for_model()


@door
class AsyncValues(Direct):
    """`guard.arun` with Python values."""

    name = "functions-async"

    def answer(self, caller, knock):
        return asyncio.run(self.guard.arun(knock.action, knock.values, key=knock.key, **caller.keywords)).for_model()


@door
class Decorated(Direct):
    """The decorated function, called as any other function."""

    name = "functions-decorated"

    def __init__(self, guard, functions):
        super().__init__(guard, functions)
        self.done = set()
        self.lock = threading.Lock()

    def answer(self, caller, knock):
        function = self.functions.get(knock.action)
        if function is None or not isinstance(knock.values, dict):
            return HOST_ERROR
        keywords = {**caller.keywords, "key": knock.key}
        with self.guard.acting(**keywords):
            try:
                function(**knock.values)
            except NotAllowedError as refusal:
                return refusal.answer.for_model()
        # A function gives its result and says nothing of a repeat, so the door keeps count.
        with self.lock:
            status = "already_done" if (caller, knock.key) in self.done else "done"
            self.done.add((caller, knock.key))
        return {"status": status, "executed": True, "reason_code": ""}


@door
class RawText(Direct):
    """`guard.run` with the raw text of a model."""

    name = "json"
    takes_text = True

    def answer(self, caller, knock):
        return self.guard.run(knock.action, knock.text, key=knock.key, **caller.keywords).for_model()


@dataclass
class OpenAIDoor:
    """The real `openai` client against a real server, with the calls of a turn in one message."""

    guard: Any
    functions: Any
    server: ModelServer = field(default_factory=ModelServer)
    takes_text: ClassVar[bool] = True

    def __post_init__(self):
        self.server.__enter__()
        plain = httpx2.Client(verify=False)  # no certificates to read for each of many short talks
        settings = {"base_url": self.server.base_url, "api_key": API_KEY, "max_retries": 0, "http_client": plain}
        self.client = openai.OpenAI(**settings)

    def close(self):
        self.client.close()
        self.server.__exit__(None, None, None)

    def call(self, caller, knocks):
        asked = tuple(call(knock.action.replace(".", "_"), knock.text, id=knock.key) for knock in knocks)
        self.server.scripts["probe"] = [Turn(calls=asked), say("so it is")]
        tools = OpenAITools(self.guard, **caller.keywords)
        return [json.loads(text) for text in self.run(tools)]


@door
class Chat(OpenAIDoor):
    """Chat completions."""

    name = "openai-chat"

    def run(self, tools):
        run = tools.run(self.client, "probe", [{"role": "user", "content": "please"}])
        return [message["content"] for message in run.messages if message["role"] == "tool"]


@door
class Responses(OpenAIDoor):
    """Responses."""

    name = "openai-responses"

    def run(self, tools):
        run = tools.run_responses(self.client, "probe", "please")
        return [item["output"] for item in run.messages if item.get("type") == "function_call_output"]


@door
class AsyncChat(OpenAIDoor):
    """Chat completions, asynchronously."""

    name = "openai-chat-async"

    def run(self, tools):
        async def talk():
            plain = httpx2.AsyncClient(verify=False)
            settings = {"base_url": self.server.base_url, "api_key": API_KEY, "max_retries": 0, "http_client": plain}
            async with openai.AsyncOpenAI(**settings) as client:
                return await tools.arun(client, "probe", [{"role": "user", "content": "please"}])

        return [message["content"] for message in asyncio.run(talk()).messages if message["role"] == "tool"]
