"""The ledger's one clock: what time it is for every decision on a store, and whether that can be relied on.

The machine's clock (on PostgreSQL the server's) is compared with what it said at the last commit, whoever made it.
While it cannot be relied on, the ledger's time stands still at the last entry's: what happened is still written down,
and nothing is decided or begun.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from agentguard.errors import UsageError
from agentguard.store.moment import Clock, from_microseconds, to_microseconds

JUMP_US = 5 * 60 * 1_000_000
"""How far the clock may step against the time that has passed since the last commit."""

SKEW_US = 30 * 1_000_000
"""How far a host's clock may be from the database server's."""

_SIMULATED_US = 1_000_000
_UPTIME = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
_REALTIME = 5 if sys.platform == "linux" else getattr(time, "CLOCK_REALTIME", None)
"""What libraries that move time do not move: on Linux CLOCK_REALTIME_COARSE, for which Python has no name."""

_SERVER = "server"


class Tick(NamedTuple):
    """What a clock said once.

    Attributes:
        wall_us: The time of day it showed.
        uptime_us: How long the machine had been up, sleep included; 0 where that says nothing about this clock.
        boot: Which start of the machine the uptime counts from; empty for a clock that is not checked.
    """

    wall_us: int
    uptime_us: int = 0
    boot: str = ""


class Moment(NamedTuple):
    """What the ledger's clock says in one transaction.

    Attributes:
        us: The ledger's time, never before the last entry's.
        tick: What the clock itself says.
        kept: What a commit remembers of it: of a clock that cannot be relied on, nothing new.
        fault: Why nothing may rely on it; empty if all is well.
    """

    us: int
    tick: Tick
    kept: Tick
    fault: str = ""


class LedgerClock:
    """Gives a store its time; a clock of the caller's own is believed in everything, as tests need."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock
        self._trusting = 0
        self._recent: tuple[Moment, int] | None = None

    def tick(self, server_us: int | None = None) -> Tick:
        """Return what the clock says: the caller's own, else the database server's, else this machine's."""
        if self._clock is not None:
            return Tick(to_microseconds(self._clock()))
        if server_us is not None:
            return Tick(server_us, 0, _SERVER)
        wall_us = time.time_ns() // 1000
        if _is_simulated(wall_us):
            return Tick(wall_us)
        return Tick(wall_us, _uptime_us(), _BOOT)

    def reckon(self, last_us: int, last: Tick, server_us: int | None = None) -> Moment:
        """Return the ledger's time after a commit.

        A clock behind the ledger is not followed back, since money that left a window would come back into it. Until
        the clock has caught up the ledger goes on at half its speed: windows slide slower than they should, never
        faster.

        Args:
            last_us: The ledger's time at the last commit.
            last: What the clock said then.
            server_us: What the database server's clock says, where it has one.
        """
        tick = self.tick(server_us)
        fault = "" if server_us is None else self._skew(server_us)
        if not (fault or self._trusting):
            fault = _jump(tick, last)
        if fault:
            return Moment(last_us, tick, last, fault)
        moment = Moment(_caught_up(last_us, last.wall_us, tick.wall_us), tick, tick)
        self._recent = moment, tick.wall_us if server_us is None else self._host_us()
        return moment

    def present(self) -> datetime:
        """Return about what the ledger's clock says, without asking the store: when something was looked up, say."""
        host_us = self._host_us()
        if self._recent is None:
            return from_microseconds(host_us)
        moment, then_us = self._recent
        wall_us = moment.tick.wall_us + max(0, host_us - then_us)
        return from_microseconds(_caught_up(moment.us, moment.tick.wall_us, wall_us))

    @contextmanager
    def trusted(self) -> Iterator[None]:
        """Believe in this block that the clock is right, however it jumped: a person has looked."""
        self._trusting += 1
        try:
            yield
        finally:
            self._trusting -= 1

    def _host_us(self) -> int:
        return time.time_ns() // 1000 if self._clock is None else to_microseconds(self._clock())

    def _skew(self, server_us: int) -> str:
        if self._clock is not None:
            return ""
        wall_us = time.time_ns() // 1000
        off = wall_us - server_us
        if abs(off) <= SKEW_US or _is_simulated(wall_us):
            return ""
        return (
            f"expected this machine's clock within {SKEW_US // 1_000_000} s of the database server's, got it "
            f"{_span(off)} {'ahead' if off > 0 else 'behind'}; set it right"
        )


def _caught_up(last_us: int, last_wall_us: int, wall_us: int) -> int:
    return max(wall_us, last_us + max(0, wall_us - last_wall_us) // 2)


def _jump(tick: Tick, last: Tick) -> str:
    if not tick.boot or not last.boot:
        return ""
    step = tick.wall_us - last.wall_us
    if tick.boot == last.boot and tick.uptime_us:
        step -= tick.uptime_us - last.uptime_us
    elif step > 0:
        return ""  # how long nothing ran, nobody knows
    if abs(step) <= JUMP_US:
        return ""
    return (
        f"expected a clock that runs on from {from_microseconds(last.wall_us):%Y-%m-%d %H:%M:%S} UTC, got one that "
        f"jumped {_span(step)} {'forward' if step > 0 else 'back'}; set it right, then `agentguard clock confirm`"
    )


def checked(clock: Clock | LedgerClock | None) -> LedgerClock:
    """Return the ledger's clock over whatever was given to a store as its clock."""
    if isinstance(clock, LedgerClock):
        return clock
    if clock is not None and not callable(clock):
        raise UsageError(f"expected a clock that gives the present when it is called, got `{clock!r:.100}`")
    return LedgerClock(clock)


def _is_simulated(wall_us: int) -> bool:
    """Return whether a test froze or moved this process's time, which is its own affair."""
    return _REALTIME is not None and abs(wall_us - time.clock_gettime_ns(_REALTIME) // 1000) > _SIMULATED_US


def _uptime_us() -> int:
    return (time.monotonic_ns() if _UPTIME is None else time.clock_gettime_ns(_UPTIME)) // 1000


def _boot() -> str:
    """Return what tells this start of the machine from others; where it has no name, what tells this process."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return f"process {os.getpid()} since {_uptime_us()}"


_BOOT = _boot()


def _span(microseconds: int) -> str:
    return str(timedelta(seconds=(abs(microseconds) + 500_000) // 1_000_000))
