"""Telling people what waits for them: the audit log is the outbox, and each channel follows it with a cursor.

Every event is sent in order, at least once. A lease on the cursor, taken and moved by guarded updates, keeps two
processes from sending at the same time; an event carries its id, so that a receiver sees what comes twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agentguard.engine import worker
from agentguard.engine.channel import Channel
from agentguard.engine.event import Event, event_of
from agentguard.engine.machine import monotonic
from agentguard.errors import AgentGuardError, ConfigurationError, UndeliveredError
from agentguard.log import get_logger
from agentguard.store import Reading, Store, Transaction
from agentguard.store.records import CursorRecord, EntryFilter

log = get_logger("notices")

SECONDS_TO_SEND = 30.0
SECONDS_A_ROUND = 20.0
LEASE = timedelta(minutes=2)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)
LONGEST_WISH = timedelta(hours=1)
"""How long a receiver may ask to be left alone."""
GIVEN_UP_AFTER = timedelta(days=3)
MOST_REFUSALS = 3
PAGE = 100
FAR_BEHIND = 10_000
MOST_COUNTED = 1_000
MAX_NAME_CHARACTERS = 200
_ESCALATED = EntryFilter(escalated=True)


@dataclass(frozen=True, slots=True)
class ChannelState:
    """How far a channel has come.

    Attributes:
        position: Everything up to this entry of the log was sent, or was not for this channel.
        sent: How many events were sent just now.
        waiting: How many are still to be sent, counted up to 1,000; `oldest` is when the first of them happened.
        attempts: How often the next one was tried in vain; `error` says why, `next_try` when it is tried again.
        stopped: The receiver said that it is gone for good; nothing is sent there any more.
    """

    name: str
    position: int
    sent: int = 0
    waiting: int = 0
    oldest: datetime | None = None
    attempts: int = 0
    error: str = ""
    next_try: datetime | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class _Due:
    """What a channel has to send next: events with their entries' positions, and how far the log was looked through."""

    cursor: CursorRecord
    events: tuple[tuple[int, Event], ...]
    reached: int


