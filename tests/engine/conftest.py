"""Shops for the engine's tests, each on a real database of both engines."""

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


@pytest.fixture(params=["sync", "async"])
def any_shop(request, open_shop):
    """A shop whose facts and tool are functions, then one whose are coroutines run in an event loop."""
    made = open_shop(is_async=request.param == "async")
    if request.param == "async":
        made.ask = made.aask
    return made
