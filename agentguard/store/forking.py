"""Forks: none splits a commit, and a child begins with connections of its own."""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """What a forked child begins anew with: no thread of its parent lives on there, and nobody gives a lock back."""

    def begin_anew(self) -> None:
        """Be as new in a forked child."""


class Forkable(Renewable, Protocol):
    """What a fork must not split, too."""

    def hold_still(self) -> bool:
        """Wait until nothing is under way, and keep it so; False if that takes too long."""

    def go_on(self) -> None:
        """Let go on what was held still."""


_watched: WeakSet[Forkable] = WeakSet()
_renewed: WeakSet[Renewable] = WeakSet()
_held = threading.local()


def watch(found: Forkable) -> None:
    """Hold something still at every fork from here on, as long as it lives, and have it begin anew in the child."""
    _watched.add(found)
    renew(found)


def renew(found: Renewable) -> None:
    """Have something begin anew in every child that is forked from here on, as long as it lives."""
    _renewed.add(found)


def _before() -> None:
    # SQLite in the child would take a lock that the parent holds in the midst of a commit for its own, for ever.
    _held.stores = [found for found in list(_watched) if found.hold_still()]


def _in_parent() -> None:
    for found in _held.stores:
        found.go_on()


def _in_child() -> None:
    for found in list(_renewed):
        found.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
