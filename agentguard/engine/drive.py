"""The two drivers of a walk, one for threads and one for an event loop; the walk itself knows neither."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any

from tenacity import AsyncRetrying, Retrying, retry_if_not_exception_type, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_exponential

from agentguard.core.request import Fact
from agentguard.engine import worker
from agentguard.engine.answers import Answer
from agentguard.engine.awaiting import Begun, is_done
from agentguard.engine.effect import Outcome, OutcomeKind
from agentguard.engine.finishing import Finishing, report
from agentguard.engine.gather import FAILED, Asking, Facts, Failure, gather
from agentguard.engine.insisting import written
from agentguard.engine.leaving import leave
from agentguard.engine.machine import sleep, uptime
from agentguard.engine.parts import Parts
from agentguard.engine.registry import Tool
from agentguard.engine.steps import AwaitWitness, Call, Commit, Convene, Gather, Look, Meet, Pause, Step, Walk
from agentguard.engine.witnessing import waited
from agentguard.errors import AgentGuardError, NotDoneError
from agentguard.log import get_logger, place_of

log = get_logger("drive")

TOO_LATE = Outcome(OutcomeKind.UNKNOWN, error="TimeoutError")
"""The tool was given up on; it may still be running."""


def drive(parts: Parts, walk: Walk) -> Answer:
    """Take a walk to its answer in this thread."""
    try:
        step = next(walk)
        while True:
            try:
                given = perform(parts, step)
            except Exception as error:  # noqa: BLE001 - the walk decides what each failure means
                step = walk.throw(error)
            except BaseException:
                leave(parts, walk, step)
                raise
            else:
                step = walk.send(given)
    except StopIteration as end:
        answer: Answer = end.value
        return answer


async def adrive(parts: Parts, walk: Walk) -> Answer:
    """Take a walk to its answer in this event loop; whatever blocks goes to a thread.

    Where the task is cancelled, nothing new is begun: a decision that is not committed yet is withdrawn, and one that
    is committed gives back what it holds, unless its tool was called.
    """
    try:
        step = next(walk)
        while True:
            try:
                given = await _aperform(parts, step)
            except Exception as error:  # noqa: BLE001 - the walk decides what each failure means
                step = walk.throw(error)
            except BaseException:
                leave(parts, walk, step)
                raise
            else:
                step = walk.send(given)
    except StopIteration as end:
        answer: Answer = end.value
        return answer


def perform(parts: Parts, step: Step) -> Any:
    """Do one step of a walk in this thread and return what it gives."""
    match step:
        case Look():
            return parts.store.look(step.query, step.keys)
        case Commit():
            return parts.store.transact(step)
        case Gather():
            return gathered(parts, step)
        case Call():
            return _called(parts, step)
        case Pause():
            return _paused(parts, step)
        case AwaitWitness():
            return waited(parts.witnessing.covering(parts.store, step.position, step.seconds), step.seconds)
        case Meet():
            return parts.vault.pseudonym(step.tenant, step.customer)
        case Convene():
            return parts.directory.people()


def _aperform(parts: Parts, step: Step) -> Awaitable[Any]:
    match step:
        case Look():
            return parts.store.alook(step.query, step.keys)
        case Commit():
            return parts.store.atransact(step)
        case Gather():
            return _agathered(parts, step)
        case Call():
            return _acalled(parts, step)
        case Pause():
            return _apaused(parts, step)
        case AwaitWitness():
            return _await_witness(parts, step)
        case Meet():
            return asyncio.to_thread(parts.vault.pseudonym, step.tenant, step.customer)
        case Convene():
            return asyncio.to_thread(parts.directory.people)


def _paused(parts: Parts, step: Pause) -> float:
    ended = parts.running.end_of(step.action_id)
    if ended is None:
        sleep(step.seconds)
        return step.seconds
    return 0.0 if wait([ended], step.longest).done else step.longest


async def _apaused(parts: Parts, step: Pause) -> float:
    ended = parts.running.end_of(step.action_id)
    if ended is None:
        await asyncio.sleep(step.seconds)
        return step.seconds
    return 0.0 if await is_done(asyncio.wrap_future(ended), step.longest) else step.longest


async def _await_witness(parts: Parts, step: AwaitWitness) -> bool:
    answer = asyncio.wrap_future(parts.witnessing.covering(parts.store, step.position, step.seconds))
    return await is_done(answer, step.seconds) and answer.result()


def gathered(parts: Parts, step: Gather) -> dict[str, Fact]:
    """Call the lookups in a thread, within the time they have; what is not there by then has failed."""
    found: Facts = dict.fromkeys(step.plan.facts, FAILED)
    limit = parts.waits.lookups
    if not step.plan.facts:
        return found

    def look_up_all() -> None:
        """Call one lookup after the other, and feed each what the ones before it gave."""
        step.began = parts.running.tick()
        asking = gather(step.plan, step.request, parts.registry.lookups, parts.clock, found)
        answer = None
        try:
            while True:
                answer = _looked_up(asking.send(answer))
        except StopIteration:
            return

    if limit is None:
        look_up_all()
        return found
    future = worker.start(look_up_all)
    try:
        future.result(limit.total_seconds())
    except TimeoutError:
        log.warning("facts.too_late", action=step.request.action)
    except worker.NoThreadError:
        log.warning("facts.not_looked_up", action=step.request.action)
    return dict(found)  # a lookup that ends later must not change what was decided on


def _looked_up(asking: Asking) -> Any:
    lookup = asking.lookup
    try:
        return worker.call(lookup.function, dict(asking.parameters), is_async=lookup.signature.is_async)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the facts are failed
        return Failure(type(error).__name__, place_of(error, lookup.function))


async def _agathered(parts: Parts, step: Gather) -> dict[str, Fact]:
    found: Facts = {}
    limit = parts.waits.lookups
    if not step.plan.facts:
        return found
    until = None if limit is None else asyncio.get_running_loop().time() + limit.total_seconds()
    looking_up = Begun(_alook_up_all(parts, step, found))
    if looking_up.is_done:
        return found
    try:
        async with asyncio.timeout_at(until):
            await looking_up
    except TimeoutError:
        log.warning("facts.too_late", action=step.request.action)
    return dict(found)


async def _alook_up_all(parts: Parts, step: Gather, found: Facts) -> None:
    step.began = parts.running.tick()
    asking = gather(step.plan, step.request, parts.registry.lookups, parts.clock, found)
    question = next(asking, None)
    while question is not None:
        lookup = question.lookup
        answer: Any
        try:
            if lookup.signature.is_async:
                answer = await lookup.function(**question.parameters)
            else:
                future = worker.start(lambda q=question: _looked_up(q))  # type: ignore[misc]
                answer = await asyncio.wrap_future(future)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the facts are failed
            answer = Failure(type(error).__name__, place_of(error, lookup.function))
        try:
            question = asking.send(answer)
        except StopIteration:
            question = None


def _called(parts: Parts, step: Call) -> Outcome:
    parameters = step.begun.parameters()

    def attempts() -> Any:
        """Call the tool, as often as its `retry` says."""
        return _attempts(step, parameters)

    if step.seconds is None:
        return _outcome_of(attempts, step)
    future = worker.start(attempts)
    try:
        future.exception(step.seconds)  # what the tool raises is returned here, so what is raised is of the waiting
    except TimeoutError:
        if not future.done():
            future.add_done_callback(_late_reporter(parts, step))
            return TOO_LATE
    except BaseException:
        future.add_done_callback(_late_reporter(parts, step))
        raise
    return _outcome_of(future.result, step)


async def _acalled(parts: Parts, step: Call) -> Outcome:
    parameters = step.begun.parameters()
    if not step.tool.signature.is_async:
        return await _acalled_in_thread(parts, step, parameters)
    task = asyncio.ensure_future(_aattempts(step, parameters))
    try:
        in_time = await is_done(task, step.seconds)
    except asyncio.CancelledError:
        # Whoever waited has gone; the tool goes on, and what becomes of it is still written down.
        task.add_done_callback(_late_areporter(parts, step))
        raise
    if not in_time:
        task.add_done_callback(_late_areporter(parts, step))
        return TOO_LATE
    return _outcome_of(task.result, step)


async def _acalled_in_thread(parts: Parts, step: Call, parameters: dict[str, Any]) -> Outcome:
    future = worker.start(lambda: _attempts(step, parameters))
    ended = asyncio.wrap_future(future)
    # What the tool raised is read below; asyncio would print its words, which may be personal.
    ended.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        await is_done(ended, step.seconds)
    except asyncio.CancelledError:
        future.add_done_callback(_late_reporter(parts, step))
        raise
    if not future.done():
        future.add_done_callback(_late_reporter(parts, step))
        return TOO_LATE
    return _outcome_of(future.result, step)


def _outcome_of(ended: Callable[[], Any], step: Call) -> Outcome:
    """Return the outcome of a call: only `NotDoneError` means that nothing happened (law 6).

    What has still to be awaited or gone through says nothing either.
    """
    try:
        result = ended()
        if worker.is_unfinished(result):
            raise ToolEndError
        return Outcome(OutcomeKind.DONE, result)
    except NotDoneError as error:
        return Outcome(OutcomeKind.NOT_DONE, error=type(error).__name__)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - every other end is an unknown outcome, SystemExit included
        name, place = type(error).__name__, place_of(error, step.tool.function)
        # Neither its words nor a traceback: both may show personal data.
        log.warning("tool.failed", action=step.tool.action, action_id=step.begun.action_id, error=name, at=place)
        return Outcome(OutcomeKind.UNKNOWN, error=name)


def _late_reporter(parts: Parts, step: Call) -> Callable[[Future[Any]], None]:
    def write_down(future: Future[Any]) -> None:
        """Write down what the tool came to after all."""
        _write_late(parts, step, _outcome_of(future.result, step))

    return write_down


def _late_areporter(parts: Parts, step: Call) -> Callable[[asyncio.Future[Any]], None]:
    def write_down(future: asyncio.Future[Any]) -> None:
        """Have a thread write down what the tool came to after all."""
        outcome = _outcome_of(future.result, step)
        worker.start(lambda: _write_late(parts, step, outcome))

    return write_down


def _write_late(parts: Parts, step: Call, outcome: Outcome) -> None:
    """Write down what a tool came to after it was given up on; what is still unknown adds nothing.

    Only the registered tool's own end says so: a lookup that asks what became of it returns too, and did nothing.
    """
    if outcome.kind is OutcomeKind.UNKNOWN or step.tool is not parts.registry.tools.get(step.tool.action):
        return
    try:
        drive(parts, written(parts, Finishing(parts, step.begun, report(parts, step.begun, outcome, why="late"))))
    except AgentGuardError as error:
        # A traceback would show every local name, and personal data with them.
        log.error("action.late_report_lost", action_id=step.begun.action_id, error=error.code)  # noqa: TRY400


def _policy(tool: Tool, seconds: float | None) -> dict[str, Any]:
    attempts = tool.retry.attempts if tool.retry is not None and tool.may_repeat else 1
    stop = stop_after_attempt(attempts)
    pause = tool.retry.wait.total_seconds() if tool.retry is not None else 0
    return {
        "stop": stop if seconds is None else stop | stop_before_delay(seconds),
        "wait": wait_exponential(multiplier=pause),
        "retry": retry_if_not_exception_type((NotDoneError, ToolEndError, KeyboardInterrupt, SystemExit)),
        "reraise": True,
    }


def _attempts(step: Call, parameters: dict[str, Any]) -> Any:
    tool = step.tool
    if tool.retry is None:
        _require_in_time(step)
        return worker.call(tool.function, parameters, is_async=tool.signature.is_async)
    for attempt in Retrying(**_policy(tool, step.seconds)):
        with attempt, _first_refusal_only(attempt.retry_state.attempt_number):
            _require_in_time(step)
            return worker.call(tool.function, parameters, is_async=tool.signature.is_async)
    raise ToolEndError  # the last attempt raises by itself


async def _aattempts(step: Call, parameters: dict[str, Any]) -> Any:
    tool = step.tool
    try:
        if tool.retry is None:
            _require_in_time(step)
            return await tool.function(**parameters)
        async for attempt in AsyncRetrying(**_policy(tool, step.seconds)):
            with attempt, _first_refusal_only(attempt.retry_state.attempt_number):
                _require_in_time(step)
                return await tool.function(**parameters)
    except SystemExit as error:
        # In a task it would end the event loop, and with it every other walk.
        raise ToolEndError from error
    raise ToolEndError


def _require_in_time(step: Call) -> None:
    """Refuse to call a tool late, last thing before it: whoever took the action up meanwhile may act in its place."""
    if step.until is not None and uptime() >= step.until:
        raise TooLateError("expected to call the tool before its deadline, came to it later; it was not called")


@contextmanager
def _first_refusal_only(attempt: int) -> Iterator[None]:
    """Let "nothing happened" stand for the first call alone: an earlier one, of unknown outcome, may have acted."""
    try:
        yield
    except NotDoneError as error:
        if attempt > 1:
            raise ToolEndError from error
        raise


class TooLateError(NotDoneError):
    """This thread, event loop or process stood still until the deadline, so that the tool was not called."""


class ToolEndError(Exception):
    """A tool ended in a way that says nothing about its effect; its outcome is unknown."""
