"""Going on with what people approved, where nobody comes back for it: the tool has to be registered here.

The walk decides it again and moves it by a guarded update, so that whoever comes second, this process or the agent that
returns with its key, finds it done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from agentguard.core.lifecycle import State
from agentguard.engine import escalating
from agentguard.engine.answers import Answer, Unavailable
from agentguard.engine.continuing import again
from agentguard.engine.deciding import halted
from agentguard.engine.drive import drive
from agentguard.engine.parts import Parts
from agentguard.engine.taking_up import pause_after
from agentguard.engine.walk import walk
from agentguard.store import Reading
from agentguard.store.records import ActionRecord

_PAGE = 1_000
_MOST_REMEMBERED = 10_000


class Resuming:
    """What one guard goes on with after an approval, and what it could not go on with a moment ago."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tried: dict[str, tuple[int, datetime]] = {}

    def approved(self, *, patient: bool) -> Iterator[ActionRecord]:
        """Yield the actions that wait only for whoever goes on with them, and have their tool here.

        They were approved, or an approver proposed them in place of others.
        """
        for page_of in (_approved, _proposed):
            after = ""
            while True:
                now, found, after = self._parts.store.read(lambda reading, of=page_of, page=after: of(reading, page))  # type: ignore[misc]
                mine = (record for record in found if record.action in self._parts.registry.tools)
                yield from (record for record in mine if not (patient and self._tried_lately(record, now)))
                if not after:
                    break

    def resume(self, record: ActionRecord) -> Answer:
        """Decide an approved action again and run it; exactly one of those who try does."""
        self._remember(record)
        answer = drive(self._parts, walk(self._parts, again(self._parts, record.id)))
        if not isinstance(answer, Unavailable):
            self._tried.pop(record.id, None)
        return answer

    def _remember(self, record: ActionRecord) -> None:
        tries = self._tried.get(record.id, (0, None))[0] + 1
        if len(self._tried) >= _MOST_REMEMBERED:
            self._tried.clear()
        now = self._parts.store.read(lambda reading: reading.now())
        self._tried[record.id] = tries, now + pause_after(tries)

    def _tried_lately(self, record: ActionRecord, now: datetime) -> bool:
        _, until = self._tried.get(record.id, (0, now - timedelta(microseconds=1)))
        return now <= until


_Page = tuple[datetime, list[ActionRecord], str]


def _approved(reading: Reading, after: str) -> _Page:
    page = reading.escalations(escalating.APPROVED, limit=_PAGE, after=after)
    records = (reading.action(item.action_id) for item in page)
    found = [record for record in records if record is not None and record.state is State.WAITING]
    return reading.now(), _going_on(reading, found), page[-1].id if len(page) == _PAGE else ""


def _proposed(reading: Reading, after: str) -> _Page:
    page = reading.actions(State.PROPOSED, limit=_PAGE, after=after)
    return reading.now(), _going_on(reading, page), page[-1].id if len(page) == _PAGE else ""


def _going_on(reading: Reading, records: Iterable[ActionRecord]) -> list[ActionRecord]:
    """Return those that nobody has stopped."""
    return [record for record in records if halted(reading, record.action, record.agent) is None]
