"""Going round what was left behind: when a guard starts, when somebody asks for it, and once in a while beside a run.

A few threads take up one action each, so that a tool that hangs holds up nobody but itself. How each is taken up, and
that nobody else does it too, is in `recovery` and `expiry`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from inspect import iscoroutinefunction
from itertools import chain
from typing import TypeVar

from agentguard.core.lifecycle import State
from agentguard.engine import escalating, pausing, recorded, worker
from agentguard.engine.answers import Answer, InDoubt, Ready, Unavailable, Waiting
from agentguard.engine.comparing import look_again
from agentguard.engine.drive import drive
from agentguard.engine.expiry import expire, run_late
from agentguard.engine.machine import monotonic
from agentguard.engine.notices import SECONDS_A_ROUND, ChannelState, Notices
from agentguard.engine.parts import Parts
from agentguard.engine.periods import Periods
from agentguard.engine.recovery import recovering
from agentguard.engine.reminding import Reminded, remind_all
from agentguard.engine.resuming import Resuming
from agentguard.engine.taking_up import may_help, tried_lately
from agentguard.errors import AgentGuardError, StoreError, StoreUnavailableError, UsageError
from agentguard.log import get_logger
from agentguard.store import Reading
from agentguard.store.records import ActionRecord

log = get_logger("rounds")

AT_ONCE = 4
LONGEST_ROUND = timedelta(minutes=1)
"""A tool that takes longer goes on beside the rounds, and holds up nothing else that is due."""
_PAGE = 1_000

Told = Callable[[Answer], None]
Listener = TypeVar("Listener", bound=Callable[[Answer], object])


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to.

    Attributes:
        answers: Of every action that was taken up, in the order of their ids.
        reminded: The escalations whose people were reminded.
        drawn: The cases that were drawn for reviews whose week or day is over.
        channels: How far each channel of notices has come.
    """

    answers: tuple[Answer, ...]
    reminded: tuple[Reminded, ...]
    channels: tuple[ChannelState, ...]
    drawn: tuple[str, ...] = ()


