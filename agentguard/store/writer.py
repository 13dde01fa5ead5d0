"""The writing end of a store: one transaction at a time, and certainty about what was committed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, select
from tenacity import Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from agentguard.errors import StoreUnavailableError, TamperedError
from agentguard.store.batch import Batch, TornError
from agentguard.store.channel import Channel
from agentguard.store.connections import Connections
from agentguard.store.head import begin_with_head
from agentguard.store.ledger_clock import LedgerClock
from agentguard.store.memory import Memory
from agentguard.store.statement import Statement
from agentguard.store.tables import EntryRow
from agentguard.store.turn import Turns
from agentguard.store.unit import Stage, Unit
from agentguard.store.writing import OvertakenError

ATTEMPTS = 8
"""How often a transaction is run that others get in the way of."""

_entry = EntryRow.__table__
_LEAF = Statement(select(_entry.c.leaf).where(_entry.c.pos == bindparam("pos")), ["pos"])


class _ApartError(Exception):
    """These units cannot be committed together; each has to be tried by itself."""


class _SpoiltError(Exception):
    """The only unit failed when something of it had reached the database; it has its error already."""


class Writer:
    """Commits units of work; one thread at a time uses it."""

    def __init__(self, connections: Connections, clock: LedgerClock, memory: Memory, turns: Turns) -> None:
        self._connections = connections
        self._clock = clock
        self._memory = memory
        self._turns = turns
        self._channel: Channel | None = None
        self._under_way: tuple[Sequence[Unit], Batch] | None = None

    def commit(self, units: Sequence[Unit]) -> None:
        """Run units of work in one transaction, or one by one where they do not go together; each gets its outcome."""
        try:
            self._together(units)
        except _ApartError:
            for unit in units:
                self._alone(unit)
                unit.stage = Stage.ENDED
        except _SpoiltError:
            return
        except Exception as error:
            if self._under_way is not None:
                raise  # a host's own signal, after the commit
            self._fail(units, error)

    def find_out(self, units: Sequence[Unit]) -> None:
        """End units that were committed though the thread that did it was told to end in the midst of it.

        What that thread had open is closed, so that nobody waits for it. Called before the next commit.
        """
        channel, self._channel = self._channel, None
        if channel is not None:
            self._end(channel)
        self._memory.forget()
        if self._under_way is None:
            return
        (theirs, batch), self._under_way = self._under_way, None
        found = [unit for unit in units if unit in theirs]
        try:
            if not found or not self._was_committed(batch, InterruptedError("a thread was told to end")):
                return
        except StoreUnavailableError as error:
            self._fail(found, error)
        for unit in found:
            unit.stage = Stage.ENDED

    def _alone(self, unit: Unit) -> None:
        try:
            self._together([unit])
        except _ApartError:
            self._fail([unit], TamperedError("expected rows that agree with the log, got others; run `audit verify`"))
        except _SpoiltError:
            return
        except Exception as error:
            if self._under_way is not None:
                raise
            self._fail([unit], error)

    def _fail(self, units: Sequence[Unit], error: Exception) -> None:
        meant = self._connections.meaning(error)
        for unit in units:
            unit.value, unit.error = None, meant

    def _together(self, units: Sequence[Unit]) -> None:
        try:
            self._attempt(units)
        except self._connections.dialect.errors as error:
            if not self._connections.dialect.is_transient(error):
                raise
            again = retry_if_exception(self._is_transient)
            pauses = wait_random_exponential(multiplier=0.01, max=0.5)
            for attempt in Retrying(retry=again, stop=stop_after_attempt(ATTEMPTS), wait=pauses, reraise=True):
                with attempt:
                    self._attempt(units)

    def _is_transient(self, error: BaseException) -> bool:
        return isinstance(error, Exception) and self._connections.dialect.is_transient(error)

    def _attempt(self, units: Sequence[Unit]) -> None:
        self._under_way = None
        with self._turns.taken():
            channel = self._channel = self._connections.take()
            try:
                batch = self._run(channel, units)
            except BaseException:
                self._end(channel)
                raise
            if batch.is_empty:
                self._end(channel)
            else:
                self._commit(channel, units, batch)
            batch.remember()

    def _run(self, channel: Channel, units: Sequence[Unit]) -> Batch:
        batch = Batch(channel, begin_with_head(channel, writes=True), self._memory, self._clock)
        batch.foresee(key for unit in units for key in unit.keys)
        for unit in units:
            unit.value = unit.error = None
            try:
                unit.value = batch.run(unit.work)
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever handed the unit in
                self._ended_badly(unit, error, alone=len(units) == 1)
        try:
            batch.write()
        except OvertakenError as error:
            self._memory.forget()
            raise _ApartError from error
        except Exception as error:
            if len(units) > 1 and self._connections.is_database_error(error) and not self._is_transient(error):
                raise _ApartError from error
            raise
        return batch

    def _ended_badly(self, unit: Unit, error: BaseException, *, alone: bool) -> None:
        """Keep what a unit raised as its outcome, if the others can go on without it."""
        torn = isinstance(error, TornError)
        cause = error.__cause__ if torn and error.__cause__ is not None else error
        if isinstance(cause, KeyboardInterrupt) or self._is_transient(cause):
            raise cause
        if isinstance(cause, OvertakenError):
            self._memory.forget()
            raise _ApartError from error
        if torn or self._connections.is_database_error(cause):
            if not alone:
                raise _ApartError from error
            unit.error = self._connections.meaning(cause)
            raise _SpoiltError from error
        unit.error = cause

    def _commit(self, channel: Channel, units: Sequence[Unit], batch: Batch) -> None:
        self._under_way = units, batch
        try:
            channel.commit()
        except Exception as error:
            self._under_way = None
            self._give(channel, broken=True)
            self._memory.forget()
            if not self._was_committed(batch, error):
                raise
        else:
            self._give(channel)

    def _was_committed(self, batch: Batch, error: Exception) -> bool:
        """Return whether a commit went through that nobody answered for: its last entry stands in the log, or not."""
        try:
            channel = self._connections.take()
            try:
                begin_with_head(channel, writes=True)  # waits until the transaction in question has ended
                row = channel.row(_LEAF, (batch.head.size,))
                channel.commit()  # which waits until a synchronous standby has what is seen here
            finally:
                self._end(channel)
        except Exception as unreachable:
            raise StoreUnavailableError(
                f"the database `{self._connections.name}` went away in the midst of a commit and cannot be reached, so "
                f"that nobody knows yet whether it was stored; recovery will find out "
                f"({self._connections.meaning(error)})"
            ) from unreachable
        return row is not None and row[0] == batch.head.leaf

    def _end(self, channel: Channel) -> None:
        """Take back whatever a transaction did and give its connection back."""
        try:
            channel.rollback()
        except self._connections.dialect.errors:
            self._give(channel, broken=True)  # a connection that is gone has taken everything back itself
        else:
            self._give(channel)

    def _give(self, channel: Channel, *, broken: bool = False) -> None:
        self._channel = None  # first: what is given back must not be closed as something that was left open
        self._connections.give(channel, broken=broken)
