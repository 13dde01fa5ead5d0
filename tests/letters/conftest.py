"""A small shop whose decisions become letters, on a real database in memory."""

import pytest

from tests.engine.given import shop


@pytest.fixture
def open_shop():
    opened = []

    def open_one(**options):
        opened.append(shop("sqlite://", **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()