class Rounds:
    """The rounds of one guard."""

    def __init__(self, parts: Parts, notices: Notices) -> None:
        self._parts = parts
        self._notices = notices
        self._resuming = Resuming(parts)
        self._periods = Periods(parts)
        self._threads: list[Future[None]] = []
        self._telling: Future[None] | None = None
        self._listening: list[Callable[[Answer], object]] = []
        self._next = 0.0
        self._stopped = False

    def begin(self) -> None:
        """Make ready before the first action, so that people are told of it."""
        self._notices.begin()

    def on_ended(self, told: Listener) -> Listener:
        """Have a function called with the answer of each action that this process brings to its end for nobody.

        That is what was approved and nobody came back for, what was late, and what was recovered; whoever calls `run`
        or `execute` has the answer. What the function raises is logged and changes nothing.

        Raises:
            UsageError: It is no function, or a coroutine, for which no loop runs here.
        """
        _require_plain(told)
        self._listening.append(told)
        return told

    def once(
        self,
        told: Told | None = None,
        stopped: Callable[[], bool] = lambda: False,
        within: timedelta | None = LONGEST_ROUND,
    ) -> Round:
        """Do everything that is due now, as `agentguard worker` does again and again.

        What was left behind is recovered, what is late is passed on or denied, what was approved goes on where its tool
        is registered here, people are reminded, reviews are drawn whose time is over, and notices are sent.

        Args:
            told: Called with each answer when it is there, in any thread.
            stopped: Asked now and then; once it says so, nothing more is taken up, and what rounds began is waited for.
            within: How long to wait for tools; one that takes longer goes on beside the next rounds. None for no bound.
        """
        answers = self.go(within, told, patient=True, stopped=stopped)
        if stopped():
            wait(self._threads)
        reminded = [] if stopped() else remind_all(self._parts)
        if self._telling is not None:
            # What the start tells has the channels meanwhile, and what came since it looked would be left for later.
            wait([self._telling], SECONDS_A_ROUND)
        sent = self._notices.send(lambda: self._stopped or stopped())
        drawn = self._periods.end_all(lambda: self._stopped or stopped())
        return Round(tuple(answers), tuple(reminded), self._notices.states(sent), drawn)

    def go(
        self,
        within: timedelta | None = None,
        told: Told | None = None,
        *,
        patient: bool = False,
        stopped: Callable[[], bool] = lambda: False,
    ) -> list[Answer]:
        """Take up everything that was abandoned, is in doubt, or whose time is over; returns what each came to.

        Args:
            within: How long to wait; what is not known by then goes on without us, `in_progress`. None for to the end.
            told: Called with each answer when it is there, in any thread.
            patient: Leave what was tried lately, longer after each try; a person who asks for it means now.
            stopped: Asked before each action; once it says so, no more is taken up.
        """
        self._put_off()
        waiting = chain(overdue(self._parts, patient=patient), self._resuming.approved(patient=patient))
        work = _Work(
            waiting, lambda record: self._taken_up(record, patient=patient), lambda: self._stopped or stopped(), told
        )
        if self._parts.waits.recovery is None:
            work.run()
        elif work.any:
            threads = [worker.start(work.run) for _ in range(AT_ONCE)]
            self._threads = [thread for thread in self._threads if not thread.done()] + threads
            for ended in wait(threads, None if within is None else within.total_seconds()).done:
                ended.result()  # it raises what nobody could answer
        answers = work.answers()
        known = sum(not isinstance(answer, InDoubt | Unavailable) for answer in answers)
        if known:
            log.info("guard.recovered", count=known)
        return answers

    def _taken_up(self, record: ActionRecord, *, patient: bool) -> Answer | None:
        """Return what an overdue action came to; None if it moved meanwhile, or has time left after all."""
        answer = taken_up(self._parts, self._resuming, record, patient=patient)
        if answer is not None and not answer.replayed and not isinstance(answer, Waiting | Ready | Unavailable):
            for listening in self._listening:
                _call(listening, answer)
        return answer

    def start(self) -> None:
        """Go round for as long as a start may take; the rest goes on in the background."""
        try:
            self.go(self._parts.waits.recovery, patient=True)
        except StoreUnavailableError as error:
            log.warning("guard.unavailable", error=error.code, reason=str(error))
            return
        if self._parts.waits.recovery is None:
            self._tell()
        else:
            self._telling = worker.start(self._tell)  # a receiver that is slow must not hold up a start

    def _tell(self) -> None:
        try:
            remind_all(self._parts)
            self._notices.send(lambda: self._stopped)
            self._periods.end_all(lambda: self._stopped)
        except StoreError as error:
            if not self._stopped:  # the store was closed meanwhile, and the next process tells them
                log.warning("guard.unavailable", error=error.code, reason=str(error))

    def at_next_chance(self) -> None:
        """Go round in the background, if it is time again."""
        if monotonic() >= self._next and self._parts.waits.rounds is not None:
            self._put_off()
            worker.start(self._next_round)

    def _next_round(self) -> None:
        look_again(self._parts)
        self.start()

    def stop(self) -> None:
        """Take up nothing any more; what is under way goes on."""
        self._stopped = True

    def _put_off(self) -> None:
        every = self._parts.waits.rounds
        self._next = monotonic() + (every.total_seconds() if every is not None else 0.0)


class _Work:
    """What one round has to do, shared by its threads."""

    def __init__(
        self,
        waiting: Iterator[ActionRecord],
        take_up: Callable[[ActionRecord], Answer | None],
        stopped: Callable[[], bool],
        told: Told | None,
    ) -> None:
        self._take_up = take_up
        self._stopped = stopped
        self._told = told
        self._lock = threading.Lock()
        self._waiting = waiting
        self._first = next(self._waiting, None)
        self._under_way: dict[str, ActionRecord] = {}
        self._answers: dict[str, Answer] = {}

    @property
    def any(self) -> bool:
        """Return whether anything is to be done."""
        return self._first is not None

    def run(self) -> None:
        """Take up one action after the other until none is left."""
        while (record := self._take()) is not None:
            answer = self._take_up(record)
            with self._lock:
                del self._under_way[record.id]
                if answer is not None:
                    self._answers[record.id] = answer
            if answer is not None and self._told is not None:
                self._told(answer)

    def _take(self) -> ActionRecord | None:
        with self._lock:
            if self._stopped():
                return None
            record, self._first = self._first or next(self._waiting, None), None
            while record is not None and record.id in self._under_way:  # it moved on, and is found a second time
                record = next(self._waiting, None)
            if record is not None:
                self._under_way[record.id] = record
            return record

    def answers(self) -> list[Answer]:
        """Return what is known by now, in the order of the actions' ids."""
        with self._lock:
            late = {name: recorded.not_now(name, item.action, "in_progress") for name, item in self._under_way.items()}
            return [answer for _, answer in sorted({**self._answers, **late}.items())]