class Notices:
    """The channels of one guard."""

    def __init__(self, store: Store, channels: Iterable[Channel], tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        several: object = channels
        if not isinstance(several, Iterable):
            raise ConfigurationError([f"expected `notices` as a list of channels, got one {type(several).__name__}"])
        given = tuple(channels)
        for channel in given:
            name = getattr(channel, "name", None)
            if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
                raise ConfigurationError([f"expected channels with a printable `name`, got {type(channel).__name__}"])
        self._channels = {channel.name: channel for channel in given}
        if len(self._channels) != len(given):
            raise ConfigurationError(["two channels of `notices` have the same name; give each a `name` of its own"])
        self._looked: dict[str, int] = {}

    def begin(self) -> None:
        """Let every channel that is new follow the log from here on."""
        for name in self._channels:
            if self._store.read(lambda reading, of=name: reading.cursor(of)) is None:  # type: ignore[misc]
                self._store.transact(lambda transaction, of=name: _begun(of, transaction))  # type: ignore[misc]

    def send(self, stopped: Callable[[], bool] = lambda: False) -> dict[str, int]:
        """Send what is due, as far as a round may take; return how many events each channel took.

        A channel that fails, hangs or has much to send holds up neither another one nor what else a round does.
        """
        until = monotonic() + SECONDS_A_ROUND
        over = lambda: stopped() or monotonic() > until  # noqa: E731 - asked in the channels' own threads
        sending = {
            name: worker.start(lambda of=channel: self._send(of, over))  # type: ignore[misc]
            for name, channel in self._channels.items()
        }
        return {name: future.result() for name, future in sending.items()}

    def states(self, sent: dict[str, int] | None = None) -> tuple[ChannelState, ...]:
        """Return how far each channel has come."""
        return tuple(self._state(channel, (sent or {}).get(name, 0)) for name, channel in self._channels.items())

    def _state(self, channel: Channel, sent: int) -> ChannelState:
        def read(reading: Reading) -> ChannelState:
            """Return how far the channel is, and how much waits for it."""
            cursor = reading.cursor(channel.name) or CursorRecord(channel.name, reading.position())
            waiting = self._due(reading, channel, cursor, MOST_COUNTED).events
            return ChannelState(
                name=channel.name,
                position=cursor.position,
                sent=sent,
                waiting=len(waiting),
                oldest=waiting[0][1].at if waiting else None,
                attempts=cursor.attempts,
                error=cursor.error,
                next_try=cursor.lease_until if cursor.attempts else None,
                stopped=cursor.stopped,
            )

        return self._store.read(read)

    def _send(self, channel: Channel, stopped: Callable[[], bool]) -> int:
        sent = 0
        while not stopped():
            due = self._store.read(lambda reading: self._next(reading, channel))
            if due is None:
                return sent
            if not due.events:
                self._pass_by(due)
                return sent
            mine = self._store.transact(lambda transaction, of=due: _taken(of.cursor, transaction))  # type: ignore[misc]
            for number, (position, event) in enumerate(due.events):
                if mine is None:
                    break
                whole = number == len(due.events) - 1
                last = whole or stopped()
                mine = self._deliver(channel, event, mine, due.reached if whole else position, last=last)
                sent += mine is not None
                if last:
                    break
            if mine is None:
                return sent
        return sent

    def _next(self, reading: Reading, channel: Channel) -> _Due | None:
        cursor = reading.cursor(channel.name)
        if cursor is None or not _is_free(cursor, reading.now()):
            return None
        return self._due(reading, channel, cursor, PAGE)

    def _due(self, reading: Reading, channel: Channel, cursor: CursorRecord, most: int) -> _Due:
        after = max(cursor.position, self._looked.get(channel.name, 0))
        events: list[tuple[int, Event]] = []
        while page := reading.entries(after, PAGE, _ESCALATED):
            for entry in page:
                event = event_of(reading, entry)
                if event is not None and _may_want(channel, event):
                    events.append((entry.pos, event))
            after = page[-1].pos
            if len(events) >= most:
                return _Due(cursor, tuple(events), after)
        return _Due(cursor, tuple(events), reading.position())

    def _pass_by(self, due: _Due) -> None:
        """Remember that nothing up to here is for a channel, on disk only now and then."""
        self._looked[due.cursor.name] = due.reached
        if due.reached - due.cursor.position >= FAR_BEHIND:
            moved = replace(due.cursor, fence=due.cursor.fence + 1, position=due.reached)
            self._store.transact(lambda transaction: transaction.move_cursor(due.cursor, moved))

    def _deliver(
        self, channel: Channel, event: Event, mine: CursorRecord, reached: int, *, last: bool
    ) -> CursorRecord | None:
        """Send one event and move on; None where it failed, or somebody else has the cursor now."""
        failed = _failure(channel, event)

        def work(transaction: Transaction) -> CursorRecord | None:
            """Move the channel's cursor, if it is still where this delivery found it."""
            now = transaction.now()
            lease = None if last else now + LEASE
            moved = replace(mine, position=reached, lease_until=lease, attempts=0, error="")
            if failed is not None:
                moved = self._after(failed, mine, moved, event, transaction)
            return moved if transaction.move_cursor(mine, moved) else None

        moved = self._store.transact(work)
        if failed is not None:
            log.warning("notices.undelivered", channel=channel.name, event_id=event.id, error=failed.reason)
            return None
        return moved

    def _after(
        self, failed: UndeliveredError, mine: CursorRecord, moved: CursorRecord, event: Event, transaction: Transaction
    ) -> CursorRecord:
        """Return where a channel stands after a failure: it tries again later, gives the event up, or is stopped."""
        now, attempts = transaction.now(), mine.attempts + 1
        about = {"tenant": self._tenant, "channel": mine.name, "event": event.id, "error": failed.reason}
        if failed.gone:
            transaction.append({**about, "kind": "channel_stopped"})
            return replace(mine, lease_until=None, attempts=attempts, error=failed.reason, stopped=True)
        if (failed.refused and attempts >= MOST_REFUSALS) or now - event.at >= GIVEN_UP_AFTER:
            transaction.append({**about, "kind": "notice_given_up", "attempts": attempts})
            return replace(moved, lease_until=None, error=failed.reason)
        wish = timedelta(0) if failed.retry_after is None else min(failed.retry_after, LONGEST_WISH)
        pause = max(min(FIRST_PAUSE * (1 << min(attempts - 1, 10)), LONGEST_PAUSE), wish)
        return replace(mine, lease_until=now + pause, attempts=attempts, error=failed.reason)


def _failure(channel: Channel, event: Event) -> UndeliveredError | None:
    """Send an event in bounded time; return why it was not delivered, or None if it was."""

    def send() -> None:
        """Send it, if the channel wants it."""
        if channel.wants(event):  # asked again: whoever could not say so fails here
            channel.send(event)

    sending = worker.start(send)
    try:
        sending.result(SECONDS_TO_SEND)
    except UndeliveredError as error:
        return error
    except TimeoutError:
        return UndeliveredError("timeout")
    except Exception as error:  # noqa: BLE001 - a channel may be the host's own: whatever it raises, it is tried again
        return UndeliveredError(error.code if isinstance(error, AgentGuardError) else type(error).__name__)
    return None


def _may_want(channel: Channel, event: Event) -> bool:
    """Return whether a channel wants an event, or cannot say so: then sending it fails, and is seen."""
    try:
        return channel.wants(event)
    except Exception:  # noqa: BLE001 - a channel may be the host's own, and must not keep the others
        return True


def _begun(name: str, transaction: Transaction) -> None:
    transaction.move_cursor(None, CursorRecord(name, transaction.position()))


def _is_free(cursor: CursorRecord, now: datetime) -> bool:
    return not cursor.stopped and (cursor.lease_until is None or now > cursor.lease_until)


def _taken(cursor: CursorRecord, transaction: Transaction) -> CursorRecord | None:
    """Take a cursor, if it is where it was and nobody has it."""
    current = transaction.cursor(cursor.name)
    if current != cursor or not _is_free(current, transaction.now()):
        return None
    mine = replace(current, fence=current.fence + 1, lease_until=transaction.now() + LEASE)
    return mine if transaction.move_cursor(current, mine) else None
