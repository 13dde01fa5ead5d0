"""People who may change what is in force, guards over one database, and policies that go each way."""

from datetime import timedelta

import pytest

from agentguard import Guard
from agentguard.core.people import People, Power, User
from agentguard.evidence.keys import SigningKey
from agentguard.testing.clock import ManualClock
from tests.changecontrol import given
from tests.engine.given import bundle

MICROSECOND = timedelta(microseconds=1)


class Staff:
    """People whom a test changes under running guards; `tom` is known under two logins."""

    def __init__(self):
        self.powers = {"activate": Power(frozenset({"maria", "tom", "kim"}))}
        self.keys = {}
        self.allow_unverified = False

    def sign(self, *names, numbers=(1, 2, 3)):
        """Give people keys, and return the private ones by name."""
        private = {name: SigningKey(name, bytes([number]) * 32) for name, number in zip(names, numbers, strict=False)}
        self.keys |= {name: key.key.text for name, key in private.items()}
        return private

    def __call__(self):
        logins = {"maria": {"maria", "mrossi"}, "tom": {"tom", "tbecker"}, "kim": {"kim"}, "eve": {"eve"}}
        users = {
            name: User(name, name.title(), frozenset(known), key=self.keys.get(name, ""))
            for name, known in logins.items()
        }
        return People(users, {}, powers=self.powers, allow_unverified=self.allow_unverified)


@pytest.fixture
def staff():
    return Staff()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def open_guard(tmp_path, clock, staff, closed_stores):
    def opened(text=given.BEGIN, **more):
        address = more.pop("store", f"sqlite:///{tmp_path / 'shop.db'}")
        return Guard(bundle(text), store=address, clock=clock, people=more.pop("people", staff), **more)

    return opened


@pytest.fixture
def shop(open_guard):
    """A guard over a database where the first policies are in force, as two people said."""
    guard = open_guard()
    given.make(guard, "maria")
    given.make(guard, "tom")
    return guard
