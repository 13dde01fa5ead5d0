"""A shop that tells people, and a receiver of webhooks on a real socket."""

import pytest

from tests.engine.given import shop
from tests.notices.receiver import Receiver


@pytest.fixture
def open_shop(address):
    opened = []

    def open_one(**options):
        opened.append(shop(options.pop("store", address), **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()


@pytest.fixture
def receiver():
    with Receiver.start() as started:
        yield started
