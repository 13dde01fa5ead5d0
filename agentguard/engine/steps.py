"""What a walk asks of its driver, one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from agentguard.core.plan import Plan
from agentguard.core.request import Request
from agentguard.engine.answers import Answer
from agentguard.engine.registry import Tool
from agentguard.engine.undertaking import Undertaking
from agentguard.store import Reading, Transaction


@dataclass(frozen=True, slots=True)
class Look:
    """Read the store."""

    query: Callable[[Reading], Any]


@dataclass(frozen=True, slots=True)
class Commit:
    """Do a unit of work in one transaction."""

    work: Callable[[Transaction], Any]


@dataclass(frozen=True, slots=True)
class Gather:
    """Call the lookups whose facts the action's rules read; gives facts by name."""

    plan: Plan
    request: Request


@dataclass(frozen=True, slots=True)
class Call:
    """Call the tool until its deadline; gives an outcome."""

    tool: Tool
    begun: Undertaking
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait a moment for another walk of the same action."""

    seconds: float


Step = Look | Commit | Gather | Call | Pause
Walk = Generator[Step, Any, Answer]