def overdue(parts: Parts, *, patient: bool) -> Iterator[ActionRecord]:
    """Yield the actions that nobody has and that wait for no one, a page at a time."""
    for state in (State.READY, State.WAITING, State.IN_DOUBT, State.EXECUTING):
        after = ""
        while True:
            now, found, after = parts.store.read(lambda reading, page=(state, after): _page(reading, *page))  # type: ignore[misc]
            yield from (record for record in found if not (patient and _tried_lately(parts, record, now)))
            if not after:
                break


def _page(reading: Reading, state: State, after: str) -> tuple[datetime, list[ActionRecord], str]:
    now = reading.now()
    if state is not State.WAITING:
        records = list(reading.actions(state, limit=_PAGE, after=after, free=now))
        return now, records, records[-1].id if records else ""
    late = reading.escalations(limit=_PAGE, after=after, due=now)
    waiting = []
    for item in late:
        record = reading.action(item.action_id)
        really = item if record is None else pausing.due_at(reading, item, record, now)
        if record is not None and really.due_at is not None and really.due_at <= now:
            waiting.append(record)
    return now, waiting, late[-1].id if late else ""


def _tried_lately(parts: Parts, record: ActionRecord, now: datetime) -> bool:
    tool = parts.registry.tools.get(record.action)
    return tried_lately(record, None if tool is None else tool.effect, now)


def taken_up(parts: Parts, resuming: Resuming, record: ActionRecord, *, patient: bool) -> Answer | None:
    """Return what an overdue action came to; None if it moved meanwhile, or has time left after all."""
    try:
        match record.state:
            case State.READY:
                return parts.store.transact(lambda transaction: expire(record, transaction))
            case State.PROPOSED:
                return resuming.resume(record)
            case State.WAITING if _is_approved(parts, record):
                return resuming.resume(record)
            case State.WAITING | State.DENIED:  # what was denied is here for its contest
                return parts.store.transact(lambda transaction: run_late(parts, record, transaction))
            case State.IN_DOUBT if not _can_be_known(parts, record):
                return recorded.ended(record, replayed=True)
            case _:
                return drive(parts, recovering(parts, record, patient=patient))
    except Exception as error:  # noqa: BLE001 - one action that cannot be taken up must not keep the others
        # A traceback would show every local name, and personal data with them.
        code = error.code if isinstance(error, AgentGuardError) else type(error).__name__
        log.error("guard.not_recovered", action_id=record.id, error=code)  # noqa: TRY400
        return recorded.not_now(record.id, record.action, "not_recovered")


def _is_approved(parts: Parts, record: ActionRecord) -> bool:
    escalated = parts.store.read(lambda reading: reading.escalation(record.escalation or ""))
    return escalated is not None and escalated.state == escalating.APPROVED


def _require_plain(told: object) -> None:
    if not callable(told) or iscoroutinefunction(told):
        given = "a coroutine function" if callable(told) else type(told).__name__
        raise UsageError(f"expected `@guard.on_ended` above a plain function that takes an answer, got {given}")


def _call(listening: Callable[[Answer], object], answer: Answer) -> None:
    try:
        listening(answer)
    except Exception as error:  # noqa: BLE001 - whoever listens changes nothing of what happened
        log.error("guard.listener_failed", action_id=answer.decision_id, error=type(error).__name__)  # noqa: TRY400


def _can_be_known(parts: Parts, record: ActionRecord) -> bool:
    tool = parts.registry.tools.get(record.action)
    return tool is None or may_help(tool, record, parts.store.read(lambda reading: reading.now()))
