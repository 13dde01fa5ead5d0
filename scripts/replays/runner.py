"""Recorded calls through a real guard: real policies, a real store, recorded facts, and tools that only count."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentguard import Denied, Done, Guard, NotDone, Read, Unprotected, Waiting
from agentguard.core.decision import Reason
from agentguard.errors import NotDoneError
from scripts.replays.recording import Call

AGENT = "recorded-agent"
DECISIONS_TIMED = 1_000


@dataclass(frozen=True, slots=True)
class Judged:
    """What the guard did with one call: `allow`, `escalate`, `deny`, or `unavailable`; and what decided it."""

    call: Call
    verdict: str
    reasons: tuple[str, ...]

    @property
    def stopped(self) -> bool:
        """True if the tool was not called."""
        return self.verdict != "allow"


class Replay:
    """One guard over some policies; each world of recorded calls is a tenant of its own, so that none knows another."""

    def __init__(self, policies: Path, actions: Iterable[str], facts: Iterable[str], reads: Iterable[str] = ()) -> None:
        self.done: Counter[str] = Counter()
        self._call: Call | None = None
        self._guard = Guard(policies, store="sqlite://", activate=True)
        for action in actions:
            effect = Read() if action in reads else Unprotected()
            self._guard.action(action, effect=effect, timeout=None)(self._tool(action))
        for root in facts:
            self._guard.fact(root)(self._lookup(root))
        self._guard.start()

    def run(self, call: Call, key: str) -> Judged:
        """Let the guard act on one call."""
        self._call = call
        answer = self._guard.run(call.action, dict(call.arguments), key=key, **self._who(call))
        verdict = {Done: "allow", NotDone: "allow", Waiting: "escalate", Denied: "deny"}.get(
            type(answer), "unavailable"
        )
        strictest = max((reason.verdict for reason in answer.reasons), default=None)
        deciding = [_named(reason) for reason in answer.reasons if reason.verdict is strictest]
        return Judged(call=call, verdict=verdict, reasons=tuple(dict.fromkeys(deciding)))

    def decide(self, call: Call) -> None:
        """Let the guard decide one call and store nothing."""
        self._call = call
        self._guard.decide(call.action, dict(call.arguments), **self._who(call))

    def close(self) -> None:
        """Close the guard's store."""
        self._guard.close()

    def _who(self, call: Call) -> dict[str, Any]:
        return {
            "agent": AGENT,
            "on_behalf_of": call.on_behalf_of,
            "context": dict(call.context),
            "tenant": call.world,
        }

    def _tool(self, action: str) -> Callable[..., None]:
        def count(**arguments: Any) -> None:
            """Count the call, and answer as the recorded tool did."""
            del arguments
            if self._call is not None and not self._call.succeeded:
                raise NotDoneError("the recorded tool refused it")
            self.done[action] += 1

        return count

    def _lookup(self, root: str) -> Callable[[], Mapping[str, Any] | None]:
        def read() -> Mapping[str, Any] | None:
            return None if self._call is None else self._call.facts.get(root)

        return read


def _named(reason: Reason) -> str:
    plain = {"rule_matched", "limit_exceeded", "requirement_missing", "no_rule_matched"}
    return reason.source if reason.code in plain else f"{reason.source} ({reason.code})"


def decisions_per_second(replay: Replay, calls: Sequence[Call]) -> float:
    """Return how many calls are decided in a second, their facts looked up; each call once, up to a bound."""
    start = time.perf_counter()
    for call in calls[:DECISIONS_TIMED]:
        replay.decide(call)
    return len(calls[:DECISIONS_TIMED]) / (time.perf_counter() - start)
