"""A shop that tells people, and a receiver of webhooks on a real socket."""

from dataclasses import replace

import pytest

from agentguard.engine.parts import Waits
from tests.engine.given import shop
from tests.notices.receiver import Receiver


@pytest.fixture
def open_shop(address):
    opened = []

    def open_one(**options):
        # What a start does beside the first action would be a second one who sends.
        waits = replace(options.pop("waits", Waits()), recovery=None)
        opened.append(shop(options.pop("store", address), waits=waits, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()


@pytest.fixture
def receiver():
    with Receiver.start() as started:
        yield started
