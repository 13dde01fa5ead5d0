"""Recorded calls through a real guard: real policies, a real store, recorded facts, and tools that only count."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from agentguard import Denied, Done, Guard, NotDone, Read, Waiting
from agentguard.core.policy import Verdict
from agentguard.errors import NotDoneError
from scripts.replays.recording import Call

AGENT = "recorded-agent"


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
            effect = {"effect": Read()} if action in reads else {}
            self._guard.action(action, **effect)(self._tool(action))
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
        strictest = max((reason.verdict for reason in answer.reasons), default=Verdict.ABSTAIN)
        deciding = [f"{r.source} ({r.code})" if r.code == "cannot_evaluate" else r.source for r in answer.reasons]
        sources = [name for name, r in zip(deciding, answer.reasons, strict=True) if r.verdict is strictest]
        return Judged(call=call, verdict=verdict, reasons=tuple(dict.fromkeys(sources)))

    def decide(self, call: Call, key: str) -> None:
        """Let the guard decide one call and store nothing."""
        self._call = call
        self._guard.decide(call.action, dict(call.arguments), key=key, **self._who(call))

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


def decisions_per_second(replay: Replay, calls: list[Call], within: timedelta = timedelta(seconds=2)) -> float:
    """Return how many of these calls are decided in a second, lookups of recorded facts included."""
    start = time.perf_counter()
    decided = 0
    while calls and time.perf_counter() - start < within.total_seconds():
        for call in calls[:200]:
            replay.decide(call, key=f"speed-{decided}")
            decided += 1
    return decided / (time.perf_counter() - start) if decided else 0.0
