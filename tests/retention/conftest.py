"""A shop whose policy says how long its records are kept, a key that signs its log, and years that pass."""

from datetime import timedelta

import pytest

from agentguard.evidence.keys import SigningKey
from tests.engine.given import REFUNDS, shop
from tests.privacy.conftest import Disk, people

WHO = {"by": "ada", "why": "their time is over", "authenticated": "os_login"}
KEPT = REFUNDS.replace("names:\n", "retention: {least: 1 year, refund.issue: 2 years, otherwise: 1 year}\nnames:\n", 1)
YEAR = timedelta(days=365)


@pytest.fixture
def opened(address):
    """Opens shops on both engines."""
    yield from opening(address)


@pytest.fixture
def opened_here():
    """Opens shops in memory, for what no engine has to do with."""
    yield from opening("sqlite://")


def opening(address):
    shops = []

    def open_one(known=None, text=KEPT, **more):
        key = SigningKey("agentguard/test", bytes(range(32)))
        shops.append(shop(address, people=known or people(purge=({"ada", "kim"}, 1)), text=text, signer=key, **more))
        return shops[-1]

    yield open_one
    for one in shops:
        one.guard.close()


@pytest.fixture
def disk(address, tmp_path):
    return Disk(address, tmp_path)
