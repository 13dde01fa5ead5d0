"""What accounts would say at any moment of a replay: postings with running totals, and no more of them than count."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from functools import lru_cache
from hashlib import blake2b

_SWEEP = 200_000
_TRIM = 64


class _Account:
    """One account: what is held, and the running total after each posting that a window can still begin behind."""

    __slots__ = ("keep", "pending", "times", "totals")

    def __init__(self, keep: int | None) -> None:
        self.keep = keep
        self.pending = 0
        self.times = array("q")
        self.totals = array("q")

    def post(self, at: int, amount: int) -> None:
        """Post an amount at a time, which may lie before others."""
        place = bisect_right(self.times, at)
        if place == len(self.times):
            self.times.append(at)
            self.totals.append((self.totals[-1] if self.totals else 0) + amount)
        else:
            self.times.insert(place, at)
            self.totals.insert(place, self.totals[place - 1] if place else 0)
            for later in range(place, len(self.totals)):
                self.totals[later] += amount
        if self.keep is not None and len(self.times) >= _TRIM:
            # The last total before what counts stays: every window begins at or behind it.
            old = bisect_left(self.times, self.times[-1] - self.keep) - 1
            if old > _TRIM // 2:
                del self.times[:old], self.totals[:old]

    def settled(self, start: int | None) -> int:
        """Return what was posted from a time on, or ever."""
        if not self.times:
            return 0
        place = 0 if start is None else bisect_left(self.times, start)
        return self.totals[-1] - (self.totals[place - 1] if place else 0)


class Ledger:
    """Accounts by what makes them; those that no window reaches any more are forgotten, unless one counts forever."""

    def __init__(self) -> None:
        self._accounts: dict[bytes, _Account] = {}
        self._posted = 0

    def __bool__(self) -> bool:
        """Return whether anything was ever held or posted."""
        return bool(self._accounts)

    def usage(self, name: bytes, start: int | None) -> tuple[int, int]:
        """Return what is held on an account, and what was settled on it from a time on (microseconds)."""
        found = self._accounts.get(name)
        return (0, 0) if found is None else (found.pending, found.settled(start))

    def hold(self, name: bytes, amount: int, keep: int | None) -> None:
        """Hold an amount, or give it back below zero; `keep` is how long a posting counts, None for ever."""
        self._account(name, keep).pending += amount

    def post(self, name: bytes, at: int, amount: int, keep: int | None) -> None:
        """Post an amount that was settled at a time."""
        self._account(name, keep).post(at, amount)
        self._posted += 1
        if self._posted % _SWEEP == 0:
            self._sweep(at)

    def _account(self, name: bytes, keep: int | None) -> _Account:
        found = self._accounts.get(name)
        if found is None:
            found = self._accounts[name] = _Account(keep)
        return found

    def _sweep(self, now: int) -> None:
        over = [
            name
            for name, item in self._accounts.items()
            if item.keep is not None and not item.pending and (not item.times or item.times[-1] < now - item.keep)
        ]
        for name in over:
            del self._accounts[name]


@lru_cache(maxsize=4096)
def named(account: str) -> bytes:
    """Return a short name of an account, from what makes it: millions of them are kept."""
    return blake2b(account.encode(), digest_size=16).digest()
