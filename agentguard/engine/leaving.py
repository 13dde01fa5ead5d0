"""Walks that nobody waits for any more: a cancelled task, an interrupted thread.

A unit of work that the store has not come to is taken back. One that began an action is followed by another that gives
back what it holds, so that nothing stays behind that no tool was called for; what a tool came to is written anyway.
"""

from __future__ import annotations

from agentguard.engine import worker
from agentguard.engine.machine import sleep
from agentguard.engine.parts import Parts
from agentguard.engine.steps import Abandoned, Commit, Pause, Step, Walk
from agentguard.errors import AgentGuardError, StoreUnavailableError
from agentguard.log import get_logger

log = get_logger("leave")


def leave(parts: Parts, walk: Walk, step: Step) -> None:
    """Leave a walk at a step that was not waited for to its end; what it still has to write is written by a thread."""
    if isinstance(step, Commit):
        step.withdrawn = True
    try:
        # As far as it goes without waiting: a walk that is garbage together with its task is closed right after this.
        following = walk.throw(Abandoned())
        while not isinstance(following, Commit | Pause):
            following = walk.throw(Abandoned())
    except (StopIteration, Abandoned):
        return
    worker.start(lambda: _wind_up(parts, walk, following))


def _wind_up(parts: Parts, walk: Walk, step: Step) -> None:
    """Take a walk to where it may be left: it commits, and neither looks, nor gathers, nor calls."""
    try:
        while True:
            step = _after(parts, walk, step)
    except (StopIteration, Abandoned):
        return
    except AgentGuardError as error:
        # A traceback would show every local name, and personal data with them. Recovery finds what was begun.
        log.error("walk.not_left", error=error.code)  # noqa: TRY400


def _after(parts: Parts, walk: Walk, step: Step) -> Step:
    if isinstance(step, Pause):
        sleep(step.seconds)
        return walk.send(step.seconds)
    if not isinstance(step, Commit):
        return walk.throw(Abandoned())
    try:
        given = parts.store.transact(step)
    except StoreUnavailableError as error:
        return walk.throw(error)
    return walk.send(given)
