"""Shops whose guard does by itself what is due, each on a real database of both engines."""

from dataclasses import replace

import pytest

from agentguard.engine.parts import Waits
from tests.engine.given import shop


@pytest.fixture
def open_shop(address):
    opened = []

    def open_one(**options):
        # What a start does beside the first action would be a second one who works.
        waits = replace(options.pop("waits", Waits()), recovery=None)
        opened.append(shop(options.pop("store", address), waits=waits, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()
