"""Forks: none splits a commit, and a child begins with connections of its own."""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """What has to know of a fork of the process that it lives in."""

    def hold_still(self) -> bool:
        """Wait until nothing is under way, and keep it so; False if that takes too long."""

    def go_on(self) -> None:
        """Let go on what was held still."""

    def begin_anew(self) -> None:
        """Be as new in a forked child."""


_living: WeakSet[Forkable] = WeakSet()
_held = threading.local()


def watch(found: Forkable) -> None:
    """Tell something of every fork from here on, as long as it lives."""
    _living.add(found)


def _before() -> None:
    # SQLite in the child would take a lock that the parent holds in the midst of a commit for its own, for ever.
    _held.stores = [found for found in list(_living) if found.hold_still()]


def _in_parent() -> None:
    for found in _held.stores:
        found.go_on()


def _in_child() -> None:
    for found in list(_living):
        found.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
