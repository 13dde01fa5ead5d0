"""Guarded functions: tools that are called directly and take the walk, for whom `with guard.acting(…)` says."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from agentguard.core.request import Actor
from agentguard.engine.answers import Answer, Done
from agentguard.engine.registry import Signature
from agentguard.errors import NotAllowedError, UsageError

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Whom:
    """Who acts for whom, as `guard.run` takes it."""

    agent: str | Actor
    on_behalf_of: str
    context: Mapping[str, Any]
    key: str | None
    tenant: str | None

    def named(self) -> dict[str, Any]:
        """Return it by parameter name."""
        return {name: getattr(self, name) for name in self.__slots__}


class Acting:
    """Who acts now, in this thread or task, and the functions that ask for it."""

    def __init__(self, run: Callable[..., Answer], arun: Callable[..., Awaitable[Answer]]) -> None:
        self._run = run
        self._arun = arun
        self._now: ContextVar[Whom | None] = ContextVar("agentguard_acting", default=None)

    @contextmanager
    def by(self, whom: Whom) -> Iterator[None]:
        """Let somebody act in a block."""
        token = self._now.set(whom)
        try:
            yield
        finally:
            self._now.reset(token)

    def guarded(self, name: str, function: Function, signature: Signature) -> Function:
        """Return a function that takes the walk, and returns what the tool returned or raises `NotAllowedError`."""

        @functools.wraps(function)
        def guarded(*values: Any, **arguments: Any) -> Any:
            """Take the walk, and return what the tool returned."""
            return _result(self._run(name, signature.by_name(values, arguments), **self._whom().named()))

        @functools.wraps(function)
        async def aguarded(*values: Any, **arguments: Any) -> Any:
            """Do the same in an event loop."""
            return _result(await self._arun(name, signature.by_name(values, arguments), **self._whom().named()))

        return aguarded if signature.is_async else guarded  # type: ignore[return-value]

    def _whom(self) -> Whom:
        whom = self._now.get()
        if whom is None:
            raise UsageError(
                "a guarded function was called outside `with guard.acting(agent=…)`; say who acts for whom"
            )
        return whom


def _result(answer: Answer) -> Any:
    if isinstance(answer, Done):
        return answer.result
    raise NotAllowedError(answer)
