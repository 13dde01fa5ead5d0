"""Shops whose guard does by itself what is due, each on a real database of both engines."""

import pytest

from tests.engine.given import shop


@pytest.fixture
def open_shop(address):
    opened = []

    def open_one(**options):
        opened.append(shop(options.pop("store", address), **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()
