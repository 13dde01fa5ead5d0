"""A file of requests under other policies: decided under both in the order of time, each with budgets of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from agentguard.analysis.replaying import Past, Replay, Replayed, microseconds
from agentguard.analysis.requests_file import Row, past_of, rows_of
from agentguard.analysis.simulating import Case, Simulating, Simulation
from agentguard.core.policy import Bundle, Verdict
from agentguard.errors import UsageError

ASSUMED = (
    "every budget begins empty with the file's first request",
    "what was allowed then is taken as done, and what waited or was denied as not, unless the file's `done` says so",
    "what is allowed now and was not done would have been done at once; what waits for people now ends as it did",
    "facts stand as the file says them, and nothing would have been asked again in other words",
)


def simulate_requests(
    path: Path,
    new: Bundle,
    old: Bundle | None = None,
    *,
    progress: Callable[[int], None] | None = None,
    tell: Callable[[Case], None] | None = None,
) -> Simulation:
    """Decide every request of a file under other policies, limits as they would have stood.

    Args:
        path: The file, see `requests_file`.
        new: The other policies.
        old: What was in force then: asked where the file does not say what was decided.
        progress: Told how many bytes of the file were read.
        tell: Told each request whose verdict changes, in the file's order.

    Raises:
        UsageError: The file cannot be read, or says no verdict where there are no old policies.
    """
    adding = Simulating()
    for sentence in ASSUMED:
        adding.assume(sentence)
    before = None if old is None else _replay(old)
    after = _replay(new)
    for row in rows_of(path, (new,) if old is None else (new, old), progress):
        then = _then(row, before)
        if isinstance(then, Mapping):
            adding.doubt(row.at, then)
            continue
        verdict, sources, done = then
        past = past_of(row, after.plan(row.action), verdict, done=done)
        replayed = _followed(after, past)
        if replayed.missing:
            adding.doubt(row.at, replayed.missing)
            continue
        new_verdict = replayed.decision.verdict
        case = Case(
            row.line,
            past.action_id,
            row.action,
            row.at,
            past.customer,
            replayed.worth,
            verdict,
            new_verdict,
            sources,
            _deciding(replayed),
        )
        adding.add(case)
        if tell is not None and verdict is not new_verdict:
            tell(case)
    return adding.result()


def _replay(bundle: Bundle) -> Replay:
    """Return a replay that counts everything itself."""
    limits = [policy.qualified(item.id) for policy in bundle.policies for item in policy.limits]
    required = [policy.qualified(item.id) for policy in bundle.policies for item in policy.requires]
    return Replay(bundle, limits, required)


def _then(row: Row, before: Replay | None) -> tuple[Verdict, tuple[str, ...], bool] | Mapping[str, str]:
    """Return what was decided, by what, and whether it was done; or what would have to be known to say."""
    if row.verdict is not None:
        if before is not None:
            done = _done(row, row.verdict)
            past = past_of(row, before.plan(row.action), row.verdict, done=done)
            _count(before, past, before.decide(past))
        return row.verdict, (), _done(row, row.verdict)
    if before is None:
        raise UsageError(
            f"line {row.line}: expected `verdict`, got nothing; or name the policies of then with --policies"
        )
    asked = past_of(row, before.plan(row.action), Verdict.DENY, done=False)
    replayed = before.decide(asked)
    if replayed.missing:
        return {name: f"{why}, and what was decided rests on it" for name, why in replayed.missing.items()}
    verdict = replayed.decision.verdict
    _count(before, past_of(row, before.plan(row.action), verdict, done=_done(row, verdict)), replayed)
    return verdict, _deciding(replayed), _done(row, verdict)


def _done(row: Row, verdict: Verdict) -> bool:
    return (verdict is Verdict.ALLOW) if row.done is None else row.done


def _followed(replay: Replay, past: Past) -> Replayed:
    replayed = replay.decide(past)
    _count(replay, past, replayed)
    return replayed


def _count(replay: Replay, past: Past, replayed: Replayed) -> None:
    replay.follow(past, replayed)
    replay.settled(past.action_id, microseconds(past.now), past.place)


def _deciding(replayed: Replayed) -> tuple[str, ...]:
    verdict = replayed.decision.verdict
    return tuple(reason.source for reason in replayed.decision.reasons if reason.verdict is verdict)
