"""What a walk asks of its driver, one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

from agentguard.core.plan import Plan
from agentguard.core.request import Request
from agentguard.engine.answers import Answer
from agentguard.engine.registry import Tool
from agentguard.engine.undertaking import Undertaking
from agentguard.errors import AgentGuardError
from agentguard.store import Reading, Transaction
from agentguard.store.records import ActionKey


@dataclass(frozen=True, slots=True)
class Meet:
    """Write down who a customer is whom the keys file does not have yet, as far as this process knows."""

    tenant: str
    customer: str


@dataclass(frozen=True, slots=True)
class Convene:
    """Ask who the people are now; gives `People`, or None where nobody knows."""


class Look(NamedTuple):
    """Read the store.

    Attributes:
        keys: Of actions that the query asks for, where they are known before it.
    """

    query: Callable[[Reading], Any]
    keys: tuple[ActionKey, ...] = ()


@dataclass(slots=True)
class Commit:
    """Do a unit of work in one transaction.

    The store calls the step itself, perhaps more than once, so that a walk which nobody waits for any more can take its
    unit back, or learn what it came to.

    Attributes:
        given: What the unit came to when it was run last; whether that was committed, the store knows.
        withdrawn: True if it must not be run any more.
        goes_first: It says how something ended, and must not wait behind what only wants to begin.
    """

    work: Callable[[Transaction], Any]
    given: Any = None
    withdrawn: bool = False
    goes_first: bool = False

    def __call__(self, transaction: Transaction) -> Any:
        """Run the unit, unless it was taken back."""
        self._refuse_if_withdrawn()
        self.given = self.work(transaction)
        self._refuse_if_withdrawn()  # who takes it back while it runs either sees what it gave or is seen here
        return self.given

    def _refuse_if_withdrawn(self) -> None:
        if self.withdrawn:
            raise WithdrawnError("expected a unit that somebody waits for, got one that was taken back")


@dataclass(slots=True)
class Gather:
    """Call the lookups whose facts the action's rules read; gives facts by name.

    Attributes:
        began: Drawn from `parts.running` right before the first lookup is called.
    """

    plan: Plan
    request: Request
    began: int = 0


class Call(NamedTuple):
    """Call the tool until its deadline; gives an outcome.

    Attributes:
        seconds: How long to wait for it.
        until: The uptime after which it is not called any more: this thread may have stood still since the last look.
    """

    tool: Tool
    begun: Undertaking
    seconds: float | None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class AwaitWitness:
    """Wait until a witness has seen the log up to a position, so many seconds at most; gives whether one has."""

    position: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait a moment for other walks.

    Attributes:
        seconds: How long.
        action_id: An action whose end is waited for instead where it is carried out in this process, at most `longest`
            seconds. Gives the seconds that were waited in vain.
    """

    seconds: float
    action_id: str = ""
    longest: float = 0.0


class WithdrawnError(AgentGuardError):
    """A unit of work was taken back before the store came to it; nothing of it was stored."""

    code = "withdrawn"


class Abandoned(BaseException):
    """Thrown into a walk that nobody waits for any more: it may still commit how it ends, and begins nothing new."""


Step = Meet | Convene | Look | Commit | Gather | Call | AwaitWitness | Pause
Walk = Generator[Step, Any, Answer]
